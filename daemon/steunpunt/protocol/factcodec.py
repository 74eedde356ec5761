"""Facts in bits: what is usual costs least.

``people`` 3 bits (0 not said, 1 to 6; 7: eight more bits for 7 and up) · a Dutch mobile number 1 bit, and 27 for the
digits after 06 · *more* 1 bit. After *more* eight bits say which groups follow, in this order:

======== ==========================================================================================================
marks    mark 2 (none, exercise, test, real) · on behalf 1 · on paper 1, then its age byte 8
flags    code 4, another follows 1, and so on; code 15: a flag of a newer version in five bits more
counts   injured, trapped, children: each as ``people``
place    four bits say what follows: postcode 23 (four digits, and letters or none), house number, addition ·
         position 43 (latitude in 2^21 parts of 180 degrees, longitude in 2^22 of 360) · floor 6 (from -8) · access
stay     whereabouts 2 (here, at the scene, comes back; 3: newer) · comes back: tens of minutes 6
call     0 and phone digits four bits each up to 15, or 1 and a short text: a call-back that is no Dutch mobile number
name     a short text
newer    count of bytes 8, and that many to skip: what a later version adds
======== ==========================================================================================================
"""

import math
import re
from collections.abc import Callable
from typing import Any

from steunpunt.facts import FLOOR_MIN, Facts, Flag, Mark, Place, Whereabouts
from steunpunt.model import FrameError
from steunpunt.protocol.age import pack_age, unpack_age
from steunpunt.protocol.bits import BitReader, BitWriter

_MOBILE = re.compile(r"06(\d{8})", re.ASCII)
_MOBILE_BITS = 27
_DIGITS = "0123456789+*#- "
_DIGITS_END = 15
_NEWER_FLAG = 15
_NEWER_STAY = 3
_LATITUDE, _LONGITUDE = (180, 21), (360, 22)
_LETTERS = 26
_POSTCODE_BITS = 23
_POSTCODE_FIRST = 1000
_POSTCODE_ENDINGS = _LETTERS * _LETTERS + 1
_HOUSE_WIDTHS = (7, 9, 13, 17)
_A = ord("A")

Taken = tuple[dict[str, Any], bool]
"""Fields that were read, and whether something newer stood there."""


def put_facts(writer: BitWriter, facts: Facts) -> None:
    """Write facts; ValueError for a number or text beyond its room."""
    mobile = _MOBILE.fullmatch(facts.callback)
    writer.small(facts.people)
    writer.flag(mobile is not None)
    if mobile:
        writer.put(int(mobile[1]), _MOBILE_BITS)
    present = [said(facts) for said, _, _ in _GROUPS]
    writer.flag(any(present))
    if not any(present):
        return
    for is_said in present:
        writer.flag(is_said)
    writer.flag(value=False)
    for is_said, (_, put, _) in zip(present, _GROUPS, strict=True):
        if is_said:
            put(writer, facts)


def take_facts(reader: BitReader) -> tuple[Facts, bool]:
    """Read facts; the second value tells whether a newer version said more than this one knows."""
    found: dict[str, Any] = {"people": reader.small()}
    newer = False
    if reader.flag():
        digits = reader.take(_MOBILE_BITS)
        if digits >= 10**8:
            raise FrameError(f"call-back number of {digits} after 06")
        found["callback"] = f"06{digits:08}"
    if reader.flag():
        present = [reader.flag() for _ in _GROUPS]
        extension = reader.flag()
        for is_said, (_, _, take) in zip(present, _GROUPS, strict=True):
            if is_said:
                fields, more = take(reader)
                found |= fields
                newer |= more
        if extension:
            reader.octets(reader.take(8))
            newer = True
    return Facts(**found), newer


# --- marks --------------------------------------------------------------------------------------------------------


def _put_marks(writer: BitWriter, facts: Facts) -> None:
    writer.put(facts.mark, 2)
    writer.flag(facts.on_behalf)
    writer.flag(facts.paper_age_s is not None)
    if facts.paper_age_s is not None:
        writer.put(pack_age(facts.paper_age_s, at_least=False), 8)


def _take_marks(reader: BitReader) -> Taken:
    fields: dict[str, Any] = {"mark": Mark(reader.take(2)), "on_behalf": reader.flag()}
    if reader.flag():
        fields["paper_age_s"] = unpack_age(reader.take(8))[0]
    return fields, False


# --- flags and counts ---------------------------------------------------------------------------------------------


def _put_flags(writer: BitWriter, facts: Facts) -> None:
    flags = sorted(facts.flags)
    for flag in flags:
        writer.put(flag, 4)
        writer.flag(flag is not flags[-1])


def _take_flags(reader: BitReader) -> Taken:
    flags, newer, more = set(), False, True
    while more:
        number = reader.take(4)
        if number == _NEWER_FLAG:
            reader.take(5)
        if number in set(Flag):
            flags.add(Flag(number))
        else:
            newer = True
        more = reader.flag()
    return {"flags": frozenset(flags)}, newer


def _put_counts(writer: BitWriter, facts: Facts) -> None:
    for count in (facts.injured, facts.trapped, facts.children):
        writer.small(count)


def _take_counts(reader: BitReader) -> Taken:
    return {name: reader.small() for name in ("injured", "trapped", "children")}, False


# --- place --------------------------------------------------------------------------------------------------------


def _put_place(writer: BitWriter, facts: Facts) -> None:
    place = facts.place
    addressed = bool(place.postcode or place.house_number or place.addition)
    for present in (addressed, place.position is not None, place.floor is not None, bool(place.access)):
        writer.flag(present)
    if addressed:
        _put_address(writer, place)
    if place.position is not None:
        for degrees, (span, width) in zip(place.position, (_LATITUDE, _LONGITUDE), strict=True):
            writer.put(math.floor((degrees / span + 0.5) * 2**width) % 2**width, width)
    if place.floor is not None:
        writer.put(place.floor - FLOOR_MIN, 6)
    if place.access:
        writer.short_text(place.access)


def _take_place(reader: BitReader) -> Taken:
    addressed, positioned, floored, access = (reader.flag() for _ in range(4))
    fields = _take_address(reader) if addressed else {}
    if positioned:
        fields["position"] = tuple(
            round(((reader.take(width) + 0.5) / 2**width - 0.5) * span, 5) for span, width in (_LATITUDE, _LONGITUDE)
        )
    if floored:
        fields["floor"] = reader.take(6) + FLOOR_MIN
    if access:
        fields["access"] = reader.short_text()
    return {"place": Place(**fields)}, False


def _put_address(writer: BitWriter, place: Place) -> None:
    writer.flag(bool(place.postcode))
    if place.postcode:
        letters = place.postcode[4:]
        ending = 0 if not letters else 1 + (ord(letters[0]) - _A) * _LETTERS + ord(letters[1]) - _A
        writer.put((int(place.postcode[:4]) - _POSTCODE_FIRST) * _POSTCODE_ENDINGS + ending, _POSTCODE_BITS)
    writer.ranged(place.house_number, _HOUSE_WIDTHS)
    writer.flag(bool(place.addition))
    if place.addition:
        single = len(place.addition) == 1 and "A" <= place.addition <= "Z"
        writer.flag(not single)
        if single:
            writer.put(ord(place.addition) - _A, 5)
        else:
            writer.short_text(place.addition)


def _take_address(reader: BitReader) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if reader.flag():
        digits, ending = divmod(reader.take(_POSTCODE_BITS), _POSTCODE_ENDINGS)
        if digits + _POSTCODE_FIRST > 9999:  # noqa: PLR2004  four digits
            raise FrameError("postcode that does not exist")
        pair = divmod(ending - 1, _LETTERS) if ending else ()
        fields["postcode"] = f"{digits + _POSTCODE_FIRST}" + "".join(chr(_A + letter) for letter in pair)
    fields["house_number"] = reader.ranged(_HOUSE_WIDTHS)
    if reader.flag():
        fields["addition"] = reader.short_text() if reader.flag() else chr(_A + reader.take(5))
    return fields


# --- finding the person -------------------------------------------------------------------------------------------


def _put_stay(writer: BitWriter, facts: Facts) -> None:
    writer.put(facts.whereabouts, 2)
    if facts.whereabouts is Whereabouts.RETURNS:
        writer.put(-(-facts.returns_min // 10), 6)


def _take_stay(reader: BitReader) -> Taken:
    number = reader.take(2)
    if number == _NEWER_STAY:
        return {}, True
    fields: dict[str, Any] = {"whereabouts": Whereabouts(number)}
    if fields["whereabouts"] is Whereabouts.RETURNS:
        fields["returns_min"] = 10 * reader.take(6)
    return fields, False


def put_phone(writer: BitWriter, number: str) -> None:
    """Write a telephone number of ``0123456789+*#- `` in half a byte a character and half a byte for its end."""
    for character in number:
        writer.put(_DIGITS.index(character), 4)
    writer.put(_DIGITS_END, 4)


def take_phone(reader: BitReader) -> str:
    """Read what :func:`put_phone` wrote."""
    digits = ""
    while (number := reader.take(4)) != _DIGITS_END:
        digits += _DIGITS[number]
    return digits


def is_phone(text: str) -> bool:
    """Return whether :func:`put_phone` can write this."""
    return bool(text) and all(character in _DIGITS for character in text)


def _put_call(writer: BitWriter, facts: Facts) -> None:
    digits = is_phone(facts.callback)
    writer.flag(not digits)
    if digits:
        put_phone(writer, facts.callback)
    else:
        writer.short_text(facts.callback)


def _take_call(reader: BitReader) -> Taken:
    return {"callback": reader.short_text() if reader.flag() else take_phone(reader)}, False


def _put_name(writer: BitWriter, facts: Facts) -> None:
    writer.short_text(facts.name)


def _take_name(reader: BitReader) -> Taken:
    return {"name": reader.short_text()}, False


_GROUPS: tuple[tuple[Callable[[Facts], bool], Callable[[BitWriter, Facts], None], Callable[[BitReader], Taken]], ...]
_GROUPS = (
    (lambda f: bool(f.mark) or f.on_behalf or f.paper_age_s is not None, _put_marks, _take_marks),
    (lambda f: bool(f.flags), _put_flags, _take_flags),
    (lambda f: bool(f.injured or f.trapped or f.children), _put_counts, _take_counts),
    (lambda f: not f.place.here, _put_place, _take_place),
    (lambda f: f.whereabouts is not Whereabouts.HERE, _put_stay, _take_stay),
    (lambda f: bool(f.callback) and _MOBILE.fullmatch(f.callback) is None, _put_call, _take_call),
    (lambda f: bool(f.name), _put_name, _take_name),
)
"""Per group: whether these facts need it, how it is written, how it is read."""
