"""Power as integrators, Prometheus, Home Assistant and ``steunpunt status`` tell it; unknown is told as unknown."""

import json
from typing import Any

import pytest

from steunpunt.bridge.homeassistant import PAYLOAD_BYTES_MAX, discovery
from steunpunt.bridge.report import prometheus, public
from steunpunt.config import Broker, Config, Control, Keys, Ledger, Radio, Region, Site
from steunpunt.fleet.told import lines_of
from steunpunt.model import Role
from steunpunt.powerconfig import Power

ON_BATTERY: dict[str, Any] = {
    "state": "battery",
    "source": "battery",
    "mains": False,
    "percent": 63,
    "hours_left": 14.7,
    "draw_w": 5.25,
    "measured": True,
    "shed": ["dim", "screen"],
    "going_dark": False,
    "shutting_down": False,
    "problems": [],
    "age_s": 3,
}
NOT_KNOWN = ON_BATTERY | {
    "state": "unknown",
    "mains": None,
    "percent": None,
    "hours_left": None,
    "draw_w": None,
    "shed": [],
    "problems": ["UPS ups at 127.0.0.1:3493: upsd cannot be asked (no answer); is nut-server running?"],
}


def status(power: dict[str, Any] | None) -> dict[str, Any]:
    link = {"up": True, "reason": "", "since_s": 12}
    return {
        "site": {"id": 47, "name": "Buurthuis", "place": "Kerkplein 1", "role": Role.KIOSK},
        "links": {"mesh": link, "broker": link},
        "region": {"fresh": True, "age_s": 7},
        "can_keep": True,
        "damaged_log": "",
        "radio": None,
        "panel_reason": "",
        "downlink_air_ms": 0,
        "counters": {},
        "power": power,
    }


def config(power: Power | None) -> Config:
    return Config(
        site=Site(role=Role.KIOSK, id=47, name="Buurthuis", place="Kerkplein 1"),
        region=Region(name="Zuid", coordinator_name="Kazerne", fallback_address="Weg 1"),
        keys=Keys(file="site.keys"),
        radio=Radio(kind="tcp"),
        broker=Broker(),
        ledger=Ledger(path="ledger.db"),
        control=Control(socket="node.sock"),
        power=power,
    )


def test_integrators_get_whole_hours_and_no_line_for_technicians() -> None:
    assert public(status(ON_BATTERY), "1")["power"] == {
        "state": "battery",
        "mains": False,
        "percent": 63,
        "shed": ["dim", "screen"],
        "going_dark": False,
        "hours_left": 14,
        "problem": False,
    }
    unknown = public(status(NOT_KNOWN), "1")["power"]
    assert (unknown["mains"], unknown["hours_left"], unknown["problem"]) == (None, None, True)
    assert "power" not in public(status(None), "1")
    assert "power" not in public(status({}), "1")


def test_figures_leave_out_what_is_not_known() -> None:
    lines = prometheus(status(ON_BATTERY), "1").splitlines()
    for line in (
        'steunpunt_power_state{state="battery"} 1',
        "steunpunt_power_mains 0",
        "steunpunt_battery_charge_percent 63",
        "steunpunt_battery_hours_left 14.7",
        "steunpunt_power_draw_watts 5.25",
        'steunpunt_power_saving{step="screen"} 1',
        "steunpunt_power_problems 0",
    ):
        assert line in lines
    unknown = prometheus(status(NOT_KNOWN), "1")
    assert "steunpunt_battery_charge_percent" not in unknown
    assert "steunpunt_power_mains" not in unknown
    assert "steunpunt_power_problems 1" in unknown
    assert "steunpunt_power" not in prometheus(status(None), "1")


def test_home_assistant_finds_battery_and_mains() -> None:
    payload = discovery(config(Power(source="nut")), "1", "a", "s")
    assert len(payload) < PAYLOAD_BYTES_MAX
    parts = json.loads(payload)["components"]
    assert {"mains", "battery", "hours-left", "power", "power-problem"} <= set(parts)
    assert parts["battery"]["device_class"] == "battery"
    assert parts["power"]["options"] == ["unknown", "mains", "battery", "low", "critical"]
    assert "'None' if value_json.power.mains is none" in parts["mains"]["value_template"]
    assert "mains" not in json.loads(discovery(config(None), "1", "a", "s"))["components"]


@pytest.mark.parametrize(
    ("power", "lines"),
    [
        (None, []),
        ({}, [(None, "power: not read yet")]),
        (ON_BATTERY, [(True, "power: battery, battery 63 %, about 14.7 h left, saving: dim, screen")]),
        (NOT_KNOWN, [(None, "power: not known"), (False, f"power: {NOT_KNOWN['problems'][0]}")]),
        (
            ON_BATTERY | {"state": "critical", "measured": False, "hours_left": None, "shed": [], "going_dark": True},
            [(True, "power: critical, battery 63 % by our own count, goes dark now")],
        ),
    ],
)
def test_the_technicians_line(power: dict[str, Any] | None, lines: list[tuple[bool | None, str]]) -> None:
    told = [line for line in lines_of(config(None), status(power)) if line[1].startswith("power")]
    assert told == lines
