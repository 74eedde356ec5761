"""What the site does about its power: states with hysteresis and time, what is saved and when, and the end. Pure.

A look at the source goes in with the time, a :class:`Decision` comes out; there is no other memory than this object's.

- *unknown* freezes: what is saved stays saved, nothing more is, and the site does not shut down.
- *low* may come from our own count of energy; *critical*, and with it the end, only from what the source itself says.
- The end is announced (``going_dark``), then decided (``shut_down``). Mains that comes back in between calls it off.
"""

from dataclasses import dataclass

from steunpunt.power.gauge import Charge, Gauge
from steunpunt.power.reading import Reading
from steunpunt.powerconfig import Power, Shed
from steunpunt.powerfacts import PowerSource, PowerState

CONFIRM_MS = 30_000
"""Low and critical must be true this long, and be over this long."""
BACK_PERCENT = 5
"""So much above its threshold a step is undone."""
ABSENT_MS = 60_000
"""So long the last reading stands for one that is absent."""
CALL_OFF_MS = 5_000
"""Mains that is back this long calls off the end."""
FALLS_PERCENT, FALLS_MS = 10.0, 1_200_000
"""Mains is not believed while the charge falls so much in so long or longer."""
STILL_HERE_MS = 600_000
"""Mains is back, and the shutdown did not come for so long: it failed."""
_MINUTE_MS = 60_000
_ALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What holds now. ``shed`` are the steps in force, in the order of the config; ``problems`` a line each."""

    state: PowerState
    source: PowerSource
    mains: bool | None
    percent: float | None
    measured: bool
    """False: ``percent`` is our own count."""
    hours_left: float | None
    draw_w: float | None
    shed: tuple[Shed, ...]
    going_dark: bool
    shut_down: bool
    mains_back: bool
    """Mains is back although the shutdown has begun."""
    problems: tuple[str, ...]


class _Lasting:
    """A condition that counts when it has lasted."""

    def __init__(self) -> None:
        self._since_ms: int | None = None

    def lasts(self, now_ms: int, ms: int, *, true: bool) -> bool:
        if not true:
            self._since_ms = None
            return False
        if self._since_ms is None:
            self._since_ms = now_ms
        return now_ms - self._since_ms >= ms


class _Latch:
    """Goes on when its condition has lasted, and off when another one has."""

    def __init__(self) -> None:
        self.on = False
        self._rising, self._falling = _Lasting(), _Lasting()

    def take(self, now_ms: int, *, on: bool, off: bool, on_ms: int = CONFIRM_MS, off_ms: int = CONFIRM_MS) -> bool:
        rises = self._rising.lasts(now_ms, on_ms, true=on)
        falls = self._falling.lasts(now_ms, off_ms, true=off and not on)
        self.on = rises or (self.on and not falls)
        return self.on


class Policy:
    """See the module. All times are milliseconds that never go back."""

    def __init__(self, power: Power) -> None:
        self._power = power
        self._gauge = Gauge(power.capacity_wh, power.draw_w, power.critical_percent)
        self._reading: Reading | None = None
        self._read_ms = 0
        self._battery: _Latch | None = None
        self._drains = False
        self._low, self._critical = _Latch(), _Latch()
        self._steps = [_Latch() for _ in power.shed]
        self._since_ms = [0 for _ in power.shed]
        self._begun = False
        self._highest: tuple[float, int] | None = None
        self._awake_until_ms = 0
        self._dark_ms: int | None = None
        self._down_ms: int | None = None
        self._back = _Lasting()

    def touched(self, now_ms: int) -> None:
        """Somebody touched the screen: it comes back for a while."""
        self._awake_until_ms = now_ms + self._power.awake_s * 1000

    def take(self, reading: Reading | None, now_ms: int) -> Decision:
        """Decide after one more look; ``reading`` None: the source gave nothing."""
        charging = reading is not None and reading.charging
        on_battery = self._on_battery(reading, now_ms)
        if on_battery is not None:  # else the count goes on as it was
            self._drains = on_battery
        charge = self._gauge.take(reading, on_battery=self._drains, now_ms=now_ms)
        problems = [*(reading.problems if reading is not None else ()), *charge.problems]
        if on_battery is False and self._falls(charge, now_ms, charging=charging):
            problems.append("mains is said to be there while the charge falls; look with `steunpunt power test`")
            on_battery = None
        said = reading is not None and reading.low
        state = self._state_of(charge, now_ms, on_battery=on_battery, said=said)
        self._end(state, reading, now_ms)
        known = charge.measured or state is not PowerState.UNKNOWN
        return Decision(
            state=state,
            source=_source_of(on_battery=on_battery, charging=charging),
            mains=None if on_battery is None else not on_battery,
            percent=charge.percent if known else None,
            measured=charge.measured,
            hours_left=charge.hours_left if known else None,
            draw_w=charge.draw_w,
            shed=self._shed(state, charge, now_ms),
            going_dark=self._dark_ms is not None,
            shut_down=self._down_ms is not None,
            mains_back=self._down_ms is not None and self._mains_back(reading, now_ms),
            problems=tuple(problems),
        )

    # --- mains --------------------------------------------------------------------------------------------------

    def _on_battery(self, reading: Reading | None, now_ms: int) -> bool | None:
        """Return whether the site runs on its battery, after the times of the config; None: not known."""
        if reading is not None and reading.mains is not None:
            self._reading, self._read_ms = reading, now_ms
        known = self._reading
        if known is None or now_ms - self._read_ms > ABSENT_MS:
            self._battery = None
            return None
        if self._battery is None:
            self._battery = _Latch()
            self._battery.on = known.mains is False
        on_ms, off_ms = self._power.battery_after_s * 1000, self._power.mains_after_s * 1000
        return self._battery.take(now_ms, on=not known.mains, off=bool(known.mains), on_ms=on_ms, off_ms=off_ms)

    def _falls(self, charge: Charge, now_ms: int, *, charging: bool) -> bool:
        """Return whether the charge has fallen for long from its highest, although mains is said to be there."""
        if not charge.measured or charge.percent is None:
            return False
        if self._highest is None or charging or charge.percent >= self._highest[0]:
            self._highest = (charge.percent, now_ms)
        highest, since_ms = self._highest
        return highest - charge.percent >= FALLS_PERCENT and now_ms - since_ms >= FALLS_MS

    def _mains_back(self, reading: Reading | None, now_ms: int) -> bool:
        back = reading is not None and reading.mains is True
        return self._back.lasts(now_ms, CALL_OFF_MS, true=back)

    # --- states -------------------------------------------------------------------------------------------------

    def _state_of(self, charge: Charge, now_ms: int, *, on_battery: bool | None, said: bool) -> PowerState:
        """``said``: the source itself says that little is left."""
        if on_battery is None:
            return PowerState.UNKNOWN
        if not on_battery:
            self._low, self._critical = _Latch(), _Latch()
            return PowerState.MAINS
        self._highest = None
        low_at, critical_at = self._power.low_percent, self._power.critical_percent
        percent = charge.percent
        measured = percent if charge.measured else None
        critical = self._critical.take(
            now_ms,
            on=said or (measured is not None and measured <= critical_at),
            off=not said and (measured is None or measured >= critical_at + BACK_PERCENT),
        )
        low = self._low.take(
            now_ms,
            on=said or (percent is not None and percent <= low_at),
            off=not said and percent is not None and percent >= low_at + BACK_PERCENT,
        )
        if critical:
            return PowerState.CRITICAL
        return PowerState.LOW if low else PowerState.BATTERY

    # --- saving -------------------------------------------------------------------------------------------------

    def _shed(self, state: PowerState, charge: Charge, now_ms: int) -> tuple[Shed, ...]:
        for index, shed in enumerate(self._power.shed):
            latch = self._steps[index]
            if state is PowerState.MAINS:
                latch.on = False
            elif state is not PowerState.UNKNOWN:
                was = latch.on
                # A node that starts on the battery takes over at once what an earlier one had saved.
                self._take_step(latch, shed, state, charge.percent, now_ms if self._begun else None)
                if latch.on and not was:
                    self._since_ms[index] = now_ms
        self._begun = self._begun or state is not PowerState.UNKNOWN
        force = zip(self._power.shed, self._steps, self._since_ms, strict=True)
        return tuple(shed for shed, latch, since_ms in force if latch.on and self._holds(shed, since_ms, now_ms))

    @staticmethod
    def _take_step(latch: _Latch, shed: Shed, state: PowerState, percent: float | None, now_ms: int | None) -> None:
        """Switch a step on or off; at once when ``now_ms`` is None."""
        at = shed.below_percent
        if at == _ALL or state is PowerState.CRITICAL:
            latch.on = True
            return
        below = percent is not None and percent <= at
        above = percent is not None and percent >= at + BACK_PERCENT
        if now_ms is None:
            latch.on = below
        else:
            latch.take(now_ms, on=below, off=above)

    def _holds(self, shed: Shed, since_ms: int, now_ms: int) -> bool:
        """Return whether a step applies just now: not while the screen is awake or the hotspot's window open."""
        if shed.action == "hotspot":
            every_ms = shed.every_min * _MINUTE_MS
            return (now_ms - since_ms) % every_ms < every_ms - shed.open_min * _MINUTE_MS
        return shed.action == "heartbeat" or now_ms >= self._awake_until_ms

    # --- the end ------------------------------------------------------------------------------------------------

    def _end(self, state: PowerState, reading: Reading | None, now_ms: int) -> None:
        back = self._mains_back(reading, now_ms)
        if self._down_ms is not None:
            if back and now_ms - self._down_ms >= STILL_HERE_MS:
                self._dark_ms = self._down_ms = None
            return
        if state is not PowerState.CRITICAL or back:
            self._dark_ms = None
            return
        if self._dark_ms is None:
            self._dark_ms = now_ms
        if now_ms - self._dark_ms >= self._power.farewell_s * 1000:
            self._down_ms = now_ms


def _source_of(*, on_battery: bool | None, charging: bool) -> PowerSource:
    if on_battery is None:
        return PowerSource.UNKNOWN
    if on_battery:
        return PowerSource.BATTERY
    return PowerSource.CHARGING if charging else PowerSource.MAINS
