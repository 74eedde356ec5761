"""Buttons with their lamps, and the buzzer: the only place that knows gpiozero.

A press becomes one :class:`~steunpunt.model.ButtonPressed` in the inbox, and so does holding it; a contact that is
stuck or chatters becomes a :class:`~steunpunt.jobfacts.FaultSeen` (:mod:`steunpunt.relay.contact` decides). Lamps and
buzzer do what the node says. While nothing blinks or sounds and no button is down, the panel has no thread of its own
and wakes nobody.

gpiozero is imported when a panel starts and not before: it costs about 11 MiB and 0.1 s, which a site
without a panel need not pay.
"""

import importlib
import logging
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from threading import Condition, Lock, Thread, current_thread
from threading import Event as Flag
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from steunpunt import panelconfig
from steunpunt.jobfacts import Fault, FaultSeen
from steunpunt.model import ButtonPressed, Event, LampMode, SteunpuntError
from steunpunt.relay.contact import Contact, Sign

if TYPE_CHECKING:
    from gpiozero import LED, PWMLED, Buzzer, DigitalInputDevice, Factory

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
TEST_S = 3.0
"""How long all lamps burn in a lamp test, in seconds."""
MOCK_HISTORY_MAX = 32
"""Changes that a mock pin remembers."""

PinKind = Literal["gpio", "mock"]


_TROUBLES = {
    Sign.STUCK: "button {name}: its contact stays closed; look whether something presses it, or at its wires",
    Sign.CHATTERS: "button {name}: its contact chatters; look at button and wires",
}
_log = logging.getLogger(__name__)


class PanelError(SteunpuntError, RuntimeError):
    """The pins cannot be used; the message names the mend."""


class UnknownButtonError(PanelError, LookupError):
    """No help button of this name is in the config."""


class NotMockError(PanelError, PermissionError):
    """Only a mock button can be pressed by software: a real press is a person's."""


class Reading(Struct, frozen=True):
    """What the pins say: the button's lamp, and whether the buzzer sounds."""

    lamp: LampMode
    buzzer: bool


class _Call(Struct, frozen=True):
    """One help button with its lamp."""

    button: "DigitalInputDevice"
    lamp: "LED | PWMLED"
    contact: Contact


def open_pins(kind: PinKind) -> "Factory":
    """Return gpiozero's pins of this kind and never of another; raises PanelError with the mend."""
    return _mock_pins() if kind == "mock" else _gpio_pins()


def _mock_pins() -> "Factory":
    # Explicit, so that no GPIOZERO_ variable of the environment changes what the config says.
    from gpiozero.pins.mock import MockFactory, MockPWMPin  # noqa: PLC0415  see the module's first lines

    class BriefPin(MockPWMPin):  # type: ignore[misc]  # gpiozero has no types
        """A mock pin that forgets: MockPin keeps every change, and a lamp may blink for days."""

        def _set_state(self, value: float) -> None:
            if self.frequency is None:  # on or off, but for a lamp that is dimmed
                super(MockPWMPin, self)._set_state(value)
            else:
                super()._set_state(value)

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
        panel: panelconfig.Panel,
        inbox: Callable[[Event], None],
        *,
        pins: Callable[[PinKind], "Factory"] = open_pins,
        clock: Callable[[], float] = time.monotonic,
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
        self._clock = clock
        self._level = panel.lamp_percent / 100
        self._testing = False
        self._faulty = False
        self._blinker: Thread | None = None
        self._watcher: Thread | None = None
        self._edge = Condition()
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
        self._watch()  # a button that is down already may be stuck

    def _take_pins(self) -> None:
        from gpiozero import LED, PWMLED, Buzzer, DigitalInputDevice  # noqa: PLC0415  see the module's first lines

        if self._config.buzzer_pin is not None:
            self._buzzer = Buzzer(self._config.buzzer_pin, pin_factory=self._factory)
        for button in self._config.button:
            lamp = (PWMLED if self._config.dims else LED)(button.lamp_pin, pin_factory=self._factory)
            # gpiozero's Button is this and a thread that wakes ten times a second to see if it is held.
            contact = DigitalInputDevice(
                button.button_pin, pull_up=True, bounce_time=BOUNCE_S, pin_factory=self._factory
            )
            call = _Call(contact, lamp, Contact(button.hold_s, self._clock(), closed=bool(contact.is_active)))
            self._calls[button.name], self._modes[button.name] = call, LampMode.OFF
            contact.when_activated = partial(self._edge_of, button.name, call.contact, call.contact.closes)
            contact.when_deactivated = partial(self._edge_of, button.name, call.contact, call.contact.opens)

    # --- what the contacts say ----------------------------------------------------------------------------------

    def _edge_of(self, name: str, contact: Contact, take: Callable[[float], list[Sign]]) -> None:
        """Take an edge, on gpiozero's thread."""
        with self._edge:
            if self._stopped.is_set():
                return
            signs = take(self._clock())
            self._edge.notify()
        self._say(name, contact, signs)
        if contact.due_s() is not None:
            self._watch()

    def _say(self, name: str, contact: Contact, signs: list[Sign]) -> None:
        for sign in signs:
            if sign in (Sign.PRESSED, Sign.HELD):
                self._inbox(ButtonPressed(name, held=sign is Sign.HELD))
            else:
                _log.log(
                    logging.INFO if contact.fault is None else logging.ERROR, "action=button name=%s %s", name, sign
                )
                self._tell_fault()

    def _tell_fault(self) -> None:
        faulty = bool(self.troubles())
        if faulty is not self._faulty:
            self._faulty = faulty
            self._inbox(FaultSeen(Fault.PANEL, there=faulty))

    def _watch(self) -> None:
        """Have a thread look at what time alone says, while there is such a thing."""
        with self._edge:
            if self._watcher is None and self._next_due_s() is not None:
                self._watcher = Thread(target=self._watch_contacts, name="panel-watch", daemon=True)
                self._watcher.start()

    def _next_due_s(self) -> float | None:
        dues = (call.contact.due_s() for call in self._calls.values())
        return min((due_s for due_s in dues if due_s is not None), default=None)

    def _watch_contacts(self) -> None:
        while True:
            with self._edge:
                due_s = None if self._stopped.is_set() else self._next_due_s()
                if due_s is None:
                    self._watcher = None
                    return
                self._edge.wait(max(due_s - self._clock(), 0))
                now_s = self._clock()
                said = [(name, call.contact, call.contact.look(now_s)) for name, call in self._calls.items()]
            for name, contact, signs in said:
                self._say(name, contact, signs)

    def troubles(self) -> list[str]:
        """Return what is wrong with buttons, for a technician: a line each."""
        calls = list(self._calls.items())
        return [_TROUBLES[call.contact.fault].format(name=name) for name, call in calls if call.contact.fault]

    def stop(self) -> None:
        """Darken the lamps, silence the buzzer and release all pins. A second call does nothing."""
        self._stopped.set()
        with self._edge:
            self._edge.notify()
            watcher = self._watcher
        with self._lock:
            blinker = self._blinker
            self._modes = dict.fromkeys(self._modes, LampMode.OFF)
        for thread in (blinker, watcher):
            if thread is not None and thread is not current_thread():
                thread.join(STOP_S_MAX)
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
            self._call(name)
            self._modes[name] = mode
            if not self._testing:
                self._light(name)

    def _light(self, name: str) -> None:
        """Let a lamp do what its mode says; under the lock."""
        mode = self._modes[name]
        self._calls[name].lamp.value = 0 if mode is LampMode.OFF else self._level
        if mode is LampMode.BLINKING and (self._blinker is None or not self._blinker.is_alive()):
            self._blinker = Thread(target=self._blink, name="panel-blinker", daemon=True)
            self._blinker.start()

    def set_night(self, *, night: bool) -> None:
        """Let the lamps burn as by night, or as by day."""
        panel = self._config
        percent = panel.night_percent if night and panel.night_percent is not None else panel.lamp_percent
        with self._lock:
            if self._level == percent / 100:
                return
            self._level = percent / 100
            for name, mode in self._modes.items():
                if mode is LampMode.STEADY and not self._testing:
                    self._calls[name].lamp.value = self._level

    def test(self) -> None:
        """Let all lamps burn fully for TEST_S and the buzzer sound once; returns at once. Then all is as before."""
        with self._lock:
            if self._testing or self._factory is None:
                return
            self._testing = True
            for call in self._calls.values():
                call.lamp.value = 1
            if self._buzzer is not None:
                self._buzzer.blink(on_time=PAUSE_S, off_time=0, n=1)
        Thread(target=self._end_test, name="panel-test", daemon=True).start()

    def _end_test(self) -> None:
        self._stopped.wait(TEST_S)
        with self._lock:
            self._testing = False
            if not self._stopped.is_set():
                for name in self._calls:
                    self._light(name)

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
                for name in names if not self._testing else ():
                    self._calls[name].lamp.value = self._level if lit else 0

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
