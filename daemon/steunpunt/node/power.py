"""A site's power beside the loop: the watch where the config has one, and what it is asked."""

from collections.abc import Callable

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.model import ButtonPressed, Event
from steunpunt.panel import InputPin
from steunpunt.power.sources import open_source
from steunpunt.power.watch import PowerWatch


class SitePower:
    """Watches the power of a site; does nothing where the config has no ``[power]``."""

    def __init__(self, config: Config, inbox: Callable[[Event], None]) -> None:
        power = config.power
        self._watch = None if power is None else PowerWatch(power, inbox, open_source(power, InputPin))

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
