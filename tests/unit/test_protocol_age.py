"""Ages in a byte: close enough, never the wrong way round, and honest about what is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.protocol.age import AGE_S_MAX, pack_age, unpack_age

ages_s = st.floats(0, AGE_S_MAX)


@given(ages_s, st.booleans())
def test_an_age_is_at_most_ten_percent_too_young(age_s: float, at_least: bool) -> None:  # noqa: FBT001
    told_s, told_at_least = unpack_age(pack_age(age_s, at_least=at_least))
    assert told_at_least is at_least
    assert age_s - 0.1 * (age_s + 6) <= told_s <= age_s + 1e-6 * (age_s + 1), "never told older than it is"


@given(ages_s, ages_s)
def test_the_older_one_never_looks_younger(one_s: float, other_s: float) -> None:
    young_s, old_s = sorted((one_s, other_s))
    assert pack_age(young_s, at_least=False) <= pack_age(old_s, at_least=False)


@pytest.mark.parametrize("byte", range(256))
def test_an_age_that_is_passed_on_stays_the_same(byte: int) -> None:
    age_s, at_least = unpack_age(byte)
    assert pack_age(age_s, at_least=at_least) == byte


@pytest.mark.parametrize("age_s", [AGE_S_MAX * 1.1, 1e9, 1e300])
def test_what_is_too_old_for_the_scale_is_at_least_that(age_s: float) -> None:
    told_s, at_least = unpack_age(pack_age(age_s, at_least=False))
    assert (told_s, at_least) == (AGE_S_MAX, True)
    assert told_s / 3600 == pytest.approx(100, abs=0.5)


def test_an_age_below_nothing_is_nothing() -> None:
    assert pack_age(-5, at_least=False) == 0
    assert unpack_age(0) == (0, False)
