"""Ten thousand small storms, and each hard case many times.

It can be stopped at any time: what is done stands in ``.cache/soak.json``, and the next run goes on from there until
STEUNPUNT_SOAK_SEEDS are done; then the file goes. STEUNPUNT_SOAK_SEED is the first seed, one by chance if not said;
STEUNPUNT_SOAK_SEEDS_S ends each case after so many seconds, to be continued.
"""

import json
import os
import random
import time
from pathlib import Path

import pytest

from steunpunt.sim.region.maps import Options
from steunpunt.sim.region.simulate import Report, SeedFailed, run_seeds

SEEDS = int(os.environ.get("STEUNPUNT_SOAK_SEEDS", "10000"))
SECONDS_MAX = float(os.environ.get("STEUNPUNT_SOAK_SEEDS_S", "inf"))
JOBS = os.cpu_count() or 1
STEP = 100
DONE = Path(__file__).parents[2] / ".cache" / "soak.json"


def progress() -> dict[str, int]:
    """Return the first seed, and how many each case has done."""
    try:
        return {str(name): int(value) for name, value in json.loads(DONE.read_text(encoding="ascii")).items()}
    except FileNotFoundError:
        return {"first": int(os.environ.get("STEUNPUNT_SOAK_SEED", random.SystemRandom().randrange(2**31)))}


def keep(done: dict[str, int]) -> None:
    DONE.parent.mkdir(exist_ok=True)
    beside = DONE.with_suffix(".new")
    beside.write_text(json.dumps(done), encoding="ascii")
    beside.replace(DONE)


CASES = [
    ("small", 1.0),
    *((case, 0.02) for case in ("clones", "restored", "lagging", "takeover", "away", "hostile", "thief")),
    ("killed", 0.05),
    *((case, 0.005) for case in ("gateways", "cancelled", "overload")),
]


@pytest.mark.parametrize(("case", "share"), CASES)
def test_storms_by_the_thousand(case: str, share: float) -> None:
    count, done, began_s = max(int(SEEDS * share), 1), progress(), time.monotonic()
    failures: list[str] = []
    while (at := done.get(case, 0)) < count and time.monotonic() - began_s < SECONDS_MAX:
        step = min(STEP, count - at)
        results = list(run_seeds(Options(case, done["first"] + at), step, JOBS))
        failures += [str(result) for result in results if isinstance(result, SeedFailed)]
        assert sum(result.requests for result in results if isinstance(result, Report)) or failures
        done[case] = at + step
        keep(done)
        print(f"{case}: {at + step} of {count} seeds from {done['first']}, {len(failures)} failed", flush=True)
    if all(done.get(name, 0) >= max(int(SEEDS * part), 1) for name, part in CASES):
        DONE.unlink()
    assert not failures, "\n\n".join([f"{len(failures)} seeds failed", *failures])
