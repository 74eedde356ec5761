"""A coordinator's engine: receives pieces into cases, receipts them, and carries replies back until they are held."""

import logging
from dataclasses import dataclass

import sqlalchemy as sa

from steunpunt.engine.common import Counts, Entropy, Flights, Links
from steunpunt.engine.intake import Intake, Taken
from steunpunt.ledger import incoming
from steunpunt.ledger.incoming import Piece, Reply
from steunpunt.ledger.store import Ledger
from steunpunt.model import (
    MAIN_RADIO,
    BridgeChanged,
    ConfirmFrame,
    Effect,
    Event,
    FrameError,
    FrameHeard,
    HelpSubmitted,
    Lane,
    LinkChanged,
    LinkName,
    ReplyTo,
    SealError,
    SendEnded,
    SendFrame,
    SendOutcome,
    SupplementSubmitted,
    TokenCode,
)
from steunpunt.protocol import packets
from steunpunt.protocol.keys import CoordinatorKeys
from steunpunt.protocol.packets import NOBODY_YET, Head, Kind
from steunpunt.relay import replies

BEACON_MS = 20_000
BEACON_BLOCK = 4_096
"""Beacon numbers are reserved in blocks: one write in 22 hours, and no number twice after a crash."""
ECHOES_MAX = 2_000
HEARD_MAX = 256
"""Packets remembered, so that one that several radios here hear is taken in once."""
RECEIPTS_MAX = 2_000
REFUSED_WAIT_MS = 5_000
ACTIVE_MIN_MAX = 254
LAST_ACT = "last_act_ms"


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReplyFlight:
    """Replies under way in one packet."""

    reply_ids: tuple[tuple[int, int], ...]
    """(reply id, tries)."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A receipt owed over the mesh, by the radio that heard the message."""

    radio: str
    verify: bytes
    code: TokenCode


@dataclass(frozen=True, slots=True)
class ReceiptFlight:
    """Receipts under way over the mesh in one packet."""

    claims: tuple[tuple[Piece, Owed], ...]


class CoordinatorEngine:
    """See the module. ``turn`` runs inside the caller's transaction."""

    def __init__(
        self, ledger: Ledger, keys: CoordinatorKeys, ledger_key: bytes, incarnation: int, entropy: Entropy
    ) -> None:
        self._ledger = ledger
        self._keys = keys
        self._ledger_key = ledger_key
        self._incarnation = incarnation
        self._entropy = entropy
        self.counts: Counts = Counts()
        self.links = Links()
        self._intake = Intake(keys, ledger_key, entropy, self.counts)
        self._flights = Flights()
        self._receipts: dict[Piece, Owed] = {}
        self._receipts_due_ms: int | None = None
        self._echoes: dict[Piece, int] = {}
        self._heard: dict[tuple[int | None, bytes], None] = {}
        self._beacon_counter = 0
        self._beacon_reserved = 0
        self._beacon_due_ms = 0
        self._replies_due_ms: int | None = 0
        self._owed: tuple[dict[Piece, Owed], int | None, dict[Piece, int]] | None = None
        """What was owed in receipts before the turn under way, once it changed that."""

    # --- the step -----------------------------------------------------------------------------------------------

    def turn(self, connection: sa.Connection, events: list[Event], now_ms: int) -> list[Effect]:
        """Take the events, then do what is due; everything written is the caller's one transaction."""
        effects: list[Effect] = []
        over_broker: dict[int, list[Taken]] = {}
        for event in events:
            match event:
                case FrameHeard():
                    effects += self._hear(connection, event, over_broker, now_ms)
                case SendEnded():
                    self._ended(connection, event, now_ms)
                case LinkChanged() | BridgeChanged():
                    self.links.note(event, now_ms)
                case HelpSubmitted() | SupplementSubmitted():
                    effects += self._not_here(event)
                case _:
                    pass
        effects += self._receipt_broker(connection, over_broker, now_ms)
        effects += self._receipt_mesh(connection, now_ms)
        effects += self._reply(connection, now_ms)
        return effects + self._beacon(connection, now_ms)

    def committed(self) -> None:
        """Note that the last turn is on the disk."""
        self._flights.committed()
        self._owed = None

    def rolled_back(self) -> None:
        """Forget what the disk did not keep: attempts, receipts for it, new epochs, reserved beacon numbers."""
        self._flights.rolled_back()
        self._intake.rolled_back()
        if self._owed is not None:
            self._receipts, self._receipts_due_ms, self._echoes = self._owed
            self._owed = None
        self._heard.clear()
        self._replies_due_ms = 0
        self._beacon_reserved = 0

    def _owing(self) -> None:
        """Keep what is owed before it changes in this turn."""
        if self._owed is None:
            self._owed = (dict(self._receipts), self._receipts_due_ms, dict(self._echoes))

    def next_due_ms(self) -> int | None:
        """Return when to call :meth:`turn` again without an event."""
        dues = [self._receipts_due_ms, self._replies_due_ms]
        dues += [self._beacon_due_ms] if self.links.broker.up else []
        return min((due for due in dues if due is not None), default=None)

    def wants_mesh(self, _connection: sa.Connection, _now_ms: int) -> bool:
        """Return whether a receipt waits for the mesh, or something is on its way there."""
        return bool(self._receipts) or bool(self._flights.count(LinkName.MESH))

    @staticmethod
    def _not_here(event: HelpSubmitted | SupplementSubmitted) -> list[Effect]:
        body = {"ok": False, "error": "not_here", "message": "a coordinator takes no requests; ask a kiosk"}
        return [ReplyTo(event.reply, body)] if event.reply is not None else []

    # --- hearing ------------------------------------------------------------------------------------------------

    def _hear(
        self, connection: sa.Connection, frame: FrameHeard, over_broker: dict[int, list[Taken]], now_ms: int
    ) -> list[Effect]:
        """Take a packet; what does not authenticate is counted and dropped, and confirmed all the same."""
        try:
            if frame.link is LinkName.MESH and (frame.packet_id, frame.payload) in self._heard:
                self.counts["heard_by_another_radio"] += 1
            elif packets.kind_of(frame.payload) is Kind.PIECE:
                for taken in self._intake.take(connection, frame, now_ms):
                    self._owe(taken, frame, over_broker, now_ms)
                self._remember(frame)
            else:
                self.counts["heard_coordinators"] += 1
        except FrameError:
            self.counts["dropped_malformed"] += 1
        except SealError:
            self.counts["dropped_unauthentic"] += 1
        return [] if frame.confirm is None else [ConfirmFrame(frame.confirm)]

    def _remember(self, frame: FrameHeard) -> None:
        """Note a transmission that authenticated; a kiosk's next try has another packet id."""
        if frame.link is LinkName.MESH and frame.packet_id is not None:
            self._heard[frame.packet_id, frame.payload] = None
            while len(self._heard) > HEARD_MAX:
                del self._heard[next(iter(self._heard))]

    def _owe(self, taken: Taken, frame: FrameHeard, over_broker: dict[int, list[Taken]], now_ms: int) -> None:
        """Note that this message has earned a receipt on the link it came by."""
        self._owing()
        if frame.link is LinkName.BROKER and frame.carrier is not None:
            over_broker.setdefault(frame.carrier, []).append(taken)
            if frame.carrier != taken.at.site:
                return  # another's broker carried it: that its own broker is up is not known, so the mesh is still owed
            self._echoes[taken.at] = now_ms
            self._receipts.pop(taken.at, None)
            while len(self._echoes) > ECHOES_MAX:
                del self._echoes[next(iter(self._echoes))]
        elif now_ms - self._echoes.get(taken.at, -replies.ECHO_MS_MAX) >= replies.ECHO_MS_MAX:
            if len(self._receipts) < RECEIPTS_MAX:
                self._receipts[taken.at] = Owed(frame.radio, taken.verify, taken.code)
            if self._receipts_due_ms is None:
                self._receipts_due_ms = now_ms + replies.TOKEN_GATHER_MS

    # --- receipts -----------------------------------------------------------------------------------------------

    def _receipt_broker(
        self, connection: sa.Connection, over_broker: dict[int, list[Taken]], now_ms: int
    ) -> list[Effect]:
        effects: list[Effect] = []
        for carrier, owed in over_broker.items():
            for first in range(0, len(owed), packets.TOKENS_MAX):
                claims = [(t.verify, t.code) for t in owed[first : first + packets.TOKENS_MAX]]
                payload = packets.pack_tokens(self._head(connection, now_ms), claims)
                attempt_id = self._flights.begin(LinkName.BROKER, "receipts")
                effects.append(SendFrame(LinkName.BROKER, attempt_id, payload, Lane.URGENT, carrier=carrier))
        return effects

    def _receipt_mesh(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        if self._receipts_due_ms is None or now_ms < self._receipts_due_ms:
            return []
        self._owing()
        self._receipts_due_ms = None
        if not self.links.mesh.up or not self._receipts:
            self._receipts.clear()
            return []
        effects: list[Effect] = []
        for radio, batch in self._batches().items():
            for at, _ in batch:
                del self._receipts[at]
            payload = packets.pack_tokens(self._head(connection, now_ms), [(o.verify, o.code) for _, o in batch])
            attempt_id = self._flights.begin(LinkName.MESH, ReceiptFlight(tuple(batch)))
            effects.append(SendFrame(LinkName.MESH, attempt_id, payload, Lane.URGENT, radio=radio))
        self._receipts_due_ms = now_ms if self._receipts else None
        return effects

    def _batches(self) -> dict[str, list[tuple[Piece, Owed]]]:
        """Return what fits one packet per radio: the one that heard the message, another one while that is down."""
        up = self.links.radios_up()
        batches: dict[str, list[tuple[Piece, Owed]]] = {}
        for at, owed in self._receipts.items():
            batch = batches.setdefault(owed.radio if owed.radio in up else up[0], [])
            if len(batch) < packets.TOKENS_MAX:
                batch.append((at, owed))
        return batches

    # --- replies ------------------------------------------------------------------------------------------------

    def _reply(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Send what kiosks should still be told: tokens for one radio share a packet, answers go alone."""
        up = frozenset(link for link in LinkName if self.links.view(link).up)
        flying = {r for link in LinkName for f in self._flights.flying(link) for r in _reply_ids(f)}
        self._replies_due_ms = None
        effects: list[Effect] = []
        mesh_tokens: dict[str, list[tuple[Reply, int]]] = {}
        for reply in incoming.pending_replies(connection, up):
            roads = incoming.roads_of(connection, reply.at.site)
            link = replies.reply_link(roads, reply.tries, up)
            if link is None or reply.id in flying:
                continue
            if reply.next_ms > now_ms:
                self._replies_due_ms = min(reply.next_ms, self._replies_due_ms or reply.next_ms)
                continue
            tries = self._note_try(connection, reply, link, now_ms)
            if link is LinkName.BROKER:
                effects.append(self._send_reply(connection, [(reply, tries)], now_ms, carrier=roads.carrier))
                continue
            radio = replies.reply_radio(roads.radio, reply.tries, self.links.radios_up())
            tokens = mesh_tokens.setdefault(radio, [])
            if reply.packet is None and len(tokens) < packets.TOKENS_MAX:
                tokens.append((reply, tries))
            else:
                effects.append(self._send_reply(connection, [(reply, tries)], now_ms, radio=radio))
        effects += [self._send_reply(connection, t, now_ms, radio=radio) for radio, t in mesh_tokens.items() if t]
        return effects

    def _note_try(self, connection: sa.Connection, reply: Reply, link: LinkName, now_ms: int) -> int:
        tries = reply.tries + 1
        next_ms = now_ms + replies.wait_ms(link, tries, self._entropy.unit())
        incoming.note_reply_try(connection, reply.id, tries, next_ms)
        self._replies_due_ms = min(next_ms, self._replies_due_ms or next_ms)
        return tries

    def _send_reply(
        self,
        connection: sa.Connection,
        batch: list[tuple[Reply, int]],
        now_ms: int,
        *,
        radio: str = MAIN_RADIO,
        carrier: int | None = None,
    ) -> SendFrame:
        """Return the frame with these replies: over the broker when there is a carrier, else by a radio."""
        link = LinkName.MESH if carrier is None else LinkName.BROKER
        first = batch[0][0]
        payload = first.packet or packets.pack_tokens(
            self._head(connection, now_ms), [self._claim(connection, reply) for reply, _ in batch]
        )
        _log.info("action=send_reply replies=%s site=%d link=%s", [reply.id for reply, _ in batch], first.at.site, link)
        flight = ReplyFlight(tuple((reply.id, tries) for reply, tries in batch))
        attempt_id = self._flights.begin(link, flight)
        return SendFrame(link, attempt_id, payload, Lane.URGENT, carrier=carrier, radio=radio)

    def _claim(self, connection: sa.Connection, reply: Reply) -> tuple[bytes, TokenCode]:
        content = incoming.content_at(connection, self._ledger_key, reply.at)
        if content is None or reply.code is None:
            raise LookupError(f"reply {reply.id} speaks of a case that is not there")
        return content.verify, reply.code

    def _ended(self, connection: sa.Connection, event: SendEnded, now_ms: int) -> None:
        flight = self._flights.end(event.attempt_id)
        self.counts[f"sent_{event.link}_{event.outcome}"] += 1
        if event.outcome is SendOutcome.TAKEN:
            return
        if isinstance(flight, ReplyFlight):
            for reply_id, tries in flight.reply_ids:
                wait_ms = replies.wait_ms(event.link, tries, self._entropy.unit())
                soon_ms = min(REFUSED_WAIT_MS << min(tries - 1, 20), wait_ms)
                incoming.note_reply_try(connection, reply_id, tries, now_ms + soon_ms)
        elif isinstance(flight, ReceiptFlight) and event.outcome is SendOutcome.REFUSED:
            self._owing()
            self._receipts.update(flight.claims)
            self._receipts_due_ms = now_ms + REFUSED_WAIT_MS

    # --- being there --------------------------------------------------------------------------------------------

    def _head(self, connection: sa.Connection, now_ms: int) -> Head:
        acted = self._ledger.get_meta(connection, LAST_ACT)
        minutes = NOBODY_YET
        if acted is not None:
            minutes = min(max(now_ms - int.from_bytes(acted, "big"), 0) // 60_000, ACTIVE_MIN_MAX)
        return Head(self._keys.coordinator, self._incarnation, 0, minutes)

    def _beacon(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Say every 20 s over the broker that this coordinator's ledger is there."""
        if not self.links.broker.up or now_ms < self._beacon_due_ms:
            return []
        self._beacon_due_ms = now_ms + BEACON_MS
        body = packets.beacon_body(self._head(connection, now_ms), self._beacon_number(connection))
        payload = body + self._keys.sign(packets.beacon_signed_part(body))
        attempt_id = self._flights.begin(LinkName.BROKER, "beacon")
        return [SendFrame(LinkName.BROKER, attempt_id, payload, Lane.HOUSEKEEPING, carrier=None)]

    def _beacon_number(self, connection: sa.Connection) -> int:
        if self._beacon_counter >= self._beacon_reserved:
            stored = self._ledger.get_meta(connection, "beacon_reserved")
            self._beacon_counter = int.from_bytes(stored, "big") if stored else 0
            self._beacon_reserved = self._beacon_counter + BEACON_BLOCK
            self._ledger.set_meta(connection, "beacon_reserved", self._beacon_reserved.to_bytes(4, "big"))
        self._beacon_counter += 1
        return self._beacon_counter


def _reply_ids(flight: object) -> tuple[int, ...]:
    return tuple(reply_id for reply_id, _ in flight.reply_ids) if isinstance(flight, ReplyFlight) else ()
