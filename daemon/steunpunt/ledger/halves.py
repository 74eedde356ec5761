"""A coordinator's rows of messages in fragments, until they are whole; and fragments of epochs not known yet."""

from dataclasses import asdict

import sqlalchemy as sa

from steunpunt.ledger.incoming import Piece
from steunpunt.ledger.tables import halves, heard_fragments
from steunpunt.model import Lane
from steunpunt.relay.reassembly import Half


def _of(table: sa.Table, at: Piece) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.site == at.site, table.c.eid == at.eid, table.c.n == at.n)


def all_halves(connection: sa.Connection) -> list[Half]:
    """Return every half-received message; their number is bounded by :func:`steunpunt.relay.reassembly.to_drop`."""
    return [Half(**{**row._asdict(), "lane": Lane(row.lane)}) for row in connection.execute(sa.select(halves))]


def half(connection: sa.Connection, at: Piece) -> Half | None:
    """Return one half-received message."""
    row = connection.execute(sa.select(halves).where(_of(halves, at))).first()
    return None if row is None else Half(**{**row._asdict(), "lane": Lane(row.lane)})


def keep(connection: sa.Connection, row: Half) -> None:
    """Write one, new or changed."""
    at = Piece(row.site, row.eid, row.n)
    values = {**asdict(row), "lane": int(row.lane)}
    if connection.execute(sa.update(halves).where(_of(halves, at)).values(**values)).rowcount == 0:
        connection.execute(sa.insert(halves).values(**values))


def drop(connection: sa.Connection, at: Piece) -> None:
    """Forget one with its fragments: it is whole, or makes room."""
    connection.execute(sa.delete(halves).where(_of(halves, at)))
    connection.execute(sa.delete(heard_fragments).where(_of(heard_fragments, at)))


def add_fragment(connection: sa.Connection, at: Piece, fragment: int, body: bytes, *, opened: bool) -> bool:
    """Keep a fragment, sealed as it came; False when it was there. An opened one takes a held one's place."""
    where = sa.and_(_of(heard_fragments, at), heard_fragments.c.fragment == fragment)
    before = connection.execute(sa.select(heard_fragments.c.opened).where(where)).scalar()
    if before or (before is not None and not opened):
        return False
    connection.execute(sa.delete(heard_fragments).where(where))
    row = {"site": at.site, "eid": at.eid, "n": at.n, "fragment": fragment, "body": body, "opened": opened}
    connection.execute(sa.insert(heard_fragments).values(**row))
    return True


def fragments_of(connection: sa.Connection, at: Piece) -> list[tuple[int, bytes]]:
    """Return (fragment byte, body) of what authenticated of a message."""
    query = sa.select(heard_fragments.c.fragment, heard_fragments.c.body)
    rows = connection.execute(query.where(_of(heard_fragments, at), heard_fragments.c.opened))
    return [(row.fragment, row.body) for row in rows]


def held_count(connection: sa.Connection, site: int | None = None) -> int:
    """Return how many fragments of unknown epochs are held, of one site or of all."""
    query = sa.select(sa.func.count()).where(sa.not_(heard_fragments.c.opened))
    if site is not None:
        query = query.where(heard_fragments.c.site == site)
    return int(connection.execute(query).scalar_one())


def take_held(connection: sa.Connection, site: int, eid: bytes) -> list[tuple[Piece, int, bytes]]:
    """Return (message, fragment byte, body) of what was held of an epoch, and hold it no longer."""
    of_epoch = (heard_fragments.c.site == site, heard_fragments.c.eid == eid, sa.not_(heard_fragments.c.opened))
    rows = list(connection.execute(sa.select(heard_fragments).where(*of_epoch)))
    connection.execute(sa.delete(heard_fragments).where(*of_epoch))
    return [(Piece(row.site, row.eid, row.n), row.fragment, row.body) for row in rows]
