"""Fuzz the client protocol's session with atheris, for a bounded number of runs: ``python -m tests.fuzz [RUNS]``.

atheris is no dependency of the project: install it into the environment that runs this.
"""

import importlib
import sys
from typing import Any

RUNS = 100_000
PROGRAM_BYTES_MAX = 4096


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["steunpunt.links", "steunpunt.wire"]):
        session_walk = importlib.import_module("tests.fuzz.session_walk")

    def one(program: bytes) -> None:
        session_walk.Walk(program).run()

    atheris.Setup([sys.argv[0], f"-runs={runs}", f"-max_len={PROGRAM_BYTES_MAX}", "-print_final_stats=1"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
