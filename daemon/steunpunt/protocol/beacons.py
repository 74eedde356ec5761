"""Beacons: a coordinator's signed sign of life over the broker.

BEACON, 74 bytes: kind, coordinator, incarnation, news serial 2, minutes 1, counter 4, Ed25519 signature 64.
"""

from msgspec import Struct

from steunpunt.model import FrameError
from steunpunt.protocol.keys import verified
from steunpunt.protocol.packets import SIGNATURE_BYTES, Kind, check
from steunpunt.protocol.tokens import HEAD_BYTES, Head

_BODY = HEAD_BYTES + 4
_LABEL = b"steunpunt beacon v1"


class Beacon(Struct, frozen=True):
    """A coordinator's signed sign of life; ``counter`` only rises within an incarnation."""

    head: Head
    counter: int
    body: bytes
    signature: bytes

    def genuine(self, news_public: bytes) -> bool:
        """Return whether the coordinator with this news key signed it."""
        return verified(news_public, self.signature, _LABEL + self.body)


def beacon_body(head: Head, counter: int) -> bytes:
    """Return the unsigned part of a BEACON (10 bytes)."""
    return head.pack(Kind.BEACON) + counter.to_bytes(4, "big")


def beacon_signed_part(body: bytes) -> bytes:
    """Return what the coordinator signs: the body under a label of its own."""
    return _LABEL + body


def parse_beacon(packet: bytes) -> Beacon:
    """Take a BEACON apart; FrameError when it is none or its length is wrong."""
    check(packet, Kind.BEACON)
    if len(packet) != _BODY + SIGNATURE_BYTES:
        raise FrameError(f"beacon of {len(packet)} bytes")
    body = packet[:_BODY]
    return Beacon(Head.parse(body), int.from_bytes(body[6:10], "big"), body, packet[_BODY:])
