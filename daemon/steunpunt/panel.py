"""Help buttons with their lamps, and the buzzer: the only place that knows gpiozero.

A press becomes one :class:`~steunpunt.model.ButtonPressed` in the inbox; lamps and buzzer do what the
node says. While nothing blinks or sounds, the panel has no thread of its own and wakes nobody.

gpiozero is imported when a panel starts and not before: it costs about 11 MiB and 0.1 s, which a site
without a panel need not pay.
"""

import importlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING, Literal

from steunpunt import config
from steunpunt.model import ButtonPressed, Event, LampMode, SteunpuntError

if TYPE_CHECKING:
    from gpiozero import LED, Buzzer, DigitalInputDevice, Factory

BOUNCE_S = 0.05
"""A contact must be still this long, in seconds, before a press counts."""
BLINK_HALF_S = 0.5
"""Time on and time off of a blinking lamp, in seconds: 1 Hz."""
SOUND_S_MAX = 30.0
"""Longest sound of the buzzer for one call, in seconds; longer is cut off."""
TIMES_MAX = 5
PAUSE_S = 0.15
"""Most sounds in a row, and the silence between two, in seconds."""
STOP_S_MAX = 2.0
"""Longest wait for the blinking to end when the panel stops, in seconds."""
MOCK_HISTORY_MAX = 32
"""Changes that a mock pin remembers."""

PinKind = Literal["gpio", "mock"]


class PanelError(SteunpuntError, RuntimeError):
    """The pins cannot be used; the message names the mend."""


class UnknownButtonError(PanelError, LookupError):
    """No help button of this name is in the config."""


class NotMockError(PanelError, PermissionError):
    """Only a mock button can be pressed by software: a real press is a person's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the pins say: the button's lamp, and whether the buzzer sounds."""

    lamp: LampMode
    buzzer: bool


@dataclass(frozen=True, slots=True)
class _Call:
    """One help button with its lamp."""

    button: "DigitalInputDevice"
    lamp: "LED"


def open_pins(kind: PinKind) -> "Factory":
    """Return gpiozero's pins of this kind and never of another; raises PanelError with the mend."""
    return _mock_pins() if kind == "mock" else _gpio_pins()


def _mock_pins() -> "Factory":
    # Explicit, so that no GPIOZERO_ variable of the environment changes what the config says.
    from gpiozero.pins.mock import MockFactory, MockPin  # noqa: PLC0415  see the module's first lines

    class BriefPin(MockPin):  # type: ignore[misc]  # gpiozero has no types
        """A mock pin that forgets: MockPin keeps every change, and a lamp may blink for days."""

        def _change_state(self, value: bool) -> bool:  # noqa: FBT001  gpiozero's signature
            changed: bool = super()._change_state(value)
            del self.states[:-MOCK_HISTORY_MAX]
            return changed

    return MockFactory(revision="a02082", pin_class=BriefPin)


def _gpio_pins() -> "Factory":
    folder = os.getcwd()  # noqa: PTH109  no path is made of it
    if not os.environ.get("LG_WD"):
        os.environ["LG_WD"] = _runtime_folder()
    try:
        lgpio = importlib.import_module("lgpio")
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415
    except ImportError as error:
        raise PanelError(f"panel: lgpio is not installed ({error}); install it, or {_MOCK_MEND}") from error
    except OSError as error:
        raise PanelError(
            f"panel: lgpio cannot write in LG_WD={os.environ['LG_WD']} ({error}); name a writable folder"
        ) from error
    finally:
        os.chdir(folder)  # lgpio moves the whole process to LG_WD
    try:
        return LGPIOFactory()
    except (lgpio.error, RuntimeError, OSError) as error:
        raise PanelError(
            f"panel: no GPIO pins ({error}); use a Raspberry Pi and a user in the group gpio, or {_MOCK_MEND}"
        ) from error


_MOCK_MEND = 'write pins = "mock" under [panel] for one without a board'


def _runtime_folder() -> str:
    """Return a private writable folder for lgpio's pipe: the unit's own, else a new one."""
    own = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return own or tempfile.mkdtemp(prefix="steunpunt-lgpio-")


class InputPin:
    """A pin whose level is read now and then; nothing pulls it here, the board that drives it does."""

    def __init__(self, pin: int, *, kind: PinKind = "gpio", pins: Callable[[PinKind], "Factory"] = open_pins) -> None:
        """Take the pin; raises PanelError with the mend."""
        self._factory = pins(kind)
        from gpiozero import DigitalInputDevice  # noqa: PLC0415  see the module's first lines

        try:
            self._device = DigitalInputDevice(pin, pull_up=None, active_state=True, pin_factory=self._factory)
        except Exception as error:
            # As in Panel.start(): each kind of pins has errors of its own.
            self._factory.close()
            raise PanelError(f"pin {pin} cannot be taken ({error}); is another program using it?") from error

    def high(self) -> bool:
        """Return whether the level is high."""
        return bool(self._device.value)

    def close(self) -> None:
        """Release the pin. A second call does nothing."""
        self._device.close()
        self._factory.close()


class Panel:
    """The buttons, lamps and buzzer of one site. Thread-safe from ``start()`` to ``stop()``."""

    def __init__(
        self,
        panel: config.Panel,
        inbox: Callable[[Event], None],
        *,
        pins: Callable[[PinKind], "Factory"] = open_pins,
    ) -> None:
        self._config = panel
        self._inbox = inbox
        self._open_pins = pins
        self._factory: Factory | None = None
        self._calls: dict[str, _Call] = {}
        self._modes: dict[str, LampMode] = {}
        self._buzzer: Buzzer | None = None
        self._lock = Lock()
        self._press_lock = Lock()
        self._blinker: Thread | None = None
        self._stopped = Flag()

    def start(self) -> None:
        """Take the pins, all lamps off; raises PanelError and leaves no pin taken when it cannot."""
        self._factory = self._open_pins(self._config.pins)
        self._stopped.clear()
        try:
            self._take_pins()
        except Exception as error:
            # Each kind of pins has errors of its own, and lgpio's have no base but Exception.
            self.stop()
            raise PanelError(f"panel: a pin cannot be taken ({error}); is another program using it?") from error

    def _take_pins(self) -> None:
        from gpiozero import LED, Buzzer, DigitalInputDevice  # noqa: PLC0415  see the module's first lines

        if self._config.buzzer_pin is not None:
            self._buzzer = Buzzer(self._config.buzzer_pin, pin_factory=self._factory)
        for button in self._config.button:
            lamp = LED(button.lamp_pin, pin_factory=self._factory)
            # gpiozero's Button is this and a thread that wakes ten times a second to see if it is held.
            contact = DigitalInputDevice(
                button.button_pin, pull_up=True, bounce_time=BOUNCE_S, pin_factory=self._factory
            )
            contact.when_activated = self._announce(button.name)
            self._calls[button.name] = _Call(contact, lamp)
            self._modes[button.name] = LampMode.OFF

    def _announce(self, name: str) -> Callable[[], None]:
        def pressed() -> None:
            self._inbox(ButtonPressed(name))

        return pressed

    def stop(self) -> None:
        """Darken the lamps, silence the buzzer and release all pins. A second call does nothing."""
        self._stopped.set()
        with self._lock:
            blinker = self._blinker
            self._modes = dict.fromkeys(self._modes, LampMode.OFF)
        if blinker is not None:
            blinker.join(STOP_S_MAX)
        with self._lock:
            if self._factory is not None:
                self._release()

    def _release(self) -> None:
        for call in self._calls.values():
            call.lamp.close()
            call.button.close()
        if self._buzzer is not None:
            self._buzzer.close()
        if self._factory is not None:
            self._factory.close()
        self._calls, self._modes, self._buzzer, self._factory = {}, {}, None, None

    def set_lamp(self, name: str, mode: LampMode) -> None:
        """Set a button's lamp; raises UnknownButtonError."""
        with self._lock:
            lamp = self._call(name).lamp
            self._modes[name] = mode
            if mode is LampMode.OFF:
                lamp.off()
                return
            lamp.on()
            if mode is LampMode.BLINKING and (self._blinker is None or not self._blinker.is_alive()):
                self._blinker = Thread(target=self._blink, name="panel-blinker", daemon=True)
                self._blinker.start()

    def _blink(self) -> None:
        """Toggle all blinking lamps together; ends when none is left."""
        lit = True
        while not self._stopped.wait(BLINK_HALF_S):
            lit = not lit
            with self._lock:
                names = [name for name, mode in self._modes.items() if mode is LampMode.BLINKING]
                if not names:
                    self._blinker = None
                    return
                for name in names:
                    self._calls[name].lamp.value = lit

    def sound(self, name: str, seconds: float, times: int = 1) -> None:
        """Sound the buzzer for ``name``'s call and return at once; a call during the sound starts it anew.

        Each of at most TIMES_MAX lasts at most SOUND_S_MAX seconds; zero or less silences it. Without a buzzer
        nothing happens. Raises UnknownButtonError.
        """
        with self._lock:
            self._call(name)
            if self._buzzer is None:
                return
            if seconds > 0:
                pause_s = 0 if times == 1 else PAUSE_S
                self._buzzer.blink(on_time=min(seconds, SOUND_S_MAX), off_time=pause_s, n=min(times, TIMES_MAX))
            else:
                self._buzzer.off()

    def press(self, name: str) -> None:
        """Press and release a mock button; raises NotMockError or UnknownButtonError."""
        if self._config.pins != "mock":
            raise NotMockError(f'panel: {name} is a real button; only with pins = "mock" can it be pressed from here')
        with self._lock:
            pin = self._call(name).button.pin
        with self._press_lock:  # not the panel's: the inbox is called in here
            pin.drive_low()
            pin.drive_high()

    def read(self, name: str) -> Reading:
        """Read the pins back: what lamp and buzzer do, not what they were told; raises UnknownButtonError."""
        with self._lock:
            lit = self._call(name).lamp.is_lit
            blinks = self._modes[name] is LampMode.BLINKING
            if blinks and self._blinker is not None and self._blinker.is_alive():
                lamp = LampMode.BLINKING
            else:
                lamp = LampMode.STEADY if lit else LampMode.OFF
            return Reading(lamp, self._buzzer is not None and bool(self._buzzer.is_active))

    def _call(self, name: str) -> _Call:
        if name not in self._calls:
            known = ", ".join(self._calls) or "none"
            raise UnknownButtonError(f"panel: no button is called {name}; known here: {known}")
        return self._calls[name]
