"""Messages in fragments and pieces in batches: whole again in any order, and nothing else is taken for them."""

import contextlib
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import PACKET_BYTES_MAX, FrameError, SealError
from steunpunt.protocol.answers import (
    ANSWER_PART_BYTES_MAX,
    ANSWER_PLAIN_BYTES_MAX,
    answer_is_for,
    answer_part,
    answer_salt,
    open_answer,
    open_answers,
    seal_answer,
    seal_answers,
)
from steunpunt.protocol.keys import keys_at
from steunpunt.protocol.packets import BATCH, FRAGMENTS_MAX, Kind, kind_of, nonce, split
from steunpunt.protocol.pieces import (
    CIPHERTEXT_BYTES_MAX,
    FRAGMENT_OVERHEAD_BYTES,
    MESSAGE_BYTES_MAX,
    SealedPiece,
    batch,
    batch_bytes,
    open_message,
    parse_piece,
    parse_pieces,
    seal,
    seal_message,
)

SITE, EID = 47, b"\x0a\x0b\x0c"
EPOCH_KEY = bytes(range(32))
E_PUB = bytes(range(100, 132))
KEYS = [keys_at(EPOCH_KEY, n) for n in range(8)]
PLAIN = bytes(range(256)) * 4
SALT = b"sal\x7f"
FUZZ_CASES = 10_000
PLAINS = st.binary(min_size=1, max_size=MESSAGE_BYTES_MAX)


def of(n: int, plain: bytes) -> SealedPiece:
    return seal(SITE, EID, n, KEYS[n], plain)


def fragments(n: int = 5, plain: bytes = PLAIN) -> tuple[SealedPiece, ...]:
    return seal_message(SITE, EID, n, KEYS[n], plain)


def flipped(packet: bytes, bit: int) -> bytes:
    changed = bytearray(packet)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


# --- fragments ----------------------------------------------------------------------------------------------------


@given(content=PLAINS, most=st.integers(168, 220))
def test_what_is_split_joins_in_few_parts_of_nearly_one_length(content: bytes, most: int) -> None:
    parts = split(content, most)
    assert b"".join(parts) == content
    assert len(parts) == -(-len(content) // most) <= FRAGMENTS_MAX
    assert max(map(len, parts)) <= most
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(plain=PLAINS, hello=st.booleans(), chance=st.randoms(use_true_random=False))
def test_a_message_is_whole_again_in_any_order(*, plain: bytes, hello: bool, chance: random.Random) -> None:
    packets = [piece.packet(9, E_PUB if hello else None) for piece in fragments(plain=plain)]
    chance.shuffle(packets)
    heard = [parse_pieces(packet)[0] for packet in packets]
    assert open_message([one.piece for one in heard], KEYS[5]) == plain
    assert max(map(len, packets)) <= PACKET_BYTES_MAX
    whole = len(plain) <= CIPHERTEXT_BYTES_MAX
    assert {kind_of(packet) for packet in packets} == {Kind.PIECE if whole else Kind.FRAGMENT}
    assert {(one.age, one.e_pub) for one in heard} == {(9, E_PUB if hello else None)}


def test_a_fragment_costs_seventeen_bytes_and_says_which_of_how_many_it_is() -> None:
    pieces = fragments(plain=bytes(400))
    assert [(piece.index, piece.last) for piece in pieces] == [(0, 2), (1, 2), (2, 2)]
    assert [piece.fragment for piece in pieces] == [0x02, 0x12, 0x22]
    assert sum(len(piece.packet(0, None)) for piece in pieces) == 400 + 3 * FRAGMENT_OVERHEAD_BYTES


def test_the_longest_message_fits_with_hello_and_one_byte_more_does_not() -> None:
    packets = [piece.packet(0, E_PUB) for piece in fragments(plain=bytes(MESSAGE_BYTES_MAX))]
    assert [len(packet) for packet in packets] == [PACKET_BYTES_MAX] * FRAGMENTS_MAX
    for wrong in (b"", bytes(MESSAGE_BYTES_MAX + 1)):
        with pytest.raises(ValueError, match="at most 2688 fit 16 fragments"):
            fragments(plain=wrong)


def test_no_nonce_serves_two_parts_of_a_message() -> None:
    used = [nonce(None)]
    for last in range(1, FRAGMENTS_MAX):
        used += [nonce(index << 4 | last) for index in range(last + 1)]
    assert len(set(used)) == len(used)


def test_every_bit_of_a_fragment_counts() -> None:
    packet = fragments()[1].packet(7, None)
    for bit in (bit for bit in range(8 * len(packet)) if bit // 8 != 1):  # the age lies outside the seal
        with pytest.raises((FrameError, SealError)):
            parse_piece(flipped(packet, bit)).piece.open(KEYS[5])


def test_fragments_do_not_change_places_messages_or_kind() -> None:
    first, second = fragments()[:2]
    swapped = SealedPiece(SITE, EID, 5, first.body, second.fragment)
    moved = SealedPiece(SITE, EID, 6, first.body, first.fragment)
    whole = SealedPiece(SITE, EID, 5, first.body)
    for forged in (swapped, moved, whole):
        with pytest.raises(SealError):
            forged.open(KEYS[forged.n])


def test_part_of_a_message_is_no_message() -> None:
    pieces = fragments()
    others = fragments(6)
    short = fragments(plain=bytes(300))
    for wrong in (pieces[:-1], pieces[1:], (*pieces, pieces[0]), (*pieces[:-1], others[-1]), (short[0], pieces[1]), ()):
        with pytest.raises(FrameError, match="not the whole of one message"):
            open_message(wrong, KEYS[5])


@pytest.mark.parametrize("byte", [0x00, 0x10, 0x32, 0xFE])
def test_a_fragment_byte_makes_sense(byte: int) -> None:
    packet = bytearray(fragments()[0].packet(0, None))
    packet[8] = byte
    with pytest.raises(FrameError, match="fragment"):
        parse_piece(bytes(packet))


# --- batches ------------------------------------------------------------------------------------------------------


@given(plains=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), hello=st.booleans())
def test_a_batch_holds_the_pieces_as_they_are(*, plains: list[bytes], hello: bool) -> None:
    sealed = [(10 + n, of(n, plain)) for n, plain in enumerate(plains)]
    packet = batch(SITE, EID, sealed, E_PUB if hello else None)
    heard = parse_pieces(packet)
    assert [(one.age, one.piece) for one in heard] == sealed
    assert {one.e_pub for one in heard} == {E_PUB if hello else None}
    assert [one.piece.open(KEYS[one.piece.n]) for one in heard] == plains
    assert len(packet) == batch_bytes([piece for _, piece in sealed], hello=hello)


def test_a_batch_costs_six_bytes_and_eleven_a_piece_and_one_piece_goes_alone() -> None:
    sealed = [(0, of(n, bytes(30))) for n in range(4)]
    assert len(batch(SITE, EID, sealed, None)) == 6 + 4 * (11 + 30)
    assert batch(SITE, EID, sealed[:1], E_PUB) == sealed[0][1].packet(0, E_PUB)
    lone = fragments()[0]
    assert len(batch(SITE, EID, [(0, lone)], E_PUB)) == batch_bytes([lone], hello=True)


def test_what_does_not_belong_in_one_batch_is_refused() -> None:
    first, second = of(0, bytes(90)), of(1, bytes(90))
    with pytest.raises(ValueError, match="no pieces"):
        batch(SITE, EID, [], None)
    with pytest.raises(ValueError, match="of one epoch"):
        batch(SITE, b"\0\0\0", [(0, first)], None)
    with pytest.raises(ValueError, match="a packet holds 217"):
        batch(SITE, EID, [(0, first), (0, second)], E_PUB)
    assert len(batch(SITE, EID, [(0, first), (0, second)], None)) <= PACKET_BYTES_MAX
    with pytest.raises(ValueError, match="fragments do not go in batches"):
        batch(SITE, EID, [(0, of(0, b"x")), (0, fragments(plain=bytes(169))[0])], None)


def test_a_batch_that_does_not_add_up_is_refused_whole() -> None:
    packet = batch(SITE, EID, [(0, of(0, b"one")), (0, of(1, b"two"))], None)
    for length in range(6, len(packet)):
        if length != 6 + 3 + 3 + 8:  # the first piece alone is a batch, too
            with pytest.raises(FrameError):
                parse_pieces(packet[:length])
    with pytest.raises(FrameError, match="flag"):
        parse_pieces(bytes([fragments()[0].packet(0, None)[0] | BATCH]) + bytes(40))


# --- answers in fragments -----------------------------------------------------------------------------------------


@given(plain=st.binary(min_size=1, max_size=ANSWER_PLAIN_BYTES_MAX), chance=st.randoms(use_true_random=False))
def test_an_answer_is_whole_again_in_any_order(plain: bytes, chance: random.Random) -> None:
    packets = list(seal_answers(KEYS[0], SALT, plain))
    chance.shuffle(packets)
    assert open_answers(packets, KEYS[0].answer) == plain
    assert all(answer_is_for(packet, KEYS[0].verify) and len(packet) <= PACKET_BYTES_MAX for packet in packets)
    assert len({answer_part(packet).salt for packet in packets}) == len(packets)
    assert len({answer_part(packet).group for packet in packets}) == 1


def test_a_short_answer_is_one_packet_and_says_so() -> None:
    packet = seal_answer(KEYS[0], SALT, bytes(ANSWER_PART_BYTES_MAX))
    assert (packet,) == seal_answers(KEYS[0], SALT, bytes(ANSWER_PART_BYTES_MAX))
    assert answer_salt(packet) == SALT
    with pytest.raises(ValueError, match="do not fit one answer"):
        seal_answer(KEYS[0], SALT, bytes(ANSWER_PART_BYTES_MAX + 1))
    with pytest.raises(FrameError, match="fragment of an answer"):
        answer_salt(seal_answers(KEYS[0], SALT, bytes(ANSWER_PART_BYTES_MAX + 1))[0])


def test_every_bit_of_an_answers_fragment_counts() -> None:
    packet = seal_answers(KEYS[0], SALT, bytes(300))[1]
    assert answer_is_for(packet, KEYS[0].verify)
    for bit in range(8 * len(packet)):
        assert not answer_is_for(flipped(packet, bit), KEYS[0].verify)
    for bit in range(8 * (len(packet) - 6)):  # what follows is the region's word to the kiosk
        with pytest.raises((FrameError, SealError)):
            open_answer(flipped(packet, bit), KEYS[0].answer)


def test_an_answers_fragment_bears_its_own_salt() -> None:
    packet = bytearray(seal_answers(KEYS[0], SALT, bytes(300))[1])
    packet[5] ^= 1  # the salt's last four bits are the index
    with pytest.raises(FrameError, match="under the salt of another"):
        answer_part(bytes(packet))


def test_part_of_an_answer_is_no_answer() -> None:
    one, other = (seal_answers(KEYS[0], salt, bytes(500)) for salt in (SALT, b"tal\x7f"))
    longer = seal_answers(KEYS[0], SALT, bytes(700))
    wrongs: list[Sequence[bytes]] = [one[1:], one[:2], (*one, one[0]), (one[0], other[1], one[2]), longer[:3], ()]
    for wrong in wrongs:
        with pytest.raises(FrameError, match="not the whole of one answer"):
            open_answers(wrong, KEYS[0].answer)


# --- whatever comes -----------------------------------------------------------------------------------------------


def test_forged_and_flipped_packets_are_never_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(20_240)
    real = [piece.packet(0, None) for piece in fragments()]
    real += [piece.packet(0, E_PUB) for piece in fragments(6, bytes(500))]
    real += [batch(SITE, EID, [(0, of(n, bytes([n]) * 20)) for n in range(4)], None)]
    genuine = {one.piece for packet in real for one in parse_pieces(packet)}
    malformed = unauthentic = 0
    for _ in range(FUZZ_CASES):
        packet = bytearray(chance.choice(real))
        for _ in range(chance.randint(1, 4)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        if chance.random() < 0.3:
            packet = packet[: chance.randrange(len(packet))] + chance.randbytes(chance.randrange(30))
        heard = []
        with contextlib.suppress(FrameError):
            heard = parse_pieces(bytes(packet))
        malformed += not heard
        for piece in (one.piece for one in heard if one.piece not in genuine):
            with pytest.raises(SealError):
                piece.open(KEYS[piece.n % 8])
            unauthentic += 1
    with capsys.disabled():
        print(f"\n{FUZZ_CASES} damaged packets: {malformed} malformed, {unauthentic} pieces unauthentic, 0 accepted")
    assert malformed > FUZZ_CASES / 20
    assert unauthentic > FUZZ_CASES / 4
