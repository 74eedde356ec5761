"""What one phone may ask of a kiosk, so that a flood of one leaves room, and airtime, for all others.

Counted per address on the wifi, in memory alone. The point's own screen has no limits but that on wrong codes: who
stands before it is seen. Nobody is refused silently: the page says that nothing was kept, and where to go.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from flask import Flask, current_app, request
from waitress.channel import HTTPChannel
from waitress.task import ThreadedTaskDispatcher

from steunpunt_ui.portal import from_wifi

OWN_TICKETS_MAX: Final = 4096
"""Tickets of which is remembered, as a hash, from which address they were asked."""
ADDRESSES_MAX: Final = 1024
"""Phones that are remembered; the one seen longest ago is forgotten, and then has all it may have."""
CONNECTIONS_PER_PHONE_MAX: Final = 12
"""A browser opens six to one host."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often something may be done: ``most`` at once, and one more every ``refill_s`` seconds."""

    most: int
    refill_s: float


PAGES: Final = Allowance(60, 0.1)
"""A page with all that belongs to it takes three; a phone that looks again by itself, one in five seconds."""
REQUESTS: Final = Allowance(6, 100.0)
"""Help requests of one phone: one for each in the family, and some for who has no phone."""
ADDITIONS: Final = Allowance(20, 30.0)
OFFERS: Final = Allowance(4, 300.0)
"""Offers of help. Notes for the board cost no airtime, and staff look at them first."""
WRONG_CODES: Final = Allowance(10, 6.0)
"""Tickets that were not there and codes that were wrong. 2^40 codes at ten a minute take 200,000 years."""


class Allowances:
    """What each address has left of one allowance. Any thread."""

    def __init__(self, allowance: Allowance, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._allowance, self._clock_s, self._lock = allowance, clock_s, threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> bool:
        """Take one; returns whether there was one left."""
        with self._lock:
            left = self._now(address)
            self._note(address, left - 1 if left >= 1 else left)
            return left >= 1

    def give_back(self, address: str) -> None:
        """Give one back that was taken for nothing."""
        with self._lock:
            self._note(address, self._now(address) + 1)

    def has(self, address: str) -> bool:
        """Return whether there is one left, without taking it."""
        with self._lock:
            return self._now(address) >= 1

    def _now(self, address: str) -> float:
        left, at_s = self._left.get(address, (float(self._allowance.most), 0.0))
        return min(left + (self._clock_s() - at_s) / self._allowance.refill_s, float(self._allowance.most))

    def _note(self, address: str, left: float) -> None:
        self._left[address] = (left, self._clock_s())
        self._left.move_to_end(address)
        while len(self._left) > ADDRESSES_MAX:
            self._left.popitem(last=False)


class OwnTickets:
    """Which tickets were made from which address: who guessed wrong still sees their own. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def note(self, address: str, number: str, secret: str) -> None:
        """Note that a form from this address made this ticket."""
        with self._lock:
            self._known[self._mark(address, number, secret)] = None
            while len(self._known) > OWN_TICKETS_MAX:
                self._known.popitem(last=False)

    def __contains__(self, ticket: tuple[str, str, str]) -> bool:
        with self._lock:
            return self._mark(*ticket) in self._known

    @staticmethod
    def _mark(address: str, number: str, secret: str) -> bytes:
        return sha256(f"{address} {number} {secret}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Manners:
    """The allowances of one application."""

    own: OwnTickets
    pages: Allowances
    requests: Allowances
    additions: Allowances
    offers: Allowances
    wrong_codes: Allowances


_KEY = "steunpunt_manners"


def add_manners(app: Flask, clock_s: Callable[[], float] = time.monotonic) -> None:
    """Count what phones ask from now on."""
    kinds = (PAGES, REQUESTS, ADDITIONS, OFFERS, WRONG_CODES)
    made = Manners(OwnTickets(), *(Allowances(kind, clock_s) for kind in kinds))
    app.extensions[_KEY] = made
    inner = app.wsgi_app

    def outer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        address = str(environ.get("REMOTE_ADDR") or "")
        if not from_wifi(address) or made.pages.take(address):
            return inner(environ, start_response)
        start_response("429 Too Many Requests", [("Content-Type", "text/plain; charset=utf-8"), ("Retry-After", "2")])
        return [b"Even wachten. Please wait.\n"]

    # Before Flask: what is refused must cost next to nothing.
    app.wsgi_app = outer  # type: ignore[method-assign]


def take_one(op: str) -> bool:
    """Take one ``submit``, ``supplement`` or ``offer`` of who asks now, before it is tried: forty at once are forty."""
    return not from_wifi(_address()) or _kept_of(op).take(_address())


def give_back(op: str) -> None:
    """Give one back that was not kept, or had been kept before: the same form once more costs nothing."""
    if from_wifi(_address()):
        _kept_of(op).give_back(_address())


def may_guess(number: str, secret: str) -> bool:
    """Return whether who asks now may look up a ticket: always their own, no other after too many that were wrong."""
    return _manners().wrong_codes.has(_address()) or (_address(), number, secret) in _manners().own


def note_made(number: str, secret: str) -> None:
    """Note that who asks now has made this ticket."""
    _manners().own.note(_address(), number, secret)


def note_wrong_code() -> None:
    """Note that a ticket was not there, or a code wrong."""
    _manners().wrong_codes.take(_address())


def _kept_of(op: str) -> Allowances:
    kinds = _manners()
    return {"submit": kinds.requests, "supplement": kinds.additions, "offer": kinds.offers}[op]


def _manners() -> Manners:
    found = current_app.extensions[_KEY]
    assert isinstance(found, Manners)  # noqa: S101  put there by add_manners and by nothing else
    return found


def _address() -> str:
    return request.remote_addr or ""


class TapsFirst(ThreadedTaskDispatcher):
    """Waitress' threads, to whom a form that was sent comes before all pages that wait; forms among each other in turn.

    When two hundred phones come at once, who has tapped waits for the other taps, not for everybody's first pages.
    """

    def add_task(self, task: Any) -> None:  # noqa: ANN401  a channel, whose first request is to be answered
        """Put a connection in the queue. It logs no depth of the queue, a line for each phone of a crowd."""
        with self.lock:
            place = len(self.queue)
            if _is_sent(task):
                place = next((at for at, other in enumerate(self.queue) if not _is_sent(other)), place)
            self.queue.insert(place, task)
            self.queue_cv.notify()


def _is_sent(task: Any) -> bool:  # noqa: ANN401  as above
    return bool(task.requests) and task.requests[0].command == "POST"


class FairChannel(HTTPChannel):
    """A connection that is hung up at once when its phone has CONNECTIONS_PER_PHONE_MAX open already."""

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002, ANN401  as waitress has it
        others = [one for one in list(server.active_channels.values()) if one.addr and addr and one.addr[0] == addr[0]]
        if len(others) >= CONNECTIONS_PER_PHONE_MAX and from_wifi(str(addr[0])):
            sock.close()
            return
        super().__init__(server, sock, addr, adj, map=map)
