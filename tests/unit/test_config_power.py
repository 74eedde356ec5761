"""Keys of ``[power]`` that are each well-formed and contradict each other."""

from pathlib import Path

import pytest

from steunpunt.config import load
from steunpunt.model import ConfigError
from tests.fakes.power_toml import POWER_TOML, SITE_TOML

SITE = SITE_TOML + "[panel]\nbuzzer_pin = 22\n"


def refusal(folder: Path, text: str) -> str:
    path = folder / "site.toml"
    path.write_text(SITE + text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"{path}:")


def power(*changes: tuple[str, str]) -> str:
    text = POWER_TOML
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


HAT = ('source = "nut"', 'source = "hat"')
FIRST, SECOND = 'action = "dim"', 'action = "browser"'
FIRST_HAND = f'{FIRST}\nbelow_percent = 100\ncommand = "true"\nundo_command = "true"'
SECOND_HAND = f'{SECOND}\nbelow_percent = 40\ncommand = "true"\nundo_command = "true"'


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ((("critical_percent = 10", "critical_percent = 30"),), "write less than 30"),
        ((('cut_command = "true"', 'cut_command = "sh -c \'half"'),), "a quote that is not closed"),
        ((('shutdown_command = "systemctl poweroff"', 'shutdown_command = " "'),), "a command has no word in it"),
        ((HAT, ('gauge = "ina219"', 'gauge = "none"'), ("mains_pin = 4", "")), "no gauge and no mains_pin"),
        ((HAT, ('gauge = "ina219"', 'gauge = "max1704x"'), ("mains_pin = 4", "")), "nothing tells of mains"),
        ((HAT, ("empty_v = 6.0", "")), "belong together"),
        ((HAT, ("empty_v = 6.0", "empty_v = 9.0")), "empty_v is not below full_v"),
        ((HAT, ("mains_pin = 4", "mains_pin = 22")), "pin 22 is the panel's"),
        (((SECOND, FIRST),), "dim is listed twice"),
        ((("below_percent = 100", "below_percent = 39"),), "comes after one with a lower percentage"),
        ((("below_percent = 40", "below_percent = 10"),), "browser would never come; write more than 10"),
        (((SECOND_HAND, SECOND),), "nothing says how browser is done and undone; add command and undo_command"),
        (((SECOND_HAND, SECOND_HAND.replace('undo_command = "true"', "")),), "nothing says how browser"),
        (((FIRST_HAND, FIRST), ('backlight_path = "/sys/class/backlight/panel"', "")), "or power.backlight_path"),
        (((SECOND, 'action = "heartbeat"'),), "heartbeat is the node's own"),
        (((SECOND, 'action = "screen"'), ('touch_path = "/dev/input/event0"', "")), "add power.touch_path"),
        (((FIRST, 'action = "hotspot"'), ("open_min = 10", "open_min = 60")), "open_min is not below every_min"),
    ],
)
def test_keys_that_contradict_each_other(changes: tuple[tuple[str, str], ...], says: str, tmp_path: Path) -> None:
    message = refusal(tmp_path, power(*changes))
    assert says in message
    assert message.partition(":")[0].isdigit()


def test_a_file_without_and_with_power(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE, "utf-8")
    assert load(path).power is None
    path.write_text(SITE + power(HAT), "utf-8")
    loaded = load(path).power
    assert loaded is not None
    assert [shed.action for shed in loaded.shed] == ["dim", "browser"]
    path.write_text(SITE + '[power]\nsource = "sysfs"\nbacklight_path = "light"\n', "utf-8")
    loaded = load(path).power
    assert loaded is not None
    assert loaded.backlight_path == str(tmp_path / "light")
