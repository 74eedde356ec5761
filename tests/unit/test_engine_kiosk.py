"""A kiosk's engine, turn by turn: what it sends when, and that no ticket says more than is known."""

import itertools
import random
from pathlib import Path

import pytest

from steunpunt.engine.beating import SITES_DEFAULT
from steunpunt.ledger.outgoing import ANSWERS_MAX
from steunpunt.ledger.tables import answers, epochs, messages
from steunpunt.model import (
    Category,
    ConfirmFrame,
    Lane,
    LinkName,
    SenderFunction,
    SendFrame,
    SendOutcome,
    TicketState,
    TokenCode,
)
from steunpunt.protocol import beacons, tokens
from steunpunt.protocol.answerbody import pack_answer
from steunpunt.protocol.answers import seal_answer
from steunpunt.protocol.heartbeat import mesh_interval_s
from steunpunt.protocol.keys import keys_at
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import parse_piece
from steunpunt.protocol.tokens import Head
from steunpunt.relay.outbox import BEACON_FRESH_MS_MAX
from tests.fakes.region_keys import COORDINATOR, coordinator_keys
from tests.fakes.sites import (
    BRIDGE_DOWN,
    BRIDGE_UP,
    BROKER_UP,
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
    more_form,
    noise,
    seeded,
)

MESH, BROKER = LinkName.MESH, LinkName.BROKER


@pytest.fixture
def rng() -> random.Random:
    return seeded(2)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kiosk(tmp_path: Path, clock: Clock, rng: random.Random) -> KioskSite:
    return KioskSite(tmp_path / "kiosk", clock, rng)


@pytest.fixture
def center(tmp_path: Path, clock: Clock, rng: random.Random) -> CoordinatorSite:
    return CoordinatorSite(tmp_path / "coordinator", clock, rng)


def beacon(counter: int, *, incarnation: int = 1, active_min: int = 5, coordinator: int = COORDINATOR) -> bytes:
    body = beacons.beacon_body(Head(coordinator, incarnation, 0, active_min), counter)
    return body + coordinator_keys().sign(beacons.beacon_signed_part(body))


def region_answers(kiosk: KioskSite, counter: int = 1) -> list[SendFrame]:
    """Bring the broker up, with a region behind it that lives."""
    return frames(kiosk.turn(BROKER_UP, BRIDGE_UP, heard(beacon(counter), BROKER)))


def receipt(kiosk: KioskSite, code: TokenCode, active_min: int = 0) -> bytes:
    """Return a genuine TOKENS packet for the last message."""
    head = Head(COORDINATOR, 1, 0, active_min)
    return tokens.pack_tokens(head, [(verify_of(kiosk), code)])


def verify_of(kiosk: KioskSite) -> bytes:
    verify = kiosk.rows(messages)[-1][messages.c.keys().index("verify")]
    assert isinstance(verify, bytes)
    return verify


def state_of(kiosk: KioskSite, number: object) -> TicketState:
    return kiosk.ticket(number).state


def walk(kiosk: KioskSite, clock: Clock, seconds: float) -> list[tuple[float, SendFrame]]:
    """Let time pass, turning when the engine asks for it; every frame is taken. Returns (second, frame)."""
    start_ms, sent = clock.boot_ms, []
    end_ms = start_ms + round(seconds * 1000)
    while (due_ms := kiosk.due_ms()) is not None and due_ms <= end_ms:
        clock.boot_ms = max(clock.boot_ms, due_ms)
        waiting = frames(kiosk.turn())
        while waiting:
            frame = waiting.pop(0)
            sent.append(((clock.boot_ms - start_ms) / 1000, frame))
            waiting += frames(kiosk.turn(ended(frame)))
    clock.boot_ms = end_ms
    return sent


# --- states ---------------------------------------------------------------------------------------------------------


def test_kept_until_a_radio_took_it_and_then_on_its_way(kiosk: KioskSite) -> None:
    number = kiosk.ask()["number"]
    assert state_of(kiosk, number) is TicketState.KEPT
    (frame,) = frames(kiosk.turn(MESH_UP))
    assert (frame.link, frame.destination) == (MESH, None)
    assert state_of(kiosk, number) is TicketState.KEPT
    kiosk.turn(ended(frame))
    assert state_of(kiosk, number) is TicketState.ON_ITS_WAY


@pytest.mark.parametrize("outcome", [SendOutcome.REFUSED, SendOutcome.UNKNOWN])
def test_what_no_radio_took_is_not_on_its_way_and_goes_again_soon(
    kiosk: KioskSite, clock: Clock, outcome: SendOutcome
) -> None:
    number = kiosk.ask()["number"]
    (frame,) = frames(kiosk.turn(MESH_UP))
    kiosk.turn(ended(frame, outcome))
    assert state_of(kiosk, number) is TicketState.KEPT
    again = walk(kiosk, clock, 12)
    assert [parse_piece(f.payload).piece for _, f in again] == [parse_piece(frame.payload).piece]
    assert state_of(kiosk, number) is TicketState.ON_ITS_WAY


def test_a_radio_that_always_refuses_is_asked_ever_less_often_and_never_given_up(
    kiosk: KioskSite, clock: Clock
) -> None:
    kiosk.ask()
    sent = frames(kiosk.turn(MESH_UP))
    times = [0.0]
    start_ms = clock.boot_ms
    while times[-1] < 24 * 3600:
        kiosk.turn(ended(sent[0], SendOutcome.REFUSED))
        due_ms = kiosk.due_ms()
        assert due_ms is not None
        clock.boot_ms = due_ms
        sent = frames(kiosk.turn())
        times.append((clock.boot_ms - start_ms) / 1000)
    waits = [b - a for a, b in itertools.pairwise(times)]
    assert waits[0] < 15
    assert 800 < max(waits) < 1_300
    assert len(times) < 130


def test_a_broker_that_took_it_proves_nothing_while_the_region_is_silent(kiosk: KioskSite, clock: Clock) -> None:
    number = kiosk.ask()["number"]
    (frame,) = region_answers(kiosk)
    assert (frame.link, frame.carrier) == (BROKER, 47)
    clock.advance_s(61)
    kiosk.turn(ended(frame))
    assert state_of(kiosk, number) is TicketState.KEPT


def test_a_broker_that_took_it_while_the_region_answers_means_on_its_way(kiosk: KioskSite) -> None:
    number = kiosk.ask()["number"]
    (frame,) = region_answers(kiosk)
    kiosk.turn(ended(frame))
    assert state_of(kiosk, number) is TicketState.ON_ITS_WAY


@pytest.mark.parametrize(
    ("code", "state"),
    [
        (TokenCode.RECEIVED, TicketState.RECEIVED),
        (TokenCode.SEEN, TicketState.SEEN),
        (TokenCode.PASSED_ON, TicketState.SEEN),
        (TokenCode.CLOSED_CANNOT, TicketState.CLOSED),
    ],
)
def test_a_token_raises_the_state_and_a_late_one_never_lowers_it(
    kiosk: KioskSite, code: TokenCode, state: TicketState
) -> None:
    number = kiosk.ask()["number"]
    kiosk.turn(heard(receipt(kiosk, code)))
    assert state_of(kiosk, number) is state
    assert (kiosk.ticket(number).passed_on_ms is not None) is (code is TokenCode.PASSED_ON)
    assert kiosk.ticket(number).close_code is (code if state is TicketState.CLOSED else None)
    kiosk.turn(heard(receipt(kiosk, TokenCode.RECEIVED)))
    assert state_of(kiosk, number) is state


def test_a_receipt_ends_the_sending(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.ask()
    (frame,) = frames(kiosk.turn(MESH_UP))
    kiosk.turn(ended(frame), heard(receipt(kiosk, TokenCode.RECEIVED)))
    sent = [frame.lane for _, frame in walk(kiosk, clock, 24 * 3600)]
    assert set(sent) == {Lane.HOUSEKEEPING}
    assert len(sent) <= 24 * 3_600 / mesh_interval_s(SITES_DEFAULT), "heartbeats alone"


def test_a_token_of_a_supplement_says_nothing_of_its_request(kiosk: KioskSite) -> None:
    number = kiosk.ask()["number"]
    kiosk.turn(more_form(kiosk.token(), number))
    kiosk.turn(heard(receipt(kiosk, TokenCode.CLOSED_HELPED)))
    assert state_of(kiosk, number) is TicketState.KEPT


# --- roads ----------------------------------------------------------------------------------------------------------


def test_a_region_that_falls_silent_is_left_for_the_mesh_within_ninety_seconds(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.turn(MESH_UP)
    region_answers(kiosk)
    clock.advance_s(1)
    (frame,) = frames(kiosk.turn(help_form(kiosk.token())))
    assert frame.link is BROKER
    kiosk.turn(ended(frame))
    first = next(second for second, f in walk(kiosk, clock, 600) if f.link is MESH)
    assert first <= 90


def test_a_bridge_that_breaks_is_left_for_the_mesh_at_once(kiosk: KioskSite) -> None:
    kiosk.turn(MESH_UP)
    region_answers(kiosk)
    (frame,) = frames(kiosk.turn(help_form(kiosk.token())))
    assert frame.link is BROKER
    assert [f.link for f in frames(kiosk.turn(BRIDGE_DOWN))] == [MESH]


def test_a_mesh_that_goes_is_left_for_a_region_that_comes(kiosk: KioskSite) -> None:
    kiosk.ask()
    (frame,) = frames(kiosk.turn(MESH_UP))
    kiosk.turn(ended(frame, SendOutcome.UNKNOWN), MESH_DOWN)
    assert [f.link for f in region_answers(kiosk)] == [BROKER]


def test_a_life_threat_goes_over_both_links_and_first(kiosk: KioskSite) -> None:
    kiosk.turn(MESH_UP)
    region_answers(kiosk)
    ordinary, urgent = help_form(kiosk.token()), help_form(kiosk.token(), life_threat=True)
    sent = frames(kiosk.turn(ordinary, urgent))
    assert [(f.lane, f.link) for f in sent] == [
        (Lane.LIFE_THREAT, BROKER),
        (Lane.LIFE_THREAT, MESH),
        (Lane.OTHER, BROKER),
    ]


def test_one_frame_at_a_time_goes_to_the_radio_and_its_end_brings_the_next(kiosk: KioskSite) -> None:
    for category in (Category.SUPPLIES, Category.MEDICAL, Category.SUPPLIES):
        kiosk.turn(help_form(kiosk.token(), category=category, text=noise(45)))
    (first,) = frames(kiosk.turn(MESH_UP))
    assert first.lane is Lane.URGENT
    assert frames(kiosk.turn()) == []
    assert len(frames(kiosk.turn(ended(first, SendOutcome.REFUSED)))) == 1


def test_a_commit_that_fails_leaves_no_attempt_under_way(kiosk: KioskSite) -> None:
    kiosk.ask()

    def fail() -> None:
        raise OSError("disk full")

    for _ in range(5):
        with pytest.raises(OSError, match="disk full"):
            kiosk.turn(MESH_UP, stop=fail)
    assert len(frames(kiosk.turn(MESH_UP))) == 1


def test_hello_rides_along_until_the_epoch_is_receipted_and_again_when_nobody_answers(
    kiosk: KioskSite, clock: Clock
) -> None:
    kiosk.ask()
    (first,) = frames(kiosk.turn(MESH_UP))
    assert parse_piece(first.payload).e_pub == kiosk.rows(epochs)[0][1]
    kiosk.turn(ended(first), heard(receipt(kiosk, TokenCode.RECEIVED)))
    (second,) = frames(kiosk.turn(help_form(kiosk.token())))
    kiosk.turn(ended(second))
    hellos = [parse_piece(f.payload).e_pub is not None for f in (second, *(f for _, f in walk(kiosk, clock, 3_600)))]
    assert hellos[:5] == [False, False, False, True, False]


# --- what comes in --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload", [b"", b"\0", b"rubbish", bytes(217), b"\x4c" + bytes(20), b"\x50\0abc", b"\x54" * 74]
)
def test_garbage_is_counted_dropped_and_confirmed(kiosk: KioskSite, payload: bytes) -> None:
    number = kiosk.ask()["number"]
    effects = kiosk.turn(heard(payload, BROKER, 47, confirm=9))
    assert effects == [ConfirmFrame(9)]
    assert sum(count for name, count in kiosk.engine.counts.items() if name.startswith(("dropped", "tokens_of"))) == 1
    assert state_of(kiosk, number) is TicketState.KEPT


def test_any_flipped_bit_makes_a_token_worthless(kiosk: KioskSite) -> None:
    number = kiosk.ask()["number"]
    genuine = receipt(kiosk, TokenCode.CLOSED_HELPED)
    for bit in range(8 * len(genuine)):
        flipped = bytearray(genuine)
        flipped[bit // 8] ^= 1 << bit % 8
        kiosk.turn(heard(bytes(flipped)))
    assert state_of(kiosk, number) is TicketState.KEPT
    assert kiosk.engine.region.active_min(kiosk.now_ms()) is None


def test_a_beacon_that_is_forged_repeated_or_older_is_dropped_also_after_a_restart(
    kiosk: KioskSite, clock: Clock
) -> None:
    kiosk.turn(BROKER_UP, BRIDGE_UP, heard(beacon(100), BROKER))
    assert kiosk.engine.counts["beacons"] == 1
    clock.advance_s(100)
    forged = bytearray(beacon(101))
    forged[-1] ^= 1
    kiosk.turn(*(heard(payload, BROKER) for payload in (bytes(forged), beacon(100), beacon(99))))
    assert kiosk.engine.counts["dropped_unauthentic"] == 3
    assert not kiosk.engine.links.roads(kiosk.now_ms()).region_answers
    kiosk.restart()
    kiosk.turn(BROKER_UP, BRIDGE_UP, heard(beacon(100), BROKER), heard(beacon(3), BROKER))
    assert kiosk.engine.counts["dropped_unauthentic"] == 2
    assert not kiosk.engine.links.roads(kiosk.now_ms()).region_answers
    kiosk.turn(heard(beacon(1, incarnation=2), BROKER))
    assert kiosk.engine.links.roads(kiosk.now_ms()).region_answers


def test_a_beacon_of_a_coordinator_that_the_offline_root_does_not_know_is_dropped(kiosk: KioskSite) -> None:
    kiosk.turn(BROKER_UP, BRIDGE_UP, heard(beacon(1, coordinator=2), BROKER))
    assert kiosk.engine.counts["dropped_unauthentic"] == 1


def test_a_beacon_is_fresh_for_a_minute(kiosk: KioskSite, clock: Clock) -> None:
    region_answers(kiosk)
    clock.advance_s(BEACON_FRESH_MS_MAX / 1000)
    assert kiosk.engine.links.roads(kiosk.now_ms()).region_answers
    clock.advance_s(0.001)
    assert not kiosk.engine.links.roads(kiosk.now_ms()).region_answers


def test_an_old_token_heard_again_makes_nobody_active_now(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.ask()
    old = receipt(kiosk, TokenCode.RECEIVED, active_min=1)
    kiosk.turn(heard(old))
    assert kiosk.engine.region.active_min(kiosk.now_ms()) == 1
    clock.advance_s(3600)
    kiosk.turn(heard(old))
    assert kiosk.engine.region.active_min(kiosk.now_ms()) == 61


def test_nobody_yet_is_not_a_number_of_minutes(kiosk: KioskSite) -> None:
    kiosk.turn(heard(beacon(1, active_min=tokens.NOBODY_YET), BROKER))
    assert kiosk.engine.region.active_min(kiosk.now_ms()) is None


# --- answers and their acknowledgements -----------------------------------------------------------------------------


def deliver(kiosk: KioskSite, center: CoordinatorSite) -> str:
    """Bring one request to a case that somebody has taken up; returns its number."""
    number = kiosk.ask()["number"]
    (frame,) = frames(kiosk.turn(MESH_UP))
    kiosk.turn(ended(frame))
    center.turn(MESH_UP, heard(frame.payload))
    center.desk.take_up(center.only_case().id, "Anna", token="t1")
    return str(number)


def test_an_answer_is_kept_sealed_and_acknowledged_after_a_while(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    number = deliver(kiosk, center)
    center.desk.answer(center.only_case().id, "Anna", SenderFunction.FIRE_CREW, "Wij komen", token="t2")
    replies = [f.payload for f in frames(center.turn())]
    kiosk.turn(*(heard(payload) for payload in replies))
    assert state_of(kiosk, number) is TicketState.ANSWERED
    assert b"Wij komen" not in b"".join(bytes(row[3]) for row in kiosk.rows(answers) if isinstance(row[3], bytes))
    ((second, word),) = walk(kiosk, clock, 60)
    assert 10 <= second <= 15
    center.turn(heard(word.payload))
    assert [e.delivered for e in center.only_case().events if e.kind in {"seen", "answer"}] == [True, True]


def test_an_answer_that_the_disk_did_not_keep_is_not_acknowledged(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    deliver(kiosk, center)
    kiosk.turn(heard(receipt(kiosk, TokenCode.RECEIVED)))
    center.desk.answer(center.only_case().id, "Anna", SenderFunction.FIRE_CREW, "Wij komen", token="t2")
    answer = next(f.payload for f in frames(center.turn()) if kind_of(f.payload) is Kind.ANSWER)

    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        kiosk.turn(heard(answer), stop=fail)
    assert walk(kiosk, clock, 600) == []
    kiosk.turn(heard(answer))
    assert len(walk(kiosk, clock, 600)) == 1


def test_an_answer_beyond_what_the_kiosk_keeps_is_not_acknowledged(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.ask()
    e_pub = kiosk.rows(epochs)[0][1]
    assert isinstance(e_pub, bytes)
    keys = keys_at(coordinator_keys().epoch_key(47, 1, e_pub), 0)
    plain = pack_answer(SenderFunction.FIRE_CREW, "Wij komen")
    for i in range(ANSWERS_MAX):
        kiosk.turn(heard(seal_answer(keys, i.to_bytes(4, "big"), plain)))
    kiosk.turn(MESH_UP)
    assert walk(kiosk, clock, 600)
    kiosk.turn(heard(seal_answer(keys, b"more", plain)))
    assert len(kiosk.rows(answers)) == ANSWERS_MAX
    assert kiosk.engine.counts["answers_refused"] == 1
    assert walk(kiosk, clock, 600) == []


def test_what_is_asked_again_after_it_was_acknowledged_is_acknowledged_with_hello(
    kiosk: KioskSite, clock: Clock
) -> None:
    kiosk.ask()
    (frame,) = frames(kiosk.turn(MESH_UP))
    kiosk.turn(ended(frame))
    seen = heard(receipt(kiosk, TokenCode.SEEN))
    words = []
    for _ in range(2):
        kiosk.turn(seen)
        ((_, word),) = walk(kiosk, clock, 100)
        words.append(parse_piece(word.payload))
    assert [word.e_pub is not None for word in words] == [False, True]


def test_a_form_that_nobody_waits_for_is_answered_to_nobody(kiosk: KioskSite) -> None:
    assert set(answer_in(kiosk.turn(help_form(kiosk.token())))) == {"ok", "number", "secret", "repeated"}
    assert kiosk.turn(help_form(kiosk.token(), reply=None)) == []
