"""The thin edge: steps done and undone in their order, failures kept and tried again, a touch, the end."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from steunpunt.power import commands
from steunpunt.power.policy import Decision
from steunpunt.power.shedding import AGAIN_MS, END_AGAIN_MS, Shedder
from steunpunt.power.touch import Touch
from steunpunt.powerconfig import Power, Shed
from steunpunt.powerfacts import PowerSource, PowerState


class Ran:
    """Keeps what was run, and fails what the test says."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.failing: set[str] = set()

    def __call__(self, command: str, seconds_max: float) -> str:
        assert seconds_max == 20
        self.commands.append(command)
        return f"{command}: exit code 1" if command in self.failing else ""


STEPS = tuple(
    Shed(action=action, command=f"{action} off", undo_command=f"{action} on")
    for action in ("dim", "hotspot", "browser")
)


def decision(*shed: Shed, shut_down: bool = False, mains_back: bool = False) -> Decision:
    return Decision(
        state=PowerState.BATTERY,
        source=PowerSource.BATTERY,
        mains=False,
        percent=50.0,
        measured=True,
        hours_left=None,
        draw_w=None,
        shed=shed,
        going_dark=shut_down,
        shut_down=shut_down,
        mains_back=mains_back,
        problems=(),
    )


def shedder(ran: Ran, power: Power | None = None) -> Shedder:
    power = power or Power(source="nut", shed=STEPS)
    return Shedder(power, ran, Touch(power.touch_path))


def test_a_node_that_starts_puts_right_what_an_earlier_one_left() -> None:
    ran = Ran()
    edge = shedder(ran)
    edge.apply(decision(), 0)
    assert ran.commands == ["browser on", "hotspot on", "dim on"], "from the last to the first"
    edge.apply(decision(), 10)
    assert len(ran.commands) == 3, "once"


def test_steps_are_done_in_order_and_undone_the_other_way_round() -> None:
    ran = Ran()
    edge = shedder(ran)
    edge.apply(decision(*STEPS), 0)
    edge.apply(decision(STEPS[0]), 10)
    edge.apply(decision(), 20)
    assert ran.commands == ["dim off", "hotspot off", "browser off", "browser on", "hotspot on", "dim on"]


def test_a_step_that_fails_is_shown_tried_again_and_holds_up_no_other() -> None:
    ran = Ran()
    ran.failing = {"hotspot off"}
    edge = shedder(ran)
    edge.apply(decision(*STEPS), 0)
    assert ran.commands == ["dim off", "hotspot off", "browser off"]
    assert edge.failures == {"hotspot": "hotspot off: exit code 1"}
    edge.apply(decision(*STEPS), AGAIN_MS - 1)
    assert len(ran.commands) == 3
    ran.failing.clear()
    edge.apply(decision(*STEPS), AGAIN_MS)
    assert (ran.commands[3:], edge.failures) == (["hotspot off"], {})


def test_the_end_cuts_then_shuts_down_and_insists() -> None:
    ran = Ran()
    edge = shedder(ran, Power(source="nut", shutdown_command="down", cut_command="cut", call_off_command="call off"))
    for now_ms in (0, 10, END_AGAIN_MS - 1):
        edge.apply(decision(shut_down=True), now_ms)
    assert ran.commands == ["cut", "down"]
    edge.apply(decision(shut_down=True), END_AGAIN_MS)
    assert ran.commands == ["cut", "down"] * 2
    edge.apply(decision(shut_down=True, mains_back=True), END_AGAIN_MS + 10)
    assert ran.commands == ["cut", "down"] * 2, "the cut brings it back, with mains"


def test_where_nothing_cuts_the_power_mains_that_is_back_calls_it_off_once() -> None:
    ran = Ran()
    ran.failing = {"down"}
    edge = shedder(ran, Power(source="nut", shutdown_command="down", call_off_command="call off"))
    edge.apply(decision(shut_down=True), 0)
    assert edge.failures == {"shutdown": "down: exit code 1"}
    for now_ms in (10, 20, 10 * END_AGAIN_MS):
        edge.apply(decision(shut_down=True, mains_back=True), now_ms)
    assert ran.commands == ["down", "call off"]
    edge.apply(decision(), 11 * END_AGAIN_MS)
    edge.apply(decision(shut_down=True), 12 * END_AGAIN_MS)
    assert ran.commands == ["down", "call off", "down"]


# --- backlight and touch -----------------------------------------------------------------------------------------


@pytest.fixture
def light(tmp_path: Path) -> Path:
    folder = tmp_path / "panel"
    folder.mkdir()
    for name, value in (("max_brightness", 200), ("brightness", 180), ("bl_power", 0)):
        (folder / name).write_text(f"{value}\n", "ascii")
    return folder


@pytest.fixture
def finger(tmp_path: Path) -> Iterator[int]:
    """A touch screen's device as a pipe: what is written here, a finger did."""
    os.mkfifo(tmp_path / "touch")
    descriptor = os.open(tmp_path / "touch", os.O_RDWR | os.O_NONBLOCK)
    yield descriptor
    os.close(descriptor)


def value(folder: Path, name: str) -> int:
    return int((folder / name).read_text("ascii"))


DIM, DARK = Shed(action="dim", percent=25), Shed(action="screen", below_percent=80)


def test_brightness_goes_down_and_back_to_what_it_was(light: Path) -> None:
    edge = shedder(Ran(), Power(source="nut", backlight_path=str(light), shed=(DIM,)))
    edge.apply(decision(DIM), 0)
    assert value(light, "brightness") == 50
    edge.apply(decision(), 10)
    assert value(light, "brightness") == 180


def test_what_an_earlier_node_dimmed_becomes_bright_again(light: Path) -> None:
    (light / "brightness").write_text("50", "ascii")
    edge = shedder(Ran(), Power(source="nut", backlight_path=str(light), shed=(DIM,)))
    edge.apply(decision(DIM), 0)
    edge.apply(decision(), 10)
    assert value(light, "brightness") == 200


def test_a_screen_goes_dark_and_a_touch_is_felt(light: Path, tmp_path: Path, finger: int) -> None:
    power = Power(source="nut", backlight_path=str(light), touch_path=str(tmp_path / "touch"), shed=(DIM, DARK))
    touch = Touch(power.touch_path)
    edge = Shedder(power, Ran(), touch)
    assert touch.fileno() is None
    edge.apply(decision(DIM, DARK), 0)
    assert (value(light, "bl_power"), touch.fileno() is None) == (4, False)
    os.write(finger, b"x" * 24)
    assert touch.touched()
    edge.apply(decision(DIM), 10)
    assert (value(light, "bl_power"), touch.fileno()) == (0, None)
    assert not touch.touched()


def test_a_screen_that_nobody_could_wake_stays_on(light: Path, tmp_path: Path) -> None:
    power = Power(source="nut", backlight_path=str(light), touch_path=str(tmp_path / "none"), shed=(DARK,))
    edge = shedder(Ran(), power)
    edge.apply(decision(DARK), 0)
    assert value(light, "bl_power") == 0
    assert "the screen stays on, for nobody could wake it" in edge.failures["screen"]


@pytest.mark.parametrize("trouble", ["gone", "garbage"])
def test_a_backlight_that_is_not_there_is_one_line(trouble: str, light: Path) -> None:
    if trouble == "gone":
        (light / "max_brightness").unlink()
    else:
        (light / "max_brightness").write_text("bright", "ascii")
    edge = shedder(Ran(), Power(source="nut", backlight_path=str(light), shed=(DIM,)))
    edge.apply(decision(DIM), 0)
    assert edge.failures["dim"].endswith("may the node write there?")
    assert "\n" not in edge.failures["dim"]


# --- real commands -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("true", ""),
        ("false", "false: exit code 1"),
        ("sh -c 'echo kapot >&2; exit 3'", "sh: exit code 3: kapot"),
        ("/no/such/program now", "/no/such/program: cannot be run (No such file or directory); correct the command"),
        ("sleep 60", "sleep: not done after 0.3 s, stopped"),
        ("sh -c 'sleep 60 & sleep 60'", "sh: not done after 0.3 s, stopped"),
        ("sh -c 'cat; cat >&2 /dev/stdin'", ""),
    ],
)
def test_a_command_is_bounded_and_tells_what_went_wrong_in_one_line(command: str, says: str) -> None:
    said = commands.run(command, 0.3 if "sleep" in command else 10)
    assert said.startswith(says)
    assert bool(said) is bool(says)
    assert "\n" not in said


def test_a_command_that_leaves_a_child_behind_is_done_when_it_is_done(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    assert commands.run(f"sh -c 'sleep 60 & echo $! > {pid}'", 5) == ""
    os.kill(int(pid.read_text("ascii")), 9)


def test_a_command_that_talks_without_end_is_told_in_short() -> None:
    said = commands.run("sh -c 'head -c 300000 /dev/zero | tr \"\\\\0\" x; exit 1'", 10)
    assert said.startswith("sh: exit code 1: xxx")
    assert len(said) < 300
