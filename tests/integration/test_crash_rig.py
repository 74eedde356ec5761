"""The crash rig itself: a few of its points, and that it sees what is lost. All of them: `make crash`."""

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import damage, strace
from tests.crash.ends import Words
from tests.crash.kiosk_kills import RUNNING, Scene, compare, judge, make_run, scene, strike, watched
from tests.crash.place import Region
from tests.crash.strace import Point

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
MINUTES_MAX = 5.0
FLIPS = 6
POINT = Point("pwrite64", 160)
"""Of some 240, so that it is past the first tickets."""


@pytest.fixture(name="region", scope="module")
def fixture_region(tmp_path_factory: pytest.TempPathFactory) -> Region:
    return Region.make(tmp_path_factory.mktemp("crash") / "r")


@pytest.fixture(name="stage", scope="module")
def fixture_stage(region: Region, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    if reason := strace.missing():
        pytest.skip(reason)
    with scene(region, tmp_path_factory.mktemp("crash")) as made:
        yield made


def test_a_kiosk_killed_at_its_calls_keeps_each_ticket_once(stage: Scene) -> None:
    tally = strike(stage, RUNNING, [POINT], MINUTES_MAX)
    assert (tally.faults, tally.struck) == ([], {POINT.call: 1})
    assert tally.tickets


def test_a_ticket_that_no_ledger_holds_is_seen_as_lost(stage: Scene) -> None:
    run = make_run(stage, RUNNING, "lost")
    ledger = (run.kiosk.folder / "ledger.db", run.kiosk.folder / "ledger.db-wal")
    kept = [(path, path.read_bytes()) for path in ledger]
    watched(stage, run, RUNNING)
    for path, data in kept:  # as if nothing since had reached the disk
        path.write_bytes(data)
    faults = judge(run, stage.prefilled)
    assert len([fault for fault in faults if fault.startswith("lost")]) >= len(run.citizens.tickets) > 0


def test_the_words_of_a_case_are_compared_and_counted() -> None:
    asked = Words({("47-1", "water"): 1, ("47-2", "brand"): 1})
    assert compare(asked, asked) == []
    assert compare(Words({("47-1", "water"): 2, ("47-2", "brand"): 1}), asked) == ["twice or other words: 47-1 'water'"]
    assert compare(Words({("47-1", "water"): 1}), asked) == ["lost: 47-2 'brand'"]


def test_a_run_that_was_ended_elsewhere_is_no_point(tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    log.write_text("7 pwrite64(3, 1) = 1\n7 fdatasync(3) = 0\n7 +++ killed by SIGKILL +++\n", "utf-8")
    assert strace.struck(log, Point("fdatasync", 1))
    assert not strace.struck(log, Point("fdatasync", 2))
    assert not strace.struck(log, Point("pwrite64", 1))


def test_a_power_cut_takes_no_ticket() -> None:
    command = [sys.executable, "-m", "tests.crash", "--only", "cuts", "--cuts", "1", "--controls", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    (outcome,) = [line for line in done.stdout.splitlines() if "synchronous=FULL" in line] or [done.stderr]
    if outcome.startswith("SKIPPED"):
        pytest.skip(outcome)
    assert done.returncode == 0, outcome
    assert re.fullmatch("ok +power cuts, synchronous=FULL: 1 cuts, [1-9][0-9]* tickets shown, 0 lost", outcome)


def test_flipped_bits_bring_up_no_words_that_nobody_wrote(region: Region, tmp_path: Path) -> None:
    sample = damage.make_sample(region, tmp_path / "s", *damage.TORN)
    tally = damage.flip_desks(sample, tmp_path / "d", FLIPS, MINUTES_MAX, random.Random(1))
    assert (tally.faults, sum(tally.seen.values())) == ([], FLIPS)
