"""A survey of one hall's antenna: probes to the fire station's radio and back, and what to make of them. Pure.

A probe is a traceroute: each radio on the way writes down how well it heard it, and the answer comes back with both
lists. The firmware lets a client send one in 30 s.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Struct

PROBES = 20
GAP_MS = 31_000
"""Between two probes; the firmware silently drops one that comes within 30 s."""
ANSWER_MS_MAX = 25_000
ROOM_AGAIN_MS = 60_000
"""When the airtime has no room, it is asked again so much later."""
LASTS_MS_MAX = 3_600_000
"""Then it ends with what it has."""
ANSWERED_SHARE_MIN = 0.9
MARGIN_DB = 5.0
SNR_UNKNOWN = -128
"""Stands for an SNR that nobody wrote down, in quarters of a dB."""


class Trip(Struct, frozen=True):
    """What the answer to a probe tells: radios in between, and the SNR in dB at the far end and here."""

    hops_out: int
    hops_back: int
    snr_out_db: float | None
    snr_back_db: float | None
    took_ms: int = 0


class Direction(Struct, frozen=True):
    """One way of the sheet: the worst and the middle SNR in dB, and the most radios in between."""

    snr_median_db: float | None
    snr_worst_db: float | None
    hops_max: int | None


class Sheet(Struct, frozen=True):
    """The result for this antenna."""

    sent: int
    answered: int
    out: Direction
    back: Direction
    air_ms: int
    passed: bool
    why: str
    """A code: ``good``, ``answers``, ``snr_out``, ``snr_back``, ``unmeasured``."""


@dataclass(slots=True)
class Survey:
    """The survey under way: ask :meth:`due` when to look, :meth:`wants` whether to send; tell it what happened."""

    began_ms: int
    air_ms: float
    """What one probe costs."""
    probes: int = PROBES
    sent: int = 0
    trips: list[Trip] = field(default_factory=list)
    _asked_ms: int | None = None
    _next_ms: int = 0

    def due_ms(self) -> int:
        """Return when to look again."""
        return self._next_ms if self._asked_ms is None else self._asked_ms + ANSWER_MS_MAX

    def wants(self, now_ms: int) -> bool:
        """Return whether the next probe should go now; gives up one that was not answered in time."""
        if self._asked_ms is not None:
            if now_ms - self._asked_ms < ANSWER_MS_MAX:
                return False
            self._asked_ms = None
        return self.sent < self.probes and now_ms >= self._next_ms

    def asked(self, now_ms: int) -> None:
        """Note that a probe was handed to the radio."""
        self.sent += 1
        self._asked_ms, self._next_ms = now_ms, now_ms + GAP_MS

    def refused(self, now_ms: int) -> None:
        """Note that the radio did not take it after all: it cost nothing, and counts as not sent."""
        if self._asked_ms is not None:
            self.sent, self._asked_ms, self._next_ms = self.sent - 1, None, now_ms + GAP_MS

    def no_room(self, now_ms: int) -> None:
        """Note that the airtime has no room now."""
        self._next_ms = now_ms + ROOM_AGAIN_MS

    def answered(self, trip: Trip) -> None:
        """Take the answer to the probe under way; one that comes too late counts as none."""
        if self._asked_ms is not None:
            self.trips.append(trip)
            self._asked_ms = None

    def took_ms(self, now_ms: int) -> int:
        """Return how long the probe under way has been away."""
        return 0 if self._asked_ms is None else now_ms - self._asked_ms

    def over(self, now_ms: int) -> bool:
        """Return whether nothing more is to come."""
        complete = self.sent >= self.probes and self._asked_ms is None
        return complete or now_ms - self.began_ms >= LASTS_MS_MAX

    def sheet(self, snr_min_db: float) -> Sheet:
        """Return the result; ``snr_min_db`` is the preset's limit."""
        out = _direction([trip.snr_out_db for trip in self.trips], [trip.hops_out for trip in self.trips])
        back = _direction([trip.snr_back_db for trip in self.trips], [trip.hops_back for trip in self.trips])
        why = _why(self.sent, self.probes, len(self.trips), out, back, snr_min_db + MARGIN_DB)
        return Sheet(self.sent, len(self.trips), out, back, round(self.sent * self.air_ms), why == "good", why)


def _direction(snrs: Sequence[float | None], hops: Sequence[int]) -> Direction:
    known = [snr for snr in snrs if snr is not None]
    middle = round(statistics.median(known), 2) if known else None
    return Direction(middle, min(known, default=None), max(hops, default=None))


def _why(sent: int, probes: int, answered: int, out: Direction, back: Direction, least_db: float) -> str:
    if sent < probes or answered < ANSWERED_SHARE_MIN * probes:
        return "answers"
    for name, way in (("snr_out", out), ("snr_back", back)):
        if way.snr_median_db is None:
            return "unmeasured"
        if way.snr_median_db < least_db:
            return name
    return "good"
