"""`make crash`: what the project says of power cuts and broken disks, tried out on this machine."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.crash import kiosk_kills
from tests.crash.place import Region


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    options.add_argument("--points", type=int, default=340)
    return options.parse_args()


def main() -> int:
    options = _options()
    cache = Path(".cache")
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="crash-", dir=cache) as name:
        folder = Path(name).resolve()
        region = Region.make(folder / "region")
        outcomes = kiosk_kills.measure(region, folder / "k", options.points)
    for o in outcomes:
        print(o.line())
        for f in o.faults:
            print("   ", f)


if __name__ == "__main__":
    sys.exit(main())
