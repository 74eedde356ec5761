"""What a site reports as broken, and how the jobs of its housekeeping end."""

from enum import IntEnum

from msgspec import Struct


class Fault(IntEnum):
    """What a site reports as broken; a bit each in a heartbeat."""

    RADIO = 0
    STORAGE = 1
    CLOCK = 2
    BATTERY = 3
    HEAT = 4
    PANEL = 5
    SCREEN = 6
    OTHER = 7


class JobEnded(Struct, frozen=True):
    """A job of the housekeeping ended; ``detail`` says what is wrong, for a technician."""

    job: str
    ok: bool
    detail: str = ""


class PagesHeard(Struct, frozen=True):
    """An archive of information pages came over the broker; nobody has looked into it yet."""

    payload: bytes


class FaultSeen(Struct, frozen=True):
    """Something of this site broke, or was mended; the desk hears of it with the next sign of life."""

    fault: Fault
    there: bool
