"""Messages: whatever is packed comes out again, fits the air, and nonsense is refused in one way only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import (
    ANSWER_BYTES_MAX,
    PACKET_BYTES_MAX,
    TEXT_BYTES_MAX,
    Category,
    FrameError,
    SenderFunction,
    SupplementCode,
    TokenCode,
)
from steunpunt.protocol import messages
from steunpunt.protocol.keys import Chain
from steunpunt.protocol.messages import (
    CALLBACK_BYTES_MAX,
    COUNTER_MAX,
    LANGUAGES,
    Acknowledged,
    Acknowledgement,
    HelpRequest,
    Message,
    Reference,
    Supplement,
    pack,
    pack_answer,
    unpack,
    unpack_answer,
)
from steunpunt.protocol.pieces import CIPHERTEXT_BYTES_MAX, PIECE_OVERHEAD_BYTES, seal
from steunpunt.protocol.tokens import TOKENS_MAX, pack_tokens
from steunpunt.protocol.tokens import Head as PacketHead

EID = b"\x01\x02\x03"


def shorter(bytes_max: int) -> st.SearchStrategy[str]:
    return st.text(max_size=bytes_max).filter(lambda text: len(text.encode()) <= bytes_max)


references = st.builds(Reference, st.sampled_from([EID, b"abc", b"\0\0\0"]), st.integers(min_value=0, max_value=255))
callbacks = st.one_of(shorter(CALLBACK_BYTES_MAX), st.text(alphabet="0123456789+*#- ", max_size=CALLBACK_BYTES_MAX))
requests = st.builds(
    HelpRequest,
    counter=st.integers(0, 2**28 - 1),
    category=st.sampled_from(Category),
    life_threat=st.booleans(),
    people=st.integers(0, 255),
    text=shorter(TEXT_BYTES_MAX),
    callback=callbacks,
    language=st.sampled_from(LANGUAGES),
    exercise=st.booleans(),
)
supplements = st.builds(
    Supplement,
    to=references,
    code=st.sampled_from([code for code in SupplementCode if code is not SupplementCode.PRESSED_AGAIN]),
    text=shorter(TEXT_BYTES_MAX),
)
presses = st.builds(
    Supplement,
    to=references,
    code=st.just(SupplementCode.PRESSED_AGAIN),
    text=shorter(TEXT_BYTES_MAX),
    presses=st.integers(0, 255),
)
items = st.one_of(
    st.builds(Acknowledged, references, st.sampled_from(TokenCode)),
    st.builds(Acknowledged, references, st.none(), st.binary(min_size=4, max_size=4)),
)
acknowledgements = st.builds(Acknowledgement, st.lists(items, max_size=15).map(tuple))
anything = st.one_of(requests, supplements, presses, acknowledgements)


@given(anything)
def test_any_message_comes_out_as_it_went_in_and_fits(message: Message) -> None:
    plain = pack(message, EID)
    assert unpack(plain, EID) == message
    assert len(plain) <= CIPHERTEXT_BYTES_MAX


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_a_frame_error(plain: bytes) -> None:
    for unpacker in (lambda: unpack(plain, EID), lambda: unpack_answer(plain)):
        try:
            unpacker()
        except FrameError:
            continue


@given(anything, st.data())
def test_a_message_cut_short_is_never_an_unforeseen_error(message: Message, data: st.DataObject) -> None:
    plain = pack(message, EID)
    cut = data.draw(st.integers(0, len(plain)))
    try:
        whole = unpack(plain[:cut], EID) == message
    except FrameError:
        whole = False
    assert whole or cut < len(plain)


def test_the_longest_request_fits_every_radio() -> None:
    longest = HelpRequest(
        counter=COUNTER_MAX,
        category=Category.BUTTON,
        life_threat=True,
        people=99,
        text="é" * (TEXT_BYTES_MAX // 2),
        callback="buurvrouw huisnr 12, achterom!",
        language="uk",
        exercise=True,
    )
    assert len(longest.text.encode()) == TEXT_BYTES_MAX
    assert len(longest.callback.encode()) == CALLBACK_BYTES_MAX
    plain = pack(longest, EID)
    piece = seal(65_535, EID, 255, Chain(bytes(32)).take()[1], plain)
    bare, hello = piece.packet(0, None), piece.packet(0, bytes(32))
    assert len(plain) == CIPHERTEXT_BYTES_MAX, "not one byte is left"
    assert len(bare) - len(plain) == PIECE_OVERHEAD_BYTES == 16
    assert len(hello) == 216 <= PACKET_BYTES_MAX
    assert unpack(plain, EID) == longest


def test_a_telephone_number_takes_half_a_byte_a_digit() -> None:
    bare = HelpRequest(1, Category.MEDICAL, life_threat=False)
    reachable = HelpRequest(1, Category.MEDICAL, life_threat=False, callback="+31 6-12345678")
    assert len(pack(reachable, EID)) - len(pack(bare, EID)) == 1 + 7


@pytest.mark.parametrize("text", ["", "Water in de kelder"])
def test_what_a_newer_version_adds_is_skipped(text: str) -> None:
    request = HelpRequest(300, Category.SUPPLIES, life_threat=False, people=2, text=text, callback="06")
    plain = pack(request, EID)
    front = len(pack(HelpRequest(300, Category.SUPPLIES, life_threat=False, people=2, callback="06"), EID))
    for extension in (b"\0", b"\1x", b"\x80\1" + bytes(128)):
        newer = bytes([plain[0], plain[1] | 0x40]) + plain[2:front] + extension + plain[front:]
        assert unpack(newer, EID) == request


def test_kinds_and_codes_of_a_newer_version_are_shown_not_dropped() -> None:
    request = bytearray(pack(HelpRequest(1, Category.MEDICAL, life_threat=True), EID))
    request[1] = request[1] & 0xF0 | 15
    opened = unpack(bytes(request), EID)
    assert isinstance(opened, HelpRequest)
    assert (opened.category, opened.life_threat) == (Category.OTHER, True)
    supplement = unpack(bytes([2 | 0x08, 200, 7]) + b"\0nieuw", EID)
    assert supplement == Supplement(Reference(EID, 7), SupplementCode.QUESTION, "nieuw")
    assert unpack_answer(b"\x1f\0ja") == (SenderFunction.COORDINATOR, "ja")


@pytest.mark.parametrize(
    ("plain", "why"),
    [
        (b"", "too early"),
        (b"\x00", "type 0"),
        (b"\x07", "type 7"),
        (b"\x01\x01\xff\xff\xff\xff\x01", "number too large"),
        (b"\x01\x11\x01\x03\x12\xf0", "digit that does not exist"),
        (b"\x01\x81\x01\x01x", "text method 1"),
        (b"\x03\x80", "too early"),
        (b"\x03\x87\x00", "unknown code 7"),
    ],
)
def test_nonsense_says_what_is_wrong(plain: bytes, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        unpack(plain, EID)


def test_broken_utf8_does_not_lose_the_request() -> None:
    opened = unpack(b"\x01\x81\x05\0Hel\xffp", EID)
    assert isinstance(opened, HelpRequest)
    assert opened.text == "Hel\N{REPLACEMENT CHARACTER}p"


@given(st.sampled_from(SenderFunction), shorter(ANSWER_BYTES_MAX).filter(bool))
def test_answers_come_out_as_they_went_in(function: SenderFunction, text: str) -> None:
    assert unpack_answer(pack_answer(function, text)) == (function, text)


@pytest.mark.parametrize("text", ["", "a" * (ANSWER_BYTES_MAX + 1), "é" * (ANSWER_BYTES_MAX // 2 + 1)])
def test_an_answer_has_a_size(text: str) -> None:
    with pytest.raises(ValueError, match="1 to 170 bytes"):
        pack_answer(SenderFunction.COORDINATOR, text)


def test_the_fullest_tokens_packet_fits_every_radio() -> None:
    claims = [(bytes([i]) * 16, TokenCode.RECEIVED) for i in range(TOKENS_MAX)]
    assert len(pack_tokens(PacketHead(1, 1, 0, 0), claims)) == 216 <= PACKET_BYTES_MAX


def test_languages_fit_their_three_bits() -> None:
    assert len(messages.LANGUAGES) == len(set(messages.LANGUAGES)) == 8
