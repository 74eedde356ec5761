"""Fuzz with atheris, for a bounded number of runs: ``python -m tests.fuzz session|bridge [RUNS]``.

``session`` is the client protocol towards the radio, ``bridge`` what goes to and comes from integrators. atheris is no
dependency of the project: install it into the environment that runs this.
"""

import importlib
import sys
from typing import Any

RUNS = 100_000
PROGRAM_BYTES_MAX = 4096
USAGE = "usage: python -m tests.fuzz session|bridge [RUNS]"


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in ("session", "bridge"):
        sys.exit(USAGE)
    target, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else RUNS
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["steunpunt.links", "steunpunt.bridge", "steunpunt.wire"]):
        walk = importlib.import_module(f"tests.fuzz.{target}_walk")

    def session(program: bytes) -> None:
        walk.Walk(program).run()

    one = session if target == "session" else walk.run
    options = [
        f"-runs={runs}",
        f"-max_len={PROGRAM_BYTES_MAX}",
        "-len_control=0",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
