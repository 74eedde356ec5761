"""Paper as a road: a sealed message as text in QR codes, or as groups of letters for who has no scanner.

What is carried (a *strip*)::

    2  site      1  n      1  age      32  e_pub      …  the bodies of all fragments, one after the other

The epoch's public key is always with it, so the message opens where its hello never came. Nothing in it can be read,
and nothing of the ticket's secret half is in it. A strip is cut into *codes* of at most CODE_CHARS_MAX characters::

    1  index      1  last index      3  SHA-256 of the strip without its age      …  a part      2  check: SHA-256

written as ``SP1:`` and Crockford's base 32: capitals and figures alone, the same on most keyboards, and dense in a QR
code's alphanumeric mode. Typed, the same text goes in groups of six with a seventh for a check: a sum in GF(32) in
which each place has a weight of its own and the group's number counts, so that one wrong letter, two that changed
places and groups in another order are noticed.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from steunpunt.protocol.keys import epoch_id
from steunpunt.protocol.packets import FRAGMENTS_MAX, fragment_byte, split
from steunpunt.protocol.paperletters import CODE_CHARS_MAX, PREFIX, PaperError, from_text, to_text, ungroup
from steunpunt.protocol.pieces import CIPHERTEXT_BYTES_MAX, E_PUB_BYTES, TAG_BYTES, SealedPiece

CODES_MAX = 20
"""Most codes of one message: a strip of 2,852 bytes takes 17."""
READ_CODES_MAX = 200
"""Most codes looked at in one reading."""
_HEAD, _ID, _CHECK = 2, 3, 2
_STRIP_HEAD = 4
_AGE_AT = 3
_PART_BYTES_MAX = (CODE_CHARS_MAX - len(PREFIX)) * 5 // 8 - _HEAD - _ID - _CHECK
_SCANNED = re.compile(r"(?=SP1[^0-9A-Z\s])")
"""Where a scanned code begins; a keyboard of another country may make another sign of the colon."""


class Code(Struct, frozen=True):
    """One code as it was read."""

    index: int
    last: int
    strip_id: bytes
    part: bytes


class PaperMessage(Struct, frozen=True):
    """A whole sealed message: its packets as any other road would carry them, hello in each."""

    site: int
    n: int
    packets: tuple[bytes, ...]


class Incomplete(Struct, frozen=True):
    """A message of which codes are missing; numbers count from 1, as they stand beside the codes."""

    of: int
    missing: tuple[int, ...]


@dataclass(slots=True)
class Reading:
    """What came out of a text of scanned and typed codes."""

    messages: list[PaperMessage] = field(default_factory=list)
    incomplete: list[Incomplete] = field(default_factory=list)
    damaged: list[PaperError] = field(default_factory=list)


# --- writing ------------------------------------------------------------------------------------------------------


def codes(site: int, n: int, age: int, e_pub: bytes, bodies: bytes) -> list[str]:
    """Return the codes of a sealed message; ValueError for more than sixteen fragments.

    ``age`` is the byte of :mod:`steunpunt.protocol.age`, ``bodies`` what the outbox keeps: ciphertext and tag of each
    fragment, one after the other.
    """
    fragment_sizes(len(bodies))
    head = site.to_bytes(2, "big") + bytes([n])
    strip = head + bytes([age]) + e_pub + bodies
    count = -(-len(strip) // _PART_BYTES_MAX)
    size = -(-len(strip) // count)
    parts = [strip[start : start + size] for start in range(0, len(strip), size)]
    return [_code(index, len(parts) - 1, _strip_id(strip), part) for index, part in enumerate(parts)]


def fragment_sizes(bodies_bytes: int) -> list[int]:
    """Return the length of each fragment's body in the bodies of a message; ValueError when they cannot be that."""
    count = -(-bodies_bytes // (CIPHERTEXT_BYTES_MAX + TAG_BYTES))
    parts = split(bytes(max(bodies_bytes - count * TAG_BYTES, 0)), CIPHERTEXT_BYTES_MAX)
    if len(parts) != count:
        raise ValueError(f"{bodies_bytes} bytes are not the bodies of whole fragments, at most {FRAGMENTS_MAX}")
    return [len(part) + TAG_BYTES for part in parts]


def _code(index: int, last: int, strip_id: bytes, part: bytes) -> str:
    content = bytes([index, last]) + strip_id + part
    return PREFIX + to_text(content + _checksum(content))


def _strip_id(strip: bytes) -> bytes:
    """Without the age, which grows: codes of two prints of one message belong together."""
    return hashlib.sha256(strip[:_AGE_AT] + strip[_AGE_AT + 1 :]).digest()[:_ID]


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(b"steunpunt paper v1" + content).digest()[:_CHECK]


# --- reading ------------------------------------------------------------------------------------------------------


def read(text: str) -> Reading:
    """Return the messages in a text: scanned codes in any order, and typed ones with an empty line between two.

    At most READ_CODES_MAX codes are looked at. What is not whole or damaged is told, not raised.
    """
    reading = Reading()
    found: dict[tuple[bytes, int], dict[int, Code]] = {}
    for number, (scanned, content) in enumerate(_blocks(text)):
        if number >= READ_CODES_MAX:
            break
        try:
            code = _read_scanned(content) if scanned else _parse(ungroup(content))
        except PaperError as error:
            reading.damaged.append(error)
        else:
            found.setdefault((code.strip_id, code.last), {})[code.index] = code
    for (strip_id, last), parts in found.items():
        _put_together(reading, strip_id, last, parts)
    return reading


def _blocks(text: str) -> Iterator[tuple[bool, str]]:
    """Give (scanned?, content) of each code in a text."""
    typed: list[str] = []
    for line in [*text.upper().splitlines(), ""]:
        first, *scanned = _SCANNED.split(line)
        if first.strip():
            typed.append(first)
        if typed and (scanned or not first.strip()):
            yield False, "".join(typed)
            typed = []
        yield from ((True, one) for one in scanned)


def _read_scanned(text: str) -> Code:
    return _parse("".join(c for c in text[len(PREFIX) :] if c.isalnum()))


def _parse(text: str) -> Code:
    content = from_text(text)
    content, check = content[:-_CHECK], content[-_CHECK:]
    if len(content) <= _HEAD + _ID or check != _checksum(content):
        raise PaperError("a code is damaged; scan it again")
    index, last = content[0], content[1]
    if index > last or last >= CODES_MAX:
        raise PaperError(f"a code says that it is {index + 1} of {last + 1}")
    return Code(index, last, content[_HEAD : _HEAD + _ID], content[_HEAD + _ID :])


def _put_together(reading: Reading, strip_id: bytes, last: int, parts: dict[int, Code]) -> None:
    missing = tuple(index + 1 for index in range(last + 1) if index not in parts)
    if missing:
        reading.incomplete.append(Incomplete(last + 1, missing))
        return
    strip = b"".join(parts[index].part for index in range(last + 1))
    try:
        reading.messages.append(_message(strip, strip_id))
    except PaperError as error:
        reading.damaged.append(error)


def _message(strip: bytes, strip_id: bytes) -> PaperMessage:
    if _strip_id(strip) != strip_id:
        raise PaperError("codes that do not belong together")
    site, n, age = int.from_bytes(strip[:2], "big"), strip[2:3], strip[_AGE_AT:_STRIP_HEAD]
    e_pub, bodies = strip[_STRIP_HEAD : _STRIP_HEAD + E_PUB_BYTES], strip[_STRIP_HEAD + E_PUB_BYTES :]
    try:
        sizes = fragment_sizes(len(bodies))
    except ValueError as error:
        raise PaperError(f"a message of {len(bodies)} bytes; at most {FRAGMENTS_MAX} fragments") from error
    packets, start = [], 0
    for index, size in enumerate(sizes):
        place = None if len(sizes) == 1 else fragment_byte(index, len(sizes) - 1)
        piece = SealedPiece(site, epoch_id(e_pub), n[0], bodies[start : start + size], place)
        packets.append(piece.packet(age[0], e_pub))
        start += size
    return PaperMessage(site, n[0], tuple(packets))
