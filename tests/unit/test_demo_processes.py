"""What the demo started ends with it, children included: a node that is stopped while it migrates has one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from steunpunt.demo.processes import Processes, end, kill

Wait = Callable[..., None]
MIGRATING = "sleep 600 & echo $! > child; trap '' TERM; wait; sleep 600"
"""A process with a child that works for long, and that does not end when it is told to."""
DEMO = """
import os, sys
from pathlib import Path
from steunpunt.demo.processes import Processes
Processes().spawn("node", Path("."), ["sh", "-c", sys.argv[1]])
sys.stdin.read()
os._exit(1)
"""


def child_of(folder: Path, wait_until: Wait) -> psutil.Process:
    wait_until(lambda: (folder / "child").exists() and (folder / "child").read_text("ascii").strip(), 30, "the child")
    return psutil.Process(int((folder / "child").read_text("ascii")))


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("polite", [True, False], ids=["told to end", "killed"])
def test_a_child_ends_with_its_process(tmp_path: Path, wait_until: Wait, *, polite: bool) -> None:
    command = MIGRATING.replace("trap '' TERM; ", "") if polite else MIGRATING
    processes = Processes()
    try:
        process = processes.spawn("node", tmp_path, ["sh", "-c", command])
        child = child_of(tmp_path, wait_until)
        (end if polite else kill)([process])
        wait_until(lambda: gone(child), 10, "the child to be gone")
        assert process.returncode is not None
    finally:
        processes.stop()


def test_a_demo_that_is_killed_leaves_no_child_of_a_child(tmp_path: Path, wait_until: Wait) -> None:
    command = [sys.executable, "-c", DEMO, MIGRATING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=tmp_path, env=dict(os.environ)) as demo:
        child = child_of(tmp_path, wait_until)
        demo.kill()
        demo.wait(10)
        wait_until(lambda: gone(child), 30, "the warden to end it")
