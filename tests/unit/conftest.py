"""A kiosk and a coordinator without links, for tests that walk their timers."""

import random
from pathlib import Path

import pytest

from tests.fakes.sites import Clock, CoordinatorSite, KioskSite, seeded


@pytest.fixture
def rng() -> random.Random:
    return seeded(5)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kiosk(tmp_path: Path, clock: Clock, rng: random.Random) -> KioskSite:
    return KioskSite(tmp_path / "kiosk", clock, rng, buttons={"door": 0})


@pytest.fixture
def center(tmp_path: Path, clock: Clock, rng: random.Random) -> CoordinatorSite:
    return CoordinatorSite(tmp_path / "coordinator", clock, rng)
