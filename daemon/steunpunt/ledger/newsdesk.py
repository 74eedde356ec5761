"""What the desk does with announcements, and what it sees of the points: drafts in, who has heard what out.

The desk only drafts: the node numbers and signs. The caller rings the node's bell afterwards; polling is the truth.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger import announcements, heartbeats, orders
from steunpunt.ledger.announcements import Draft, Issued
from steunpunt.ledger.clock import boot_name, boot_time_ms
from steunpunt.ledger.deskact import NAME_CHARS_MAX, CaseGone, NotAllowed
from steunpunt.ledger.orders import Order
from steunpunt.ledger.store import Ledger, engine_for
from steunpunt.ledger.tables import sites
from steunpunt.model import LinkName, PointState
from steunpunt.protocol import vault
from steunpunt.protocol.announcements import Announcement
from steunpunt.protocol.heartbeat import Heartbeat


class Told(Struct, frozen=True):
    """One announcement as the desk sees it. ``heard``: points whose heartbeat says that they have it."""

    id: int
    announcement: Announcement
    by: str
    serial: int | None
    age_s: int
    in_force: bool
    expired: bool
    heard: tuple[int, ...]
    overruled: tuple[int, ...] = ()
    """Of a command in force: the points at which a later one holds instead."""


class Exercise(Struct, frozen=True):
    """Where an exercise runs, by command or as a point last said of itself; nowhere when all of it is empty."""

    everywhere: bool = False
    """All points were told so, but for ``but``."""
    but: tuple[int, ...] = ()
    sites: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Return whether one runs anywhere."""
        return self.everywhere or bool(self.sites)

    def at(self, site: int) -> bool:
        """Return whether a point exercises."""
        return site in self.sites or (self.everywhere and site not in self.but)


class PointLife(Struct, frozen=True):
    """What is known of one point; ages in seconds, None: never."""

    site: int
    heard_age_s: int | None
    """Since anything of it was heard, and over which link."""
    link: LinkName | None
    beat_age_s: int | None
    beat: Heartbeat | None
    missing: int
    """How many announcements it has not heard, as far as its last heartbeat tells."""
    lost: bool
    """It knows of a later life of our ledger than this one: the ledger here is an old copy."""
    mesh_age_s: int | None = None
    broker_age_s: int | None = None
    """Since it was last heard over each road."""


class NewsDesk:
    """The desk's door to announcements and points: one connection per use."""

    def __init__(
        self,
        path: Path,
        ledger_key: bytes,
        random_bytes: Callable[[int], bytes] = os.urandom,
        read_boot_ms: Callable[[], int] = boot_time_ms,
        read_boot_name: Callable[[], bytes] = boot_name,
    ) -> None:
        self._path, self._ledger_key, self._random = path, ledger_key, random_bytes
        self._read_boot_ms, self._read_boot_name = read_boot_ms, read_boot_name
        self._engine = engine_for(path)

    @contextmanager
    def _opened(self) -> Iterator[Ledger]:
        ledger = Ledger(
            self._path,
            follow=True,
            read_boot_ms=self._read_boot_ms,
            read_boot_name=self._read_boot_name,
            engine=self._engine,
        ).open()
        try:
            yield ledger
        finally:
            ledger.close()

    # --- acting -------------------------------------------------------------------------------------------------

    def say(self, announcement: Announcement, name: str, *, token: str, about: int | None = None) -> int:
        """Keep an announcement for the node to sign; returns its id. The same form says it once.

        NotAllowed when what it is about no longer holds, ValueError for one that says nothing or too much.
        """
        if not name.strip() or len(name) > NAME_CHARS_MAX:
            raise NotAllowed("Fill in your name, at most 80 characters.")
        by_box = announcements.close_by(self._ledger_key, self._random(vault.NONCE_BYTES), name)
        with self._opened() as ledger, ledger.transaction() as connection:
            now_ms = ledger.clock.now_ms()
            if about is not None and not announcements.said_with(connection, token):
                _must_hold(announcements.find(connection, about), now_ms)
            return announcements.add(connection, Draft(announcement, by_box, token, about), now_ms)

    # --- looking ------------------------------------------------------------------------------------------------

    def told(self) -> list[Told]:
        """Return the announcements, what holds first and then the newest."""
        with self._opened() as ledger:
            lives = heartbeats.all_lives(ledger.connection)
            now_ms = ledger.clock.now_ms()
            issued = announcements.newest(ledger.connection)
            held = {order.id: order for order in orders.orders_of(issued, now_ms)}
            found = [self._told(one, lives, now_ms, held.get(one.id)) for one in issued]
        return sorted(found, key=lambda told: (not told.in_force, -told.id))

    def find(self, announcement_id: int) -> Told:
        """Return one announcement; CaseGone when there is none."""
        with self._opened() as ledger:
            found = announcements.find(ledger.connection, announcement_id)
            if found is None:
                raise CaseGone(f"announcement {announcement_id} is not in this ledger")
            return self._told(found, heartbeats.all_lives(ledger.connection), ledger.clock.now_ms())

    def exercise(self) -> Exercise:
        """Return where an exercise runs."""
        with self._opened() as ledger:
            held = orders.standing(ledger.connection, ledger.clock.now_ms())
            said = {life.site: life.beat.state for life in heartbeats.all_lives(ledger.connection)}
        return _exercise(held, said)

    def _told(self, one: Issued, lives: list[heartbeats.Life], now_ms: int, order: Order | None = None) -> Told:
        heard = tuple(life.site for life in lives if _has(life.beat, one))
        by = announcements.open_by(self._ledger_key, one.by_box)
        age_s = max(now_ms - one.issued_ms, 0) // 1000
        holds = one.in_force(now_ms) and not (order and order.holds_nowhere)
        overruled = tuple(sorted(order.overruled)) if order is not None and holds else ()
        return Told(one.id, one.announcement, by, one.serial, age_s, holds, one.expired(now_ms), heard, overruled)

    def points(self) -> list[PointLife]:
        """Return what is known of each point that was ever heard, by its number."""
        with self._opened() as ledger:
            connection, now_ms = ledger.connection, ledger.clock.now_ms()
            lives = {life.site: life for life in heartbeats.all_lives(connection)}
            incarnation, newest, floor = announcements.last_serial(connection)
            own = int.from_bytes(ledger.get_meta(connection, "incarnation") or b"\1", "big")
            roads = connection.execute(sa.select(sites).order_by(sites.c.site)).all()
            if incarnation != own:
                newest = floor = 0
            return [_life(row, lives.get(row.site), now_ms, own, (newest, floor)) for row in roads]


def _exercise(held: list[Order], said: dict[int, PointState]) -> Exercise:
    """Return where it runs: what a point said of itself counts beside what it was told."""
    named = {site for order in held for site in order.sites} | set(said)
    told = {site: orders.commanded(held, site) for site in named}
    exercising = {site for site in named if PointState.EXERCISE in (told[site], said.get(site))}
    general = next((order for order in held if not order.sites), None)
    if general is None or general.state is not PointState.EXERCISE:
        return Exercise(sites=tuple(sorted(exercising)))
    return Exercise(everywhere=True, but=tuple(sorted(named - exercising)))


def _must_hold(about: Issued | None, now_ms: int) -> None:
    if about is None or not about.in_force(now_ms):
        raise NotAllowed("This announcement no longer holds. Look at the list.")


def _has(beat: Heartbeat, one: Issued) -> bool:
    return one.serial is not None and beat.incarnation == one.incarnation and beat.serial >= one.serial


def _life(
    row: sa.Row[tuple[object, ...]], life: heartbeats.Life | None, now_ms: int, own: int, news: tuple[int, int]
) -> PointLife:
    heard = [(row.mesh_ms, LinkName.MESH), (row.broker_ms, LinkName.BROKER)]
    last = max(((at_ms, link) for at_ms, link in heard if at_ms is not None), default=None)
    newest, floor = news
    through = 0 if life is None or life.beat.incarnation != own else life.beat.serial
    return PointLife(
        site=row.site,
        heard_age_s=None if last is None else (now_ms - last[0]) // 1000,
        link=None if last is None else last[1],
        beat_age_s=None if life is None else (now_ms - life.at_ms) // 1000,
        beat=None if life is None else life.beat,
        missing=max(newest - max(through, floor - 1, 0), 0),
        lost=life is not None and life.beat.incarnation > own,
        mesh_age_s=None if row.mesh_ms is None else max(now_ms - row.mesh_ms, 0) // 1000,
        broker_age_s=None if row.broker_ms is None else max(now_ms - row.broker_ms, 0) // 1000,
    )
