"""A broker on this device that hangs: asks the supervisor to restart it, now and then and never in a hurry.

mosquitto 2.0.11 can spin for ever after its bridge lost a TLS handshake: it accepts connections and answers none, and
nothing but a restart helps. The node may not restart other services; it leaves a file where systemd looks for one.
"""

import logging
from pathlib import Path

from steunpunt.links.base import Clock

HANGS_MIN = 2
"""Connections in a row that got no answer, before anything is asked."""
AGAIN_FIRST_S, AGAIN_CAP_S = 60.0, 300.0
"""Shortest and longest time between two requests, in seconds; each wait is twice the one before.

Not longer: one that spins serves nobody and empties the battery, so another restart costs nothing."""
CALM_S = 3600.0
"""After so long without a request the next wait is short again."""
_LOCAL = ("127.0.0.1", "localhost", "::1")
_log = logging.getLogger(__name__)


class HangWatch:
    """Counts connections without an answer. ``request`` is the file that asks for a restart; None asks nobody."""

    def __init__(self, host: str, request: Path | None, clock: Clock) -> None:
        self._request = request if host in _LOCAL else None
        self._clock = clock
        self._hangs = 0
        self._asked_s = -CALM_S
        self._wait_s = AGAIN_FIRST_S

    def answered(self) -> None:
        """Note that the broker serves."""
        self._hangs = 0

    def ended(self, *, hung: bool) -> bool:
        """Note how a connection ended; return whether a restart was asked for now.

        A broker that refuses or hangs up does not hang: it is starting, stopping or saying what is wrong.
        """
        self._hangs = self._hangs + 1 if hung else 0
        if self._request is None or self._hangs < HANGS_MIN:
            return False
        now_s = self._clock()
        waited_s = now_s - self._asked_s
        if waited_s >= CALM_S:
            self._wait_s = AGAIN_FIRST_S
        elif waited_s < self._wait_s:
            return False
        else:
            self._wait_s = min(self._wait_s * 2, AGAIN_CAP_S)
        self._asked_s = now_s
        return self._ask(self._request)

    def _ask(self, request: Path) -> bool:
        try:
            request.write_text("the broker accepts connections and answers none\n", encoding="ascii")
        except OSError as error:
            _log.warning("action=broker_restart_not_asked %s cannot be written (%s)", request, error.strerror)
            return False
        _log.warning("action=broker_restart_asked request=%s", request)
        return True
