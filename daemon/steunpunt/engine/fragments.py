"""A coordinator's messages in fragments: kept until they are whole, and asked for where some do not come."""

import sqlalchemy as sa

from steunpunt.engine.common import Counts, Entropy
from steunpunt.ledger import halves
from steunpunt.ledger.incoming import Piece
from steunpunt.model import Lane
from steunpunt.protocol import messages
from steunpunt.protocol.keys import MessageKeys
from steunpunt.protocol.pieces import SealedPiece, open_message
from steunpunt.relay import reassembly
from steunpunt.relay.reassembly import Half
from steunpunt.values import replace

WANTS_TURN_MAX = 4
"""Most WANTs in one turn; the rest follows in the next."""


class Fragments:
    """See the module. Only what authenticated comes here."""

    def __init__(self, entropy: Entropy, counts: Counts) -> None:
        self._entropy, self._counts = entropy, counts
        self.due_ms: int | None = 0

    def take(
        self, connection: sa.Connection, piece: SealedPiece, keys: MessageKeys, plain: bytes, now_ms: int
    ) -> bytes | None:
        """Keep an opened fragment; returns the whole message's plain bytes when it was the last that missed."""
        at = Piece(piece.site, piece.eid, piece.n)
        half = halves.half(connection, at)
        if half is not None and half.last != piece.last:
            self._counts["dropped_malformed"] += 1
            return None
        if not halves.add_fragment(connection, at, piece.fragment or 0, piece.body, opened=True):
            self._counts["fragment_copies"] += 1
            return None
        self._counts["fragments"] += 1
        half = self._grown(half, piece, plain, now_ms)
        if half.missing:
            halves.keep(connection, half)
            self._make_room(connection)
            self.due_ms = half.want_due_ms if self.due_ms is None else min(self.due_ms, half.want_due_ms)
            return None
        sealed = [
            SealedPiece(at.site, at.eid, at.n, body, fragment) for fragment, body in halves.fragments_of(connection, at)
        ]
        halves.drop(connection, at)
        return open_message(sealed, keys)

    def _grown(self, half: Half | None, piece: SealedPiece, plain: bytes, now_ms: int) -> Half:
        half = half or Half(piece.site, piece.eid, piece.n, piece.last, 0, 0, Lane.URGENT, now_ms)
        lane = half.lane
        if piece.index == 0 and messages.life_threat_in_head(plain):
            lane = Lane.LIFE_THREAT
        size_bytes = half.size_bytes + len(piece.body)
        have = half.have | 1 << piece.index
        half = replace(half, have=have, size_bytes=size_bytes, lane=lane, heard_ms=now_ms, wants=0)
        return replace(half, want_due_ms=now_ms + reassembly.want_wait_ms(half, self._entropy.unit()))

    def _make_room(self, connection: sa.Connection) -> None:
        """What goes was not receipted, so its kiosk sends it again."""
        for half in reassembly.to_drop(halves.all_halves(connection)):
            halves.drop(connection, Piece(*half.key))
            self._counts["halves_dropped"] += 1

    def wants(self, connection: sa.Connection, now_ms: int) -> list[Half]:
        """Return which messages to ask for now, and note that they are asked for."""
        if self.due_ms is None or now_ms < self.due_ms:
            return []
        rows = halves.all_halves(connection)
        chosen = reassembly.choose_wants(rows, now_ms, WANTS_TURN_MAX)
        for half in chosen:
            asked = replace(half, wants=half.wants + 1)
            wait_ms = reassembly.want_wait_ms(asked, self._entropy.unit())
            halves.keep(connection, replace(asked, want_due_ms=now_ms + wait_ms))
            self._counts["wants"] += 1
        due_ms = reassembly.next_want_ms(halves.all_halves(connection)) if rows else None
        self.due_ms = None if due_ms is None else max(due_ms, now_ms + 1)
        return chosen

    def rolled_back(self) -> None:
        """Look again: what was planned leaned on what was not kept."""
        self.due_ms = 0
