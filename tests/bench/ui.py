"""`make bench-ui`: the figures of the citizen's screens, over every page that its links and buttons lead to."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import ui_lighthouse, ui_load, ui_look
from tests.bench.figures import noise, title, yardstick_ms
from tests.bench.ui_verdict import Verdict

PARTS = ("look", "load", "lighthouse")
SOFTLY = 10


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.bench.ui", description=__doc__)
    options.add_argument("--only", choices=PARTS, action="append", help="measure this part; repeat for more")
    options.add_argument("--rounds", type=int, default=5, help="rounds of load (default 5)")
    options.add_argument("--language", action="append", help="look at this language; repeat for more (default all)")
    return options.parse_args()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended too
    options = _options()
    parts: list[str] = options.only or list(PARTS)
    began, samples = time.monotonic(), [yardstick_ms() for _ in range(SOFTLY)]

    def tell(line: str) -> None:
        samples.append(yardstick_ms())
        print(f"[{time.monotonic() - began:5.0f} s] {line}", flush=True)

    missed = 0
    cache = Path(".cache")
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-ui-", dir=cache) as name:
        folder = Path(name).resolve()
        if "look" in parts:
            missed += _print("Every page", ui_look.measure(folder, options.language, tell))
        if "lighthouse" in parts:
            missed += _print("Lighthouse", ui_lighthouse.measure(folder, cache.resolve(), options.language, tell))
        if "load" in parts:
            missed += _load(folder / "region", options.rounds, tell)
    print(f"\n{noise(samples)}")
    return min(missed, 1)


def _print(head: str, verdicts: list[Verdict]) -> int:
    print(f"\n{head}")
    for verdict in verdicts:
        print(verdict.line())
    return sum(not verdict.passed for verdict in verdicts)


def _load(folder: Path, rounds: int, tell: Callable[[str], None]) -> int:
    figures = ui_load.measure(folder, rounds, tell)
    print(title("Under load", rounds))
    for figure in figures:
        print(figure.line())
    return sum("MISS" in figure.verdict for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
