"""A coordinator's announcements: composed at the desk, numbered and signed by the node."""

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.tables import announcements
from steunpunt.protocol import vault
from steunpunt.protocol.announcements import (
    Announcement,
    MessageType,
    is_command,
    pack_announcement,
    unpack_announcement,
)
from steunpunt.values import replace

LISTED_MAX = 300
"""Most announcements that node and desk look at: the newest."""
MINUTE_MS = 60_000
_BY_LABEL = b"announcement by"
_T = announcements.c


class Draft(Struct, frozen=True):
    """What the desk wants to be said; the node numbers and signs it."""

    announcement: Announcement
    by_box: bytes
    token: str
    about: int | None = None
    """The id of the announcement that it updates or cancels."""


class Issued(Struct, frozen=True):
    """An announcement as the ledger keeps it; ``serial`` None: not signed yet."""

    id: int
    announcement: Announcement
    by_box: bytes
    about: int | None
    issued_ms: int
    serial: int | None
    incarnation: int | None
    floor: int | None
    ended_ms: int | None
    broker_ms: int | None
    rounds: int
    next_ms: int

    def expired(self, now_ms: int) -> bool:
        """Return whether its time is over."""
        minutes = self.announcement.expires_min
        return bool(minutes) and now_ms - self.issued_ms >= minutes * MINUTE_MS

    def in_force(self, now_ms: int) -> bool:
        """Return whether it still says something that holds."""
        says = self.announcement.type is not MessageType.CANCEL
        return says and self.ended_ms is None and not self.expired(now_ms)

    def to_say(self, now_ms: int, supersedes: int | None) -> bytes:
        """Return the bytes to sign now: with its age, and the serial that it is about."""
        age_s = max(now_ms - self.issued_ms, 0) / 1000
        return pack_announcement(replace(self.announcement, issued_s=age_s, replaces=supersedes))


def add(connection: sa.Connection, draft: Draft, issued_ms: int) -> int:
    """Keep a draft; the same form keeps one. Returns its id."""
    known = connection.execute(sa.select(_T.id).where(_T.token == draft.token)).scalar()
    if known is not None:
        return int(known)
    row = {
        "token": draft.token,
        "content": pack_announcement(draft.announcement),
        "by_box": draft.by_box,
        "about": draft.about,
        "issued_ms": issued_ms,
        "rounds": 0,
        "next_ms": 0,
    }
    return int(connection.execute(sa.insert(announcements).returning(_T.id), row).scalar_one())


def said_with(connection: sa.Connection, token: str) -> bool:
    """Return whether this form was used before."""
    return connection.execute(sa.select(_T.id).where(_T.token == token)).first() is not None


def drafts(connection: sa.Connection) -> list[Issued]:
    """Return what is not signed yet, the oldest first."""
    return [_issued(r) for r in connection.execute(_DRAFTS)]


def newest(connection: sa.Connection) -> list[Issued]:
    """Return at most LISTED_MAX announcements, the newest first."""
    return [_issued(r) for r in connection.execute(_NEWEST)]


def commands(connection: sa.Connection) -> list[Issued]:
    """Return the commands to points among the newest LISTED_MAX announcements, the newest first."""
    return [_issued(r) for r in connection.execute(_NEWEST) if is_command(r.content)]


def find(connection: sa.Connection, announcement_id: int) -> Issued | None:
    """Return one announcement."""
    row = connection.execute(sa.select(announcements).where(_T.id == announcement_id)).first()
    return None if row is None else _issued(row)


def unsent(connection: sa.Connection, incarnation: int, rounds_max: int) -> list[Issued]:
    """Return what is signed in this incarnation and not yet everywhere: the broker, or its rounds by radio."""
    open_road = sa.or_(_T.broker_ms.is_(None), _T.rounds < rounds_max)
    query = sa.select(announcements).where(_T.incarnation == incarnation, open_road).order_by(_T.serial)
    return [_issued(r) for r in connection.execute(query)]


def of_serials(connection: sa.Connection, incarnation: int, floor: int) -> dict[int, Issued]:
    """Return what is signed in this incarnation from the floor on, by serial."""
    query = sa.select(announcements).where(_T.incarnation == incarnation, _T.serial >= floor).order_by(_T.serial)
    return {int(r.serial): _issued(r) for r in connection.execute(query)}


def last_serial(connection: sa.Connection) -> tuple[int, int, int]:
    """Return (incarnation, serial, floor) of the newest signed announcement; zeros when there is none."""
    row = connection.execute(_LAST).first()
    return (0, 0, 0) if row is None else (int(row.incarnation), int(row.serial), int(row.floor))


def lacks(connection: sa.Connection, incarnation: int, serial: int) -> bool:
    """Return whether a site that has heard everything through this serial misses something."""
    newest_incarnation, newest, _ = last_serial(connection)
    return (incarnation, serial) < (newest_incarnation, newest)


def change(connection: sa.Connection, announcement_id: int, **values: int | None) -> None:
    """Set columns of one announcement."""
    connection.execute(sa.update(announcements).where(_T.id == announcement_id).values(**values))


def end(connection: sa.Connection, announcement_id: int, now_ms: int) -> None:
    """Note that a later one took its place."""
    where = (_T.id == announcement_id, _T.ended_ms.is_(None))
    connection.execute(sa.update(announcements).where(*where).values(ended_ms=now_ms))


def close_by(ledger_key: bytes, nonce: bytes, name: str) -> bytes:
    """Return who wrote it, as the ledger keeps it."""
    return vault.close_box(ledger_key, nonce, name.encode(), _BY_LABEL)


def open_by(ledger_key: bytes, box: bytes) -> str:
    """Return who wrote it."""
    return vault.open_box(ledger_key, box, _BY_LABEL).decode()


def _issued(row: sa.Row[tuple[object, ...]]) -> Issued:
    return Issued(
        id=row.id,
        announcement=unpack_announcement(row.content),
        by_box=row.by_box,
        about=row.about,
        issued_ms=row.issued_ms,
        serial=row.serial,
        incarnation=row.incarnation,
        floor=row.floor,
        ended_ms=row.ended_ms,
        broker_ms=row.broker_ms,
        rounds=row.rounds,
        next_ms=row.next_ms,
    )


_DRAFTS = sa.select(announcements).where(_T.serial.is_(None)).order_by(_T.id)
_NEWEST = sa.select(announcements).order_by(_T.id.desc()).limit(LISTED_MAX)
_LAST = (
    sa.select(_T.incarnation, _T.serial, _T.floor)
    .where(_T.serial.is_not(None))
    .order_by(_T.incarnation.desc(), _T.serial.desc())
    .limit(1)
)
