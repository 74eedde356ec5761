"""What a radio may still send in the rolling hour, lane by lane.

In EU_868 a transmitter may be on the air a tenth of the time (ETSI EN 300 220, band P), and the firmware refuses to
send beyond it. Two figures say how much is used: our own log by exact time on air, and the radio's ``air_util_tx``,
which also counts what it relays for others but comes only every few minutes. The higher one holds:
the reading plus what we sent since, or our log. Only life threats may use the last part; the lanes below stop earlier,
the lower the earlier, so that news never keeps a request off the air.

After a power cut nobody knows how long it lasted: what the log holds counts as just spent.
"""

from collections import deque

from msgspec import Struct

from steunpunt.model import Lane

HOUR_MS = 3_600_000
LEGAL_SHARE_MAX = 0.10
SHARE_MAX = {
    Lane.LIFE_THREAT: 0.098,
    Lane.URGENT: 0.07,
    Lane.OTHER: 0.07,
    Lane.ANNOUNCEMENT: 0.05,
    Lane.HOUSEKEEPING: 0.03,
}
"""Share of the hour up to which a lane may send. Two thousandths stay below the legal tenth: the firmware counts in its
own way."""
READING_MS_MAX = 1_800_000
"""A radio's reading older than this says nothing any more."""
LOOK_AGAIN_MS = 60_000
"""When a reading stands in the way nobody can say until when; so long after, it is tried again."""
ENTRIES_MAX = 4_000
"""More than fit in a tenth of an hour: 360 s of the shortest LongFast packets are 900."""


class Reading(Struct, frozen=True):
    """The radio's own word: milliseconds on air in the last hour, relayed packets included, and when it said so."""

    used_ms: float
    at_ms: int


class AirBudget:
    """One radio's rolling hour. Ledger milliseconds; the caller keeps the log on the disk."""

    def __init__(self, log: list[tuple[int, float]], now_ms: int) -> None:
        """``log``: (ledger ms, ms on air) of earlier transmissions, in any order; later than now counts as now."""
        recent = sorted((min(at, now_ms), air) for at, air in log if at > now_ms - HOUR_MS)
        self._log: deque[tuple[int, float]] = deque(recent, maxlen=ENTRIES_MAX)
        self._reading: Reading | None = None

    def spend(self, at_ms: int, air_ms: float) -> None:
        """Note a transmission handed to the radio."""
        self._log.append((at_ms, air_ms))

    def give_back(self, at_ms: int, air_ms: float) -> None:
        """Forget a transmission that the radio refused."""
        try:
            self._log.remove((at_ms, air_ms))
        except ValueError:
            return  # older than the hour

    def read(self, share: float, now_ms: int) -> None:
        """Take the radio's ``air_util_tx``, as a share of the hour (0 … 1)."""
        self._reading = Reading(min(max(share, 0.0), 1.0) * HOUR_MS, now_ms)

    def used_ms(self, now_ms: int) -> float:
        """Return how many milliseconds of the last hour count as used."""
        self._trim(now_ms)
        own = sum(air for _, air in self._log)
        return max(own, self._told_ms(now_ms))

    def fits(self, lane: Lane, air_ms: float, now_ms: int) -> bool:
        """Return whether a packet of this lane may go on the air now."""
        return self.used_ms(now_ms) + air_ms <= SHARE_MAX[lane] * HOUR_MS

    def fits_from_ms(self, lane: Lane, air_ms: float, now_ms: int) -> int:
        """Return when it may go: now, when enough of our own log is an hour old, or LOOK_AGAIN_MS from now."""
        if self.fits(lane, air_ms, now_ms):
            return now_ms
        limit_ms = SHARE_MAX[lane] * HOUR_MS - air_ms
        if self._told_ms(now_ms) > limit_ms:
            return now_ms + LOOK_AGAIN_MS
        used_ms = sum(air for _, air in self._log)
        for at_ms, spent_ms in self._log:
            used_ms -= spent_ms
            if used_ms <= limit_ms:
                return max(at_ms + HOUR_MS, now_ms + 1)
        return now_ms + LOOK_AGAIN_MS

    def _told_ms(self, now_ms: int) -> float:
        """Return what the radio told, and what we sent since."""
        reading = self._reading
        if reading is None or now_ms - reading.at_ms > READING_MS_MAX:
            return 0.0
        return reading.used_ms + sum(air for at, air in self._log if at >= reading.at_ms)

    def _trim(self, now_ms: int) -> None:
        while self._log and self._log[0][0] <= now_ms - HOUR_MS:
            self._log.popleft()
