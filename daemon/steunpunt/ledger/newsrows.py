"""A kiosk's news: signed announcements as they came, and by which of its coordinators."""

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.tables import news
from steunpunt.relay.newsfloor import NewsRow

_T = news.c
# Made once: asked at each look at a site, and to build a statement takes longer than to run it.
_ALL = sa.select(news).order_by(_T.signer, _T.incarnation.desc(), _T.serial.desc())
_OF_SIGNER = sa.select(news).where(_T.signer == sa.bindparam("of")).order_by(_T.incarnation, _T.serial)


class KeptNews(Struct, frozen=True):
    """A piece of news with what decides about it; ``issued_ms`` by its age when it came."""

    row: NewsRow
    payload: bytes
    issued_ms: int
    issued_at_least: bool


def of_signer(connection: sa.Connection, signer: int) -> list[KeptNews]:
    """Return what is kept of one coordinator, the oldest first."""
    return [_kept(r) for r in connection.execute(_OF_SIGNER, {"of": signer})]


def all_news(connection: sa.Connection) -> list[KeptNews]:
    """Return all that is kept, the newest first."""
    return [_kept(r) for r in connection.execute(_ALL)]


def add(connection: sa.Connection, kept: KeptNews) -> None:
    """Keep a piece of news."""
    row = kept.row
    connection.execute(
        sa.insert(news).values(
            signer=row.signer,
            incarnation=row.incarnation,
            serial=row.serial,
            floor=row.floor,
            supersedes=row.supersedes,
            payload=kept.payload,
            issued_ms=kept.issued_ms,
            issued_at_least=kept.issued_at_least,
        )
    )


def older(connection: sa.Connection, row: NewsRow, issued_ms: int) -> None:
    """A copy says that it was issued earlier than thought: the earlier holds, for an age never grows younger."""
    connection.execute(sa.update(news).where(*_at(row), _T.issued_ms > issued_ms).values(issued_ms=issued_ms))


def drop(connection: sa.Connection, row: NewsRow) -> None:
    """Forget a piece of news."""
    connection.execute(sa.delete(news).where(*_at(row)))


def _at(row: NewsRow) -> tuple[sa.ColumnElement[bool], ...]:
    return _T.signer == row.signer, _T.incarnation == row.incarnation, _T.serial == row.serial


def _kept(r: sa.Row[tuple[object, ...]]) -> KeptNews:
    row = NewsRow(r.signer, r.incarnation, r.serial, r.floor, r.supersedes)
    return KeptNews(row, r.payload, r.issued_ms, bool(r.issued_at_least))
