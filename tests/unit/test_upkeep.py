"""Checking and copying a whole ledger: damage is found, a copy is whole while the node writes, old ones go."""

import contextlib
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from steunpunt.ledger import upkeep
from steunpunt.ledger.store import Ledger
from steunpunt.model import LedgerError
from tests.fakes.sites import new_ledger

COPIES_MAX = 10
OTHER_MEDIUM = Path("/dev/shm")  # noqa: S108  a file system of its own, as a stick is


def never() -> bool:
    return False


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return new_ledger(tmp_path / "ledger.db")


@pytest.fixture
def stick() -> Iterator[Path]:
    """A folder on another file system."""
    with tempfile.TemporaryDirectory(dir=OTHER_MEDIUM) as folder:
        yield Path(folder)


def damage(path: Path) -> None:
    """Put noise over a page in the midst of the file."""
    with path.open("r+b") as file:
        file.seek(4096 * 9)
        file.write(bytes(range(256)) * 16)


def test_a_whole_ledger_is_well_and_a_damaged_one_is_not(ledger: Path) -> None:
    assert upkeep.check(ledger, never) == ""
    damage(ledger)
    assert upkeep.check(ledger, never).startswith("damaged")


def test_a_ledger_that_is_none_is_damaged(ledger: Path) -> None:
    ledger.write_bytes(b"no ledger at all" * 1000)
    assert upkeep.check(ledger, never).startswith("damaged (DatabaseError)")


def test_copies_are_numbered_kept_a_few_and_whole(ledger: Path, stick: Path) -> None:
    made = [upkeep.copy(ledger, stick, 2, never).name for _ in range(4)]
    assert made == [f"ledger-{number:06}.db" for number in (1, 2, 3, 4)]
    assert sorted(file.name for file in stick.iterdir()) == made[2:]
    assert (stick / made[3]).stat().st_mode & 0o077 == 0
    assert Ledger(stick / made[3]).open().clock.certain_ms >= 0


def test_a_copy_made_while_the_node_writes_is_one_moments_state(ledger: Path, stick: Path) -> None:
    node = Ledger(ledger).open()
    with node.transaction() as connection:
        for index in range(600):
            node.set_meta(connection, f"fill{index}", bytes(4000))
    counted, most = 0, 0
    for _ in range(COPIES_MAX):  # one copy may be over before the other thread gets its turn
        copies: list[Path] = []
        thread = threading.Thread(target=lambda kept: kept.append(upkeep.copy(ledger, stick, 4, never)), args=[copies])
        before = counted
        thread.start()
        while thread.is_alive():
            counted += 1
            with node.transaction() as connection:  # two rows that must agree in any one moment
                node.set_meta(connection, "one", counted.to_bytes(4, "big"))
                node.set_meta(connection, "two", counted.to_bytes(4, "big"))
        with contextlib.closing(sqlite3.connect(copies[0])) as copied:
            found = dict(copied.execute("SELECT name, value FROM meta WHERE name IN ('one', 'two')").fetchall())
        assert found.get("one") == found.get("two")
        most = max(most, counted - before)
        if most > 1:
            break
    node.close()
    assert most > 1, "the node was held up by each copy"


def test_a_folder_on_the_same_card_is_no_second_medium(ledger: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="not on a second medium"):
        upkeep.copy(ledger, tmp_path, 2, never)


def test_a_medium_that_is_gone_or_not_writable_is_told(ledger: Path, stick: Path) -> None:
    with pytest.raises(LedgerError, match="No such file or directory; mount a medium"):
        upkeep.copy(ledger, stick / "gone", 2, never)


def test_a_full_medium_keeps_the_copies_it_has(ledger: Path, stick: Path) -> None:
    before = upkeep.copy(ledger, stick, 2, never)
    (stick / "ledger-000002.part").mkdir()  # whatever is in the way
    with pytest.raises(LedgerError):
        upkeep.copy(ledger, stick, 2, never)
    assert upkeep.check(before, never) == ""


def test_a_damaged_ledger_does_not_push_out_good_copies(ledger: Path, stick: Path) -> None:
    good = upkeep.copy(ledger, stick, 1, never)
    damage(ledger)
    with pytest.raises(LedgerError, match="the copy is damaged"):
        upkeep.copy(ledger, stick, 1, never)
    assert [file.name for file in stick.glob("*.db")] == [good.name]


def test_what_runs_ends_when_the_node_stops(ledger: Path, stick: Path) -> None:
    with pytest.raises(upkeep.Stopped):
        upkeep.copy(ledger, stick, 2, lambda: True)
    assert list(stick.glob("*.db")) == []
