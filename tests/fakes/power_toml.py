"""A kiosk's config file without power, and the section ``[power]`` with every key."""

SITE_TOML = """\
[site]
role = "kiosk"
id = 47
name = "Buurthuis"
place = "Kerkplein 1"
[region]
name = "Zuid"
coordinator_name = "Kazerne"
fallback_address = "Weg 1"
[keys]
file = "site.keys"
[radio]
kind = "tcp"
[broker]
[ledger]
path = "ledger.db"
[control]
socket = "node.sock"
"""

POWER_TOML = """\
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
"""
