"""What a kiosk knows of its coordinators: their beacons, and when a person last acted there."""

import struct

import sqlalchemy as sa

from steunpunt.ledger.store import Ledger
from steunpunt.model import SealError
from steunpunt.protocol.beacons import Beacon
from steunpunt.protocol.keys import SiteKeys
from steunpunt.protocol.tokens import NOBODY_YET, Head

SAVE_EVERY = 30
"""Beacons between two writes of the highest counter: after a restart at most so many could be replayed."""
_SEEN = struct.Struct(">BI")


class RegionWatch:
    """Beacons of trusted coordinators, never an older one twice."""

    def __init__(self, ledger: Ledger, keys: SiteKeys, coordinator: int) -> None:
        self._ledger = ledger
        self._coordinator = coordinator
        self._public = {c.coordinator: c.news_public for c in keys.coordinators if c.trusted(keys.root_public)}
        self._seen: dict[int, tuple[int, int]] = {}
        self._saved: dict[int, tuple[int, int]] = {}
        self._active: tuple[int, int] | None = None
        self._incarnations: dict[str, int] = {}

    def hear_beacon(self, connection: sa.Connection, beacon: Beacon, now_ms: int) -> bool:
        """Take a beacon; True when it is genuine and new: the region answers, whichever coordinator of it.

        What it says of people counts only from the coordinator that this site addresses. Raises SealError for a forged
        or replayed one.
        """
        who = beacon.head.coordinator
        if who not in self._public:
            raise SealError(f"beacon of coordinator {who}, which the offline root does not vouch for")
        now = (beacon.head.incarnation, beacon.counter)
        if now <= self._last(connection, who):
            raise SealError("beacon heard before")
        if not beacon.genuine(self._public[who]):
            raise SealError("beacon does not authenticate")
        self._seen[who] = now
        saved = self._saved.get(who)
        if saved is None or saved[0] != now[0] or now[1] - saved[1] >= SAVE_EVERY:
            self._ledger.set_meta(connection, f"beacon_{who}", _SEEN.pack(*now))
            self._saved[who] = now
        self.hear_head(beacon.head, now_ms)
        return True

    def _last(self, connection: sa.Connection, who: int) -> tuple[int, int]:
        if who not in self._seen:
            stored = self._ledger.get_meta(connection, f"beacon_{who}")
            self._seen[who] = _SEEN.unpack(stored) if stored else (-1, -1)
        return self._seen[who]

    @property
    def publics(self) -> dict[int, bytes]:
        """Return the news keys of the coordinators that the offline root vouches for, as they are at any time."""
        return self._public

    def hear_key(self, coordinator: int, public: bytes) -> None:
        """Take a coordinator's news key that the offline root told of instead of the one on the card."""
        self._public[coordinator] = public

    def incarnation(self, connection: sa.Connection) -> int:
        """Return the highest incarnation heard of the coordinator that this site addresses; 0: none yet."""
        return self._incarnation_of(connection, self._coordinator)

    def _incarnation_of(self, connection: sa.Connection, coordinator: int) -> int:
        name = f"incarnation_{coordinator}"
        if name not in self._incarnations:
            stored = self._ledger.get_meta(connection, name)
            self._incarnations[name] = stored[0] if stored else 0
        return self._incarnations[name]

    def is_past(self, connection: sa.Connection, head: Head) -> bool:
        """Return whether a packet is of an earlier life of its coordinator's ledger than one already heard of.

        What that ledger held may be lost: its word, late or replayed, proves nothing any more.
        """
        return head.incarnation < self._incarnation_of(connection, head.coordinator)

    def raised_incarnation(self, connection: sa.Connection, head: Head) -> bool:
        """Note the incarnation of an authentic packet; True when it is higher than any before, but not the first."""
        name = f"incarnation_{head.coordinator}"
        before = self._incarnation_of(connection, head.coordinator)
        if head.incarnation <= before:
            return False
        self._ledger.set_meta(connection, name, bytes([head.incarnation]))
        self._incarnations[name] = head.incarnation
        return before > 0

    def rolled_back(self) -> None:
        """Forget the incarnations that the disk did not keep."""
        self._incarnations.clear()

    def hear_head(self, head: Head, now_ms: int) -> None:
        """Take over what an authenticated packet says of people at the coordinator."""
        if head.coordinator == self._coordinator:
            self._active = (head.active_min, now_ms)

    def active_min(self, now_ms: int) -> int | None:
        """Return minutes since a person acted at the coordinator, None when not known or nobody yet."""
        if self._active is None or self._active[0] == NOBODY_YET:
            return None
        return self._active[0] + (now_ms - self._active[1]) // 60_000
