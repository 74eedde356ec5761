"""A site's disk, in memory: what is committed stays, and copies of it can be made, put back and stolen."""

import functools
import sqlite3
import tempfile
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool
from sqlalchemy.util import LRUCache

from steunpunt.ledger.migrate import migrate

_COMPILED: MutableMapping[Any, Any] = LRUCache(1_000)
"""Statements as SQLAlchemy has worked them out: the same for the ledgers of all sites and seeds."""

NAME = Path("in memory")
"""Stands where a ledger on a disk has its path."""


@functools.cache
def empty_image() -> bytes:
    """Return a migrated ledger without rows, as bytes; made once, for migrating takes its time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        migrate(path)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode=DELETE")  # a database in memory has no log beside it
        connection.close()
        return path.read_bytes()


@functools.cache
def _usual_engine() -> sa.Engine:
    """Return an engine as :func:`steunpunt.ledger.store.engine_for` makes it, of which all disks take the dialect.

    What SQLAlchemy remembers of a statement it remembers by dialect: with one for each disk it worked out every
    statement anew for every site of every seed.
    """
    engine = sa.create_engine("sqlite://", isolation_level="AUTOCOMMIT", hide_parameters=True)
    engine.connect().close()  # the dialect learns what this SQLite can
    engine.dispose()
    return engine


class Disk:
    """One ledger in memory. ``engine`` is for :class:`~steunpunt.ledger.store.Ledger` and the desk alike."""

    def __init__(self, image: bytes | None = None) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.deserialize(image or empty_image())
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        usual = _usual_engine()
        creator: Callable[[], Any] = lambda: self._connection  # noqa: E731  sqlite3's types say less than it can
        pool = StaticPool(creator)
        engine = sa.Engine(pool, usual.dialect, usual.url, hide_parameters=True)
        self.engine = engine.execution_options(compiled_cache=_COMPILED)

    def image(self) -> bytes:
        """Return all pages of the ledger as they are now, free ones included: what a thief gets."""
        return self._connection.serialize()

    def read(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read what is committed, also while the site is off."""
        return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Give the memory back."""
        self.engine.dispose()
        self._connection.close()
