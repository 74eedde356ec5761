"""The packets on the air and on the broker: the same bytes on every road.

PIECE (one sealed message)::

    1  version (2 bits) | kind (4) | hello (1) | batch (1)
    1  age, log scale, outside the seal (steunpunt.protocol.age)
    2  site      3  epoch id      1  n
    …  ciphertext, at most 168 bytes
    8  AES-CCM-16-64-128 tag
    32 e_pub, only with hello

Sixteen bytes around the ciphertext. Associated data: version and kind (flags zero), site, eid, n. The nonce is
``fragment || 0^12`` with fragment 0 for a whole piece: the key is used once. Kinds 2 (fragment), 6 to 8 (WANT,
WANT-HELLO, NEWS) and the batch flag are reserved for messages of more than one piece, batches and announcements.

TOKENS (receipts), ``6 + 6k`` bytes: kind, coordinator, incarnation, news serial 2, minutes since a person acted there 1
(255: nobody yet); then per message ``HMAC(V, code || these 6 bytes)[:6]``. No addresses: a kiosk recomputes over
its open messages.

ANSWER, ``16 + text`` bytes: kind, fragment 0, salt 4, ciphertext, CCM tag 4 under HMAC(A, salt), then
``HMAC(V, all before)[:6]``: the kiosk checks it without being able to read it.

BEACON, 74 bytes: kind, coordinator, incarnation, news serial 2, minutes 1, counter 4, Ed25519 signature 64.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from steunpunt.model import PACKET_BYTES_MAX, FrameError, SealError, TokenCode
from steunpunt.protocol.keys import MessageKeys, verified

VERSION = 1
CIPHERTEXT_BYTES_MAX = 168
PIECE_OVERHEAD_BYTES = 16
E_PUB_BYTES = 32
TOKEN_BYTES = 6
TOKENS_MAX = 35
"""Most tokens in one packet: 6 + 35 * 6 = 216 bytes."""
NOBODY_YET = 255
_HELLO = 0b10
_BATCH = 0b01
_FLAGS = _HELLO | _BATCH
_NONCE = bytes(13)
_PIECE_HEAD = 8
_TAG = 8
_TOKENS_HEAD = 6
_ANSWER_HEAD = 6
_ANSWER_TAG = 4
_MAC = 6
_BEACON_BODY = 10
_SIGNATURE = 64
_BEACON_LABEL = b"steunpunt beacon v1"


class Kind(IntEnum):
    """What a packet is: four bits of its first byte."""

    PIECE = 1
    TOKENS = 3
    ANSWER = 4
    BEACON = 5


def _first_byte(kind: Kind) -> int:
    return VERSION << 6 | kind << 2


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


def _check(packet: bytes, kind: Kind, flags: int = 0) -> None:
    """Raise FrameError unless this is a packet of that kind with no flags but these."""
    if kind_of(packet) is not kind:
        raise FrameError(f"not a {kind.name} packet")
    if packet[0] & _FLAGS & ~flags:
        raise FrameError(f"{kind.name} packet with a flag that is not known to this version")


@dataclass(frozen=True, slots=True)
class SealedPiece:
    """A sealed message: immutable, the same bytes on every road and at every try."""

    site: int
    eid: bytes
    n: int
    body: bytes
    """Ciphertext and tag."""

    def packet(self, age: int, hello: bytes | None) -> bytes:
        """Return the packet around this piece: its age byte now, and e_pub while the epoch is unreceipted."""
        first = _first_byte(Kind.PIECE) | (_HELLO if hello else 0)
        return bytes([first, age]) + self._address() + self.body + (hello or b"")

    def _address(self) -> bytes:
        return self.site.to_bytes(2, "big") + self.eid + bytes([self.n])

    def associated(self) -> bytes:
        """Return the bytes the seal covers besides the text."""
        return bytes([_first_byte(Kind.PIECE)]) + self._address()

    def open(self, keys: MessageKeys) -> bytes:
        """Return the plain bytes; SealError when the piece is not what was sealed."""
        try:
            return AESCCM(keys.enc, tag_length=_TAG).decrypt(_NONCE, self.body, self.associated())
        except InvalidTag as error:
            raise SealError(f"piece of site {self.site} does not authenticate") from error


def seal(site: int, eid: bytes, n: int, keys: MessageKeys, plain: bytes) -> SealedPiece:
    """Seal at most CIPHERTEXT_BYTES_MAX bytes; ValueError beyond."""
    if len(plain) > CIPHERTEXT_BYTES_MAX:
        raise ValueError(f"{len(plain)} bytes do not fit one piece of {CIPHERTEXT_BYTES_MAX}; shorten the text")
    bare = SealedPiece(site, eid, n, b"")
    body = AESCCM(keys.enc, tag_length=_TAG).encrypt(_NONCE, plain, bare.associated())
    return SealedPiece(site, eid, n, body)


@dataclass(frozen=True, slots=True)
class HeardPiece:
    """A piece as it came in: with its age byte and, under hello, the epoch's public key."""

    piece: SealedPiece
    age: int
    e_pub: bytes | None


def parse_piece(packet: bytes) -> HeardPiece:
    """Take a PIECE packet apart; FrameError when it is none, too short, too long or a batch."""
    _check(packet, Kind.PIECE, _HELLO)
    hello = bool(packet[0] & _HELLO)
    end = len(packet) - (E_PUB_BYTES if hello else 0)
    if not _TAG < end - _PIECE_HEAD <= CIPHERTEXT_BYTES_MAX + _TAG:
        raise FrameError(f"piece of {len(packet)} bytes: too short or too long")
    piece = SealedPiece(int.from_bytes(packet[2:4], "big"), packet[4:7], packet[7], packet[_PIECE_HEAD:end])
    return HeardPiece(piece, packet[1], packet[end:] if hello else None)


@dataclass(frozen=True, slots=True)
class Head:
    """What every packet of a coordinator says of itself."""

    coordinator: int
    incarnation: int
    serial: int
    active_min: int
    """Minutes since a person last acted there, 0 to 254; 255: nobody yet."""

    def pack(self, kind: Kind) -> bytes:
        """Return the six bytes that open a TOKENS or BEACON packet."""
        return (
            bytes([_first_byte(kind), self.coordinator, self.incarnation])
            + self.serial.to_bytes(2, "big")
            + bytes([self.active_min])
        )

    @classmethod
    def parse(cls, packet: bytes) -> "Head":
        """Read the first six bytes of a TOKENS or BEACON packet."""
        return cls(packet[1], packet[2], int.from_bytes(packet[3:5], "big"), packet[5])


def token(verify: bytes, code: TokenCode, head: bytes) -> bytes:
    """Return the six bytes that only a coordinator of the region can make for this message and this head."""
    return hmac.digest(verify, bytes([code]) + head, "sha256")[:TOKEN_BYTES]


def pack_tokens(head: Head, claims: Iterable[tuple[bytes, TokenCode]]) -> bytes:
    """Return a TOKENS packet for (V, code) pairs; ValueError for none or more than TOKENS_MAX."""
    front = head.pack(Kind.TOKENS)
    tokens = [token(verify, code, front) for verify, code in claims]
    if not 0 < len(tokens) <= TOKENS_MAX:
        raise ValueError(f"{len(tokens)} tokens; a packet holds 1 to {TOKENS_MAX}")
    return front + b"".join(tokens)


@dataclass(frozen=True, slots=True)
class HeardTokens:
    """A TOKENS packet taken apart; nothing in it is trusted until a token matches."""

    head: Head
    front: bytes
    tokens: frozenset[bytes]

    def claims(self, verify: bytes) -> list[TokenCode]:
        """Return what this packet says of the message with key V: 0 or more codes."""
        return [code for code in TokenCode if token(verify, code, self.front) in self.tokens]


def parse_tokens(packet: bytes) -> HeardTokens:
    """Take a TOKENS packet apart; FrameError when it is none or its length cannot be right."""
    _check(packet, Kind.TOKENS)
    rest = packet[_TOKENS_HEAD:]
    if not rest or len(rest) % TOKEN_BYTES or len(rest) > TOKENS_MAX * TOKEN_BYTES:
        raise FrameError(f"tokens packet of {len(packet)} bytes")
    parts = frozenset(rest[i : i + TOKEN_BYTES] for i in range(0, len(rest), TOKEN_BYTES))
    return HeardTokens(Head.parse(packet), packet[:_TOKENS_HEAD], parts)


def seal_answer(keys: MessageKeys, salt: bytes, plain: bytes) -> bytes:
    """Return an ANSWER packet; ``salt`` is four random bytes, one per answer."""
    front = bytes([_first_byte(Kind.ANSWER), 0]) + salt
    cipher = AESCCM(_answer_key(keys.answer, salt), tag_length=_ANSWER_TAG)
    sealed = front + cipher.encrypt(_NONCE, plain, front)
    return sealed + hmac.digest(keys.verify, sealed, "sha256")[:_MAC]


def answer_salt(packet: bytes) -> bytes:
    """Return an ANSWER's salt; FrameError when the packet is none or too short to be one."""
    _check(packet, Kind.ANSWER)
    if len(packet) <= _ANSWER_HEAD + _ANSWER_TAG + _MAC or packet[1]:
        raise FrameError(f"answer packet of {len(packet)} bytes")
    return packet[2:_ANSWER_HEAD]


def answer_is_for(packet: bytes, verify: bytes) -> bool:
    """Return whether this ANSWER belongs to the message with key V and comes from the region."""
    expected = hmac.digest(verify, packet[:-_MAC], "sha256")[:_MAC]
    return hmac.compare_digest(expected, packet[-_MAC:])


def open_answer(packet: bytes, answer_key: bytes) -> bytes:
    """Return an ANSWER's plain bytes; SealError with the wrong key."""
    salt = answer_salt(packet)
    cipher = AESCCM(_answer_key(answer_key, salt), tag_length=_ANSWER_TAG)
    try:
        return cipher.decrypt(_NONCE, packet[_ANSWER_HEAD:-_MAC], packet[:_ANSWER_HEAD])
    except InvalidTag as error:
        raise SealError("this answer belongs to another ticket") from error


def _answer_key(answer: bytes, salt: bytes) -> bytes:
    return hmac.digest(answer, salt, "sha256")[:16]


@dataclass(frozen=True, slots=True)
class Beacon:
    """A coordinator's signed sign of life; ``counter`` only rises within an incarnation."""

    head: Head
    counter: int
    body: bytes
    signature: bytes

    def genuine(self, news_public: bytes) -> bool:
        """Return whether the coordinator with this news key signed it."""
        return verified(news_public, self.signature, _BEACON_LABEL + self.body)


def beacon_body(head: Head, counter: int) -> bytes:
    """Return the unsigned part of a BEACON (10 bytes)."""
    return head.pack(Kind.BEACON) + counter.to_bytes(4, "big")


def beacon_signed_part(body: bytes) -> bytes:
    """Return what the coordinator signs: the body under a label of its own."""
    return _BEACON_LABEL + body


def parse_beacon(packet: bytes) -> Beacon:
    """Take a BEACON apart; FrameError when it is none or its length is wrong."""
    _check(packet, Kind.BEACON)
    if len(packet) != _BEACON_BODY + _SIGNATURE:
        raise FrameError(f"beacon of {len(packet)} bytes")
    body = packet[:_BEACON_BODY]
    return Beacon(Head.parse(body), int.from_bytes(body[6:10], "big"), body, packet[_BEACON_BODY:])
