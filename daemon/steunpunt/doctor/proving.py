"""What ``steunpunt test-request`` does and prints: one test request, timed step by step."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from steunpunt.config import load
from steunpunt.control import Body, Client
from steunpunt.model import ConfigError, Role

LOOK_AGAIN_S = 0.2
_WORDS = {"kept": "kept at this point", "on_its_way": "on its way", "received": "receipted by the region's ledger"}
Say = Callable[[str], None]


def prove(path: Path, wait_s: float, say: Say, pause: Callable[[float], None] = time.sleep) -> Body:
    """Send a test request, tell of each step as it comes, and return the result; at most ``wait_s`` seconds.

    Raises SteunpuntError: at a coordinator, when no node answers, when one is under way.
    """
    config = load(path)
    if config.site.role is not Role.KIOSK:
        raise ConfigError(f"{path}: a coordinator asks nobody for help; type this at a point")
    with contextlib.closing(Client(config.control.socket)) as client:
        number = str(client.call("test_request")["number"])
        say(f"TEST {number}: no alarm, no case of a citizen")
        deadline_s, told = time.monotonic() + wait_s, set[str]()
        while True:
            test: Body = client.call("status")["test"] or {}
            for line in _new_steps(test if test.get("number") == number else {}, told):
                say(line)
            if test.get("number") == number and (test["over"] or time.monotonic() > deadline_s):
                return test
            if time.monotonic() > deadline_s:
                return {"number": number, "over": False, "passed": False, "steps_ms": {}}
            pause(LOOK_AGAIN_S)


def _new_steps(test: Body, told: set[str]) -> Iterator[str]:
    steps_ms: dict[str, int] = test.get("steps_ms", {})
    for step, words in _WORDS.items():
        if step in steps_ms and step not in told:
            told.add(step)
            yield f"{steps_ms[step] / 1000:8.1f} s  {words}"


def verdict(test: Body) -> str:
    """Return the last line."""
    if test["passed"]:
        return f"passed, over {test['road'].replace('+', ' and ') or 'another road'}"
    stuck = "nothing left this point" if "on_its_way" not in test["steps_ms"] else "it left, but no receipt came back"
    return f"FAILED: {stuck}; steunpunt doctor says what is down. It is sent on until it is receipted"
