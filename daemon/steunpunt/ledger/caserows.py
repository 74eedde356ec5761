"""A case's row and its events as the desk needs them: whole, or what a damaged disk left of them.

SQLite keeps no checksums in its pages, so a bit that changes on a card can change a column, or its very type, without
a word. One damaged row must not hide the others: it is read as it lies, each column is checked against its table, and
what cannot be right is replaced by the least that can be said.
"""

from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger import incoming
from steunpunt.ledger.incoming import Content, Damaged, EventContent, Piece, member
from steunpunt.ledger.tables import cases, events
from steunpunt.model import Category, Lane, TicketState, TokenCode

CASES_MAX = 1_000
UNKNOWN_NAME = "?"
"""Stands for whoever a damaged event names."""
_UNREADABLE = Content(category=Category.OTHER, life_threat=False, text="", language="nl", verify=b"", answer=b"")
_EMPTY: dict[type, object] = {int: 0, bool: False, bytes: b"", str: ""}


def as_they_lie(table: sa.Table) -> sa.Select[Any]:
    """Return a query for all columns without any conversion: a column of the wrong type must not stop the query."""
    return sa.Select(*(sa.type_coerce(column, sa.types.NULLTYPE).label(column.name) for column in table.c))


_LAST_EVENT = (
    sa.select(sa.func.max(events.c.id))
    .where(events.c.site == cases.c.site, events.c.eid == cases.c.eid, events.c.n == cases.c.n)
    .scalar_subquery()
)
_CLOSED = cases.c.state == int(TicketState.CLOSED)
LISTED = (
    as_they_lie(cases)
    .order_by(_CLOSED, sa.case((_CLOSED, -_LAST_EVENT), else_=cases.c.lane), cases.c.id)
    .limit(CASES_MAX)
)
"""At most CASES_MAX cases: closed ones where nothing happened lately are left out before any open one."""


class CaseRow(Struct, frozen=True):
    """One case. ``damaged``: not all of it can be read; ``key``: None where that is what is lost."""

    columns: dict[str, Any]
    at: Piece
    lane: Lane
    state: TicketState
    close_code: TokenCode | None
    content: Content
    key: bytes | None
    damaged: bool


class EventRow(Struct, frozen=True):
    """One event of a case's history."""

    id: int
    kind: str
    at_ms: int
    content: EventContent


def read_case(ledger_key: bytes, row: sa.Row[tuple[Any, ...]]) -> CaseRow:
    """Open a row of :func:`as_they_lie` of the cases."""
    columns, damaged = _checked(cases, row)
    key, content = None, _UNREADABLE
    try:
        key = incoming.unwrap_case_key(ledger_key, columns["content_key"])
        content = incoming.unbox_content(key, columns["content"])
    except Damaged:
        damaged = True
    lane, state = member(Lane, columns["lane"]), member(TicketState, columns["state"])
    code = member(TokenCode, columns["close_code"])
    damaged = damaged or None in (lane, state) or (code is None and bool(columns["close_code"]))
    return CaseRow(
        columns=columns,
        at=Piece(columns["site"], columns["eid"], columns["n"]),
        lane=Lane.URGENT if lane is None else lane,
        state=TicketState.RECEIVED if state is None else state,
        close_code=code,
        content=content,
        key=key,
        damaged=damaged,
    )


def events_of(connection: sa.Connection, ledger_key: bytes, case: CaseRow) -> list[EventRow]:
    """Return what happened to a case; of what cannot be read, only that it happened, by UNKNOWN_NAME."""
    where = (events.c.site == case.at.site, events.c.eid == case.at.eid, events.c.n == case.at.n)
    rows = connection.execute(as_they_lie(events).where(*where).order_by(events.c.id))
    return [_read_event(ledger_key, case.key, row) for row in rows]


def _read_event(ledger_key: bytes, case_key: bytes | None, row: sa.Row[tuple[Any, ...]]) -> EventRow:
    columns, damaged = _checked(events, row)
    content = EventContent()
    key = ledger_key if columns["kind"] == "early" else case_key
    if columns["content"] is not None:
        try:
            content = incoming.unbox_event(key or b"", columns["content"])
        except Damaged:
            damaged = True
    if damaged:
        content = EventContent(by=UNKNOWN_NAME)
    kind = "supplement" if columns["kind"] == "early" else columns["kind"]
    return EventRow(columns["id"], kind, columns["at_ms"], content)


def _checked(table: sa.Table, row: sa.Row[tuple[Any, ...]]) -> tuple[dict[str, Any], bool]:
    """Return the columns, those of a wrong type emptied, and whether there were any."""
    columns, damaged = {}, False
    for column in table.c:
        value, kind = getattr(row, column.name), column.type.python_type
        if not (isinstance(value, kind) or (kind is bool and value in (0, 1)) or (value is None and column.nullable)):
            damaged, value = True, _EMPTY[kind]
        columns[column.name] = value
    return columns, damaged
