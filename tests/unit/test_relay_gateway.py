"""A gateway's decisions: bounded, fair to each site, and never in circles."""

import itertools

import pytest

from steunpunt.model import FrameError, Lane
from steunpunt.protocol.packets import Kind
from steunpunt.protocol.pieces import SealedPiece, batch, parse_pieces
from steunpunt.protocol.wants import WantHello
from steunpunt.relay.gateway import (
    AGAIN_MS,
    AIR_AGAIN_MS,
    AIR_WAIT_MS_MAX,
    AIRING_MAX,
    BUCKET_PACKETS_MAX,
    BUCKET_REFILL_MS,
    CARRY_WAIT_MS_MAX,
    PENDING_MAX,
    PENDING_SITE_MAX,
    Airing,
    Carrying,
    Verdict,
)

OWN, EID = 60, b"abc"
HELLO = bytes(range(32))


def piece(site: int = 47, n: int = 0, size: int = 40) -> SealedPiece:
    return SealedPiece(site, EID, n, bytes([n]) * size)


def packet(site: int = 47, n: int = 0, age: int = 0, hello: bytes | None = None) -> bytes:
    return piece(site, n).packet(age, hello)


def carried(carrying: Carrying, now_ms: int) -> list[bytes]:
    return [one.packet for one in carrying.take(now_ms, 100)]


def test_a_piece_waits_its_jitter_and_goes_once() -> None:
    carrying = Carrying(OWN)
    assert carrying.hear(packet(), 1000, 0.5) is Verdict.KEPT
    assert carrying.due_ms == 1000 + CARRY_WAIT_MS_MAX // 2
    assert carried(carrying, 3499) == []
    assert carried(carrying, 3500) == [packet()]
    assert carried(carrying, 9000) == []
    assert carrying.due_ms is None


def test_the_same_piece_goes_again_after_2_4_and_8_minutes_whatever_its_age() -> None:
    carrying, now_ms, gone = Carrying(OWN), 0, []
    for second in range(0, 40 * 60, 10):
        now_ms = second * 1000
        carrying.hear(packet(age=second % 100), now_ms, 0)
        gone += [second] * len(carried(carrying, now_ms))
    waits = [later - earlier for earlier, later in itertools.pairwise(gone)]
    assert waits == [120, 240, 480, 480, 480, 480]
    assert AGAIN_MS == (120_000, 240_000, 480_000)


def test_with_its_hello_a_piece_is_another_one_for_it_opens_the_epoch() -> None:
    carrying = Carrying(OWN)
    assert carrying.hear(packet(), 0, 0) is Verdict.KEPT
    assert carrying.hear(packet(hello=HELLO), 1, 0) is Verdict.KEPT
    assert carrying.hear(packet(hello=HELLO), 2, 0) is Verdict.KNOWN


def test_of_a_batch_only_what_was_not_carried_goes() -> None:
    carrying = Carrying(OWN)
    carrying.hear(packet(n=1), 0, 0)
    carried(carrying, 0)
    carrying.hear(batch(47, EID, [(3, piece(n=1)), (4, piece(n=2)), (5, piece(n=3))], None), 10, 0)
    (later,) = carried(carrying, 10)
    assert [(one.age, one.piece.n) for one in parse_pieces(later)] == [(4, 2), (5, 3)]


def test_its_own_pieces_and_what_is_no_piece_are_not_carried() -> None:
    carrying = Carrying(OWN)
    assert carrying.hear(packet(OWN), 0, 0) is Verdict.OWN
    with pytest.raises(FrameError):
        carrying.hear(WantHello(47, EID).pack(), 0, 0)
    assert carrying.due_ms is None


def test_junk_in_one_sites_name_costs_only_that_site() -> None:
    carrying = Carrying(OWN)
    verdicts = []
    for i in range(2_000):
        junk = SealedPiece(47, EID, i % 256, i.to_bytes(40, "big")).packet(0, None)
        verdicts.append(carrying.hear(junk, i * 100, 0))
        carrying.take(i * 100, 100)
    filled = BUCKET_PACKETS_MAX + 2_000 * 100 // BUCKET_REFILL_MS
    assert verdicts.count(Verdict.KEPT) <= filled + 1
    assert carrying.hear(packet(48), 200_000, 0) is Verdict.KEPT


def test_a_full_bucket_is_all_that_silence_earns() -> None:
    carrying = Carrying(OWN)
    carrying.hear(packet(n=255), 0, 0)
    day_ms = 86_400_000
    verdicts = []
    for n in range(100):
        verdicts.append(carrying.hear(packet(n=n), day_ms, 0))
        carrying.take(day_ms, 100)
    assert verdicts.count(Verdict.KEPT) == BUCKET_PACKETS_MAX


def test_what_waits_is_bounded_and_the_site_with_the_most_makes_room() -> None:
    carrying = Carrying(OWN)
    mine = [carrying.hear(packet(47, n), 0, 1) for n in range(PENDING_SITE_MAX + 1)]
    assert mine == [Verdict.KEPT] * PENDING_SITE_MAX + [Verdict.FULL]
    for site in range(100, 100 + PENDING_MAX - PENDING_SITE_MAX):
        assert carrying.hear(packet(site), 0, 1) is Verdict.KEPT
    assert carrying.hear(packet(99), 0, 1) is Verdict.KEPT
    waiting = carrying.take(CARRY_WAIT_MS_MAX, 1_000)
    assert len(waiting) == PENDING_MAX
    assert [one.site for one in waiting].count(47) == PENDING_SITE_MAX - 1
    assert 99 in {one.site for one in waiting}


def test_what_the_broker_did_not_take_is_carried_when_it_is_heard_again() -> None:
    carrying = Carrying(OWN)
    carrying.hear(packet(), 0, 0)
    (gone,) = carrying.take(0, 1)
    carrying.not_taken(gone)
    assert carrying.hear(packet(), 30_000, 0) is Verdict.KEPT
    assert carrying.drop_all() == 1
    assert carrying.hear(packet(), 30_001, 0) is Verdict.KEPT


# --- broker to mesh -------------------------------------------------------------------------------------------------


def test_the_same_bytes_go_on_the_air_once_a_minute_and_then_to_all() -> None:
    airing, question = Airing(), WantHello(47, EID).pack()
    airing.note_radio(47, 0x1234)
    assert airing.hear(question, 0) is Verdict.KEPT
    assert airing.hear(question, 0) is Verdict.KNOWN
    first = airing.first()
    assert first is not None
    assert (first.site, airing.destination(first)) == (47, 0x1234)
    airing.aired(first, 0)
    assert airing.hear(question, AIR_AGAIN_MS - 1) is Verdict.KNOWN
    assert airing.hear(question, AIR_AGAIN_MS) is Verdict.KEPT
    again = airing.first()
    assert again is not None
    assert airing.destination(again) is None


def test_a_beacon_or_a_piece_never_goes_on_the_air() -> None:
    airing = Airing()
    beacon = bytes([1 << 6 | Kind.BEACON << 2]) + bytes(73)
    assert [airing.hear(payload, 0) for payload in (beacon, packet())] == [Verdict.NOT_FOR_AIR] * 2
    assert not airing.waiting


def test_receipts_go_before_news_and_news_makes_room() -> None:
    airing = Airing()
    news, tokens = bytes([1 << 6 | Kind.NEWS << 2]), bytes([1 << 6 | Kind.TOKENS << 2])
    for i in range(AIRING_MAX):
        assert airing.hear(news + bytes([i]), 0) is Verdict.KEPT
    assert airing.hear(news + b"\xff", 0) is Verdict.FULL
    assert airing.hear(tokens + bytes(11), 0) is Verdict.KEPT
    first = airing.first()
    assert first is not None
    assert (first.lane, first.payload[0]) == (Lane.URGENT, tokens[0])
    assert airing.drop_old(AIR_WAIT_MS_MAX) == 0
    assert airing.drop_old(AIR_WAIT_MS_MAX + 1) == AIRING_MAX
    assert not airing.waiting
