"""What ``steunpunt test-request`` and ``survey`` do and print: does the road work, how well does the antenna hear?"""

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


# --- survey -------------------------------------------------------------------------------------------------------

SURVEY_LOOK_S = 2.0
_WHY = {
    "good": "PASS: this antenna serves",
    "answers": "FAIL: too many probes came to nothing; hang the antenna higher and outside, or put a radio in between",
    "snr_out": "FAIL: the fire station hardly hears this point; a better antenna or a higher place",
    "snr_back": "FAIL: this point hardly hears the fire station; a better antenna, away from screens and supplies",
    "unmeasured": "FAIL: no radio wrote down how well it heard; is the primary channel the same everywhere?",
}


def survey(path: Path, to: str, say: Say, pause: Callable[[float], None] = time.sleep) -> Body:
    """Run a survey to its end, tell of its progress, and return the result.

    Raises SteunpuntError: at a coordinator, while the point is open, without a radio to ask.
    """
    config = load(path)
    if config.site.role is not Role.KIOSK:
        raise ConfigError(f"{path}: a survey is made at a point; type this there")
    with contextlib.closing(Client(config.control.socket)) as client:
        far = client.call("survey", **({"to": to} if to else {}))["to"]
        say(f"20 probes to {far} and back, 31 s apart; Ctrl-C leaves the node going on with it")
        told = -1
        while (going := client.call("status")["survey"]["under_way"]) is not None:
            if going["sent"] != told:
                told = going["sent"]
                say(f"  sent {told} of {going['of']}, answered {going['answered']}")
            pause(SURVEY_LOOK_S)
        result: Body = client.call("status")["survey"]["last"]
        return result | {"site": config.site.id, "preset": config.radio.preset}


def sheet(result: Body) -> Iterator[str]:
    """Give the sheet of a survey, the verdict last."""
    yield f"site {result['site']} to {result['to']}, {result['preset']}"
    yield f"answered {result['answered']} of {result['sent']} probes, {result['air_ms'] / 1000:.1f} s of our own air"
    yield f"{'':<6} {'SNR median':>11} {'worst':>9} {'hops':>5}"
    for name, words in (("out", "out"), ("back", "back")):
        way = result[name]
        yield f"{words:<6} {_db(way['snr_median_db']):>11} {_db(way['snr_worst_db']):>9} {_count(way['hops_max']):>5}"
    yield _WHY[result["why"]]


def _db(value: float | None) -> str:
    return "not known" if value is None else f"{value:.1f} dB"


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)
