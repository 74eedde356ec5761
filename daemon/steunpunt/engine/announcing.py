"""A coordinator's announcements on their way: numbered, signed, to all over the broker and by radio, and sent again.

The desk keeps a draft; here it gets its serial and floor (:mod:`steunpunt.relay.newsfloor`). It is signed anew at each
sending, so that it bears its true age. By radio it goes once, and twice where lives hang on it; who was off the air
tells in a heartbeat what was heard last, and gets the rest on the own road.
"""

import logging
from collections import deque

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.common import Entropy
from steunpunt.engine.transmitting import Transmitter
from steunpunt.ledger import announcements, heartbeats, incoming
from steunpunt.ledger.announcements import Draft, Issued
from steunpunt.ledger.heartbeats import Life
from steunpunt.model import Effect, Lane, LinkName, SendEnded, SendOutcome
from steunpunt.protocol.announcements import Announcement, MessageType, Urgency
from steunpunt.protocol.keys import CoordinatorKeys
from steunpunt.protocol.news import News, pack_news
from steunpunt.relay import newsfloor, replies
from steunpunt.relay.outbox import HOPS_MORE
from steunpunt.relay.replies import Reach
from steunpunt.values import replace

ROUNDS_MAX = 2
ROUND_MS = 180_000
"""Between the two broadcasts of what is urgent."""
AGAIN_BROKER_MS = 60_000
AGAIN_MESH_MS = 900_000
"""A site that misses news gets it again at most this often; by radio a piece of news is heard by all."""
REFUSED_WAIT_MS = 5_000
PARTS_MAX = 256
"""Packets of news that wait for a radio; what does not fit is planned again later."""
_ABOUT = (MessageType.UPDATE, MessageType.CANCEL)
_log = logging.getLogger(__name__)


class NewsPart(Struct, frozen=True):
    """One packet of a piece of news for one radio; ``ends_round``: with it a broadcast of the whole is done.

    ``hops_more``: over how many radios more than the radio is set to.
    """

    radio: str
    serial: int
    index: int
    hops_more: int
    ends_round: bool = False


class NewsFlight(Struct, frozen=True):
    """What an attempt carries: a packet for one radio, or for the broker by the announcement's id."""

    part: NewsPart | None
    announcement_id: int


class Announcer:
    """See the module. All of it inside the caller's transaction."""

    def __init__(self, keys: CoordinatorKeys, incarnation: int, out: Transmitter, entropy: Entropy) -> None:
        self._keys, self._incarnation, self._out, self._entropy = keys, incarnation, out, entropy
        self.due_ms: int | None = 0
        self._parts: deque[NewsPart] = deque()
        self._aired_ms: dict[int, int] = {}
        """Serial -> when it was last put on the air again."""
        self._lack: dict[int, None] = {}
        """Sites whose heartbeat just told that they miss something."""
        self._broker_from_ms = self._radio_from_ms = 0
        self._last: tuple[int, int, int] | None = None
        """The newest that is signed; None: to be read. Only this announcer signs, so it stays until it does."""
        self._issued = 0

    @property
    def waiting(self) -> bool:
        """Return whether a packet of news waits for a radio."""
        return bool(self._parts)

    def rolled_back(self) -> None:
        """Plan anew from the ledger: what was planned leaned on what was not kept."""
        self._parts.clear()
        self._aired_ms.clear()
        self._lack.clear()
        self._last = None
        self.due_ms = 0

    def newest(self, connection: sa.Connection) -> int:
        """Return the newest serial of this incarnation, for the head of tokens and beacons; 0: none."""
        incarnation, serial, _ = self._last_serial(connection)
        return serial if incarnation == self._incarnation else 0

    def _last_serial(self, connection: sa.Connection) -> tuple[int, int, int]:
        if self._last is None:
            self._last = announcements.last_serial(connection)
        return self._last

    # --- numbering ----------------------------------------------------------------------------------------------

    def issue(self, connection: sa.Connection, now_ms: int) -> bool:
        """Give what the desk drafted its serial and floor; returns whether there was something to give one."""
        before = self._issued
        self._issue(connection, now_ms)
        return self._issued > before

    def _issue(self, connection: sa.Connection, now_ms: int) -> None:
        incarnation, _, _ = self._last_serial(connection)
        if 0 < incarnation < self._incarnation:  # signed by the life of a ledger that was lost: say it anew
            self._say_anew(connection, self._in_force(connection, incarnation, now_ms))
        for draft in announcements.drafts(connection):
            self._number(connection, draft, now_ms)
        if not self.newest(connection):
            return
        in_force = self._in_force(connection, self._incarnation, now_ms)
        serials = [one.serial for one in in_force if one.serial]
        if newsfloor.worth_renewing(serials, self.newest(connection)):
            self._say_anew(connection, in_force)
            for draft in announcements.drafts(connection):
                self._number(connection, draft, now_ms)

    def _number(self, connection: sa.Connection, draft: Issued, now_ms: int) -> None:
        incarnation, newest, floor = self._last_serial(connection)
        restored = incarnation < self._incarnation and self._incarnation > 1
        serial = newsfloor.next_serial(newest, restored=restored)
        for ended in self._ended_by(connection, draft, now_ms):
            announcements.end(connection, ended, now_ms)
        in_force = [one.serial for one in self._in_force(connection, self._incarnation, now_ms) if one.serial]
        floor = serial if restored else max(floor, min(in_force, default=serial))
        values = {"serial": serial, "incarnation": self._incarnation, "floor": floor, "next_ms": now_ms}
        announcements.change(connection, draft.id, **values)
        self._issued += 1
        self._last = None
        self.due_ms = now_ms
        _log.info("action=announce id=%d serial=%d floor=%d", draft.id, serial, floor)

    def _ended_by(self, connection: sa.Connection, draft: Issued, now_ms: int) -> list[int]:
        """Return what a new one takes the place of: what it is about, and older commands to the same points."""
        ended = [] if draft.about is None else [draft.about]
        if draft.announcement.type is MessageType.POINT_STATE:
            ended += [
                one.id
                for one in self._in_force(connection, self._incarnation, now_ms)
                if one.announcement.type is MessageType.POINT_STATE and _covers(draft.announcement, one.announcement)
            ]
        return ended

    @staticmethod
    def _in_force(connection: sa.Connection, incarnation: int, now_ms: int) -> list[Issued]:
        known = announcements.of_serials(connection, incarnation, 0).values()
        return [one for one in known if one.in_force(now_ms)]

    @staticmethod
    def _say_anew(connection: sa.Connection, in_force: list[Issued]) -> None:
        """Draft again, at the top, what still holds: the floor can then rise over what is dead."""
        for one in in_force:
            said = one.announcement
            if said.type is MessageType.ALERT:
                said = replace(said, type=MessageType.UPDATE, replaces=0)
            announcements.add(connection, Draft(said, one.by_box, f"anew {one.id}", one.id), one.issued_ms)

    # --- hearing ------------------------------------------------------------------------------------------------

    def alive(self, connection: sa.Connection, site: int) -> None:
        """Take note of a site's heartbeat: does it miss news?"""
        life = heartbeats.of_site(connection, site)
        if life is not None and self._through(life) < self.newest(connection):
            self._lack[site] = None

    def _through(self, life: Life) -> int:
        return life.beat.serial if life.beat.incarnation == self._incarnation else 0

    # --- sending ------------------------------------------------------------------------------------------------

    def send(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Return the packets that go now."""
        self.due_ms = None
        effects: list[Effect] = []
        unsent = announcements.unsent(connection, self._incarnation, ROUNDS_MAX) if self.newest(connection) else []
        for one in unsent:
            if one.broker_ms is None and LinkName.BROKER in self._out.up():
                effects += self._over_broker(connection, one, now_ms)
            if self._out.links.mesh.up and one.rounds < _rounds(one.announcement):
                self._plan_round(connection, one, now_ms)
        for site in self._lack:
            effects += self._again(connection, site, now_ms)
        self._lack.clear()
        return effects + self._by_radio(connection, now_ms)

    def _over_broker(self, connection: sa.Connection, one: Issued, now_ms: int) -> list[Effect]:
        if now_ms < self._broker_from_ms:
            self._look_again(self._broker_from_ms)
            return []
        announcements.change(connection, one.id, broker_ms=now_ms)
        flight = NewsFlight(None, one.id)
        packets = self._packets(connection, one, now_ms)
        return [self._out.by_broker(None, Lane.ANNOUNCEMENT, packet, flight) for packet in packets]

    def _plan_round(self, connection: sa.Connection, one: Issued, now_ms: int) -> None:
        if one.next_ms > now_ms:
            self._look_again(one.next_ms)
            return
        self._plan(connection, one, now_ms, HOPS_MORE if one.rounds else 0, ends_round=True)

    def _plan(self, connection: sa.Connection, one: Issued, now_ms: int, hops_more: int, *, ends_round: bool) -> None:
        """Queue all packets of a piece of news for every radio, unless they wait already."""
        serial = one.serial or 0
        flying = [f.part.serial for f in self._out.flying(LinkName.MESH) if isinstance(f, NewsFlight) and f.part]
        if serial in flying or any(part.serial == serial for part in self._parts) or len(self._parts) > PARTS_MAX:
            return
        count, radios = len(self._packets(connection, one, now_ms)), self._out.links.radios_up()
        parts = [NewsPart(radio, serial, index, hops_more) for index in range(count) for radio in radios]
        if ends_round and parts:
            parts[-1] = replace(parts[-1], ends_round=True)
        self._parts += parts

    def _again(self, connection: sa.Connection, site: int, now_ms: int) -> list[Effect]:
        """Send a site what it misses, where it was last heard."""
        life = heartbeats.of_site(connection, site)
        road = replies.reply_road(roads := incoming.roads_of(connection, site), 0, self._out.up())
        if life is None or road is None:
            return []
        wait_ms = AGAIN_BROKER_MS if roads.wait_like(road) is LinkName.BROKER else AGAIN_MESH_MS
        if life.news_again_ms is not None and now_ms - life.news_again_ms < wait_ms:
            return []
        _, _, floor = self._last_serial(connection)
        known = announcements.of_serials(connection, self._incarnation, floor)
        missing = [known[serial] for serial in newsfloor.send_again(list(known), floor, self._through(life))]
        heartbeats.note_news_again(connection, site, now_ms)
        _log.info("action=news_again site=%d link=%s serials=%s", site, road.link, [one.serial for one in missing])
        if road.link is LinkName.BROKER:
            packets = [packet for one in missing for packet in self._packets(connection, one, now_ms)]
            return [self._out.by_broker(road.carrier, Lane.ANNOUNCEMENT, packet, "news again") for packet in packets]
        for one in missing:
            self._air_again(connection, one, now_ms, self._out.ways.more_for(site))
        return []

    def _air_again(self, connection: sa.Connection, one: Issued, now_ms: int, hops_more: int) -> None:
        """Broadcast once for all that miss it; what is still to have its first broadcast only waits for that."""
        last_ms = self._aired_ms.get(one.serial or 0)
        if not one.rounds or (last_ms is not None and now_ms - last_ms < AGAIN_MESH_MS):
            return
        self._aired_ms[one.serial or 0] = now_ms
        while len(self._aired_ms) > announcements.LISTED_MAX:
            del self._aired_ms[next(iter(self._aired_ms))]
        self._plan(connection, one, now_ms, hops_more, ends_round=False)

    def _by_radio(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """One packet of news at a time on each radio: requests and receipts never wait behind a queue of it."""
        effects: list[Effect] = []
        busy = {f.part.radio for f in self._out.flying(LinkName.MESH) if isinstance(f, NewsFlight) and f.part}
        if self._parts and now_ms < self._radio_from_ms:
            self._look_again(self._radio_from_ms)
            return []
        for part in list(self._parts):
            if part.radio in busy:
                continue
            busy.add(part.radio)
            effects += self._air(connection, part, now_ms)
        return effects

    def _air(self, connection: sa.Connection, part: NewsPart, now_ms: int) -> list[Effect]:
        one = announcements.of_serials(connection, self._incarnation, part.serial)[part.serial]
        payload = self._packets(connection, one, now_ms)[part.index]
        if part.radio not in self._out.links.radios_up():
            self._parts.remove(part)
            return []
        if not self._out.fits(connection, part.radio, Lane.ANNOUNCEMENT, len(payload), now_ms):
            self._look_again(self._out.fits_from_ms(connection, part.radio, Lane.ANNOUNCEMENT, len(payload), now_ms))
            return []
        self._parts.remove(part)
        if part.ends_round:
            next_ms = now_ms + round(ROUND_MS * (1 + self._entropy.unit()))
            announcements.change(connection, one.id, rounds=one.rounds + 1, next_ms=next_ms)
            self._look_again(next_ms)
        flight, reach = NewsFlight(part, one.id), Reach(hops_more=part.hops_more)
        return [self._out.by_radio(connection, part.radio, Lane.ANNOUNCEMENT, payload, flight, now_ms, reach=reach)]

    def _packets(self, connection: sa.Connection, one: Issued, now_ms: int) -> list[bytes]:
        supersedes = None
        if one.announcement.type in _ABOUT:
            about = None if one.about is None else announcements.find(connection, one.about)
            supersedes = 0 if about is None else about.serial or 0
        payload = one.to_say(now_ms, supersedes)
        news = News(self._keys.coordinator, self._incarnation, one.serial or 0, one.floor or 0, payload)
        return pack_news(news, self._keys.sign)

    def ended(self, connection: sa.Connection, flight: NewsFlight, event: SendEnded, now_ms: int) -> None:
        """The next hop did not take a packet: try again soon."""
        if event.outcome is SendOutcome.TAKEN:
            self.due_ms = now_ms
            return
        if flight.part is None:
            self._broker_from_ms = now_ms + REFUSED_WAIT_MS
            announcements.change(connection, flight.announcement_id, broker_ms=None)
            self._look_again(self._broker_from_ms)
        elif event.outcome is SendOutcome.REFUSED:
            self._radio_from_ms = now_ms + REFUSED_WAIT_MS
            self._parts.appendleft(replace(flight.part, ends_round=False))
            self._look_again(self._radio_from_ms)

    def _look_again(self, at_ms: int) -> None:
        self.due_ms = at_ms if self.due_ms is None else min(at_ms, self.due_ms)


def _rounds(announcement: Announcement) -> int:
    return ROUNDS_MAX if announcement.urgency is Urgency.IMMEDIATE else 1


def _covers(newer: Announcement, older: Announcement) -> bool:
    return not newer.sites or (bool(older.sites) and set(older.sites) <= set(newer.sites))
