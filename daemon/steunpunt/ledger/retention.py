"""Deleting what is over: the requests that were closed long enough ago, and nothing of any that is open.

Times are ledger milliseconds: they count while the device is on, so that nothing is deleted before its time, and after
months in a cupboard it may be later. All of it happens inside the caller's transaction, at most ROWS_MAX requests at
once; :func:`forget_log` afterwards takes the rest of it out of the write-ahead log.
"""

import sqlite3
import struct
from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.store import BUSY_MS_MAX, Ledger
from steunpunt.ledger.tables import (
    answers,
    calls,
    cases,
    events,
    halves,
    heard_fragments,
    messages,
    metadata,
    replies,
    standby,
    tickets,
)
from steunpunt.model import CLOSE_CODES, LedgerError, TicketState

DAY_MS = 24 * 3_600_000
ROWS_MAX = 200
"""Most requests deleted in one transaction: the loop stands still meanwhile."""
UNTOLD_TIMES = 2
"""What a point has not yet confirmed that it holds stays until so many times as long has passed."""
_META = "retention"
_LAST = struct.Struct(">QIII")
_BY_PERSON = ("seen", "answer", "passed_on", "closed", "reopened")


class Limits(Struct, frozen=True):
    """How long what is closed stays."""

    closed_days: int


class Outcome(Struct, frozen=True):
    """What one run deleted, what is closed and stays, and what is open, which always stays."""

    deleted: int
    closed: int
    open: int

    @property
    def more(self) -> bool:
        """Return whether there may be more to delete than one run does."""
        return self.deleted >= ROWS_MAX


def retention(connection: sa.Connection, now_ms: int, limits: Limits) -> Outcome:
    """Delete what is over, at a kiosk and at a coordinator alike: each has rows of its own side only."""
    before_ms = now_ms - limits.closed_days * DAY_MS
    old_tickets = [row.counter for row in connection.execute(_old_tickets(before_ms))]
    old_cases = list(connection.execute(_old_cases(before_ms, now_ms, limits)).all())
    _delete_tickets(connection, old_tickets)
    connection.execute(sa.delete(calls).where(calls.c.cancelled, calls.c.pressed_ms <= before_ms))
    for case in old_cases:
        _delete_case(connection, case)
    closed, still_open = _left(connection)
    return Outcome(len(old_tickets) + len(old_cases), closed, still_open)


# --- a kiosk --------------------------------------------------------------------------------------------------------


def _old_tickets(before_ms: int) -> sa.Select[tuple[int]]:
    """Closed ones with which nothing happened since. The newest stays: its number must not be given out again."""
    of = messages.c.counter == tickets.c.counter
    busy = sa.select(messages.c.id).where(
        of, sa.or_(messages.c.receipted_ms.is_(None), messages.c.created_ms > before_ms)
    )
    answered = sa.select(answers.c.id).where(answers.c.counter == tickets.c.counter, answers.c.received_ms > before_ms)
    newest = sa.select(sa.func.max(tickets.alias().c.counter)).scalar_subquery()
    return (
        sa.select(tickets.c.counter)
        .where(tickets.c.state == int(TicketState.CLOSED), tickets.c.state_ms <= before_ms)
        .where(~busy.exists(), ~answered.exists(), tickets.c.counter < newest)
        .order_by(tickets.c.counter)
        .limit(ROWS_MAX)
    )


def _delete_tickets(connection: sa.Connection, counters: list[int]) -> None:
    for table in (answers, messages, calls, tickets):
        connection.execute(sa.delete(table).where(table.c.counter.in_(counters)))


# --- a coordinator --------------------------------------------------------------------------------------------------


def _old_cases(before_ms: int, now_ms: int, limits: Limits) -> sa.Select[tuple[int, int, bytes, int]]:
    """Closed ones with which nothing happened since, of which nobody has to read anything any more.

    What a citizen added after the last act of a person asks for somebody's eyes: such a case counts as open. One that
    is addressed to another coordinator is closed when that one was overheard to close it.
    """
    of, acts = _of_case(events), events.alias()
    since = sa.select(events.c.id).where(of, events.c.at_ms > before_ms)
    last_act = sa.select(sa.func.max(acts.c.id)).where(_of_case(acts), acts.c.kind.in_(_BY_PERSON)).scalar_subquery()
    closing = [int(code) for code in CLOSE_CODES]
    elsewhere = sa.select(standby.c.n).where(_of_case(standby), standby.c.code.in_(closing))
    unread = sa.select(events.c.id).where(of, events.c.kind == "supplement", events.c.id > last_act)
    untold = sa.select(replies.c.id).where(
        replies.c.case_id == cases.c.id,
        replies.c.delivered_ms.is_(None),
        cases.c.received_ms > now_ms - UNTOLD_TIMES * limits.closed_days * DAY_MS,
    )
    return (
        sa.select(cases.c.id, cases.c.site, cases.c.eid, cases.c.n)
        .where(sa.or_(cases.c.state == int(TicketState.CLOSED), elsewhere.exists()), cases.c.received_ms <= before_ms)
        .where(~since.exists(), ~unread.exists(), ~untold.exists())
        .order_by(cases.c.id)
        .limit(ROWS_MAX)
    )


def _of_case(table: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.site == cases.c.site, table.c.eid == cases.c.eid, table.c.n == cases.c.n)


def _delete_case(connection: sa.Connection, case: sa.Row[tuple[int, int, bytes, int]]) -> None:
    """Delete a case with the key that its content lies under. What tells a late copy from a new request stays."""
    for table in metadata.tables.values():
        if "case_id" in table.c:  # whatever else is about this case: replies, slips
            connection.execute(sa.delete(table).where(table.c.case_id == case.id))
    for table in (events, standby, halves, heard_fragments):
        at = (table.c.site == case.site, table.c.eid == case.eid, table.c.n == case.n)
        connection.execute(sa.delete(table).where(*at))
    connection.execute(sa.delete(cases).where(cases.c.id == case.id))


# --- the outcome ----------------------------------------------------------------------------------------------------


def _left(connection: sa.Connection) -> tuple[int, int]:
    """Return how many requests are closed and how many are open, at either side."""
    closed = still_open = 0
    for table in (tickets, cases):
        is_closed = table.c.state == int(TicketState.CLOSED)
        closed += connection.execute(sa.select(sa.func.count()).where(is_closed)).scalar_one()
        still_open += connection.execute(sa.select(sa.func.count()).where(~is_closed)).scalar_one()
    return closed, still_open


def note(ledger: Ledger, connection: sa.Connection, outcome: Outcome, now_ms: int) -> None:
    """Keep what the last run did, for the screens."""
    numbers = (outcome.deleted, outcome.closed, outcome.open)
    ledger.set_meta(connection, _META, _LAST.pack(now_ms, *numbers))


def last(ledger: Ledger, connection: sa.Connection) -> tuple[int, Outcome] | None:
    """Return when it last ran, in ledger milliseconds, and what it did; None: never."""
    kept = ledger.get_meta(connection, _META)
    if not kept:
        return None
    at_ms, *numbers = _LAST.unpack(kept)
    return at_ms, Outcome(*numbers)


def forget_log(path: Path) -> bool:
    """Empty the write-ahead log, which still holds pages as they were; returns whether it could now.

    LedgerError when the disk refuses.
    """
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_MS_MAX / 1000)
        try:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise LedgerError(f"{path}: {error}; check that the disk is not full") from error
    return not busy
