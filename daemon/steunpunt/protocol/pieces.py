"""Pieces: messages, sealed once, the same bytes at every try; and the packets around them.

PIECE (a message of at most 168 bytes)::

    1  first byte        1  age, log scale, outside the seal (steunpunt.protocol.age)
    2  site      3  epoch id      1  n
    …  ciphertext, at most 168 bytes
    8  AES-CCM-16-64-128 tag
    32 e_pub, only with hello

FRAGMENT: the same, with a fragment byte behind n; up to 16 of them carry a longer message. Each has its own tag.

BATCH (a PIECE packet with the batch flag): first byte, site 2, epoch id 3, then for each piece age, n, length of the
ciphertext, ciphertext, tag; e_pub at the end with hello. Fragments do not go in batches.

Under the seal: version and kind (flags zero), site, epoch id, n and the fragment byte. Not the age, the flags and
e_pub, which change with the tries; so a piece is the same bytes alone and in a batch.
"""

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from msgspec import Struct

from steunpunt.model import PACKET_BYTES_MAX, FrameError, SealError
from steunpunt.protocol.keys import MessageKeys
from steunpunt.protocol.packets import (
    BATCH,
    FRAGMENTS_MAX,
    HELLO,
    Kind,
    check,
    first_byte,
    fragment_byte,
    fragment_place,
    kind_of,
    nonce,
    split,
)

CIPHERTEXT_BYTES_MAX = 168
MESSAGE_BYTES_MAX = FRAGMENTS_MAX * CIPHERTEXT_BYTES_MAX
"""Longest message: 16 fragments of 168 bytes, 2,688."""
PIECE_OVERHEAD_BYTES = 16
FRAGMENT_OVERHEAD_BYTES = 17
E_PUB_BYTES = 32
TAG_BYTES = 8
_EID = 3
BATCH_HEAD_BYTES = 6
BATCH_ITEM_HEAD_BYTES = 3


class SealedPiece(Struct, frozen=True):
    """A sealed message or a fragment of one: immutable, the same bytes on every road and at every try."""

    site: int
    eid: bytes
    n: int
    body: bytes
    """Ciphertext and tag."""
    fragment: int | None = None
    """The fragment byte, ``index << 4 | last``; None for a whole message."""

    @property
    def kind(self) -> Kind:
        """PIECE, or FRAGMENT for a part of a message."""
        return Kind.PIECE if self.fragment is None else Kind.FRAGMENT

    @property
    def index(self) -> int:
        """Which fragment this is, 0 to 15; 0 for a whole message."""
        return (self.fragment or 0) >> 4

    @property
    def last(self) -> int:
        """The index of the message's last fragment, 0 to 15; 0 for a whole message."""
        return (self.fragment or 0) & 0xF

    def packet(self, age: int, hello: bytes | None) -> bytes:
        """Return the packet around this piece: its age byte now, and e_pub while the epoch is unreceipted."""
        first = first_byte(self.kind, HELLO if hello else 0)
        return bytes([first, age]) + self._address() + self.body + (hello or b"")

    def _address(self) -> bytes:
        fragment = b"" if self.fragment is None else bytes([self.fragment])
        return self.site.to_bytes(2, "big") + self.eid + bytes([self.n]) + fragment

    def associated(self) -> bytes:
        """Return the bytes the seal covers besides the text."""
        return bytes([first_byte(self.kind)]) + self._address()

    def open(self, keys: MessageKeys) -> bytes:
        """Return the plain bytes; SealError when the piece is not what was sealed."""
        try:
            return AESCCM(keys.enc, tag_length=TAG_BYTES).decrypt(nonce(self.fragment), self.body, self.associated())
        except InvalidTag as error:
            raise SealError(f"piece of site {self.site} does not authenticate") from error


def seal(site: int, eid: bytes, n: int, keys: MessageKeys, plain: bytes) -> SealedPiece:
    """Seal at most CIPHERTEXT_BYTES_MAX bytes as one piece; ValueError beyond."""
    if len(plain) > CIPHERTEXT_BYTES_MAX:
        raise ValueError(f"{len(plain)} bytes do not fit one piece of {CIPHERTEXT_BYTES_MAX}; shorten the text")
    return _seal(SealedPiece(site, eid, n, b""), keys, plain)


def seal_message(site: int, eid: bytes, n: int, keys: MessageKeys, plain: bytes) -> tuple[SealedPiece, ...]:
    """Seal a message as one piece, or in up to 16 fragments; ValueError for none or more than MESSAGE_BYTES_MAX.

    The keys of one n are for one call: whole and fragments have nonces of their own, two contents do not.
    """
    parts = split(plain, CIPHERTEXT_BYTES_MAX)
    if len(parts) == 1:
        return (seal(site, eid, n, keys, plain),)
    bare = [SealedPiece(site, eid, n, b"", fragment_byte(i, len(parts) - 1)) for i in range(len(parts))]
    return tuple(_seal(piece, keys, part) for piece, part in zip(bare, parts, strict=True))


def _seal(bare: SealedPiece, keys: MessageKeys, plain: bytes) -> SealedPiece:
    cipher = AESCCM(keys.enc, tag_length=TAG_BYTES)
    body = cipher.encrypt(nonce(bare.fragment), plain, bare.associated())
    return SealedPiece(bare.site, bare.eid, bare.n, body, bare.fragment)


def open_message(pieces: Sequence[SealedPiece], keys: MessageKeys) -> bytes:
    """Return the plain bytes of a message from all its pieces, in any order.

    SealError when one does not authenticate, FrameError when they are not the whole of one message.
    """
    ordered = sorted(pieces, key=lambda piece: piece.index)
    places = [(piece.index, piece.last) for piece in ordered]
    addresses = {(piece.site, piece.eid, piece.n, piece.kind) for piece in ordered}
    if len(addresses) != 1 or places != [(i, len(ordered) - 1) for i in range(len(ordered))]:
        raise FrameError(f"{len(ordered)} pieces that are not the whole of one message")
    return b"".join(piece.open(keys) for piece in ordered)


class HeardPiece(Struct, frozen=True):
    """A piece as it came in: with its age byte and, under hello, the epoch's public key."""

    piece: SealedPiece
    age: int
    e_pub: bytes | None


def batch_bytes(pieces: Sequence[SealedPiece], *, hello: bool) -> int:
    """Return how long the packet of :func:`batch` would be, in bytes; more than PACKET_BYTES_MAX do not go."""
    if len(pieces) == 1:
        around = FRAGMENT_OVERHEAD_BYTES if pieces[0].fragment is not None else PIECE_OVERHEAD_BYTES
        return around - TAG_BYTES + len(pieces[0].body) + (E_PUB_BYTES if hello else 0)
    return BATCH_HEAD_BYTES + sum(BATCH_ITEM_HEAD_BYTES + len(p.body) for p in pieces) + (E_PUB_BYTES if hello else 0)


def batch(site: int, eid: bytes, pieces: Sequence[tuple[int, SealedPiece]], hello: bytes | None) -> bytes:
    """Return one packet for several (age byte, piece) of an epoch; a single one goes as the shorter PIECE.

    ValueError for none, for a fragment or a piece of another epoch among several, or for more than a packet holds.
    """
    sealed = [piece for _, piece in pieces]
    if not sealed:
        raise ValueError("a batch of no pieces")
    if any((piece.site, piece.eid) != (site, eid) for piece in sealed):
        raise ValueError(f"a batch is of one epoch; not all these pieces are of site {site}, epoch {eid.hex()}")
    size = batch_bytes(sealed, hello=hello is not None)
    if size > PACKET_BYTES_MAX:
        raise ValueError(f"a batch of {size} bytes; a packet holds {PACKET_BYTES_MAX}")
    if len(sealed) == 1:
        return sealed[0].packet(pieces[0][0], hello)
    if any(piece.fragment is not None for piece in sealed):
        raise ValueError("fragments do not go in batches; send each in a packet of its own")
    head = bytes([first_byte(Kind.PIECE, BATCH | (HELLO if hello else 0))]) + site.to_bytes(2, "big") + eid
    items = [bytes([age, piece.n, len(piece.body) - TAG_BYTES]) + piece.body for age, piece in pieces]
    return head + b"".join(items) + (hello or b"")


def parse_piece(packet: bytes) -> HeardPiece:
    """Take a PIECE or FRAGMENT packet apart; FrameError when it is none, too short, too long or a batch."""
    kind = kind_of(packet)
    check(packet, kind if kind is Kind.FRAGMENT else Kind.PIECE, HELLO)
    hello, start = bool(packet[0] & HELLO), 9 if kind is Kind.FRAGMENT else 8
    end = len(packet) - (E_PUB_BYTES if hello else 0)
    if not TAG_BYTES < end - start <= CIPHERTEXT_BYTES_MAX + TAG_BYTES:
        raise FrameError(f"piece of {len(packet)} bytes: too short or too long")
    fragment = _several(packet[8]) if kind is Kind.FRAGMENT else None
    piece = SealedPiece(int.from_bytes(packet[2:4], "big"), packet[4:7], packet[7], packet[start:end], fragment)
    return HeardPiece(piece, packet[1], packet[end:] if hello else None)


def _several(byte: int) -> int:
    """Return a fragment byte that makes sense for a part of several; FrameError for another."""
    _, last = fragment_place(byte)
    if last == 0:
        raise FrameError("a fragment that says to be the whole message")
    return byte


def parse_pieces(packet: bytes) -> list[HeardPiece]:
    """Take a packet of pieces apart: one of PIECE or FRAGMENT, those of a BATCH; FrameError when it is none.

    A batch that does not add up is refused whole: which bytes of it were meant cannot be known.
    """
    if kind_of(packet) is not Kind.PIECE or not packet[0] & BATCH:
        return [parse_piece(packet)]
    hello = bool(packet[0] & HELLO)
    end = len(packet) - (E_PUB_BYTES if hello else 0)
    e_pub = packet[end:] if hello else None
    site, eid, at = int.from_bytes(packet[1:3], "big"), packet[3:BATCH_HEAD_BYTES], BATCH_HEAD_BYTES
    heard = []
    while at < end:
        start = at + BATCH_ITEM_HEAD_BYTES
        if start >= end or not 0 < packet[at + 2] <= CIPHERTEXT_BYTES_MAX:
            raise FrameError("batch with a piece that makes no sense")
        stop = start + packet[at + 2] + TAG_BYTES
        if stop > end:
            raise FrameError("batch that ends in the middle of a piece")
        heard.append(HeardPiece(SealedPiece(site, eid, packet[at + 1], packet[start:stop]), packet[at], e_pub))
        at = stop
    if not heard:
        raise FrameError("batch of no pieces")
    return heard
