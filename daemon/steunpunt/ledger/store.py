"""Opening the ledger and its transactions.

SQLite in WAL with synchronous=FULL: a commit that returned survives a power cut. One writer connection, transactions
explicit (BEGIN IMMEDIATE), because SQLAlchemy's and sqlite3's own transaction guessing would leave reads outside.
"""

import functools
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from steunpunt.ledger import tables
from steunpunt.ledger.clock import SAVE_MS, LedgerClock, boot_name, boot_time_ms
from steunpunt.ledger.wal import damaged_log_of, keep_if_cut_short
from steunpunt.model import LedgerError

HEAD_REVISION = "0006"
"""The newest migration; a test holds it against the migrations folder. Knowing it here saves loading Alembic at each
start."""
BUSY_MS_MAX = 5_000
MIGRATION_S_MAX = 120
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    f"PRAGMA busy_timeout={BUSY_MS_MAX}",
)

_log = logging.getLogger(__name__)


class Ledger:
    """One open ledger: a single connection for one thread."""

    def __init__(
        self,
        path: Path,
        *,
        readonly: bool = False,
        follow: bool = False,
        read_boot_ms: Callable[[], int] = boot_time_ms,
        read_boot_name: Callable[[], bytes] = boot_name,
        engine: sa.Engine | None = None,
    ) -> None:
        """``follow``: take ledger time from the node, which alone begins it after a power cut.

        ``engine``: of :func:`engine_for`, for who opens the same ledger often; it remembers compiled statements.
        """
        self.path = path
        self._read_boot_ms = read_boot_ms
        self._read_boot_name = read_boot_name
        self._readonly = readonly
        self._follow = follow or readonly
        self._changes = 0
        self._engine = engine or engine_for(path, readonly=readonly)
        self._connection: sa.Connection | None = None
        self._clock: LedgerClock | None = None
        self._clock_saved_ms = -SAVE_MS

    def open(self) -> Self:
        """Connect; the ledger must have been migrated. Raises LedgerError with the mend."""
        begin = LedgerClock.follow if self._follow else LedgerClock.resume
        try:
            self._connection = self._engine.connect()
            record = self.get_meta(self.connection, "clock")
            self._clock = begin(record, self._read_boot_name(), self._read_boot_ms)
        except LedgerError:
            self.close()
            raise
        except (sa.exc.DBAPIError, OSError) as error:
            self.close()
            raise LedgerError(_explain(self.path, error)) from error
        return self

    def close(self) -> None:
        """Close the connection; what is not committed is gone, as after a crash."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def connection(self) -> sa.Connection:
        """Return the open connection."""
        if self._connection is None:
            raise LedgerError(f"the ledger {self.path} is not open")
        return self._connection

    @property
    def clock(self) -> LedgerClock:
        """Return ledger time."""
        if self._clock is None:
            raise LedgerError(f"the ledger {self.path} is not open")
        return self._clock

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Run the body in one transaction: committed to the disk when it ends, rolled back when it raises.

        Raises LedgerError when the disk refuses (full, read-only, broken).
        """
        connection = self.connection
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except sa.exc.DBAPIError as error:
            raise LedgerError(_explain(self.path, error)) from error
        try:
            yield connection
            self._save_clock(connection)
            connection.exec_driver_sql("COMMIT")
        except BaseException as error:
            self._roll_back(connection)
            if isinstance(
                error, sa.exc.OperationalError | sa.exc.InternalError | sa.exc.DatabaseError
            ) and not isinstance(error, sa.exc.IntegrityError | sa.exc.ProgrammingError):
                raise LedgerError(_explain(self.path, error)) from error
            raise

    def _roll_back(self, connection: sa.Connection) -> None:
        self._clock_saved_ms = -SAVE_MS  # a record of this transaction is gone with it
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection) and driver.in_transaction:
            driver.execute("ROLLBACK")

    def _save_clock(self, connection: sa.Connection) -> None:
        """Keep ledger time with the first commit that writes, at most once in SAVE_MS."""
        now_ms = self.clock.now_ms()
        if self.changes() != self._changes and now_ms - self._clock_saved_ms >= SAVE_MS:
            self.set_meta(connection, "clock", self.clock.record())
            self._clock_saved_ms = now_ms
        self._changes = self.changes()

    def changes(self) -> int:
        """Return how many rows this connection has written since it was opened."""
        driver = self.connection.connection.driver_connection
        return driver.total_changes if isinstance(driver, sqlite3.Connection) else 0

    def touch(self, connection: sa.Connection) -> None:
        """Write the clock record now: proves that the disk takes a commit."""
        self.set_meta(connection, "clock", self.clock.record())
        self._clock_saved_ms = self.clock.now_ms()

    @staticmethod
    def get_meta(connection: sa.Connection, name: str) -> bytes | None:
        """Return a value of the meta table."""
        return connection.execute(_GET_META, {"key": name}).scalar()

    @staticmethod
    def get_metas(connection: sa.Connection, names: tuple[str, ...]) -> dict[str, bytes]:
        """Return those of some values of the meta table that are there, by name, in one look."""
        return {row.name: row.value for row in connection.execute(_get_metas(names))}

    @staticmethod
    def set_meta(connection: sa.Connection, name: str, value: bytes) -> None:
        """Set a value of the meta table."""
        changed = connection.execute(_CHANGE_META, {"key": name, "value": value})
        if changed.rowcount == 0:
            connection.execute(_ADD_META, {"name": name, "value": value})


# Made once: to build a statement takes longer than to run it.
_KEY: sa.BindParameter[str] = sa.bindparam("key")


@functools.cache
def _get_metas(names: tuple[str, ...]) -> sa.Select[tuple[str, bytes]]:
    return sa.select(tables.meta.c.name, tables.meta.c.value).where(tables.meta.c.name.in_(names))


_GET_META = sa.select(tables.meta.c.value).where(tables.meta.c.name == _KEY)
_CHANGE_META = sa.update(tables.meta).where(tables.meta.c.name == _KEY).values(value=sa.bindparam("value"))
_ADD_META = sa.insert(tables.meta)


def engine_for(path: Path, *, readonly: bool = False) -> sa.Engine:
    """Return SQLAlchemy's engine for a ledger; it connects at each use and may be shared by threads."""
    return sa.create_engine(
        "sqlite://",
        creator=lambda: _connect(path, readonly=readonly),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # an error's text goes to the log; a row's content must not
    )


def _connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    mode = "ro" if readonly else "rw"
    connection = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS[1 if readonly else 0 :]:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _explain(path: Path, error: BaseException) -> str:
    reason = str(getattr(error, "orig", None) or error)
    mend = "check that the disk is not full and that this user may write there"
    if "malformed" in reason or "not a database" in reason:
        mend = "this ledger is damaged; put back a copy, or move it away and keep it: the node then makes a new one"
    if "no such table" in reason or "unable to open" in reason:
        mend = "start the node once (it makes and migrates the ledger), and check the folder's owner"
    if "newer software" in reason:
        mend = "or move it away and keep it: the node then makes a new one"
    return f"{path}: {reason}; {mend}"


def prepare(path: Path) -> None:
    """Make or migrate the ledger, in a child process so that Alembic's memory is given back.

    Raises LedgerError when it cannot. Does nothing when the ledger is at the newest revision.
    """
    if _revision(path) == HEAD_REVISION:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(f"{path.parent}: {error.strerror}; make this folder for the node's user") from error
    command = [sys.executable, "-m", "steunpunt.ledger.migrate", str(path)]
    try:
        result = subprocess.run(  # noqa: S603  our own interpreter and module
            command,
            capture_output=True,
            text=True,
            timeout=MIGRATION_S_MAX,
            check=False,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
    except subprocess.TimeoutExpired as error:
        raise LedgerError(f"{path}: migration took over {MIGRATION_S_MAX} s; is the disk failing?") from error
    if result.returncode:
        last = result.stderr.strip().splitlines()[-1:] or ["no output"]
        raise LedgerError(_explain(path, RuntimeError(f"migration failed: {last[0]}")))


def _watch_log(path: Path, connection: sqlite3.Connection) -> None:
    """Say, and keep the rest, when damage cut the write-ahead log short: SQLite itself says nothing of it."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    try:
        damaged = keep_if_cut_short(path, page_bytes)
    except OSError as error:
        _log.error("action=ledger_log_unread path=%s reason=%r", path, str(error))
        return
    if damaged:
        kept = damaged_log_of(path)
        _log.error("action=ledger_damaged kept=%s; requests may be missing: keep this file, replace the card", kept)


def _revision(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            _watch_log(path, connection)  # here, for closing the last connection empties the log
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    return str(row[0]) if row else None
