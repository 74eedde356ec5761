"""Words of the config's errors: what form a key has, an example to write, and where it stands.

Tests hold each word against the structs.
"""

import re
from typing import Final

_SLUG = "1 to 31 of a-z, 0-9 and -"
FORM_OF_NAME = "1 to 80 characters on one line, without spaces around them"
FORM_OF_HOST = "a name such as kazerne.example.org or an address, without https:// and without a port"
_FORM_OF_TIME = "a time of day as two numbers of two digits, such as 22:00"
_FORMS = {
    "site.name": FORM_OF_NAME,
    "site.place": FORM_OF_NAME,
    "point.name": FORM_OF_NAME,
    "point.place": FORM_OF_NAME,
    "other_coordinator.name": FORM_OF_NAME,
    "region.name": FORM_OF_NAME,
    "region.coordinator_name": FORM_OF_NAME,
    "region.fallback_address": FORM_OF_NAME,
    **dict.fromkeys(
        ("radio.host", "broker.host", "broker.bridge.host", "broker.region_listener.host", "web.host", "printer.host"),
        FORM_OF_HOST,
    ),
    "power.nut.host": FORM_OF_HOST,
    "radio.node": "an exclamation mark and eight of 0-9 a-f",
    "radio.long_name": "1 to 39 characters on one line, without spaces around them",
    "radio.firmware": "three numbers with points between, such as 2.7.26",
    "radio.short_name": "1 to 4 characters without spaces",
    "broker.mesh_root": "1 to 60 characters without #, + or spaces",
    "broker.homeassistant.discovery_prefix": "1 to 60 characters without #, + or spaces",
    "panel.button.name": _SLUG,
    "panel.night_from": _FORM_OF_TIME,
    "panel.night_until": _FORM_OF_TIME,
    "power.nut.ups": "1 to 60 of a-z, A-Z, 0-9, dot, _ and -",
    "kiosk.broadcaster": FORM_OF_NAME,
    "printer.taken_by": FORM_OF_NAME,
    "printer.profile": "1 to 40 of a-z, A-Z, 0-9 and -",
    "screen.organisation": FORM_OF_NAME,
    "screen.browser": FORM_OF_NAME,
    "web.hotspot_address": "an IPv4 address: four numbers with points between",
}
_EXAMPLES = {
    "site": "a section [site]",
    "site.role": 'role = "kiosk"',
    "site.id": "id = 47",
    "site.name": 'name = "Buurthuis De Regenboog"',
    "site.place": 'place = "Kerkplein 1, Maastricht"',
    "region": "a section [region]",
    "region.name": 'name = "Zuid-Limburg"',
    "region.coordinator": "coordinator = 1",
    "region.coordinator_name": 'coordinator_name = "Brandweerkazerne Noord"',
    "region.fallback_address": 'fallback_address = "Willem Alexanderweg 1, Maastricht"',
    "region.sites": "sites = 30",
    "keys": "a section [keys]",
    "keys.file": 'file = "site.keys"',
    "radio": "a section [radio]",
    "radio.kind": 'kind = "serial"',
    "radio.host": 'host = "127.0.0.1"',
    "radio.port": "port = 4403",
    "radio.path": 'path = "/dev/serial/by-path/platform-xhci-hcd.1-usb-0:1:1.0"',
    "radio.node": 'node = "!a1b2c3d4"',
    "radio.channel": 'channel = "serial"',
    "radio.emergency_channel": 'emergency_channel = "noodnet"',
    "radio.hop_limit": "hop_limit = 3",
    "radio.region": 'region = "EU_868"',
    "radio.preset": 'preset = "LONG_FAST"',
    "radio.role": 'role = "CLIENT"',
    "radio.long_name": 'long_name = "Steunpunt De Regenboog"',
    "radio.short_name": 'short_name = "SP47"',
    "radio.channel_key_file": 'channel_key_file = "channel.key"',
    "radio.firmware": 'firmware = "2.7.26"',
    "radio.position": "a section [radio.position]",
    "radio.position.latitude": "latitude = 50.8514",
    "radio.position.longitude": "longitude = 5.691",
    "radio.position.altitude_m": "altitude_m = 49",
    "broker": "a section [broker]",
    "broker.enabled": "enabled = true",
    "broker.host": 'host = "127.0.0.1"',
    "broker.port": "port = 1883",
    "broker.username": 'username = "steunpunt"',
    "broker.password_file": 'password_file = "broker.password"',
    "broker.mesh_root": 'mesh_root = "msh/EU_868"',
    "broker.downlink": "a section [broker.downlink]",
    "broker.downlink.airtime_s_per_hour_max": "airtime_s_per_hour_max = 36",
    "broker.homeassistant": "a section [broker.homeassistant]",
    "broker.homeassistant.discovery_prefix": 'discovery_prefix = "homeassistant"',
    "broker.bridge": "a section [broker.bridge]",
    "broker.bridge.host": 'host = "broker.example.org"',
    "broker.bridge.port": "port = 8883",
    "broker.bridge.ca_file": 'ca_file = "region-ca.pem"',
    "broker.bridge.certificate_file": 'certificate_file = "site.pem"',
    "ledger.key_file": 'key_file = "ledger.key"',
    "broker.bridge.key_file": 'key_file = "site-key.pem"',
    "broker.region_listener": "a section [broker.region_listener]",
    "broker.region_listener.host": 'host = "0.0.0.0"',
    "broker.region_listener.port": "port = 8883",
    "broker.region_listener.ca_file": 'ca_file = "region-ca.pem"',
    "broker.region_listener.certificate_file": 'certificate_file = "region.pem"',
    "broker.region_listener.key_file": 'key_file = "region-key.pem"',
    "broker.region_listener.barred": "barred = [47]",
    "ledger": "a section [ledger]",
    "ledger.path": 'path = "/var/lib/steunpunt/ledger.db"',
    "control": "a section [control]",
    "control.socket": 'socket = "/run/steunpunt/node.sock"',
    "relay": "a section [relay]",
    "relay.fallback_min": "fallback_min = 5",
    "web": "a section [web]",
    "web.host": 'host = "127.0.0.1"',
    "web.port": "port = 8080",
    "web.hotspot_address": 'hotspot_address = "10.42.0.1"',
    "web.desk_passwords_file": 'desk_passwords_file = "desk.passwords"',
    "point": "a section [[point]]",
    "point.id": "id = 47",
    "point.name": 'name = "Buurthuis De Regenboog"',
    "point.place": 'place = "Kerkplein 1, Maastricht"',
    "point.coordinator": "coordinator = 1",
    "other_coordinator": "a section [[other_coordinator]]",
    "other_coordinator.id": "id = 2",
    "other_coordinator.name": 'name = "Brandweerkazerne West"',
    "kiosk": "a section [kiosk]",
    "kiosk.content": 'content = "content"',
    "kiosk.broadcaster": 'broadcaster = "L1, 95.3 FM"',
    "kiosk.demo": "demo = false",
    "kiosk.idle_warning_s": "idle_warning_s = 60",
    "kiosk.idle_wipe_s": "idle_wipe_s = 120",
    "screen": "a section [screen]",
    "screen.theme": 'theme = "auto"',
    "screen.logo": 'logo = "logo.svg"',
    "screen.organisation": 'organisation = "Gemeente Maastricht"',
    "screen.audio": 'audio = "/var/lib/steunpunt-audio"',
    "screen.port": "port = 8079",
    "screen.browser": 'browser = "chromium"',
    "panel": "a section [panel]",
    "panel.pins": 'pins = "gpio"',
    "panel.buzzer_pin": "buzzer_pin = 22",
    "panel.lamp_percent": "lamp_percent = 100",
    "panel.night_percent": "night_percent = 20",
    "panel.night_from": 'night_from = "22:00"',
    "panel.night_until": 'night_until = "07:00"',
    "panel.button.hold_s": "hold_s = 3",
    "panel.button": "a section [[panel.button]]",
    "panel.button.name": 'name = "help"',
    "panel.button.button_pin": "button_pin = 17",
    "panel.button.lamp_pin": "lamp_pin = 27",
    "panel.button.cancel_s": "cancel_s = 30",
    "housekeeping": "a section [housekeeping]",
    "housekeeping.check_hours": "check_hours = 24",
    "housekeeping.copy_folder": 'copy_folder = "/mnt/steunpunt-copy"',
    "housekeeping.copy_hours": "copy_hours = 6",
    "housekeeping.copies": "copies = 4",
    "housekeeping.pages_folder": 'pages_folder = "/var/lib/steunpunt-pages"',
    "housekeeping.pages_stick": 'pages_stick = "/mnt/steunpunt-pages"',
    "staff": "a section [staff]",
    "staff.pin_file": 'pin_file = "staff.pin"',
    "staff.over_wifi": "over_wifi = false",
    "retention": "a section [retention]",
    "retention.closed_days": "closed_days = 30",
    "printer": "a section [printer]",
    "printer.kind": 'kind = "network"',
    "printer.host": 'host = "192.168.1.50"',
    "printer.port": "port = 9100",
    "printer.path": 'path = "/dev/usb/lp0"',
    "printer.baud": "baud = 19200",
    "printer.width_chars": "width_chars = 42",
    "printer.profile": 'profile = "TM-T88V"',
    "printer.confirms": "confirms = true",
    "printer.taken_by": 'taken_by = "Knop in de kazerne"',
    "power": "a section [power]",
    "power.source": 'source = "nut"',
    "power.poll_s": "poll_s = 10",
    "power.capacity_wh": "capacity_wh = 500.0",
    "power.draw_w": "draw_w = 5.0",
    "power.low_percent": "low_percent = 30",
    "power.critical_percent": "critical_percent = 10",
    "power.battery_after_s": "battery_after_s = 10",
    "power.mains_after_s": "mains_after_s = 60",
    "power.farewell_s": "farewell_s = 30",
    "power.awake_s": "awake_s = 120",
    "power.sysfs_path": 'sysfs_path = "/sys/class/power_supply"',
    "power.backlight_path": 'backlight_path = "/sys/class/backlight/10-0045"',
    "power.touch_path": 'touch_path = "/dev/input/by-path/platform-1f00088000.i2c-event"',
    "power.command_s_max": "command_s_max = 20",
    "power.shutdown_command": 'shutdown_command = "systemctl poweroff"',
    "power.cut_command": 'cut_command = "upscmd -u steunpunt -p geheim ups shutdown.return"',
    "power.call_off_command": 'call_off_command = "shutdown -c"',
    "power.nut": "a section [power.nut]",
    "power.nut.ups": 'ups = "ups"',
    "power.nut.host": 'host = "127.0.0.1"',
    "power.nut.port": "port = 3493",
    "power.hat": "a section [power.hat]",
    "power.hat.gauge": 'gauge = "max1704x"',
    "power.hat.i2c_bus": "i2c_bus = 1",
    "power.hat.i2c_address": "i2c_address = 0x36",
    "power.hat.cells": "cells = 1",
    "power.hat.shunt_mohm": "shunt_mohm = 100",
    "power.hat.charging": 'charging = "positive"',
    "power.hat.empty_v": "empty_v = 3.0",
    "power.hat.full_v": "full_v = 4.2",
    "power.hat.mains_pin": "mains_pin = 6",
    "power.hat.mains_level": 'mains_level = "low"',
    "power.shed": "a section [[power.shed]]",
    "power.shed.action": 'action = "dim"',
    "power.shed.below_percent": "below_percent = 50",
    "power.shed.command": 'command = "systemctl stop steunpunt-screen.service"',
    "power.shed.undo_command": 'undo_command = "systemctl start steunpunt-screen.service"',
    "power.shed.percent": "percent = 30",
    "power.shed.open_min": "open_min = 10",
    "power.shed.every_min": "every_min = 60",
}


def _of_extra_radio(words: dict[str, str]) -> dict[str, str]:
    """Say of an ``[[extra_radio]]`` what is said of ``[radio]``: it has the same keys."""
    return {f"extra_{key}": text for key, text in words.items() if key.startswith("radio.")}


FORMS: Final = _FORMS | _of_extra_radio(_FORMS) | {"extra_radio.name": _SLUG}
EXAMPLES: Final = (
    _EXAMPLES
    | _of_extra_radio(_EXAMPLES)
    | {
        "extra_radio": "a section [[extra_radio]]",
        "extra_radio.name": 'name = "north"',
        "extra_radio.position": "a section [extra_radio.position]",
    }
)


def plain(key: str) -> str:
    """Drop the number of a repeated section: ``panel.button[1].name`` is ``panel.button.name``."""
    return re.sub(r"\[\d+\]", "", key)


def line_of(text: str, key: str) -> int:
    """Return the best line number for a dotted key: the key inside its section, else the section, else 1."""
    repeated = re.match(r"([\w.\-]+)\[(\d+)\]", key)
    array, passed_over = (repeated[1], int(repeated[2])) if repeated else ("", 0)
    *sections, leaf = plain(key).split(".")
    wanted = ".".join(sections)
    current, best, near, headers = "", 0, 0, 0
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([\w.\-]+)\s*\]", line)
        if header:
            headers += header[1] == "[[" and header[2] == array
            current = header[2] if not array or headers == passed_over + 1 else "another one"
            if current in (wanted, plain(key)):
                best = number
            elif current.startswith(f"{plain(key)}."):
                near = near or number
        elif current == wanted and re.match(rf"\s*{re.escape(leaf)}\s*=", line):
            return number
    # A section may stand on one line, as in position = { latitude = 50.85 }.
    return best or near or (line_of(text, wanted) if wanted and not array else 1)
