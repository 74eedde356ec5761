"""A hundred outages by NUT's real dummy-ups, of every kind and in any order; STEUNPUNT_SOAK_OUTAGES says how many."""

import os
import random
from collections.abc import Callable
from pathlib import Path

from tests.fakes.outages import Outages
from tests.fakes.upses import dummy_ups

OUTAGES = int(os.environ.get("STEUNPUNT_SOAK_OUTAGES", "100"))


def test_many_outages_one_after_the_other(
    tmp_path: Path, free_port: Callable[[], int], wait_until: Callable[..., None]
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng = random.Random(seed)
    print(f"seed {seed}")
    with dummy_ups(tmp_path / "nut", free_port(), wait_until, ups__status="OL", battery__charge=100) as ups:
        played = Outages(ups, tmp_path, wait_until)
        try:
            for number in range(OUTAGES):
                kind = rng.choice(list(played.kinds))
                print(f"outage {number + 1}: {kind}")
                played.play(kind, rng)
        finally:
            played.source.close()
