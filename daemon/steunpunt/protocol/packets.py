"""What all packets have in common: the first byte, the size, and how a long content is counted in fragments.

A packet is the same bytes on every road. Its first byte::

    bits 7-6 version | bits 5-2 kind | bit 1 hello | bit 0 batch

Each kind has a module of its own; the whole layout is in ``docs/security/protocol.md``. A fragment byte is
``index << 4 | last``: the index of this fragment and of the last one, so up to 16, and each tells how many there are.
"""

from enum import IntEnum

from steunpunt.model import PACKET_BYTES_MAX, FrameError

VERSION = 1
HELLO = 0b10
BATCH = 0b01
FRAGMENTS_MAX = 16
NONCE_BYTES = 13
MAC_BYTES = 6
SIGNATURE_BYTES = 64
_FLAGS = HELLO | BATCH


class Kind(IntEnum):
    """What a packet is: four bits of its first byte."""

    PIECE = 1
    FRAGMENT = 2
    TOKENS = 3
    ANSWER = 4
    BEACON = 5
    WANT = 6
    WANT_HELLO = 7
    NEWS = 8
    REVOCATION = 9
    KEYS = 10


def first_byte(kind: Kind, flags: int = 0) -> int:
    """Return the byte that opens a packet."""
    return VERSION << 6 | kind << 2 | flags


def kind_of(packet: bytes) -> Kind:
    """Return a packet's kind; FrameError for another version, a reserved kind, no bytes or more than any packet has."""
    if not 0 < len(packet) <= PACKET_BYTES_MAX:
        raise FrameError(f"packet of {len(packet)} bytes; ours have 1 to {PACKET_BYTES_MAX}")
    if packet[0] >> 6 != VERSION:
        raise FrameError(f"protocol version {packet[0] >> 6}, this software speaks {VERSION}")
    try:
        return Kind(packet[0] >> 2 & 0xF)
    except ValueError as error:
        raise FrameError(f"unknown packet kind {packet[0] >> 2 & 0xF}") from error


def check(packet: bytes, kind: Kind, flags: int = 0) -> None:
    """Raise FrameError unless this is a packet of that kind with no flags but these."""
    if kind_of(packet) is not kind:
        raise FrameError(f"not a {kind.name} packet")
    if packet[0] & _FLAGS & ~flags:
        raise FrameError(f"{kind.name} packet with a flag that is not known to this version")


def fragment_byte(index: int, last: int) -> int:
    """Return the byte of fragment ``index`` out of ``last + 1``; both are 0 to 15."""
    if not 0 <= index <= last < FRAGMENTS_MAX:
        raise ValueError(f"fragment {index} of 0 to {last}; indexes are 0 to {FRAGMENTS_MAX - 1}")
    return index << 4 | last


def fragment_place(byte: int) -> tuple[int, int]:
    """Return (index, last) of a fragment byte; FrameError when the index lies behind the last one."""
    index, last = byte >> 4, byte & 0xF
    if index > last:
        raise FrameError(f"fragment {index} of 0 to {last}")
    return index, last


def nonce(fragment: int | None) -> bytes:
    """Return the nonce of a sealed part: ``fragment || 0^12``, all zero for a whole one, as its key is used once.

    No fragment byte of several is zero (``last`` is not), so whole and fragment never share a nonce either.
    """
    return bytes([fragment or 0]) + bytes(NONCE_BYTES - 1)


def split(content: bytes, bytes_max: int) -> list[bytes]:
    """Cut into as few parts as do, nearly equal in length: the longest packet is the likeliest to be lost.

    ValueError for nothing, or for more than FRAGMENTS_MAX parts of ``bytes_max``.
    """
    count = -(-len(content) // bytes_max)
    if not 0 < count <= FRAGMENTS_MAX:
        raise ValueError(f"{len(content)} bytes; at most {FRAGMENTS_MAX * bytes_max} fit {FRAGMENTS_MAX} fragments")
    size, longer = divmod(len(content), count)
    ends = [(i + 1) * size + min(i + 1, longer) for i in range(count)]
    return [content[start:end] for start, end in zip([0, *ends], ends, strict=False)]
