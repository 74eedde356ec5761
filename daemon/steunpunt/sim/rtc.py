"""A radio's clock: who set it, and whose word may replace it. As firmware 2.7 does it; pure."""

from enum import IntEnum

BUILD_EPOCH_S = 1_735_689_600
"""1 January 2025: the firmware believes no time from before it was built, nor from forty years after."""
EPOCH_S_MAX = BUILD_EPOCH_S + 40 * 365 * 86_400
AGAIN_MS = 12 * 3_600_000.0
"""A client's time replaces an earlier one of a client after so long, against drift; until then it is ignored."""


class Quality(IntEnum):
    """Whose word the time is."""

    NONE = 0
    DEVICE = 1
    NET = 2
    """Another radio's position."""
    NTP = 3
    """A client: a phone or a computer."""
    GPS = 4


class Rtc:
    """One radio's clock; forgotten with the power."""

    def __init__(self) -> None:
        self.quality = Quality.NONE
        self._epoch_at_start_s = 0.0
        self._set_ms = 0.0

    def set(self, epoch_s: int, quality: Quality, uptime_ms: float) -> bool:
        """Take a time, unless a better one is there; returns whether it was taken."""
        if not BUILD_EPOCH_S <= epoch_s <= EPOCH_S_MAX:
            return False
        drifted = quality >= Quality.NTP and uptime_ms - self._set_ms > AGAIN_MS
        if quality <= self.quality and not drifted:
            return False
        self.quality, self._set_ms = quality, uptime_ms
        self._epoch_at_start_s = epoch_s - uptime_ms / 1000
        return True

    def epoch_s(self, uptime_ms: float, least: Quality = Quality.NET) -> int:
        """Return Unix seconds; 0 while nobody of at least this quality has told the time."""
        return int(self._epoch_at_start_s + uptime_ms / 1000) if self.quality >= least else 0
