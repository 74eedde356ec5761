"""A coordinator's engine: pieces become cases once and earn receipts; replies are carried until they are held."""

import random
from pathlib import Path

import pytest

from steunpunt.engine.coordinator import BEACON_BLOCK, BEACON_MS
from steunpunt.engine.intake import HURRY_TRIES_MIN, SILENT_MS_MIN
from steunpunt.ledger.desk import PassedOn
from steunpunt.ledger.incoming import REPLIES_MAX
from steunpunt.ledger.tables import cases, events, heard_epochs, heard_pieces, replies
from steunpunt.model import (
    ButtonPressed,
    ConfirmFrame,
    Lane,
    LinkName,
    ReplyTo,
    SenderFunction,
    SendFrame,
    SendOutcome,
    SupplementCode,
    TicketState,
)
from steunpunt.protocol.beacons import parse_beacon
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import parse_piece, parse_pieces
from steunpunt.relay.epochs import HELD_SITE_MAX
from steunpunt.relay.outbox import MESH_FIRST_WAIT_MS
from steunpunt.relay.replies import ECHO_MS_MAX, TOKEN_BURST, TOKEN_GATHER_MS, TOKEN_PACE_MS
from tests.fakes.sites import (
    BROKER_DOWN,
    BROKER_UP,
    MESH_DOWN,
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
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
    return seeded(5)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kiosk(tmp_path: Path, clock: Clock, rng: random.Random) -> KioskSite:
    return KioskSite(tmp_path / "kiosk", clock, rng, buttons={"door": 0})


@pytest.fixture
def center(tmp_path: Path, clock: Clock, rng: random.Random) -> CoordinatorSite:
    return CoordinatorSite(tmp_path / "coordinator", clock, rng)


def pieces(kiosk: KioskSite) -> list[bytes]:
    """Return all that the kiosk has to send, one packet each, as a radio would be given it; hello included."""
    packets = []
    waiting = frames(kiosk.turn(MESH_UP))
    while waiting:
        packets += [one.piece.packet(one.age, one.e_pub) for one in parse_pieces(waiting[0].payload)]
        waiting = frames(kiosk.turn(ended(waiting[0])))
    kiosk.turn(MESH_DOWN)  # so that the next form is kept and not sent unseen
    return packets


def one_piece(kiosk: KioskSite, text: str = "Wij hebben water nodig") -> bytes:
    kiosk.ask(text)
    return pieces(kiosk)[-1]


def without_hello(packet: bytes) -> bytes:
    heard_piece = parse_piece(packet)
    return heard_piece.piece.packet(heard_piece.age, None)


def walk(
    center: CoordinatorSite, clock: Clock, seconds: float, outcome: SendOutcome = SendOutcome.TAKEN
) -> list[tuple[float, SendFrame]]:
    """Ring the bell, then let time pass; returns (second, frame) of what is sent, beacons left out.

    Every frame ends with ``outcome``.
    """
    start_ms, sent = clock.boot_ms, []
    end_ms = start_ms + round(seconds * 1000)
    due_ms: int | None = start_ms
    while due_ms is not None and due_ms <= end_ms:
        clock.boot_ms = max(clock.boot_ms, due_ms)
        waiting = frames(center.turn())
        while waiting:
            frame = waiting.pop(0)
            if kind_of(frame.payload) is not Kind.BEACON:
                sent.append(((clock.boot_ms - start_ms) / 1000, frame))
            waiting += frames(center.turn(ended(frame, outcome)))
        due_ms = center.due_ms()
    clock.boot_ms = end_ms
    return sent


# --- cases ----------------------------------------------------------------------------------------------------------


def test_copies_on_both_links_make_one_case_that_names_both(kiosk: KioskSite, center: CoordinatorSite) -> None:
    packet = one_piece(kiosk)
    center.turn(*(heard(packet) for _ in range(3)), heard(packet, BROKER, 47, confirm=1))
    center.restart()
    effects = center.turn(heard(packet, BROKER, 47, confirm=2))
    assert ConfirmFrame(2) in effects
    assert center.only_case().links == ("mesh", "broker")
    assert len(center.rows(events)) == 1


@pytest.mark.parametrize(("link", "carrier"), [(MESH, None), (BROKER, 47)])
def test_nothing_is_confirmed_or_receipted_before_the_commit(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock, link: LinkName, carrier: int | None
) -> None:
    packet = one_piece(kiosk)

    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        center.turn(MESH_UP, BROKER_UP, heard(packet, link, carrier, confirm=1), stop=fail)
    assert center.desk.cases() == []
    assert walk(center, clock, 3_600) == []


def test_an_epoch_that_the_disk_did_not_keep_is_learnt_again(kiosk: KioskSite, center: CoordinatorSite) -> None:
    packet = one_piece(kiosk)

    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        center.turn(heard(packet), stop=fail)
    center.turn(heard(without_hello(packet)))
    assert center.engine.counts["held"] == 1
    center.turn(heard(packet))
    assert len(center.rows(heard_epochs)) == 1
    assert center.only_case().number == "47-1"


def test_a_piece_of_an_unknown_epoch_waits_for_its_hello_and_earns_no_receipt_till_then(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    kiosk.ask("een")
    kiosk.ask("twee")
    kiosk.turn(more_form(kiosk.token(), "47-2", SupplementCode.QUESTION, "drie"))
    first, *others = pieces(kiosk)
    center.turn(MESH_UP, *(heard(without_hello(packet)) for packet in others))
    assert center.desk.cases() == []
    assert walk(center, clock, 600) == []
    center.turn(heard(first))
    assert sorted(case.text for case in center.desk.cases()) == ["een", "twee"]
    assert [e.text for c in center.desk.cases() for e in c.events if e.kind == "supplement"] == ["drie"]
    ((second, tokens),) = walk(center, clock, 600)
    assert second == TOKEN_GATHER_MS / 1000
    assert len(tokens.payload) == 6 + 3 * 6


def test_a_held_piece_that_turns_out_false_does_not_keep_the_true_one_out(
    kiosk: KioskSite, center: CoordinatorSite
) -> None:
    kiosk.ask("een")
    kiosk.ask("twee")
    first, second = pieces(kiosk)
    false = bytearray(without_hello(second))
    false[-1] ^= 1
    center.turn(heard(bytes(false)), heard(first))
    assert [case.text for case in center.desk.cases()] == ["een"]
    center.turn(heard(without_hello(second)))
    assert sorted(case.text for case in center.desk.cases()) == ["een", "twee"]


def test_held_pieces_of_one_site_are_bounded(center: CoordinatorSite) -> None:
    packet = bytearray(b"\x44\0\0\x2f" + b"abc" + b"\0" + bytes(20))
    for n in range(HELD_SITE_MAX + 10):
        packet[7] = n
        center.turn(heard(bytes(packet)))
    assert len(center.rows(heard_pieces)) == HELD_SITE_MAX
    assert (center.engine.counts["held"], center.engine.counts["held_full"]) == (HELD_SITE_MAX, 10)


def test_acknowledgements_that_were_held_leave_no_rows_behind(
    tmp_path: Path, kiosk: KioskSite, center: CoordinatorSite, clock: Clock, rng: random.Random
) -> None:
    packet = one_piece(kiosk)
    center.turn(MESH_UP, heard(packet))
    center.desk.take_up(center.only_case().id, "Anna", token="t1")
    kiosk.turn(MESH_UP, *(heard(frame.payload) for _, frame in walk(center, clock, 5)))
    clock.advance_s(15)
    (word,) = frames(kiosk.turn())
    fresh = CoordinatorSite(tmp_path / "fresh", clock, rng)
    fresh.turn(heard(without_hello(word.payload)))
    assert [row[4] for row in fresh.rows(heard_pieces)] == [False]
    fresh.turn(heard(packet))
    assert [row[4] for row in fresh.rows(heard_pieces)] == [True]
    fresh.ledger.close()


def test_a_supplement_that_overtakes_its_request_is_found_with_it(kiosk: KioskSite, center: CoordinatorSite) -> None:
    kiosk.ask("het verzoek")
    kiosk.turn(more_form(kiosk.token(), "47-1", SupplementCode.WORSE, "erger"))
    request, supplement = pieces(kiosk)
    center.turn(heard(supplement))
    assert center.desk.cases() == []
    center.turn(heard(request))
    case = center.only_case()
    assert [(e.kind, e.code, e.text) for e in case.events] == [
        ("supplement", SupplementCode.WORSE, "erger"),
        ("received", None, ""),
    ]
    assert case.unread_supplements == 1


def test_presses_that_overtake_their_call_are_counted(kiosk: KioskSite, center: CoordinatorSite, clock: Clock) -> None:
    kiosk.turn(ButtonPressed("door"), ButtonPressed("door"))
    clock.advance_s(60)
    kiosk.turn()
    call, presses = pieces(kiosk)
    center.turn(heard(presses), heard(call))
    assert center.only_case().presses == 2


PLAIN_WORDS = noise(10)


@pytest.mark.parametrize("bit", range(0, 8 * 60, 7))
def test_a_flipped_bit_outside_the_age_makes_no_case_or_is_no_other_case(
    kiosk: KioskSite, center: CoordinatorSite, bit: int
) -> None:
    packet = one_piece(kiosk, PLAIN_WORDS)
    flipped = bytearray(packet)
    flipped[bit // 8] ^= 1 << bit % 8
    effects = center.turn(heard(bytes(flipped), BROKER, 47, confirm=4))
    assert ConfirmFrame(4) in effects
    if bit // 8 == 1:
        assert center.only_case().text == PLAIN_WORDS
    else:
        assert center.desk.cases() == []
    center.turn(heard(packet))
    assert center.only_case().text == PLAIN_WORDS


@pytest.mark.parametrize("payload", [b"", b"\0", bytes(217), b"\x44", b"\x44" * 217, b"\x46" * 60, b"\x4c" * 20])
def test_garbage_is_counted_dropped_and_confirmed(center: CoordinatorSite, payload: bytes) -> None:
    assert center.turn(heard(payload, BROKER, 47, confirm=4)) == [ConfirmFrame(4)]
    assert center.desk.cases() == []
    assert sum(center.engine.counts.values()) == 1


def test_a_lost_ledger_is_healed_by_the_hello_that_comes_again(
    tmp_path: Path, kiosk: KioskSite, center: CoordinatorSite, clock: Clock, rng: random.Random
) -> None:
    center.turn(MESH_UP, heard(one_piece(kiosk, "voor het verlies")))
    for _, frame in walk(center, clock, 5):
        kiosk.turn(heard(frame.payload))
    fresh = CoordinatorSite(tmp_path / "fresh", clock, rng)
    kiosk.ask("na het verlies")
    hours = 0.0
    while not fresh.desk.cases():
        fresh.turn(*(heard(packet) for packet in pieces(kiosk)))
        clock.advance_s(30)
        hours += 30 / 3600
        assert hours < 0.35, "the hello rides along from the fourth try"
    assert fresh.engine.counts["held"]
    assert fresh.only_case().text == "na het verlies"
    fresh.ledger.close()


# --- receipts -------------------------------------------------------------------------------------------------------


def test_who_asks_after_a_quiet_time_is_receipted_at_once_and_a_flood_at_a_pace(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(MESH_UP)
    waits_s: list[float] = []
    for i in range(TOKEN_BURST + 2):
        center.turn(heard(one_piece(kiosk, f"{i}")))
        sent = walk(center, clock, 2 * TOKEN_PACE_MS / 1000 if i > TOKEN_BURST else 3)
        waits_s.append(sent[0][0])
    assert waits_s[:-1] == [TOKEN_GATHER_MS / 1000] * (TOKEN_BURST + 1)
    assert TOKEN_GATHER_MS / 1000 < waits_s[-1] <= TOKEN_PACE_MS / 1000


def test_receipts_for_the_mesh_share_a_packet(kiosk: KioskSite, center: CoordinatorSite, clock: Clock) -> None:
    for i in range(5):
        kiosk.ask(f"{i}")
    center.turn(MESH_UP, *(heard(packet) for packet in pieces(kiosk)))
    ((_, frame),) = walk(center, clock, 60)
    assert (frame.link, frame.destination, len(frame.payload)) == (MESH, None, 6 + 5 * 6)


def test_what_came_over_both_links_is_receipted_over_the_broker_and_not_on_the_air(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    packet = one_piece(kiosk)
    center.turn(MESH_UP, BROKER_UP, heard(packet))
    (receipt,) = [f for f in frames(center.turn(heard(packet, BROKER, 47))) if f.carrier == 47]
    center.turn(ended(receipt))
    clock.advance_s(5)
    center.turn(heard(packet))
    assert walk(center, clock, 60) == []
    clock.advance_s(ECHO_MS_MAX / 1000)
    center.turn(heard(packet))
    assert [f.link for _, f in walk(center, clock, 60)] == [MESH]


def test_a_refused_receipt_is_tried_again(kiosk: KioskSite, center: CoordinatorSite, clock: Clock) -> None:
    center.turn(MESH_UP, heard(one_piece(kiosk)))
    clock.advance_s(2)
    (first,) = frames(center.turn())
    center.turn(ended(first, SendOutcome.REFUSED))
    assert [f.payload for _, f in walk(center, clock, 60)] == [first.payload]


# --- replies --------------------------------------------------------------------------------------------------------


def taken_up(kiosk: KioskSite, center: CoordinatorSite, clock: Clock, *links: LinkName) -> None:
    """One case, heard over these links, its receipt sent, then taken up."""
    packet = one_piece(kiosk)
    for link in links:
        clock.advance_s(1)
        center.turn(heard(packet, link, 47 if link is BROKER else None))
    walk(center, clock, 10)
    center.desk.take_up(center.only_case().id, "Anna", token="t1")


def test_a_reply_nobody_acknowledges_is_repeated_ever_less_often(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(MESH_UP)
    taken_up(kiosk, center, clock, MESH)
    times = [second for second, _ in walk(center, clock, 24 * 3600)]
    assert 10 < len(times) < 60
    assert times[-1] - times[-2] > 1_700


@pytest.mark.parametrize("outcome", [SendOutcome.REFUSED, SendOutcome.UNKNOWN])
def test_a_link_that_takes_nothing_is_not_asked_without_end(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock, outcome: SendOutcome
) -> None:
    center.turn(MESH_UP)
    taken_up(kiosk, center, clock, MESH)
    sent = walk(center, clock, 24 * 3600, outcome)
    assert 10 < len(sent) < 80
    assert sent[1][0] < 12


def test_replies_go_on_the_links_in_turn(kiosk: KioskSite, center: CoordinatorSite, clock: Clock) -> None:
    center.turn(MESH_UP, BROKER_UP)
    taken_up(kiosk, center, clock, BROKER, MESH)
    links = [frame.link for _, frame in walk(center, clock, 1_800)]
    assert links[:4] == [MESH, BROKER, MESH, BROKER]
    center.turn(BROKER_DOWN)
    assert {frame.link for _, frame in walk(center, clock, 7_200)} == {MESH}


def test_an_acknowledgement_ends_the_repetition_and_a_lost_one_costs_one_more(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(MESH_UP)
    taken_up(kiosk, center, clock, MESH)
    center.desk.answer(center.only_case().id, "Anna", SenderFunction.MEDICAL, "Koel met water", token="t2")
    kiosk.turn(MESH_UP)
    words = []
    for _ in range(2):
        said = walk(center, clock, 80)
        assert {kind_of(frame.payload) for _, frame in said} == {Kind.TOKENS, Kind.ANSWER}
        kiosk.turn(*(heard(frame.payload) for _, frame in said))
        clock.advance_s(13)
        words.append([f for f in frames(kiosk.turn()) if f.lane is Lane.URGENT])
    assert [len(gathered) for gathered in words] == [1, 1]
    assert {event.delivered for event in center.only_case().events} == {None, False}
    center.turn(heard(words[1][0].payload))  # the first one got lost
    assert {event.delivered for event in center.only_case().events} == {None, True}
    assert walk(center, clock, 24 * 3600) == []
    assert kiosk.ticket("47-1").state is TicketState.ANSWERED


def tries_of(center: CoordinatorSite) -> int:
    return sum(int(str(row[replies.c.keys().index("tries")])) for row in center.rows(replies))


def test_each_word_of_a_site_does_not_call_up_all_replies_again(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(MESH_UP)
    taken_up(kiosk, center, clock, MESH)
    packet = without_hello(pieces_again(kiosk, clock))
    while tries_of(center) < HURRY_TRIES_MIN + 1:
        walk(center, clock, 60)
    before = tries_of(center)
    for _ in range(100):
        center.turn(heard(packet))
        walk(center, clock, 1)
    assert tries_of(center) - before <= 2


def pieces_again(kiosk: KioskSite, clock: Clock) -> bytes:
    """Return what the kiosk sends once more, for it heard no receipt."""
    clock.advance_s(1.4 * MESH_FIRST_WAIT_MS / 1000)
    return pieces(kiosk)[0]


def test_a_site_that_comes_back_after_silence_gets_what_waits_at_once(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    center.turn(MESH_UP)
    taken_up(kiosk, center, clock, MESH)
    walk(center, clock, 3 * 3600 + SILENT_MS_MIN / 1000)
    before = tries_of(center)
    center.turn(heard(one_piece(kiosk, "nog een")))
    assert tries_of(center) == before + 1


def test_replies_without_a_road_do_not_crowd_out_the_others(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock, tmp_path: Path, rng: random.Random
) -> None:
    center.turn(MESH_UP, BROKER_UP)
    center.turn(heard(one_piece(kiosk, "alleen over de broker"), BROKER, 47))
    first = center.only_case()
    center.desk.take_up(first.id, "Anna", token="t")
    center.turn(BROKER_DOWN)
    for i in range(REPLIES_MAX):
        told = PassedOn("meldkamer", "C2000", control_room=True)
        center.desk.pass_on(first.id, "Anna", told, token=f"{i}")
    other = KioskSite(tmp_path / "other", clock, rng, site=48)
    center.turn(heard(one_piece(other, "over de mesh")))
    walk(center, clock, 5)
    (case,) = [case for case in center.desk.cases() if case.site == 48]
    center.desk.take_up(case.id, "Anna", token="u")
    assert [frame.link for _, frame in walk(center, clock, 5)] == [MESH]
    other.ledger.close()


# --- being there ----------------------------------------------------------------------------------------------------


def test_beacons_come_every_twenty_seconds_and_their_numbers_only_rise_also_over_restarts(
    center: CoordinatorSite, clock: Clock
) -> None:
    numbers = []
    for _ in range(3):
        center.turn(MESH_DOWN)
        for _ in range(5):
            (frame,) = frames(center.turn(BROKER_UP))
            assert frame.carrier is None
            numbers.append(parse_beacon(frame.payload).counter)
            clock.advance_s(BEACON_MS / 1000)
        center.restart()
    assert numbers == sorted(set(numbers))
    assert numbers[5] - numbers[4] <= BEACON_BLOCK


def test_a_rolled_back_beacon_number_is_not_used_twice(center: CoordinatorSite, clock: Clock) -> None:
    def fail() -> None:
        raise OSError("disk full")

    numbers = []
    for _ in range(4):
        with pytest.raises(OSError, match="disk full"):
            center.turn(BROKER_UP, stop=fail)
        clock.advance_s(BEACON_MS / 1000)
        (frame,) = frames(center.turn(BROKER_UP))
        numbers.append(parse_beacon(frame.payload).counter)
        clock.advance_s(BEACON_MS / 1000)
    assert numbers == sorted(set(numbers))


def test_a_coordinator_takes_no_forms(center: CoordinatorSite) -> None:
    (effect,) = center.turn(help_form("token", reply="reply"))
    assert isinstance(effect, ReplyTo)
    assert effect.body["error"] == "not_here"
    assert center.rows(cases) == []
