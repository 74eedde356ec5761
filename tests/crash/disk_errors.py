"""A disk that refuses: writes and syncs of a running kiosk's node fail by strace, once, for a while, or from then on.

A call that strace makes fail is not carried out. So whoever was shown a ticket for it would find it lost after the kill
that ends each run.
"""

import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash import strace
from tests.crash.kiosk_kills import RUNNING, RUNNING_EACH, Run, Scene, judge, make_run, scene
from tests.crash.place import Region
from tests.crash.report import Outcome, in_time, tell

FAULTS = (
    ("pwrite64", "EIO"),
    ("pwrite64", "ENOSPC"),
    ("pwrite64", "EROFS"),
    ("fdatasync", "EIO"),
    ("fdatasync", "ENOSPC"),
)
WIDTHS = (1, 6, None)
"""How many calls in a row fail; None: all from then on."""
CALLS = {"pwrite64": 290, "fdatasync": 40}
"""About how many calls of this name a whole run makes: the places of the faults are spread over them."""
IN_FLIGHT_MAX = 2
"""Each person waits for one answer at most: so many may still go out when the next commit has begun to fail."""
SHOWN = '"{\\"ok\\": true, \\"number\\": '
"""How strace shows a ticket's way to the page."""


@dataclass
class Tally:
    runs: int = 0
    failed_calls: int = 0
    shown: int = 0
    not_started: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def injections(runs: int) -> list[tuple[str, int | None]]:
    """Return what to inject in each run, and its width: each kind of fault over the whole length of a run."""
    kinds = [(call, error, width) for width in WIDTHS for call, error in FAULTS]
    rounds = max(1, -(-runs // len(kinds)))
    made = []
    for turn in range(rounds):
        for index, (call, error, width) in enumerate(kinds):
            first = 1 + (CALLS[call] * (turn * len(kinds) + index * 7 % len(kinds))) // (rounds * len(kinds))
            when = f"{first}+" if width is None else f"{first}..{first + width - 1}"
            made.append((f"{call}:error={error}:when={when}", width))
    return made[:runs]


def shown_after_failure(log: Path) -> int:
    """Count the tickets that went out after the first call that failed."""
    lines = log.read_text("utf-8", "replace").splitlines()
    first = next((number for number, line in enumerate(lines) if "(INJECTED)" in line), len(lines))
    return sum(SHOWN in line for line in lines[first:])


def _one(run: Run, inject: str) -> bool:
    """Let people ask a node whose disk refuses, and kill it; False when it did not start at all."""
    with run.kiosk.node(strace.prefix(run.log, inject)) as process:
        started = run.kiosk.await_ready(process)
        if started:
            run.citizens.ask(run.kiosk, RUNNING_EACH)
    return started


def _check(made: Scene, run: Run, inject: str, width: int | None, tally: Tally) -> None:
    late = shown_after_failure(run.log) if width is None else 0
    tally.faults += [f"{inject}: {late} tickets shown that no disk had confirmed"] if late > IN_FLIGHT_MAX else []
    tally.refusals += run.citizens.refused
    tally.failed_calls += strace.injected(run.log)
    tally.shown += len(run.citizens.tickets)
    odd = set(run.citizens.refused) - {"cannot_keep"}
    tally.faults += [f"{inject}: refused with {', '.join(sorted(odd))}"] if odd else []
    tally.faults += [f"{inject}: {fault}" for fault in judge(run, made.prefilled)]


def measure(region: Region, folder: Path, runs: int, minutes: float) -> list[Outcome]:
    """Try ``runs`` ways to refuse."""
    tally = Tally()
    with scene(region, folder) as made:
        for number, (inject, width) in enumerate(in_time(injections(runs), minutes)):
            run = make_run(made, RUNNING, f"e{number}")
            tally.not_started += not _one(run, inject)
            tally.runs += 1
            _check(made, run, inject, width, tally)
            shutil.rmtree(run.kiosk.folder.parent)
            if number % 20 == 19:
                tell(f"disk errors: {number + 1} of {runs} runs, {len(tally.faults)} faults")
    if not tally.refusals["cannot_keep"]:
        tally.faults.append("no form was refused: the rig has no teeth")
    figures = (
        f"{tally.runs} runs, {tally.failed_calls} calls failed; {tally.shown} tickets shown, "
        f"{tally.refusals['cannot_keep']} forms refused with `cannot_keep`, {tally.not_started} starts refused"
    )
    return [Outcome("EIO, ENOSPC, EROFS by strace", figures, tally.faults)]
