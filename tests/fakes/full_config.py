"""A config file that holds every key there is."""

from tests.fakes.power_toml import POWER_TOML

FULL = (
    """\
[site]
role = "coordinator"
id = 1
name = "Buurthuis"
place = "Kerkplein 1"

[region]
name = "Zuid-Limburg"
coordinator = 1
coordinator_name = "Kazerne Noord"
fallback_address = "Weg 1"
sites = 30

[keys]
file = "site.keys"

[radio]
kind = "tcp"
host = "127.0.0.1"
port = 4403
path = "radio"
node = "!a1b2c3d4"
channel = "serial"
emergency_channel = "noodnet"
hop_limit = 3
region = "EU_868"
preset = "LONG_FAST"
role = "CLIENT"
long_name = "Buurthuis"
short_name = "SP47"
channel_key_file = "channel.key"
firmware = "2.7.26"

[radio.position]
latitude = 50.8514
longitude = 5.691
altitude_m = 49

[broker]
enabled = true
host = "127.0.0.1"
port = 1883
username = "steunpunt"
password_file = "broker.password"
mesh_root = "msh/EU_868"

[broker.downlink]
airtime_s_per_hour_max = 36

[broker.homeassistant]
discovery_prefix = "homeassistant"

[broker.bridge]
host = "broker.example.org"
port = 8883
ca_file = "ca.pem"
certificate_file = "site.pem"
key_file = "site-key.pem"

[broker.region_listener]
host = "0.0.0.0"
port = 8883
ca_file = "ca.pem"
certificate_file = "region.pem"
key_file = "region-key.pem"
barred = [46]

[ledger]
path = "ledger.db"
key_file = "ledger.key"

[control]
socket = "node.sock"

[relay]
fallback_min = 5

[web]
host = "127.0.0.1"
port = 8080
hotspot_address = "10.42.0.1"
desk_passwords_file = "desk.passwords"

[kiosk]
content = "content"
broadcaster = "L1, 95.3 FM"
demo = false
idle_warning_s = 60
idle_wipe_s = 120

[screen]
theme = "auto"
logo = "logo.svg"
organisation = "Gemeente"
audio = "audio"
port = 8079
browser = "chromium"
[staff]
pin_file = "staff.pin"
over_wifi = false

[retention]
closed_days = 30

[panel]
pins = "gpio"
buzzer_pin = 22
lamp_percent = 100
night_percent = 20
night_from = "22:00"
night_until = "07:00"

[[panel.button]]
name = "help"
button_pin = 17
lamp_pin = 27
cancel_s = 30
hold_s = 3

[[panel.button]]
name = "entrance"
button_pin = 5
lamp_pin = 6
cancel_s = 30
hold_s = 3

"""
    + POWER_TOML
    + """
[[point]]
id = 47
name = "Buurthuis"
place = "Kerkplein 1"

[[point]]
id = 48
name = "Sporthal"
place = "Kerkplein 2"
coordinator = 2

[[other_coordinator]]
id = 2
name = "Kazerne West"

[[other_coordinator]]
id = 3
name = "Kazerne Oost"

[[extra_radio]]
name = "tower"
kind = "tcp"
host = "192.0.2.7"
port = 4403
path = "radio"
node = "!a1b2c3d5"
channel = "serial"
emergency_channel = "noodnet"
hop_limit = 3
region = "EU_868"
preset = "LONG_FAST"
role = "CLIENT"
long_name = "Toren"
short_name = "TRN"
channel_key_file = "channel.key"
firmware = "2.7.26"

[extra_radio.position]
latitude = 50.8514
longitude = 5.691
altitude_m = 49

[[extra_radio]]
name = "hill"
kind = "tcp"
host = "192.0.2.8"
port = 4403
path = "radio"
node = "!a1b2c3d5"
channel = "serial"
emergency_channel = "noodnet"
hop_limit = 3
region = "EU_868"
preset = "LONG_FAST"
role = "CLIENT"
long_name = "Toren"
short_name = "TRN"
channel_key_file = "channel.key"
firmware = "2.7.26"

[extra_radio.position]
latitude = 50.8514
longitude = 5.691
altitude_m = 49

[housekeeping]
check_hours = 24
copy_folder = "copies"
copy_hours = 6
copies = 4
pages_folder = "pages"
pages_stick = "stick"

[printer]
kind = "network"
host = "192.0.2.9"
port = 9100
path = "printer"
baud = 19200
width_chars = 42
profile = "default"
confirms = true
taken_by = "Knop in de kazerne"
"""
)
