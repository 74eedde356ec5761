"""A config file that holds every key there is."""

FULL = """\
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

[panel]
pins = "gpio"
buzzer_pin = 22

[[panel.button]]
name = "help"
button_pin = 17
lamp_pin = 27
cancel_s = 30

[[panel.button]]
name = "entrance"
button_pin = 5
lamp_pin = 6
cancel_s = 30

[power]
source = "nut"
poll_s = 10
capacity_wh = 500.0
draw_w = 5.0
low_percent = 30
critical_percent = 10
battery_after_s = 10
mains_after_s = 60
farewell_s = 30
awake_s = 120
sysfs_path = "/sys/class/power_supply"
backlight_path = "/sys/class/backlight/panel"
touch_path = "/dev/input/event0"
command_s_max = 20
shutdown_command = "systemctl poweroff"
cut_command = "true"
call_off_command = "true"

[power.nut]
ups = "ups"
host = "127.0.0.1"
port = 3493

[power.hat]
gauge = "ina219"
i2c_bus = 1
i2c_address = 67
cells = 1
shunt_mohm = 100
charging = "positive"
empty_v = 6.0
full_v = 8.4
mains_pin = 4
mains_level = "high"

[[power.shed]]
action = "dim"
below_percent = 100
command = "true"
undo_command = "true"
percent = 30
open_min = 10
every_min = 60

[[power.shed]]
action = "browser"
below_percent = 40
command = "true"
undo_command = "true"
percent = 30
open_min = 10
every_min = 60

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

[extra_radio.position]
latitude = 50.8514
longitude = 5.691
altitude_m = 49
"""
