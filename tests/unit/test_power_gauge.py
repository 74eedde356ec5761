"""Which charges are believed, and how well the hours left are foretold."""

import random
from collections.abc import Callable

import pytest

from steunpunt.power.gauge import JUMP_MS, STUCK_BLIND_MS, STUCK_MAINS_MS, Charge, Gauge
from steunpunt.power.reading import Reading, reading_of
from tests.fakes.batteries import Battery

STEP_S = 30
CRITICAL = 10
MINUTE_MS = 60_000
NAMEPLATE: dict[str, float | None] = {"capacity_wh": 500.0, "draw_w": 6.0}


class Watched:
    """A gauge that is looked at every half minute."""

    def __init__(self, battery: Battery, capacity_wh: float | None = 500.0, draw_w: float | None = 6.0) -> None:
        self.battery, self.gauge, self.now_ms = battery, Gauge(capacity_wh, draw_w, CRITICAL), 0
        self.load: Callable[[float], float] | None = None

    def look(self, *, absent: bool = False) -> Charge:
        reading = None if absent else reading_of(self.battery.variables())
        return self.gauge.take(reading, on_battery=not self.battery.mains, now_ms=self.now_ms)

    def run(self, minutes: float, *, absent: bool = False) -> Charge:
        charge = Charge(None, measured=False, hours_left=None, draw_w=None)
        for _ in range(round(minutes * 60 / STEP_S)):
            if self.load is not None:
                self.battery.load_w = self.load(self.now_ms / 1000)
            self.battery.pass_time(STEP_S)
            self.now_ms += STEP_S * 1000
            charge = self.look(absent=absent)
        return charge


# --- hours left --------------------------------------------------------------------------------------------------


def errors_of(battery: Battery, load: Callable[[float], float], **plate: float | None) -> list[tuple[float, float]]:
    """Discharge until the gauge shows critical; return (hours really left, share of error) of each look."""
    watched = Watched(battery, **plate)
    watched.load = load
    told: list[tuple[int, float, float | None]] = []
    battery.mains = False
    while float(battery.variables()["battery.charge"]) > CRITICAL:
        charge = watched.run(STEP_S / 60)
        assert charge.measured, charge.problems
        told.append((watched.now_ms, battery.percent, charge.hours_left))
    end_ms = watched.now_ms
    found = []
    for now_ms, percent, hours in told:
        truly = (end_ms - now_ms) / 3_600_000
        if percent < 90 and truly > 1:
            assert hours is not None
            found.append((truly, abs(hours - truly) / truly))
    return found


STEADY: dict[str, tuple[Battery, float, dict[str, float | None]]] = {
    "as the nameplate says, nothing measured": (Battery(500, shows="whole"), 6.0, NAMEPLATE),
    "a nameplate that is far too good": (Battery(320, shows="whole"), 6.0, NAMEPLATE),
    "a draw that nobody knows": (Battery(400, shows="rounded"), 7.5, NAMEPLATE),
    "no nameplate at all": (Battery(430, shows="whole"), 6.0, {"capacity_wh": None, "draw_w": None}),
    "a fine gauge that measures": (Battery(450, shows="fine", measured=True), 6.0, NAMEPLATE),
    "72 hours on a small board": (Battery(66, shows="fine", measured=True), 0.82, {"capacity_wh": 80.0, "draw_w": 1.0}),
}


@pytest.mark.parametrize("name", STEADY)
def test_the_hours_left_are_foretold_within_a_tenth(name: str) -> None:
    battery, load_w, plate = STEADY[name]
    errors = errors_of(battery, lambda _: load_w, **plate)
    assert max(hours for hours, _ in errors) > 40, "a long discharge"
    assert max(error for _, error in errors) < 0.10


def test_with_a_load_that_comes_and_goes_and_a_noisy_meter() -> None:
    rng = random.Random(7)
    battery = Battery(400, shows="whole", measured=True)
    errors = errors_of(battery, lambda s: (5.5 + 2 * (s % 1200 < 600)) * rng.uniform(0.95, 1.05), **NAMEPLATE)
    assert max(error for _, error in errors) < 0.10


def test_what_is_saved_shows_within_the_hour() -> None:
    watched = Watched(Battery(500, 6.0, mains=False, measured=True, shows="fine"))
    before = watched.run(60 * 20)
    watched.battery.load_w = 3.0
    after = watched.run(60)
    assert before.hours_left is not None
    assert after.hours_left == pytest.approx((before.hours_left - 0.5) * 2, rel=0.05)


def test_on_mains_it_tells_how_long_it_would_last() -> None:
    charge = Watched(Battery(500)).run(10)
    assert charge.hours_left == pytest.approx(90 * 5 / 6)
    assert charge.draw_w is None, "not measured"


def test_without_nameplate_or_history_the_upses_own_word_counts_and_else_none() -> None:
    watched = Watched(Battery(500), None, None)
    assert watched.run(10).hours_left is None
    watched.battery.lies = {"battery.runtime": "7200"}
    assert watched.run(10).hours_left == 2.0


# --- what is not believed ----------------------------------------------------------------------------------------


def test_a_gauge_that_stands_still_on_the_battery_is_stuck_and_the_count_goes_on() -> None:
    watched = Watched(Battery(500, 6.0, mains=False))
    assert watched.run(60).measured
    frozen = watched.battery.variables()
    watched.battery.lies = frozen
    assert watched.run(60).measured, "an hour is a percent or so"
    charge = watched.run(60 * 5)
    assert not charge.measured
    assert charge.problems == (f"battery.charge stands still at {frozen['battery.charge']} %: the gauge is stuck",)
    assert charge.percent == pytest.approx(watched.battery.percent, abs=1)
    watched.battery.lies = {}
    assert watched.run(1).measured, "it is where we counted"


def test_a_charge_alone_that_stands_still_while_the_voltage_moves() -> None:
    watched = Watched(Battery(500, 6.0, mains=False))
    watched.battery.lies = {"battery.charge": "100"}
    assert watched.run(60 * 7).measured
    assert not watched.run(60 * 3).measured


def test_without_a_nameplate_standing_still_takes_longer_to_notice() -> None:
    watched = Watched(Battery(500, 6.0, mains=False), None, None)
    watched.battery.lies = watched.battery.variables()
    assert watched.run(STUCK_BLIND_MS / MINUTE_MS - 1).measured
    charge = watched.run(2)
    assert (charge.measured, charge.percent, charge.hours_left) == (False, None, None)


def test_on_mains_a_half_charge_that_never_moves_is_no_charge() -> None:
    watched = Watched(Battery(500, percent=60))
    watched.battery.lies = watched.battery.variables()
    assert watched.run(STUCK_MAINS_MS / MINUTE_MS - 1).measured
    assert not watched.run(2).measured
    full = Watched(Battery(500))
    assert full.run(3 * STUCK_MAINS_MS / MINUTE_MS).measured, "a full battery stands still by right"


@pytest.mark.parametrize("wrong", ["3", "1", "50", "99.9"])
def test_one_wrong_charge_is_a_slip(wrong: str) -> None:
    watched = Watched(Battery(500, 6.0, percent=80, mains=False))
    watched.run(10)
    watched.battery.lies = {"battery.charge": wrong}
    slip = watched.run(STEP_S / 60)
    assert not slip.measured
    assert slip.percent == pytest.approx(79.8, abs=1)
    assert slip.problems == (f"battery.charge jumped from 79 to {float(wrong):.0f} %",)
    watched.battery.lies = {}
    assert watched.run(STEP_S / 60).measured


def test_a_wrong_charge_that_stays_is_never_believed_but_a_collapse_that_lives_is() -> None:
    stuck = Watched(Battery(500, 6.0, percent=80, mains=False))
    stuck.run(10)
    stuck.battery.lies = {"battery.charge": "3"}
    assert not stuck.run(60 * 3).measured
    collapsed = Watched(Battery(500, 6.0, percent=80, mains=False, shows="fine"))
    collapsed.run(10)
    collapsed.battery.percent = 25
    assert not collapsed.run(JUMP_MS / MINUTE_MS - 1).measured
    charge = collapsed.run(2)
    assert charge.measured
    assert charge.percent == pytest.approx(25, abs=0.5)


def test_charges_that_jump_about_are_never_believed() -> None:
    watched, rng = Watched(Battery(500, 6.0, percent=60, mains=False)), random.Random(3)
    watched.run(10)
    believed = 0
    for _ in range(500):
        watched.battery.lies = {"battery.charge": str(rng.choice([2, 30, 88, 100]))}
        believed += watched.run(STEP_S / 60).measured
    assert believed == 0


def test_a_low_word_of_the_source_itself_is_believed_at_once() -> None:
    watched = Watched(Battery(500, 6.0, percent=80, mains=False))
    watched.run(10)
    watched.battery.lies = {"battery.charge": "7", "ups.status": "OB LB"}
    assert watched.run(STEP_S / 60).percent == 7


def test_a_source_that_is_gone_for_hours_is_counted_through_and_believed_when_back() -> None:
    watched = Watched(Battery(500, 6.0, mains=False, shows="fine"))
    watched.run(60 * 12)
    charge = watched.run(60 * 10, absent=True)
    assert not charge.measured
    assert charge.percent == pytest.approx(watched.battery.percent, abs=0.5)
    assert watched.run(STEP_S / 60).measured


def test_a_gauge_that_runs_away_does_not_spoil_the_count() -> None:
    watched = Watched(Battery(500, 6.0, mains=False))
    for percent in range(100, 40, -5):
        watched.battery.lies = {"battery.charge": str(percent)}
        watched.run(1)
    charge = watched.run(60, absent=True)
    assert charge.percent is not None
    assert charge.percent == pytest.approx(45 - 6 / 5 / 0.2, abs=1), "at worst five times the nameplate's speed"


def test_nothing_read_ever_is_nothing_known() -> None:
    assert Gauge(500, 6, 10).take(None, on_battery=True, now_ms=0) == Charge(
        None, measured=False, hours_left=None, draw_w=None
    )
    bare = Gauge(500, 6, 10).take(Reading(mains=True), on_battery=False, now_ms=0)
    assert (bare.percent, bare.measured) == (None, False)
