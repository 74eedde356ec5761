"""What a process costs, as the kernel counts it."""

import time
from dataclasses import dataclass
from pathlib import Path

_SCHED_CLOCK = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """In MiB: resident, and with each shared page divided among those who share it."""

    rss: float
    pss: float


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a stretch of time: milliseconds of processor and voluntary context switches, each per second."""

    cpu_ms: float
    wakes: float


def memory(pid: int) -> Memory:
    return Memory(_kib(pid, "status", "VmRSS:") / 1024, _kib(pid, "smaps_rollup", "Pss:") / 1024)


def _kib(pid: int, file: str, key: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def cpu_s(pid: int) -> float:
    """Return utime + stime of all threads, ended ones too, in seconds.

    From the process's own clock: /proc/PID/stat counts the same in steps of 10 ms, and an idle minute has few of them.
    """
    return time.clock_gettime(~pid << 3 | _SCHED_CLOCK)


def wakes(pid: int) -> int:
    """Return the voluntary context switches of all threads that live."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("voluntary"))
        total += int(line.split()[1])
    return total


def watch(pids: list[int], seconds: float) -> list[Cost]:
    """Watch processes for as long as asked."""
    before = [(cpu_s(pid), wakes(pid), time.monotonic()) for pid in pids]
    time.sleep(seconds)
    costs = []
    for pid, (cpu, woken, began) in zip(pids, before, strict=True):
        lasted = time.monotonic() - began
        costs.append(Cost((cpu_s(pid) - cpu) * 1000 / lasted, (wakes(pid) - woken) / lasted))
    return costs
