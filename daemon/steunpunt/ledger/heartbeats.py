"""The newest sign of life of each site, at a coordinator."""

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.tables import heartbeats
from steunpunt.protocol.bits import BitReader, BitWriter
from steunpunt.protocol.heartbeat import Heartbeat, put_heartbeat, take_heartbeat

_T = heartbeats.c
# Made once: to build a statement takes longer than to run it.
_OF: sa.BindParameter[int] = sa.bindparam("of")
_OF_SITE = sa.select(heartbeats).where(_T.site == _OF)
_ADD = sa.insert(heartbeats)
_CHANGE = (
    sa.update(heartbeats)
    .where(_T.site == _OF)
    .values({name: sa.bindparam(name) for name in ("eid", "n", "at_ms", "plain")})
)


class Life(Struct, frozen=True):
    """A site's newest heartbeat, and when it came."""

    site: int
    eid: bytes
    n: int
    at_ms: int
    beat: Heartbeat
    news_again_ms: int | None


def keep(connection: sa.Connection, site: int, at: tuple[bytes, int], beat: Heartbeat, now_ms: int) -> bool:
    """Keep a heartbeat sealed as (eid, n); False for one that is older than the one at hand, of the same epoch."""
    before = of_site(connection, site)
    if before is not None and before.eid == at[0] and at[1] < before.n:
        return False
    writer = BitWriter()
    put_heartbeat(writer, beat)
    values = {"eid": at[0], "n": at[1], "at_ms": now_ms, "plain": writer.done()}
    if before is None:
        connection.execute(_ADD, {"site": site, **values})
    else:
        connection.execute(_CHANGE, {"of": site, **values})
    return True


def of_site(connection: sa.Connection, site: int) -> Life | None:
    """Return a site's newest heartbeat."""
    row = connection.execute(_OF_SITE, {"of": site}).first()
    return None if row is None else _life(row)


def all_lives(connection: sa.Connection) -> list[Life]:
    """Return the newest heartbeat of every site."""
    return [_life(r) for r in connection.execute(sa.select(heartbeats).order_by(_T.site))]


def note_news_again(connection: sa.Connection, site: int, now_ms: int) -> None:
    """Note that what a site misses is sent to it again."""
    connection.execute(sa.update(heartbeats).where(_T.site == site).values(news_again_ms=now_ms))


def _life(row: sa.Row[tuple[object, ...]]) -> Life:
    return Life(row.site, row.eid, row.n, row.at_ms, take_heartbeat(BitReader(row.plain)), row.news_again_ms)
