"""Runs seeds and says what came of them: one in this process, many over all cores."""

import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from steunpunt.model import SteunpuntError
from steunpunt.sim.region.cases import CASES
from steunpunt.sim.region.maps import Options
from steunpunt.sim.region.storm import Town
from steunpunt.sim.region.trace import Trace
from steunpunt.sim.region.watch import Violation
from steunpunt.sim.spec import SimulationError
from steunpunt.values import replace

SEEDS_PER_PROCESS = 50
OBJECTS_PER_COLLECTION = 100_000
"""Python looks for cycles after each 700 new objects, and a ledger's statements are many: a sixth of a seed's time."""
_QUIET = logging.NullHandler()
"""The engines log what a technician should read; here nobody is one."""
_MEMORY = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it


class SeedFailed(SteunpuntError, AssertionError):
    """A seed ended in a violation; the message holds the command that repeats it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one seed."""

    case: str
    seed: int
    sites: int
    simulated_s: float
    took_s: float
    """Real time; the only thing here that differs between two runs."""
    requests: int
    cases: int
    median_s: float
    p95_s: float
    life_p95_s: float
    transmissions: int
    airtime_s: float
    duty_percent_max: float
    steps: int
    digest: str
    counts: dict[str, int]


def command_for(options: Options) -> str:
    """Return the command that repeats a run."""
    parts = [f"steunpunt simulate --case {options.case} --seed {options.seed}"]
    if options.case == "region":
        parts.append(f"--sites {options.sites} --hours {options.hours:g} --per-hour {options.per_hour:g}")
        parts += [] if options.storm else ["--no-storm"]
    return " ".join(parts)


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Let Python look for cycles of dead objects less often."""
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS_PER_COLLECTION, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@_seldom_collecting()
def simulate(options: Options, file: IO[str] | None = None) -> Report:
    """Run one seed; SeedFailed with the command that repeats it. ``file`` takes the trace of all steps."""
    logging.getLogger("steunpunt").addHandler(_QUIET)
    began_s, trace = time.monotonic(), Trace(file)
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="steunpunt-simulation-", dir=memory) as folder:
        try:
            town = CASES[options.case](options, Path(folder), trace)
        except Exception as error:
            last = "\n  ".join(trace.last)
            what = str(error) if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
            raise SeedFailed(f"{what}\n  {last}\nrepeat it: {command_for(options)}") from error
        report = _report(town, options, trace, time.monotonic() - began_s)
        town.world.close()
    return report


def _report(town: Town, options: Options, trace: Trace, took_s: float) -> Report:
    world, waits = town.world, town.waits_s()
    radios = [site.mesh.radio.mesh.counters for site in world.sites.values()]
    both = waits.life + waits.other
    return Report(
        options.case,
        options.seed,
        len(world.sites),
        world.now_ms / 1000,
        took_s,
        len(world.watch.record.asked),
        len(world.watch.record.cases),
        share(both, 0.5),
        share(both, 0.95),
        share(waits.life, 0.95),
        world.air.counters["transmissions"],
        sum(counters["airtime_ms"] for counters in radios) / 1000,
        world.watch.duty_percent_max,
        trace.steps,
        trace.digest,
        dict(sorted((world.counts + world.watch.counts).items())),
    )


def share(values: list[float], part: float) -> float:
    """Return the value below which this part of them lies; 0 for none."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)] if values else 0.0


def run_seeds(options: Options, count: int, jobs: int, file: IO[str] | None = None) -> Iterator[Report | SeedFailed]:
    """Run ``count`` seeds from the options' own on, over ``jobs`` processes; give what came of each, in order.

    ``file`` takes the trace of the first one, when it is the only one.
    """
    if count == 1:
        yield _safely(options, file)
        return
    if jobs == 1:
        for seed in range(options.seed, options.seed + count):
            yield _safely(replace(options, seed=seed))
        return
    firsts = range(options.seed, options.seed + count, SEEDS_PER_PROCESS)
    parts = [(replace(options, seed=first), min(SEEDS_PER_PROCESS, options.seed + count - first)) for first in firsts]
    with ThreadPoolExecutor(jobs) as pool:
        for results in pool.map(_in_another_process, parts):
            yield from results


def _in_another_process(part: tuple[Options, int]) -> list[Report | SeedFailed]:
    """Run some seeds by the command line, so that many go on at the same time."""
    options, count = part
    words = [*command_for(options).split()[1:], "--seeds", str(count), "--json"]
    ran = subprocess.run(  # noqa: S603  our own interpreter and module
        [sys.executable, "-m", "steunpunt", *words], capture_output=True, text=True, check=False
    )
    results = [_from_table(json.loads(line)) for line in ran.stdout.splitlines()]
    if len(results) != count:
        raise SimulationError(f"seeds from {options.seed} on ended early: {ran.stderr.strip()[-500:]}")
    return results


def _from_table(table: dict[str, Any]) -> Report | SeedFailed:
    return SeedFailed(table["failed"]) if "failed" in table else Report(**table)


def _safely(options: Options, file: IO[str] | None = None) -> Report | SeedFailed:
    try:
        return simulate(options, file)
    except SeedFailed as failure:
        return SeedFailed(str(failure))  # without its cause, which may not go through a pipe


def as_table(result: Report | SeedFailed) -> dict[str, object]:
    """Return what came of a seed as plain values."""
    return asdict(result) if isinstance(result, Report) else {"failed": str(result)}


def in_words(report: Report) -> str:
    """Return a report as lines to read."""
    per_request = report.transmissions / max(report.requests, 1)
    return (
        f"{report.case} {report.seed}: {report.requests} requests at {report.sites} sites, {report.cases} cases, "
        f"{report.simulated_s / 3600:.1f} h in {report.took_s:.1f} s\n"
        f"  from kept to received: median {report.median_s:.0f} s, p95 {report.p95_s:.0f} s, "
        f"life threats' p95 {report.life_p95_s:.0f} s\n"
        f"  on the air: {report.transmissions} transmissions ({per_request:.1f} a request), {report.airtime_s:.0f} s, "
        f"the busiest radio {report.duty_percent_max:.1f} % of an hour\n"
        f"  {report.steps} steps, digest {report.digest[:16]}"
    )
