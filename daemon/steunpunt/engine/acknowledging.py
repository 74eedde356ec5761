"""Tells the coordinator what the kiosk holds of its replies, so that it need not repeat them.

Tokens for *received* need no word back: the kiosk just stops sending. *Seen*, *passed on*, *closed* and answers do.
Acknowledgements gather for a while on the mesh, so that one packet speaks for several replies; over the broker they
go at once. A lost one is not repeated by itself: the coordinator repeats, and is acknowledged again.
"""

import sqlalchemy as sa

from steunpunt.engine.accepting import Sealer
from steunpunt.ledger import outgoing
from steunpunt.model import Lane, LinkName, TokenCode
from steunpunt.protocol.messages import Acknowledged, Acknowledgement, Reference
from steunpunt.protocol.pieces import SealedPiece
from steunpunt.relay.outbox import Roads

MESH_GATHER_MS = 12_000
ITEMS_MAX = 15
"""Items in one packet: 15 times at most 9 bytes fit the 168 bytes of a piece."""
PENDING_MAX = 200
_LANE = Lane.URGENT


class Acknowledger:
    """What is still to be acknowledged; in memory only."""

    def __init__(self, site: int, sealer: Sealer) -> None:
        self._site = site
        self._sealer = sealer
        self._pending: dict[Acknowledged, None] = {}
        self._kept: tuple[dict[Acknowledged, None], int | None] | None = None
        """What was pending before the turn under way, once it changed that."""
        self._told: dict[Acknowledged, None] = {}
        self.due_ms: int | None = None

    def hold(self, eid: bytes, n: int, code: TokenCode | None, salt: bytes, link: LinkName, now_ms: int) -> None:
        """Note that a reply is held; it came over ``link``."""
        self._changing()
        if len(self._pending) < PENDING_MAX:
            self._pending[Acknowledged(Reference(eid, n), code, salt)] = None
        due_ms = now_ms if link is LinkName.BROKER else now_ms + MESH_GATHER_MS
        self.due_ms = due_ms if self.due_ms is None else min(self.due_ms, due_ms)

    def ready(self, connection: sa.Connection, roads: Roads, now_ms: int) -> tuple[LinkName, bytes, Lane] | None:
        """Return (link, packet, lane) when something is due and a road is there."""
        if self.due_ms is None or now_ms < self.due_ms:
            return None
        self._changing()
        link = LinkName.BROKER if roads.region_answers else LinkName.MESH if roads.mesh_up else None
        items = tuple(self._pending)[:ITEMS_MAX]
        for item in items:
            del self._pending[item]
        self.due_ms = now_ms + MESH_GATHER_MS if self._pending else None
        if link is None or not items:
            return None
        return link, self._packet(connection, items), _LANE

    def committed(self) -> None:
        """Note that the last turn is on the disk."""
        self._kept = None

    def rolled_back(self) -> None:
        """Acknowledge nothing that the disk did not keep after all."""
        if self._kept is not None:
            self._pending, self.due_ms = self._kept
            self._kept = None

    def _changing(self) -> None:
        if self._kept is None:
            self._kept = (dict(self._pending), self.due_ms)

    def _packet(self, connection: sa.Connection, items: tuple[Acknowledged, ...]) -> bytes:
        sealed = self._sealer.seal(connection, Acknowledgement(items))
        # Told before and still asked: perhaps this epoch is not known there any more, so say hello again.
        known = outgoing.epoch_receipted(connection, sealed.eid) and self._told.keys().isdisjoint(items)
        self._told |= dict.fromkeys(items)
        while len(self._told) > PENDING_MAX:
            del self._told[next(iter(self._told))]
        piece = SealedPiece(self._site, sealed.eid, sealed.n, sealed.body)
        return piece.packet(0, None if known else sealed.e_pub)
