"""What the node does for the technician, beside the loop: figures, last log lines, test requests."""

from collections.abc import Callable

from steunpunt import __version__
from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.ledger.clock import boot_time_ms
from steunpunt.ledger.store import Ledger
from steunpunt.model import Event
from steunpunt.node.endtoend import EndToEnd
from steunpunt.node.figures import Engine, Figures
from steunpunt.node.logkeeper import LogKeeper
from steunpunt.node.requests import KioskRequests


class Technician:
    """See the module. The loop calls :meth:`heard` and :meth:`look`; what is asked comes on any thread."""

    def __init__(self, config: Config) -> None:
        self._figures, self._log = Figures(config), LogKeeper(boot_time_ms)
        self._ledger: Ledger | None = None
        self.tests: EndToEnd | None = None

    def open(self, ledger: Ledger, requests: KioskRequests | None) -> None:
        """Begin; ``requests`` are a kiosk's, which alone can ask for help."""
        self._log.begin()
        self._ledger = ledger
        self.tests = None if requests is None else EndToEnd(requests, ledger)

    def close(self) -> None:
        """End."""
        self._log.end()

    def heard(self, event: Event) -> None:
        """Take an event, before the engine does."""
        self._figures.heard(event)

    def look(self, engine: Engine, ledger: Ledger, status: Callable[[], Body]) -> None:
        """Look at what has to be looked at now; ``status`` is the control socket's."""
        now_ms = ledger.clock.now_ms()
        if self.tests is not None:
            self.tests.look(ledger.connection, now_ms)
        self._figures.look(engine, ledger.connection, now_ms, status)

    def status(self, now_ms: int) -> Body:
        """Return what ``status`` tells of it."""
        found: Body = {"figures": self._figures.status(now_ms)}
        return found if self.tests is None else found | {"test": self.tests.status(now_ms)}

    def handlers(self) -> dict[str, Callable[[Body], Body]]:
        """Return what may be asked here."""
        asked: dict[str, Callable[[Body], Body]] = {"technician": self._history}
        return asked if self.tests is None else asked | {"test_request": self.tests.begin}

    def _history(self, _request: Body) -> Body:
        now_ms = 0 if self._ledger is None else self._ledger.clock.now_ms()
        return {"ok": True, "version": __version__, "trend": self._figures.trend(now_ms), "log": self._log.told()}
