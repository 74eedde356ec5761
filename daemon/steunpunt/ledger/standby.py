"""A coordinator's rows of messages that another coordinator may deal with."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.incoming import Damaged, Piece, member
from steunpunt.ledger.tables import cases, standby
from steunpunt.model import Lane, SealError, TokenCode
from steunpunt.protocol import vault
from steunpunt.relay.standby import ROWS_MAX, Stand

_LABEL = b"standby"


class Row(Struct, frozen=True):
    """One message; ``coordinator`` is the one that its site addresses."""

    at: Piece
    coordinator: int
    lane: Lane
    verify: bytes
    stand: Stand
    code: TokenCode | None
    due_ms: int | None
    told_ms: int | None = None
    """When a token for it was last overheard."""


def _at(at: Piece) -> sa.ColumnElement[bool]:
    return sa.and_(standby.c.site == at.site, standby.c.eid == at.eid, standby.c.n == at.n)


def _row(ledger_key: bytes, r: sa.Row[tuple[object, ...]]) -> Row:
    try:
        return Row(
            at=Piece(r.site, r.eid, r.n),
            coordinator=r.coordinator,
            lane=Lane(r.lane),
            verify=vault.open_box(ledger_key, r.verify, _LABEL),
            stand=Stand(r.stand),
            code=None if r.code is None else TokenCode(r.code),
            due_ms=r.due_ms,
            told_ms=r.told_ms,
        )
    except (SealError, ValueError, TypeError) as error:
        raise Damaged("a damaged row of a message for another coordinator; its next copy makes it anew") from error


def row(connection: sa.Connection, ledger_key: bytes, at: Piece) -> Row | None:
    """Return one message's row; a damaged one is dropped, and this copy of its message makes it anew."""
    found = connection.execute(sa.select(standby).where(_at(at))).first()
    try:
        return None if found is None else _row(ledger_key, found)
    except Damaged:
        connection.execute(sa.delete(standby).where(_at(at)))
        return None


def add(connection: sa.Connection, ledger_key: bytes, new: Row, nonce: bytes, now_ms: int) -> None:
    """Keep a new row, its V under the ledger's key."""
    values = {
        "site": new.at.site,
        "eid": new.at.eid,
        "n": new.at.n,
        "coordinator": new.coordinator,
        "lane": int(new.lane),
        "verify": vault.close_box(ledger_key, nonce, new.verify, _LABEL),
        "stand": int(new.stand),
        "code": new.code,
        "since_ms": now_ms,
        "due_ms": new.due_ms,
    }
    connection.execute(sa.insert(standby).values(**values))


def change(connection: sa.Connection, now: Row) -> None:
    """Note where a message stands now."""
    values = {"stand": int(now.stand), "code": now.code, "due_ms": now.due_ms, "told_ms": now.told_ms}
    connection.execute(sa.update(standby).where(_at(now.at)).values(**values))


def newest(connection: sa.Connection, ledger_key: bytes) -> list[Row]:
    """Return the newest ROWS_MAX rows: those that a token may speak of."""
    query = sa.select(standby).order_by(standby.c.since_ms.desc()).limit(ROWS_MAX)
    return [row for row, _ in _readable(ledger_key, connection.execute(query).all()) if row is not None]


def due(connection: sa.Connection, ledger_key: bytes, now_ms: int, count_max: int) -> list[Row]:
    """Return what is to be looked at now, the longest due first; what is damaged is due no more."""
    query = sa.select(standby).where(standby.c.due_ms <= now_ms).order_by(standby.c.due_ms).limit(count_max)
    rows: list[Row] = []
    for row, at in _readable(ledger_key, connection.execute(query).all()):
        if row is None:
            connection.execute(sa.update(standby).where(_at(at)).values(due_ms=None))
        else:
            rows.append(row)
    return rows


def _readable(ledger_key: bytes, found: Sequence[sa.Row[tuple[Any, ...]]]) -> Iterator[tuple[Row | None, Piece]]:
    for r in found:
        row = None
        with contextlib.suppress(Damaged):
            row = _row(ledger_key, r)
        yield row, Piece(r.site, r.eid, r.n)


def next_due_ms(connection: sa.Connection) -> int | None:
    """Return when to look next."""
    return connection.execute(sa.select(sa.func.min(standby.c.due_ms))).scalar()


def lane_of(connection: sa.Connection, at: Piece) -> Lane:
    """Return the lane of a request's case; URGENT for anything else."""
    query = sa.select(cases.c.lane).where(cases.c.site == at.site, cases.c.eid == at.eid, cases.c.n == at.n)
    lane = member(Lane, connection.execute(query).scalar())
    return Lane.URGENT if lane is None else lane


def stands(connection: sa.Connection) -> dict[Piece, tuple[int, Stand]]:
    """Return (coordinator, stand) of all messages that are or were addressed to another coordinator."""
    query = sa.select(standby).where(standby.c.stand.in_([int(stand) for stand in Stand if stand is not Stand.OWN]))
    return {Piece(r.site, r.eid, r.n): (r.coordinator, Stand(r.stand)) for r in connection.execute(query)}
