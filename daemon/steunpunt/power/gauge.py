"""How full the battery is, and how long that lasts: which readings are believed, and coulombs counted. Pure.

A charge that jumps, or stands still while energy flows, is not believed; then the count goes on from the last one
that was. Hours left = (charge - critical charge) x Wh per percent / mean draw in W. Wh per percent is the nameplate's
until a discharge has shown better: ageing, cold and the converter's losses are in what was used per percent that went.
"""

import math
from collections import deque
from dataclasses import dataclass

from steunpunt.power.reading import Reading

JUMP_PERCENT = 10.0
"""No battery of a site gains or loses so much between two looks."""
JUMP_MS = 600_000
"""A charge that jumped is believed again when it lived on, credibly, for so long."""
STUCK_MS_MIN = 1_200_000
STUCK_PERCENT, STUCK_ALONE_PERCENT = 5.0, 10.0
"""A gauge that shows the same is stuck when so much must have gone: all its figures, or the charge alone."""
STUCK_BLIND_MS = 4 * 3_600_000
"""The same where nobody knows what a percent is."""
STUCK_MAINS_MS = 12 * 3_600_000
STUCK_MAINS_PERCENT = 95.0
DRAW_MS = 900_000
"""Time constant of the mean draw."""
MARK_PERCENT = 1.0
MARKS_MAX = 21
LEARNT_SHARES = (0.2, 1.5)
"""Of the nameplate: what is learnt stays between these, or a gauge that runs away would spoil the count."""
LEARNT_PERCENT, LEARNT_BLIND_PERCENT = 5.0, 2.0
"""So much of a discharge must be seen to learn from it; less where there is no nameplate."""
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Charge:
    """``percent`` is the gauge's when ``measured``, else our own count; None: not known."""

    percent: float | None
    measured: bool
    hours_left: float | None
    draw_w: float | None
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Jump:
    """A charge that is not believed yet."""

    since_ms: int
    first: float
    last: float
    moved: bool = False


class Gauge:
    """See the module. All times are milliseconds that never go back."""

    def __init__(self, capacity_wh: float | None, draw_w: float | None, critical_percent: float) -> None:
        """``draw_w``: what is assumed while nothing measures it."""
        self._nominal_wh = None if capacity_wh is None else capacity_wh / 100
        self._assumed_w, self._critical = draw_w, critical_percent
        self._mean_w: float | None = None
        self._used_wh = 0.0
        self._last_ms: int | None = None
        self._trusted: float | None = None
        self._trusted_wh = 0.0
        self._jump: _Jump | None = None
        self._shown: tuple[float | None, ...] = ()
        self._shown_ms, self._shown_wh = 0, 0.0
        self._charge_ms, self._charge_wh = 0, 0.0
        self._marks: deque[tuple[float, float]] = deque(maxlen=MARKS_MAX)
        self._step: float | None = None
        self._learnt_wh: float | None = None

    def take(self, reading: Reading | None, *, on_battery: bool, now_ms: int) -> Charge:
        """Return what is known after one more look; ``reading`` None: the source gave nothing."""
        self._count(reading, now_ms, on_battery=on_battery)
        problems: list[str] = []
        believed = reading is not None and self._believe(reading, now_ms, problems, on_battery=on_battery)
        if not on_battery:
            self._begin_marks()
        elif believed:
            self._mark()
        percent = self._trusted if believed else self._counted()
        return Charge(percent, believed, self._hours(percent, reading), self._mean_w, tuple(problems))

    # --- counting -----------------------------------------------------------------------------------------------

    def _count(self, reading: Reading | None, now_ms: int, *, on_battery: bool) -> None:
        passed_ms = 0 if self._last_ms is None else max(now_ms - self._last_ms, 0)
        self._last_ms = now_ms
        watts = None if reading is None else reading.watts
        if watts is not None and on_battery:
            weight = 1.0 if self._mean_w is None else 1 - math.exp(-passed_ms / DRAW_MS)
            self._mean_w = watts * weight + (self._mean_w or 0.0) * (1 - weight)
        if on_battery:
            self._used_wh += self._power_w(watts) * passed_ms / _HOUR_MS

    def _power_w(self, watts: float | None = None) -> float:
        """Return the draw; where nobody knows it, 1: the learnt Wh per percent are then in the same measure."""
        known = (watts, self._mean_w, self._assumed_w, 1.0)
        return next(power for power in known if power is not None)

    def _counted(self) -> float | None:
        percent_wh = self._percent_wh()
        if self._trusted is None or percent_wh is None:
            return None
        return max(self._trusted - (self._used_wh - self._trusted_wh) / percent_wh, 0.0)

    # --- believing ----------------------------------------------------------------------------------------------

    def _believe(self, reading: Reading, now_ms: int, problems: list[str], *, on_battery: bool) -> bool:
        self._watch(reading, now_ms)
        if reading.charge is None:
            return False
        if self._stands_still(reading, now_ms, on_battery=on_battery):
            if reading.charge == self._trusted:  # it was true when it began to stand still, not any more
                self._trusted_wh = self._charge_wh
            problems.append(f"battery.charge stands still at {reading.charge:.0f} %: the gauge is stuck")
            return False
        if self._jumps(reading.charge, now_ms, on_battery=on_battery) and not reading.low:
            problems.append(f"battery.charge jumped from {self._trusted:.0f} to {reading.charge:.0f} %")
            return False
        self._jump = None
        self._trusted, self._trusted_wh = reading.charge, self._used_wh
        return True

    def _watch(self, reading: Reading, now_ms: int) -> None:
        """Note since when, and since how much energy, the gauge shows what it shows."""
        shown = (reading.charge, reading.volts, reading.runtime_s, reading.watts)
        if not self._shown or shown[0] != self._shown[0]:
            self._charge_ms, self._charge_wh = now_ms, self._used_wh
        if shown != self._shown:
            self._shown, self._shown_ms, self._shown_wh = shown, now_ms, self._used_wh

    def _stands_still(self, reading: Reading, now_ms: int, *, on_battery: bool) -> bool:
        if not on_battery:
            partly = reading.charge is not None and reading.charge < STUCK_MAINS_PERCENT
            return partly and now_ms - self._shown_ms >= STUCK_MAINS_MS
        if now_ms - self._charge_ms < STUCK_MS_MIN:
            return False
        percent_wh = self._percent_wh()
        if percent_wh is None:
            return now_ms - self._shown_ms >= STUCK_BLIND_MS
        all_wh, alone_wh = self._used_wh - self._shown_wh, self._used_wh - self._charge_wh
        return all_wh >= STUCK_PERCENT * percent_wh or alone_wh >= STUCK_ALONE_PERCENT * percent_wh

    def _jumps(self, charge: float, now_ms: int, *, on_battery: bool) -> bool:
        """Return whether this charge is far from what it was, less what was used since."""
        counted = self._counted()
        expected = self._trusted if counted is None else counted
        if expected is None or abs(charge - expected) <= JUMP_PERCENT:
            return False
        if self._jump is None or abs(charge - self._jump.last) > JUMP_PERCENT:  # the second: it jumps about
            self._jump = _Jump(now_ms, charge, charge)
            return True
        self._jump.moved = self._jump.moved or charge != self._jump.first
        self._jump.last = charge
        if now_ms - self._jump.since_ms < JUMP_MS or (on_battery and not self._jump.moved):
            return True
        self._begin_marks()
        return False

    # --- predicting ---------------------------------------------------------------------------------------------

    def _begin_marks(self) -> None:
        self._marks.clear()
        self._step = self._trusted

    def _mark(self) -> None:
        """Keep what was used each time that a percent went: the moment of change is exact, whatever was rounded."""
        if self._trusted is None:
            return
        if self._step is None or self._trusted - self._step > 2 * MARK_PERCENT:  # first, or it recovers
            self._begin_marks()
        elif self._step - self._trusted >= MARK_PERCENT:
            self._step = self._trusted
            self._marks.append((self._trusted, self._used_wh))
            self._learn()

    def _learn(self) -> None:
        (first, first_wh), (last, last_wh) = self._marks[0], self._marks[-1]
        enough = LEARNT_BLIND_PERCENT if self._nominal_wh is None else LEARNT_PERCENT
        if first - last >= enough and last_wh > first_wh:
            learnt_wh = (last_wh - first_wh) / (first - last)
            if self._nominal_wh is not None:
                least, most = (share * self._nominal_wh for share in LEARNT_SHARES)
                learnt_wh = min(max(learnt_wh, least), most)
            self._learnt_wh = learnt_wh

    def _percent_wh(self) -> float | None:
        """Return what one percent of charge holds: as learnt, else as the nameplate says."""
        return self._nominal_wh if self._learnt_wh is None else self._learnt_wh

    def _hours(self, percent: float | None, reading: Reading | None) -> float | None:
        percent_wh = self._percent_wh()
        measured = self._mean_w is not None or self._assumed_w is not None or self._learnt_wh is not None
        if percent is not None and percent_wh is not None and measured:
            return self._left_wh(percent, percent_wh) / self._power_w()
        runtime_s = None if reading is None else reading.runtime_s
        return None if runtime_s is None else runtime_s / 3600

    def _left_wh(self, percent: float, percent_wh: float) -> float:
        """Return the energy until the gauge shows the critical charge, counting from its last change."""
        left_wh = (percent - self._critical) * percent_wh
        if self._marks and percent == self._trusted == self._marks[-1][0]:
            left_wh -= min(self._used_wh - self._marks[-1][1], percent_wh)
        return max(left_wh, 0.0)
