"""A kiosk's engine: accepts requests, sends them until the region has receipted them, follows what is said of them."""

import logging
from dataclasses import dataclass

import sqlalchemy as sa

from steunpunt.engine.accepting import Acceptor, Sealer, TicketStock
from steunpunt.engine.acknowledging import Acknowledger
from steunpunt.engine.calls import Calls
from steunpunt.engine.checking import NotAccepted
from steunpunt.engine.common import Counts, Entropy, Flights, Links
from steunpunt.engine.region import RegionWatch
from steunpunt.ledger import outgoing
from steunpunt.ledger.store import Ledger
from steunpunt.model import (
    BellRung,
    BridgeChanged,
    ButtonPressed,
    CallCancelled,
    ConfirmFrame,
    Effect,
    Event,
    FrameError,
    FrameHeard,
    HelpSubmitted,
    LinkChanged,
    LinkName,
    PacketHeard,
    RadioPrepared,
    ReplyTo,
    SealError,
    SendEnded,
    SendFrame,
    SendOutcome,
    SupplementSubmitted,
    TicketState,
    TokenCode,
)
from steunpunt.protocol import packets
from steunpunt.protocol.age import pack_age
from steunpunt.protocol.keys import SiteKeys
from steunpunt.protocol.packets import Kind
from steunpunt.relay import outbox, states

BROKER_FLYING_MAX = 8
MESH_FLYING_MAX = 1
"""One at a time: the radio's own queue knows nothing of our lanes."""


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Flight:
    """What an attempt carries: a message, and which try it was."""

    message_id: int
    tries: int


class KioskEngine:
    """See the module. ``turn`` runs inside the caller's transaction."""

    def __init__(
        self,
        ledger: Ledger,
        keys: SiteKeys,
        coordinator: int,
        buttons: dict[str, int],
        form_key: bytes,
        entropy: Entropy,
    ) -> None:
        self._keys = keys
        self._entropy = entropy
        self._ledger = ledger
        self.stock = TicketStock(entropy)
        self._sealer = Sealer(keys, entropy)
        self._acceptor = Acceptor(keys, self._sealer, self.stock, form_key)
        self._acknowledger = Acknowledger(keys.site, self._sealer)
        self.calls = Calls(buttons, self._acceptor, entropy)
        self.links = Links()
        self.region = RegionWatch(ledger, keys, coordinator)
        self.counts: Counts = Counts()
        self._flights = Flights()
        self._next_ms: int | None = 0

    # --- the step -----------------------------------------------------------------------------------------------

    def turn(self, connection: sa.Connection, events: list[Event], now_ms: int) -> list[Effect]:
        """Take the events, then do what is due; everything written is the caller's one transaction."""
        effects: list[Effect] = []
        for event in events:
            effects += self._take(connection, event, now_ms)
        effects += self.calls.due(connection, now_ms)
        effects += self._send(connection, now_ms)
        return effects

    def committed(self) -> None:
        """Note that the last turn is on the disk."""
        self._sealer.committed()
        self._flights.committed()
        self._acknowledger.committed()
        self.calls.committed()

    def rolled_back(self) -> None:
        """Forget what the last turn began in memory and the disk did not keep."""
        self._sealer.rolled_back()
        self._flights.rolled_back()
        self._acknowledger.rolled_back()
        self.calls.rolled_back()
        self._next_ms = 0  # what was planned leaned on what was not kept

    def next_due_ms(self) -> int | None:
        """Return when to call :meth:`turn` again without an event; None: not before the next event."""
        dues = [self._next_ms, self.calls.next_due_ms(), self._acknowledger.due_ms]
        return min((due for due in dues if due is not None), default=None)

    def wants_mesh(self, connection: sa.Connection, now_ms: int) -> bool:
        """Return whether a message waits for the mesh or is on its way there: nobody else's goes before it."""
        roads = self.links.roads(now_ms)
        if self._flights.count(LinkName.MESH):
            return True
        return any(LinkName.MESH in outbox.links_for(message, roads) for message in outgoing.waiting(connection))

    def _take(self, connection: sa.Connection, event: Event, now_ms: int) -> list[Effect]:
        match event:
            case HelpSubmitted() | SupplementSubmitted():
                return self._accept(connection, event, now_ms)
            case FrameHeard():
                return self._hear(connection, event, now_ms)
            case SendEnded():
                self._ended(connection, event, now_ms)
            case LinkChanged() | BridgeChanged():
                self.links.note(event, now_ms)
            case ButtonPressed(name):
                return self.calls.press(connection, name, now_ms)
            case CallCancelled(name):
                self.calls.cancel(connection, name)
            case BellRung() | PacketHeard() | RadioPrepared():
                pass
        return []

    # --- accepting ----------------------------------------------------------------------------------------------

    def _accept(
        self, connection: sa.Connection, form: HelpSubmitted | SupplementSubmitted, now_ms: int
    ) -> list[Effect]:
        try:
            if isinstance(form, HelpSubmitted):
                body = self._acceptor.help(connection, form, now_ms)
                self.counts["accepted"] += not body["repeated"]
                _log.info("action=accept ticket=%s repeated=%s", body["number"], body["repeated"])
            else:
                body = self._acceptor.supplement(connection, form, now_ms)
            answer = {"ok": True, **body}
        except NotAccepted as error:
            self.counts[f"refused_{error.code}"] += 1
            answer = {"ok": False, "error": error.code, "message": str(error), **error.details}
        return [ReplyTo(form.reply, answer)] if form.reply is not None else []

    # --- hearing ------------------------------------------------------------------------------------------------

    def _hear(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> list[Effect]:
        """Take a packet from a link; one that makes no sense or does not authenticate is counted and dropped."""
        try:
            kind = packets.kind_of(frame.payload)
            if kind is Kind.TOKENS:
                self._hear_tokens(connection, frame, now_ms)
            elif kind is Kind.ANSWER:
                self._hear_answer(connection, frame, now_ms)
            elif kind is Kind.BEACON:
                self._hear_beacon(connection, frame, now_ms)
            else:
                self.counts["heard_others_pieces"] += 1
        except FrameError:
            self.counts["dropped_malformed"] += 1
        except SealError:
            self.counts["dropped_unauthentic"] += 1
        return [] if frame.confirm is None else [ConfirmFrame(frame.confirm)]

    def _hear_beacon(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> None:
        if self.region.hear_beacon(connection, packets.parse_beacon(frame.payload), now_ms):
            if frame.link is LinkName.BROKER:
                self.links.beacon_ms = now_ms
            self.counts["beacons"] += 1

    def _hear_tokens(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> None:
        heard = packets.parse_tokens(frame.payload)
        matched, news = 0, False
        for message in outgoing.open_messages(connection, now_ms):
            for code in heard.claims(message.verify):
                matched += 1
                news |= self._apply(connection, message, code, frame.link, now_ms)
        if news:  # an old packet heard again must not make people there look active now
            self.region.hear_head(heard.head, now_ms)
        self.counts["tokens_matched" if matched else "tokens_of_others"] += max(matched, 1)

    def _apply(
        self,
        connection: sa.Connection,
        message: outgoing.OpenMessage,
        code: TokenCode,
        link: LinkName,
        now_ms: int,
    ) -> bool:
        """Note what a genuine token says of a message; False when it says nothing new."""
        news = not message.receipted
        if news:
            _log.info("action=receipt message=%d link=%s code=%s", message.id, link, code.name)
            outgoing.note_receipt(connection, message, now_ms)
        if not message.is_request:
            return news
        news |= outgoing.raise_state(connection, message.counter, states.REACHED[code], now_ms)
        if code is TokenCode.PASSED_ON:
            news |= outgoing.note_passed_on(connection, message.counter, now_ms)
        if states.REACHED[code] is TicketState.CLOSED:
            outgoing.note_close_code(connection, message.counter, code)
        if code is not TokenCode.RECEIVED:
            self._acknowledger.hold(message.eid, message.n, code, b"", link, now_ms)
        return news

    def _hear_answer(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> None:
        salt = packets.answer_salt(frame.payload)
        for message in outgoing.open_messages(connection, now_ms):
            if message.is_request and packets.answer_is_for(frame.payload, message.verify):
                break
        else:
            self.counts["answers_of_others"] += 1
            return
        if not outgoing.add_answer(connection, message.counter, salt, frame.payload, now_ms):
            self.counts["answers_refused"] += 1
            return
        self.counts["answers"] += 1
        if not message.receipted:
            outgoing.note_receipt(connection, message, now_ms)
        outgoing.raise_state(connection, message.counter, TicketState.ANSWERED, now_ms)
        self._acknowledger.hold(message.eid, message.n, None, salt, frame.link, now_ms)

    # --- sending ------------------------------------------------------------------------------------------------

    def _ended(self, connection: sa.Connection, event: SendEnded, now_ms: int) -> None:
        flight = self._flights.end(event.attempt_id)
        self.counts[f"sent_{event.link}_{event.outcome}"] += 1
        if not isinstance(flight, Flight):
            return
        message_id, detail = flight.message_id, event.detail
        _log.info("action=sent message=%d link=%s outcome=%s reason=%r", message_id, event.link, event.outcome, detail)
        if event.outcome is not SendOutcome.TAKEN:
            message = outgoing.outgoing(connection, flight.message_id)
            wait_ms = outbox.refused_wait_ms(event.link, message.lane, flight.tries, self._entropy.unit())
            outgoing.note_try(connection, flight.message_id, event.link, flight.tries, now_ms + wait_ms)
        elif event.link is LinkName.MESH or self.links.roads(now_ms).region_answers:
            self._on_its_way(connection, flight.message_id, now_ms)

    def _on_its_way(self, connection: sa.Connection, message_id: int, now_ms: int) -> None:
        counter = outgoing.counter_of_request(connection, message_id)
        if counter is not None:
            outgoing.raise_state(connection, counter, TicketState.ON_ITS_WAY, now_ms)

    def _send(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        roads = self.links.roads(now_ms)
        effects = self._acknowledge(connection, roads, now_ms)
        if not (roads.mesh_up or roads.region_answers):
            self._next_ms = None
            return effects
        waiting = outgoing.waiting(connection)
        flying = {
            link: {f.message_id for f in self._flights.flying(link) if isinstance(f, Flight)} for link in LinkName
        }
        room = {
            LinkName.MESH: MESH_FLYING_MAX - self._flights.count(LinkName.MESH),
            LinkName.BROKER: BROKER_FLYING_MAX - self._flights.count(LinkName.BROKER),
        }
        for choice in outbox.choose(waiting, roads, now_ms, room):
            if choice.message_id not in flying[choice.link]:
                effects.append(self._attempt(connection, choice, now_ms))
        self._plan(connection, roads, now_ms)
        return effects

    def _plan(self, connection: sa.Connection, roads: outbox.Roads, now_ms: int) -> None:
        """Work out when to look again. What is due but has no room needs no timer: its link's SendEnded wakes us."""
        waiting = outgoing.waiting(connection)
        dues = [outbox.due_ms(message, link) for message in waiting for link in outbox.links_for(message, roads)]
        later = [due for due in dues if due > now_ms]
        if waiting and roads.region_answers and self.links.beacon_ms is not None:
            later.append(self.links.beacon_ms + outbox.BEACON_FRESH_MS_MAX + 1)
        self._next_ms = min(later, default=None)

    def _attempt(self, connection: sa.Connection, choice: outbox.Choice, now_ms: int) -> SendFrame:
        """Note the try, then hand the packet to the link (after the commit)."""
        message = outgoing.outgoing(connection, choice.message_id)
        tries = 1 + (message.mesh_tries if choice.link is LinkName.MESH else message.broker_tries)
        wait_ms = outbox.wait_ms(choice.link, message.lane, tries, self._entropy.unit())
        outgoing.note_try(connection, choice.message_id, choice.link, tries, now_ms + wait_ms)
        flight = Flight(choice.message_id, tries)
        attempt_id = self._flights.begin(choice.link, flight)
        _log.info("action=send message=%d link=%s try=%d", choice.message_id, choice.link, tries)
        hello = outbox.says_hello(receipted=message.receipted_epoch, tries=tries)
        at_least = message.created_ms < self._ledger.clock.certain_ms
        age = pack_age((now_ms - message.created_ms) / 1000, at_least=at_least)
        piece = packets.SealedPiece(self._keys.site, message.eid, message.n, message.piece)
        payload = piece.packet(age, message.e_pub if hello else None)
        return SendFrame(choice.link, attempt_id, payload, message.lane, carrier=self._keys.site)

    def _acknowledge(self, connection: sa.Connection, roads: outbox.Roads, now_ms: int) -> list[Effect]:
        ready = self._acknowledger.ready(connection, roads, now_ms)
        if ready is None:
            return []
        link, payload, lane = ready
        attempt_id = self._flights.begin(link, "acknowledgement")
        return [SendFrame(link, attempt_id, payload, lane, carrier=self._keys.site)]
