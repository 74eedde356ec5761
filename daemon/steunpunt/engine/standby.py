"""A coordinator among others: whose messages it receipts, what it overhears of the others, and when it takes over."""

import logging

import sqlalchemy as sa

from steunpunt.engine.common import Counts, Entropy, Neighbours
from steunpunt.engine.intake import Taken
from steunpunt.ledger import incoming
from steunpunt.ledger import standby as rows
from steunpunt.ledger.incoming import EventContent, Piece
from steunpunt.ledger.standby import Row
from steunpunt.model import TokenCode
from steunpunt.protocol import tokens, vault
from steunpunt.protocol.tokens import Head
from steunpunt.relay import standby
from steunpunt.relay.standby import Stand
from steunpunt.values import replace

TURN_MAX = 16
"""Most messages taken over in one turn; the rest follows in the next."""
_log = logging.getLogger(__name__)


class Standby:
    """See the module. All of it inside the caller's transaction."""

    def __init__(self, neighbours: Neighbours, ledger_key: bytes, entropy: Entropy, counts: Counts) -> None:
        self._who, self._ledger_key = neighbours, ledger_key
        self._entropy, self._counts = entropy, counts
        self._hushed: set[int] = set()
        """Coordinators that let a message wait in vain and were not overheard since; in memory only."""
        self._acted_ms: dict[int, int] = {}
        """Coordinator -> when a person last acted there, as far as its tokens said."""
        self.due_ms: int | None = 0

    def rolled_back(self) -> None:
        """Look again: what was planned leaned on what was not kept."""
        self.due_ms = 0

    def addressed_here(self, site: int) -> bool:
        """Return whether a site addresses this coordinator."""
        return self._who.of(site) == self._who.own

    # --- what comes in ------------------------------------------------------------------------------------------

    def receipts(self, connection: sa.Connection, taken: Taken, now_ms: int) -> bool:
        """Return whether we receipt this message; keeps what is needed to overhear others speak of it."""
        if not self._who.others:
            return True
        addressed = self._who.of(taken.at.site)
        if taken.heartbeat:  # the next one comes soon: nothing is lost that somebody would have to take over
            return addressed == self._who.own
        row = rows.row(connection, self._ledger_key, taken.at)
        if row is None:
            stand, due_ms = Stand.OWN, None
            if addressed != self._who.own:
                stand, due_ms = Stand.WAITING, now_ms + standby.wait_ms(hushed=addressed in self._hushed)
                self._look_again(due_ms)
            lane = rows.lane_of(connection, taken.at)
            new = Row(taken.at, addressed, lane, taken.verify, stand, None, due_ms)
            rows.add(connection, self._ledger_key, new, self._entropy.token(vault.NONCE_BYTES), now_ms)
            return standby.receipts(stand)
        if row.stand is Stand.WITH_OTHER and now_ms - (row.told_ms or 0) >= standby.COPY_MS:
            # Its site asks again, so it has not heard the other's receipt.
            due_ms = now_ms + standby.wait_ms(hushed=row.coordinator in self._hushed)
            rows.change(connection, replace(row, stand=Stand.WAITING, due_ms=due_ms))
            self._look_again(due_ms)
        return standby.receipts(row.stand)

    def overhear(self, connection: sa.Connection, payload: bytes, now_ms: int) -> None:
        """Take tokens of another coordinator; FrameError when they are none. What matches no message is counted."""
        heard = tokens.parse_tokens(payload)
        if heard.head.coordinator == self._who.own:
            return
        matched = 0
        for row in rows.newest(connection, self._ledger_key):
            for code in heard.claims(row.verify):
                matched += 1
                self._note(connection, row, code, heard.head, now_ms)
        self._counts["overheard" if matched else "overheard_of_others"] += max(matched, 1)

    def _note(self, connection: sa.Connection, row: Row, code: TokenCode, head: Head, now_ms: int) -> None:
        self._hushed.discard(head.coordinator)
        if head.active_min != tokens.NOBODY_YET:
            acted_ms = now_ms - head.active_min * 60_000
            self._acted_ms[head.coordinator] = max(acted_ms, self._acted_ms.get(head.coordinator, 0))
        stand = standby.overheard(row.stand, code)
        highest = code if row.code is None else max(code, row.code)
        due_ms = row.due_ms if stand is row.stand else None
        if stand is Stand.WITH_OTHER:
            due_ms = standby.absent_from_ms(row.lane, highest, head.active_min, now_ms)
        rows.change(connection, replace(row, stand=stand, code=highest, due_ms=due_ms, told_ms=now_ms))
        if due_ms is not None:
            self._look_again(due_ms)
        if code is not TokenCode.RECEIVED and code > (row.code or 0):
            self._tell_desk(connection, row.at, "elsewhere", head.coordinator, code, now_ms)

    def _tell_desk(
        self, connection: sa.Connection, at: Piece, kind: str, coordinator: int, code: int, now_ms: int
    ) -> None:
        """Write it into the case's history; a supplement's has none."""
        key = incoming.case_key(connection, self._ledger_key, at)
        if key is not None:
            content = EventContent(code=code, coordinator=coordinator)
            box = incoming.box_event(key, self._entropy.token(vault.NONCE_BYTES), content)
            incoming.add_event(connection, at, kind, now_ms, box)

    # --- taking over --------------------------------------------------------------------------------------------

    def take_over(self, connection: sa.Connection, now_ms: int) -> list[Row]:
        """Return the messages that we receipt from now on, because the addressed coordinator has not."""
        if self.due_ms is None or now_ms < self.due_ms:
            return []
        taken: list[Row] = []
        for row in rows.due(connection, self._ledger_key, now_ms, TURN_MAX):
            if row.stand is Stand.WAITING:
                self._hushed.add(row.coordinator)
                taken.append(row)
                self._stand(connection, row, Stand.SILENT, now_ms)
            elif row.stand is Stand.WITH_OTHER and (later_ms := self._acted_since(row, now_ms)) is not None:
                rows.change(connection, replace(row, due_ms=later_ms))
            elif row.stand is Stand.WITH_OTHER:
                self._stand(connection, row, Stand.ABSENT, now_ms)
            else:
                rows.change(connection, replace(row, due_ms=None))
        self.due_ms = rows.next_due_ms(connection)
        return taken

    def _acted_since(self, row: Row, now_ms: int) -> int | None:
        """Return when to look again, if a person acted there not long ago."""
        acted_ms = self._acted_ms.get(row.coordinator)
        until_ms = 0 if acted_ms is None else acted_ms + standby.ABSENT_MIN * 60_000
        return until_ms if until_ms > now_ms else None

    def _stand(self, connection: sa.Connection, row: Row, stand: Stand, now_ms: int) -> None:
        rows.change(connection, replace(row, stand=stand, due_ms=None))
        self._tell_desk(connection, row.at, "taken_over", row.coordinator, stand, now_ms)
        self._counts["taken_over"] += 1
        _log.warning(
            "action=take_over site=%d n=%d coordinator=%d why=%s", row.at.site, row.at.n, row.coordinator, stand.name
        )

    def _look_again(self, at_ms: int) -> None:
        self.due_ms = at_ms if self.due_ms is None else min(at_ms, self.due_ms)
