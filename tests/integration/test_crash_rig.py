"""The crash rig itself: a few of its points, and that it sees what is lost. All of them: `make crash`."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import damage, power_cuts, strace
from tests.crash.ends import Words
from tests.crash.kiosk_kills import RUNNING, Scene, compare, judge, make_run, scene, strike, watched
from tests.crash.place import Region
from tests.crash.strace import Point

pytestmark = pytest.mark.processes

MINUTES_MAX = 5.0
POINTS = (Point("pwrite64", 60), Point("fdatasync", 8), Point("sendto", 4))


@pytest.fixture(name="region", scope="module")
def fixture_region(tmp_path_factory: pytest.TempPathFactory) -> Region:
    return Region.make(tmp_path_factory.mktemp("crash") / "r")


@pytest.fixture(name="stage")
def fixture_stage(region: Region, tmp_path: Path) -> Iterator[Scene]:
    if reason := strace.missing():
        pytest.skip(reason)
    with scene(region, tmp_path) as made:
        yield made


def test_a_kiosk_killed_at_its_calls_keeps_each_ticket_once(stage: Scene) -> None:
    tally = strike(stage, RUNNING, list(POINTS), MINUTES_MAX)
    assert tally.faults == []
    assert sum(tally.struck.values()) == len(POINTS), tally
    assert tally.tickets


def test_a_ticket_that_no_ledger_holds_is_seen_as_lost(stage: Scene) -> None:
    run = make_run(stage, RUNNING, "lost")
    kiosk_kills_before = (run.kiosk.folder / "ledger.db", run.kiosk.folder / "ledger.db-wal")
    kept = [(path, path.read_bytes()) for path in kiosk_kills_before]
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


def test_a_power_cut_takes_no_ticket(region: Region, tmp_path: Path) -> None:
    (outcome, *control) = power_cuts.measure(region, tmp_path / "c", 1, 1, MINUTES_MAX, lambda least, _most: least)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.faults == []
    assert control, "the control run belongs to it"


def test_flipped_bits_bring_up_no_words_that_nobody_wrote(region: Region, tmp_path: Path) -> None:
    for outcome in damage.flip_all(region, tmp_path / "d", 10, MINUTES_MAX, random.Random(1)):
        assert outcome.faults == []
        assert "flips" in outcome.figures
    shutil.rmtree(tmp_path / "d")
