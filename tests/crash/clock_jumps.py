"""Clocks that jump: the wall clock of a running node by libfaketime, and the machine's own between starts.

Nothing is decided by wall time, so a node under a date that leaps by decades accepts, answers and ages as before. Boot
time never goes back while a machine runs, but each boot begins it anew: what was kept stays in order, and no age is
negative.
"""

import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.crash.ends import KioskEnd, Words, cases, coordinator_end, deliver, fresh_coordinator, kiosk_end
from tests.crash.kiosk_kills import compare
from tests.crash.place import Citizens, Region, Site
from tests.crash.report import Outcome
from tests.fakes.sites import Clock, answer_in, help_form, new_ledger

LIBRARIES = (
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/lib*/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
)
WALL_S_MAX = 40 * 365 * 86_400
BOOT_MS_MAX = 90 * 86_400_000
JUMPS_PER_TICKET = 4
AGE_S_OFF_MAX = 2
"""A ticket's age is shown in whole seconds."""


def library() -> Path | None:
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))]
    return found[0] if found else None


def faked(faketime: Path, date: Path) -> dict[str, str]:
    """Return the environment in which the wall clock, and only that, follows a file."""
    return {
        "LD_PRELOAD": str(faketime),
        "FAKETIME_TIMESTAMP_FILE": str(date),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def follows(environment: dict[str, str], date: Path) -> bool:
    """Whether a process that runs sees its date jump when the file changes, and its boot time go on."""
    look = "import time; print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), flush=True); "
    with subprocess.Popen(
        [sys.executable, "-c", f"{look}input(); {look}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        if process.stdin is None or process.stdout is None:
            return False
        before = [float(word) for word in process.stdout.readline().split()]
        date.write_text(f"+{WALL_S_MAX}\n", "ascii")
        process.stdin.write("\n")
        process.stdin.flush()
        after = [float(word) for word in process.stdout.readline().split()]
    return after[0] - before[0] > WALL_S_MAX / 2 and 0 <= after[1] - before[1] < WALL_S_MAX / 2


def jump_walls(region: Region, folder: Path, jumps: int, rng: random.Random) -> Outcome:
    """Move the date of a running node again and again."""
    name = "wall clock jumps of a running node"
    faketime = library()
    if faketime is None:
        return Outcome(name, skipped="libfaketime is not installed; type: apt-get install faketime")
    kiosk, date = region.kiosk(folder), folder / "date"
    date.write_text("+0\n", "ascii")
    environment = faked(faketime, date)
    if not follows(environment, date):
        return Outcome(name, skipped="libfaketime moves no dates here")
    with kiosk.node(environment=environment) as process:
        if not kiosk.await_ready(process):
            return Outcome(name, faults=[f"the node does not start: {kiosk.log[-300:]}"])
        tickets, faults = _live_through(kiosk, date, jumps, rng)
    return Outcome(
        name, f"{jumps} jumps of up to 40 years, {tickets} tickets, each age true to {AGE_S_OFF_MAX} s", faults
    )


def _live_through(kiosk: Site, date: Path, jumps: int, rng: random.Random) -> tuple[int, list[str]]:
    citizens, faults = Citizens("klok"), list[str]()
    asked_s: dict[str, tuple[float, float]] = {}
    for number in range(jumps):
        date.write_text(f"{rng.randint(-WALL_S_MAX, WALL_S_MAX):+d}\n", "ascii")
        if number % JUMPS_PER_TICKET == 0:
            before_s = time.monotonic()
            citizens.ask(kiosk, 1, people=1)
            between = before_s, time.monotonic()
            asked_s |= {n: between for n, _ in citizens.tickets.values() if n not in asked_s}
        faults += _wrong_ages(kiosk, asked_s)
    wanted = -(-jumps // JUMPS_PER_TICKET)
    faults += [f"{wanted - len(asked_s)} forms made no ticket"] if len(asked_s) != wanted else []
    return len(asked_s), faults + citizens.faults(kiosk)


def _wrong_ages(kiosk: Site, asked_s: dict[str, tuple[float, float]]) -> list[str]:
    """Hold the latest tickets' ages against when they were made: between two moments, for the machine may be busy."""
    wrong = []
    with kiosk.client() as ask:
        for number, (before_s, after_s) in list(asked_s.items())[-3:]:
            least_s = time.monotonic() - after_s
            age_s = int(ask("ticket", number=number)["age_s"])
            most_s = time.monotonic() - before_s
            if not least_s - AGE_S_OFF_MAX <= age_s <= most_s + AGE_S_OFF_MAX:
                wrong.append(f"{number} is shown {age_s} s old and is {least_s:.0f} to {most_s:.0f} s")
    return wrong


def jump_boots(region: Region, folder: Path, jumps: int, rng: random.Random) -> Outcome:
    """Start a kiosk's engine again and again on a machine whose clock begins anywhere."""
    place = folder / "kiosk"
    region.kiosk(place)
    new_ledger(place / "ledger.db")
    clock, asked, faults = Clock(), Words(), list[str]()
    with kiosk_end(place, clock) as kiosk:
        for number in range(jumps):
            token, words = kiosk.token(), f"sprong {number} hulpvraag ééń"
            first = answer_in(kiosk.turn(help_form(token, words)))
            asked[str(first["number"]), words] += 1
            clock.boot_ms = rng.randrange(BOOT_MS_MAX)
            kiosk.restart()
            again = answer_in(kiosk.turn(help_form(token, words)))
            if again["number"] != first["number"]:
                faults.append(f"jump {number}: the form of {first['number']} gave {again['number']}")
        faults += _disorder(kiosk)
        with coordinator_end(fresh_coordinator(region.coordinator, folder / "center")) as desk:
            left = deliver(kiosk, desk)
            faults += [f"lost: {left} without receipt"] if left else []
            faults += compare(cases(desk), asked)
    return Outcome("boot clock jumps between starts", f"{jumps} jumps of up to 90 days, {len(asked)} tickets", faults)


def _disorder(kiosk: KioskEnd) -> list[str]:
    rows = kiosk.ledger.connection.exec_driver_sql("SELECT created_ms FROM tickets ORDER BY counter").scalars().all()
    late = sum(one > other for one, other in itertools.pairwise([*rows, kiosk.now_ms()]))
    return [f"{late} tickets are younger than those after them"] if late else []


def measure(region: Region, folder: Path, jumps: int, rng: random.Random) -> list[Outcome]:
    """Jump ``jumps`` times with each kind of clock."""
    return [jump_walls(region, folder / "wall", jumps, rng), jump_boots(region, folder / "boot", jumps, rng)]
