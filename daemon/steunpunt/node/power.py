"""A site's power beside the loop: the watch where the config has one, and what it is asked."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.model import ButtonPressed, Event
from steunpunt.powerconfig import Power

if TYPE_CHECKING:
    from steunpunt.power.watch import PowerWatch


class SitePower:
    """Watches the power of a site; does nothing where the config has no ``[power]``."""

    def __init__(self, config: Config, inbox: Callable[[Event], None]) -> None:
        self._watch = None if config.power is None else _watch_of(config.power, inbox)

    def start(self) -> None:
        """Begin to look."""
        if self._watch is not None:
            self._watch.start()

    def stop(self, deadline_s: float) -> None:
        """Stop within ``deadline_s`` seconds."""
        if self._watch is not None:
            self._watch.stop(deadline_s)

    def heard(self, event: Event) -> None:
        """Somebody who presses a help button should see a screen."""
        if self._watch is not None and isinstance(event, ButtonPressed):
            self._watch.touched()

    def status(self) -> Body | None:
        """Return what is known; None without ``[power]``, empty before the first look ended."""
        return None if self._watch is None else self._watch.status()


def _watch_of(power: Power, inbox: Callable[[Event], None]) -> "PowerWatch":
    from steunpunt.panel import InputPin  # noqa: PLC0415  a site without [power] need not load all this
    from steunpunt.power.sources import open_source  # noqa: PLC0415
    from steunpunt.power.watch import PowerWatch  # noqa: PLC0415

    return PowerWatch(power, inbox, open_source(power, InputPin))
