"""What the site tells of itself: no personal data, only changes, in forms that Home Assistant and Prometheus take."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.bridge.homeassistant import PAYLOAD_BYTES_MAX, discovery, discovery_topic
from steunpunt.bridge.report import GAP_MS, LOOK_MS, Reporter, coarse_minutes, prometheus, public
from steunpunt.config import Broker, Config, Control, ExtraRadio, Keys, Ledger, Radio, Region, Site
from steunpunt.model import Role
from steunpunt.panelconfig import Button, Panel

AVAILABILITY, STATUS = "steunpunt/v1/47/availability", "steunpunt/v1/47/status"


def status(**changes: Any) -> dict[str, Any]:
    return {
        "ok": True,
        "site": {"id": 47, "name": 'Buurt"huis', "place": "Kerkplein 1", "role": Role.KIOSK},
        "coordinator_name": "Kazerne",
        "fallback_address": "Weg 1",
        "links": {
            "mesh": {"up": True, "reason": "radio", "since_s": 12},
            "broker": {"up": False, "reason": "none", "since_s": 3},
        },
        "region": {"fresh": True, "age_s": 7, "fresh_s_max": 60},
        "active_min": 4,
        "can_keep": True,
        "damaged_log": "",
        "radio": {"node": "!a1b2c3d4", "firmware": "2.7.26", "preset": "LONG_FAST"},
        "queue": 2,
        "oldest_s": 200,
        "last_receipt_s": None,
        "buttons": [{"name": "help", "lamp": "blinking", "number": "47-12", "pending_s": None, "pressed_count": 3}],
        "downlink_air_ms": 1500,
        "counters": {"mesh_connects": 3, "accepted": 1},
        "panel_reason": "",
    } | changes


def test_the_status_is_made_of_named_things_and_no_ticket() -> None:
    assert public(status(), "1.2") == {
        "site": {"id": 47, "name": 'Buurt"huis', "place": "Kerkplein 1", "role": "kiosk"},
        "version": "1.2",
        "links": {"mesh": {"up": True, "reason": "radio"}, "broker": {"up": False, "reason": "none"}},
        "region": {"fresh": True},
        "can_keep": True,
        "radio": {"node": "!a1b2c3d4", "firmware": "2.7.26", "preset": "LONG_FAST"},
        "queue": 2,
        "oldest_min": 2,
        "last_receipt_min": None,
        "buttons": {"help": "blinking"},
    }
    desk = {key: value for key, value in status().items() if key not in ("queue", "oldest_s", "buttons")}
    assert "queue" not in public(desk, "1.2")


HILL = {"up": False, "reason": "unplugged", "since_s": 3, "downlink_air_ms": 500, "radio": None}


def test_several_radios_are_told_of_one_by_one() -> None:
    several = status(radios={"main": HILL | {"up": True}, "hill": HILL})
    assert public(several, "1.2")["radios"]["hill"] == {"up": False, "reason": "unplugged", "radio": None}
    lines = prometheus(several, "1").splitlines()
    for line in (
        'steunpunt_radio_up{radio="main"} 1',
        'steunpunt_radio_up{radio="hill"} 0',
        'steunpunt_radio_downlink_airtime_seconds{radio="hill"} 0.5',
    ):
        assert line in lines
    assert "steunpunt_radio" not in prometheus(status(), "1"), "one radio is its link"


@pytest.mark.parametrize(
    ("age_s", "minutes"),
    [(None, None), (-5, 0), (0, 0), (59, 0), (60, 1), (299, 2), (300, 5), (3599, 45), (3600, 60), (7300, 120),
     (86399, 1380), (86400, 1440), (200_000, 2880)],
)  # fmt: skip
def test_ages_are_rounded_down(age_s: int | None, minutes: int | None) -> None:
    assert coarse_minutes(age_s) == minutes


@given(st.integers(0, 10**9))
def test_an_age_is_never_told_as_more(age_s: int) -> None:
    minutes = coarse_minutes(age_s)
    assert minutes is not None
    assert age_s / 60 * 0.3 - 1 < minutes <= age_s / 60


# --- when it is told ---------------------------------------------------------------------------------------------


def test_changes_are_told_at_once_but_not_twice_in_ten_seconds() -> None:
    reporter, state = Reporter(), status()

    def look(now_ms: int) -> bytes | None:
        return reporter.look(now_ms, lambda: state)

    assert (reporter.due_ms, look(0)) == (None, None)
    reporter.start()
    assert look(1_000)
    assert reporter.due_ms == 1_000 + LOOK_MS
    state["queue"] = 3
    reporter.happened(2_000)
    assert look(2_000) is None
    assert reporter.due_ms == 1_000 + GAP_MS
    told = look(1_000 + GAP_MS)
    assert told is not None
    assert json.loads(told)["queue"] == 3
    reporter.happened(60_000)
    assert look(60_000) is None, "nothing new"
    state["queue"] = 4
    reporter.happened(60_001)
    assert look(60_001), "the pause counts from the last report"


def test_a_broker_that_came_back_is_told_everything_again() -> None:
    reporter = Reporter()
    reporter.start()
    first = reporter.look(0, status)
    reporter.stop()
    assert reporter.due_ms is None
    reporter.start()
    assert reporter.look(1, status) == first


# --- Prometheus --------------------------------------------------------------------------------------------------

SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})? -?[0-9.e+]+')


def test_figures_have_the_form_of_prometheus() -> None:
    counters = {'odd"name\\\n': 2, "mesh_connects": 3}
    text = prometheus(status(counters=counters), "1.2")
    assert text.endswith("\n")
    samples = [line for line in text.splitlines() if not line.startswith("# ")]
    assert [line for line in samples if not SAMPLE.fullmatch(line)] == []
    assert 'steunpunt_events_total{event="mesh_connects"} 3' in samples
    assert 'steunpunt_link_up{link="broker"} 0' in samples
    assert 'steunpunt_button_lamp{button="help",mode="blinking"} 1' in samples
    assert "steunpunt_downlink_airtime_seconds 1.5" in samples
    assert not any("last_receipt" in line for line in text.splitlines()), "not known yet"
    assert "Buurt" not in text
    assert "47-12" not in text


def test_a_coordinator_without_a_radio_has_figures_too() -> None:
    desk = {key: value for key, value in status(radio=None).items() if key not in ("queue", "buttons")}
    assert "steunpunt_queue_messages" not in prometheus(desk, "1.2")


# --- Home Assistant ----------------------------------------------------------------------------------------------


def config(role: Role = Role.KIOSK, buttons: int = 1, radio: str = "serial") -> Config:
    return Config(
        site=Site(role=role, id=47 if role is Role.KIOSK else 1, name="Buurthuis", place="Kerkplein 1"),
        region=Region(name="Zuid", coordinator=1, coordinator_name="Kazerne", fallback_address="Weg 1"),
        keys=Keys(file="site.keys"),
        radio=msgspec.convert({"kind": radio, "path": "/dev/ttyACM0"}, Radio),
        broker=Broker(),
        ledger=Ledger(path="ledger.db"),
        control=Control(socket="node.sock"),
        panel=Panel(button=tuple(Button(name=f"b-{n}", button_pin=n, lamp_pin=n) for n in range(buttons))),
    )


def discovered(site: Config) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(discovery(site, "1.2", AVAILABILITY, STATUS))
    return body


# The keys that Home Assistant's schemas know: DEVICE_DISCOVERY_SCHEMA, MQTT_ENTITY_DEVICE_INFO_SCHEMA,
# MQTT_ORIGIN_INFO_SCHEMA and those of the two platforms used here (2024.11 and later).
TOP = {
    "device",
    "origin",
    "components",
    "availability_topic",
    "payload_available",
    "payload_not_available",
    "state_topic",
}
DEVICE = {"identifiers", "name", "manufacturer", "model", "sw_version"}
ENTITY = {"platform", "name", "unique_id", "value_template", "device_class", "entity_category"}
PLATFORMS = {"binary_sensor": ENTITY, "sensor": ENTITY | {"state_class", "unit_of_measurement", "options"}}
DEVICE_CLASSES = {"binary_sensor": {"connectivity", "problem"}, "sensor": {"duration", "enum"}}


def test_discovery_has_the_form_that_home_assistant_documents() -> None:
    body = discovered(config())
    assert set(body) == TOP
    assert set(body["device"]) == DEVICE
    assert body["origin"] == {"name": "steunpunt", "sw_version": "1.2"}
    assert (body["availability_topic"], body["state_topic"]) == (AVAILABILITY, STATUS)
    for entity in body["components"].values():
        platform = entity["platform"]
        assert set(entity) <= PLATFORMS[platform]
        assert entity.get("device_class") in DEVICE_CLASSES[platform] | {None}
        # "enum" takes options and neither a unit nor a state class.
        assert (entity.get("device_class") == "enum") == ("options" in entity)
        assert not ({"unit_of_measurement", "state_class"} & set(entity) and "options" in entity)
    ids = [entity["unique_id"] for entity in body["components"].values()]
    assert len(set(ids)) == len(ids)
    assert re.fullmatch(r"homeassistant/\w+/[a-zA-Z0-9_-]+/config", discovery_topic("homeassistant", 47))


def test_every_template_finds_its_value_in_the_status() -> None:
    report = public(status(buttons=[{"name": "b-0", "lamp": "steady"}]), "1.2")
    for entity in discovered(config())["components"].values():
        (path,) = re.findall(r"value_json((?:\.\w+|\['[^']+'\])+)", entity["value_template"])
        value: Any = report
        for dotted, quoted in re.findall(r"\.(\w+)|\['([^']+)'\]", path):
            value = value[dotted or quoted]
        if "options" in entity:
            assert value in entity["options"]


def test_each_of_several_radios_is_an_entity() -> None:
    extra = (ExtraRadio(name="hill", kind="tcp"), ExtraRadio(name="tower-2", kind="tcp", port=4404))
    site = msgspec.structs.replace(config(Role.COORDINATOR), extra_radio=extra)
    found = discovered(site)["components"]
    assert {name for name in found if "radio" in name} == {"radio", "radio-main", "radio-hill", "radio-tower-2"}
    assert "value_json.radios['tower-2'].up" in found["radio-tower-2"]["value_template"]


def test_a_site_shows_what_it_has() -> None:
    assert set(discovered(config(radio="none", buttons=0))["components"]) == {
        "broker", "region", "ledger", "queue", "oldest", "last_receipt",
    }  # fmt: skip
    assert set(discovered(config(Role.COORDINATOR))["components"]) == {"broker", "radio", "ledger"}


def test_the_largest_panel_fits_the_brokers_limit() -> None:
    site = config(buttons=14)
    assert len(discovery(site, "1.2.3", AVAILABILITY, STATUS)) < PAYLOAD_BYTES_MAX
