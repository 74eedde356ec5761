"""A coordinator's incarnation: raised when its ledger turns out to be an older copy.

A count is kept twice, in the ledger and in a file outside it. It goes up at each start, with each turn that files
something new or signs news, before anything is said of it, and every MARK_MS in which the ledger changed else. When
at a start the ledger's count lags behind the file's, the ledger was restored from a backup or begun anew, and what it
receipted since may be gone: the incarnation goes up, and kiosks can tell. They also need it to: a restored ledger
counts its beacons from an older number, and within one incarnation an older number is a replay.

Whoever lost both can write the file by hand: a count of 1 and the last incarnation known, such as ``1 7``.
"""

import logging
import os
from pathlib import Path

import sqlalchemy as sa

from steunpunt.durable import sync
from steunpunt.ledger.store import Ledger
from steunpunt.model import LedgerError

INCARNATION_MAX = 255
COUNT_MAX = 0xFFFFFFFF
MARK_MS = 60_000
"""What nobody was told of, such as heartbeats, is marked this often."""

_log = logging.getLogger(__name__)


def begin(ledger: Ledger, path: Path) -> int:
    """Count this start in both places and return the incarnation (1 to 255).

    Raises LedgerError when the file is broken or cannot be written, or no incarnation is left.
    """
    connection = ledger.connection
    count = int.from_bytes(ledger.get_meta(connection, "starts") or b"\0", "big")
    incarnation = int.from_bytes(ledger.get_meta(connection, "incarnation") or b"\1", "big")
    outside_count, outside_incarnation = _read(path)
    if outside_count > count or outside_incarnation > incarnation:
        incarnation = max(incarnation, outside_incarnation) + 1
    if incarnation > INCARNATION_MAX:
        raise LedgerError(
            f"{path}: incarnation {incarnation} is beyond {INCARNATION_MAX}; make new keys for the region"
        )
    _keep(ledger, path, max(count, outside_count) + 1, incarnation)
    return incarnation


def mark(ledger: Ledger, path: Path, incarnation: int) -> None:
    """Count once more in both places, so that copies of the ledger made before now can be told from it.

    To be called outside a transaction, once in every MARK_MS in which the ledger changed. Raises LedgerError when the
    disk refuses.
    """
    count = int.from_bytes(ledger.get_meta(ledger.connection, "starts") or b"\0", "big")
    _keep(ledger, path, count + 1, incarnation)


class Keeper:
    """Begins an incarnation and marks it while the ledger changes."""

    def __init__(self, ledger: Ledger, path: Path) -> None:
        self._ledger = ledger
        self._path = path
        self._incarnation = 0
        self._changes = 0
        self._marked_ms: int | None = None
        self._counted: int | None = None

    def begin(self) -> int:
        """Count this start; see :func:`begin`. Logs a number that rose: somebody put an older ledger back."""
        kept = self._ledger.get_meta(self._ledger.connection, "incarnation") or b"\1"
        self._incarnation = begin(self._ledger, self._path)
        if self._incarnation != kept[0]:
            _log.warning("action=incarnation number=%d", self._incarnation)
        self._changes = self._ledger.changes()
        return self._incarnation

    def count(self, connection: sa.Connection) -> None:
        """Count in the caller's transaction, which keeps what others will be told of; :meth:`keep` does the rest."""
        count = int.from_bytes(self._ledger.get_meta(connection, "starts") or b"\0", "big")
        self._counted = min(count + 1, COUNT_MAX)
        self._ledger.set_meta(connection, "starts", self._counted.to_bytes(4, "big"))

    def keep(self) -> None:
        """After that commit and before anything is said: count in the file too.

        A disk that refuses it is logged and tried again with the next count: what is in the ledger may be said.
        """
        if self._counted is None:
            return
        count, self._counted = self._counted, None
        try:
            _write(self._path, count, self._incarnation)
        except LedgerError as error:
            _log.error("action=cannot_mark reason=%r", str(error))

    def rolled_back(self) -> None:
        """Forget a count that the disk did not keep."""
        self._counted = None

    def mark_due(self, now_ms: int) -> None:
        """Mark when the ledger changed and the last mark is MARK_MS old; raises LedgerError when the disk refuses."""
        if self._ledger.changes() == self._changes:
            return
        if self._marked_ms is not None and now_ms - self._marked_ms < MARK_MS:
            return
        mark(self._ledger, self._path, self._incarnation)
        self._changes = self._ledger.changes()
        self._marked_ms = now_ms


def _keep(ledger: Ledger, path: Path, count: int, incarnation: int) -> None:
    """First the ledger, then the file: a crash between them must not look like an older ledger."""
    count = min(count, COUNT_MAX)
    with ledger.transaction() as transaction:
        ledger.set_meta(transaction, "starts", count.to_bytes(4, "big"))
        ledger.set_meta(transaction, "incarnation", bytes([incarnation]))
    _write(path, count, incarnation)


def _read(path: Path) -> tuple[int, int]:
    try:
        count, incarnation = path.read_text(encoding="ascii").split()
        return int(count), int(incarnation)
    except FileNotFoundError:
        return 0, 0
    except (OSError, ValueError) as error:
        mend = 'write two numbers in it, 1 and the last incarnation known, such as "1 7"'
        raise LedgerError(f"{path}: cannot be read ({error}); {mend}") from error


def _write(path: Path, count: int, incarnation: int) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="ascii") as file:
            file.write(f"{count} {incarnation}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written ({error.strerror}); check the folder's owner") from error
