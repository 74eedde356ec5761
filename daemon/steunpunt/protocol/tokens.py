"""Tokens: what the region says of single messages, and the head of each packet in which a coordinator speaks.

TOKENS (receipts), ``6 + 6k`` bytes: kind, coordinator, incarnation, news serial 2, minutes since a person acted there 1
(255: nobody yet); then per message ``HMAC(V, code || these 6 bytes)[:6]``. No addresses: a kiosk recomputes over
its open messages.
"""

import hmac
from collections.abc import Iterable

from msgspec import Struct

from steunpunt.model import FrameError, TokenCode
from steunpunt.protocol.packets import Kind, check, first_byte

TOKEN_BYTES = 6
TOKENS_MAX = 35
"""Most tokens in one packet: 6 + 35 * 6 = 216 bytes."""
NOBODY_YET = 255
HEAD_BYTES = 6


class Head(Struct, frozen=True):
    """What every packet of a coordinator says of itself."""

    coordinator: int
    incarnation: int
    serial: int
    active_min: int
    """Minutes since a person last acted there, 0 to 254; 255: nobody yet."""

    def pack(self, kind: Kind) -> bytes:
        """Return the six bytes that open a TOKENS or BEACON packet."""
        return (
            bytes([first_byte(kind), self.coordinator, self.incarnation])
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


class HeardTokens(Struct, frozen=True):
    """A TOKENS packet taken apart; nothing in it is trusted until a token matches."""

    head: Head
    front: bytes
    tokens: frozenset[bytes]

    def claims(self, verify: bytes) -> list[TokenCode]:
        """Return what this packet says of the message with key V: 0 or more codes."""
        return [code for code in TokenCode if token(verify, code, self.front) in self.tokens]


def parse_tokens(packet: bytes) -> HeardTokens:
    """Take a TOKENS packet apart; FrameError when it is none or its length cannot be right."""
    check(packet, Kind.TOKENS)
    rest = packet[HEAD_BYTES:]
    if not rest or len(rest) % TOKEN_BYTES or len(rest) > TOKENS_MAX * TOKEN_BYTES:
        raise FrameError(f"tokens packet of {len(packet)} bytes")
    parts = frozenset(rest[i : i + TOKEN_BYTES] for i in range(0, len(rest), TOKEN_BYTES))
    return HeardTokens(Head.parse(packet), packet[:HEAD_BYTES], parts)
