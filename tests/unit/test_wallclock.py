"""Whether the wall clock is believed: kept, held over, taken from the board, or not at all; jumps by libfaketime."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from steunpunt.node.box import stamp
from steunpunt.wallclock import (
    DRIFT,
    FLOOR_S,
    HOLD_S_MAX,
    JUMP_S,
    NO_CLOCK,
    RTC_OFF_S_MAX,
    RTC_S,
    ClockReading,
    ClockSource,
    ClockState,
    ClockWatch,
    Judge,
    kernel_keeps,
    rtc_time,
    service_keeps,
)
from tests.crash.clock_jumps import WALL_S_MAX, faked, library

NOW_S = FLOOR_S + 10_000_000.0
KEPT = ClockReading(NOW_S, 100.0, kept=True, error_s=0.01)


def later(seconds: float, *, wall_s: float | None = None, rtc_s: float | None = None) -> ClockReading:
    """Give a reading some time after KEPT, of a clock that nobody keeps any more."""
    return ClockReading(NOW_S + (seconds if wall_s is None else wall_s), 100.0 + seconds, rtc_s=rtc_s)


def test_a_clock_that_is_kept_is_known_as_well_as_the_kernel_says() -> None:
    assert Judge().take(KEPT) == ClockState(ClockSource.NTP, 0.01)


def test_it_is_believed_a_while_after_and_ever_less() -> None:
    judge = Judge()
    judge.take(KEPT)
    state = judge.take(later(86_400))
    assert state.source is ClockSource.NTP
    assert state.uncertainty_s == pytest.approx(0.01 + 86_400 * DRIFT)
    assert judge.take(later(HOLD_S_MAX + 1)) == NO_CLOCK
    assert judge.take(later(10)) == NO_CLOCK, "once lost it is lost"


@pytest.mark.parametrize("jump_s", [JUMP_S + 1, -JUMP_S - 1, 86_400, -3_600])
def test_a_clock_that_jumps_is_not_believed_any_more(jump_s: float) -> None:
    judge = Judge()
    judge.take(KEPT)
    assert judge.take(later(60, wall_s=60 + jump_s)) == NO_CLOCK
    assert judge.take(later(60)) == NO_CLOCK, "nor when it jumps back: who knows which was right"
    assert judge.take(KEPT).source is ClockSource.NTP


def test_a_boot_clock_that_began_anew_tells_nothing_of_before() -> None:
    judge = Judge()
    judge.take(KEPT)
    assert judge.take(ClockReading(NOW_S, 5.0)) == NO_CLOCK


@pytest.mark.parametrize(
    ("rtc_s", "state"),
    [
        (NOW_S + 1, ClockState(ClockSource.RTC, RTC_S)),
        (NOW_S - RTC_OFF_S_MAX - 1, NO_CLOCK),
        (1_000.0, NO_CLOCK),
        (None, NO_CLOCK),
    ],
)
def test_the_boards_own_clock_is_believed_when_it_agrees(rtc_s: float | None, state: ClockState) -> None:
    assert Judge().take(ClockReading(NOW_S, 5.0, rtc_s=rtc_s)) == state


def test_a_date_before_this_program_or_after_the_century_is_none_whoever_says_so() -> None:
    for wall_s in (0.0, FLOOR_S - 1, 5_000_000_000.0):
        assert Judge().take(ClockReading(wall_s, 5.0, kept=True, error_s=0.0, rtc_s=wall_s)) == NO_CLOCK


def test_the_board_is_read_from_the_kernels_files(tmp_path: Path) -> None:
    assert rtc_time(tmp_path) is None
    (tmp_path / "rtc0").mkdir()
    assert rtc_time(tmp_path) is None, "a clock whose battery is empty cannot be read"
    (tmp_path / "rtc1").mkdir()
    (tmp_path / "rtc1" / "since_epoch").write_text("1771234567\n", "ascii")
    assert rtc_time(tmp_path) == 1771234567.0


def test_the_kernel_answers_here_or_refuses_and_the_service_is_a_yes_or_a_no(tmp_path: Path) -> None:
    asked = kernel_keeps()
    assert asked is None or asked[0] is (asked[1] is not None)
    for answer, kept in (("yes", True), ("no", False)):
        program = tmp_path / answer
        program.write_text(f'#!/bin/sh\ntest "$1" = show && echo {answer}\n', "ascii")
        program.chmod(0o700)
        assert service_keeps(str(program)) is kept
    assert service_keeps(str(tmp_path / "not-there")) is False


def test_a_watch_looks_at_once_tells_and_survives_a_clock_that_fails(wait_until: Callable[..., None]) -> None:
    readings: list[ClockReading | OSError] = [KEPT, OSError("no clock"), later(1)]
    looked: list[str] = []

    def read() -> ClockReading:
        reading = readings.pop(0) if len(readings) > 1 else readings[0]
        if isinstance(reading, OSError):
            raise reading
        return reading

    watch = ClockWatch(read=read, look_s=0.01)
    watch.tell(lambda: looked.append(str(watch.status()["source"])))
    watch.start()
    wait_until(lambda: len(looked) >= 3, 10, "three looks")
    watch.stop(5)
    assert looked[:3] == ["ntp", "none", "ntp"]
    assert watch.local_time() is not None
    assert watch.wall_less_boot_s() == KEPT.wall_s - KEPT.boot_s
    readings[:] = [OSError("no clock")]
    watch.look()
    assert watch.wall_less_boot_s() is None
    assert "clock" not in {thread.name for thread in threading.enumerate()}


def test_a_slip_says_the_time_or_that_nobody_knows_it() -> None:
    assert stamp(None) == "Geprint: tijd onbekend"
    assert stamp(time.struct_time((2026, 11, 21, 14, 32, 0, 5, 325, 0))) == "Geprint: 21-11 14:32"


LOOKS = """
import sys, time
from steunpunt.node.box import stamp
from steunpunt.wallclock import ClockReading, ClockWatch

def read():  # as read_clock, on a machine whose clock was kept until a moment ago
    kept, read.kept = read.kept, False
    return ClockReading(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), kept, 0.01 if kept else None)

read.kept = True
watch = ClockWatch(read=read)
for _ in sys.stdin:
    print(stamp(watch.local_time()), flush=True)
"""


@pytest.mark.parametrize("jump", [f"+{WALL_S_MAX}", "-3600"])
def test_a_date_that_leaps_is_said_to_be_unknown(tmp_path: Path, jump: str) -> None:
    """A real process whose wall clock, and only that, libfaketime moves."""
    faketime, date = library(), tmp_path / "date"
    assert faketime is not None, "type: apt-get install faketime"
    date.write_text("+0\n", "ascii")
    process = subprocess.Popen(
        [sys.executable, "-c", LOOKS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **faked(faketime, date), "TZ": "Europe/Amsterdam"},
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def told() -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        print(file=process.stdin, flush=True)
        return process.stdout.readline().strip()

    with process:
        before, held = told(), told()
        date.write_text(f"{jump}\n", "ascii")
        after = told()
        process.stdin.close()
        process.wait(30)
    assert before.startswith("Geprint: ")
    assert before[9:10].isdigit()
    assert held[9:10].isdigit()
    assert after == "Geprint: tijd onbekend"
