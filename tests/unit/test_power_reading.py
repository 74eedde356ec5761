"""One set of NUT's variables, judged by itself: what is absurd is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.power.reading import reading_of

NUMBERS = ("battery.charge", "battery.voltage", "battery.current", "battery.runtime", "ups.realpower", "ups.load")


@pytest.mark.parametrize(
    ("status", "mains", "charging", "low"),
    [
        ("OL", True, False, False),
        ("OL CHRG", True, True, False),
        ("OL LB", True, False, False),
        ("OL TRIM", True, False, False),
        ("OB", False, False, False),
        ("OB DISCHRG LB", False, False, True),
        ("FSD OB", False, False, True),
        ("CAL OB DISCHRG LB", True, False, False),
        ("", None, False, False),
        ("WAIT", None, False, False),
        ("OL OB", None, False, False),
        ("ol", None, False, False),
        ("OBLIGATED", None, False, False),
    ],
)
def test_the_words_of_ups_status(status: str, *, mains: bool | None, charging: bool, low: bool) -> None:
    reading = reading_of({"ups.status": status})
    assert (reading.mains, reading.charging, reading.low) == (mains, charging, low)
    assert bool(reading.problems) is (mains is None)


@pytest.mark.parametrize("word", ["RB", "BYPASS", "OVER", "OFF"])
def test_words_that_warn(word: str) -> None:
    assert len(reading_of({"ups.status": f"OL {word}"}).problems) == 1


@pytest.mark.parametrize("text", ["", "banana", "nan", "inf", "-1", "111", "1e9", "12,5", "0x10"])
def test_a_charge_that_is_none(text: str) -> None:
    reading = reading_of({"ups.status": "OL", "battery.charge": text})
    assert reading.charge is None
    assert reading.problems == (f"battery.charge is {text!r}, not between 0 and 110",)


def test_a_charge_above_full_is_full_and_zero_on_a_running_battery_is_none() -> None:
    assert reading_of({"ups.status": "OL", "battery.charge": "104.3"}).charge == 100
    assert reading_of({"ups.status": "OL", "battery.charge": "0"}).charge == 0
    assert reading_of({"ups.status": "OB", "battery.charge": "0"}).charge is None
    assert reading_of({"ups.status": "OB LB", "battery.charge": "0"}).charge == 0


@pytest.mark.parametrize(
    ("variables", "watts"),
    [
        ({"ups.realpower": "6.5", "battery.voltage": "12", "battery.current": "-1"}, 6.5),
        ({"ups.realpower": "0", "battery.voltage": "12"}, None),
        ({"battery.voltage": "12", "battery.current": "-0.5"}, 6.0),
        ({"battery.voltage": "12", "battery.current": "900"}, None),
        ({"battery.voltage": "0", "battery.current": "1"}, None),
        ({"ups.load": "5", "ups.realpower.nominal": "300"}, 15.0),
        ({"ups.load": "5"}, None),
    ],
)
def test_the_power_drawn(variables: dict[str, str], watts: float | None) -> None:
    assert reading_of(variables).watts == watts


@given(st.dictionaries(st.sampled_from([*NUMBERS, "ups.status"]), st.text(max_size=20)))
def test_whatever_is_said_a_reading_is_in_its_bounds(variables: dict[str, str]) -> None:
    reading = reading_of(variables)
    assert reading.charge is None or 0 <= reading.charge <= 100
    assert reading.watts is None or 0 < reading.watts <= 100_000
    assert reading.mains is not None or reading.problems
    assert not any("\n" in problem for problem in reading.problems)
