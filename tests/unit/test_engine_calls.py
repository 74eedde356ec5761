"""The help button: half a minute for staff here to cancel, then a request; more presses join it; the lamp tells."""

from pathlib import Path

import pytest

from steunpunt.engine.accepting import open_ticket_key
from steunpunt.engine.calls import BUZZ_S, HELD_S, TELL_AGAIN_MS
from steunpunt.ledger import outgoing
from steunpunt.ledger.tables import calls, tickets
from steunpunt.model import (
    ButtonPressed,
    CallCancelled,
    Category,
    Effect,
    LampMode,
    Lane,
    SenderFunction,
    SetLamp,
    SoundBuzzer,
    SupplementCode,
    TokenCode,
)
from steunpunt.protocol import answers
from steunpunt.protocol import tickets as secrets
from steunpunt.protocol.answerbody import Answer, unpack_answer
from tests.fakes.sites import MESH_UP, Clock, CoordinatorSite, KioskSite, ended, frames, heard, seeded

PRESS = ButtonPressed("help")
CANCEL = CallCancelled("help")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kiosk(tmp_path: Path, clock: Clock) -> KioskSite:
    return KioskSite(tmp_path / "kiosk", clock, seeded(3), buttons={"help": 30, "door": 0})


@pytest.fixture
def center(tmp_path: Path, clock: Clock) -> CoordinatorSite:
    return CoordinatorSite(tmp_path / "coordinator", clock, seeded(4))


def lamps(effects: list[Effect]) -> list[tuple[str, LampMode]]:
    return [(effect.name, effect.mode) for effect in effects if isinstance(effect, SetLamp)]


def to_center(kiosk: KioskSite, center: CoordinatorSite, effects: list[Effect]) -> None:
    """Bring what the kiosk sends to the coordinator, and what that says to the kiosk."""
    for frame in frames(effects):
        kiosk.turn(ended(frame))
        center.turn(MESH_UP, heard(frame.payload))


def from_center(kiosk: KioskSite, center: CoordinatorSite, clock: Clock) -> list[Effect]:
    clock.advance_s(2)
    effects: list[Effect] = []
    for frame in frames(center.turn()):
        center.turn(ended(frame))
        effects += kiosk.turn(heard(frame.payload))
    return effects


def test_all_lamps_are_set_at_the_start(kiosk: KioskSite) -> None:
    assert lamps(kiosk.turn()) == [("help", LampMode.OFF), ("door", LampMode.OFF)]
    assert lamps(kiosk.turn()) == []


def test_a_press_buzzes_here_and_blinks_at_once_and_leaves_after_the_window(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.turn()
    effects = kiosk.turn(PRESS)
    assert SoundBuzzer("help", BUZZ_S) in effects
    assert lamps(effects) == [("help", LampMode.BLINKING)]
    assert kiosk.rows(tickets) == []
    due_ms = kiosk.due_ms()
    assert due_ms == clock.boot_ms + 30_000
    clock.advance_s(29.999)
    kiosk.turn()
    assert kiosk.rows(tickets) == []
    clock.advance_s(0.001)
    kiosk.turn()
    assert len(kiosk.rows(tickets)) == 1
    assert kiosk.engine.calls.views["help"].counter == 1


def test_a_button_without_a_window_leaves_at_once(kiosk: KioskSite) -> None:
    kiosk.turn(ButtonPressed("door"))
    assert len(kiosk.rows(tickets)) == 1


def test_a_button_that_is_not_in_the_config_does_nothing(kiosk: KioskSite) -> None:
    kiosk.turn()
    assert kiosk.turn(ButtonPressed("other"), CallCancelled("other")) == []
    assert kiosk.rows(calls) == []


def test_the_window_survives_a_restart(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.turn(PRESS)
    clock.advance_s(20)
    kiosk.restart()
    assert lamps(kiosk.turn())[0] == ("help", LampMode.BLINKING)
    assert kiosk.rows(tickets) == []
    clock.advance_s(10)
    kiosk.turn()
    assert len(kiosk.rows(tickets)) == 1


def test_cancelled_in_time_it_never_leaves_and_the_lamp_goes_off(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.turn(PRESS)
    assert lamps(kiosk.turn(CANCEL)) == [("help", LampMode.OFF)]
    clock.advance_s(3_600)
    kiosk.turn()
    kiosk.restart()
    kiosk.turn()
    assert kiosk.rows(tickets) == []


def test_a_cancel_that_comes_too_late_changes_nothing(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.turn(PRESS)
    clock.advance_s(30)
    kiosk.turn()
    assert lamps(kiosk.turn(CANCEL)) == []
    assert len(kiosk.rows(tickets)) == 1
    assert kiosk.engine.calls.views["help"].counter == 1


def test_a_press_after_a_cancel_is_a_new_call(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.turn(PRESS, CANCEL, PRESS)
    clock.advance_s(30)
    kiosk.turn()
    assert len(kiosk.rows(tickets)) == 1


def test_presses_in_the_window_are_one_case_and_the_desk_hears_their_number_later(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    kiosk.turn(MESH_UP, PRESS, PRESS, PRESS)
    clock.advance_s(30)
    to_center(kiosk, center, kiosk.turn())
    from_center(kiosk, center, clock)
    case = center.only_case()
    assert (case.category, case.text, case.presses) == (Category.BUTTON, "", 0)
    clock.advance_s(TELL_AGAIN_MS / 1000)
    to_center(kiosk, center, kiosk.turn())
    assert center.only_case().presses == 3
    assert center.only_case().unread_supplements == 1


def test_a_hundred_presses_on_an_open_call_join_it_and_cost_one_message_a_minute(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    kiosk.turn(MESH_UP, PRESS)
    clock.advance_s(30)
    to_center(kiosk, center, kiosk.turn())
    from_center(kiosk, center, clock)
    sent = 0
    for _ in range(100):
        clock.advance_s(1)
        effects = kiosk.turn(PRESS)
        sent += len(frames(effects))
        to_center(kiosk, center, effects)
        from_center(kiosk, center, clock)
    assert 1 <= sent <= 6
    assert len(kiosk.rows(tickets)) == 1
    clock.advance_s(TELL_AGAIN_MS / 1000)
    to_center(kiosk, center, kiosk.turn())
    assert center.only_case().presses == 101


def test_the_lamp_is_steady_once_a_person_took_it_up_and_off_when_closed(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    kiosk.turn(MESH_UP, PRESS)
    clock.advance_s(30)
    to_center(kiosk, center, kiosk.turn())
    assert lamps(from_center(kiosk, center, clock)) == []
    case = center.only_case()
    center.desk.take_up(case.id, "Anna", token="t1")
    assert lamps(from_center(kiosk, center, clock)) == [("help", LampMode.STEADY)]
    kiosk.restart()
    assert ("help", LampMode.STEADY) in lamps(kiosk.turn())
    center.desk.close(case.id, "Anna", TokenCode.CLOSED_HELPED, token="t2")
    assert lamps(from_center(kiosk, center, clock)) == [("help", LampMode.OFF)]
    kiosk.turn(PRESS)
    clock.advance_s(30)
    kiosk.turn()
    assert kiosk.engine.calls.views["help"].counter == 2


def test_an_answer_to_a_button_can_be_read_at_the_point(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    kiosk.turn(MESH_UP, PRESS)
    clock.advance_s(30)
    to_center(kiosk, center, kiosk.turn())
    center.desk.take_up(center.only_case().id, "Anna", token="t1")
    center.desk.answer(center.only_case().id, "Anna", SenderFunction.DUTY_OFFICER, "Er komt iemand", token="t2")
    from_center(kiosk, center, clock)
    connection = kiosk.ledger.connection
    eid, n, _ = outgoing.request_of(connection, 1)
    key = secrets.unlock(open_ticket_key(kiosk.keys, eid, n), kiosk.ticket("47-1").answer_locked)
    ((packet, _),) = outgoing.answers_of(connection, 1)
    assert unpack_answer(answers.open_answer(packet, key)) == Answer(SenderFunction.DUTY_OFFICER, "Er komt iemand")


def test_a_press_that_the_disk_did_not_keep_is_not_on_any_screen(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.turn()

    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        kiosk.turn(ButtonPressed("door"), PRESS, stop=fail)
    for name in ("help", "door"):
        view = kiosk.engine.calls.views[name]
        assert (view.lamp, view.counter, view.pending_until_ms, view.presses) == (LampMode.OFF, None, None, 0)
    assert lamps(kiosk.turn(PRESS)) == [("help", LampMode.BLINKING)]
    clock.advance_s(30)
    with pytest.raises(OSError, match="disk full"):
        kiosk.turn(stop=fail)
    assert kiosk.engine.calls.views["help"].counter is None
    assert kiosk.due_ms() is not None
    kiosk.turn()
    assert kiosk.engine.calls.views["help"].counter == 1


# --- holding it down ------------------------------------------------------------------------------------------------

HELD = ButtonPressed("help", held=True)


def test_holding_says_that_a_life_is_in_danger_and_leaves_at_once(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    kiosk.turn(MESH_UP)
    kiosk.turn(PRESS)
    clock.advance_s(3)
    effects = kiosk.turn(HELD)
    assert SoundBuzzer("help", HELD_S, times=3) in effects
    to_center(kiosk, center, effects)
    case = center.only_case()
    assert (case.category, case.life_threat, case.lane) == (Category.BUTTON, True, Lane.LIFE_THREAT)
    clock.advance_s(60)
    kiosk.turn(CANCEL)
    assert len(kiosk.rows(tickets)) == 1, "neither a second one after the window, nor taken back"


def test_holding_after_the_call_left_raises_the_same_case_once(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    kiosk.turn(MESH_UP)
    kiosk.turn(PRESS)
    clock.advance_s(31)
    to_center(kiosk, center, kiosk.turn())
    assert not center.only_case().life_threat
    for _ in range(2):
        to_center(kiosk, center, kiosk.turn(HELD))
        clock.advance_s(5)
    case = center.only_case()
    assert (case.life_threat, case.lane) == (True, Lane.LIFE_THREAT)
    assert [event.code for event in case.events if event.kind == "supplement"] == [SupplementCode.LIFE_THREAT]


def test_holding_a_button_whose_call_was_taken_back_is_a_new_call(kiosk: KioskSite) -> None:
    kiosk.turn(PRESS, CANCEL, HELD)
    assert len(kiosk.rows(tickets)) == 1
    assert [effect for effect in kiosk.turn(ButtonPressed("fire", held=True)) if isinstance(effect, SoundBuzzer)] == []
