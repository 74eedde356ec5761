"""What the region's offline root says: which cards are no longer trusted, and which public keys are new.

The root's key lies in the safe. Its word is public and may come over any road: the mesh, the broker, or a stick.

REVOCATION, 65 + 3k bytes: first byte; for each card site 2, generation 1; Ed25519 over "steunpunt revocation v1" and
all before. It revokes that generation of the site and all below it. There is no way back: revocations heard twice,
or in another order, say the same.

KEYS, 100 bytes: first byte, whose 1 (0: the region; 1 to 15: that coordinator), serial 2, public key 32, Ed25519 over
"steunpunt keys v1" and all before. The highest serial counts, each holder with serials of its own; what lies on a
card from the start has serial 0.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from steunpunt.model import COORDINATOR_ID_MAX, PACKET_BYTES_MAX, SITE_ID_MAX, FrameError, SealError
from steunpunt.protocol.keys import KEY_BYTES, verified
from steunpunt.protocol.packets import SIGNATURE_BYTES, Kind, check, first_byte, kind_of

CARD_BYTES = 3
CARDS_MAX = (PACKET_BYTES_MAX - 1 - SIGNATURE_BYTES) // CARD_BYTES
"""Most cards in one REVOCATION: 50."""
REGION = 0
"""Whose key a KEYS packet brings: the region's, by which kiosks seal."""
KEY_SERIAL_MAX = 0xFFFF
_GENERATION_MAX = 255
_KEYS_BYTES = 4 + KEY_BYTES + SIGNATURE_BYTES
_REVOCATION_LABEL = b"steunpunt revocation v1"
_KEYS_LABEL = b"steunpunt keys v1"


class Revocation(Struct, frozen=True):
    """Cards that are no longer trusted, as (site, generation): that generation of the site and all below it."""

    cards: tuple[tuple[int, int], ...]
    signature: bytes = b""

    def pack(self, sign: Callable[[bytes], bytes]) -> bytes:
        """Return the packet, signed by the offline root; ValueError for none, too many or impossible cards."""
        possible = all(0 < site <= SITE_ID_MAX and 0 < g <= _GENERATION_MAX for site, g in self.cards)
        if not 0 < len(self.cards) <= CARDS_MAX or not possible:
            raise ValueError(f"{len(self.cards)} cards to revoke: 1 to {CARDS_MAX}, each a site and a generation")
        return self._body() + sign(_REVOCATION_LABEL + self._body())

    def genuine(self, root_public: bytes) -> bool:
        """Return whether the offline root signed it."""
        return verified(root_public, self.signature, _REVOCATION_LABEL + self._body())

    def _body(self) -> bytes:
        cards = b"".join(site.to_bytes(2, "big") + bytes([g]) for site, g in self.cards)
        return bytes([first_byte(Kind.REVOCATION)]) + cards


def parse_revocation(packet: bytes) -> Revocation:
    """Take a REVOCATION apart; FrameError when it is none or its length or a card cannot be right."""
    check(packet, Kind.REVOCATION)
    end = len(packet) - SIGNATURE_BYTES
    if end <= 1 or (end - 1) % CARD_BYTES:
        raise FrameError(f"revocation of {len(packet)} bytes")
    starts = range(1, end, CARD_BYTES)
    cards = tuple((int.from_bytes(packet[at : at + 2], "big"), packet[at + 2]) for at in starts)
    if not all(site and generation for site, generation in cards):
        raise FrameError("revocation of a card that cannot be")
    return Revocation(cards, packet[end:])


def revoked_after(revoked: Mapping[int, int], cards: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Return for each site the highest revoked generation, after these cards were revoked, too."""
    after = dict(revoked)
    for site, generation in cards:
        after[site] = max(after.get(site, 0), generation)
    return after


class KeyNotice(Struct, frozen=True):
    """A new public key of the region or of a coordinator."""

    holder: int
    """REGION (0), or a coordinator's id."""
    serial: int
    public: bytes
    """X25519 of the region, Ed25519 of a coordinator."""
    signature: bytes = b""

    def pack(self, sign: Callable[[bytes], bytes]) -> bytes:
        """Return the packet, signed by the offline root; ValueError for a holder, serial or key that cannot be."""
        good = 0 <= self.holder <= COORDINATOR_ID_MAX and 0 < self.serial <= KEY_SERIAL_MAX
        if not good or len(self.public) != KEY_BYTES:
            limits = f"0 to {COORDINATOR_ID_MAX}, 1 to {KEY_SERIAL_MAX}, {KEY_BYTES} bytes"
            raise ValueError(f"key notice of holder {self.holder}, serial {self.serial}: they are {limits}")
        return self._body() + sign(_KEYS_LABEL + self._body())

    def genuine(self, root_public: bytes) -> bool:
        """Return whether the offline root signed it."""
        return verified(root_public, self.signature, _KEYS_LABEL + self._body())

    def counts(self, serial: int) -> bool:
        """Return whether it is newer than the key of this holder that came with ``serial`` (0: with the card)."""
        return self.serial > serial

    def _body(self) -> bytes:
        return bytes([first_byte(Kind.KEYS), self.holder]) + self.serial.to_bytes(2, "big") + self.public


def parse_key_notice(packet: bytes) -> KeyNotice:
    """Take a KEYS packet apart; FrameError when it is none, of another length, or of a holder that cannot be."""
    check(packet, Kind.KEYS)
    if len(packet) != _KEYS_BYTES:
        raise FrameError(f"KEYS packet of {len(packet)} bytes")
    holder, serial = packet[1], int.from_bytes(packet[2:4], "big")
    if holder > COORDINATOR_ID_MAX or not serial:
        raise FrameError(f"KEYS packet of holder {holder}, serial {serial}")
    return KeyNotice(holder, serial, packet[4 : 4 + KEY_BYTES], packet[4 + KEY_BYTES :])


def parse_notice(packet: bytes, root_public: bytes) -> Revocation | KeyNotice:
    """Read a word of the offline root of either kind; FrameError when it is none, SealError when another signed it."""
    revocation = kind_of(packet) is Kind.REVOCATION
    notice = parse_revocation(packet) if revocation else parse_key_notice(packet)
    if not notice.genuine(root_public):
        raise SealError("a notice that the region's offline root did not sign")
    return notice


def _most_first(said: tuple[frozenset[tuple[int, int]], bytes]) -> tuple[int, int, bytes]:
    cards, packet = said
    return -len(cards), -sum(generation for _, generation in cards), packet


def merged(packets: Iterable[bytes], root_public: bytes) -> tuple[bytes, ...]:
    """Return the genuine notices that still say something: the newest key of each holder, and what revokes most.

    FrameError and SealError as :func:`parse_notice`.
    """
    keys: dict[int, tuple[int, bytes]] = {}
    lists: list[tuple[frozenset[tuple[int, int]], bytes]] = []
    for packet in packets:
        notice = parse_notice(packet, root_public)
        if isinstance(notice, Revocation):
            lists.append((frozenset(notice.cards), packet))
        elif notice.counts(keys.get(notice.holder, (0, b""))[0]):
            keys[notice.holder] = (notice.serial, packet)
    kept: list[bytes] = []
    said: dict[int, int] = {}
    for cards, packet in sorted(lists, key=_most_first):
        if revoked_after(said, cards) != said:
            said = revoked_after(said, cards)
            kept.append(packet)
    return (*kept, *(packet for _, (_, packet) in sorted(keys.items())))


def revoked_by(packets: Iterable[bytes]) -> dict[int, int]:
    """Return for each site the highest generation that these notices revoke; they are taken to be genuine."""
    revocations = (parse_revocation(packet) for packet in packets if kind_of(packet) is Kind.REVOCATION)
    return revoked_after({}, (card for revocation in revocations for card in revocation.cards))
