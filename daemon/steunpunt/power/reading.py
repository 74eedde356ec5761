"""What a source says of mains and battery, in the variables of Network UPS Tools; what is absurd is not known. Pure.

Names and units are those of NUT's developer guide ("NUT command and variable naming scheme"): ``ups.status`` with its
words, ``battery.charge`` in %, ``battery.voltage`` in V, ``battery.current`` in A, ``battery.runtime`` in s,
``ups.realpower`` in W. A current is negative here while the battery is discharged; only its size is used.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from steunpunt.model import SteunpuntError

Variables = Mapping[str, str]
VOLTS_MAX = 500.0
AMPS_MAX = 200.0
WATTS_MAX = 10_000.0
RUNTIME_S_MAX = 30 * 86_400.0
CHARGE_MAX = 110.0
"""Gauges of lithium cells count a little above 100 % when full; that is 100 %."""
_FULL = 100.0
_WARNINGS = {
    "RB": "the battery must be replaced",
    "BYPASS": "the UPS is in bypass: no battery stands behind it",
    "OVER": "the UPS is overloaded",
    "OFF": "the UPS says that its output is off",
}


class ReadingError(SteunpuntError, OSError):
    """The source gave nothing to read; the message says what, where, and the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at the source. None: not told, or not credible; ``problems`` says why, a line each."""

    mains: bool | None = None
    charging: bool = False
    low: bool = False
    """The source itself says that little is left (LB), or that all must stop (FSD)."""
    charge: float | None = None
    """Percent, 0 to 100."""
    volts: float | None = None
    watts: float | None = None
    """Drawn by what hangs on the battery."""
    runtime_s: float | None = None
    problems: tuple[str, ...] = ()


def reading_of(variables: Variables) -> Reading:
    """Judge one set of variables by itself; what they say over time is the gauge's to judge."""
    problems: list[str] = []
    words = variables.get("ups.status", "").split()
    mains = _mains(words, problems)
    problems += [text for word, text in _WARNINGS.items() if word in words]
    volts = _number(variables, "battery.voltage", 0.5, VOLTS_MAX, problems)
    amps = _number(variables, "battery.current", -AMPS_MAX, AMPS_MAX, problems)
    low = mains is False and ("LB" in words or "FSD" in words)
    return Reading(
        mains=mains,
        charging="CHRG" in words,
        low=low,
        charge=_charge(variables, problems, empty=mains is False and not low),
        volts=volts,
        watts=_watts(variables, volts, amps, problems),
        runtime_s=_number(variables, "battery.runtime", 0, RUNTIME_S_MAX, problems),
        problems=tuple(problems),
    )


def _mains(words: list[str], problems: list[str]) -> bool | None:
    """OL and OB tell of the mains alone; a UPS that calibrates itself runs on its battery by choice."""
    online, battery = "OL" in words, "OB" in words
    if "CAL" in words:
        return True
    if online == battery:
        said = " ".join(words)[:40]
        problems.append(f"ups.status {said!r} says {'both' if online else 'neither'} of OL and OB")
        return None
    return online


def _charge(variables: Variables, problems: list[str], *, empty: bool) -> float | None:
    charge = _number(variables, "battery.charge", 0, CHARGE_MAX, problems)
    if charge == 0 and empty:
        problems.append("battery.charge is 0 while the site still runs on the battery")
        return None
    return None if charge is None else min(charge, _FULL)


def _watts(variables: Variables, volts: float | None, amps: float | None, problems: list[str]) -> float | None:
    real = _number(variables, "ups.realpower", 0, WATTS_MAX, problems)
    if real is not None:
        return real or None  # many drivers say 0 for "not measured"
    if volts is not None and amps is not None:
        return volts * abs(amps)
    load = _number(variables, "ups.load", 0, 200, problems)
    nominal = _number(variables, "ups.realpower.nominal", 1, WATTS_MAX, problems)
    return load / 100 * nominal if load and nominal else None


def _number(variables: Variables, name: str, least: float, most: float, problems: list[str]) -> float | None:
    text = variables.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:  # also what is no number
        problems.append(f"{name} is {text[:20]!r}, not between {least:g} and {most:g}")
        return None
    return value
