"""A log that damage cut short is told from one that a power cut left half-written."""

import logging
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from steunpunt.ledger import upkeep
from steunpunt.ledger.store import Ledger, prepare
from steunpunt.ledger.wal import damaged_log_of
from tests.fakes.sites import new_ledger

COMMITS = 12
FRAME_BYTES = 24 + 4096


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Give a folder with a ledger and its log, as a kill leaves them."""
    made = tmp_path / "made"
    ledger = Ledger(new_ledger(made / "ledger.db")).open()
    for number in range(COMMITS):
        with ledger.transaction() as connection:
            ledger.set_meta(connection, f"name {number}", bytes(3000))
    folder = tmp_path / "killed"
    folder.mkdir()
    for name in ("ledger.db", "ledger.db-wal"):
        shutil.copy2(made / name, folder / name)
    ledger.close()
    return folder


def log_of(folder: Path) -> bytearray:
    return bytearray((folder / "ledger.db-wal").read_bytes())


def start(folder: Path, log: bytes | bytearray) -> tuple[bool, int]:
    """Start on a log; returns whether damage was noticed, and how many of the commits are there."""
    copy = folder.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    (copy / "ledger.db-wal").write_bytes(log)
    prepare(copy / "ledger.db")
    kept = damaged_log_of(copy / "ledger.db")
    if kept.exists():
        assert kept.read_bytes() == bytes(log)
    connection = sqlite3.connect(copy / "ledger.db")
    try:
        (found,) = connection.execute("SELECT count(*) FROM meta WHERE name LIKE 'name %'").fetchone()
    finally:
        connection.close()
    return kept.exists(), found


def ends(log: bytes | bytearray) -> list[int]:
    """Give where each commit ends."""
    frames = range(32, len(log) - FRAME_BYTES + 1, FRAME_BYTES)
    return [at + FRAME_BYTES for at in frames if int.from_bytes(log[at + 4 : at + 8], "big")]


def test_a_whole_log_is_taken_whole(killed: Path) -> None:
    assert start(killed, log_of(killed)) == (False, COMMITS)


def test_a_bit_in_the_midst_of_the_log_is_noticed_and_the_log_kept(
    killed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng, log = random.Random(seed), log_of(killed)
    last_but_one = ends(log)[-2]
    for _ in range(60):
        at, bit = rng.randrange(last_but_one - FRAME_BYTES), 1 << rng.randrange(8)
        log[at] ^= bit
        with caplog.at_level(logging.ERROR):
            noticed, found = start(killed, log)
        log[at] ^= bit
        assert noticed or found == COMMITS, f"bit {bit} at {at} (seed {seed})"
    assert "requests may be missing" in caplog.text


def test_a_power_cut_is_no_damage(killed: Path) -> None:
    log = log_of(killed)
    before, last = ends(log)[-2:]
    for end in range(before, last, 512):  # the sectors of the last commit, in any order
        for torn in (log[:end], log[:end] + bytes(last - end), log[:before] + bytes(end - before) + log[end:]):
            noticed, found = start(killed, bytes(torn))
            assert not noticed, end
            assert found >= COMMITS - 1


def test_what_is_left_of_an_earlier_log_is_no_damage(killed: Path) -> None:
    connection = sqlite3.connect(killed / "ledger.db", isolation_level=None)
    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    connection.execute("UPDATE meta SET value = x'00' WHERE name = 'name 0'")
    log = log_of(killed)
    assert len(ends(log)) > COMMITS / 2, "the earlier log is still behind the new one"
    shutil.copy2(killed / "ledger.db", killed.parent / "now.db")
    connection.close()
    shutil.copy2(killed.parent / "now.db", killed / "ledger.db")
    assert start(killed, log) == (False, COMMITS)


def test_the_first_damaged_log_is_kept_and_not_the_next(killed: Path) -> None:
    damaged_log_of(killed / "ledger.db").write_bytes(b"the first")
    log = log_of(killed)
    log[100] ^= 1
    (killed / "ledger.db-wal").write_bytes(log)
    prepare(killed / "ledger.db")
    assert damaged_log_of(killed / "ledger.db").read_bytes() == b"the first"


def test_what_only_sqlites_own_check_finds_is_found_by_the_job_and_stops_no_start(tmp_path: Path) -> None:
    path = new_ledger(tmp_path / "ledger.db")
    assert upkeep.check(path, lambda: False) == ""
    ledger = Ledger(path).open()
    with ledger.transaction() as connection:
        ledger.set_meta(connection, "name that stands in the table and in its index", b"value")
    ledger.close()
    data = path.read_bytes()
    at = data.rindex(b"name that stands")
    path.write_bytes(data[:at] + b"mane" + data[at + 4 :])
    prepare(path)
    assert upkeep.check(path, lambda: False) == "damaged; keep a copy, replace the card"
