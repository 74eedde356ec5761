"""What the node does for the technician, beside the loop: figures, last log lines, test requests."""

import threading
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
from steunpunt.node.pages import Pages, Publish
from steunpunt.node.pending import no
from steunpunt.node.readiness import Readiness
from steunpunt.node.requests import KioskRequests
from steunpunt.node.surveying import Surveyor


class Technician:
    """See the module. The loop calls :meth:`heard` and :meth:`look`; what is asked comes on any thread."""

    def __init__(self, config: Config, put: Callable[[Event], None], publish: Publish) -> None:
        self._figures, self._log = Figures(config), LogKeeper(boot_time_ms)
        self._ledger: Ledger | None = None
        self._config = config
        self._requests: KioskRequests | None = None
        self.tests: EndToEnd | None = None
        self.surveys: Surveyor | None = None
        self.readiness: Readiness | None = None
        self.pages = None if config.housekeeping.pages_folder is None else Pages(config, put, publish)

    def open(self, ledger: Ledger, requests: KioskRequests | None) -> None:
        """Begin; ``requests`` are a kiosk's, which alone can ask for help."""
        self._log.begin()
        self._ledger = ledger
        self._requests = requests
        if requests is not None:
            self.tests = EndToEnd(requests, ledger)
            self.readiness = Readiness(ledger, requests.put)
            self.surveys = Surveyor(self._config, ledger, requests.engine, requests.put)

    def self_test(self, stopping: threading.Event) -> str:
        """Send a test request without being asked, and return what is wrong; blocks, on the housekeeping's thread."""
        return "" if self.tests is None else self.tests.self_test(stopping)

    def close(self) -> None:
        """End."""
        self._log.end()

    def heard(self, event: Event) -> None:
        """Take an event, before the engine does."""
        self._figures.heard(event)
        if self._ledger is None:
            return
        now_ms = self._ledger.clock.now_ms()
        if self.surveys is not None:
            self.surveys.heard(event, now_ms)
        if self.pages is not None:
            self.pages.heard(event, now_ms)

    @property
    def due_ms(self) -> int | None:
        """When :meth:`look` must be called although nothing happened; None for never."""
        dues_ms = [
            None if self.surveys is None else self.surveys.due_ms(),
            None if self.pages is None else self.pages.due_ms,
        ]
        return min((due_ms for due_ms in dues_ms if due_ms is not None), default=None)

    def look(
        self, engine: Engine, ledger: Ledger, status: Callable[[], Body], power: Callable[[], Body | None]
    ) -> None:
        """Look at what has to be looked at now; ``status`` is the control socket's, ``power`` its part of that name."""
        now_ms = ledger.clock.now_ms()
        if self.tests is not None:
            self.tests.look(ledger.connection, now_ms)
        if self.surveys is not None:
            self.surveys.look(ledger.connection, now_ms)
        if self.pages is not None:
            self.pages.look(now_ms)
        looked = self._figures.look(engine, ledger.connection, now_ms, status)
        if self.readiness is not None and (looked or self.readiness.asked):
            self.readiness.look(power() or {}, now_ms)

    def status(self, now_ms: int) -> Body:
        """Return what ``status`` tells of it."""
        found: Body = {"figures": self._figures.status(now_ms)}
        if self.pages is not None:
            found["pages"] = self.pages.status()
        if self.tests is None or self.surveys is None or self.readiness is None:
            return found
        tested, surveyed = self.tests.status(now_ms), self.surveys.status(now_ms)
        return found | {"test": tested, "survey": surveyed, "readiness": self.readiness.status(now_ms)}

    def handlers(self) -> dict[str, Callable[[Body], Body]]:
        """Return what may be asked here."""
        asked: dict[str, Callable[[Body], Body]] = {"technician": self._history}
        if self.pages is not None:
            asked["pages"] = self.pages.asked
        if self.tests is None or self.readiness is None:
            return asked
        own = {"survey": self._survey, "confirm_key_holder": self.readiness.confirm_key_holder}
        return asked | {"test_request": self.tests.begin} | own

    def _survey(self, request: Body) -> Body:
        if self.surveys is None or self._requests is None:
            return no("unknown_op", "a survey is a point's")
        state = str(self._requests.figures(self._requests.now_ms())["point_state"])
        return self.surveys.begin(request, state)

    def _history(self, _request: Body) -> Body:
        now_ms = 0 if self._ledger is None else self._ledger.clock.now_ms()
        return {"ok": True, "version": __version__, "trend": self._figures.trend(now_ms), "log": self._log.told()}
