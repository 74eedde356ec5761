"""Who is logged in at the desk, kept in memory: a restart of the web process logs everybody out.

A form's token proves that the form was made for this session, and is the token that lets the ledger
act on it once.
"""

import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

SESSION_S_MAX = 12 * 3600
"""A shift; then one logs in again."""
SESSIONS_MAX = 100
WRONG_TRIES_MAX = 10
WRONG_TRIES_S = 60.0
_NONCE_CHARACTERS = 22
_PROOF_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Person:
    """A logged-in session."""

    name: str
    session: str
    key: bytes
    since_s: float


@dataclass(slots=True)
class Sessions:
    """The sessions of this process; thread-safe, at most SESSIONS_MAX: the oldest goes."""

    now: Callable[[], float] = time.monotonic
    _people: dict[str, Person] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, name: str) -> Person:
        """Return a new session."""
        person = Person(name, secrets.token_urlsafe(32), secrets.token_bytes(32), self.now())
        with self._lock:
            while len(self._people) >= SESSIONS_MAX:
                del self._people[next(iter(self._people))]
            self._people[person.session] = person
        return person

    def find(self, session: str) -> Person | None:
        """Return whose session this is; None when there is none or it is over."""
        with self._lock:
            person = self._people.get(session)
            if person is not None and self.now() - person.since_s > SESSION_S_MAX:
                del self._people[session]
                return None
            return person

    def end(self, session: str) -> None:
        """Forget a session."""
        with self._lock:
            self._people.pop(session, None)

    @staticmethod
    def form_token(person: Person) -> str:
        """Return a fresh token for one form of this session, 54 characters."""
        nonce = secrets.token_urlsafe(16)
        return nonce + _proof(person, nonce)

    @staticmethod
    def made_for(person: Person, token: str) -> bool:
        """Whether a form's token was made for this session."""
        nonce, proof = token[:_NONCE_CHARACTERS], token[_NONCE_CHARACTERS:]
        return hmac.compare_digest(_proof(person, nonce).encode(), proof.encode(errors="replace"))


def _proof(person: Person, nonce: str) -> str:
    return hmac.digest(person.key, nonce.encode(errors="replace"), "sha256").hex()[:_PROOF_CHARACTERS]


@dataclass(slots=True)
class Limiter:
    """Counts wrong passwords of the whole process: WRONG_TRIES_MAX in WRONG_TRIES_S seconds.

    One password is checked at a time, which also bounds the memory that scrypt takes.
    """

    now: Callable[[], float] = time.monotonic
    _wrong_s: deque[float] = field(default_factory=lambda: deque(maxlen=WRONG_TRIES_MAX))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, is_right: Callable[[], bool]) -> bool | None:
        """Return whether the password is right; None, unchecked, after too many wrong ones."""
        with self._lock:
            if len(self._wrong_s) == WRONG_TRIES_MAX and self.now() - self._wrong_s[0] < WRONG_TRIES_S:
                return None
            right = is_right()
            if not right:
                self._wrong_s.append(self.now())
            return right
