"""A coordinator's incarnation: raised when its ledger turns out to be an older copy.

The count of starts is kept twice, in the ledger and in a file beside it. When the ledger's count lags behind, the
ledger was
restored from a backup or begun anew, and what it receipted since may be gone: the incarnation goes up, and kiosks
can tell.
"""

import os
from pathlib import Path

from steunpunt.ledger.store import Ledger
from steunpunt.model import LedgerError

INCARNATION_MAX = 255


def begin(ledger: Ledger, path: Path) -> int:
    """Count this start in both places and return the incarnation (1 to 255)."""
    connection = ledger.connection
    starts = int.from_bytes(ledger.get_meta(connection, "starts") or b"\0", "big")
    incarnation = int.from_bytes(ledger.get_meta(connection, "incarnation") or b"\1", "big")
    outside_starts, outside_incarnation = _read(path)
    if outside_starts > starts:
        incarnation = max(incarnation, outside_incarnation) + 1
    if incarnation > INCARNATION_MAX:
        raise LedgerError(
            f"{path}: incarnation {incarnation} is beyond {INCARNATION_MAX}; make new keys for the region"
        )
    starts = max(starts, outside_starts) + 1
    with ledger.transaction() as transaction:
        ledger.set_meta(transaction, "starts", starts.to_bytes(4, "big"))
        ledger.set_meta(transaction, "incarnation", bytes([incarnation]))
    _write(path, starts, incarnation)
    return incarnation


def _read(path: Path) -> tuple[int, int]:
    try:
        starts, incarnation = path.read_text(encoding="ascii").split()
        return int(starts), int(incarnation)
    except FileNotFoundError:
        return 0, 0
    except (OSError, ValueError) as error:
        raise LedgerError(f"{path}: cannot be read ({error}); it holds two numbers: starts and incarnation") from error


def _write(path: Path, starts: int, incarnation: int) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="ascii") as file:
            file.write(f"{starts} {incarnation}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written ({error.strerror}); check the folder's owner") from error
