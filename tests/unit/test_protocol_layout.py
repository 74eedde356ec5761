"""The layout inside the seal, bit for bit as docs/security/protocol.md has it, and what a later version may add."""

import pytest

from steunpunt.facts import Facts, Flag, Mark, Place, Whereabouts
from steunpunt.jobfacts import Fault
from steunpunt.model import Category, PointState, Skill, SupplementCode, TokenCode
from steunpunt.powerfacts import PowerSource
from steunpunt.protocol.heartbeat import Heartbeat
from steunpunt.protocol.messages import (
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

EID = b"\x01\x02\x03"
TO = Reference(EID, 7)
PHONE = "000101111000110000101001110"  # 12345678 in 27 bits
RAW = "0 000"  # method 0


def bits(text: str, tail: bytes = b"") -> bytes:
    """Return the bytes of bits, blanks apart, filled up with zeros; ``tail`` is the text after them."""
    plain = text.replace(" ", "")
    return bytes(int(plain[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(plain), 8)) + tail


GROUPS = "1 {} 0"  # more · seven groups · nothing newer
EVERYTHING = Facts(
    people=12,
    injured=2,
    trapped=1,
    children=7,
    flags=frozenset({Flag.FIRE_OR_SMOKE, Flag.CANNOT_WALK}),
    place=Place(postcode="6211AB", house_number=130, addition="B", floor=3, access="L"),
    whereabouts=Whereabouts.RETURNS,
    returns_min=50,
    callback="+31",
    name="An",
    mark=Mark.EXERCISE,
    on_behalf=True,
    paper_age_s=6.0,
)
EVERYTHING_BITS = (
    "111 00000101 0 1 1111111 0"  # people 7 + 5, no Dutch mobile, more: all groups, nothing newer
    "01 1 1 00001000"  # exercise, on behalf, on paper: 6 s
    "0011 1 1000 0"  # fire or smoke, and cannot walk
    "010 001 111 00000000"  # 2 injured, 1 trapped, 7 children
    "1 0 1 1"  # address, no position, floor, access
    f"1 {(5211 * 677 + 1 + 0 * 26 + 1):023b} 01 000000010 1 0 00001"  # 6211 AB, 128 + 2, addition B
    "001011 000 0000001 01001100"  # floor 3, "L"
    "10 000101"  # comes back after 5 tens of minutes
    "0 1010 0011 0001 1111"  # +31 and its end
    "000 0000010 01000001 01101110"  # "An"
)
LAYOUT: list[tuple[str, bytes, Message]] = [
    (
        "what is measured",
        bits(f"1 1 0 0 011 1 {PHONE} 0 00 01100 {RAW}", b"Gevallen"),
        HelpRequest(
            12, Category.MEDICAL, life_threat=True, text="Gevallen", facts=Facts(people=3, callback="0612345678")
        ),
    ),
    (
        "the least there is",
        bits("1 0 1 100 0 000 0 0 00 00001 1"),
        HelpRequest(1, Category.SUPPLIES, life_threat=False),
    ),
    (
        "other languages and long counters",
        bits(f"1 0 0 1 0111 000 0 0 11 {999_999 - 32 - 512 - 16384:020b} 1"),
        HelpRequest(999_999, Category.MEDICAL, life_threat=False, language="uk"),
    ),
    (
        "everything",
        bits(f"1 0 1 010 0 {EVERYTHING_BITS} 01 000000000 {RAW}", "é".encode()),
        HelpRequest(32, Category.FIRE, life_threat=False, text="é", facts=EVERYTHING),
    ),
    ("worse", bits("01 1 00000111 0001 0 1"), Supplement(TO, SupplementCode.WORSE)),
    (
        "pressed again, of another epoch",
        bits("01 0 01100001 01100010 01100011 00000111 0010 00000101 0 1"),
        Supplement(Reference(b"abc", 7), SupplementCode.PRESSED_AGAIN, presses=5),
    ),
    (
        "details",
        bits("01 1 00000111 0110 1 010 0 0 1"),
        Supplement(TO, SupplementCode.DETAILS, facts=Facts(people=2)),
    ),
    (
        "an option",
        bits("01 1 00000111 0111 00111100 10 0001 0 1"),
        Supplement(TO, SupplementCode.REPLY, reply=QuestionReply(60, option=1)),
    ),
    (
        "a number",
        bits("01 1 00000111 0111 00111111 11 0000001100 0 1"),
        Supplement(TO, SupplementCode.REPLY, reply=QuestionReply(63, number=12)),
    ),
    (
        "words",
        bits(f"01 1 00000111 0111 00000000 0 0 {RAW}", b"Ja"),
        Supplement(TO, SupplementCode.REPLY, "Ja", reply=QuestionReply(0)),
    ),
    (
        "acknowledged",
        bits("001 1 0010 1 00000111 1 1111 0 000000000000000000000000 00001001 10100001 00000010 00000011 00000100"),
        Acknowledgement((Acknowledged(TO, TokenCode.SEEN), Acknowledged(Reference(bytes(3), 9), None, b"\xa1\2\3\4"))),
    ),
    (
        "a heartbeat",
        bits(
            "0001 1010000 0001100 11 1 0 00000011 0001000 00001 000010 000011 0000000100000010 00000101 01 10000001 0"
        ),
        Heartbeat(
            battery_percent=80,
            hours_left=12,
            source=PowerSource.BATTERY,
            mesh_up=True,
            queue=3,
            oldest_s=6.0,
            version=(1, 2, 3),
            serial=0x0102,
            incarnation=5,
            state=PointState.OPEN,
            faults=frozenset({Fault.RADIO, Fault.OTHER}),
        ),
    ),
    (
        "an offer",
        bits(f"00001 0 00 01100 0100 1 000110 001 1 {PHONE} 0 1"),
        Offer(12, Skill.TRANSPORT, 6, facts=Facts(people=1, callback="0612345678")),
    ),
]


@pytest.mark.parametrize(("name", "plain", "message"), LAYOUT, ids=[name for name, _, _ in LAYOUT])
def test_the_layout_is_as_written_down(name: str, plain: bytes, message: Message) -> None:
    assert unpack(plain, EID) == message, name
    if not getattr(message, "text", ""):  # the method of a text may change with the model, never how it is written
        assert pack(message, EID) == plain


# --- a pretended version 2 ----------------------------------------------------------------------------------------

NEWER = "1 0000000 1 00000010 10101010 01010101"  # more: no group of ours, two bytes of something newer


@pytest.mark.parametrize(
    ("plain", "known"),
    [
        (
            bits(f"1 1 0 0 011 0 {NEWER} 00 01100 {RAW}", b"Hier"),
            HelpRequest(12, Category.MEDICAL, life_threat=True, text="Hier", facts=Facts(people=3), newer=True),
        ),
        (
            bits(f"1 1 1 000 11110000 0 000 0 0 00 01100 {RAW}", b"Hier"),
            HelpRequest(12, Category.OTHER, life_threat=True, text="Hier", newer=True),
        ),
        (
            bits("1 0 0 1 1100 000 0 0 00 01100 1"),
            HelpRequest(12, Category.MEDICAL, life_threat=False, newer=True),
        ),
        (
            bits("1 0 0 0 000 0 1 0100000 0 0001 1 1100 1 1111 10101 0 00 01100 1"),
            HelpRequest(
                12,
                Category.MEDICAL,
                life_threat=False,
                facts=Facts(flags=frozenset({Flag.UNCONSCIOUS})),
                newer=True,
            ),
        ),
        (
            bits("1 0 0 0 010 0 1 0000100 0 11 00 01100 1"),
            HelpRequest(12, Category.MEDICAL, life_threat=False, facts=Facts(people=2), newer=True),
        ),
        (
            bits("1 1 0 0 010 0 0 00 01100 0 111", b"\xde\xad\xbe\xef"),
            HelpRequest(12, Category.MEDICAL, life_threat=True, facts=Facts(people=2), newer=True),
        ),
        (
            bits(f"01 1 00000111 1111 00000100 1 010 0 {NEWER} {RAW}", b"Meer"),
            Supplement(TO, SupplementCode.DETAILS, "Meer", facts=Facts(people=2), newer=True),
        ),
        (
            bits(f"00001 0 00 01100 1111 00000001 0 000 0 0 {RAW}", b"Kip"),
            Offer(12, Skill.OTHER, None, "Kip", newer=True),
        ),
    ],
    ids=["fields", "category", "language", "flags", "whereabouts", "text", "supplement", "skill"],
)
def test_what_is_known_of_a_newer_message_is_shown_and_that_there_was_more(plain: bytes, known: Message) -> None:
    assert unpack(plain, EID) == known


def test_a_newer_heartbeat_is_read_as_far_as_it_is_known() -> None:
    plain = bits("0001 1111111 1111111 00 0 0 00000000 0000000" + "0" * 17 + "0" * 24 + "11 00000000 1", b"\xff" * 4)
    assert unpack(plain, EID) == Heartbeat(state=PointState.OPEN, newer=True)
