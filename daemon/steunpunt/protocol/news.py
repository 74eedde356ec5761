"""News: what a coordinator tells all sites, signed with its own news key.

NEWS, the first or only frame, 72 bytes around the text::

    1  first byte     1  fragment byte, 0 when it is the only one
    1  signer (the coordinator's id)     1  incarnation     2  serial, from 1     2  floor
    8  for each further frame: the first eight bytes of SHA-256 over that whole frame
    …  payload
    64 Ed25519 over "steunpunt news v1" and all before

A further frame: first byte, fragment byte, signer, serial 2, then the payload's next part. It bears no signature: the
first frame vouches for it by its hash. Frames may come in any order.

News of a serial below the floor is void; what else counts is decided in :mod:`steunpunt.relay.newsfloor`.
"""

import hashlib
from collections.abc import Callable, Mapping

from msgspec import Struct

from steunpunt.model import PACKET_BYTES_MAX, FrameError, SealError
from steunpunt.protocol.keys import verified
from steunpunt.protocol.packets import (
    FRAGMENTS_MAX,
    SIGNATURE_BYTES,
    Kind,
    check,
    first_byte,
    fragment_byte,
    fragment_place,
)

SERIAL_MAX = 0xFFFF
HASH_BYTES = 8
_HEAD = 8
_PART_HEAD = 5
_ROOM = PACKET_BYTES_MAX - _HEAD - SIGNATURE_BYTES
_PART_ROOM = PACKET_BYTES_MAX - _PART_HEAD
_LABEL = b"steunpunt news v1"
NEWS_BYTES_MAX = _ROOM + (FRAGMENTS_MAX - 1) * (_PART_ROOM - HASH_BYTES)
"""Longest payload in bytes: 145 in the first frame, and 15 further ones of 212 less a hash of 8 each: 3,205."""
UNFINISHED_MAX = 8
"""Most pieces of news of which some frames are missing, in memory; those with the lowest serials make room."""
LOOSE_MAX = 48
"""Most further frames that wait in memory for their first one (10 kB); the oldest make room."""


class News(Struct, frozen=True):
    """One piece of news, whole."""

    signer: int
    incarnation: int
    serial: int
    floor: int
    """News with a lower serial is void."""
    payload: bytes

    @property
    def rank(self) -> tuple[int, int]:
        """Which is newer, of one signer: a higher incarnation before a higher serial."""
        return self.incarnation, self.serial


def pack_news(news: News, sign: Callable[[bytes], bytes]) -> list[bytes]:
    """Return the frames of a piece of news, 1 to 16, the first one first; ``sign`` is the coordinator's news key.

    ValueError for an empty or too long payload, a serial outside 1 to 65535, or a floor above the serial.
    """
    if not 1 <= news.serial <= SERIAL_MAX or not 0 <= news.floor <= news.serial:
        raise ValueError(f"serial {news.serial}, floor {news.floor}: a serial is 1 to {SERIAL_MAX}, a floor at most it")
    if not 0 < len(news.payload) <= NEWS_BYTES_MAX:
        raise ValueError(f"news of {len(news.payload)} bytes; it has 1 to {NEWS_BYTES_MAX}")
    last = max(-(-(len(news.payload) - _ROOM) // (_PART_ROOM - HASH_BYTES)), 0)
    room = _ROOM - last * HASH_BYTES
    rest = news.payload[room:]
    serial = news.serial.to_bytes(2, "big")
    further = [
        bytes([first_byte(Kind.NEWS), fragment_byte(i + 1, last), news.signer]) + serial + part
        for i, part in enumerate(rest[at : at + _PART_ROOM] for at in range(0, len(rest), _PART_ROOM))
    ]
    head = bytes([first_byte(Kind.NEWS), last, news.signer, news.incarnation]) + serial + news.floor.to_bytes(2, "big")
    body = head + b"".join(_hash(frame) for frame in further) + news.payload[:room]
    return [body + sign(_LABEL + body), *further]


def frame_sizes(payload_bytes: int) -> list[int]:
    """Return how many bytes each frame of news has that says so much; errors as in :func:`pack_news`."""
    empty = News(1, 1, 1, 0, bytes(payload_bytes))
    return [len(frame) for frame in pack_news(empty, lambda _: bytes(SIGNATURE_BYTES))]


def _hash(frame: bytes) -> bytes:
    return hashlib.sha256(frame).digest()[:HASH_BYTES]


class NewsFrame(Struct, frozen=True):
    """A first frame as it came in; nothing in it is trusted before :meth:`genuine`."""

    news: News
    """With the part of the payload that is in this frame."""
    hashes: tuple[bytes, ...]
    """Of the further frames, in their order."""
    body: bytes
    signature: bytes

    def genuine(self, news_public: bytes) -> bool:
        """Return whether the coordinator with this news key signed it."""
        return verified(news_public, self.signature, _LABEL + self.body)


class NewsPart(Struct, frozen=True):
    """A further frame as it came in; only its hash in a genuine first frame makes it genuine."""

    signer: int
    serial: int
    index: int
    last: int
    frame: bytes

    @property
    def payload(self) -> bytes:
        """The part of the news in this frame."""
        return self.frame[_PART_HEAD:]


def parse_news(packet: bytes) -> NewsFrame | NewsPart:
    """Take a NEWS packet apart; FrameError when it is none or cannot be right."""
    check(packet, Kind.NEWS)
    if len(packet) <= _PART_HEAD:
        raise FrameError(f"news of {len(packet)} bytes")
    index, last = fragment_place(packet[1])
    if index:
        return NewsPart(packet[2], int.from_bytes(packet[3:5], "big"), index, last, packet)
    start, end = _HEAD + last * HASH_BYTES, len(packet) - SIGNATURE_BYTES
    if start >= end:
        raise FrameError(f"first frame of news of {len(packet)} bytes")
    serial, floor = int.from_bytes(packet[4:6], "big"), int.from_bytes(packet[6:8], "big")
    if not serial or floor > serial:
        raise FrameError(f"news of serial {serial} and floor {floor}")
    hashes = tuple(packet[at : at + HASH_BYTES] for at in range(_HEAD, start, HASH_BYTES))
    news = News(packet[2], packet[3], serial, floor, packet[start:end])
    return NewsFrame(news, hashes, packet[:end], packet[end:])


class _Unfinished:
    """A genuine first frame, and the further ones that are there."""

    def __init__(self, first: NewsFrame) -> None:
        self.first = first
        self.parts: dict[int, bytes] = {}

    def add(self, part: NewsPart) -> bool:
        """Take a further frame; False when it is not the one that the first frame vouches for."""
        if part.last != len(self.first.hashes) or _hash(part.frame) != self.first.hashes[part.index - 1]:
            return False
        self.parts[part.index] = part.payload
        return True

    @property
    def missing(self) -> tuple[int, ...]:
        return tuple(i for i in range(1, len(self.first.hashes) + 1) if i not in self.parts)

    def whole(self) -> News:
        news = self.first.news
        payload = news.payload + b"".join(self.parts[i] for i in sorted(self.parts))
        return News(news.signer, news.incarnation, news.serial, news.floor, payload)


class NewsAssembly:
    """Puts the frames of news together, in whatever order they come. In memory only: what is missing is sent again."""

    def __init__(self) -> None:
        self._unfinished: dict[tuple[int, int, int], _Unfinished] = {}
        self._loose: dict[bytes, NewsPart] = {}

    def hear(self, packet: bytes, publics: Mapping[int, bytes]) -> News | None:
        """Take a NEWS packet; returns the news that it completes, None when frames are missing.

        ``publics`` are the trusted coordinators' news keys. FrameError for a packet that is none, SealError for a first
        frame of a signer who is not among them or whose signature is wrong, or a further one that is not vouched for.
        """
        heard = parse_news(packet)
        return self._hear_part(heard) if isinstance(heard, NewsPart) else self._hear_first(heard, publics)

    def missing(self) -> list[tuple[int, int, tuple[int, ...]]]:
        """Return (signer, serial, indexes) of the frames that are missing, the newest news first."""
        newest = sorted(self._unfinished.items(), reverse=True)
        return [(signer, serial, one.missing) for (signer, _, serial), one in newest]

    def _hear_first(self, first: NewsFrame, publics: Mapping[int, bytes]) -> News | None:
        signer, news = first.news.signer, first.news
        if signer not in publics:
            raise SealError(f"news of coordinator {signer}, whom nobody vouches for")
        if not first.genuine(publics[signer]):
            raise SealError(f"news {news.serial} of coordinator {signer} does not authenticate")
        key = (signer, *news.rank)
        one = self._unfinished.setdefault(key, _Unfinished(first))
        for digest, part in list(self._loose.items()):
            if (part.signer, part.serial) == (signer, news.serial) and one.add(part):
                del self._loose[digest]
        return self._finish(key)

    def _hear_part(self, part: NewsPart) -> News | None:
        known = [key for key in self._unfinished if (key[0], key[2]) == (part.signer, part.serial)]
        for key in known:
            if self._unfinished[key].add(part):
                return self._finish(key)
        if known:
            raise SealError(f"a frame of news {part.serial} that its first frame does not vouch for")
        self._loose[_hash(part.frame)] = part
        while len(self._loose) > LOOSE_MAX:
            del self._loose[next(iter(self._loose))]
        return None

    def _finish(self, key: tuple[int, int, int]) -> News | None:
        if not self._unfinished[key].missing:
            return self._unfinished.pop(key).whole()
        while len(self._unfinished) > UNFINISHED_MAX:
            del self._unfinished[min(self._unfinished, key=lambda one: one[1:])]
        return None
