"""Two hundred small storms, the hard cases by name, and the promise that a seed can be repeated."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from steunpunt.cli.simulating import CASE_NAMES
from steunpunt.sim.region.cases import CASES
from steunpunt.sim.region.maps import Options
from steunpunt.sim.region.simulate import Report, SeedFailed, run_seeds, simulate

SEEDS = 200
JOBS = min(os.cpu_count() or 1, 2)
HARD = (
    "clones", "restored", "lagging", "takeover", "killed", "hostile", "thief", "gateways", "cancelled", "overload",
)  # fmt: skip
"""The ten hard cases of the protocol."""
ALSO = ("away",)
PROOFS = {
    "lagging": ("lag in s", 60),
    "hostile": ("attacks", 100),
    "thief": ("recorded packets", 10),
    "gateways": ("downlink packets", 1),
    "overload": ("forged OK", 10),
}
"""What each of these must have seen, at least so often, lest it prove nothing."""


def reports(options: Options, count: int) -> list[Report]:
    results = list(run_seeds(options, count, JOBS))
    failures = [str(result) for result in results if isinstance(result, SeedFailed)]
    assert failures == [], "\n\n".join(failures)
    return [result for result in results if isinstance(result, Report)]


def test_two_hundred_small_storms_lose_double_and_betray_nothing() -> None:
    done = reports(Options("small", 0), SEEDS)
    struck = sum(count for report in done for name, count in report.counts.items() if name.startswith("struck"))
    attacks = sum(report.counts.get("attacks", 0) for report in done)
    opened = sum(report.counts.get("reopened at a kiosk", 0) for report in done)
    print(f"{len(done)} seeds, {sum(r.requests for r in done)} requests, {struck} power cuts, {attacks} attacks")
    print(f"{opened} closed cases opened again")
    assert sum(report.requests for report in done) == sum(report.cases for report in done) >= 3 * SEEDS
    assert struck > SEEDS
    assert attacks > SEEDS
    assert opened > SEEDS / 4


@pytest.mark.parametrize("case", HARD + ALSO)
def test_a_hard_case(case: str) -> None:
    report = simulate(Options(case, 0))
    assert report.cases > 0
    what, least = PROOFS.get(case, ("sent over mesh", 1))
    assert report.counts[what] >= least


def test_a_standby_may_lag_behind_by_less_than_a_minute_too() -> None:
    report = simulate(Options("lagging", 2))
    assert report.cases > 0
    assert 0 < report.counts["lag in s"] < 60


def test_a_region_in_a_storm() -> None:
    report = simulate(Options("region", 7, sites=8, hours=0.5, per_hour=40))
    assert report.requests == report.cases >= 10


def test_the_command_line_offers_what_there_is() -> None:
    assert set(CASE_NAMES) == set(CASES)


def digest_of(hash_seed: str, tmp_path: Path) -> tuple[str, str]:
    """Run a seed in a process of its own, in which Python orders its sets differently."""
    trace = tmp_path / f"trace-{hash_seed}"
    command = [sys.executable, "-m", "steunpunt", "simulate", "--case", "small", "--seed", "5", "--trace", str(trace)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found = re.search(r"digest ([0-9a-f]+)", told)
    assert found is not None, told
    return found[1], trace.read_text("ascii")


def test_a_seed_is_the_same_step_by_step_in_another_process(tmp_path: Path) -> None:
    first, second = digest_of("1", tmp_path), digest_of("2", tmp_path)
    assert first == second
    assert len(first[1].splitlines()) > 100


def test_another_seed_is_another_storm() -> None:
    assert simulate(Options("small", 5)).digest != simulate(Options("small", 6)).digest
