"""What both links share: one thread, one bounded queue, one answer to every send.

The thread waits in a selector without a polling interval; other threads reach it only through
the queue and a wake-up socket, so that an idle link costs no wake-ups.
"""

import contextlib
import logging
import random
import selectors
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Hashable

from steunpunt.model import MAIN_RADIO, Event, LinkChanged, LinkName, SendEnded, SendFrame, SendOutcome

Inbox = Callable[[Event], None]
Clock = Callable[[], float]

STABLE_S = 5.0
"""A connection that served this long, in seconds, was a good one: the next wait is short again."""
LOG_SAME_S = 60.0
"""The same kind of complaint is logged at most once in this many seconds."""

_log = logging.getLogger(__name__)


class Backoff:
    """How long to wait before the next attempt: doubling from ``first_s`` to ``cap_s``, with jitter.

    Each wait is drawn between half and the whole of its step, so that many sites whose broker came
    back do not knock at the same moment.
    """

    def __init__(self, first_s: float, cap_s: float, rng: random.Random) -> None:
        self._first_s, self._cap_s, self._rng = first_s, cap_s, rng
        self._step_s = first_s

    def next_s(self) -> float:
        """Return the wait before the next attempt, in seconds, and take the next step."""
        step_s, self._step_s = self._step_s, min(self._cap_s, self._step_s * 2)
        return step_s * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin again at the shortest wait: the last connection was a good one."""
        self._step_s = self._first_s


class RareLog:
    """Logs a warning, but the same key at most once in LOG_SAME_S and at most 64 keys."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._last_s: dict[Hashable, float] = {}

    def warn(self, key: Hashable, message: str, *values: object) -> None:
        """Log ``message % values`` unless ``key`` was logged lately."""
        now = self.clock()
        if now - self._last_s.get(key, -LOG_SAME_S) < LOG_SAME_S:
            return
        if len(self._last_s) >= 64:  # noqa: PLR2004  a bound, no more
            self._last_s.clear()
        self._last_s[key] = now
        _log.warning(message, *values)


class Waker:
    """Wakes a thread that waits in a selector; quiet before open and after close."""

    def __init__(self) -> None:
        self._reader: socket.socket | None = None
        self._writer: socket.socket | None = None

    def open(self) -> None:
        """Make the pair of sockets."""
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0)
        self._writer.settimeout(0)

    def fileno(self) -> int:
        """Return what to wait on for reading."""
        return -1 if self._reader is None else self._reader.fileno()

    def wake(self) -> None:
        """Make the reader readable; never blocks."""
        if self._writer is not None:
            with contextlib.suppress(OSError):  # full: it is awake already; closed: nobody waits
                self._writer.send(b"\0")

    def drain(self) -> None:
        """Make the reader quiet again."""
        if self._reader is not None:
            with contextlib.suppress(OSError):
                while self._reader.recv(4096):
                    pass

    def close(self) -> None:
        """Give both sockets back."""
        for end in (self._reader, self._writer):
            if end is not None:
                end.close()


class LinkThread(ABC):
    """The thread, the queue and the up/down state of one link.

    The constructor does nothing that others notice; :meth:`start` acts. Every SendFrame given to
    :meth:`send` ends in exactly one SendEnded: at once while the link is down or the queue is full.
    The node uses start, send, stop and counters; the rest is for the two links themselves.
    """

    link: LinkName
    commands_max: int
    """How many commands may wait for the thread."""

    def __init__(self, inbox: Inbox, clock: Clock = time.monotonic, radio: str = MAIN_RADIO) -> None:
        self.emit, self.clock, self.radio = inbox, clock, radio
        self._title = str(self.link) if radio == MAIN_RADIO else f"{self.link} {radio}"
        self.stopping = False
        self.waker = Waker()
        self._rare_log = RareLog(clock)
        self._lock = threading.Lock()
        self._commands: deque[object] = deque()
        self._counts: Counter[str] = Counter()
        self._state: tuple[bool, str, int | None] | None = None
        self._up = False
        self._thread = threading.Thread(target=self._guarded_run, name=f"link-{self._title}", daemon=True)

    def start(self) -> None:
        """Start the link's thread; the first LinkChanged tells how it went."""
        self.waker.open()
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the link's thread lives."""
        return self._thread.is_alive()

    def stop(self, deadline_s: float) -> None:
        """End the thread within ``deadline_s`` seconds; one that hangs in a driver is left behind."""
        self.stopping = True
        self.waker.wake()
        if self._thread.ident is not None:
            self._thread.join(deadline_s)
        if self._thread.is_alive():
            _log.warning("the %s link's thread hangs in a driver; left behind", self._title)
        else:
            self.waker.close()

    def send(self, effect: SendFrame) -> None:
        """Queue one frame; never blocks. Its SendEnded says what became of it."""
        why = self.offer(effect)
        if why:
            self.count("send_refused")
            self.emit(SendEnded(self.link, effect.attempt_id, SendOutcome.REFUSED, why, radio=effect.radio))

    def offer(self, command: object, *, always: bool = False) -> str:
        """Queue a command for the thread; return why not, or "".

        ``always`` passes over both reasons; such a command is dropped when the link next goes down.
        """
        with self._lock:
            if not always and not self._up:
                return "link down"
            if not always and len(self._commands) >= self.commands_max:
                return "the link's queue is full"
            first = not self._commands
            self._commands.append(command)
        if first:  # the thread was woken for those before and has not taken them yet
            self.waker.wake()
        return ""

    def counters(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        with self._lock:
            return dict(self._counts)

    @abstractmethod
    def run(self) -> None:
        """Serve until ``self.stopping``."""

    def _guarded_run(self) -> None:
        """Run for ever: an error that nobody foresaw costs one connection, not the link."""
        while not self.stopping:
            try:
                self.run()
            except Exception as error:  # noqa: BLE001  a link never gives up; this is said and counted
                _log.exception("the %s link failed and starts again", self._title)
                self.count("internal_errors")
                reason = f"internal error in the {self._title} link ({type(error).__name__}); see the log"
                self.report(up=False, reason=reason)
                self.pause(STABLE_S)

    def take(self) -> list[object]:
        """Take everything that waits."""
        with self._lock:
            taken = list(self._commands)
            self._commands.clear()
        return taken

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self._counts[name] += amount

    def complain(self, name: str, amount: int = 1) -> None:
        """Add to a counter of what went wrong, and log it at most once a minute."""
        self.count(name, amount)
        self._rare_log.warn(name, "%s: %s (counted under this name)", self._title, name)

    def report(self, *, up: bool, reason: str, node_num: int | None = None) -> None:
        """Say how the link is, if that changed; when it goes down, refuse what still waits."""
        with self._lock:
            changed = self._state != (up, reason, node_num)
            self._state, self._up = (up, reason, node_num), up
            waiting = [] if up else list(self._commands)
            if not up:
                self._commands.clear()
        if changed:
            _log.log(logging.INFO if up else logging.WARNING, "%s: %s", self._title, reason)
            self.emit(LinkChanged(self.link, up, reason, node_num, self.radio))
        for command in waiting:
            self.refuse(command)

    def refuse(self, command: object) -> None:
        """End a command that never left this process."""
        if isinstance(command, SendFrame):
            self.count("send_refused")
            refused = SendEnded(self.link, command.attempt_id, SendOutcome.REFUSED, "link down", radio=command.radio)
            self.emit(refused)
        else:
            self.count("commands_dropped")

    def pause(self, seconds: float) -> None:
        """Wait, unless the link is told to stop."""
        until = self.clock() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.waker, selectors.EVENT_READ)
            while not self.stopping and (left := until - self.clock()) > 0:
                if selector.select(left):
                    self.waker.drain()
