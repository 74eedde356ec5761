"""Who of a point's staff is logged in: PIN, sessions, and what a wrong PIN costs. All of it in memory.

The node keeps this and not the web process: a page that was broken into can act for staff who are logged in now, but
it neither reads the PIN's hash nor opens the door by itself.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from steunpunt.keyfiles import PIN_DIGITS_MAX, read_staff_pin
from steunpunt.model import SteunpuntError
from steunpunt.protocol.passwordhash import matches

IDLE_S_MAX = 300.0
"""Without an act of its owner a session ends after this."""
SESSIONS_MAX = 20
FREE_TRIES = 5
"""Wrong PINs in a row on one road before each next one has to wait."""
WAIT_S_FIRST, WAIT_S_MAX = 30.0, 300.0
_SESSION_BYTES = 24


class Road(StrEnum):
    """Where a PIN is typed. Each road has a count of its own: phones must not lock staff out of the point's screen."""

    SCREEN = "screen"
    WIFI = "wifi"


class WrongPin(SteunpuntError, ValueError):
    """This is not the PIN."""


class TooManyTries(SteunpuntError, ValueError):
    """Too many wrong PINs came over this road: it was not looked at. ``wait_s``: seconds until the next try."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many wrong PINs; wait {wait_s:.0f} s")
        self.wait_s = wait_s


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    open_from_s: float = 0.0


@dataclass(slots=True)
class StaffDoor:
    """See the module. Any thread; one PIN is looked at at a time, which also bounds scrypt's memory."""

    pin_file: Path
    now: Callable[[], float] = time.monotonic
    token: Callable[[int], str] = secrets.token_urlsafe
    _tries: dict[Road, _Tries] = field(default_factory=lambda: {road: _Tries() for road in Road})
    _seen_s: dict[str, float] = field(default_factory=dict)
    _looking: threading.Lock = field(default_factory=threading.Lock)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, pin: str, road: Road) -> str:
        """Return a new session for the right PIN. Raises WrongPin, TooManyTries, and KeyFileError for a bad file."""
        with self._looking:
            tries = self._tries[road]
            wait_s = tries.open_from_s - self.now()
            if wait_s > 0:
                raise TooManyTries(wait_s)
            if not matches(pin[: PIN_DIGITS_MAX + 1], read_staff_pin(self.pin_file)):
                tries.wrong += 1
                if tries.wrong >= FREE_TRIES:
                    doubled = WAIT_S_FIRST * 2.0 ** min(tries.wrong - FREE_TRIES, 10)
                    tries.open_from_s = self.now() + min(doubled, WAIT_S_MAX)
                raise WrongPin("this is not the PIN of this point's staff")
            self._tries[road] = _Tries()
        return self._begin()

    def _begin(self) -> str:
        session = self.token(_SESSION_BYTES)
        with self._lock:
            while len(self._seen_s) >= SESSIONS_MAX:  # who was idle longest goes
                del self._seen_s[min(self._seen_s, key=self._seen_s.__getitem__)]
            self._seen_s[session] = self.now()
        return session

    def is_in(self, session: str, *, acts: bool = True) -> bool:
        """Whether this session holds. ``acts``: its owner did something, so its idle time begins anew."""
        with self._lock:
            seen_s = self._seen_s.get(session)
            if seen_s is None:
                return False
            if self.now() - seen_s > IDLE_S_MAX:
                del self._seen_s[session]
                return False
            if acts:
                self._seen_s[session] = self.now()
            return True

    def leave(self, session: str) -> None:
        """End a session."""
        with self._lock:
            self._seen_s.pop(session, None)
