"""strace as an instrument: which thread calls what how often, and a process ended or a call failed at its N-th."""

import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

CALLS = ("fdatasync", "fsync", "pwrite64", "rename", "renameat", "renameat2", "unlink", "unlinkat", "sendto")
"""What makes a request last, or tells of it. A system without a call of this name has another of its kind."""
_CALL = re.compile(r"^(\d+) +(\w+)\(")
_KILLED = re.compile(r"^(\d+) +\+\+\+ killed by SIGKILL \+\+\+$")
DIES_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")


def prefix(log: Path, *inject: str) -> list[str]:
    """Return what stands before a command: it and all its threads and children are watched, and end with the rig."""
    watch = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=" + ",".join(f"?{call}" for call in CALLS)]
    for what in inject:
        watch += ["-e", f"inject={what}"]
    return [*DIES_WITH_PARENT, *watch, *DIES_WITH_PARENT]


def missing() -> str:
    """Return why strace cannot be used here, or "" when it can."""
    for tool, package in (("strace", "strace"), ("setpriv", "util-linux")):
        if shutil.which(tool) is None:
            return f"{tool} is not installed; type: sudo apt-get install {package}"
    tried = subprocess.run(["strace", "-qq", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)  # noqa: S607  where PATH has it
    return f"strace may not watch processes here: {tried.stderr.strip()}" if tried.returncode else ""


@dataclass(frozen=True, slots=True)
class Point:
    """The ``when``-th call of this name by any one thread: whichever thread comes to it first."""

    call: str
    when: int

    @property
    def inject(self) -> str:
        return f"{self.call}:signal=SIGKILL:when={self.when}"


@dataclass(frozen=True, slots=True)
class Census:
    """How often each thread made each call in one run that nothing stopped."""

    counts: dict[str, Counter[int]]

    @property
    def points(self) -> list[Point]:
        """All points that this run has: strace counts the calls of each thread by itself."""
        return [Point(call, when) for call, by in self.counts.items() for when in range(1, max(by.values()) + 1)]

    def lines(self) -> list[str]:
        told = []
        for call, by in self.counts.items():
            most = " ".join(str(count) for _, count in by.most_common(8))
            told.append(f"  {call:<10} {sum(by.values()):>5} calls by {len(by):>2} threads (most by one: {most})")
        return told


def census(log: Path) -> Census:
    """Read a log of :func:`prefix`."""
    counts: dict[str, Counter[int]] = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        if found := _CALL.match(line):
            counts.setdefault(found[2], Counter())[int(found[1])] += 1
    return Census(dict(sorted(counts.items())))


def struck(log: Path, point: Point) -> bool:
    """Whether a thread was killed in just this call: its last in the log, and the ``when``-th of its name."""
    counts: Counter[int] = Counter()
    last: dict[int, str] = {}
    killed: set[int] = set()
    for line in log.read_text("utf-8", "replace").splitlines():
        if found := _CALL.match(line):
            pid, call = int(found[1]), found[2]
            counts[pid] += call == point.call
            last[pid] = call
        elif found := _KILLED.match(line):
            killed.add(int(found[1]))
    return any(counts[pid] == point.when and last.get(pid) == point.call for pid in killed)


def injected(log: Path) -> int:
    """Count the calls that strace made fail."""
    return log.read_text("utf-8", "replace").count("(INJECTED)")


def thinned(points: list[Point], most: int) -> list[Point]:
    """Return at most ``most`` points: all of the rarer calls, and evenly spread ones of the calls there are many of."""
    by_call: dict[str, list[Point]] = {}
    for point in points:
        by_call.setdefault(point.call, []).append(point)
    chosen: list[Point] = []
    groups = sorted(by_call.values(), key=len)
    for index, group in enumerate(groups):
        share = (most - len(chosen)) // (len(groups) - index)
        step = max(1.0, len(group) / max(share, 1))
        chosen += [group[int(number * step)] for number in range(min(share, len(group)))]
    return chosen
