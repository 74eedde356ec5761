"""A kiosk's heartbeat: the desk sees that it lives, and a kiosk with nothing to send learns what the newest news is.

Over the broker every minute; the newest replaces the one before, so none is kept. By radio only while the broker is
down and nothing else of ours goes, and seldom: a region's idle traffic stays below 2 % of the channel
(``docs/operation.md`` has the sum). Sooner when something authentic names news that is missing here, with jitter, so
that thirty points do not ask at once; over the broker, where it costs no air, within seconds, and also to tell that
news was heard.
"""

import logging

import sqlalchemy as sa
from msgspec import Struct

from steunpunt import __version__
from steunpunt.engine.accepting import Sealer
from steunpunt.engine.common import Counts, Entropy, Links
from steunpunt.engine.news import NewsKeeper
from steunpunt.engine.region import RegionWatch
from steunpunt.engine.sending import Sender
from steunpunt.jobfacts import Fault, FaultSeen
from steunpunt.ledger import outgoing
from steunpunt.ledger.store import Ledger
from steunpunt.model import Effect, Lane, LinkName, SendFrame
from steunpunt.powerfacts import PowerSeen
from steunpunt.protocol.heartbeat import BROKER_S, Heartbeat, mesh_interval_s
from steunpunt.protocol.pieces import SealedPiece
from steunpunt.protocol.tokens import HeardTokens
from steunpunt.relay.newsfloor import Named
from steunpunt.values import replace

BROKER_MS = BROKER_S * 1000
EARLY_MS = (300_000, 900_000)
"""By radio, when news is missing, and after a start."""
BROKER_EARLY_MS_MAX = 2_000
"""Over the broker, when news is missing, or was heard: at random within this."""
JITTER = 0.25
SLOW = 2
"""A site that saves power speaks half as often."""
OPEN_MAX = 8
"""Heartbeats whose tokens are looked for, also those that come again."""
HELLO_AGAIN_BEATS = 3
"""So many without a token: perhaps this epoch is not known there any more."""
SITES_DEFAULT = 30
_log = logging.getLogger(__name__)


class Parts(Struct, frozen=True):
    """What of a kiosk a heartbeat tells of and goes by."""

    ledger: Ledger
    sealer: Sealer
    sender: Sender
    links: Links
    region: RegionWatch
    news: NewsKeeper
    counts: Counts


class _Open(Struct, frozen=True):
    eid: bytes
    verify: bytes
    receipted: bool = False


class Heard(Struct, frozen=True):
    """What a packet of tokens says of heartbeats of ours: how many it names, and whether one for the first time."""

    matched: int
    news: bool


class Beater:
    """See the module. All of it inside the caller's transaction; everything it remembers is in memory only."""

    def __init__(self, site: int, sites: int, parts: Parts, entropy: Entropy) -> None:
        self._site, self._interval_ms, self._entropy = site, mesh_interval_s(sites) * 1000, entropy
        self._ledger, self._sealer, self._sender = parts.ledger, parts.sealer, parts.sender
        self._links, self._region, self._news, self._counts = parts.links, parts.region, parts.news, parts.counts
        self._open: list[_Open] = []
        self._unanswered = 0
        self._broker_due_ms: int | None = None
        self._mesh_due_ms: int | None = None
        self._asked_for: Named | None = None
        self._news_seen_count = 0
        self._heard_told: tuple[int, int] | None = None
        self._power = PowerSeen()
        self._faults: set[Fault] = set()
        self._farewell = False
        self._soon = False
        self.due_ms: int | None = None

    def seen(self, event: PowerSeen | FaultSeen) -> None:
        """Take what is known of the site itself. That it goes dark, or does not after all, is told at once."""
        if isinstance(event, FaultSeen):
            (self._faults.add if event.there else self._faults.discard)(event.fault)
            return
        if event.going_dark != self._power.going_dark:
            self._farewell = True
        self._power = event

    def say_soon(self) -> None:
        """Let the next heartbeat go early: the point's own staff opened or closed it."""
        self._soon = True

    # --- what is said of heartbeats -----------------------------------------------------------------------------

    def hear(self, connection: sa.Connection, heard: HeardTokens) -> Heard:
        """Take a packet of tokens; heartbeats that one can be for are those of this start only."""
        claimed = [i for i, beat in enumerate(self._open) if heard.claims(beat.verify)]
        news = [i for i in claimed if not self._open[i].receipted]
        for i in news:
            outgoing.note_epoch_receipted(connection, self._open[i].eid)
            self._open[i] = replace(self._open[i], receipted=True)
            self._unanswered = 0
            self._counts["heartbeats_receipted"] += 1
        return Heard(len(claimed), bool(news))

    def rolled_back(self) -> None:
        """Look again: what was planned leaned on what was not kept."""
        self.due_ms = 0

    # --- sending ------------------------------------------------------------------------------------------------

    def send(self, connection: sa.Connection, sent: list[Effect], now_ms: int) -> list[Effect]:
        """Return the heartbeat that goes now, if any; ``sent`` is what else goes in this turn."""
        roads = self._links.roads(now_ms)
        if any(isinstance(effect, SendFrame) and effect.link is LinkName.MESH for effect in sent):
            self._mesh_due_ms = now_ms + self._jittered(self._interval_ms)
        if roads.region_answers:
            self._mesh_due_ms = None
            return self._over_broker(connection, now_ms)
        self._broker_due_ms = None
        if not roads.mesh_up:
            self.due_ms = None
            return []
        return self._by_radio(connection, now_ms)

    def _over_broker(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        if self._farewell or self._soon:
            self._broker_due_ms = now_ms
        if self._broker_due_ms is None:  # thirty points come back at once when the region's broker does
            self._broker_due_ms = now_ms + round(BROKER_MS * self._entropy.unit())
        if self._news_is_new(connection):
            early_ms = now_ms + round(BROKER_EARLY_MS_MAX * self._entropy.unit())
            self._broker_due_ms = min(self._broker_due_ms, early_ms)
        self.due_ms = self._broker_due_ms
        if now_ms < self._broker_due_ms or "heartbeat" in self._sender.flights.flying(LinkName.BROKER):
            return []
        self.due_ms = self._broker_due_ms = now_ms + BROKER_MS * (SLOW if self._power.slow_heartbeat else 1)
        return [self._beat(connection, LinkName.BROKER, now_ms)]

    def _news_is_new(self, connection: sa.Connection) -> bool:
        """Say, once for each change, that news is missing here, or that more was heard than was told."""
        if self._news.changes_count == self._news_seen_count:
            return False
        self._news_seen_count = self._news.changes_count
        lacking, asked_for = self._news.lacks(connection), self._asked_for
        self._asked_for = lacking or asked_for
        missing = lacking is not None and lacking != asked_for
        return missing or self._news.heard_through(connection) != self._heard_told

    def _by_radio(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        if self._mesh_due_ms is None:
            self._mesh_due_ms = now_ms + self._early_ms()
        if self._farewell:
            self._mesh_due_ms = now_ms
        if self._soon:
            self._mesh_due_ms, self._soon = min(self._mesh_due_ms, now_ms + self._early_ms()), False
        self._ask_early(connection, now_ms)
        self.due_ms = self._mesh_due_ms
        if now_ms < self._mesh_due_ms:
            return []
        if not self._farewell and self._sender.wants_mesh(connection, now_ms):  # whatever has to go says enough
            self.due_ms = self._mesh_due_ms = now_ms + EARLY_MS[0]
            return []
        size, lane = self._packet_bytes(connection), self._lane
        if not self._sender.air.fits(connection, lane, size, now_ms):
            self.due_ms = self._sender.air.fits_from_ms(connection, lane, size, now_ms)
            return []
        slow = SLOW if self._power.slow_heartbeat else 1
        self.due_ms = self._mesh_due_ms = now_ms + self._jittered(self._interval_ms * slow)
        return [self._beat(connection, LinkName.MESH, now_ms)]

    @property
    def _lane(self) -> Lane:
        return Lane.URGENT if self._farewell else Lane.HOUSEKEEPING

    def _ask_early(self, connection: sa.Connection, now_ms: int) -> None:
        """Once for each serial that is named and missing here."""
        lacking = self._news.lacks(connection)
        if lacking is None or lacking == self._asked_for:
            return
        self._asked_for = lacking
        early_ms = now_ms + self._early_ms()
        self._mesh_due_ms = early_ms if self._mesh_due_ms is None else min(self._mesh_due_ms, early_ms)

    def _beat(self, connection: sa.Connection, link: LinkName, now_ms: int) -> Effect:
        payload, opened = self._packet(connection, now_ms)
        lane, self._farewell, self._soon = self._lane, False, False
        self._open = [*self._open, opened][-OPEN_MAX:]
        self._unanswered += 1
        attempt_id = self._sender.flights.begin(link, "heartbeat")
        _log.info("action=heartbeat link=%s bytes=%d", link, len(payload))
        if link is LinkName.BROKER:
            return SendFrame(link, attempt_id, payload, lane, carrier=self._site)
        self._sender.air.spend(connection, attempt_id, len(payload), now_ms)
        to, hops = self._sender.region_radio, self._sender.region_hops
        if to is None:
            return SendFrame(link, attempt_id, payload, lane)
        hops_max = None if hops is None or self._unanswered > 1 else max(hops, 1)  # lost, it costs only itself
        return SendFrame(
            link, attempt_id, payload, lane, destination=to, answers=self._sender.region_packet, hops_max=hops_max
        )

    def _packet(self, connection: sa.Connection, now_ms: int) -> tuple[bytes, _Open]:
        sealed = self._sealer.seal(connection, self._heartbeat(connection, now_ms))
        piece = SealedPiece(self._site, sealed.eid, sealed.n, sealed.body)
        hello = sealed.e_pub if self._says_hello(connection, sealed.eid) else None
        return piece.packet(0, hello), _Open(sealed.eid, sealed.keys.verify)

    def _says_hello(self, connection: sa.Connection, eid: bytes) -> bool:
        return self._unanswered >= HELLO_AGAIN_BEATS or not outgoing.epoch_receipted(connection, eid)

    def _packet_bytes(self, connection: sa.Connection) -> int:
        eid = self._sealer.current(connection).eid
        return PACKET_BYTES + (HELLO_BYTES if self._says_hello(connection, eid) else 0)

    def _heartbeat(self, connection: sa.Connection, now_ms: int) -> Heartbeat:
        queue, oldest_ms = outgoing.queue_figures(connection)
        incarnation, serial = self._heard_told = self._news.heard_through(connection)
        highest = max(self._region.incarnation(connection), incarnation)
        power = self._power
        return Heartbeat(
            battery_percent=power.percent,
            hours_left=_hours_told(power),
            source=power.source,
            mesh_up=self._links.mesh.up,
            broker_up=self._links.broker.up and self._links.bridge_up,
            queue=queue,
            oldest_s=0.0 if oldest_ms is None else max(now_ms - oldest_ms, 0) / 1000,
            version=version_numbers(__version__),
            serial=serial if incarnation == highest else 0,
            incarnation=highest,
            state=self._news.point_state(self._ledger, connection),
            faults=frozenset(self._faults | {Fault.BATTERY} if power.faulty else self._faults),
        )

    def _early_ms(self) -> int:
        least, most = EARLY_MS
        return least + round((most - least) * self._entropy.unit())

    def _jittered(self, ms: int) -> int:
        return round(ms * (1 + JITTER * self._entropy.unit()))


def _hours_told(power: PowerSeen) -> int | None:
    """Return the hours that a heartbeat tells: 0 says that the site goes dark now, and nothing else does."""
    if power.going_dark:
        return 0
    return None if power.hours_left is None else max(int(power.hours_left), 1)


HEARTBEAT_BYTES = 12
PACKET_BYTES = 16 + HEARTBEAT_BYTES
HELLO_BYTES = 32


def version_numbers(version: str) -> tuple[int, int, int]:
    """Return the three numbers of a version such as ``0.1.0.dev3``; what is no number counts as 0."""
    parts = [int(part) if part.isdigit() else 0 for part in version.split(".")]
    major, minor, patch = (*parts, 0, 0, 0)[:3]
    return major, minor, patch
