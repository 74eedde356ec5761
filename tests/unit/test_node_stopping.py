"""A stop is heard whatever the main thread does."""

import subprocess
import sys

import pytest

STOP_S_MAX = 10.0
# The main thread stays in one call of a C library that no signal ends, as it does for a moment before each wait.
_DEAF = """
import os, sqlite3
from steunpunt.node.stopping import on_stop_signals

def stop():
    print("heard", flush=True)
    os._exit(0)

on_stop_signals(stop)
print("ready", flush=True)
sqlite3.connect(":memory:").execute(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
).fetchone()
"""


@pytest.mark.processes
@pytest.mark.parametrize("how", ["terminate", "interrupt"])
def test_a_stop_is_heard_while_the_main_thread_cannot_listen(how: str) -> None:
    with subprocess.Popen([sys.executable, "-c", _DEAF], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal({"terminate": 15, "interrupt": 2}[how])
            process.wait(STOP_S_MAX)
            assert process.stdout.read() == "heard\n"
        finally:
            process.kill()
