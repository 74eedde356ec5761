"""Home Assistant's MQTT discovery of a site: one retained message names the device and all its entities. Pure.

The form is device discovery (Home Assistant 2024.11 and newer): device, origin, availability and state topic are
shared, and each entity takes its value out of the site's status JSON. Source: the MQTT integration's page on
home-assistant.io, "Device discovery payload".
"""

import json
from typing import Any

from steunpunt.config import Config
from steunpunt.model import LampMode, Role
from steunpunt.powerfacts import PowerState

Json = dict[str, Any]
PAYLOAD_BYTES_MAX = 8192
"""The generated broker takes no longer message."""


def discovery_topic(prefix: str, site_id: int) -> str:
    """Return where the message goes."""
    return f"{prefix}/device/steunpunt-{site_id}/config"


def discovery(config: Config, version: str, availability_topic: str, state_topic: str) -> bytes:
    """Return the message for one site."""
    site = config.site
    device = f"steunpunt-{site.id}"
    entities = _connectivity(config) | _kiosk(config) | _power(config)
    body = {
        "device": {
            "identifiers": [device],
            "name": site.name,
            "manufacturer": "steunpunt",
            "model": str(site.role),
            "sw_version": version,
        },
        "origin": {"name": "steunpunt", "sw_version": version},
        "availability_topic": availability_topic,
        "payload_available": "online",
        "payload_not_available": "offline",
        "state_topic": state_topic,
        "components": {name: entity | {"unique_id": f"{device}-{name}"} for name, entity in entities.items()},
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _connectivity(config: Config) -> dict[str, Json]:
    found = {"broker": _binary("Broker", "connectivity", "value_json.links.broker.up")}
    if config.radios:
        found["radio"] = _binary("Radio", "connectivity", "value_json.links.mesh.up")
    for name in config.radios if config.extra_radio else ():
        found[f"radio-{name}"] = _binary(f"Radio {name}", "connectivity", f"value_json.radios['{name}'].up")
    if config.site.role is Role.KIOSK:
        found["region"] = _binary("Region", "connectivity", "value_json.region.fresh")
    found["ledger"] = _binary("Ledger", "problem", "not value_json.can_keep")
    return found


def _kiosk(config: Config) -> dict[str, Json]:
    if config.site.role is not Role.KIOSK:
        return {}
    found = {
        "queue": _sensor("Messages without receipt", "value_json.queue") | {"state_class": "measurement"},
        "oldest": _minutes("Oldest message waiting", "value_json.oldest_min"),
        "last_receipt": _minutes("Last receipt", "value_json.last_receipt_min"),
    }
    for button in config.panel.button if config.panel else ():
        lamp = _sensor(f"Lamp {button.name}", f"value_json.buttons['{button.name}']")
        found[f"lamp-{button.name}"] = lamp | {"device_class": "enum", "options": [str(mode) for mode in LampMode]}
    return found


def _power(config: Config) -> dict[str, Json]:
    """What is not known is ``None``, which Home Assistant shows as unknown."""
    if config.power is None:
        return {}
    known = "value_json.power.mains"
    mains = _binary("Mains", "power", known)
    mains["value_template"] = f"{{{{ 'None' if {known} is none else 'ON' if {known} else 'OFF' }}}}"
    battery = {"device_class": "battery", "unit_of_measurement": "%", "state_class": "measurement"}
    hours = {"device_class": "duration", "unit_of_measurement": "h"}
    states = {"device_class": "enum", "options": [str(state) for state in PowerState]}
    return {
        "mains": mains,
        "battery": _sensor("Battery", "value_json.power.percent") | battery,
        "hours-left": _sensor("Hours left", "value_json.power.hours_left") | hours,
        "power": _sensor("Power", "value_json.power.state") | states,
        "power-problem": _binary("Power problem", "problem", "value_json.power.problem"),
    }


def _binary(name: str, device_class: str, condition: str) -> Json:
    template = f"{{{{ 'ON' if {condition} else 'OFF' }}}}"
    return {
        "platform": "binary_sensor",
        "name": name,
        "device_class": device_class,
        "entity_category": "diagnostic",
        "value_template": template,
    }


def _sensor(name: str, value: str) -> Json:
    return {"platform": "sensor", "name": name, "value_template": f"{{{{ {value} }}}}"}


def _minutes(name: str, value: str) -> Json:
    return _sensor(name, value) | {"device_class": "duration", "unit_of_measurement": "min"}
