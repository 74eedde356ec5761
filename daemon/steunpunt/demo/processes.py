"""Processes that end with whoever started them, whatever happened to that one.

Run as a program (``python -m steunpunt.demo.processes``) this module is the warden: it reads process ids from its
standard input, and when that closes (the demo ended, or was killed) it ends every one of them that still runs, with
its children.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from steunpunt.model import SteunpuntError

STOP_S_MAX = 4.0
"""How long processes get to end by themselves, in seconds."""
PROCESSES_MAX = 10_000
"""The warden remembers this many process ids."""


class DemoError(SteunpuntError, RuntimeError):
    """The demo's region cannot be set up or started."""


class Stopped(DemoError):
    """The demo was told to stop while it did something else."""


class Processes:
    """All that one demo started. Thread-safe; after :meth:`stop` nothing can be started any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started: list[subprocess.Popen[bytes]] = []
        self._warden: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def spawn(
        self, name: str, folder: Path, command: list[str], variables: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process in a folder, its output in ``NAME.log`` there, with more environment variables than ours."""
        with self._lock:
            if self._stopped:
                raise Stopped(f"{name} was not started: the demo is stopping")
            if self._warden is None:
                self._warden = _start([sys.executable, "-m", __name__], folder / "warden.log", subprocess.PIPE)
            process = _start(command, folder / f"{name}.log", subprocess.DEVNULL, folder, variables)
            self._started = [other for other in self._started if other.poll() is None] + [process]
            _tell(self._warden, process.pid)
            return process

    def stop(self) -> None:
        """End every process that was started, politely and then for certain, and start none any more."""
        with self._lock:
            self._stopped = True
            end(self._started)
            self._started = []
            if self._warden is not None and self._warden.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    self._warden.stdin.close()
                end([self._warden])


def kill(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """SIGKILL processes and their children, all at once as by a power cut, and wait until they are gone."""
    found = list(processes)
    for process in found:
        _signal(process, signal.SIGKILL)
    for process in found:
        process.wait()


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM, and SIGKILL to those that still run after STOP_S_MAX; wait until all are gone.

    To their children too: a node that is told to stop while it migrates its ledger would leave that child behind.
    """
    for process in processes:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_S_MAX
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(deadline - time.monotonic(), 0))
    kill(process for process in processes if process.poll() is None)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a process, if it runs, and to all that it started: each has a process group of its own."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _start(
    command: list[str], log: Path, stdin: int, folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    env = {**os.environ, **(variables or {})}
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=stdin, stdout=output, stderr=output, cwd=folder, env=env, start_new_session=True
        )


def _tell(warden: subprocess.Popen[bytes], pid: int) -> None:
    if warden.stdin is None:
        return
    # A warden that somebody killed must not keep the demo from working.
    with contextlib.suppress(BrokenPipeError):
        warden.stdin.write(b"%d\n" % pid)
        warden.stdin.flush()


def _keep_watch() -> None:
    """Read process ids until the demo is gone; then SIGKILL those that still are what they were."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end of the standard input is what counts
    born: dict[int, str] = {}
    for line in sys.stdin:
        pid = int(line)
        born = {other: when for other, when in born.items() if _born(other) == when}
        if len(born) < PROCESSES_MAX:
            born[pid] = _born(pid)
    for pid, when in born.items():
        # A number may have been given to another process meanwhile.
        if when and _born(pid) == when:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _born(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; "" when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


if __name__ == "__main__":
    _keep_watch()
