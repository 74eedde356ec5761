"""What the technician's page draws: a plot each for charge, airtime, signal and queue, with their limit lines. Pure."""

from dataclasses import asdict, dataclass
from typing import Any

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.model import Lane
from steunpunt.protocol.signal import snr_min_db
from steunpunt.relay.airbudget import HOUR_MS, LEGAL_SHARE_MAX, SHARE_MAX

POINTS_MIN = 2
"""Fewer make no line."""
TABLE_ROWS_MAX = 24
LOW_PERCENT, CRITICAL_PERCENT = 30, 10


@dataclass(frozen=True, slots=True)
class Limit:
    """A line across a plot, and what it means."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot: hours before now on the x axis, None where nothing was known."""

    key: str
    title: str
    unit: str
    hours: tuple[float, ...]
    values: tuple[float | None, ...]
    limits: tuple[Limit, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether there is enough for a line."""
        return sum(value is not None for value in self.values) >= POINTS_MIN

    def body(self) -> dict[str, Any]:
        """Return it as the page's script takes it."""
        return asdict(self)


def plots_of(config: Config, trend: list[Body]) -> list[Plot]:
    """Return the plots of a site, the oldest point first."""
    hours = tuple(round(-point["age_s"] / 3600, 3) for point in trend)

    def values(name: str, scale: float = 1.0) -> tuple[float | None, ...]:
        return tuple(None if point[name] is None else round(point[name] * scale, 3) for point in trend)

    found = [
        Plot("battery", "Accu", "%", hours, values("percent"), _battery_limits(config)),
        Plot("airtime", "Zendtijd van het laatste uur", "s", hours, values("air_ms", 0.001), _air_limits()),
        Plot("signal", "Signaal (SNR)", "dB", hours, values("snr_db"), _signal_limits(config)),
    ]
    if trend and trend[-1]["queue"] is not None:
        found.append(Plot("queue", "Zonder bevestiging", "", hours, values("queue")))
    return found


def rows_of(trend: list[Body]) -> list[Body]:
    """Return at most TABLE_ROWS_MAX points, the newest first, spread over the whole time."""
    step = max(1, -(-len(trend) // TABLE_ROWS_MAX))
    return trend[::-1][::step]


def _battery_limits(config: Config) -> tuple[Limit, ...]:
    power = config.power
    low, critical = (LOW_PERCENT, CRITICAL_PERCENT) if power is None else (power.low_percent, power.critical_percent)
    return Limit("laag", low), Limit("gaat uit", critical)


def _air_limits() -> tuple[Limit, ...]:
    shares = {"wet": LEGAL_SHARE_MAX, "vragen": SHARE_MAX[Lane.OTHER], "levenstekens": SHARE_MAX[Lane.HOUSEKEEPING]}
    return tuple(Limit(f"grens {name}", round(share * HOUR_MS / 1000)) for name, share in shares.items())


def _signal_limits(config: Config) -> tuple[Limit, ...]:
    return (Limit("grens van de radio", snr_min_db(config.radio.preset)),)
