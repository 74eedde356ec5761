"""A coordinator's replies: what kiosks should still be told, sent until they say that they hold it."""

import logging

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.common import Entropy
from steunpunt.engine.transmitting import Transmitter
from steunpunt.ledger import incoming
from steunpunt.ledger.incoming import Damaged, Reply
from steunpunt.model import SENDING_LINKS, Effect, Lane, LinkName, SendEnded, TokenCode
from steunpunt.protocol import tokens
from steunpunt.protocol.tokens import Head
from steunpunt.relay import replies

REFUSED_WAIT_MS = 5_000
_log = logging.getLogger(__name__)


class ReplyFlight(Struct, frozen=True):
    """Replies under way in one packet."""

    reply_ids: tuple[tuple[int, int], ...]
    """(reply id, tries)."""


class Replier:
    """See the module. All of it inside the caller's transaction."""

    def __init__(self, out: Transmitter, ledger_key: bytes, entropy: Entropy) -> None:
        self._out, self._ledger_key, self._entropy = out, ledger_key, entropy
        self.due_ms: int | None = 0

    def rolled_back(self) -> None:
        """Look again: what was planned leaned on what was not kept."""
        self.due_ms = 0

    def send(self, connection: sa.Connection, head: Head, now_ms: int) -> list[Effect]:
        """Return what goes now: tokens for one radio share a packet, answers go alone."""
        up = self._out.up()
        flying = {r for link in SENDING_LINKS for f in self._out.flying(link) for r in _reply_ids(f)}
        self.due_ms = None
        effects: list[Effect] = []
        together: dict[str, list[Reply]] = {}
        for reply in incoming.pending_replies(connection, up):
            if reply.next_ms > now_ms:  # and so are all that follow
                self._look_again(reply.next_ms)
                break
            roads = incoming.roads_of(connection, reply.at.site)
            road = replies.reply_road(roads, reply.tries, up)
            if road is None or reply.id in flying:
                continue
            if not self._readable(connection, reply, road.link, now_ms):
                continue
            if road.link is LinkName.BROKER:
                payload = self._payload(connection, head, [reply])
                flight = self._note_tries(connection, [reply], roads.wait_like(road), now_ms)
                effects.append(self._out.by_broker(road.carrier, Lane.URGENT, payload, flight))
            else:
                radio = replies.reply_radio(roads.radio, reply.tries, self._out.links.radios_up())
                shared = together.setdefault(radio, [])
                if reply.packet is None and len(shared) < tokens.TOKENS_MAX:
                    shared.append(reply)
                else:
                    effects += self._by_radio(connection, head, radio, [reply], now_ms)
        for radio, shared in together.items():
            effects += self._by_radio(connection, head, radio, shared, now_ms) if shared else []
        return effects

    def _by_radio(
        self, connection: sa.Connection, head: Head, radio: str, batch: list[Reply], now_ms: int
    ) -> list[Effect]:
        """Return the packet, or nothing while the airtime does not allow it."""
        payload = self._payload(connection, head, batch)
        if not self._out.fits(connection, radio, Lane.URGENT, len(payload), now_ms):
            self._look_again(self._out.fits_from_ms(connection, radio, Lane.URGENT, len(payload), now_ms))
            return []
        flight = self._note_tries(connection, batch, LinkName.MESH, now_ms)
        reach = self._out.ways.reach([(reply.at.site, reply.lane, reply.tries) for reply in batch])
        return [self._out.by_radio(connection, radio, Lane.URGENT, payload, flight, now_ms, reach=reach)]

    def _payload(self, connection: sa.Connection, head: Head, batch: list[Reply]) -> bytes:
        return batch[0].packet or tokens.pack_tokens(head, [self._claim(connection, reply) for reply in batch])

    def _note_tries(self, connection: sa.Connection, batch: list[Reply], link: LinkName, now_ms: int) -> ReplyFlight:
        told = [self._note_try(connection, reply, link, now_ms) for reply in batch]
        _log.info("action=send_reply replies=%s site=%d link=%s", told, batch[0].at.site, link)
        return ReplyFlight(tuple(told))

    def _note_try(self, connection: sa.Connection, reply: Reply, link: LinkName, now_ms: int) -> tuple[int, int]:
        tries = reply.tries + 1
        next_ms = now_ms + replies.wait_ms(link, tries, self._entropy.unit())
        incoming.note_reply_try(connection, reply.id, tries, next_ms)
        self._look_again(next_ms)
        return reply.id, tries

    def _look_again(self, at_ms: int) -> None:
        self.due_ms = at_ms if self.due_ms is None else min(at_ms, self.due_ms)

    def _claim(self, connection: sa.Connection, reply: Reply) -> tuple[bytes, TokenCode]:
        content = incoming.content_at(connection, self._ledger_key, reply.at)
        if content is None or reply.code is None:
            raise LookupError(f"reply {reply.id} speaks of a case that is not there")
        return content.verify, reply.code

    def _readable(self, connection: sa.Connection, reply: Reply, link: LinkName, now_ms: int) -> bool:
        """Return whether a token can be said; a case that the disk damaged must not keep others from hearing theirs."""
        if reply.packet is not None:
            return True
        try:
            self._claim(connection, reply)
        except (Damaged, LookupError) as error:
            self._out.counts["replies_unreadable"] += 1
            _log.error("action=cannot_reply reply=%d site=%d reason=%r", reply.id, reply.at.site, str(error))
            self._note_try(connection, reply, link, now_ms)
            return False
        return True

    def not_taken(self, connection: sa.Connection, flight: ReplyFlight, event: SendEnded, now_ms: int) -> None:
        """The next hop did not take a packet: try soon, at first."""
        for reply_id, tries in flight.reply_ids:
            wait_ms = replies.wait_ms(event.link, tries, self._entropy.unit())
            soon_ms = min(REFUSED_WAIT_MS << min(tries - 1, 20), wait_ms)
            incoming.note_reply_try(connection, reply_id, tries, now_ms + soon_ms)


def _reply_ids(flight: object) -> tuple[int, ...]:
    return tuple(reply_id for reply_id, _ in flight.reply_ids) if isinstance(flight, ReplyFlight) else ()
