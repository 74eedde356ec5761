"""Ledger time: milliseconds that never go back and survive restarts.

There may be no clock: no RTC, no NTP, a date that jumps. Ledger time counts CLOCK_BOOTTIME onwards from what the
ledger last stored. Within one boot of the machine it is exact, also over a restart of the process; over a power cut it
is a lower bound (to within SAVE_MS), for nobody knows how long the power was gone. What was written before
:attr:`LedgerClock.certain_ms` therefore has an age of *at least* the difference.
"""

import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

from msgspec import Struct

from steunpunt.model import LedgerError

_RECORD = struct.Struct("<QQQQ")
"""Boot time, ledger time, 0, certain time; the boot's name follows."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SAVE_MS = 10_000
"""The record is renewed with the first commit that comes this long after the last renewal."""


def boot_time_ms() -> int:
    """Return milliseconds since the machine was switched on, sleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def boot_name() -> bytes:
    """Return a name of this boot of the machine (36 ASCII bytes)."""
    return _BOOT_ID.read_bytes().strip()


class _Record(NamedTuple):
    boot_ms: int
    ledger_ms: int
    certain_ms: int
    boot: bytes

    @classmethod
    def parse(cls, record: bytes) -> Self:
        if len(record) <= _RECORD.size:
            raise LedgerError(f"the ledger's clock record has {len(record)} bytes; put back a copy of the ledger")
        boot_ms, ledger_ms, _, certain_ms = _RECORD.unpack_from(record)
        return cls(boot_ms, ledger_ms, certain_ms, record[_RECORD.size :])

    def continues(self, boot: bytes, boot_ms: int) -> bool:
        """Return whether the machine has not been switched off since."""
        return self.boot == boot and boot_ms >= self.boot_ms


class LedgerClock(Struct, frozen=True):
    """Ledger time = boot time + ``offset_ms``."""

    boot: bytes
    offset_ms: int
    certain_ms: int
    """Ages of what is older than this are lower bounds."""
    read_boot_ms: Callable[[], int] = boot_time_ms

    @classmethod
    def resume(cls, record: bytes | None, boot: bytes, read_boot_ms: Callable[[], int] = boot_time_ms) -> "LedgerClock":
        """Continue from what the ledger stored, None for a new ledger; LedgerError for a broken record."""
        boot_ms = read_boot_ms()
        if record is None:
            return cls(boot, -boot_ms, 0, read_boot_ms)
        last = _Record.parse(record)
        if last.continues(boot, boot_ms):
            return cls(boot, last.ledger_ms - last.boot_ms, last.certain_ms, read_boot_ms)
        # All of this boot came after the last record. And past the next record, so that what was written just after
        # the last one is not in the future.
        resumed_ms = last.ledger_ms + max(SAVE_MS, boot_ms)
        return cls(boot, resumed_ms - boot_ms, resumed_ms, read_boot_ms)

    @classmethod
    def follow(cls, record: bytes | None, boot: bytes, read_boot_ms: Callable[[], int] = boot_time_ms) -> "LedgerClock":
        """Use the time that the node began in this boot; LedgerError when it has not yet."""
        if record is None or not _Record.parse(record).continues(boot, read_boot_ms()):
            raise LedgerError("the node has not run since this machine was switched on; start steunpunt-node")
        return cls.resume(record, boot, read_boot_ms)

    def now_ms(self) -> int:
        """Return ledger time."""
        return self.read_boot_ms() + self.offset_ms

    def record(self) -> bytes:
        """Return what :meth:`resume` needs: to be stored under ``clock`` in the ledger's meta table."""
        boot_ms = self.read_boot_ms()
        return _RECORD.pack(boot_ms, boot_ms + self.offset_ms, 0, self.certain_ms) + self.boot
