"""A coordinator's engine: receives pieces into cases, receipts them, and carries replies back until they are held."""

import logging
from functools import partial

import sqlalchemy as sa

from steunpunt.boxfacts import PrinterChanged, SlipEnded
from steunpunt.engine import papers
from steunpunt.engine.announcing import Announcer, NewsFlight
from steunpunt.engine.box import Box, BoxSettings
from steunpunt.engine.common import Counts, Entropy, Links, Neighbours
from steunpunt.engine.intake import Intake
from steunpunt.engine.notices import NoticeBook, NoticeFlight, Teller
from steunpunt.engine.receipts import ReceiptFlight, Receipts
from steunpunt.engine.replying import Replier, ReplyFlight
from steunpunt.engine.standby import Standby
from steunpunt.engine.tidying import Tidy, tidy
from steunpunt.engine.transmitting import Transmitter
from steunpunt.ledger import heartbeats, incoming
from steunpunt.ledger.incarnation import Keeper
from steunpunt.ledger.incoming import Piece
from steunpunt.ledger.lastfacts import LAST_ACT
from steunpunt.ledger.store import Ledger
from steunpunt.model import (
    Asked,
    BridgeChanged,
    ButtonPressed,
    ConfirmFrame,
    Effect,
    Event,
    FrameError,
    FrameHeard,
    GuestSending,
    HelpSubmitted,
    Lane,
    LinkChanged,
    LinkName,
    PaperScanned,
    RadioPrepared,
    RadioUsed,
    ReplyTo,
    SealError,
    SendEnded,
    SendOutcome,
    SupplementSubmitted,
)
from steunpunt.protocol import beacons, packets
from steunpunt.protocol.authority import KeyNotice
from steunpunt.protocol.keys import CoordinatorKeys
from steunpunt.protocol.packets import Kind
from steunpunt.protocol.tokens import NOBODY_YET, Head, pack_tokens
from steunpunt.protocol.wants import Want
from steunpunt.relay import replies
from steunpunt.relay.replies import Reach

BEACON_MS = 20_000
BEACON_BLOCK = 4_096
"""Beacon numbers are reserved in blocks: one write in 22 hours, and no number twice after a crash."""
HEARD_MAX = 256
"""Packets remembered, so that one that several radios here hear is taken in once."""
ACTIVE_MIN_MAX = 254
_log = logging.getLogger(__name__)


class CoordinatorEngine:
    """See the module. ``turn`` runs inside the caller's transaction."""

    def __init__(  # noqa: PLR0913, PLR0917  a coordinator and what it is made of
        self,
        ledger: Ledger,
        keys: CoordinatorKeys,
        ledger_key: bytes,
        incarnation: int,
        entropy: Entropy,
        neighbours: Neighbours | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        """``neighbours``: the region's other coordinators; None: there are none.

        ``keeper`` counts before anything new is receipted or signed, so that an older copy of the ledger is noticed.
        """
        self._ledger = ledger
        self._keys = keys
        self._incarnation = incarnation
        self._keeper = keeper
        self.counts: Counts = Counts()
        self.links = Links()
        neighbours = neighbours or Neighbours(keys.coordinator)
        self._out = Transmitter(ledger, self.links, self.counts, overheard=bool(neighbours.others))
        self._notices = NoticeBook(ledger, keys.root_public, keys.notices, self.counts, self._can_act)
        self._teller = Teller(self._notices, self._out)
        self._intake = Intake(keys, ledger_key, entropy, self.counts, self._notices.revoked, self._out.ways)
        self._receipts = Receipts(self._out, overheard=bool(neighbours.others))
        self._standby = Standby(neighbours, ledger_key, entropy, self.counts)
        self._replier = Replier(self._out, ledger_key, entropy)
        self._announcer = Announcer(keys, incarnation, self._out, entropy)
        self._box_of = partial(
            Box, ledger_key=ledger_key, token=entropy.token, counts=self.counts, certain_ms=ledger.clock.certain_ms
        )
        self.box = self._box_of(BoxSettings())
        self._heard: dict[tuple[int | None, bytes], None] = {}
        self._reported = 0
        """The highest incarnation that a heartbeat named."""
        self._beacon_counter = 0
        self._beacon_reserved = 0
        self._beacon_due_ms = 0

    def use_box(self, settings: BoxSettings) -> None:
        """Serve a kazernebox; to be called before the first turn."""
        self.box = self._box_of(settings)

    # --- the step -----------------------------------------------------------------------------------------------

    def turn(self, connection: sa.Connection, events: list[Event], now_ms: int) -> list[Effect]:
        """Take the events, then do what is due; everything written is the caller's one transaction."""
        effects: list[Effect] = []
        for event in events:
            effects += self._take(connection, event, now_ms)
        issued = self._announcer.issue(connection, now_ms)
        if self._keeper is not None and (self._intake.filed or issued):
            self._keeper.count(connection)
        self._intake.filed = False
        head = self._head(connection, now_ms)
        effects += self._take_over(connection, head, now_ms)
        effects += self._receipts.send(connection, head, now_ms)
        effects += self._replier.send(connection, head, now_ms)
        effects += self._ask(connection, now_ms)
        effects += self._announcer.send(connection, now_ms)
        effects += self._teller.send(connection, now_ms)
        effects += self.box.turn(connection, now_ms)
        return effects + self._beacon(connection, head, now_ms)

    def _take(self, connection: sa.Connection, event: Event, now_ms: int) -> list[Effect]:
        match event:
            case FrameHeard():
                self._hear(connection, event, now_ms)
                return [] if event.confirm is None else [ConfirmFrame(event.confirm)]
            case PaperScanned() | Asked():
                body = self._answer(connection, event, now_ms)
                return [] if event.reply is None else [ReplyTo(event.reply, body)]
            case GuestSending():
                return [self._out.air(event.frame.radio).guest(connection, event, now_ms)]
            case SendEnded():
                self._ended(connection, event, now_ms)
            case LinkChanged() | BridgeChanged():
                self.links.note(event, now_ms)
            case RadioPrepared() | RadioUsed():
                self._out.note(connection, event, now_ms)
            case ButtonPressed(name, held=False):
                return self.box.pressed(connection, name, now_ms)
            case PrinterChanged() | SlipEnded():
                self.box.heard(connection, event, now_ms)
            case HelpSubmitted() | SupplementSubmitted() if event.reply is not None:
                body = {"ok": False, "error": "not_here", "message": "a coordinator takes no requests; ask a kiosk"}
                return [ReplyTo(event.reply, body)]
            case _:
                pass
        return []

    def _answer(self, connection: sa.Connection, asked: PaperScanned | Asked, now_ms: int) -> dict[str, object]:
        if isinstance(asked, PaperScanned):
            return papers.take(connection, self._intake, asked, now_ms)
        if isinstance(asked.what, Tidy):
            return {"ok": True, **tidy(self._ledger, connection, asked.what, now_ms, self.counts)}
        return {"ok": False, "error": "unknown_op", "message": "a coordinator does not do this"}

    def committed(self) -> None:
        """Note that the last turn is on the disk."""
        self._out.committed()
        self._receipts.committed()
        self.box.committed()
        if self._keeper is not None:
            self._keeper.keep()

    def rolled_back(self) -> None:
        """Forget what the disk did not keep: attempts, receipts for it, new epochs, reserved beacon numbers."""
        self._out.rolled_back()
        self._intake.rolled_back()
        self._receipts.rolled_back()
        self._replier.rolled_back()
        self._standby.rolled_back()
        self._announcer.rolled_back()
        self._notices.rolled_back()
        self._teller.rolled_back()
        self.box.rolled_back()
        if self._keeper is not None:
            self._keeper.rolled_back()
        self._heard.clear()
        self._beacon_reserved = 0

    def next_due_ms(self) -> int | None:
        """Return when to call :meth:`turn` again without an event."""
        dues = [self._receipts.due_ms, self._replier.due_ms, self._intake.fragments.due_ms]
        dues += [self._standby.due_ms, self._announcer.due_ms, self._teller.due_ms, self.box.due_ms]
        dues += [self._beacon_due_ms] if self.links.broker.up else []
        return min((due for due in dues if due is not None), default=None)

    def wants_mesh(self, _connection: sa.Connection, _now_ms: int) -> bool:
        """Return whether a receipt or news waits for the mesh, or something is on its way there."""
        return self._receipts.waiting or self._announcer.waiting or bool(self._out.flying(LinkName.MESH))

    def guest_fits(self, connection: sa.Connection, radio: str, air_ms: float, now_ms: int) -> bool:
        """Return whether the site's airtime has room for an integrator's packet by this radio now."""
        return self._out.air(radio).guest_fits(connection, air_ms, now_ms)

    def air_used_ms(self, connection: sa.Connection, radio: str, now_ms: int) -> float:
        """Return how many milliseconds of a radio's rolling hour count as used, for screens."""
        return self._out.air(radio).used_ms(connection, now_ms)

    # --- hearing ------------------------------------------------------------------------------------------------

    def _hear(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> None:
        """Take a packet; what does not authenticate is counted and dropped, and confirmed all the same."""
        try:
            kind = packets.kind_of(frame.payload)
            if frame.link is LinkName.MESH and (frame.packet_id, frame.payload) in self._heard:
                self.counts["heard_by_another_radio"] += 1
            elif kind in (Kind.PIECE, Kind.FRAGMENT):
                for taken in self._intake.take(connection, frame, now_ms):
                    if self._standby.receipts(connection, taken, now_ms):
                        self._receipts.owe(taken, frame, now_ms)
                self._heartbeats(connection)
                self._remember(frame)
            elif kind in (Kind.REVOCATION, Kind.KEYS):
                self._notices.hear(connection, frame.payload)
            else:
                if kind is Kind.TOKENS:
                    self._standby.overhear(connection, frame.payload, now_ms)
                self.counts["heard_coordinators"] += 1
        except FrameError:
            self.counts["dropped_malformed"] += 1
        except SealError:
            self.counts["dropped_unauthentic"] += 1

    def _heartbeats(self, connection: sa.Connection) -> None:
        """A heartbeat tells what its site has of the news of the coordinator that it addresses."""
        for site in self._intake.alive:
            if self._standby.addressed_here(site):
                self._announcer.alive(connection, site)
                self._compare_incarnation(connection, site)
        self._intake.alive.clear()

    def _compare_incarnation(self, connection: sa.Connection, site: int) -> None:
        """A site that knows of a higher incarnation than ours spoke with a ledger that is newer than this one."""
        life = heartbeats.of_site(connection, site)
        if life is not None and life.beat.incarnation > max(self._incarnation, self._reported):
            self._reported = life.beat.incarnation
            mend = f"stop the node and write {self._reported + 1} as the second number in the file ledger.incarnation"
            _log.error("action=ledger_behind site=%d incarnation=%d mend=%s", site, self._reported, mend)

    @property
    def ledger_behind(self) -> bool:
        """Return whether a site knows of a later life of this coordinator's ledger than this one."""
        return self._reported > self._incarnation

    def _can_act(self, notice: KeyNotice) -> bool:
        """Return whether we can go by a new key: sites that seal by it past us would not be heard here."""
        return self._keys.holds(notice.holder, notice.public)

    def _remember(self, frame: FrameHeard) -> None:
        """Note a transmission that authenticated; a kiosk's next try has another packet id."""
        if frame.link is LinkName.MESH and frame.packet_id is not None:
            self._heard[frame.packet_id, frame.payload] = None
            while len(self._heard) > HEARD_MAX:
                del self._heard[next(iter(self._heard))]

    def _ended(self, connection: sa.Connection, event: SendEnded, now_ms: int) -> None:
        flight = self._out.ended(connection, event)
        if isinstance(flight, NewsFlight):
            self._announcer.ended(connection, flight, event, now_ms)
            return
        if isinstance(flight, NoticeFlight):
            self._teller.ended(connection, flight, event, now_ms)
            return
        if event.outcome is SendOutcome.TAKEN:
            return
        if isinstance(flight, ReplyFlight):
            self._replier.not_taken(connection, flight, event, now_ms)
        elif isinstance(flight, ReceiptFlight) and event.outcome is SendOutcome.REFUSED:
            self._receipts.refused(flight, now_ms)

    # --- asking -------------------------------------------------------------------------------------------------

    def _ask(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Ask for the hello of unknown epochs, where they were heard, and for fragments that did not come."""
        effects: list[Effect] = []
        for payload, frame in self._intake.hellos_wanted:
            if frame.link is LinkName.BROKER:
                effects.append(self._out.by_broker(frame.carrier, Lane.URGENT, payload, "want hello"))
            elif self._out.fits(connection, frame.radio, Lane.URGENT, len(payload), now_ms):
                reach = Reach(hops_more=replies.more_for_afar(frame.hops))
                effects.append(
                    self._out.by_radio(connection, frame.radio, Lane.URGENT, payload, "want hello", now_ms, reach=reach)
                )
        self._intake.hellos_wanted.clear()
        for half in self._intake.fragments.wants(connection, now_ms):
            verify = self._intake.verify_key(connection, Piece(*half.key))
            if verify is not None:
                want = Want(half.site, half.eid, half.n, half.missing).pack(verify)
                effects += self._to_site(connection, half.site, half.lane, want, half.wants, now_ms)
        return effects

    def _to_site(
        self, connection: sa.Connection, site: int, lane: Lane, payload: bytes, tries: int, now_ms: int
    ) -> list[Effect]:
        """Send where a site was last heard, in turn by each road; nothing while none is there or the air is full."""
        roads = incoming.roads_of(connection, site)
        road = replies.reply_road(roads, tries, self._out.up())
        if road is not None and road.link is LinkName.BROKER:
            return [self._out.by_broker(road.carrier, lane, payload, "to site")]
        if road is not None:
            radio = replies.reply_radio(roads.radio, tries, self.links.radios_up())
            if self._out.fits(connection, radio, lane, len(payload), now_ms):
                reach = self._out.ways.reach([(site, lane, tries)])
                return [self._out.by_radio(connection, radio, lane, payload, "to site", now_ms, reach=reach)]
        return []

    def _take_over(self, connection: sa.Connection, head: Head, now_ms: int) -> list[Effect]:
        """Receipt what another coordinator left lying; from now on each further copy earns its receipt as usual."""
        effects: list[Effect] = []
        for row in self._standby.take_over(connection, now_ms):
            code = incoming.state_code(connection, row.at)
            effects += self._to_site(
                connection, row.at.site, Lane.URGENT, pack_tokens(head, [(row.verify, code)]), 0, now_ms
            )
        return effects

    # --- being there --------------------------------------------------------------------------------------------

    def _head(self, connection: sa.Connection, now_ms: int) -> Head:
        acted = self._ledger.get_meta(connection, LAST_ACT)
        minutes = NOBODY_YET
        if acted is not None:
            minutes = min(max(now_ms - int.from_bytes(acted, "big"), 0) // 60_000, ACTIVE_MIN_MAX)
        return Head(self._keys.coordinator, self._incarnation, self._announcer.newest(connection), minutes)

    def _beacon(self, connection: sa.Connection, head: Head, now_ms: int) -> list[Effect]:
        """Say every 20 s over the broker that this coordinator's ledger is there."""
        if not self.links.broker.up or now_ms < self._beacon_due_ms:
            return []
        self._beacon_due_ms = now_ms + BEACON_MS
        body = beacons.beacon_body(head, self._beacon_number(connection))
        payload = body + self._keys.sign(beacons.beacon_signed_part(body))
        return [self._out.by_broker(None, Lane.HOUSEKEEPING, payload, "beacon")]

    def _beacon_number(self, connection: sa.Connection) -> int:
        if self._beacon_counter >= self._beacon_reserved:
            stored = self._ledger.get_meta(connection, "beacon_reserved")
            self._beacon_counter = int.from_bytes(stored, "big") if stored else 0
            self._beacon_reserved = self._beacon_counter + BEACON_BLOCK
            self._ledger.set_meta(connection, "beacon_reserved", self._beacon_reserved.to_bytes(4, "big"))
            if self._keeper is not None:
                self._keeper.count(connection)
        self._beacon_counter += 1
        return self._beacon_counter
