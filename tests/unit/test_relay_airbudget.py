"""The airtime budget, by walking an hour: never over a lane's share, and life threats have the last word."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import Lane
from steunpunt.relay.airbudget import HOUR_MS, LEGAL_SHARE_MAX, LOOK_AGAIN_MS, READING_MS_MAX, SHARE_MAX, AirBudget

PACKET_MS = 738.0


def sent(lane: Lane, budget: AirBudget, until_ms: int, now_ms: int = 0) -> Iterator[int]:
    """Send as much of a lane as the budget lets, waking up when it says so; yields when each packet went."""
    while now_ms <= until_ms:
        if budget.fits(lane, PACKET_MS, now_ms):
            budget.spend(now_ms, PACKET_MS)
            yield now_ms
            now_ms += round(PACKET_MS)
        else:
            due_ms = budget.fits_from_ms(lane, PACKET_MS, now_ms)
            assert due_ms > now_ms, "a timer that does not move would spin"
            now_ms = due_ms


@pytest.mark.parametrize("lane", list(Lane))
def test_no_rolling_hour_has_more_than_the_lanes_share(lane: Lane) -> None:
    times = list(sent(lane, AirBudget([], 0), 5 * HOUR_MS))
    for at_ms in times:
        in_hour = sum(PACKET_MS for time in times if at_ms - HOUR_MS < time <= at_ms)
        assert in_hour <= SHARE_MAX[lane] * HOUR_MS <= LEGAL_SHARE_MAX * HOUR_MS
    assert len(times) >= 4.9 * SHARE_MAX[lane] * HOUR_MS / PACKET_MS, "and what is allowed is used"


def test_the_lower_the_lane_the_earlier_it_stops() -> None:
    shares = [SHARE_MAX[lane] for lane in Lane]
    assert shares == sorted(shares, reverse=True)
    budget = AirBudget([], 0)
    now_ms = max(sent(Lane.URGENT, budget, HOUR_MS // 4))
    assert not budget.fits(Lane.URGENT, PACKET_MS, now_ms)
    assert budget.fits(Lane.LIFE_THREAT, PACKET_MS, now_ms), "the reserve is there for a life threat"


def test_a_restart_forgets_nothing_and_a_power_cut_counts_it_as_just_spent() -> None:
    log = [(at_ms, PACKET_MS) for at_ms in range(0, 300_000, 1000)]
    assert AirBudget(log, 300_000).used_ms(300_000) == pytest.approx(300 * PACKET_MS)
    later = [(at_ms + 10**9, PACKET_MS) for at_ms, _ in log]
    budget = AirBudget(later, 300_000)
    assert budget.used_ms(300_000) == pytest.approx(300 * PACKET_MS), "later than now counts as now"
    assert budget.used_ms(300_000 + HOUR_MS) == 0


def test_what_the_radio_relays_counts_too_until_its_word_is_old() -> None:
    budget = AirBudget([], 0)
    budget.read(0.07, 0)
    assert not budget.fits(Lane.URGENT, PACKET_MS, 0)
    assert budget.fits_from_ms(Lane.URGENT, PACKET_MS, 0) == LOOK_AGAIN_MS
    assert budget.fits(Lane.LIFE_THREAT, PACKET_MS, 0)
    budget.read(0.098, 1)
    assert not budget.fits(Lane.LIFE_THREAT, PACKET_MS, 1)
    assert budget.fits(Lane.URGENT, PACKET_MS, 2 + READING_MS_MAX)


def test_what_we_sent_after_the_radios_word_is_added_to_it() -> None:
    budget = AirBudget([(0, 1000.0)], 10)
    budget.read(0.01, 10)
    assert budget.used_ms(20) == pytest.approx(36_000)
    budget.spend(30, 500.0)
    assert budget.used_ms(40) == pytest.approx(36_500)


def test_a_refused_packet_is_given_back_once() -> None:
    budget = AirBudget([], 0)
    budget.spend(5, PACKET_MS)
    budget.give_back(5, PACKET_MS)
    budget.give_back(5, PACKET_MS)
    assert budget.used_ms(6) == 0


@given(st.floats(-1, 3), st.integers(0, 10**7))
def test_an_absurd_reading_blocks_nobody_for_ever(share: float, now_ms: int) -> None:
    budget = AirBudget([], now_ms)
    budget.read(share, now_ms)
    assert 0 <= budget.used_ms(now_ms) <= HOUR_MS
    assert budget.fits(Lane.HOUSEKEEPING, PACKET_MS, now_ms + READING_MS_MAX + 1)
