"""The ledger's transactions: everything or nothing, on the disk when they return, refused in words when it is full."""

import gc
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from steunpunt.ledger.clock import SAVE_MS
from steunpunt.ledger.store import Ledger
from steunpunt.ledger.tables import answers, epochs, meta
from steunpunt.model import LedgerError
from tests.fakes.sites import Clock, new_ledger


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return new_ledger(tmp_path / "ledger.db")


@pytest.fixture
def ledger(path: Path, clock: Clock) -> Iterator[Ledger]:
    opened = Ledger(path, read_boot_ms=clock.read).open()
    with opened.transaction() as connection:
        opened.touch(connection)
    yield opened
    opened.close()


def pragma(ledger: Ledger, name: str) -> object:
    return ledger.connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def record(path: Path) -> bytes:
    """Return the clock's record as another process reads it."""
    connection = sqlite3.connect(path)
    try:
        return bytes(connection.execute("SELECT value FROM meta WHERE name = 'clock'").fetchone()[0])
    finally:
        connection.close()


def keep(ledger: Ledger, values: dict[str, bytes], then: Exception | None = None) -> None:
    """Set values of the meta table in one transaction, which ``then`` ends."""
    with ledger.transaction() as connection:
        for name, value in values.items():
            ledger.set_meta(connection, name, value)
        if then is not None:
            raise then


def insert(ledger: Ledger, table: sa.Table, *rows: dict[str, object]) -> None:
    with ledger.transaction() as connection:
        for row in rows:
            connection.execute(sa.insert(table).values(**row))


def test_a_commit_that_returned_survives_a_power_cut(ledger: Ledger) -> None:
    assert (pragma(ledger, "journal_mode"), pragma(ledger, "synchronous")) == ("wal", 2)
    assert (pragma(ledger, "foreign_keys"), pragma(ledger, "secure_delete")) == (1, 1)


def test_all_of_a_transaction_or_nothing(ledger: Ledger, path: Path, clock: Clock) -> None:
    with pytest.raises(KeyError):
        keep(ledger, {"a": b"1"}, KeyError())
    keep(ledger, {"b": b"2"})
    ledger.close()
    again = Ledger(path, read_boot_ms=clock.read).open()
    found = (again.get_meta(again.connection, "a"), again.get_meta(again.connection, "b"))
    again.close()
    assert found == (None, b"2")


def test_reading_inside_a_transaction_holds_off_other_writers(ledger: Ledger, path: Path) -> None:
    other = sqlite3.connect(path, timeout=0.01)
    with ledger.transaction(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("UPDATE meta SET value = value")
    other.close()


def test_a_full_disk_is_a_ledger_error_with_the_mend_and_passes(ledger: Ledger) -> None:
    pages = pragma(ledger, "page_count")
    pragma(ledger, f"max_page_count={pages}")
    with pytest.raises(LedgerError, match=r"full.*disk is not full"):
        keep(ledger, {f"{i}": bytes(4_000) for i in range(2_000)})
    assert ledger.get_meta(ledger.connection, "0") is None
    pragma(ledger, f"max_page_count={2**30}")
    keep(ledger, {"0": b"kept"})
    assert ledger.get_meta(ledger.connection, "0") == b"kept"


def test_a_defect_of_ours_is_not_taken_for_a_full_disk(ledger: Ledger) -> None:
    row: dict[str, object] = {"eid": b"abc", "e_pub": bytes(32), "receipted": False}
    with pytest.raises(sa.exc.IntegrityError):
        insert(ledger, epochs, row, row)
    orphan = {"counter": 9, "salt": b"salt", "packet": b"", "received_ms": 1}
    with pytest.raises(sa.exc.IntegrityError, match="FOREIGN KEY"):
        insert(ledger, answers, orphan)


def test_an_error_never_shows_what_a_row_holds(ledger: Ledger) -> None:
    row: dict[str, object] = {"name": "geheim", "value": b"kanarie"}
    with pytest.raises(sa.exc.IntegrityError) as caught:
        insert(ledger, meta, row, row)
    assert "kanarie" not in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_the_clock_is_saved_with_a_commit_that_writes_and_only_now_and_then(
    ledger: Ledger, path: Path, clock: Clock
) -> None:
    first = record(path)
    clock.boot_ms += SAVE_MS
    with ledger.transaction():
        pass
    assert record(path) == first
    keep(ledger, {"a": b"1"})
    second = record(path)
    assert second != first
    clock.boot_ms += SAVE_MS - 1
    keep(ledger, {"a": b"2"})
    assert record(path) == second


def test_a_clock_that_was_rolled_back_is_saved_by_the_next_commit(ledger: Ledger, path: Path, clock: Clock) -> None:
    first = record(path)
    clock.boot_ms += SAVE_MS
    with pytest.raises(KeyError):
        keep(ledger, {"a": b"1"}, KeyError())
    with pytest.raises(LedgerError):
        keep(ledger, {"a": b"1"}, LedgerError())
    assert record(path) == first
    keep(ledger, {"a": b"1"})
    assert record(path) != first


def test_a_reader_sees_what_is_committed_and_cannot_write(ledger: Ledger, path: Path, clock: Clock) -> None:
    reader = Ledger(path, readonly=True, read_boot_ms=clock.read).open()
    with ledger.transaction() as connection:
        ledger.set_meta(connection, "a", b"1")
        assert reader.get_meta(reader.connection, "a") is None
    assert reader.get_meta(reader.connection, "a") == b"1"
    assert reader.clock.now_ms() == ledger.clock.now_ms()
    with pytest.raises(LedgerError, match="readonly"):
        keep(reader, {"a": b"2"})
    reader.close()


@pytest.mark.parametrize("left", [b"", b"this is no database at all, by far" * 50])
def test_what_cannot_be_opened_is_said_and_no_connection_stays_behind(
    tmp_path: Path, left: bytes, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(left)
    with pytest.raises(LedgerError, match=r"ledger\.db"):
        Ledger(path).open()
    with pytest.raises(LedgerError, match="start the node once"):
        Ledger(tmp_path / "absent.db").open()
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = Ledger(path)
    with pytest.raises(LedgerError, match="not open"):
        _ = ledger.connection
    with pytest.raises(LedgerError, match="not open"):
        _ = ledger.clock
