"""What every test may use: a free port, waiting for a condition, and a watch on processes left behind."""

import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator

import psutil
import pytest
from hypothesis import settings

# Our machines are small and shared: a slow example is no defect, and a failing one must be repeatable.
settings.register_profile("steunpunt", deadline=None, print_blob=True)
settings.load_profile("steunpunt")

RUN_MARK = "STEUNPUNT_TEST_RUN"
LEFTOVER_GRACE_S = 5.0
PORT_LOOKS_MAX = 1_000


def wait_until(
    predicate: Callable[[], object], timeout_s: float = 10.0, what: str = "", interval_s: float = 0.02
) -> None:
    """Return as soon as `predicate()` is true; fail after `timeout_s` seconds, naming `what` was awaited.

    The only place in the tests that sleeps: between two looks, never instead of one.
    """
    deadline_s = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() >= deadline_s:
            pytest.fail(f"not within {timeout_s:g} s: {what or predicate}")
        time.sleep(interval_s)


@pytest.fixture(name="wait_until", scope="session")
def wait_until_fixture() -> Callable[..., None]:
    return wait_until


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Give a function that names a TCP port of 127.0.0.1 that was free, another one each time."""
    given: set[int] = set()
    # Workers of one run each have ports of their own: what is to be absent in one test must not be there by another.
    workers, mine = (
        int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
        int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]),
    )

    def choose() -> int:
        for _ in range(PORT_LOOKS_MAX):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            if port not in given and port // 2 % workers == mine:  # halves: Linux prefers odd ports here
                given.add(port)
                return port
        return pytest.fail(f"no free port of worker {mine} of {workers} in {PORT_LOOKS_MAX} looks")

    return choose


def _bears_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(RUN_MARK) == mark
    except psutil.Error:  # gone meanwhile, or another user's
        return False


def processes_left(mark: str) -> list[psutil.Process]:
    """List what this run started and still lives: also what lost its parent, known by the environment."""
    children = {child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE}
    marked = {process for process in psutil.process_iter() if _bears_mark(process, mark)}
    return sorted((children | marked) - {psutil.Process()}, key=lambda process: process.pid)


def describe(process: psutil.Process) -> str:
    try:
        return f"pid {process.pid}: {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return f"pid {process.pid}: gone"


@pytest.fixture(scope="session", autouse=True)
def no_process_left_behind() -> Iterator[None]:
    """Fail the run if a process that it started outlives it; end that process, by its pid."""
    mark = uuid.uuid4().hex
    os.environ[RUN_MARK] = mark
    yield
    psutil.wait_procs(processes_left(mark), timeout=LEFTOVER_GRACE_S)
    left = processes_left(mark)
    names = [describe(process) for process in left]
    for process in left:
        process.kill()
    assert not names, "processes were left behind:\n" + "\n".join(names)
