"""What a kiosk hears from the region: tokens, answers, beacons, and what the region misses of its messages.

Nothing counts before it authenticates; what does not is counted and dropped.
"""

import logging

import sqlalchemy as sa

from steunpunt.engine.acknowledging import Acknowledger
from steunpunt.engine.beating import Beater, Parts
from steunpunt.engine.rekeying import Rekeyer
from steunpunt.ledger import outgoing
from steunpunt.ledger.outgoing import OpenMessage
from steunpunt.model import FrameError, FrameHeard, LinkName, SealError, TicketState, TokenCode
from steunpunt.protocol import answers, beacons, packets, tokens, wants
from steunpunt.protocol.packets import Kind
from steunpunt.protocol.tokens import Head
from steunpunt.relay import states

OFFER_MS_MAX = {LinkName.MESH: 90_000, LinkName.BROKER: 10_000}
"""Kiosks hear of a coordinator's restored ledger all at once, and must not answer all at once."""
_log = logging.getLogger(__name__)


class Hearer:
    """See the module. All of it inside the caller's transaction."""

    def __init__(self, site: int, parts: Parts, acknowledger: Acknowledger, beater: Beater, rekeyer: Rekeyer) -> None:
        self._site, self._region, self._sender = site, parts.region, parts.sender
        self._news, self._beater, self._sealer = parts.news, beater, parts.sealer
        self._rekeyer = rekeyer
        self._acknowledger, self._links, self._counts = acknowledger, parts.links, parts.counts

    def hear(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> bool:
        """Take a packet from a link; returns whether others may be concerned by it, besides or instead of this site."""
        handlers = {
            Kind.TOKENS: self._tokens,
            Kind.ANSWER: self._answer,
            Kind.BEACON: self._beacon,
            Kind.WANT: self._want,
            Kind.WANT_HELLO: self._want_hello,
            Kind.NEWS: self._news_frame,
            Kind.REVOCATION: self._notice,
            Kind.KEYS: self._notice,
        }
        try:
            kind = packets.kind_of(frame.payload)
            if kind in handlers:
                return handlers[kind](connection, frame, now_ms)
        except FrameError:
            self._counts["dropped_malformed"] += 1
            return False
        except SealError:
            self._counts["dropped_unauthentic"] += 1
            return False
        self._counts["heard_others_pieces"] += 1
        return True

    # --- what the region says of itself -------------------------------------------------------------------------

    def _beacon(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> bool:
        beacon = beacons.parse_beacon(frame.payload)
        ours = self._region.hear_beacon(connection, beacon, now_ms)
        self._known_head(connection, beacon.head, now_ms)
        self._news.told(beacon.head)
        if ours and frame.link is LinkName.BROKER:
            self._links.beacon_ms = now_ms
        self._counts["beacons"] += ours
        return False

    def _news_frame(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> bool:
        self._news.hear(connection, frame, now_ms)
        return True

    def _notice(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> bool:
        self._rekeyer.hear(connection, frame, now_ms)
        return True

    def _known_head(self, connection: sa.Connection, head: Head, now_ms: int) -> None:
        """Of an authentic packet: after a restore of the coordinator's ledger offer it again what may be lost."""
        if self._region.raised_incarnation(connection, head):
            due_ms = {link: now_ms + self._sender.jitter_ms(most) for link, most in OFFER_MS_MAX.items()}
            again = outgoing.offer_again(connection, head.coordinator, head.incarnation, now_ms, due_ms)
            self._counts["offered_again"] += again
            _log.warning(
                "action=offer_again coordinator=%d incarnation=%d messages=%d",
                head.coordinator,
                head.incarnation,
                again,
            )

    def _spoken(self, connection: sa.Connection, head: Head, frame: FrameHeard, now_ms: int) -> None:
        """The region answered us: remember through which radio."""
        if frame.link is LinkName.MESH:
            self._sender.region_radio, self._sender.region_packet = frame.sender, frame.packet_id
            self._sender.region_hops = frame.hops
        self._known_head(connection, head, now_ms)

    # --- what it says of our messages ---------------------------------------------------------------------------

    def _tokens(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> bool:
        heard = tokens.parse_tokens(frame.payload)
        if self._region.is_past(connection, heard.head):
            self._counts["tokens_of_past_lives"] += len(heard.tokens)
            return True
        beat = self._beater.hear(connection, heard)
        matched, news, proof = beat.matched, beat.news, beat.news
        for message in outgoing.open_messages(connection, now_ms):
            for code in heard.claims(message.verify):
                matched += 1
                said = self._apply(connection, message, code, heard.head, frame.link, now_ms)
                news |= said
                proof |= said and self._sealer.of_this_start(message.eid)
        if matched:
            self._spoken(connection, heard.head, frame, now_ms)
            self._news.told(heard.head)
        if proof:
            self._news.proved(connection, heard.head, now_ms)
        if news:  # an old packet heard again must not make people there look active now
            self._region.hear_head(heard.head, now_ms)
        self._counts["tokens_matched" if matched else "tokens_of_others"] += max(matched, 1)
        return matched < len(heard.tokens)

    def _apply(
        self,
        connection: sa.Connection,
        message: OpenMessage,
        code: TokenCode,
        head: Head,
        link: LinkName,
        now_ms: int,
    ) -> bool:
        """Note what a genuine token says of a message; False when it says nothing new."""
        news, by = not message.receipted, head.coordinator << 8 | head.incarnation
        later_life = states.of_later_life(message.receipted_by, by)
        if news:
            _log.info("action=receipt message=%d link=%s code=%s", message.id, link, code.name)
        if news or later_life:
            outgoing.note_receipt(connection, message, now_ms, by)
        if not message.is_request:
            return news
        news |= self._note_state(connection, message.counter, code, now_ms, later_life=later_life)
        if code is TokenCode.PASSED_ON:
            news |= outgoing.note_passed_on(connection, message.counter, now_ms)
        if code is not TokenCode.RECEIVED:
            self._acknowledger.hold(message.eid, message.n, code, b"", link, now_ms)
        return news

    def _note_state(
        self, connection: sa.Connection, counter: int, code: TokenCode, now_ms: int, *, later_life: bool
    ) -> bool:
        """Take over what a token says of the state; False when it says nothing new."""
        ticket = outgoing.ticket(connection, counter)
        if ticket is None:
            return False
        before = states.in_later_life(ticket.close_code) if later_life else ticket.close_code
        state, closing = states.told(ticket.state, before, code)
        if (state, closing) == (ticket.state, ticket.close_code):
            return False
        if code is TokenCode.REOPENED and self._answered_since(connection, ticket):
            state = TicketState.ANSWERED
        outgoing.note_told(connection, counter, state, closing, now_ms)
        return True

    @staticmethod
    def _answered_since(connection: sa.Connection, ticket: outgoing.Ticket) -> bool:
        """Return whether a whole answer came after a ticket was closed: it may be what the reopening is about."""
        received_ms = dict(outgoing.answers_of(connection, ticket.counter))
        whole = answers.whole_answers(list(received_ms))
        closed = ticket.state is TicketState.CLOSED
        return closed and any(max(received_ms[part] for part in parts) > ticket.state_ms for parts in whole)

    def _answer(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> bool:
        """Keep an answer, or a part of one: the citizen is told of it when it is whole."""
        part = answers.answer_part(frame.payload)
        for message in outgoing.open_messages(connection, now_ms):
            if message.is_request and answers.answer_is_for(frame.payload, message.verify):
                break
        else:
            self._counts["answers_of_others"] += 1
            return True
        known = outgoing.has_answer(connection, message.counter, part.salt)
        if not outgoing.add_answer(connection, message.counter, part.salt, frame.payload, now_ms):
            self._counts["answers_refused"] += 1
            return False
        self._counts["answers"] += 1
        kept = [packet for packet, _ in outgoing.answers_of(connection, message.counter)]
        # One heard before says nothing new, such as after a reopening.
        if not known and any(frame.payload in whole for whole in answers.whole_answers(kept)):
            outgoing.raise_state(connection, message.counter, TicketState.ANSWERED, now_ms)
        self._acknowledger.hold(message.eid, message.n, None, part.salt, frame.link, now_ms)
        return False

    # --- what it misses -----------------------------------------------------------------------------------------

    def _want(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> bool:
        want = wants.parse_want(frame.payload)
        ours = want.site == self._site and self._sender.want(connection, want, frame.link, now_ms)
        self._counts["wants" if ours else "wants_of_others"] += 1
        return want.site != self._site

    def _want_hello(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> bool:
        want = wants.parse_want_hello(frame.payload)
        ours = want.site == self._site and self._sender.want_hello(connection, want.eid, now_ms)
        self._counts["want_hellos" if ours else "wants_of_others"] += 1
        return want.site != self._site
