"""A coordinator's rows of messages that another coordinator may deal with."""

from dataclasses import dataclass

import sqlalchemy as sa

from steunpunt.ledger.incoming import Piece
from steunpunt.ledger.tables import cases, standby
from steunpunt.model import Lane, TokenCode
from steunpunt.protocol import vault
from steunpunt.relay.standby import ROWS_MAX, Stand

_LABEL = b"standby"


@dataclass(frozen=True, slots=True)
class Row:
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
    code = None if r.code is None else TokenCode(r.code)
    verify = vault.open_box(ledger_key, r.verify, _LABEL)
    return Row(
        Piece(r.site, r.eid, r.n), r.coordinator, Lane(r.lane), verify, Stand(r.stand), code, r.due_ms, r.told_ms
    )


def row(connection: sa.Connection, ledger_key: bytes, at: Piece) -> Row | None:
    """Return one message's row."""
    found = connection.execute(sa.select(standby).where(_at(at))).first()
    return None if found is None else _row(ledger_key, found)


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
    return [_row(ledger_key, r) for r in connection.execute(query)]


def due(connection: sa.Connection, ledger_key: bytes, now_ms: int, count_max: int) -> list[Row]:
    """Return what is to be looked at now, the longest due first."""
    query = sa.select(standby).where(standby.c.due_ms <= now_ms).order_by(standby.c.due_ms).limit(count_max)
    return [_row(ledger_key, r) for r in connection.execute(query)]


def next_due_ms(connection: sa.Connection) -> int | None:
    """Return when to look next."""
    return connection.execute(sa.select(sa.func.min(standby.c.due_ms))).scalar()


def lane_of(connection: sa.Connection, at: Piece) -> Lane:
    """Return the lane of a request's case; URGENT for anything else."""
    query = sa.select(cases.c.lane).where(cases.c.site == at.site, cases.c.eid == at.eid, cases.c.n == at.n)
    found = connection.execute(query).scalar()
    return Lane.URGENT if found is None else Lane(found)


def stands(connection: sa.Connection) -> dict[Piece, tuple[int, Stand]]:
    """Return (coordinator, stand) of all messages that are or were addressed to another coordinator."""
    query = sa.select(standby).where(standby.c.stand != int(Stand.OWN))
    return {Piece(r.site, r.eid, r.n): (r.coordinator, Stand(r.stand)) for r in connection.execute(query)}
