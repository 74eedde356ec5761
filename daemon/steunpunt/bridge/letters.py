"""Reads messages whose texts were cut within a letter. Pure.

Radios cut names at a number of bytes, and the firmware's decoder does not look whether the rest is UTF-8. Ours refuses
the whole message then, so the texts are mended first: half a letter becomes U+FFFD.
"""

from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

VARINT_BYTES_MAX = 10
_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5
_FIXED = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_MessageT = TypeVar("_MessageT", bound=Message)


def whole_letters(kind: type[_MessageT], raw: bytes) -> _MessageT:
    """Parse a message; texts in it that are not UTF-8 are mended. Raises DecodeError for what is no message."""
    try:
        return kind.FromString(raw)
    except DecodeError:
        return kind.FromString(_mended(kind, raw))


def _mended(kind: type[Message], raw: bytes) -> bytes:
    texts = {field.number for field in kind.DESCRIPTOR.fields if field.type == FieldDescriptor.TYPE_STRING}
    made, at = bytearray(), 0
    while at < len(raw):
        start = at
        tag, at = _varint(raw, at)
        wire = tag & 7
        if wire == _COUNTED:
            size, at = _varint(raw, at)
            body, at = raw[at : at + size], at + size
            if tag >> 3 in texts and len(body) == size:
                body = body.decode("utf-8", "replace").encode()
                made += bytes(_as_varint(tag)) + bytes(_as_varint(len(body))) + body
                continue
        elif wire == _VARINT:
            _, at = _varint(raw, at)
        else:
            at += _FIXED.get(wire, len(raw))  # a group or worse: the parser says what it thinks of it
        made += raw[start:at]
    return bytes(made)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = 0
    for place, byte in enumerate(raw[at : at + VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:  # noqa: PLR2004  the highest bit says that more follows
            return value, at + place + 1
    raise DecodeError("a number has no end")


def _as_varint(value: int) -> list[int]:
    """Write a number seven bits a byte, the lowest first."""
    written = []
    while value > 0x7F:  # noqa: PLR2004
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return [*written, value]
