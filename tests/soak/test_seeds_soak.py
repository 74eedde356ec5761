"""Ten thousand small storms, and each hard case many times. From STEUNPUNT_SOAK_SEED on, or from one by chance."""

import os
import random

import pytest

from steunpunt.sim.region.maps import Options
from steunpunt.sim.region.simulate import Report, SeedFailed, run_seeds

SEEDS = int(os.environ.get("STEUNPUNT_SOAK_SEEDS", "10000"))
FIRST = int(os.environ.get("STEUNPUNT_SOAK_SEED", str(random.SystemRandom().randrange(2**31))))
JOBS = os.cpu_count() or 1
TELL_EVERY = 500


@pytest.mark.parametrize(
    ("case", "share"),
    [("small", 1.0), ("clones", 0.02), ("restored", 0.02), ("killed", 0.05), ("hostile", 0.02), ("thief", 0.02)],
)
def test_storms_by_the_thousand(case: str, share: float) -> None:
    count = max(int(SEEDS * share), 1)
    print(f"{case}: {count} seeds from {FIRST}")
    failures, requests = [], 0
    for number, result in enumerate(run_seeds(Options(case, FIRST), count, JOBS), 1):
        if isinstance(result, SeedFailed):
            failures.append(str(result))
            print(result)
        elif isinstance(result, Report):
            requests += result.requests
        if number % TELL_EVERY == 0:
            print(f"{case}: {number} seeds, {requests} requests, {len(failures)} failed")
    assert not failures, f"{len(failures)} of {count} seeds failed"
    assert requests
