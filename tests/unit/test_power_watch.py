"""The power thread: reads, decides, acts and tells; what goes wrong in a source or a command does not stop it."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from steunpunt.model import Event
from steunpunt.power.reading import ReadingError
from steunpunt.power.watch import PowerWatch
from steunpunt.powerconfig import Power, Shed
from steunpunt.powerfacts import PowerSeen, PowerSource, PowerState
from tests.fakes.batteries import Battery

Wait = Callable[..., None]
POWER = Power(
    source="nut",
    poll_s=30,
    capacity_wh=100,
    draw_w=10,
    battery_after_s=0,
    farewell_s=60,
    shutdown_command="poweroff",
    cut_command="cut",
    shed=(
        Shed(action="hotspot", command="hotspot off", undo_command="hotspot on", below_percent=70),
        Shed(action="heartbeat", below_percent=50),
        Shed(action="browser", command="browser off", undo_command="browser on", below_percent=40),
    ),
)


@dataclass
class Rig:
    """A watch over a battery, looked through by hand."""

    battery: Battery = field(default_factory=lambda: Battery(100, 10, shows="fine", measured=True))
    power: Power = POWER
    error: Exception | None = None
    events: list[Event] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    closed: int = 0
    now_ms: int = 0

    def __post_init__(self) -> None:
        self.watch = PowerWatch(self.power, self.events.append, self, clock=lambda: self.now_ms, run=self.run)

    def read(self) -> dict[str, str]:
        if self.error is not None:
            raise self.error
        return self.battery.variables()

    def close(self) -> None:
        self.closed += 1

    def run(self, command: str, seconds_max: float) -> str:
        assert seconds_max == self.power.command_s_max
        self.commands.append(command)
        return ""

    def looks(self, minutes: float, step_s: int = 30) -> None:
        for _ in range(round(minutes * 60 / step_s)):
            self.watch.look()
            self.battery.pass_time(step_s)
            self.now_ms += step_s * 1000

    @property
    def seen(self) -> PowerSeen:
        last = self.events[-1]
        assert isinstance(last, PowerSeen)
        return last


def test_a_whole_discharge_is_acted_on_told_and_undone() -> None:
    rig = Rig()
    rig.looks(5)
    assert rig.commands == ["browser on", "hotspot on"], "whatever an earlier node left"
    assert rig.seen.state is PowerState.MAINS
    rig.battery.mains = False
    while "poweroff" not in rig.commands:
        rig.looks(1)
        assert rig.now_ms < 24 * 3_600_000
    assert [c for c in rig.commands[2:] if not c.startswith("hotspot")] == ["browser off", "cut", "poweroff"]
    seen = [event for event in rig.events if isinstance(event, PowerSeen)]
    assert seen[-1].going_dark
    assert seen[-1].slow_heartbeat
    assert (seen[-1].source, seen[-1].percent) == (PowerSource.BATTERY, 9)
    assert not any(event.faulty for event in seen)
    assert 90 < len(seen) < 250, "one for each percent and hour, not one for each look"
    told = rig.watch.status()
    assert (told["state"], told["going_dark"], told["shutting_down"]) == ("critical", True, True)
    assert told["shed"][-2:] == ["heartbeat", "browser"]
    assert told["draw_w"] == 10.0
    rig.battery.mains = True
    rig.looks(15)
    assert rig.commands[-2:] == ["browser on", "hotspot on"]
    assert rig.seen.going_dark is False


def test_a_source_that_fails_is_told_as_unknown_with_its_line() -> None:
    rig = Rig(error=ReadingError("UPS ups at 127.0.0.1:3493: upsd cannot be asked (no answer); is nut-server running?"))
    rig.looks(1)
    assert rig.seen == PowerSeen(faulty=True)
    told = rig.watch.status()
    assert (told["state"], told["percent"], told["hours_left"], told["mains"]) == ("unknown", None, None, None)
    assert told["problems"] == [str(rig.error)]
    rig.error = None
    rig.looks(1)
    assert (rig.seen.state, rig.seen.faulty, rig.watch.status()["problems"]) == (PowerState.MAINS, False, [])


def test_status_before_the_first_look_and_the_age_of_a_reading() -> None:
    rig = Rig()
    assert rig.watch.status() == {}
    rig.looks(0.5)
    assert rig.watch.status()["age_s"] == 30


def test_the_thread_survives_what_breaks_a_look_and_stops_in_time(wait_until: Wait) -> None:
    rig = Rig(power=Power(source="nut", poll_s=1), error=ZeroDivisionError("planted"))
    rig.watch.start()
    rig.error = None
    wait_until(lambda: rig.events, 10, "it looks again after a defect")
    rig.watch.stop(5)
    assert rig.closed == 1
    assert "power" not in [thread.name for thread in threading.enumerate()]


def test_a_touch_on_the_dark_screen_and_a_pressed_button_wake_it_at_once(tmp_path: Path, wait_until: Wait) -> None:
    os.mkfifo(tmp_path / "touch")
    finger = os.open(tmp_path / "touch", os.O_RDWR | os.O_NONBLOCK)
    dark = Shed(action="screen", command="screen off", undo_command="screen on")
    power = Power(source="nut", poll_s=60, battery_after_s=0, touch_path=str(tmp_path / "touch"), shed=(dark,))
    rig = Rig(battery=Battery(mains=False), power=power)
    rig.watch.start()
    try:
        wait_until(lambda: rig.commands == ["screen off"], 10, "dark")
        os.write(finger, b"x" * 24)
        wait_until(lambda: rig.commands == ["screen off", "screen on"], 10, "a touch wakes it within the poll")
        rig.now_ms += power.awake_s * 1000
        rig.watch._wake()
        wait_until(lambda: len(rig.commands) == 3, 10, "dark again")
        rig.watch.touched()
        wait_until(lambda: rig.commands[-1] == "screen on", 10, "so does a button")
    finally:
        rig.watch.stop(5)
        os.close(finger)


def test_a_source_that_hangs_does_not_hold_up_the_stop() -> None:
    let_go = threading.Event()

    class Hung(Rig):
        def read(self) -> dict[str, str]:
            let_go.wait(30)
            return {}

    rig = Hung()
    rig.watch.start()
    rig.watch.stop(0.2)
    assert rig.closed == 0, "what the thread still uses is left to it"
    let_go.set()
    rig.watch.stop(5)
    assert rig.closed == 1
