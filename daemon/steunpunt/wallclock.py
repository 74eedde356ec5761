"""Whether this device's wall clock can be believed, by whom, and within what.

Nothing is decided by wall time: order comes from counters, waiting from the boot clock. It is shown where a person
needs it, such as on a slip, and there a wrong time is worse than none. Sources, the best first:

=====  ====================================================================  ==============================
ntp    the kernel says that a time service keeps it, or it ran on since then  what the kernel says, and 100 ppm
rtc    a real-time clock of the board agrees with it                          RTC_S: as well as it was once set
none   everything else: no clock, one that jumped, a date before this program  nothing
=====  ====================================================================  ==============================

The kernel is asked by ``adjtimex``, which needs no privilege but is closed to a hardened unit; there ``timedatectl``
asks for us. A Meshtastic radio's time is not used: anybody on the channel can set it.
"""

import contextlib
import ctypes
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

FLOOR_S, CEILING_S = 1_767_225_600, 4_102_444_800
"""2026 to 2099, in seconds of the epoch: a date outside is no date."""
DRIFT = 100e-6
"""How fast a clock that nobody keeps goes wrong at worst, as a share of the time that passes."""
HOLD_S_MAX = 30 * 86_400
"""A clock that was kept is believed so long after."""
JUMP_S = 2.0
"""A wall clock that moved more than this against the boot clock, with drift on top, was set by somebody."""
RTC_OFF_S_MAX = 60.0
RTC_S = 300.0
LOOK_S = 300.0
"""Between two looks."""
COMMAND_S_MAX = 5.0
_STA_UNSYNC = 0x40
_RTCS = Path("/sys/class/rtc")
_log = logging.getLogger(__name__)


class ClockSource(StrEnum):
    """Who says what time it is."""

    NTP = "ntp"
    RTC = "rtc"
    NONE = "none"


class ClockReading(Struct, frozen=True):
    """What the machine says at one look. Seconds; ``error_s`` None: kept, but not said how well."""

    wall_s: float
    boot_s: float
    kept: bool = False
    error_s: float | None = None
    rtc_s: float | None = None


class ClockState(Struct, frozen=True):
    """What can be believed. ``uncertainty_s`` None: not known how far it may be off."""

    source: ClockSource = ClockSource.NONE
    uncertainty_s: float | None = None


NO_CLOCK = ClockState()


class Judge:
    """Decides over readings; pure but for what it remembers of the last time that the clock was kept."""

    def __init__(self) -> None:
        self._kept: ClockReading | None = None

    def take(self, now: ClockReading) -> ClockState:
        """Return what can be believed now."""
        if not FLOOR_S <= now.wall_s < CEILING_S:
            self._kept = None
            return NO_CLOCK
        if now.kept:
            self._kept = now
            return ClockState(ClockSource.NTP, now.error_s)
        held_s = self._held_s(now)
        if self._kept is not None and held_s is not None:
            error_s = self._kept.error_s
            return ClockState(ClockSource.NTP, None if error_s is None else error_s + held_s * DRIFT)
        self._kept = None
        if now.rtc_s is not None and now.rtc_s >= FLOOR_S and abs(now.rtc_s - now.wall_s) <= RTC_OFF_S_MAX:
            return ClockState(ClockSource.RTC, RTC_S)
        return NO_CLOCK

    def _held_s(self, now: ClockReading) -> float | None:
        """Return how long ago the clock was kept; None when that says nothing any more."""
        if self._kept is None:
            return None
        passed_s = now.boot_s - self._kept.boot_s
        moved_s = abs((now.wall_s - self._kept.wall_s) - passed_s)
        return passed_s if 0 <= passed_s <= HOLD_S_MAX and moved_s <= JUMP_S + passed_s * DRIFT else None


class _Timex(ctypes.Structure):
    """The beginning of ``struct timex`` (adjtimex(2)); what follows is only room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_byte * 256),
    )


def kernel_keeps() -> tuple[bool, float | None] | None:
    """Return whether a time service keeps the clock, and its error in seconds; None: the kernel may not be asked."""
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        return None
    kept = not timex.status & _STA_UNSYNC
    return kept, timex.maxerror / 1e6 if kept else None


def service_keeps(command: str = "timedatectl") -> bool:
    """Return whether systemd says that the clock is kept; False when it cannot be asked."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(  # noqa: S603  the system's own program, without a shell
            [command, "show", "--property=NTPSynchronized", "--value"],
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
            check=False,
            # A program of systemd's that fails tells it where the node reports to be ready.
            env={name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
        )
        return told.stdout.strip() == "yes"
    return False


def rtc_time(folder: Path = _RTCS) -> float | None:
    """Return what the board's clock says, in seconds of the epoch; None without one."""
    for clock in sorted(folder.glob("rtc*")):
        with contextlib.suppress(OSError, ValueError):
            return float((clock / "since_epoch").read_text("ascii"))
    return None


def read_clock() -> ClockReading:
    """Ask kernel, service and board."""
    asked = kernel_keeps()
    kept, error_s = asked if asked is not None else (service_keeps(), None)
    return ClockReading(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), kept, error_s, rtc_time())


class ClockWatch:
    """Looks now and then, on a thread of its own. The constructor does nothing; :meth:`start` acts."""

    def __init__(self, *, read: Callable[[], ClockReading] = read_clock, look_s: float = LOOK_S) -> None:
        self._read, self._look_s = read, look_s
        self._judge, self._lock = Judge(), threading.Lock()
        self._state = NO_CLOCK
        self._wall_less_boot_s: float | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: list[Callable[[], None]] = []

    def tell(self, told: Callable[[], None]) -> None:
        """Call ``told`` after each look, on this thread; to be called before :meth:`start`."""
        self._told.append(told)

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._loop, name="clock", daemon=True)
        self._thread.start()

    def stop(self, deadline_s: float) -> None:
        """Stop within ``deadline_s`` seconds."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(deadline_s)

    def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001  a clock that cannot be read is none; it must not end the watch
                _log.exception("action=clock_look_failed")
            self._stopping.wait(self._look_s)

    def look(self) -> ClockState:
        """Look once, and tell who wants to know."""
        state = self.now()
        for told in self._told:
            told()
        return state

    def now(self) -> ClockState:
        """Look just now, as before a time is shown: it may have jumped. What cannot be read is no clock."""
        with self._lock:
            state, self._wall_less_boot_s = NO_CLOCK, None
            with contextlib.suppress(OSError):
                reading = self._read()
                state = self._judge.take(reading)
                if state.source is not ClockSource.NONE:
                    self._wall_less_boot_s = reading.wall_s - reading.boot_s
            if state.source is not self._state.source:
                _log.info("action=clock source=%s uncertainty_s=%s", state.source, state.uncertainty_s)
            self._state = state
            return state

    def wall_less_boot_s(self) -> float | None:
        """Return by how much the wall clock was ahead of the boot clock at the last look; None: not to be believed.

        A jump of the wall clock since then changes nothing of it.
        """
        return self._wall_less_boot_s

    def wall_s(self) -> int:
        """Return Unix seconds by the last look that could be believed; 0 while there is none."""
        ahead_s = self._wall_less_boot_s
        return 0 if ahead_s is None else round(time.clock_gettime(time.CLOCK_BOOTTIME) + ahead_s)

    def local_time(self) -> time.struct_time | None:
        """Return the local time; None while it is not known."""
        return None if self.now().source is ClockSource.NONE else time.localtime()

    def status(self) -> dict[str, object]:
        """Return what ``status`` says: the source, and within how many seconds."""
        state = self._state
        uncertainty_s = None if state.uncertainty_s is None else round(state.uncertainty_s, 1)
        return {"source": str(state.source), "uncertainty_s": uncertainty_s}
