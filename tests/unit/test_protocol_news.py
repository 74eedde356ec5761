"""News: whole in any order, and no bit of it from anybody but the coordinator that signed it."""

import contextlib
import random
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import PACKET_BYTES_MAX, FrameError, SealError
from steunpunt.protocol.news import (
    LOOSE_MAX,
    NEWS_BYTES_MAX,
    UNFINISHED_MAX,
    News,
    NewsAssembly,
    NewsFrame,
    NewsPart,
    pack_news,
    parse_news,
)
from steunpunt.protocol.packets import FRAGMENTS_MAX, Kind, kind_of
from tests.fakes.region_keys import NEWS as NEWS_KEY
from tests.fakes.region_keys import coordinator_keys, identity

PUBLICS = {1: identity().news_public}
FUZZ_CASES = 10_000
LONG = bytes(range(256)) * 3


def news(payload: bytes, serial: int = 7, incarnation: int = 3, signer: int = 1) -> News:
    return News(signer, incarnation, serial, 5, payload)


def frames(payload: bytes = LONG, serial: int = 7, incarnation: int = 3) -> list[bytes]:
    return pack_news(news(payload, serial, incarnation), coordinator_keys().sign)


def heard(packets: Sequence[bytes], assembly: NewsAssembly | None = None) -> list[News]:
    """Let an assembly hear packets; what it refuses is left out."""
    whole, at = [], assembly or NewsAssembly()
    for packet in packets:
        with contextlib.suppress(FrameError, SealError):
            whole.append(at.hear(packet, PUBLICS))
    return [one for one in whole if one is not None]


@given(
    payload=st.binary(min_size=1, max_size=NEWS_BYTES_MAX),
    chance=st.randoms(use_true_random=False),
    again=st.integers(0, 3),
)
def test_news_is_whole_in_any_order_with_copies(payload: bytes, chance: random.Random, again: int) -> None:
    packets = frames(payload)
    assert all(len(packet) <= PACKET_BYTES_MAX and kind_of(packet) is Kind.NEWS for packet in packets)
    mixed = packets + chance.choices(packets, k=again)
    chance.shuffle(mixed)
    assert news(payload) in heard(mixed)
    assert set(heard(mixed)) == {news(payload)}


@pytest.mark.parametrize(
    ("size", "count"),
    [(1, 1), (145, 1), (146, 2), (349, 2), (350, 3), (NEWS_BYTES_MAX - 204, 15), (NEWS_BYTES_MAX, 16)],
)
def test_news_takes_as_few_frames_as_do(size: int, count: int) -> None:
    packets = frames(bytes(size))
    assert len(packets) == count
    assert heard(packets) == [news(bytes(size))]
    assert len(packets[0]) == PACKET_BYTES_MAX or count == 1
    assert len(packets[0]) == size + 72 or count > 1


@pytest.mark.parametrize("size", [0, NEWS_BYTES_MAX + 1])
def test_news_has_a_size(size: int) -> None:
    assert NEWS_BYTES_MAX == 3_205
    with pytest.raises(ValueError, match="it has 1 to 3205"):
        frames(bytes(size))


@pytest.mark.parametrize(("serial", "floor"), [(0, 0), (65_536, 0), (5, 6)])
def test_serial_and_floor_make_sense(serial: int, floor: int) -> None:
    with pytest.raises(ValueError, match="a serial is 1 to 65535"):
        pack_news(News(1, 1, serial, floor, b"x"), coordinator_keys().sign)


def test_a_missing_frame_is_named_until_it_comes() -> None:
    packets, assembly = frames(bytes(900)), NewsAssembly()
    assert heard([packets[0], packets[2]], assembly) == []
    assert assembly.missing() == [(1, 7, (1, 3, 4))]
    assert heard([packets[4], packets[1]], assembly) == []
    assert assembly.missing() == [(1, 7, (3,))]
    assert heard([packets[3]], assembly) == [news(bytes(900))]
    assert assembly.missing() == []


def test_every_bit_of_every_frame_counts() -> None:
    packets = frames(bytes(400))
    for at, packet in enumerate(packets):
        for bit in range(8 * len(packet)):
            changed = bytearray(packet)
            changed[bit // 8] ^= 1 << bit % 8
            assert heard([*packets[:at], bytes(changed), *packets[at + 1 :]]) == [], (at, bit)


def test_frames_of_one_piece_of_news_do_not_serve_another() -> None:
    one, other = frames(LONG, 7), frames(LONG[::-1], 7, incarnation=4)
    assembly = NewsAssembly()
    assembly.hear(one[0], PUBLICS)
    with pytest.raises(SealError, match="does not vouch for"):
        assembly.hear(other[1], PUBLICS)
    assert heard([*one[1:], *other], assembly) == [news(LONG), news(LONG[::-1], incarnation=4)]


def test_who_is_not_vouched_for_has_no_news() -> None:
    thief = Ed25519PrivateKey.from_private_bytes(bytes(range(200, 232)))
    with pytest.raises(SealError, match="does not authenticate"):
        NewsAssembly().hear(pack_news(news(b"x"), thief.sign)[0], PUBLICS)
    with pytest.raises(SealError, match="nobody vouches for"):
        NewsAssembly().hear(pack_news(news(b"x", signer=2), thief.sign)[0], PUBLICS)
    assert not _first(frames(b"x")[0]).genuine(coordinator_keys().root_public)


def test_the_signature_is_of_news_only() -> None:
    unlabelled = frames(b"x")[0][:-64]
    assert not _first(unlabelled + NEWS_KEY.sign(unlabelled)).genuine(PUBLICS[1])


def _first(packet: bytes) -> NewsFrame:
    first = parse_news(packet)
    assert isinstance(first, NewsFrame)
    return first


def test_a_flood_of_forged_frames_leaves_room_for_the_genuine_one() -> None:
    packets, assembly, chance = frames(bytes(300)), NewsAssembly(), random.Random(3)
    forged = [packets[1][:5] + chance.randbytes(200) for _ in range(4 * LOOSE_MAX)]
    assert heard([*packets[1:], *forged], assembly) == []
    assert heard(packets, assembly) == [news(bytes(300))], "sent again, as news is"
    assert len(assembly._loose) <= LOOSE_MAX


def test_old_news_replayed_in_halves_does_not_push_out_the_newest() -> None:
    newest, assembly = frames(bytes(300), 900), NewsAssembly()
    heard([newest[0]], assembly)
    heard([frames(bytes(300), serial)[0] for serial in range(5, 5 + 4 * UNFINISHED_MAX)], assembly)
    assert len(assembly.missing()) <= UNFINISHED_MAX
    assert heard(newest[1:], assembly) == [news(bytes(300), 900)]


def test_damaged_and_forged_news_is_never_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(20_241)
    real = [*frames(b"kort"), *frames(LONG, 8), *frames(bytes(600), 9)]
    genuine = {news(b"kort"), news(LONG, 8), news(bytes(600), 9)}
    assembly, refused, accepted = NewsAssembly(), 0, 0
    for _ in range(FUZZ_CASES):
        packet = bytearray(chance.choice(real))
        packet[chance.randrange(len(packet))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.2:
            packet = packet[: chance.randrange(len(packet))] + chance.randbytes(chance.randrange(60))
        try:
            accepted += assembly.hear(bytes(packet), PUBLICS) is not None
        except (FrameError, SealError):
            refused += 1
    with capsys.disabled():
        print(f"\n{FUZZ_CASES} damaged news frames: {refused} refused at once, {accepted} accepted")
    assert accepted == 0
    assert refused > FUZZ_CASES / 4
    assert set(heard(real, assembly)) == genuine, "and the genuine ones still come through"


@given(packet=st.binary(max_size=PACKET_BYTES_MAX + 5))
def test_arbitrary_bytes_are_no_news(packet: bytes) -> None:
    for first in (packet, b"\x60" + packet, b"\x60\x12" + packet):
        with contextlib.suppress(FrameError, SealError):
            assert NewsAssembly().hear(first, PUBLICS) is None


def test_a_part_tells_its_place() -> None:
    packets = frames(bytes(145 + 15 * 204))
    parts = [parse_news(packet) for packet in packets[1:]]
    assert [(part.index, part.last) for part in parts if isinstance(part, NewsPart)] == [
        (i, FRAGMENTS_MAX - 1) for i in range(1, FRAGMENTS_MAX)
    ]
