"""A kiosk goes by the newest public keys that the offline root told of, and gives its broker what it was told, once."""

import logging

import sqlalchemy as sa

from steunpunt.engine import pointstate
from steunpunt.engine.accepting import Sealer
from steunpunt.engine.common import Links
from steunpunt.engine.notices import NoticeBook
from steunpunt.engine.region import RegionWatch
from steunpunt.engine.sending import Sender
from steunpunt.ledger.store import Ledger
from steunpunt.model import Effect, FrameHeard, Lane, LinkName, SendFrame
from steunpunt.protocol.authority import REGION, KeyNotice, Revocation
from steunpunt.protocol.keys import SiteKeys

GIVEN_TURN_MAX = 4
"""Most notices given to the broker in one turn."""
_log = logging.getLogger(__name__)


class Rekeyer:
    """See the module. All of it inside the caller's transaction."""

    def __init__(self, ledger: Ledger, keys: SiteKeys, book: NoticeBook, sealer: Sealer, region: RegionWatch) -> None:
        self._ledger, self._keys, self._book, self._sealer, self._region = ledger, keys, book, sealer, region
        self._begun = False
        self._given: set[bytes] = set()
        """What the region's broker knows: it came from there, or went there since this start."""

    def rolled_back(self) -> None:
        """Go by the disk again; a genuine key that was taken into use stays in use."""
        self._book.rolled_back()
        self._given.clear()

    def begin(self, connection: sa.Connection, now_ms: int) -> None:
        """Go by what the ledger and the key file hold; at the first turn of a start."""
        if self._begun:
            return
        self._begun = True
        for notice in self._book.keys(connection):
            self._use(notice)
        self._look_at_card(connection, now_ms)

    def hear(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> None:
        """Take a notice from a link; FrameError for what makes no sense, SealError for what the root did not sign."""
        notice = self._book.hear(connection, frame.payload)
        if frame.link is LinkName.BROKER:
            self._given.add(frame.payload)
        if isinstance(notice, KeyNotice):
            self._use(notice)
        elif isinstance(notice, Revocation):
            self._look_at_card(connection, now_ms)

    def _use(self, notice: KeyNotice) -> None:
        if notice.holder == REGION:
            self._sealer.seal_to(notice.public)
        else:
            self._region.hear_key(notice.holder, notice.public)

    def _look_at_card(self, connection: sa.Connection, now_ms: int) -> None:
        """Close the point while its own card is revoked: nobody should wait here for an answer that can't come."""
        revoked = self._book.revoked(connection).get(self._keys.site, 0) >= self._keys.generation
        pointstate.set_revoked(self._ledger, connection, now_ms, revoked=revoked)
        if revoked:
            _log.error("action=notice why=this site's own card is revoked: the point is closed; put in the new card")

    def send(self, connection: sa.Connection, links: Links, sender: Sender, now_ms: int) -> list[Effect]:
        """Return the notices that go up now: each once in a start, while the region answers there."""
        if not links.roads(now_ms).region_answers:
            return []
        kept = [one.packet for one in self._book.kept(connection)]
        waiting = [packet for packet in kept if packet not in self._given][:GIVEN_TURN_MAX]
        self._given = {packet for packet in self._given if packet in kept} | set(waiting)
        attempts = [(packet, sender.flights.begin(LinkName.BROKER, "notice")) for packet in waiting]
        return [
            SendFrame(LinkName.BROKER, attempt_id, packet, Lane.HOUSEKEEPING, carrier=self._keys.site)
            for packet, attempt_id in attempts
        ]
