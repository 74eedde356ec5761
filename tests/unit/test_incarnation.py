"""Incarnations: a ledger that is older than what was said in its name is noticed."""

import shutil
from pathlib import Path

import pytest

from steunpunt.ledger import incarnation
from steunpunt.ledger.incarnation import INCARNATION_MAX, Keeper, begin, mark
from steunpunt.ledger.store import Ledger, prepare
from steunpunt.model import LedgerError


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a migrated ledger without rows; migrating takes a second, copying does not."""
    path = tmp_path_factory.mktemp("ledger") / "empty.db"
    prepare(path)
    return path


class Place:
    """A coordinator's folder: the ledger, the file beside it, and the node's starts."""

    def __init__(self, folder: Path, empty: Path) -> None:
        self.path = folder / "ledger.db"
        self.file = folder / "ledger.incarnation"
        self._empty = empty
        self.renew()

    def start(self) -> int:
        ledger = Ledger(self.path).open()
        try:
            return begin(ledger, self.file)
        finally:
            ledger.close()

    def mark(self, number: int) -> None:
        ledger = Ledger(self.path).open()
        try:
            mark(ledger, self.file, number)
        finally:
            ledger.close()

    def backup(self) -> Path:
        return Path(shutil.copy(self.path, self.path.with_suffix(".backup")))

    def restore(self, backup: Path) -> None:
        shutil.copy(backup, self.path)

    def renew(self) -> None:
        self.restore(self._empty)


@pytest.fixture
def place(tmp_path: Path, empty: Path) -> Place:
    return Place(tmp_path, empty)


def test_an_ordinary_life_is_one_incarnation(place: Place) -> None:
    for _ in range(5):
        assert place.start() == 1
        place.mark(1)
    assert place.file.read_text() == "10 1\n"


def test_a_ledger_from_before_the_last_start_is_noticed(place: Place) -> None:
    place.start()
    backup = place.backup()
    place.start()
    place.restore(backup)
    assert place.start() == 2
    assert place.start() == 2, "once"


def test_a_ledger_from_this_very_start_is_noticed_after_a_mark(place: Place) -> None:
    number = place.start()
    backup = place.backup()
    place.mark(number)
    place.restore(backup)
    assert place.start() == 2


def counted(place: Place, *, kept: bool) -> None:
    """Run a node that files something new; not ``kept``: the power goes right after its commit."""
    ledger = Ledger(place.path).open()
    keeper = Keeper(ledger, place.file)
    keeper.begin()
    place.backup()
    with ledger.transaction() as connection:
        keeper.count(connection)
    if kept:
        keeper.keep()
    ledger.close()


def test_a_copy_from_just_before_something_new_was_said_is_noticed(place: Place) -> None:
    counted(place, kept=True)
    place.restore(place.path.with_suffix(".backup"))
    assert place.start() == 2


def test_a_crash_between_what_is_new_and_the_file_is_no_restore(place: Place) -> None:
    counted(place, kept=False)
    assert place.start() == 1


def test_a_count_that_the_disk_did_not_keep_is_forgotten(place: Place) -> None:
    ledger = Ledger(place.path).open()
    keeper = Keeper(ledger, place.file)
    keeper.begin()
    before = place.file.read_text()
    with pytest.raises(KeyError), ledger.transaction() as connection:
        keeper.count(connection)
        raise KeyError
    keeper.rolled_back()
    keeper.keep()
    ledger.close()
    assert place.file.read_text() == before
    assert place.start() == 1


def test_a_file_that_cannot_be_written_is_logged_and_the_turn_goes_on(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger(place.path).open()
    keeper = Keeper(ledger, place.file)
    keeper.begin()
    place.file.unlink()
    place.file.with_name(f".{place.file.name}.new").mkdir()
    with ledger.transaction() as connection:
        keeper.count(connection)
    keeper.keep()
    ledger.close()
    assert [message.split()[0] for message in caplog.messages] == ["action=cannot_mark"]


def test_a_ledger_begun_anew_is_noticed(place: Place) -> None:
    assert [place.start(), place.start()] == [1, 1]
    place.renew()
    assert place.start() == 2


def test_a_restore_is_logged_and_an_ordinary_start_is_not(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.start()
    backup = place.backup()
    place.start()
    place.restore(backup)
    for _ in range(2):
        ledger = Ledger(place.path).open()
        Keeper(ledger, place.file).begin()
        ledger.close()
    assert caplog.messages == ["action=incarnation number=2"]


def test_each_restore_counts(place: Place) -> None:
    place.start()
    backup = place.backup()
    numbers = []
    for _ in range(4):
        place.start()
        place.restore(backup)
        numbers.append(place.start())
    assert numbers == [2, 3, 4, 5]


def test_a_crash_between_ledger_and_file_is_no_restore(place: Place) -> None:
    place.start()
    before = place.file.read_text()
    place.start()
    place.file.write_text(before)
    assert place.start() == 1


def test_a_lost_file_is_written_again_from_the_ledger(place: Place) -> None:
    place.start()
    place.renew()
    assert place.start() == 2
    place.file.unlink()
    assert place.start() == 2
    assert place.file.read_text().split()[1] == "2"


@pytest.mark.parametrize("starts", [0, 3])
def test_who_lost_both_writes_the_last_known_number_by_hand(place: Place, starts: int) -> None:
    for _ in range(starts):
        place.start()
    place.file.write_text("1 7\n")
    assert place.start() == 8


def test_the_file_is_whole_or_old(place: Place) -> None:
    place.start()
    assert [path.name for path in place.file.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("text", ["", "1", "een twee", "1 2 3", "\u0661 \xff"])
def test_a_broken_file_says_what_to_write(place: Place, text: str) -> None:
    place.file.write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError, match='such as "1 7"'):
        place.start()


def test_a_folder_that_cannot_be_written_stops_the_start(place: Place) -> None:
    place.file = place.file.parent / "away" / "ledger.incarnation"
    with pytest.raises(LedgerError, match="cannot be written"):
        place.start()


def test_the_numbers_end(place: Place) -> None:
    place.file.write_text(f"9 {INCARNATION_MAX}\n")
    with pytest.raises(LedgerError, match="new keys"):
        place.start()


def test_a_mark_is_worth_its_disk_writes() -> None:
    assert 10_000 <= incarnation.MARK_MS <= 600_000
