"""What a site's people press, see and hear beside its screens: panel and slip printer, and what is asked of them."""

import logging
import time
from collections.abc import Callable

from steunpunt.boxfacts import PrintSlip
from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.model import Event, SetLamp, SoundBuzzer, SteunpuntError
from steunpunt.node.pending import no
from steunpunt.panel import NotMockError, Panel, UnknownButtonError
from steunpunt.panelconfig import is_night
from steunpunt.wallclock import ClockWatch

_log = logging.getLogger(__name__)


def stamp(now: time.struct_time | None) -> str:
    """Return when a slip is printed, as its last line says it."""
    return "Geprint: tijd onbekend" if now is None else time.strftime("Geprint: %d-%m %H:%M", now)


class SiteBox:
    """The panel and the printer of a site; does nothing where the config has none."""

    def __init__(self, config: Config, inbox: Callable[[Event], None], clock: ClockWatch) -> None:
        self._config, self._clock = config.panel, clock
        self._panel = Panel(config.panel, inbox) if config.panel else None
        self._printer = None
        if config.printer is not None:
            from steunpunt.printer import SlipPrinter  # noqa: PLC0415  few sites have one

            self._printer = SlipPrinter(config.printer, inbox, stamp=lambda: stamp(clock.local_time()))
        self.reason = ""
        """Why the panel does not work; "" while it does, or there is none."""

    def start(self) -> None:
        """A broken panel must not keep the point from taking requests on its screen."""
        if self._printer is not None:
            self._printer.start()
        if self._panel is None:
            return
        if self._config is not None and self._config.night_percent is not None:
            self._clock.tell(self._day_or_night)
        try:
            self._panel.start()
        except SteunpuntError as error:
            self._panel, self.reason = None, str(error)
            _log.error("action=panel_failed reason=%r", str(error))

    def stop(self, deadline_s: float) -> None:
        """Darken and release everything."""
        if self._printer is not None:
            self._printer.stop(deadline_s)
        if self._panel is not None:
            self._panel.stop()

    def _day_or_night(self) -> None:
        now = self._clock.local_time()
        minutes = None if now is None else now.tm_hour * 60 + now.tm_min
        if self._panel is not None and self._config is not None:
            self._panel.set_night(night=is_night(self._config, minutes))

    def troubles(self) -> str:
        """Return why the panel, or a button of it, does not work; "" while it does, or there is none."""
        return self.reason or "; ".join(self._panel.troubles() if self._panel else [])

    def perform(self, effect: SetLamp | SoundBuzzer | PrintSlip) -> None:
        """Do what the engine wants."""
        if isinstance(effect, PrintSlip):
            if self._printer is not None:
                self._printer.print(effect)
        elif self._panel is None:
            return
        elif isinstance(effect, SetLamp):
            self._panel.set_lamp(effect.name, effect.mode)
        else:
            self._panel.sound(effect.name, effect.seconds, effect.times)

    def asked(self, request: Body) -> Body:
        """Answer ``panel`` on the control socket."""
        name, action = str(request.get("name", "")), str(request.get("action", "read"))
        if self._panel is None:
            return no("unknown_button", self.reason or "this site has no [panel] in its config")
        try:
            if action == "press":
                self._panel.press(name)
            elif action == "test":
                self._panel.test()
            reading = self._panel.read(name)
        except UnknownButtonError as error:
            return no("unknown_button", str(error))
        except NotMockError as error:
            return no("not_mock", str(error))
        return {"ok": True, "lamp": reading.lamp, "buzzer": reading.buzzer}
