"""The config files of the demo's sites: made-up places with real addresses of this computer."""

from dataclasses import dataclass

NAMES = {
    "kiosk-a": ("Buurthuis De Regenboog", "Kerkplein 1, Maastricht"),
    "kiosk-b": ("Sporthal De Geusselt", "Stadionplein 12, Maastricht"),
    "coordinator": ("Brandweerkazerne Noord", "Willem Alexanderweg 1, Maastricht"),
}
SLIPS = "slips.escpos"
"""What the fire station's printer would print, in the site's folder."""
PIN_FILE = "staff.pin"
"""The hash of a kiosk's staff PIN, in the site's folder."""
POSITIONS = {"kiosk-a": "50.8514,5.6910", "kiosk-b": "50.8560,5.7170", "coordinator": "50.8620,5.6980"}


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of a site on 127.0.0.1; ``road`` is the region's TLS port, or a kiosk's own end of the cable to it."""

    web: int
    broker: int
    radio: int
    road: int


def kiosk_toml(name: str, number: int, ports: Ports, cancel_s: int) -> str:
    """Return a kiosk's config file."""
    return _toml(name, "kiosk", number, ports) + (
        "\n[kiosk]\ndemo = true\n"
        f'\n[staff]\npin_file = "{PIN_FILE}"\n'
        '\n[panel]\npins = "mock"\nbuzzer_pin = 22\n\n'
        f'[[panel.button]]\nname = "help"\nbutton_pin = 17\nlamp_pin = 27\ncancel_s = {cancel_s}\n'
    )


def coordinator_toml(name: str, number: int, ports: Ports, kiosks: dict[str, int]) -> str:
    """Return the coordinator's config file; its desk knows the kiosks (name to id) by name and place."""
    points = "".join(
        f'\n[[point]]\nid = {kiosk_id}\nname = "{NAMES[kiosk][0]}"\nplace = "{NAMES[kiosk][1]}"\n'
        for kiosk, kiosk_id in kiosks.items()
    )
    box = (
        '\n[panel]\npins = "mock"\nbuzzer_pin = 22\n\n'
        '[[panel.button]]\nname = "take"\nbutton_pin = 17\nlamp_pin = 27\n'
        f'\n[printer]\nkind = "file"\npath = "{SLIPS}"\nwidth_chars = 32\n'
    )
    return _toml(name, "coordinator", number, ports) + box + points


def _toml(name: str, role: str, number: int, ports: Ports) -> str:
    title, place = NAMES[name]
    desk = role == "coordinator"
    own = "coordinator" if desk else "site"
    road, pem = ("region_listener", "region") if desk else ("bridge", "site")
    return f"""\
[site]
role = "{role}"
id = {number}
name = "{title}"
place = "{place}"

[region]
name = "Demo"
coordinator = 1
coordinator_name = "{NAMES["coordinator"][0]}"
fallback_address = "{NAMES["coordinator"][1]}"

[keys]
file = "{own}.keys"

[radio]
kind = "tcp"
host = "127.0.0.1"
port = {ports.radio}
channel = "serial"
hop_limit = 3

[broker]
host = "127.0.0.1"
port = {ports.broker}
password_file = "broker.password"

[broker.{road}]
host = "127.0.0.1"
port = {ports.road}
ca_file = "region-ca.pem"
certificate_file = "{pem}.pem"
key_file = "{pem}-key.pem"

[ledger]
path = "ledger.db"
{'key_file = "ledger.key"' if desk else ""}

[control]
socket = "node.sock"

[web]
host = "127.0.0.1"
port = {ports.web}
{'desk_passwords_file = "desk.passwords"' if desk else ""}
"""
