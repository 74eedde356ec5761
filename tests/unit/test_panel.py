"""Buttons, lamps and buzzer on gpiozero's own mock pins; the real road down to a chip that a test plays."""

import importlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from steunpunt import panelconfig
from steunpunt.jobfacts import Fault, FaultSeen
from steunpunt.model import ButtonPressed, Event, LampMode, SteunpuntError
from steunpunt.panel import (
    BOUNCE_S,
    MOCK_HISTORY_MAX,
    NotMockError,
    Panel,
    PanelError,
    Reading,
    UnknownButtonError,
    open_pins,
)

WaitUntil = Callable[..., None]
HELP = panelconfig.Button(name="help", button_pin=17, lamp_pin=27)
WATER = panelconfig.Button(name="water", button_pin=5, lamp_pin=6)
SETTINGS = panelconfig.Panel(pins="mock", buzzer_pin=22, button=(HELP, WATER))


class Desk:
    """A started panel, its pins and what reached the inbox."""

    def __init__(self, settings: panelconfig.Panel = SETTINGS) -> None:
        self.pins = open_pins("mock")
        self.events: list[Event] = []
        self.panel = Panel(settings, self.events.append, pins=lambda _: self.pins)
        self.panel.start()

    def pin(self, number: int) -> Any:
        return self.pins.pin(number)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.panel.stop()


def threads_of_panel() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread is not threading.main_thread()}


def test_a_press_puts_one_event_in_the_inbox_at_the_moment_it_goes_down(desk: Desk) -> None:
    desk.pin(17).drive_low()
    assert desk.events == [ButtonPressed("help")]
    desk.pin(17).drive_low()
    desk.pin(17).drive_high()
    assert desk.events == [ButtonPressed("help")], "held or released is no second press"
    desk.pin(5).drive_low()
    assert desk.events == [ButtonPressed("help"), ButtonPressed("water")]


def test_buttons_are_pulled_up_and_debounced(desk: Desk) -> None:
    assert desk.pin(17).pull == "up"
    assert desk.pin(17).bounce == BOUNCE_S


def test_a_button_that_is_stuck_at_start_is_no_press() -> None:
    pins = open_pins("mock")
    pins.pin(17).drive_low()
    events: list[Event] = []
    panel = Panel(SETTINGS, events.append, pins=lambda _: pins)
    panel.start()
    assert events == []
    panel.stop()


def test_pressing_from_software_goes_through_the_pin(desk: Desk) -> None:
    desk.panel.press("help")
    desk.panel.press("help")
    assert desk.events == [ButtonPressed("help"), ButtonPressed("help")]
    assert desk.pin(17).state, "released again"


def test_the_lamp_is_read_back_from_its_pin(desk: Desk, wait_until: WaitUntil) -> None:
    lamp = desk.pin(27)
    assert desk.panel.read("help") == Reading(LampMode.OFF, buzzer=False)
    assert not lamp.state

    desk.panel.set_lamp("help", LampMode.BLINKING)
    for lit in (True, False, True):
        wait_until(lambda lit=lit: lamp.state is lit, 5.0, f"lamp {lit}")
        assert desk.panel.read("help").lamp is LampMode.BLINKING

    desk.panel.set_lamp("help", LampMode.STEADY)
    assert lamp.state
    assert desk.panel.read("help").lamp is LampMode.STEADY
    lamp.state = False
    assert desk.panel.read("help").lamp is LampMode.OFF, "what the pin says, not what it was told"
    assert desk.panel.read("water").lamp is LampMode.OFF


def test_a_blinking_lamp_goes_at_one_hertz_and_the_mock_forgets(desk: Desk, wait_until: WaitUntil) -> None:
    lamp = desk.pin(27)
    lamp.clear_states()
    desk.panel.set_lamp("help", LampMode.BLINKING)
    wait_until(lambda: len(lamp.states) >= 5, 10.0, "two blinks")
    waits = [state.timestamp for state in lamp.states[2:5]]
    assert all(0.45 <= wait <= 0.9 for wait in waits), waits
    desk.panel.set_lamp("help", LampMode.OFF)
    for _ in range(MOCK_HISTORY_MAX):
        desk.panel.set_lamp("help", LampMode.STEADY)
        desk.panel.set_lamp("help", LampMode.OFF)
    assert len(lamp.states) == MOCK_HISTORY_MAX


def test_off_and_steady_wake_nobody(wait_until: WaitUntil) -> None:
    before = threads_of_panel()
    desk = Desk()
    desk.panel.set_lamp("help", LampMode.STEADY)
    assert threads_of_panel() == before, "an idle panel has no thread"
    desk.panel.set_lamp("help", LampMode.BLINKING)
    desk.panel.set_lamp("water", LampMode.BLINKING)
    assert threads_of_panel() - before == {"panel-blinker"}, "one thread for all lamps"
    desk.panel.set_lamp("help", LampMode.STEADY)
    desk.panel.set_lamp("water", LampMode.OFF)
    wait_until(lambda: threads_of_panel() == before, 5.0, "the blinking thread to end")
    desk.panel.set_lamp("help", LampMode.BLINKING)
    assert desk.panel.read("help").lamp is LampMode.BLINKING, "and it blinks again"
    desk.panel.stop()
    assert threads_of_panel() == before


def test_the_buzzer_sounds_and_ends_by_itself(desk: Desk, wait_until: WaitUntil) -> None:
    desk.panel.sound("help", 0.2)
    wait_until(lambda: desk.panel.read("help").buzzer, 5.0, "buzzer on")
    assert desk.pin(22).state
    wait_until(lambda: not desk.panel.read("water").buzzer, 5.0, "buzzer off")
    assert not desk.pin(22).state


def test_a_sound_has_a_longest_time_and_can_be_silenced(
    desk: Desk, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steunpunt.panel.SOUND_S_MAX", 0.2)
    desk.panel.sound("help", 1e9)
    wait_until(lambda: desk.panel.read("help").buzzer, 5.0, "buzzer on")
    wait_until(lambda: not desk.panel.read("help").buzzer, 5.0, "cut off")
    monkeypatch.undo()
    desk.panel.sound("help", 20)
    wait_until(lambda: desk.panel.read("help").buzzer, 5.0, "buzzer on")
    desk.panel.sound("help", 0)
    assert not desk.panel.read("help").buzzer


def test_a_panel_without_a_buzzer_is_silent() -> None:
    desk = Desk(panelconfig.Panel(pins="mock", button=(HELP,)))
    desk.panel.sound("help", 1)
    assert desk.panel.read("help") == Reading(LampMode.OFF, buzzer=False)
    desk.panel.stop()


def test_an_unknown_name_is_an_error_that_names_the_known_ones(desk: Desk) -> None:
    for act in (
        lambda: desk.panel.press("fire"),
        lambda: desk.panel.read("fire"),
        lambda: desk.panel.set_lamp("fire", LampMode.OFF),
        lambda: desk.panel.sound("fire", 1),
    ):
        with pytest.raises(UnknownButtonError, match="fire; known here: help, water") as caught:
            act()
        assert isinstance(caught.value, LookupError | SteunpuntError)


def test_stop_darkens_and_releases_and_may_be_called_twice(wait_until: WaitUntil) -> None:
    desk = Desk()
    lamp, buzzer = desk.pin(27), desk.pin(22)
    desk.panel.set_lamp("help", LampMode.BLINKING)
    desk.panel.sound("help", 20)
    wait_until(lambda: buzzer.state and lamp.state, 5.0, "lamp and buzzer on")
    desk.panel.stop()
    desk.panel.stop()
    assert (lamp.function, buzzer.function) == ("input", "input")
    again = Panel(SETTINGS, desk.events.append, pins=lambda _: desk.pins)
    again.start()
    again.press("help")
    again.stop()
    assert desk.events == [ButtonPressed("help")]


def test_a_pin_in_use_leaves_nothing_taken_behind(desk: Desk) -> None:
    second = Panel(
        panelconfig.Panel(pins="mock", button=(panelconfig.Button(name="x", button_pin=9, lamp_pin=27),)),
        desk.events.append,
        pins=lambda _: desk.pins,
    )
    before = threads_of_panel()
    with pytest.raises(PanelError, match=r"panel: a pin cannot be taken \(.*27.*\)"):
        second.start()
    second.stop()
    assert threads_of_panel() == before


def test_presses_from_many_threads_are_all_counted(desk: Desk) -> None:
    def press_thrice() -> None:
        for _ in range(3):
            desk.panel.press("help")

    threads = [threading.Thread(target=press_thrice) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(desk.events) == 12


def test_importing_the_panel_does_not_import_gpiozero() -> None:
    code = "import sys, steunpunt.panel; print('gpiozero' in sys.modules)"
    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert seen.stdout.strip() == "False"


def test_the_environment_does_not_change_the_kind_of_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "native")
    monkeypatch.setenv("GPIOZERO_MOCK_PIN_CLASS", "mockpwmpin")
    desk = Desk()
    assert type(desk.pin(27)).__name__ == "BriefPin"
    desk.panel.stop()


# --- holding, faults, brightness, lamp test ------------------------------------------------------------------------


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def read(self) -> float:
        return self.now_s


@pytest.fixture
def hand() -> Hand:
    return Hand()


def started(settings: panelconfig.Panel, hand: Hand) -> tuple[Panel, Any, list[Event]]:
    pins, events = open_pins("mock"), list[Event]()
    panel = Panel(settings, events.append, pins=lambda _: pins, clock=hand.read)
    panel.start()
    return panel, pins, events


def nudge(panel: Panel) -> None:
    """Let the watching thread look at the clock that was moved."""
    with panel._edge:
        panel._edge.notify()


def test_holding_a_button_is_told_and_a_stuck_one_is_a_fault(hand: Hand, wait_until: WaitUntil) -> None:
    before = threads_of_panel()
    panel, pins, events = started(SETTINGS, hand)
    pins.pin(17).drive_low()
    hand.now_s = 3
    nudge(panel)
    wait_until(lambda: ButtonPressed("help", held=True) in events, 5.0, "held")
    hand.now_s = 60
    nudge(panel)
    wait_until(lambda: FaultSeen(Fault.PANEL, there=True) in events, 5.0, "stuck")
    assert panel.troubles() == [
        "button help: its contact stays closed; look whether something presses it, or at its wires"
    ]
    pins.pin(5).drive_low()
    pins.pin(5).drive_high()
    assert ButtonPressed("water") in events, "the others work on"
    pins.pin(17).drive_high()
    assert events[-1] == FaultSeen(Fault.PANEL, there=False)
    assert panel.troubles() == []
    wait_until(lambda: threads_of_panel() == before, 5.0, "the watching thread to end")
    panel.stop()


def test_a_chattering_button_fills_nothing(hand: Hand) -> None:
    panel, pins, events = started(SETTINGS, hand)
    for _ in range(1_000):
        hand.now_s += 0.05
        pins.pin(17).drive_low()
        pins.pin(17).drive_high()
    assert events.count(ButtonPressed("help")) <= 12
    assert events[-1] == FaultSeen(Fault.PANEL, there=True)
    assert "chatters" in panel.troubles()[0]
    panel.stop()


def test_lamps_are_dimmed_by_night(hand: Hand) -> None:
    dim = panelconfig.Panel(pins="mock", lamp_percent=80, night_percent=20, button=(HELP, WATER))
    panel, pins, _ = started(dim, hand)
    panel.set_lamp("help", LampMode.STEADY)
    assert pins.pin(27).state == 0.8
    panel.set_night(night=True)
    assert pins.pin(27).state == 0.2
    panel.set_lamp("water", LampMode.STEADY)
    assert pins.pin(6).state == 0.2
    assert panel.read("water").lamp is LampMode.STEADY
    panel.set_night(night=False)
    assert (pins.pin(27).state, pins.pin(6).state) == (0.8, 0.8)
    panel.set_lamp("help", LampMode.OFF)
    assert pins.pin(27).state == 0
    panel.stop()


@pytest.mark.parametrize(
    ("minutes", "night"), [(None, False), (21 * 60 + 59, False), (22 * 60, True), (0, True), (419, True), (420, False)]
)
def test_when_it_is_night(*, minutes: int | None, night: bool) -> None:
    assert panelconfig.is_night(SETTINGS, minutes) is night
    noon = panelconfig.Panel(night_from="12:00", night_until="13:00")
    assert panelconfig.is_night(noon, minutes) is False


def test_a_lamp_test_lights_all_and_gives_each_its_own_back(
    desk: Desk, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steunpunt.panel.TEST_S", 0.3)
    desk.panel.set_lamp("water", LampMode.STEADY)
    desk.panel.test()
    desk.panel.test()
    assert (desk.pin(27).state, desk.pin(6).state, desk.pin(22).state) == (True, True, True)
    desk.panel.set_lamp("water", LampMode.OFF)
    desk.panel.set_lamp("help", LampMode.STEADY)
    assert desk.pin(6).state, "what changes meanwhile shows afterwards"
    wait_until(lambda: not desk.pin(6).state, 5.0, "the end of the test")
    assert desk.pin(27).state


class ChipError(Exception):
    """What lgpio raises."""


class Chip(ModuleType):
    """The few calls of lgpio that gpiozero makes, over a table of levels: stands in for the board only."""

    SET_PULL_NONE, SET_PULL_UP, SET_PULL_DOWN = 128, 32, 64
    RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3
    OUT = 2
    error = ChipError

    def __init__(self) -> None:
        super().__init__("lgpio")
        self.present = True
        self.modes: dict[int, int] = {}
        self.levels: dict[int, int] = {}
        self.debounce_us: dict[int, int] = {}
        self.alerts: dict[int, Callable[[int, int, int, int], None]] = {}
        self.busy: set[int] = set()
        self.pressed: set[int] = set()

    def gpiochip_open(self, chip: int) -> int:
        if not self.present or chip != 0:
            raise ChipError("can not open gpiochip")
        return 1

    def gpiochip_close(self, handle: int) -> None:
        assert handle == 1

    def gpio_claim_input(self, _handle: int, pin: int, flags: int = 0) -> None:
        if pin in self.busy:
            raise ChipError("GPIO busy")
        self.modes[pin] = flags
        self.levels[pin] = 1 if flags & self.SET_PULL_UP and pin not in self.pressed else 0

    def gpio_claim_output(self, _handle: int, pin: int, level: int = 0) -> None:
        self.modes[pin], self.levels[pin] = self.OUT, level

    def gpio_claim_alert(self, _handle: int, pin: int, _edges: int, flags: int) -> None:
        self.modes[pin] = flags

    def gpio_free(self, _handle: int, pin: int) -> None:
        self.modes.pop(pin, None)

    def gpio_get_mode(self, _handle: int, pin: int) -> int:
        return self.modes[pin]

    def gpio_read(self, _handle: int, pin: int) -> int:
        return self.levels[pin]

    def gpio_write(self, _handle: int, pin: int, level: int) -> None:
        self.levels[pin] = int(level)

    def gpio_set_debounce_micros(self, _handle: int, pin: int, micros: int) -> None:
        self.debounce_us[pin] = micros

    def callback(self, _handle: int, pin: int, _edge: int, func: Callable[..., None]) -> "Chip":
        self.alerts[pin] = func
        return self

    def cancel(self) -> None:
        self.alerts.clear()


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Chip]:
    """A chip in place of lgpio; gpiozero's own lgpio pins run on it unchanged."""
    made = Chip()
    monkeypatch.setitem(sys.modules, "lgpio", made)
    monkeypatch.setenv("LG_WD", str(tmp_path))
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    yield made
    sys.modules.pop("gpiozero.pins.lgpio", None)


def pins_of_a_board(_kind: str) -> Any:
    """Open gpiozero's lgpio pins as on a Raspberry Pi 4, wherever this runs."""
    factory = importlib.import_module("gpiozero.pins.lgpio").LGPIOFactory
    return type("BoardFactory", (factory,), {"_get_revision": lambda _self: 0xC03115})()


REAL = panelconfig.Panel(pins="gpio", buzzer_pin=22, button=(HELP,))


def test_real_pins_are_driven_through_lgpio(chip: Chip) -> None:
    events: list[Event] = []
    panel = Panel(REAL, events.append, pins=pins_of_a_board)
    panel.start()
    assert chip.debounce_us[17] == 50_000
    assert chip.modes[17] & chip.SET_PULL_UP
    chip.alerts[17](0, 17, 0, 1_000_000_000)
    chip.alerts[17](0, 17, 1, 2_000_000_000)
    assert events == [ButtonPressed("help")]

    panel.set_lamp("help", LampMode.STEADY)
    assert (chip.levels[27], panel.read("help").lamp) == (1, LampMode.STEADY)
    with pytest.raises(NotMockError, match="help is a real button"):
        panel.press("help")
    panel.stop()
    assert chip.modes[27] != chip.OUT
    chip.alerts[17](0, 17, 0, 3_000_000_000)
    assert events == [ButtonPressed("help")], "a late edge after the stop is no press"


def test_a_button_that_is_down_at_the_start_is_found_stuck(chip: Chip, hand: Hand, wait_until: WaitUntil) -> None:
    chip.pressed.add(17)
    events: list[Event] = []
    panel = Panel(REAL, events.append, pins=pins_of_a_board, clock=hand.read)
    panel.start()
    hand.now_s = 61
    nudge(panel)
    wait_until(lambda: events == [FaultSeen(Fault.PANEL, there=True)], 5.0, "stuck, and no press")
    panel.stop()


def test_a_real_pin_that_is_busy_is_named(chip: Chip) -> None:
    chip.busy.add(27)
    with pytest.raises(PanelError, match=r"panel: a pin cannot be taken \(GPIO busy\)"):
        Panel(REAL, list[Event]().append, pins=pins_of_a_board).start()


def test_no_board_is_one_line_with_the_mend(chip: Chip) -> None:
    chip.present = False
    with pytest.raises(PanelError, match=r"panel: no GPIO pins \(.+\).*group gpio.*pins = \"mock\"") as caught:
        Panel(REAL, list[Event]().append).start()
    assert "\n" not in str(caught.value)


def test_no_lgpio_is_one_line_with_the_mend_and_no_fall_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/of-the-unit:/run/other")
    monkeypatch.setenv("LG_WD", "")
    with pytest.raises(PanelError, match=r"lgpio is not installed.*pins = \"mock\"") as caught:
        Panel(REAL, list[Event]().append).start()
    assert "\n" not in str(caught.value)
    assert os.environ["LG_WD"] == "/run/of-the-unit"


def test_a_pipe_that_cannot_be_made_is_said_and_the_working_directory_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As lgpio does when it is imported: it moves the process to LG_WD and opens its pipe there.
    text = "import os\nos.chdir(os.environ['LG_WD'])\nopen('.lgd-nfy0', 'rb')\n"
    (tmp_path / "lgpio.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lgpio", raising=False)
    monkeypatch.setenv("LG_WD", str(tmp_path))
    here = Path.cwd()
    with pytest.raises(PanelError, match=rf"lgpio cannot write in LG_WD={tmp_path} .*lgd-nfy0"):
        Panel(REAL, list[Event]().append).start()
    assert Path.cwd() == here != tmp_path
