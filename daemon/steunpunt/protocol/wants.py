"""What a coordinator asks a kiosk for: missing fragments, and the public key of an epoch it does not know.

WANT, 15 bytes: first byte, site 2, epoch id 3, n, bitmap 2 (bit i: fragment i is missing), then
``HMAC(V, all before)[:6]``: only who holds the region's keys can ask.

WANT-HELLO, 6 bytes: first byte, site 2, epoch id 3. Nobody can authenticate it, for the key of that epoch is what is
asked for; so a kiosk answers seldom (:mod:`steunpunt.relay.epochs`).
"""

import hmac

from msgspec import Struct

from steunpunt.model import FrameError
from steunpunt.protocol.packets import FRAGMENTS_MAX, MAC_BYTES, Kind, check, first_byte

WANT_BYTES = 15
WANT_HELLO_BYTES = 6
BITMAP_MAX = (1 << FRAGMENTS_MAX) - 1


class Want(Struct, frozen=True):
    """The fragments of one message that a coordinator misses."""

    site: int
    eid: bytes
    n: int
    bitmap: int
    """Bit i: fragment i is missing."""
    mac: bytes = b""
    """As heard; what is packed gets one of its own."""

    def pack(self, verify: bytes) -> bytes:
        """Return the packet, authenticated with V of the message; ValueError for a bitmap that asks for nothing."""
        if not 0 < self.bitmap <= BITMAP_MAX:
            raise ValueError(f"bitmap {self.bitmap:#x} asks for no fragment; it has 1 to {FRAGMENTS_MAX} bits")
        front = self._front()
        return front + _mac(verify, front)

    def genuine(self, verify: bytes) -> bool:
        """Return whether who holds the region's keys asks for this, given V of the message."""
        return hmac.compare_digest(self.mac, _mac(verify, self._front()))

    def indexes(self) -> tuple[int, ...]:
        """Return which fragments are missing, ascending."""
        return tuple(i for i in range(FRAGMENTS_MAX) if self.bitmap >> i & 1)

    def _front(self) -> bytes:
        address = self.site.to_bytes(2, "big") + self.eid + bytes([self.n])
        return bytes([first_byte(Kind.WANT)]) + address + self.bitmap.to_bytes(2, "big")


def _mac(verify: bytes, front: bytes) -> bytes:
    return hmac.digest(verify, front, "sha256")[:MAC_BYTES]


def parse_want(packet: bytes) -> Want:
    """Take a WANT apart; FrameError when it is none, of another length, or asks for nothing."""
    check(packet, Kind.WANT)
    if len(packet) != WANT_BYTES:
        raise FrameError(f"WANT of {len(packet)} bytes")
    bitmap = int.from_bytes(packet[7:9], "big")
    if not bitmap:
        raise FrameError("WANT that asks for nothing")
    return Want(int.from_bytes(packet[1:3], "big"), packet[3:6], packet[6], bitmap, packet[9:])


class WantHello(Struct, frozen=True):
    """An epoch whose public key a coordinator misses."""

    site: int
    eid: bytes

    def pack(self) -> bytes:
        """Return the packet (6 bytes)."""
        return bytes([first_byte(Kind.WANT_HELLO)]) + self.site.to_bytes(2, "big") + self.eid


def parse_want_hello(packet: bytes) -> WantHello:
    """Take a WANT-HELLO apart; FrameError when it is none or of another length. Anybody can make one."""
    check(packet, Kind.WANT_HELLO)
    if len(packet) != WANT_HELLO_BYTES:
        raise FrameError(f"WANT-HELLO of {len(packet)} bytes")
    return WantHello(int.from_bytes(packet[1:3], "big"), packet[3:6])
