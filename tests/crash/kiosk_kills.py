"""A kiosk's node killed at its calls to the system, one run for each point.

Two stages: the first start, with the making of the ledger; and a running kiosk with 900 frames in its write-ahead log,
so that a checkpoint comes too, a radio, and a coordinator that answers. After each kill the node is started again
plainly.
"""

import contextlib
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from steunpunt.sim import RadioSpec, VirtualRadios
from tests.conftest import wait_until
from tests.crash import strace
from tests.crash.ends import (
    OnAir,
    Words,
    cases,
    check_integrity,
    coordinator_end,
    deliver,
    fresh_coordinator,
    kiosk_end,
)
from tests.crash.place import Citizens, Region, Site, stop_politely
from tests.crash.report import Outcome, in_time, tell
from tests.crash.strace import Census, Point

CHANNELS = (("", b"\x01"), ("serial", bytes(range(16))))
AIR_SPEED = 200
WAL_FRAME_BYTES = 4096 + 24
WAL_BYTES = 900 * WAL_FRAME_BYTES
"""SQLite makes a checkpoint at 1000 frames: each run comes by it."""
TEMPLATE_BATCH = 4
FIRST_EACH, RUNNING_EACH = 3, 6
RECEIPTS_S_MAX = 2.0
LEFT_MAX = 3
"""A run goes on until no more than these wait for a receipt: a packet that was lost on the air comes again in half a
minute only. They are handed over at the end."""
STOCK = "voorraad"
FIRST, RUNNING = "first start", "running"
Choose = Callable[[list[Point]], list[Point]]
"""Returns the points to try, of all that there are."""


@dataclass
class Scene:
    """What all runs share: keys, virtual radios, the coordinator on the air, and the ledgers that runs begin with."""

    region: Region
    folder: Path
    radio_port: int
    air: OnAir
    prefilled: Words = field(default_factory=Words)

    @property
    def template(self) -> Path:
        return self.folder / "template"


@contextlib.contextmanager
def scene(region: Region, folder: Path) -> Iterator[Scene]:
    """Switch the radios on, and make the ledgers that the running stage begins with."""
    specs = [
        RadioSpec(name, node_num=number, channels=CHANNELS, nodeinfo_interval_s=0, telemetry_interval_s=0)
        for name, number in (("kiosk", 0xA1), ("desk", 0xD1))
    ]
    with VirtualRadios(specs, speed=AIR_SPEED, seed=1) as radios:
        air = OnAir(radios.port("desk"))
        try:
            made = Scene(region, folder, radios.port("kiosk"), air)
            made.prefilled = _fill(made)
            yield made
        finally:
            air.stop()


def _fill(made: Scene) -> Words:
    """Fill a kiosk's ledger with receipted requests, and copy it with its write-ahead log as a kill would leave it."""
    place = made.region.kiosk(made.folder / "filling")
    fresh_coordinator(made.region.coordinator, made.template / "coordinator")
    with kiosk_end(place.folder) as kiosk, coordinator_end(made.template / "coordinator") as center:
        wal = place.folder / "ledger.db-wal"
        while wal.stat().st_size < WAL_BYTES:
            for number in range(TEMPLATE_BATCH):
                kiosk.ask(f"{STOCK} {wal.stat().st_size}-{number}")
            left = deliver(kiosk, center)
            if left:
                raise RuntimeError(f"{left} prefilled requests were not receipted")
        for name in ("ledger.db", "ledger.db-wal"):
            shutil.copy2(place.folder / name, made.template / name)
        return cases(center)


@dataclass
class Run:
    """One run of one stage: its kiosk, its coordinator, and what was asked."""

    kiosk: Site
    center: Path
    citizens: Citizens
    log: Path
    exit_code: int = 0


def make_run(made: Scene, stage: str, name: str) -> Run:
    folder = made.folder / name
    template = made.template if stage == RUNNING else None
    kiosk = made.region.kiosk(folder / "kiosk", made.radio_port, template)
    center = folder / "coordinator"
    if template is None:
        fresh_coordinator(made.region.coordinator, center)
    else:
        shutil.copytree(made.template / "coordinator", center)
    return Run(kiosk, center, Citizens(name), folder / "strace.log")


def watched(made: Scene, run: Run, stage: str, *inject: str) -> None:
    """Run the node under strace: start, requests, receipts, a polite stop; or as far as it comes."""
    kiosk = run.kiosk
    with made.air.listening(run.center), kiosk.node(strace.prefix(run.log, *inject)) as process:
        if kiosk.await_ready(process):
            run.citizens.ask(kiosk, FIRST_EACH if stage == FIRST else RUNNING_EACH)
            _await_receipts(kiosk)
            stop_politely(process)
        run.exit_code = process.wait()


def _await_receipts(kiosk: Site) -> None:
    def done() -> bool:
        with contextlib.suppress(OSError), kiosk.client() as ask:
            return int(ask("status")["queue"]) <= LEFT_MAX
        return True

    with contextlib.suppress(pytest.fail.Exception):  # what has none by then is handed over at the end
        wait_until(done, RECEIPTS_S_MAX, "receipts", 0.05)


def judge(run: Run, prefilled: Words) -> list[str]:
    """Start the node again plainly, and hold what it has against what people were told."""
    with run.kiosk.node() as process:
        if not run.kiosk.await_ready(process):
            return [f"it does not start again: {run.kiosk.log[-300:]}"]
        found = run.citizens.faults(run.kiosk)
        run.citizens.ask_again(run.kiosk)
    missing = len(run.citizens.typed) - len(run.citizens.tickets)
    found += [f"{missing} forms are refused after the restart"] if missing else []
    for path in (run.kiosk.ledger, run.center / "ledger.db"):
        words = check_integrity(path)
        found += [f"integrity of {path.parent.name}: {words}"] if words != "ok" else []
    with kiosk_end(run.kiosk.folder) as kiosk, coordinator_end(run.center) as center:
        left = deliver(kiosk, center)
        found += [f"lost: {left} messages never receipted"] if left else []
        return found + compare(own(cases(center), run.citizens.mark), run.citizens.words() + prefilled)


def own(found: Words, mark: str) -> Words:
    """Leave out what an earlier run still had on the air: the region is the same, and so a case is made of it."""
    return Words({(number, text): count for (number, text), count in found.items() if text.split()[0] in {mark, STOCK}})


def compare(found: Words, wanted: Words) -> list[str]:
    """Say what is missing at the desk, and what is there too often or with other words."""
    lost = [f"lost: {number} {text!r}" for number, text in (wanted - found)]
    return lost + [f"twice or other words: {number} {text!r}" for number, text in (found - wanted)]


def census_of(made: Scene, stage: str) -> Census:
    run = make_run(made, stage, f"census-{stage.split(maxsplit=1)[0]}")
    watched(made, run, stage)
    faults = judge(run, made.prefilled if stage == RUNNING else Words())
    if faults or run.exit_code:
        raise RuntimeError(f"{stage}: a run that nothing stopped went wrong (exit {run.exit_code}): {faults}")
    counted = strace.census(run.log)
    tell(f"kiosk, {stage}: calls of a whole run, {len(counted.points)} points")
    print("\n".join(counted.lines()), flush=True)
    shutil.rmtree(run.kiosk.folder.parent)
    return counted


@dataclass
class Tally:
    """What the runs of one stage came to."""

    struck: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    tickets: int = 0
    unanswered: int = 0
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        by_call = ", ".join(f"{count} {call}" for call, count in sorted(self.struck.items()))
        missed = f"{self.missed} runs ended before theirs and do not count"
        return f"{sum(self.struck.values())} points ({by_call}); {missed}"

    def shown(self) -> str:
        return f"{self.tickets} tickets shown, {self.unanswered} forms without an answer"


def strike(made: Scene, stage: str, points: list[Point], minutes: float) -> Tally:
    """One run for each point."""
    tally = Tally()
    for number, point in enumerate(in_time(points, minutes)):
        run = make_run(made, stage, f"k{stage[0]}{number}")
        try:
            watched(made, run, stage, point.inject)
        except (pytest.fail.Exception, subprocess.TimeoutExpired) as slow:
            tally.faults.append(f"{stage}, {point.call} {point.when}: {slow}")
            continue
        shown = len(run.citizens.tickets)
        if not strace.struck(run.log, point):
            tally.missed += 1
        else:
            tally.struck[point.call + ("" if run.exit_code == -9 else " (making the ledger)")] += 1
            tally.tickets += shown
            tally.unanswered += len(run.citizens.typed) - shown
            faults = judge(run, made.prefilled if stage == RUNNING else Words())
            tally.faults += [f"{stage}, {point.call} {point.when}: {fault}" for fault in faults]
        shutil.rmtree(run.kiosk.folder.parent)
        if number % 25 == 24:
            tell(f"kiosk, {stage}: {number + 1} of {len(points)} points, {len(tally.faults)} faults")
    return tally


def measure(region: Region, folder: Path, stage: str, choose: Choose, minutes: float) -> list[Outcome]:
    """Kill in one stage, at the points that ``choose`` returns."""
    with scene(region, folder) as made:
        tally = strike(made, stage, choose(census_of(made, stage).points), minutes)
    return [Outcome(f"SIGKILL, kiosk, {stage}", f"{tally.line()}; {tally.shown()}", tally.faults)]
