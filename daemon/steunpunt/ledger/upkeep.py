"""What is done with a whole ledger now and then: SQLite's own check, and a copy on a second medium.

Both read over a connection of their own and hold up no writer. Both look at ``stopping`` every few thousand of SQLite's
steps, so that a node can end while they run.
"""

import contextlib
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

from steunpunt.durable import sync
from steunpunt.model import LedgerError

STEPS = 20_000
"""SQLite's steps between two looks whether to stop."""
COPY_PAGES = 256
"""Pages copied at once; between two such parts the node may write."""
COPY_PAUSE_S = 0.01
_NAME = re.compile(r"ledger-(\d{6})\.db")
Stop = Callable[[], bool]


class Stopped(LedgerError):
    """The node is told to stop: neither good nor bad."""


def check(path: Path, stopping: Stop) -> str:
    """Return "" for a ledger in which SQLite finds nothing wrong, else that it is damaged.

    What SQLite says of the damage is left out: it may quote what stands there.
    """
    try:
        with contextlib.closing(_open(path, stopping)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if stopping():
            raise Stopped("stopped while the ledger was checked") from error
        return f"damaged ({type(error).__name__}); keep a copy, replace the card"
    return "" if found == "ok" else "damaged; keep a copy, replace the card"


def copy(path: Path, folder: Path, copies: int, stopping: Stop) -> Path:
    """Copy the ledger into ``folder``, read it back, and drop all but the newest ``copies``; returns the new file.

    The copy bears a number one higher than the highest there: there may be no clock. Raises LedgerError with the mend.
    """
    try:
        if folder.stat().st_dev == path.stat().st_dev:
            raise LedgerError(f"{folder}: not on a second medium; mount it there, or name another folder")
        there = sorted(number for file in folder.iterdir() if (number := _number(file)) is not None)
        made = folder / f"ledger-{(there[-1] if there else 0) + 1:06}.db"
        part = made.with_suffix(".part")
        _copy(path, part, stopping)
        part.rename(made)
        sync(folder)
        for number in there[: max(len(there) + 1 - copies, 0)]:
            (folder / f"ledger-{number:06}.db").unlink(missing_ok=True)
    except sqlite3.Error as error:
        if stopping():
            raise Stopped("stopped while the ledger was copied") from error
        raise LedgerError(f"{folder}: the copy failed ({error}); is the medium full or broken?") from error
    except OSError as error:
        if isinstance(error, LedgerError):
            raise
        raise LedgerError(f"{folder}: {error.strerror}; mount a medium that user steunpunt may write") from error
    return made


def _copy(path: Path, part: Path, stopping: Stop) -> None:
    part.unlink(missing_ok=True)
    part.touch(0o600)
    with contextlib.closing(_open(path, stopping)) as source, contextlib.closing(sqlite3.connect(part)) as target:

        def look(_status: int, _left: int, _all: int) -> None:
            if stopping():
                raise Stopped("stopped while the ledger was copied")

        source.execute("BEGIN")  # one moment's state: without it each write of the node would begin the copy anew
        source.execute("SELECT 1 FROM sqlite_master").fetchone()
        source.backup(target, pages=COPY_PAGES, progress=look, sleep=COPY_PAUSE_S)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, without companions
    sync(part)
    wrong = check(part, stopping)  # what was written, read back
    if wrong:
        raise LedgerError(f"{part}: the copy is {wrong}")


def _open(path: Path, stopping: Stop) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    connection.set_progress_handler(lambda: int(stopping()), STEPS)
    return connection


def _number(file: Path) -> int | None:
    match = _NAME.fullmatch(file.name)
    return int(match[1]) if match else None
