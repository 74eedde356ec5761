"""The readable fall-back: what it says and never says, when it goes, what it costs, and what an OK is worth."""

from pathlib import Path

import pytest

from steunpunt.engine.fallback import AGAIN_MS, REFUSED_WAIT_MS, Sayable, plain_words
from steunpunt.engine.kiosk import KioskEngine, KioskSettings
from steunpunt.facts import Mark, Place
from steunpunt.ledger.tables import airtime
from steunpunt.model import (
    TEXT_ON_AIR_BYTES_MAX,
    Category,
    Lane,
    LinkName,
    SendFrame,
    SendOutcome,
    TextHeard,
    TicketState,
)
from steunpunt.protocol.airtime import time_on_air_ms
from tests.fakes.region_keys import COORDINATOR
from tests.fakes.sites import (
    MESH_DOWN,
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    answer_in,
    ended,
    frames,
    heard,
    help_form,
    seeded,
)

WAIT_MIN = 5
STRANGER = 0x11223344


class Speaking(KioskSite):
    """A kiosk that speaks in plain words after five minutes, unless a test says otherwise."""

    wait_min = WAIT_MIN

    def _start(self) -> None:
        super()._start()
        settings = KioskSettings(point="Buurthuis De Regenboog", fallback_min=self.wait_min)
        self.engine = KioskEngine(self.ledger, self.keys, COORDINATOR, {}, self.form_key, self.entropy, settings)


@pytest.fixture(name="kiosk")
def fixture_kiosk(tmp_path: Path) -> Speaking:
    kiosk = Speaking(tmp_path, Clock(), seeded(3))
    kiosk.turn(MESH_UP)
    return kiosk


def ask(kiosk: KioskSite, **fields: object) -> str:
    """Ask for help in danger of life; the packets are lost. Returns the number."""
    danger = {"life_threat": True, "category": Category.MEDICAL} | fields
    effects = kiosk.turn(help_form(kiosk.token(), "zij valt weg", **danger))
    for frame in frames(effects):
        kiosk.turn(ended(frame))
    return str(answer_in(effects)["number"])


def walk(kiosk: KioskSite, seconds: float) -> list[SendFrame]:
    """Let time pass: each packet is taken by the radio and heard by nobody. Returns the plain texts."""
    end_ms, said = kiosk.clock.boot_ms + round(seconds * 1000), []
    while (due_ms := kiosk.due_ms()) is not None and due_ms <= end_ms:
        kiosk.clock.boot_ms = max(kiosk.clock.boot_ms, due_ms)
        waiting = frames(kiosk.turn())
        while waiting:
            frame = waiting.pop()
            said += [frame] if frame.text else []
            waiting += frames(kiosk.turn(ended(frame)))
    kiosk.clock.boot_ms = end_ms
    return said


# --- when -----------------------------------------------------------------------------------------------------------


def test_after_five_minutes_without_receipt_and_again_every_fifteen(kiosk: Speaking) -> None:
    number = ask(kiosk)
    assert walk(kiosk, WAIT_MIN * 60 - 2) == []
    (first,) = walk(kiosk, 2)
    assert first.text == (
        "LEVENSGEVAAR, medische hulp. 3 personen. Steunpunt Buurthuis De Regenboog. "
        f"Nummer {number}. Kunt u helpen? Antwoord: OK {number}"
    )
    assert (first.link, first.lane, first.payload, first.destination) == (LinkName.MESH, Lane.LIFE_THREAT, b"", None)
    assert walk(kiosk, AGAIN_MS / 1000 - 2) == []
    assert [frame.text for frame in walk(kiosk, 3)] == [first.text]
    assert len(walk(kiosk, 3600)) == 4


def test_what_is_no_life_threat_is_never_said(kiosk: Speaking) -> None:
    ask(kiosk, life_threat=False)
    assert walk(kiosk, 3600) == []


def test_it_can_be_switched_off(tmp_path: Path) -> None:
    silent = type("Silent", (Speaking,), {"wait_min": 0})(tmp_path, Clock(), seeded(3))
    silent.turn(MESH_UP)
    ask(silent)
    assert walk(silent, 3600) == []


def test_without_a_radio_it_waits_for_one(kiosk: Speaking) -> None:
    ask(kiosk)
    kiosk.turn(MESH_DOWN)
    assert walk(kiosk, 3600) == []
    waiting = frames(kiosk.turn(MESH_UP))
    assert [bool(frame.text) for frame in waiting].count(True) == 1


def test_a_receipt_ends_it(kiosk: Speaking, tmp_path: Path) -> None:
    center = CoordinatorSite(tmp_path / "center", kiosk.clock, seeded(4))
    center.turn(MESH_UP)
    (sealed,) = frames(kiosk.turn(help_form(kiosk.token(), life_threat=True)))
    kiosk.turn(ended(sealed))
    center.turn(heard(sealed.payload))
    kiosk.clock.advance_s(10)  # a receipt waits a moment for others
    for token in frames(center.turn()):
        kiosk.turn(heard(token.payload))
    assert kiosk.ticket("47-1").state is TicketState.RECEIVED
    assert walk(kiosk, 3600) == []


def test_each_ticket_is_said_and_the_sealed_tries_go_on(kiosk: Speaking) -> None:
    numbers = {ask(kiosk), ask(kiosk)}
    tries = kiosk.engine.counts["sent_mesh_taken"]
    said = walk(kiosk, WAIT_MIN * 60 + 30)
    assert {number for number in numbers for frame in said if frame.text.endswith(f"OK {number}")} == numbers
    assert kiosk.engine.counts["sent_mesh_taken"] - tries > len(said)


def test_it_is_charged_to_the_airtime_of_life_threats(kiosk: Speaking) -> None:
    ask(kiosk)
    walk(kiosk, WAIT_MIN * 60 - 2)
    entries = len(kiosk.rows(airtime))
    (said,) = walk(kiosk, 2)
    *_, spent_ms = kiosk.rows(airtime)[-1]
    assert len(kiosk.rows(airtime)) == entries + 1
    assert isinstance(spent_ms, int | float)
    assert spent_ms >= time_on_air_ms("LONG_FAST", len(said.text.encode()))


def test_after_a_restart_the_words_do_without_what_the_card_does_not_keep(kiosk: Speaking) -> None:
    number = ask(kiosk)
    kiosk.restart()
    kiosk.turn(MESH_UP)
    (said,) = walk(kiosk, WAIT_MIN * 60 + 5)
    assert said.text.startswith("LEVENSGEVAAR. Steunpunt Buurthuis De Regenboog. Nummer " + number)


def test_a_crash_before_the_commit_says_it_again(kiosk: Speaking) -> None:
    ask(kiosk)
    walk(kiosk, WAIT_MIN * 60 - 2)
    kiosk.clock.advance_s(2)
    with pytest.raises(RuntimeError, match="power"):
        kiosk.turn(stop=_power_cut)
    assert [frame.text for frame in frames(kiosk.turn()) if frame.text]


def _power_cut() -> None:
    raise RuntimeError("power")


# --- what it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "begins"),
    [
        (Sayable(Category.FIRE, 1), "LEVENSGEVAAR, brand. 1 persoon. Steunpunt X."),
        (Sayable(Category.POLICE, 2), "LEVENSGEVAAR. 2 personen. Steunpunt X."),
        (Sayable(Category.MEDICAL, None, Mark.EXERCISE), "OEFENING. LEVENSGEVAAR, medische hulp. Steunpunt X."),
        (Sayable(Category.MEDICAL, None, Mark.TEST), "TEST. LEVENSGEVAAR, medische hulp. Steunpunt X."),
        (Sayable(Category.MEDICAL, None, Mark.REAL), "LEVENSGEVAAR, medische hulp. Steunpunt X."),
        (Sayable(), "LEVENSGEVAAR. Steunpunt X. Nummer 47-12. Kunt u helpen? Antwoord: OK 47-12"),
    ],
)
def test_the_words(of: Sayable, begins: str) -> None:
    assert plain_words("47-12", "X", of).startswith(begins)


def test_they_always_fit_one_packet() -> None:
    longest = plain_words("65535-999999", "é" * 80, Sayable(Category.SUPPLIES, 999, Mark.EXERCISE))
    assert len(longest.encode()) <= TEXT_ON_AIR_BYTES_MAX
    assert longest.endswith("Nummer 65535-999999. Kunt u helpen? Antwoord: OK 65535-999999")


def test_nothing_of_the_person_goes_in_plain_words(kiosk: Speaking) -> None:
    form = help_form(
        kiosk.token(),
        "Truus heeft hartpijn",
        life_threat=True,
        category=Category.POLICE,
        name="Truus",
        callback="0612345678",
        place=Place(postcode="6211AB", house_number=12),
    )
    kiosk.turn(form)
    (said,) = walk(kiosk, WAIT_MIN * 60 + 30)
    assert said.text == (
        "LEVENSGEVAAR. 3 personen. Steunpunt Buurthuis De Regenboog. Nummer 47-1. Kunt u helpen? Antwoord: OK 47-1"
    )


# --- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["OK 47-1", "ok 47-1 wij komen eraan", " Ok: 47-1", "OK, 47-1."])
def test_an_ok_is_noted_and_changes_no_state(kiosk: Speaking, text: str) -> None:
    ask(kiosk)
    walk(kiosk, WAIT_MIN * 60 + 5)
    before = kiosk.ticket("47-1")
    kiosk.turn(TextHeard(text, STRANGER))
    after = kiosk.ticket("47-1")
    assert after.handheld_ms is not None
    assert after.state is before.state
    assert kiosk.engine.counts["handheld_ok"] == 1
    assert len(walk(kiosk, 3600)) == 4, "it is asked again all the same"


@pytest.mark.parametrize(
    "text", ["OK 48-1", "OK 47-2", "OK", "47-1", "niet OK 47-1", "OK 47-1234567", "OK \u0664\u0667-\u0661", ""]
)
def test_what_is_no_ok_to_us_is_nothing(kiosk: Speaking, text: str) -> None:
    ask(kiosk)
    walk(kiosk, WAIT_MIN * 60 + 5)
    kiosk.turn(TextHeard(text, STRANGER))
    assert kiosk.ticket("47-1").handheld_ms is None


def test_an_ok_to_what_was_never_said_is_nothing(kiosk: Speaking) -> None:
    ask(kiosk)
    kiosk.turn(TextHeard("OK 47-1", STRANGER))
    assert kiosk.ticket("47-1").handheld_ms is None
    assert kiosk.engine.counts["handheld_unasked"] == 1


def test_a_refused_text_was_not_said_and_is_tried_again_soon(kiosk: Speaking) -> None:
    ask(kiosk)
    walk(kiosk, WAIT_MIN * 60 - 2)
    kiosk.clock.advance_s(2)
    (said,) = [frame for frame in frames(kiosk.turn()) if frame.text]
    kiosk.turn(ended(said, SendOutcome.REFUSED))
    assert kiosk.ticket("47-1").fallback_ms is None, "the ticket does not say that anybody was asked"
    assert walk(kiosk, REFUSED_WAIT_MS / 1000 - 1) == []
    assert len(walk(kiosk, 2)) == 1
