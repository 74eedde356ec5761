"""The simulation sees each of the planted bugs, within a few seeds."""

import pytest

from steunpunt.sim.region.maps import Options
from steunpunt.sim.region.simulate import SeedFailed, simulate
from tests.simulation.planted import BUGS, Bug

SEEDS_MAX = 60


def caught_at(bug: Bug) -> tuple[int, str] | None:
    """Return the first seed that fails under this bug and how it failed, None when none does."""
    with bug.planted():
        for seed in range(SEEDS_MAX):
            try:
                simulate(Options(bug.case, seed))
            except SeedFailed as failure:
                told = str(failure).splitlines()[0]
                assert "TypeError" not in told, f"{bug.told}: planted in what is not called so any more: {told}"
                return seed, told
    return None


def test_every_planted_bug_is_caught(capsys: pytest.CaptureFixture[str]) -> None:
    found = {bug.told: caught_at(bug) for bug in BUGS}
    with capsys.disabled():
        print()
        for told, where in found.items():
            print(f"{told}: " + ("NOT SEEN" if where is None else f"seed {where[0]}: {where[1][:100]}"))
        print(f"{sum(where is not None for where in found.values())} of {len(BUGS)} caught")
    assert [told for told, where in found.items() if where is None] == []
    assert len(BUGS) >= 20


def test_the_right_code_passes_where_the_bugs_do_not() -> None:
    for case in sorted({bug.case for bug in BUGS}):
        for seed in range(5):
            simulate(Options(case, seed))
