"""`make bench`: the figures of docs/performance.md, measured now on this machine and printed as ratios in one run."""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import accepting, loads, processes, texts
from tests.bench.figures import Figure, noise, title, yardstick_ms

PARTS = ("texts", "processes", "accepting", "loads")
SOFTLY = 10
"""Times that the yardstick is laid on before and after each part."""


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    options.add_argument("--only", choices=PARTS, action="append", help="measure this part; repeat for more")
    options.add_argument("--rounds", type=int, default=5, help="rounds of accepting and loads (default 5)")
    options.add_argument("--process-rounds", type=int, default=3, help="rounds of idle processes (default 3)")
    options.add_argument("--idle-s", type=float, default=60.0, help="how long each process is watched (default 60 s)")
    return options.parse_args()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended too
    options = _options()
    parts: list[str] = options.only or list(PARTS)
    began, samples = time.monotonic(), [yardstick_ms() for _ in range(SOFTLY)]

    def tell(line: str) -> None:
        samples.append(yardstick_ms())
        print(f"[{time.monotonic() - began:5.0f} s] {line}", flush=True)

    results: list[tuple[str, int, list[Figure]]] = []
    if "texts" in parts:
        results.append(("Text coder", options.rounds, texts.measure(options.rounds, tell)))
    cache = Path(".cache")
    cache.mkdir(exist_ok=True)
    # Here and not in /tmp: that may be memory, and commits are of a disk.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=cache) as name:
        folder = Path(name).resolve()
        if "accepting" in parts:
            results.append(("Accepting", options.rounds, accepting.measure(folder / "accept", options.rounds, tell)))
        if "processes" in parts or "loads" in parts:
            results += _with_region(folder / "region", parts, options, tell)
    samples += [yardstick_ms() for _ in range(SOFTLY)]
    for heading, rounds, figures in results:
        print(title(heading, rounds))
        for figure in figures:
            print(figure.line())
    print(f"\n{noise(samples)}")


def _with_region(
    folder: Path, parts: list[str], options: argparse.Namespace, tell: Callable[[str], None]
) -> list[tuple[str, int, list[Figure]]]:
    results = []
    with processes.surroundings(folder) as region:
        if "processes" in parts:
            figures = processes.measure(region, options.process_rounds, options.idle_s, tell)
            results.append(("Processes, against the usual libraries in one script", options.process_rounds, figures))
        if "loads" in parts:
            results.append(
                ("Under load, all of the region running", options.rounds, loads.measure(region, options.rounds, tell))
            )
    return results


if __name__ == "__main__":
    main()
