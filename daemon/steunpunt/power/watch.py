"""The power thread: looks, lets the policy decide, does it, and tells the node's loop what changed."""

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from steunpunt.model import Event
from steunpunt.power import commands
from steunpunt.power.policy import Decision, Policy
from steunpunt.power.reading import Reading, ReadingError, reading_of
from steunpunt.power.shedding import Run, Shedder
from steunpunt.power.sources import Source
from steunpunt.power.touch import Touch
from steunpunt.powerconfig import Power
from steunpunt.powerfacts import PowerSeen, PowerState

NEAR_END_S = 2.0
"""Between two looks while the site goes dark: mains that comes back must be seen."""
Clock = Callable[[], int]
_log = logging.getLogger(__name__)


def boot_ms() -> int:
    """Return milliseconds since the machine was switched on; they never go back, and count while it sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class PowerWatch:
    """See the module. The constructor does nothing; :meth:`start` acts."""

    def __init__(
        self,
        power: Power,
        inbox: Callable[[Event], None],
        source: Source,
        *,
        clock: Clock = boot_ms,
        run: Run = commands.run,
    ) -> None:
        self._power, self._inbox, self._source, self._clock = power, inbox, source, clock
        self._policy = Policy(power)
        self._touch = Touch(power.touch_path)
        self._shedder = Shedder(power, run, self._touch)
        self._lock = threading.Lock()
        self._status: dict[str, Any] = {}
        self._told: PowerSeen | None = None
        self._error = ""
        self._read_ms: int | None = None
        self._touched = False
        self._stopping = threading.Event()
        self._reader: socket.socket | None = None
        self._writer: socket.socket | None = None
        self._thread: threading.Thread | None = None

    # --- for other threads --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look."""
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0)
        self._writer.settimeout(0)
        self._thread = threading.Thread(target=self._loop, name="power", daemon=True)
        self._thread.start()

    def stop(self, deadline_s: float) -> None:
        """Stop looking, within ``deadline_s`` seconds; what is saved stays saved."""
        self._stopping.set()
        self._wake()
        if self._thread is not None:
            self._thread.join(deadline_s)
            if self._thread.is_alive():  # a command or a bus holds it; it ends with the process
                return
        self._source.close()
        self._touch.release()
        for end in (self._reader, self._writer):
            if end is not None:
                end.close()

    def touched(self) -> None:
        """Somebody is at the point: bring the screen back for a while."""
        self._touched = True
        self._wake()

    def status(self) -> dict[str, Any]:
        """Return what is known, for ``status``; empty before the first look ended."""
        with self._lock:
            found = dict(self._status)
        if found and self._read_ms is not None:
            found["age_s"] = (self._clock() - self._read_ms) // 1000
        return found

    def _wake(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(OSError):  # full: it is awake already; closed: nobody waits
                self._writer.send(b"\0")

    # --- the thread ---------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while not self._stopping.is_set():
            near_end = False
            try:
                near_end = self.look().going_dark
            except Exception:  # noqa: BLE001  whatever goes wrong once must not end the watch over the power
                _log.exception("action=power_look_failed")
            self._wait(NEAR_END_S if near_end else self._power.poll_s)

    def look(self) -> Decision:
        """Look once, decide and act."""
        reading = self._read()
        now_ms = self._clock()
        if self._touched:
            self._touched = False
            self._policy.touched(now_ms)
        decision = self._policy.take(reading, now_ms)
        # Told before it is acted on: the last heartbeat leaves while the commands run.
        self._tell(decision)
        self._shedder.apply(decision, now_ms)
        self._tell(decision)
        return decision

    def _read(self) -> Reading | None:
        try:
            reading = reading_of(self._source.read())
        except ReadingError as error:
            if str(error) != self._error:
                _log.warning("action=power_not_read reason=%r", str(error))
            self._error = str(error)
            return None
        if self._error:
            _log.info("action=power_read_again")
        self._error, self._read_ms = "", self._clock()
        return reading

    def _wait(self, seconds: float) -> None:
        """Wait until the next look is due, somebody touches the dark screen, or we are woken."""
        if self._reader is None:
            return
        with selectors.DefaultSelector() as selector:
            selector.register(self._reader, selectors.EVENT_READ)
            touch = self._touch.fileno()
            if touch is not None:
                with contextlib.suppress(PermissionError):  # a plain file cannot be waited on
                    selector.register(touch, selectors.EVENT_READ)
            for key, _ in selector.select(seconds):
                if key.fd == touch:
                    self._touched = self._touch.touched()
                else:
                    with contextlib.suppress(OSError):
                        self._reader.recv(64)

    # --- telling ------------------------------------------------------------------------------------------------

    def _tell(self, decision: Decision) -> None:
        problems = self._problems(decision)
        body = status_of(decision, problems)
        with self._lock:
            self._status = body
        seen = seen_of(decision, faulty=bool(problems))
        if seen != self._told:
            if self._told is None or seen.state is not self._told.state:
                _log.info("action=power state=%s percent=%s hours_left=%s", seen.state, seen.percent, seen.hours_left)
            self._told = seen
            self._inbox(seen)

    def _problems(self, decision: Decision) -> list[str]:
        failed = [f"{action}: {failure}" for action, failure in self._shedder.failures.items()]
        return [*([self._error] if self._error else []), *decision.problems, *failed]


def seen_of(decision: Decision, *, faulty: bool) -> PowerSeen:
    """Return what the engine must know, in steps that a heartbeat can tell."""
    hours = decision.hours_left
    return PowerSeen(
        state=decision.state,
        source=decision.source,
        percent=None if decision.percent is None else int(decision.percent),
        hours_left=None if hours is None else float(int(hours)),
        slow_heartbeat=any(shed.action == "heartbeat" for shed in decision.shed),
        going_dark=decision.going_dark,
        faulty=faulty or decision.state is PowerState.UNKNOWN,
    )


def status_of(decision: Decision, problems: list[str]) -> dict[str, Any]:
    """Return what ``status`` says of power."""
    rounded = {
        "percent": None if decision.percent is None else int(decision.percent),
        "hours_left": None if decision.hours_left is None else round(decision.hours_left, 1),
        "draw_w": None if decision.draw_w is None else round(decision.draw_w, 2),
    }
    return {
        "state": str(decision.state),
        "source": decision.source.name.lower(),
        "mains": decision.mains,
        **rounded,
        "measured": decision.measured,
        "shed": [shed.action for shed in decision.shed],
        "going_dark": decision.going_dark,
        "shutting_down": decision.shut_down,
        "problems": problems,
        "age_s": None,
    }
