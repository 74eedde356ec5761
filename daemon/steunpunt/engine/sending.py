"""A kiosk's sending: which packets go on which link now, what became of them, and when to look again."""

import logging

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.acknowledging import Acknowledger
from steunpunt.engine.airlog import AirLog
from steunpunt.engine.common import Counts, Entropy, Flights, Links
from steunpunt.ledger import outgoing
from steunpunt.ledger.outgoing import Outgoing
from steunpunt.ledger.store import Ledger
from steunpunt.model import (
    SENDING_LINKS,
    Effect,
    Lane,
    LinkName,
    RadioUsed,
    SendEnded,
    SendFrame,
    SendOutcome,
    TicketState,
)
from steunpunt.protocol.age import pack_age
from steunpunt.protocol.packets import fragment_byte
from steunpunt.protocol.pieces import SealedPiece, batch
from steunpunt.protocol.wants import Want
from steunpunt.relay import outbox
from steunpunt.relay.epochs import answers_hello
from steunpunt.relay.outbox import Choice, Roads, Waiting
from steunpunt.relay.pace import Pace, at_once
from steunpunt.relay.reassembly import answers_want
from steunpunt.values import replace

BROKER_FLYING_MAX = 8
MESH_FLYING_MAX = 1
"""One at a time: the radio's own queue knows nothing of our lanes."""
REMEMBERED_MAX = 500
_log = logging.getLogger(__name__)


class Part(Struct, frozen=True):
    """A message in a packet under way: which try it was, and which fragment of it; None for a whole message."""

    message_id: int
    tries: int
    fragment: int | None = None


class Flight(Struct, frozen=True):
    """What an attempt carries."""

    parts: tuple[Part, ...]
    paced: bool = False
    """Whether it went over the mesh and is no rest of something."""
    life_threat: bool = False

    def told(self) -> tuple[str, str, str]:
        """Return for the log its messages, which try of each, and which fragment; ``-``: a whole message."""
        fragments = ["-" if part.fragment is None else str(part.fragment) for part in self.parts]
        ids, tries = [str(part.message_id) for part in self.parts], [str(part.tries) for part in self.parts]
        return ",".join(ids), ",".join(tries), ",".join(fragments)


class Sender:
    """See the module. All of it inside the caller's transaction."""

    def __init__(
        self,
        ledger: Ledger,
        site: int,
        links: Links,
        entropy: Entropy,
        acknowledger: Acknowledger,
        counts: Counts,
    ) -> None:
        self._ledger, self._site, self._links, self._entropy = ledger, site, links, entropy
        self._acknowledger, self._counts = acknowledger, counts
        self.air = AirLog(ledger)
        self.flights = Flights()
        self.region_radio: int | None = None
        """The radio through which the region last spoke to us over the mesh,"""
        self.region_packet: int | None = None
        """and the packet in which it did: what answers that packet teaches the radios on the way how to reach us."""
        self.region_hops: int | None = None
        """Over how many radios that packet came; None: not known."""
        self.unicasts = True
        """False where several coordinators must hear each piece: radios hand a unicast to its addressee only."""
        self.next_ms: int | None = 0
        self._taken: dict[int, int] = {}
        """Message id -> bitmap of fragments that a radio or the broker took."""
        self._wanted_ms: dict[int, int] = {}
        self._hello_ms: dict[bytes, int] = {}
        self._pace = Pace()
        self._unheard: dict[int, bool] = {}
        """Messages that a radio took and that have no receipt yet: by id, whether they are life threats."""

    def committed(self) -> None:
        """Note that the last turn is on the disk."""
        self.flights.committed()

    def rolled_back(self) -> None:
        """Forget what the last turn began: its effects are not done, and what was planned leaned on it."""
        self.flights.rolled_back()
        self.air.rolled_back()
        self.next_ms = 0

    def jitter_ms(self, most_ms: int) -> int:
        """Return a wait of this site's own, 0 to ``most_ms``."""
        return round(self._entropy.unit() * most_ms)

    def wants_mesh(self, connection: sa.Connection, now_ms: int) -> bool:
        """Return whether a message waits for the mesh or is on its way there: nobody else's goes before it."""
        roads = self._links.roads(now_ms)
        if self.flights.count(LinkName.MESH):
            return True
        return any(LinkName.MESH in outbox.links_for(message, roads) for message in outgoing.waiting(connection))

    # --- what became of it --------------------------------------------------------------------------------------

    def ended(self, connection: sa.Connection, event: SendEnded, now_ms: int) -> object | None:
        """Take the end of an attempt at its next hop; returns what it carried."""
        self.air.ended(connection, event.attempt_id, refused=event.outcome is SendOutcome.REFUSED)
        if event.attempt_id < 0:  # an integrator's
            return None
        flight = self.flights.end(event.attempt_id)
        self._counts[f"sent_{event.link}_{event.outcome}"] += 1
        if not isinstance(flight, Flight):
            return flight
        (ids, _, _), detail = flight.told(), event.detail
        _log.info("action=sent messages=%s link=%s outcome=%s reason=%r", ids, event.link, event.outcome, detail)
        if flight.paced and event.outcome is SendOutcome.TAKEN:
            self._unheard.update((part.message_id, flight.life_threat) for part in flight.parts)
        for part in flight.parts:
            if event.outcome is not SendOutcome.TAKEN:
                self._not_taken(connection, part, event.link, now_ms)
            elif event.link is LinkName.MESH or self._links.roads(now_ms).region_answers:
                self._note_taken(connection, part, now_ms)
        return flight

    def _not_taken(self, connection: sa.Connection, part: Part, link: LinkName, now_ms: int) -> None:
        message = outgoing.outgoing(connection, part.message_id)
        wait_ms = outbox.refused_wait_ms(link, message.lane, part.tries, self._entropy.unit())
        outgoing.note_try(connection, part.message_id, link, part.tries, now_ms + wait_ms)
        if part.fragment is not None and link is LinkName.MESH:
            outgoing.note_fragments(connection, part.message_id, unsent=message.unsent | 1 << part.fragment)

    def _note_taken(self, connection: sa.Connection, part: Part, now_ms: int) -> None:
        """On its way means that every fragment was taken, not the first."""
        counter = outgoing.counter_of_request(connection, part.message_id)
        if counter is None:
            return
        if part.fragment is not None:
            body_bytes = len(outgoing.outgoing(connection, part.message_id).piece)
            every = (1 << len(outbox.body_parts(body_bytes))) - 1
            taken = self._taken.pop(part.message_id, 0) | 1 << part.fragment
            self._taken[part.message_id] = taken
            while len(self._taken) > REMEMBERED_MAX:
                del self._taken[next(iter(self._taken))]
            if taken != every:
                return
        outgoing.raise_state(connection, counter, TicketState.ON_ITS_WAY, now_ms)

    # --- what the region asks for -------------------------------------------------------------------------------

    def want(self, connection: sa.Connection, want: Want, link: LinkName, now_ms: int) -> bool:
        """Send only what the coordinator misses of a message; False when this is no genuine question to us."""
        for message in outgoing.open_messages(connection, now_ms):
            if (message.eid, message.n) == (want.eid, want.n) and want.genuine(message.verify):
                break
        else:
            return False
        if message.receipted or not answers_want(self._wanted_ms.get(message.id), now_ms):
            return True
        self._wanted_ms[message.id] = now_ms
        while len(self._wanted_ms) > REMEMBERED_MAX:
            del self._wanted_ms[next(iter(self._wanted_ms))]
        outgoing.note_missing(connection, message.id, want.bitmap, link, now_ms)
        return True

    def want_hello(self, connection: sa.Connection, eid: bytes, now_ms: int) -> bool:
        """Say hello in one of our epochs: anybody can ask this, so it is done seldom."""
        if not answers_hello(self._hello_ms.get(eid), now_ms):
            return True
        if not outgoing.say_hello_again(connection, eid, now_ms):
            return False
        self._hello_ms[eid] = now_ms
        while len(self._hello_ms) > REMEMBERED_MAX:
            del self._hello_ms[next(iter(self._hello_ms))]
        return True

    # --- sending ------------------------------------------------------------------------------------------------

    def send(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Return the packets that go now; each try is noted before it is made."""
        roads = self._links.roads(now_ms)
        effects = self._acknowledge(connection, roads, now_ms)
        if not (roads.mesh_up or roads.region_answers):
            self.next_ms = None
            return effects
        waiting = self._paced(outgoing.waiting(connection), now_ms)
        flying = {link: self._flying(link) for link in SENDING_LINKS}
        room = {
            LinkName.MESH: MESH_FLYING_MAX - self.flights.count(LinkName.MESH),
            LinkName.BROKER: BROKER_FLYING_MAX - self.flights.count(LinkName.BROKER),
        }
        fits = lambda lane, size: self.air.fits(connection, lane, size, now_ms)  # noqa: E731
        chosen = outbox.choose(waiting, roads, now_ms, room, fits)
        by_id = {message.message_id: message for message in waiting}
        for choice in chosen.choices:
            if choice.message_id not in flying[choice.link]:
                effects += self._attempt(connection, choice, by_id[choice.message_id], now_ms)
        still = self._paced(outgoing.waiting(connection), now_ms) if chosen.choices else waiting
        self._plan(connection, still, roads, chosen.waits_for_air, now_ms)
        return effects

    def _paced(self, waiting: list[Waiting], now_ms: int) -> list[Waiting]:
        """Learn which messages were receipted, and hold back what would go too soon after others."""
        for message_id in self._unheard.keys() - {message.message_id for message in waiting}:
            self._pace.heard(now_ms, life_threat=self._unheard.pop(message_id))
        return self._pace.held(waiting, now_ms)

    def radio_used(self, connection: sa.Connection, event: RadioUsed, now_ms: int) -> None:
        """Take the radio's own word on its airtime and on how full the channel is."""
        self.air.read(connection, event.share, now_ms)
        if event.channel is not None:
            self._pace.channel(now_ms, event.channel)

    def _flying(self, link: LinkName) -> set[int]:
        flights = (flight for flight in self.flights.flying(link) if isinstance(flight, Flight))
        return {part.message_id for flight in flights for part in flight.parts}

    def _plan(
        self,
        connection: sa.Connection,
        waiting: list[Waiting],
        roads: Roads,
        waits_for_air: tuple[Lane, int] | None,
        now_ms: int,
    ) -> None:
        """Work out when to look again. What is due but has no room needs no timer: its link's SendEnded wakes us."""
        dues = [outbox.due_ms(message, link) for message in waiting for link in outbox.links_for(message, roads)]
        later = [due for due in dues if due > now_ms]
        if waits_for_air is not None:
            later.append(self.air.fits_from_ms(connection, *waits_for_air, now_ms))
        if waiting and roads.region_answers and self._links.beacon_ms is not None:
            later.append(self._links.beacon_ms + outbox.BEACON_FRESH_MS_MAX + 1)
        self.next_ms = min(later, default=None)

    def _attempt(self, connection: sa.Connection, choice: Choice, first: Waiting, now_ms: int) -> list[Effect]:
        if choice.link is LinkName.BROKER:
            return self._over_broker(connection, first, now_ms)
        fragment = first.next_fragment
        ids = (choice.message_id, *choice.company)
        messages = [outgoing.outgoing(connection, message_id) for message_id in ids]
        parts = []
        for message_id, message in zip(ids, messages, strict=True):
            new_try = fragment is None or message.unsent == 0
            tries = message.mesh_tries + 1 if new_try else message.mesh_tries
            parts.append(Part(message_id, tries, fragment))
            self._note_mesh_try(connection, parts[-1], message, first.unsent or first.round(), now_ms)
        hello = self._hello(messages[0], parts[0].tries)
        pieces = [(self._age(message, now_ms), self._piece(message, fragment)) for message in messages]
        payload = batch(self._site, first.eid, pieces, hello)
        life_threat = first.lane is Lane.LIFE_THREAT
        flight = Flight(tuple(parts), paced=not at_once(first), life_threat=life_threat)
        destination = self.region_radio if self.unicasts and outbox.unicast(first) else None
        attempt_id = self._begin(LinkName.MESH, flight, payload)
        self.air.spend(connection, attempt_id, len(payload), now_ms)
        if flight.paced:
            again = any(message_id in self._unheard for message_id in ids)
            self._pace.sent(now_ms, self._entropy.unit, again=again, life_threat=life_threat)
        insist = life_threat and destination is None
        more = outbox.hops_more(first.lane, first.mesh_tries)
        frame = SendFrame(LinkName.MESH, attempt_id, payload, first.lane, destination, want_ack=insist, hops_more=more)
        if destination is None:
            return [frame]
        return [replace(frame, answers=self.region_packet, hops_max=outbox.hops_max(first, self.region_hops))]

    def _note_mesh_try(
        self, connection: sa.Connection, part: Part, message: Outgoing, in_this_try: int, now_ms: int
    ) -> None:
        """The wait for a token begins when the last fragment of a try has gone."""
        left = 0
        if part.fragment is not None:
            left = in_this_try & ~(1 << part.fragment)
            outgoing.note_fragments(connection, part.message_id, unsent=left)
        wait_ms = 0 if left else outbox.wait_ms(LinkName.MESH, message.lane, part.tries, self._entropy.unit())
        outgoing.note_try(connection, part.message_id, LinkName.MESH, part.tries, now_ms + wait_ms)

    def _over_broker(self, connection: sa.Connection, first: Waiting, now_ms: int) -> list[Effect]:
        """Over the broker air is not scarce: all missing fragments at once."""
        message = outgoing.outgoing(connection, first.message_id)
        tries = message.broker_tries + 1
        wait_ms = outbox.wait_ms(LinkName.BROKER, message.lane, tries, self._entropy.unit())
        outgoing.note_try(connection, first.message_id, LinkName.BROKER, tries, now_ms + wait_ms)
        hello, age = self._hello(message, tries), self._age(message, now_ms)
        fragments: list[int | None] = [None]
        if first.fragmented:
            fragments = [i for i in range(len(outbox.body_parts(first.body_bytes))) if first.missing >> i & 1]
        effects: list[Effect] = []
        for fragment in fragments:
            payload = self._piece(message, fragment).packet(age, hello)
            flight = Flight((Part(first.message_id, tries, fragment),))
            attempt_id = self._begin(LinkName.BROKER, flight, payload)
            effects.append(SendFrame(LinkName.BROKER, attempt_id, payload, message.lane, carrier=self._site))
        return effects

    def _begin(self, link: LinkName, flight: Flight, payload: bytes) -> int:
        ids, tries, fragments = flight.told()
        _log.info(
            "action=send messages=%s link=%s tries=%s fragments=%s bytes=%d", ids, link, tries, fragments, len(payload)
        )
        return self.flights.begin(link, flight)

    def _piece(self, message: Outgoing, fragment: int | None) -> SealedPiece:
        if fragment is None:
            return SealedPiece(self._site, message.eid, message.n, message.piece)
        parts = outbox.body_parts(len(message.piece))
        start, end = parts[fragment]
        place = fragment_byte(fragment, len(parts) - 1)
        return SealedPiece(self._site, message.eid, message.n, message.piece[start:end], place)

    @staticmethod
    def _hello(message: Outgoing, tries: int) -> bytes | None:
        return message.e_pub if outbox.says_hello(receipted=message.receipted_epoch, tries=tries) else None

    def _age(self, message: Outgoing, now_ms: int) -> int:
        at_least = message.created_ms < self._ledger.clock.certain_ms
        return pack_age((now_ms - message.created_ms) / 1000, at_least=at_least)

    def _acknowledge(self, connection: sa.Connection, roads: Roads, now_ms: int) -> list[Effect]:
        ready = self._acknowledger.ready(connection, roads, now_ms)
        if ready is None:
            return []
        link, payload, lane = ready
        attempt_id = self.flights.begin(link, "acknowledgement")
        if link is LinkName.MESH:
            self.air.spend(connection, attempt_id, len(payload), now_ms)
        return [SendFrame(link, attempt_id, payload, lane, carrier=self._site)]
