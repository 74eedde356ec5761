"""Long messages and several at once, from engine to engine: fragments, WANT, batches, an unknown epoch."""

import random

import pytest

from steunpunt.model import Lane, LinkName, SendFrame, SendOutcome, SupplementCode, TicketState
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import parse_pieces
from steunpunt.protocol.wants import WantHello, parse_want, parse_want_hello
from steunpunt.relay.epochs import HELLO_AGAIN_MS
from tests.fakes.sites import (
    MESH_DOWN,
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    ended,
    frames,
    heard,
    more_form,
    noise,
)

LONG = noise(200)


def radio(site: KioskSite | CoordinatorSite, frame: SendFrame) -> list[SendFrame]:
    """Let the site's radio take a frame; returns what the site then sends."""
    return frames(site.turn(ended(frame, SendOutcome.TAKEN)))


def sent_all(kiosk: KioskSite) -> list[SendFrame]:
    """Return all that goes on the air now, one after the other."""
    sent: list[SendFrame] = []
    waiting = frames(kiosk.turn(MESH_UP))
    while waiting:
        sent += waiting
        waiting = [frame for one in waiting for frame in radio(kiosk, one)]
    return sent


def fragments(sent: list[SendFrame]) -> list[int]:
    return [one.piece.index for frame in sent for one in parse_pieces(frame.payload)]


def walk_to(center: CoordinatorSite, clock: Clock, kind: Kind, most_s: float) -> SendFrame:
    """Go from timer to timer until the coordinator sends a packet of this kind."""
    end_ms = clock.boot_ms + most_s * 1000
    while clock.boot_ms <= end_ms:
        for frame in frames(center.turn()):
            if kind_of(frame.payload) is kind:
                return frame
            radio(center, frame)
        due_ms = center.due_ms()
        assert due_ms is not None
        clock.boot_ms = max(due_ms, clock.boot_ms + 1)
    raise AssertionError(f"no {kind.name} within {most_s} s")


@pytest.fixture
def long_sent(kiosk: KioskSite) -> list[SendFrame]:
    kiosk.ask(LONG)
    return sent_all(kiosk)


def test_a_long_text_goes_in_fragments_and_comes_out_whole_in_any_order(
    long_sent: list[SendFrame], kiosk: KioskSite, center: CoordinatorSite, rng: random.Random
) -> None:
    assert fragments(long_sent) == list(range(len(long_sent)))
    assert len(long_sent) > 1
    rng.shuffle(long_sent)
    for frame in [*long_sent, *long_sent]:
        center.turn(heard(frame.payload))
    assert center.only_case().text == LONG
    assert kiosk.ticket("47-1").state is TicketState.ON_ITS_WAY


def test_on_its_way_only_when_every_fragment_was_taken(kiosk: KioskSite) -> None:
    kiosk.ask(LONG)
    waiting = frames(kiosk.turn(MESH_UP))
    states = []
    while waiting:
        waiting = radio(kiosk, waiting[0])
        states.append(kiosk.ticket("47-1").state)
    assert states[:-1] == [TicketState.KEPT] * (len(states) - 1)
    assert states[-1] is TicketState.ON_ITS_WAY


def test_only_what_is_missing_is_asked_for_and_sent(
    long_sent: list[SendFrame], kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(MESH_UP)
    for frame in long_sent[:1] + long_sent[2:]:
        center.turn(heard(frame.payload))
    assert center.desk.cases() == []
    want = walk_to(center, clock, Kind.WANT, 60)
    assert parse_want(want.payload).indexes() == (1,)
    (again,) = frames(kiosk.turn(heard(want.payload)))
    assert fragments([again]) == [1]
    assert again.payload[9:] == long_sent[1].payload[9:], "the same sealed bytes"
    center.turn(heard(again.payload))
    assert center.only_case().text == LONG
    token = walk_to(center, clock, Kind.TOKENS, 10)
    kiosk.turn(heard(token.payload))
    assert kiosk.ticket("47-1").state is TicketState.RECEIVED


def test_a_want_played_back_costs_no_air(
    long_sent: list[SendFrame], kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(MESH_UP)
    center.turn(heard(long_sent[0].payload))
    want = walk_to(center, clock, Kind.WANT, 120)
    first = frames(kiosk.turn(heard(want.payload)))
    assert first
    left = [frame for one in first for frame in radio(kiosk, one)]
    while left:
        left = [frame for one in left for frame in radio(kiosk, one)]
    assert frames(kiosk.turn(heard(want.payload), heard(want.payload))) == []
    forged = bytearray(want.payload)
    forged[8] ^= 1
    clock.advance_s(25)
    assert frames(kiosk.turn(heard(bytes(forged)))) == []


def test_a_restart_in_the_middle_loses_no_fragment(
    long_sent: list[SendFrame], kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(MESH_UP)
    for frame in long_sent[1:]:
        center.turn(heard(frame.payload))
    center.restart()
    center.turn(MESH_UP)
    want = walk_to(center, clock, Kind.WANT, 120)
    assert parse_want(want.payload).indexes() == (0,)
    kiosk.restart()
    clock.advance_s(1)
    frames(kiosk.turn(MESH_UP))
    center.turn(heard(long_sent[0].payload))
    assert center.only_case().text == LONG


def test_a_fragment_of_another_message_never_makes_one_whole(
    long_sent: list[SendFrame], kiosk: KioskSite, center: CoordinatorSite
) -> None:
    kiosk.turn(MESH_DOWN)
    kiosk.ask(noise(200, seed=2))
    other = [frame for frame in sent_all(kiosk) if parse_pieces(frame.payload)[0].piece.n == 1]
    center.turn(heard(long_sent[0].payload))
    for frame in other[1:]:
        center.turn(heard(frame.payload))
    assert center.desk.cases() == []
    mixed = long_sent[1].payload[:9] + other[1].payload[9:]
    center.turn(heard(mixed))
    assert center.engine.counts["dropped_unauthentic"] == 1


# --- batches ------------------------------------------------------------------------------------------------------


def test_what_waits_together_goes_together(kiosk: KioskSite, center: CoordinatorSite) -> None:
    for text in ("een", "twee", "drie"):
        kiosk.ask(text)
    (frame,) = sent_all(kiosk)
    assert len(parse_pieces(frame.payload)) == 3
    center.turn(heard(frame.payload))
    assert sorted(case.text for case in center.desk.cases()) == ["drie", "een", "twee"]
    assert {kiosk.ticket(f"47-{counter}").state for counter in (1, 2, 3)} == {TicketState.ON_ITS_WAY}


def test_one_bad_piece_does_not_spoil_a_batch(kiosk: KioskSite, center: CoordinatorSite) -> None:
    for text in ("een", "twee"):
        kiosk.ask(text)
    (frame,) = sent_all(kiosk)
    broken = bytearray(frame.payload)
    broken[10] ^= 0xFF  # in the first one's ciphertext
    center.turn(heard(bytes(broken)))
    assert [case.text for case in center.desk.cases()] in ([], ["twee"])
    center.turn(heard(frame.payload))
    assert sorted(case.text for case in center.desk.cases()) == ["een", "twee"]


def test_a_batch_that_no_radio_took_goes_again(kiosk: KioskSite, clock: Clock) -> None:
    for text in ("een", "twee"):
        kiosk.ask(text)
    (frame,) = frames(kiosk.turn(MESH_UP))
    kiosk.turn(ended(frame, SendOutcome.REFUSED))
    assert {kiosk.ticket(f"47-{counter}").state for counter in (1, 2)} == {TicketState.KEPT}
    clock.advance_s(30)
    assert sum(len(parse_pieces(again.payload)) for again in sent_all(kiosk)) == 2


# --- hello asked for ----------------------------------------------------------------------------------------------


def test_an_unknown_epoch_is_asked_for_and_says_hello(kiosk: KioskSite, center: CoordinatorSite, clock: Clock) -> None:
    center.turn(MESH_UP)
    kiosk.ask("een")
    (first,) = sent_all(kiosk)
    one = parse_pieces(first.payload)[0]
    (question,) = frames(center.turn(heard(one.piece.packet(one.age, None))))
    want = parse_want_hello(question.payload)
    assert want == WantHello(47, one.piece.eid)
    clock.advance_s(2)
    (hello,) = frames(kiosk.turn(heard(question.payload)))
    assert parse_pieces(hello.payload)[0].e_pub is not None
    center.turn(heard(hello.payload))
    assert center.only_case().text == "een"


def test_forged_questions_for_hello_cost_little_air(kiosk: KioskSite, clock: Clock) -> None:
    kiosk.ask("een")
    (first,) = sent_all(kiosk)
    eid = parse_pieces(first.payload)[0].piece.eid
    said = 0
    for _ in range(60):
        clock.advance_s(10)
        said += len(frames(kiosk.turn(heard(WantHello(47, eid).pack()), heard(WantHello(47, b"xyz").pack()))))
        for frame in sent_all(kiosk):
            kiosk.turn(ended(frame))
    retries = 6  # in ten minutes, whether asked or not
    assert said <= 600_000 // HELLO_AGAIN_MS + 1 + retries


def test_supplements_ride_with_their_request_in_a_lane_of_their_own(kiosk: KioskSite) -> None:
    kiosk.ask("een")
    kiosk.turn(more_form(kiosk.token(), "47-1", SupplementCode.WORSE, "erger"))
    (frame,) = frames(kiosk.turn(MESH_UP))
    assert frame.lane is Lane.OTHER
    assert frame.link is LinkName.MESH
    assert len(parse_pieces(frame.payload)) == 2
