"""Answers: what a person wrote to a citizen. The kiosk checks one without being able to read it.

ANSWER, 16 bytes around the text: kind, fragment byte, salt 4, ciphertext, CCM tag 4 under ``HMAC(A, salt)[:16]``, then
``HMAC(V, all before)[:6]``. An answer of more than one packet goes in up to 16: their salts are the answer's with the
fragment's index in the last four bits, so each has a key of its own, and is stored, acknowledged and sent again by
its salt like a whole answer.
"""

import hmac
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from msgspec import Struct

from steunpunt.model import PACKET_BYTES_MAX, FrameError, SealError
from steunpunt.protocol.keys import MessageKeys
from steunpunt.protocol.packets import (
    FRAGMENTS_MAX,
    MAC_BYTES,
    Kind,
    check,
    first_byte,
    fragment_byte,
    fragment_place,
    nonce,
    split,
)

SALT_BYTES = 4
_HEAD = 2 + SALT_BYTES
_TAG = 4
ANSWER_OVERHEAD_BYTES = _HEAD + _TAG + MAC_BYTES
ANSWER_PART_BYTES_MAX = PACKET_BYTES_MAX - ANSWER_OVERHEAD_BYTES
"""Plain bytes in one packet: 201."""
ANSWER_PLAIN_BYTES_MAX = FRAGMENTS_MAX * ANSWER_PART_BYTES_MAX
"""Plain bytes of the longest answer: 3,216."""


def seal_answer(keys: MessageKeys, salt: bytes, plain: bytes) -> bytes:
    """Return the one ANSWER packet of a short answer; ValueError when it takes more than one."""
    packets = seal_answers(keys, salt, plain)
    if len(packets) > 1:
        raise ValueError(f"{len(plain)} bytes do not fit one answer of {ANSWER_PART_BYTES_MAX}; shorten the text")
    return packets[0]


def seal_answers(keys: MessageKeys, salt: bytes, plain: bytes) -> tuple[bytes, ...]:
    """Return the ANSWER packets of an answer, 1 to 16; ``salt`` is four random bytes, fresh for each answer.

    ValueError for nothing, or for more than ANSWER_PLAIN_BYTES_MAX.
    """
    parts = split(plain, ANSWER_PART_BYTES_MAX)
    if len(parts) == 1:
        return (_seal(keys, 0, salt, plain),)
    last = len(parts) - 1
    salts = [salt[:-1] + bytes([salt[-1] & 0xF0 | i]) for i in range(len(parts))]
    return tuple(_seal(keys, fragment_byte(i, last), salts[i], part) for i, part in enumerate(parts))


def _seal(keys: MessageKeys, fragment: int, salt: bytes, plain: bytes) -> bytes:
    front = bytes([first_byte(Kind.ANSWER), fragment]) + salt
    cipher = AESCCM(_answer_key(keys.answer, salt), tag_length=_TAG)
    sealed = front + cipher.encrypt(nonce(fragment), plain, front)
    return sealed + hmac.digest(keys.verify, sealed, "sha256")[:MAC_BYTES]


class AnswerPart(Struct, frozen=True):
    """What an ANSWER packet says of itself: which answer it is of, and which part."""

    salt: bytes
    """As in the packet: names this part in acknowledgements."""
    index: int
    last: int

    @property
    def group(self) -> bytes:
        """What the parts of one answer have in common, and those of another have not."""
        return self.salt[:-1] + bytes([self.salt[-1] & 0xF0, self.last]) if self.last else self.salt + b"\0"


def answer_part(packet: bytes) -> AnswerPart:
    """Return what an ANSWER says of itself; FrameError when the packet is none or too short to be one."""
    check(packet, Kind.ANSWER)
    if len(packet) <= ANSWER_OVERHEAD_BYTES:
        raise FrameError(f"answer packet of {len(packet)} bytes")
    index, last = fragment_place(packet[1])
    salt = packet[2:_HEAD]
    if last and salt[-1] & 0xF != index:
        raise FrameError("answer fragment under the salt of another")
    return AnswerPart(salt, index, last)


def answer_salt(packet: bytes) -> bytes:
    """Return the salt of a whole answer; FrameError when the packet is none, or a fragment of one."""
    part = answer_part(packet)
    if part.last:
        raise FrameError("a fragment of an answer where a whole one is expected")
    return part.salt


def answer_is_for(packet: bytes, verify: bytes) -> bool:
    """Return whether this ANSWER belongs to the message with key V and comes from the region."""
    expected = hmac.digest(verify, packet[:-MAC_BYTES], "sha256")[:MAC_BYTES]
    return hmac.compare_digest(expected, packet[-MAC_BYTES:])


def open_answer(packet: bytes, answer_key: bytes) -> bytes:
    """Return the plain bytes of a whole answer or of one part; SealError with the wrong key."""
    salt = answer_part(packet).salt
    cipher = AESCCM(_answer_key(answer_key, salt), tag_length=_TAG)
    try:
        return cipher.decrypt(nonce(packet[1]), packet[_HEAD:-MAC_BYTES], packet[:_HEAD])
    except InvalidTag as error:
        raise SealError("this answer belongs to another ticket") from error


def open_answers(packets: Sequence[bytes], answer_key: bytes) -> bytes:
    """Return the plain bytes of an answer from all its packets, in any order.

    SealError with the wrong key, FrameError when they are not the whole of one answer.
    """
    parts = sorted(((answer_part(packet), packet) for packet in packets), key=lambda pair: pair[0].index)
    places = [(part.index, part.last) for part, _ in parts]
    whole = places == [(i, len(parts) - 1) for i in range(len(parts))]
    if not whole or len({part.group for part, _ in parts}) != 1:
        raise FrameError(f"{len(packets)} packets that are not the whole of one answer")
    return b"".join(open_answer(packet, answer_key) for _, packet in parts)


def whole_answers(packets: Sequence[bytes]) -> list[list[bytes]]:
    """Return the packets of each answer of which all parts are there, in the order of their first ones."""
    groups: dict[bytes, list[bytes]] = {}
    for packet in packets:
        groups.setdefault(answer_part(packet).group, []).append(packet)
    return [group for group in groups.values() if len(group) == answer_part(group[0]).last + 1]


def _answer_key(answer: bytes, salt: bytes) -> bytes:
    return hmac.digest(answer, salt, "sha256")[:16]
