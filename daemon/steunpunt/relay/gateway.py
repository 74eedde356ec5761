"""A gateway's decisions: which pieces of other sites it carries to its broker, and what it puts on the air for them.

Mesh to broker: a piece of another site that was heard on the mesh is published within CARRY_WAIT_MS_MAX, each gateway
after a wait of its own. The same sealed piece heard again goes again only after 2, then 4, then every 8 minutes: its
site tries again on the mesh, so what the broker lost comes back, and six gateways do not send six copies of each try.
Whatever the air brings has the form of a piece and may be junk, for only the region can open it. So each
originating site has a token bucket of its own: what is forged in one site's name costs only that site.

Broker to mesh: only what came down for this gateway and concerns others; the same bytes at most once in AIR_AGAIN_MS.
Nothing goes from mesh to mesh or from broker to broker, so nothing can circle.

All of it is in memory and bounded: after a restart a piece may be carried once more, and receivers remove duplicates.
"""

import hashlib
from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from steunpunt.model import Lane
from steunpunt.protocol import wants
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import HeardPiece, batch, parse_pieces

CARRY_WAIT_MS_MAX = 5_000
AGAIN_MS = (120_000, 240_000, 480_000)
"""How long after the first, the second and each later time a piece may be carried again."""
BUCKET_PACKETS_MAX = 24
BUCKET_REFILL_MS = 8_000
"""One packet more in the bucket: 450 an hour, what one radio may send on LongFast within the legal tenth."""
SITES_MAX = 512
"""Most sites with a bucket; the one that was silent longest is forgotten."""
MARKS_MAX = 4_096
"""Most pieces remembered as carried; the oldest are forgotten."""
PENDING_MAX = 256
"""Most packets that wait to be carried: more than any preset brings in CARRY_WAIT_MS_MAX."""
PENDING_SITE_MAX = 12
AIRING_MAX = 64
"""Most packets that wait for the air."""
AIR_WAIT_MS_MAX = 180_000
"""What waited longer for the air is dropped: the coordinator sends it again, perhaps through another gateway."""
AIR_AGAIN_MS = 60_000
AIR_SHARE_MAX = 0.02
"""Share of an hour that a gateway's radio is on the air for others."""
AIRED_MAX = 512

LANE_OF = {
    Kind.TOKENS: Lane.URGENT,
    Kind.ANSWER: Lane.URGENT,
    Kind.WANT: Lane.URGENT,
    Kind.WANT_HELLO: Lane.URGENT,
    Kind.NEWS: Lane.ANNOUNCEMENT,
    Kind.REVOCATION: Lane.ANNOUNCEMENT,
    Kind.KEYS: Lane.ANNOUNCEMENT,
}
"""What a gateway puts on the air, and in which lane. Beacons say that the broker road is there: never on the mesh."""


class Verdict(StrEnum):
    """What became of a packet; the name under which it is counted."""

    KEPT = "kept"
    OWN = "own"
    KNOWN = "known"
    """Done not long ago."""
    FLOOD = "flood"
    """Its site's bucket is empty."""
    FULL = "full"
    NOT_FOR_AIR = "not_for_air"


class Carried(Struct, frozen=True):
    """A packet on its way from the mesh to the broker."""

    site: int
    packet: bytes
    marks: tuple[bytes, ...]
    due_ms: int


@dataclass(slots=True)
class _Bucket:
    packets: float
    at_ms: int


def mark(heard: HeardPiece) -> bytes:
    """Return what a sealed piece is remembered by; with another hello it is another one, for that opens the epoch."""
    return hashlib.sha256(heard.piece.associated() + heard.piece.body + (heard.e_pub or b"")).digest()[:16]


class Carrying:
    """From the mesh to the broker."""

    def __init__(self, own: int) -> None:
        """``own``: this site, whose pieces have an outbox of their own."""
        self._own = own
        self._pending: deque[Carried] = deque()
        self._marks: dict[bytes, tuple[int, int]] = {}
        self._buckets: dict[int, _Bucket] = {}

    @property
    def due_ms(self) -> int | None:
        """Return when the next packet goes."""
        return min((one.due_ms for one in self._pending), default=None)

    def hear(self, packet: bytes, now_ms: int, jitter: float) -> Verdict:
        """Take a packet of pieces off the mesh; FrameError when it is none. ``jitter`` is in 0 … 1."""
        heard = parse_pieces(packet)
        site, eid = heard[0].piece.site, heard[0].piece.eid
        if site == self._own:
            return Verdict.OWN
        fresh = [one for one in heard if self._again(mark(one), now_ms)]
        if not fresh:
            return Verdict.KNOWN
        if not self._drip(site, now_ms):
            return Verdict.FLOOD
        if not self._room(site):
            return Verdict.FULL
        payload = batch(site, eid, [(one.age, one.piece) for one in fresh], fresh[0].e_pub)
        marks = tuple(mark(one) for one in fresh)
        for each in marks:
            self._note(each, now_ms)
        self._pending.append(Carried(site, payload, marks, now_ms + round(jitter * CARRY_WAIT_MS_MAX)))
        return Verdict.KEPT

    def take(self, now_ms: int, count_max: int) -> list[Carried]:
        """Return what goes now, at most ``count_max`` packets."""
        due = [one for one in self._pending if one.due_ms <= now_ms][:count_max]
        for one in due:
            self._pending.remove(one)
        return due

    def put_back(self, carried: list[Carried]) -> None:
        """Let these go after all: what took them did not last."""
        self._pending.extendleft(reversed(carried))

    def not_taken(self, carried: Carried) -> None:
        """The broker did not take it: whoever hears it again carries it again."""
        for each in carried.marks:
            self._marks.pop(each, None)

    def drop_all(self) -> int:
        """The road is gone: forget what waits, and that it was to be carried; returns how many packets."""
        dropped = len(self._pending)
        for one in self._pending:
            self.not_taken(one)
        self._pending.clear()
        return dropped

    def _again(self, marked: bytes, now_ms: int) -> bool:
        if marked not in self._marks:
            return True
        times, last_ms = self._marks[marked]
        return now_ms - last_ms >= AGAIN_MS[min(times, len(AGAIN_MS)) - 1]

    def _note(self, marked: bytes, now_ms: int) -> None:
        times, _ = self._marks.pop(marked, (0, 0))
        self._marks[marked] = (times + 1, now_ms)
        while len(self._marks) > MARKS_MAX:
            del self._marks[next(iter(self._marks))]

    def _drip(self, site: int, now_ms: int) -> bool:
        """Take one packet out of a site's bucket; False when it is empty."""
        bucket = self._buckets.pop(site, None) or _Bucket(BUCKET_PACKETS_MAX, now_ms)
        filled = bucket.packets + (now_ms - bucket.at_ms) / BUCKET_REFILL_MS
        bucket.packets, bucket.at_ms = min(filled, BUCKET_PACKETS_MAX), now_ms
        self._buckets[site] = bucket  # the last in the dict is the last heard
        while len(self._buckets) > SITES_MAX:
            del self._buckets[next(iter(self._buckets))]
        if bucket.packets < 1:
            return False
        bucket.packets -= 1
        return True

    def _room(self, site: int) -> bool:
        """Return whether one more packet of a site may wait; when all is full, the site with the most makes room."""
        waiting = Counter(one.site for one in self._pending)
        if waiting[site] >= PENDING_SITE_MAX:
            return False
        if len(self._pending) < PENDING_MAX:
            return True
        most = max(waiting, key=lambda one: waiting[one])
        if most == site:
            return False
        oldest = next(one for one in self._pending if one.site == most)
        self._pending.remove(oldest)
        self.not_taken(oldest)
        return True


class ToAir(Struct, frozen=True):
    """A packet that came down for this gateway and goes on the air."""

    payload: bytes
    lane: Lane
    site: int | None
    """The one site that it concerns; None where the packet does not say."""
    since_ms: int


class Airing:
    """From the broker to the mesh."""

    def __init__(self) -> None:
        self._queue: list[ToAir] = []
        self._aired: dict[bytes, int] = {}
        self._radios: dict[int, int] = {}

    @property
    def waiting(self) -> bool:
        """Return whether something waits for the air."""
        return bool(self._queue)

    def note_radio(self, site: int, radio: int | None) -> None:
        """Remember by which radio a site was last heard."""
        if radio is None:
            return
        self._radios.pop(site, None)
        self._radios[site] = radio
        while len(self._radios) > SITES_MAX:
            del self._radios[next(iter(self._radios))]

    def hear(self, payload: bytes, now_ms: int) -> Verdict:
        """Take a packet that came down for this gateway; FrameError when it makes no sense."""
        kind = kind_of(payload)
        if kind not in LANE_OF:
            return Verdict.NOT_FOR_AIR
        if any(one.payload == payload for one in self._queue) or self._lately(payload, now_ms):
            return Verdict.KNOWN
        self._queue.append(ToAir(payload, LANE_OF[kind], _site_of(kind, payload), now_ms))
        self._queue.sort(key=lambda one: one.lane)  # stable: the oldest first in each lane
        if len(self._queue) <= AIRING_MAX:
            return Verdict.KEPT
        dropped = self._queue.pop()
        return Verdict.FULL if dropped.payload == payload else Verdict.KEPT

    def drop_old(self, now_ms: int) -> int:
        """Forget what waited too long; returns how many packets."""
        before = len(self._queue)
        self._queue = [one for one in self._queue if now_ms - one.since_ms <= AIR_WAIT_MS_MAX]
        return before - len(self._queue)

    def first(self) -> ToAir | None:
        """Return what goes next."""
        return self._queue[0] if self._queue else None

    def destination(self, packet: ToAir) -> int | None:
        """Return the radio that it goes to alone; None: to all who hear it, as also when it was tried before."""
        if packet.site is None or packet.payload in self._aired:
            return None
        return self._radios.get(packet.site)

    def aired(self, packet: ToAir, now_ms: int) -> None:
        """Note that it is given to the radio."""
        self._queue.remove(packet)
        self._aired.pop(packet.payload, None)
        self._aired[packet.payload] = now_ms
        while len(self._aired) > AIRED_MAX:
            del self._aired[next(iter(self._aired))]

    def put_back(self, packet: ToAir) -> None:
        """Let it go after all: it was not taken."""
        self._aired.pop(packet.payload, None)
        self._queue.insert(0, packet)

    def _lately(self, payload: bytes, now_ms: int) -> bool:
        aired_ms = self._aired.get(payload)
        return aired_ms is not None and now_ms - aired_ms < AIR_AGAIN_MS


def _site_of(kind: Kind, payload: bytes) -> int | None:
    """Return the site that a packet is addressed to. Tokens and answers bear no address: all compare them."""
    if kind is Kind.WANT:
        return wants.parse_want(payload).site
    if kind is Kind.WANT_HELLO:
        return wants.parse_want_hello(payload).site
    return None
