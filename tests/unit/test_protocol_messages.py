"""Messages: whatever is packed comes out again, and nonsense is refused in one way only."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.facts import FLOOR_MAX, FLOOR_MIN, NOTHING, Facts, Flag, Mark, Place, Whereabouts
from steunpunt.jobfacts import Fault
from steunpunt.model import (
    PACKET_BYTES_MAX,
    TEXT_CHARS_MAX,
    Category,
    FrameError,
    PointState,
    Skill,
    SupplementCode,
    TokenCode,
)
from steunpunt.powerfacts import PowerSource
from steunpunt.protocol import messages
from steunpunt.protocol.age import unpack_age
from steunpunt.protocol.bits import BitReader, BitWriter
from steunpunt.protocol.factcodec import put_facts, take_facts
from steunpunt.protocol.heartbeat import Heartbeat
from steunpunt.protocol.keys import Chain
from steunpunt.protocol.messages import (
    COUNTER_MAX,
    HOURS_MAX,
    ITEM_BYTES_MAX,
    LANGUAGES,
    REPLY_NUMBER_MAX,
    Acknowledged,
    Acknowledgement,
    HelpRequest,
    Message,
    Offer,
    QuestionReply,
    Reference,
    Supplement,
    pack,
    unpack,
)
from steunpunt.protocol.pieces import CIPHERTEXT_BYTES_MAX, PIECE_OVERHEAD_BYTES, seal
from steunpunt.protocol.text import RAW, squeeze
from steunpunt.protocol.tokens import TOKENS_MAX, pack_tokens
from steunpunt.protocol.tokens import Head as PacketHead

EID = b"\x01\x02\x03"
PHONE = "0612345678"


def shorter(bytes_max: int) -> st.SearchStrategy[str]:
    return st.text(max_size=bytes_max).filter(lambda text: len(text.encode()) <= bytes_max)


ages = st.integers(0, 127).map(lambda byte: unpack_age(byte)[0])
counts = st.integers(0, 99)
postcodes = st.one_of(st.just(""), st.from_regex(r"[1-9][0-9]{3}([A-Z]{2})?", fullmatch=True).map(str))
positions = st.tuples(st.floats(-90, 89.9), st.floats(-180, 179.9))
places = st.builds(
    Place,
    postcode=postcodes.filter(lambda code: code.isascii()),
    house_number=st.integers(0, 99_999),
    addition=st.one_of(st.sampled_from("ABZ"), shorter(8)),
    floor=st.none() | st.integers(FLOOR_MIN, FLOOR_MAX),
    access=shorter(80),
)
mobiles = st.integers(0, 10**8 - 1).map(lambda number: f"06{number:08}")
callbacks = st.one_of(shorter(30), mobiles, st.text(alphabet="0123456789+*#- ", max_size=30))
stays = st.sampled_from([(where, 0) for where in Whereabouts] + [(Whereabouts.RETURNS, tens * 10) for tens in (1, 63)])
facts = st.builds(
    lambda stay, **told: Facts(whereabouts=stay[0], returns_min=stay[1], **told),
    stay=stays,
    people=counts,
    injured=counts,
    trapped=counts,
    children=counts,
    flags=st.frozensets(st.sampled_from(Flag)),
    place=st.just(Place()) | places,
    callback=callbacks,
    name=shorter(40),
    mark=st.sampled_from(Mark),
    on_behalf=st.booleans(),
    paper_age_s=st.none() | ages,
)
references = st.builds(Reference, st.sampled_from([EID, b"abc", b"\0\0\0"]), st.integers(0, 255))
counters = st.integers(0, COUNTER_MAX)
languages = st.sampled_from(LANGUAGES)
words = st.text(max_size=2000)
requests = st.builds(
    HelpRequest,
    counters,
    st.sampled_from([category for category in Category if category is not Category.OFFER]),
    st.booleans(),
    words,
    languages,
    facts,
)
plain_codes = [code for code in SupplementCode if code not in (SupplementCode.PRESSED_AGAIN, SupplementCode.REPLY)]
question_replies = st.one_of(
    st.builds(QuestionReply, st.integers(0, 255)),
    st.builds(QuestionReply, st.integers(0, 255), option=st.integers(0, 15)),
    st.builds(QuestionReply, st.integers(0, 255), number=st.integers(0, REPLY_NUMBER_MAX)),
)
supplements = st.one_of(
    st.builds(Supplement, references, st.sampled_from(plain_codes), words, facts=facts),
    st.builds(Supplement, references, st.just(SupplementCode.PRESSED_AGAIN), words, st.integers(0, 255), facts),
    st.builds(Supplement, references, st.just(SupplementCode.REPLY), words, facts=facts, reply=question_replies),
)
items = st.one_of(
    st.builds(Acknowledged, references, st.sampled_from(TokenCode)),
    st.builds(Acknowledged, references, st.none(), st.binary(min_size=4, max_size=4)),
)
acknowledgements = st.builds(Acknowledgement, st.lists(items, max_size=15).map(tuple))
heartbeats = st.builds(
    Heartbeat,
    battery_percent=st.none() | st.integers(0, 100),
    hours_left=st.none() | st.integers(0, 126),
    source=st.sampled_from(PowerSource),
    mesh_up=st.booleans(),
    broker_up=st.booleans(),
    queue=st.integers(0, 255),
    oldest_s=ages,
    version=st.tuples(st.integers(0, 31), st.integers(0, 63), st.integers(0, 63)),
    serial=st.integers(0, 65535),
    incarnation=st.integers(0, 255),
    state=st.sampled_from(PointState),
    faults=st.frozensets(st.sampled_from(Fault)),
)
offers = st.builds(
    Offer, counters, st.sampled_from(Skill), st.none() | st.integers(0, HOURS_MAX), words, languages, facts
)
anything = st.one_of(requests, supplements, acknowledgements, heartbeats, offers)


@given(anything)
def test_any_message_comes_out_as_it_went_in(message: Message) -> None:
    assert unpack(pack(message, EID), EID) == message


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_a_frame_error(plain: bytes) -> None:
    try:
        message = unpack(plain, EID)
    except FrameError:
        return
    if getattr(message, "newer", False) or "\N{REPLACEMENT CHARACTER}" in repr(message):
        return
    assert unpack(pack(message, EID), EID) == message, "what makes sense can be said again"


@given(anything, st.data())
def test_a_message_cut_short_is_never_an_unforeseen_error(message: Message, data: st.DataObject) -> None:
    plain = pack(message, EID)
    cut = data.draw(st.integers(0, len(plain)))
    try:
        whole = unpack(plain[:cut], EID) == message
    except FrameError:
        whole = False
    assert whole or cut < len(plain)


# --- what it costs ------------------------------------------------------------------------------------------------


def bits_of(told: Facts) -> int:
    """Count the bits of facts: the fewest zero bits that fill them up to a byte more show where they end."""
    for fill in range(1, 9):
        writer = BitWriter()
        put_facts(writer, told)
        length = len(writer.done())
        for _ in range(fill):
            writer.flag(value=False)
        if len(writer.done()) > length:
            return 8 * length - fill + 1
    raise AssertionError("unreachable: eight more bits are a byte more")


def test_the_measured_request_has_a_head_of_six_bytes() -> None:
    measured = Facts(people=3, callback=PHONE)
    for counter in (1, 31, 32, 543):
        head = pack(HelpRequest(counter, Category.MEDICAL, life_threat=True, facts=measured), EID)
        assert len(head) == 6, counter


def test_a_mobile_number_takes_less_than_four_bytes() -> None:
    assert bits_of(Facts(callback=PHONE)) - bits_of(NOTHING) == 27


@pytest.mark.parametrize(
    ("told", "bits_max"),
    [
        (NOTHING, 5),
        (Facts(people=6), 5),
        (Facts(people=99), 13),
        (Facts(callback="+32 475 123456"), 14 + 4 * 15),
        (Facts(flags=frozenset({Flag.NOT_BREATHING})), 13 + 5),
        (Facts(flags=frozenset({Flag.GAS, Flag.CANNOT_WALK})), 13 + 10),
        (Facts(place=Place(postcode="6211AB", house_number=12)), 13 + 4 + 24 + 9 + 1),
        (Facts(place=Place(position=(50.8503, 5.6909))), 13 + 4 + 43),
        (Facts(mark=Mark.EXERCISE), 13 + 4),
        (Facts(whereabouts=Whereabouts.RETURNS, returns_min=40), 13 + 8),
    ],
)
def test_what_is_usual_costs_least(told: Facts, bits_max: int) -> None:
    assert bits_of(told) <= bits_max


def test_a_heartbeat_takes_twelve_bytes() -> None:
    assert len(pack(Heartbeat(queue=70_000, oldest_s=1e9, hours_left=900, version=(99, 99, 99)), EID)) == 12


@pytest.mark.parametrize(
    ("message", "size"),
    [
        (Supplement(Reference(EID, 7), SupplementCode.WORSE), 3),
        (Supplement(Reference(b"xyz", 7), SupplementCode.UNDERSTOOD), 6),
        (Supplement(Reference(EID, 7), SupplementCode.REPLY, reply=QuestionReply(60, option=0)), 4),
        (Acknowledgement((Acknowledged(Reference(EID, 7), TokenCode.SEEN),)), 3),
        (Offer(12, Skill.TRANSPORT, 4, facts=Facts(callback=PHONE)), 8),
    ],
)
def test_small_messages_stay_small(message: Message, size: int) -> None:
    assert len(pack(message, EID)) == size


def test_the_fullest_acknowledgement_fits_one_piece() -> None:
    item = Acknowledged(Reference(b"abc", 255), None, b"salt")
    assert len(pack(Acknowledgement((item,) * 15), EID)) <= 1 + 15 * ITEM_BYTES_MAX <= CIPHERTEXT_BYTES_MAX


def test_the_longest_request_of_the_first_form_fits_every_radio() -> None:
    longest = HelpRequest(
        COUNTER_MAX,
        Category.BUTTON,
        life_threat=True,
        text="☐" * TEXT_CHARS_MAX,
        language="uk",
        facts=Facts(people=99, callback="☐" * 10),
    )
    plain = pack(longest, EID)
    piece = seal(65_535, EID, 255, Chain(bytes(32)).take()[1], plain)
    bare, hello = piece.packet(0, None), piece.packet(0, bytes(32))
    assert len(plain) <= CIPHERTEXT_BYTES_MAX
    assert len(bare) - len(plain) == PIECE_OVERHEAD_BYTES == 16
    assert len(hello) <= PACKET_BYTES_MAX
    assert unpack(plain, EID) == longest


@given(positions)
def test_a_position_is_right_to_ten_metres(position: tuple[float, float]) -> None:
    plain = pack(HelpRequest(1, Category.FIRE, life_threat=True, facts=Facts(place=Place(position=position))), EID)
    opened = unpack(plain, EID)
    assert isinstance(opened, HelpRequest)
    assert opened.facts.place.position is not None
    north, east = (found - put for found, put in zip(opened.facts.place.position, position, strict=True))
    metres = 111_320  # to a degree, at the equator
    assert (north * metres) ** 2 + (east * metres) ** 2 < 10**2
    assert unpack(pack(opened, EID), EID) == opened, "a position that was read is written the same"


@pytest.mark.parametrize("field", [field.name for field in fields(Facts)])
def test_each_fact_travels_alone_in_a_request_and_in_a_supplement(field: str) -> None:
    alone: dict[str, Any] = {
        "flags": frozenset({Flag.WATER}),
        "place": Place(floor=-1),
        "whereabouts": Whereabouts.AT_SCENE,
        "returns_min": 0,
        "callback": "hek links",
        "name": "Truus",
        "mark": Mark.TEST,
        "on_behalf": True,
        "paper_age_s": unpack_age(40)[0],
    }
    told = Facts(**{field: alone.get(field, 7)})
    request = HelpRequest(1, Category.SUPPLIES, life_threat=False, facts=told)
    supplement = Supplement(Reference(EID, 0), SupplementCode.DETAILS, facts=told)
    assert unpack(pack(request, EID), EID) == request
    assert unpack(pack(supplement, EID), EID) == supplement


# --- nonsense -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "why"),
    [
        (b"", "too early"),
        (b"\x07", "type that is not known"),
        (b"\x80", "too early"),
        (b"\x80\x7f\xff\xff", "six digits"),
        (b"\x3b\x80\x00", "unknown code 11"),
    ],
)
def test_nonsense_says_what_is_wrong(plain: bytes, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        unpack(plain, EID)


@pytest.mark.parametrize(
    "message",
    [
        HelpRequest(COUNTER_MAX + 1, Category.FIRE, life_threat=False),
        HelpRequest(1, Category.OFFER, life_threat=False),
        HelpRequest(1, Category.FIRE, life_threat=False, facts=Facts(people=263)),
        HelpRequest(1, Category.FIRE, life_threat=False, facts=Facts(place=Place(floor=FLOOR_MAX + 1))),
        Supplement(Reference(EID, 0), SupplementCode.REPLY, reply=QuestionReply(60, number=REPLY_NUMBER_MAX + 1)),
        Offer(1, Skill.FOOD, HOURS_MAX + 1),
        Heartbeat(battery_percent=101),
    ],
)
def test_what_has_no_room_is_an_error_and_never_something_else(message: Message) -> None:
    with pytest.raises(ValueError, match=r"."):
        pack(message, EID)


def test_the_fullest_tokens_packet_fits_every_radio() -> None:
    claims = [(bytes([i]) * 16, TokenCode.RECEIVED) for i in range(TOKENS_MAX)]
    assert len(pack_tokens(PacketHead(1, 1, 0, 0), claims)) == 216 <= PACKET_BYTES_MAX


def test_languages_fit_their_four_bits() -> None:
    assert len(messages.LANGUAGES) == len(set(messages.LANGUAGES)) == 8


@given(facts)
def test_facts_alone_come_out_as_they_went_in(told: Facts) -> None:
    writer = BitWriter()
    put_facts(writer, told)
    assert take_facts(BitReader(writer.done())) == (told, False)


# --- a text that was compressed ahead of time -----------------------------------------------------------------------


def test_a_text_compressed_ahead_of_time_is_taken_as_it_is() -> None:
    request = HelpRequest(1, Category.MEDICAL, life_threat=False, text="Wij hebben water nodig")
    raw = (request.text, RAW, request.text.encode())
    packed = pack(request, EID, raw)
    assert packed.endswith(request.text.encode())
    assert unpack(packed, EID) == request
    assert pack(request, EID, squeeze(request.text)) == pack(request, EID)


def test_what_was_made_of_another_text_says_nothing_of_this_one() -> None:
    request = HelpRequest(1, Category.MEDICAL, life_threat=False, text="Wij hebben water nodig")
    assert pack(request, EID, squeeze("Wij hebben brood nodig")) == pack(request, EID)
