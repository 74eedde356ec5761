"""The kernel's power supplies, as a tree of files."""

from pathlib import Path

import pytest

from steunpunt.power.reading import Reading, ReadingError, reading_of
from steunpunt.power.sysfs import SysfsReader


def supply(folder: Path, name: str, **files: object) -> None:
    place = folder / name
    place.mkdir(exist_ok=True)
    for file, value in files.items():
        (place / file).write_text(f"{value}\n", "ascii")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    supply(tmp_path, "AC0", type="Mains", online=1)
    supply(tmp_path, "BAT0", type="Battery", present=1, status="Charging", capacity=63, voltage_now=12_600_000)
    supply(tmp_path, "BAT0", current_now=-850_000, power_now=10_710_000, time_to_empty_now=36_000)
    supply(tmp_path, "hid-mouse", type="Battery", scope="Device", status="Discharging", capacity=3)
    return tmp_path


def read(folder: Path) -> Reading:
    return reading_of(SysfsReader(folder).read())


def test_all_that_is_told(tree: Path) -> None:
    assert SysfsReader(tree).read() == {
        "ups.status": "OL CHRG",
        "battery.charge": "63",
        "battery.runtime": "36000",
        "battery.voltage": "12.600000",
        "battery.current": "-0.850000",
        "ups.realpower": "10.710000",
    }
    reading = read(tree)
    assert (reading.mains, reading.charge, reading.watts, reading.problems) == (True, 63, 10.71, ())


def test_the_mains_supply_overrules_the_batterys_own_word(tree: Path) -> None:
    supply(tree, "AC0", online=0)
    supply(tree, "BAT0", status="Full")
    assert read(tree).mains is False
    supply(tree, "usb", type="USB", online=1)
    assert read(tree).mains is True


@pytest.mark.parametrize(
    ("status", "mains"),
    [
        ("Charging", True),
        ("Full", True),
        ("Not charging", True),
        ("Discharging", False),
        ("Unknown", None),
        ("?", None),
    ],
)
def test_a_battery_alone(status: str, *, mains: bool | None, tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", type="Battery", status=status, capacity=63)
    assert read(tmp_path).mains is mains


def test_what_is_absurd_is_not_known(tree: Path) -> None:
    supply(tree, "BAT0", capacity="many", voltage_now="x", power_now=-5, current_now="")
    reading = read(tree)
    assert (reading.charge, reading.volts, reading.watts) == (None, None, None)
    assert len(reading.problems) == 4
    (tree / "BAT0" / "capacity").write_bytes(b"\xff" * 10_000)
    assert read(tree).charge is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"type": "Mains", "online": 1}, "the kernel knows no battery; is it plugged in"),
        ({"type": "Battery", "scope": "Device", "capacity": 50}, "the kernel knows no battery"),
        ({"type": "Battery", "present": 0, "capacity": 50}, "its battery is absent; is it plugged in"),
    ],
)
def test_no_battery_is_one_line(changes: dict[str, object], says: str, tmp_path: Path) -> None:
    supply(tmp_path, "one", **changes)
    with pytest.raises(ReadingError) as caught:
        SysfsReader(tmp_path).read()
    assert says in str(caught.value)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match="cannot be read \\(No such file or directory\\)"):
        SysfsReader(tmp_path / "none").read()
