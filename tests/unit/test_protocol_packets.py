"""Packets: what is sealed opens, what was touched does not, and parsers only ever raise FrameError or SealError."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import PACKET_BYTES_MAX, FrameError, SealError, TokenCode
from steunpunt.protocol import beacons, tokens
from steunpunt.protocol.answers import ANSWER_PART_BYTES_MAX, answer_is_for, answer_salt, open_answer, seal_answer
from steunpunt.protocol.authority import KeyNotice, Revocation, parse_key_notice, parse_revocation
from steunpunt.protocol.beacons import parse_beacon
from steunpunt.protocol.keys import Chain, MessageKeys, epoch_id, keys_at, verified
from steunpunt.protocol.news import News, NewsAssembly, pack_news
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import (
    CIPHERTEXT_BYTES_MAX,
    PIECE_OVERHEAD_BYTES,
    SealedPiece,
    parse_piece,
    parse_pieces,
    seal,
    seal_message,
)
from steunpunt.protocol.tokens import Head, pack_tokens, parse_tokens
from steunpunt.protocol.wants import Want, WantHello, parse_want, parse_want_hello
from tests.fakes.region_keys import NEWS, OFFLINE, coordinator_keys, identity

SITE, EID, N = 47, b"\x0a\x0b\x0c", 5
EPOCH_KEY = bytes(range(32))
KEYS = keys_at(EPOCH_KEY, N)
E_PUB = bytes(range(100, 132))
PLAIN = b"Mevrouw gevallen, ademt moeilijk"
HEAD = Head(coordinator=1, incarnation=3, serial=0x0102, active_min=12)
FLAGS, AGE_BYTE = 0b11, 1
SALT = b"salt"


def sealed() -> SealedPiece:
    return seal(SITE, EID, N, KEYS, PLAIN)


def flipped(packet: bytes, bit: int) -> bytes:
    changed = bytearray(packet)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def keys_of(label: str) -> MessageKeys:
    return Chain(label.encode().ljust(32, b".")).take()[1]


# --- pieces -------------------------------------------------------------------------------------------------------


@given(
    site=st.integers(0, 0xFFFF),
    eid=st.binary(min_size=3, max_size=3),
    n=st.integers(0, 255),
    plain=st.binary(min_size=1, max_size=CIPHERTEXT_BYTES_MAX),
    age=st.integers(0, 255),
    hello=st.booleans(),
)
def test_a_piece_opens_as_it_was_sealed(*, site: int, eid: bytes, n: int, plain: bytes, age: int, hello: bool) -> None:
    keys = keys_at(EPOCH_KEY, n)
    packet = seal(site, eid, n, keys, plain).packet(age, E_PUB if hello else None)
    heard = parse_piece(packet)
    assert kind_of(packet) is Kind.PIECE
    assert heard.piece.open(keys) == plain
    assert (heard.piece.site, heard.piece.eid, heard.piece.n) == (site, eid, n)
    assert (heard.age, heard.e_pub) == (age, E_PUB if hello else None)
    assert len(packet) == len(plain) + PIECE_OVERHEAD_BYTES + (32 if hello else 0) <= PACKET_BYTES_MAX


def test_every_bit_under_the_seal_counts() -> None:
    packet = sealed().packet(7, None)
    for bit in range(8 * len(packet)):
        if bit // 8 == AGE_BYTE:
            continue
        with pytest.raises((FrameError, SealError)):
            parse_piece(flipped(packet, bit)).piece.open(KEYS)


def test_another_number_does_not_open_with_its_own_keys_either() -> None:
    piece = sealed()
    for n in {0, N - 1, N + 1, 255}:
        with pytest.raises(SealError):
            SealedPiece(SITE, EID, n, piece.body).open(keys_at(EPOCH_KEY, n))


def test_age_and_hello_lie_outside_the_seal() -> None:
    pieces = {parse_piece(sealed().packet(age, hello)).piece for age in (0, 99, 255) for hello in (None, E_PUB)}
    assert pieces == {sealed()}, "the same piece whatever rides along"
    assert pieces.pop().open(KEYS) == PLAIN


def test_a_changed_hello_names_another_epoch() -> None:
    packet = sealed().packet(0, E_PUB)
    for bit in range(8 * (len(packet) - 32), 8 * len(packet)):
        heard = parse_piece(flipped(packet, bit))
        assert heard.piece == sealed()
        assert heard.e_pub is not None
        assert epoch_id(heard.e_pub) != epoch_id(E_PUB)


def test_a_piece_has_a_size() -> None:
    with pytest.raises(ValueError, match="do not fit one piece"):
        seal(SITE, EID, N, KEYS, bytes(CIPHERTEXT_BYTES_MAX + 1))


@pytest.mark.parametrize("length", range(18, 49))
def test_a_hello_without_a_whole_key_is_refused(length: int) -> None:
    whole = sealed().packet(0, E_PUB)
    with pytest.raises(FrameError, match="too short"):
        parse_piece(whole[:length])


def test_a_batch_is_not_one_piece() -> None:
    with pytest.raises(FrameError, match="flag"):
        parse_piece(bytes([sealed().packet(0, None)[0] | 1]) + sealed().packet(0, None)[1:])


# --- what a packet is ---------------------------------------------------------------------------------------------


def test_the_first_byte_tells_version_and_kind() -> None:
    known = {first: kind_of(bytes([first])) for first in range(0x40, 0x80) if first >> 2 & 0xF in {*Kind}}
    assert set(known.values()) == {*Kind}
    for first in set(range(256)) - set(known):
        with pytest.raises(FrameError, match="version" if first >> 6 != 1 else "unknown packet kind"):
            kind_of(bytes([first]))


@pytest.mark.parametrize("size", [0, PACKET_BYTES_MAX + 1, 70_000])
def test_a_packet_has_a_size(size: int) -> None:
    with pytest.raises(FrameError, match="ours have 1 to 217"):
        kind_of(b"\x44" * size)


PARSERS: dict[Kind, Callable[[bytes], object]] = {
    Kind.PIECE: lambda packet: parse_piece(packet).piece.open(KEYS),
    Kind.TOKENS: lambda packet: parse_tokens(packet).claims(KEYS.verify),
    Kind.ANSWER: lambda packet: open_answer(packet, KEYS.answer),
    Kind.BEACON: lambda packet: parse_beacon(packet).genuine(identity().news_public),
    Kind.FRAGMENT: lambda packet: [heard.piece.open(KEYS) for heard in parse_pieces(packet)],
    Kind.WANT: lambda packet: parse_want(packet).genuine(KEYS.verify),
    Kind.WANT_HELLO: parse_want_hello,
    Kind.NEWS: lambda packet: NewsAssembly().hear(packet, {1: identity().news_public}),
    Kind.REVOCATION: parse_revocation,
    Kind.KEYS: parse_key_notice,
}


@given(
    first=st.sampled_from([kind << 2 | 0x40 | flags for kind in Kind for flags in range(4)]),
    rest=st.binary(max_size=PACKET_BYTES_MAX + 20),
)
def test_arbitrary_bytes_raise_frame_and_seal_errors_only(first: int, rest: bytes) -> None:
    for packet in (bytes([first]) + rest, rest):
        assert not answer_is_for(packet, KEYS.verify)
        for parser in PARSERS.values():
            with contextlib.suppress(FrameError, SealError):
                parser(packet)


def test_each_parser_takes_its_own_kind_only() -> None:
    real = {
        Kind.PIECE: sealed().packet(0, None),
        Kind.TOKENS: pack_tokens(HEAD, [(KEYS.verify, TokenCode.RECEIVED)]),
        Kind.ANSWER: seal_answer(KEYS, SALT, PLAIN),
        Kind.BEACON: beacon(1),
        Kind.FRAGMENT: seal_message(SITE, EID, N, KEYS, bytes(300))[0].packet(0, None),
        Kind.WANT: Want(SITE, EID, N, 3).pack(KEYS.verify),
        Kind.WANT_HELLO: WantHello(SITE, EID).pack(),
        Kind.NEWS: pack_news(News(1, 1, 1, 0, PLAIN), coordinator_keys().sign)[0],
        Kind.REVOCATION: Revocation(((SITE, 1),)).pack(OFFLINE.sign),
        Kind.KEYS: KeyNotice(0, 1, bytes(32)).pack(OFFLINE.sign),
    }
    assert set(real) == set(PARSERS) == set(Kind)
    pieces = {Kind.PIECE, Kind.FRAGMENT}  # one parser takes both
    for parses, parser in PARSERS.items():
        for kind, packet in real.items():
            if kind is parses or {kind, parses} == pieces:
                parser(packet)
            else:
                with pytest.raises(FrameError, match=f"not a {'PIECE' if parses in pieces else parses.name} packet"):
                    parser(packet)


# --- tokens -------------------------------------------------------------------------------------------------------


@given(
    count=st.integers(1, tokens.TOKENS_MAX),
    code=st.sampled_from(TokenCode),
    head=st.builds(Head, st.integers(1, 15), st.integers(1, 255), st.integers(0, 65_535), st.integers(0, 255)),
)
def test_tokens_speak_of_their_own_messages_only(count: int, code: TokenCode, head: Head) -> None:
    mine = [keys_of(f"mine {i}").verify for i in range(count)]
    heard = parse_tokens(pack_tokens(head, [(verify, code) for verify in mine]))
    assert heard.head == head
    assert all(heard.claims(verify) == [code] for verify in mine)
    assert heard.claims(keys_of("other").verify) == []


def test_a_token_does_not_move_to_another_head() -> None:
    packet = pack_tokens(HEAD, [(KEYS.verify, TokenCode.SEEN)])
    for bit in range(8 * 6):
        with contextlib.suppress(FrameError):
            assert parse_tokens(flipped(packet, bit)).claims(KEYS.verify) == []
    for bit in range(8 * 6, 8 * len(packet)):
        assert parse_tokens(flipped(packet, bit)).claims(KEYS.verify) == []


def test_one_packet_may_say_two_things_of_one_message() -> None:
    said = [TokenCode.SEEN, TokenCode.CLOSED_HELPED]
    assert parse_tokens(pack_tokens(HEAD, [(KEYS.verify, code) for code in said])).claims(KEYS.verify) == said


@pytest.mark.parametrize("count", [0, tokens.TOKENS_MAX + 1])
def test_a_tokens_packet_has_a_size(count: int) -> None:
    with pytest.raises(ValueError, match="holds 1 to 35"):
        pack_tokens(HEAD, [(KEYS.verify, TokenCode.RECEIVED)] * count)
    with pytest.raises(FrameError):
        parse_tokens(HEAD.pack(Kind.TOKENS) + bytes(6 * count))


# --- answers ------------------------------------------------------------------------------------------------------


def test_an_answer_is_checked_without_being_read_and_read_with_the_key_only() -> None:
    packet = seal_answer(KEYS, SALT, PLAIN)
    other = keys_of("other")
    assert answer_is_for(packet, KEYS.verify)
    assert not answer_is_for(packet, other.verify)
    assert answer_salt(packet) == SALT
    assert open_answer(packet, KEYS.answer) == PLAIN
    for wrong in (other.answer, KEYS.verify, KEYS.enc):
        with pytest.raises(SealError, match="another ticket"):
            open_answer(packet, wrong)
    assert len(packet) == len(PLAIN) + 16
    assert len(seal_answer(KEYS, SALT, bytes(ANSWER_PART_BYTES_MAX))) <= PACKET_BYTES_MAX


def test_every_bit_of_an_answer_counts() -> None:
    packet = seal_answer(KEYS, SALT, PLAIN)
    for bit in range(8 * len(packet)):
        assert not answer_is_for(flipped(packet, bit), KEYS.verify), bit


def test_who_can_forge_tokens_still_cannot_write_an_answer() -> None:
    # A stolen card holds V of open messages, but A only under the ticket's secret.
    forged = seal_answer(MessageKeys(b"", KEYS.verify, bytes(16)), SALT, PLAIN)
    assert answer_is_for(forged, KEYS.verify)
    with pytest.raises(SealError):
        open_answer(forged, KEYS.answer)


def test_two_answers_of_one_ticket_look_nothing_alike() -> None:
    first, second = (seal_answer(KEYS, salt, PLAIN)[6:-6] for salt in (b"one.", b"two."))
    assert first != second


# --- beacons ------------------------------------------------------------------------------------------------------


def beacon(counter: int, head: Head = HEAD) -> bytes:
    body = beacons.beacon_body(head, counter)
    return body + coordinator_keys().sign(beacons.beacon_signed_part(body))


@given(counter=st.integers(0, 2**32 - 1))
def test_a_beacon_comes_out_as_it_went_in(counter: int) -> None:
    packet = beacon(counter)
    heard = parse_beacon(packet)
    assert (heard.head, heard.counter, len(packet)) == (HEAD, counter, 74)
    assert heard.genuine(identity().news_public)


def test_every_bit_of_a_beacon_counts() -> None:
    packet = beacon(9)
    for bit in range(8 * len(packet)):
        with contextlib.suppress(FrameError):
            assert not parse_beacon(flipped(packet, bit)).genuine(identity().news_public), bit


def test_a_beacon_needs_the_label_and_the_right_key() -> None:
    body = beacons.beacon_body(HEAD, 9)
    unlabelled = body + NEWS.sign(body)
    assert verified(identity().news_public, unlabelled[10:], body), "a good signature, of something else"
    assert not parse_beacon(unlabelled).genuine(identity().news_public)
    assert not parse_beacon(beacon(9)).genuine(coordinator_keys().root_public)
