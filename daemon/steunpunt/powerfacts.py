"""What a site knows of its own power: words that events, heartbeats and screens share."""

from enum import IntEnum, StrEnum

from msgspec import Struct


class PowerSource(IntEnum):
    """What a site runs on."""

    UNKNOWN = 0
    MAINS = 1
    CHARGING = 2
    BATTERY = 3


class PowerState(StrEnum):
    """How a site stands with its power, after the policy's times."""

    UNKNOWN = "unknown"
    MAINS = "mains"
    BATTERY = "battery"
    LOW = "low"
    CRITICAL = "critical"


class PowerSeen(Struct, frozen=True, kw_only=True):
    """What is known of the site's power; told when it changed. None: not known."""

    state: PowerState = PowerState.UNKNOWN
    source: PowerSource = PowerSource.UNKNOWN
    percent: int | None = None
    hours_left: float | None = None
    """Until the site shuts down; on mains, if that fell away now."""
    slow_heartbeat: bool = False
    going_dark: bool = False
    """The site is about to shut down for want of power."""
    faulty: bool = False
    """Something is wrong with the battery or with what reads it."""
