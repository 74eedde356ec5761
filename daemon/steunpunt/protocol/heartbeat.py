"""A site's sign of life for the desk: 85 bits after its type, 12 bytes in all.

battery % 7 (127 unknown) · hours left 7 (126 that or more, 127 unknown) · source 2 · links up 2 (mesh, broker) ·
queue 8 (255 that or more) · oldest age 7 (log scale, 0 also when the queue is empty) · version 5 + 6 + 6 ·
news serial 16 · incarnation 8 · point state 2 · faults 8, one bit each · newer 1: what follows is of a later version.
"""

from msgspec import Struct

from steunpunt.jobfacts import Fault
from steunpunt.model import PointState
from steunpunt.powerfacts import PowerSource
from steunpunt.protocol.age import pack_age, unpack_age
from steunpunt.protocol.bits import BitReader, BitWriter

BROKER_S = 60
"""Between two heartbeats of a kiosk over the broker."""
MESH_MIN_MIN = 60
MESH_MIN_PER_SITE = 6
HOURS_MAX = 126
QUEUE_MAX = 255
_UNKNOWN = 127
_PERCENT_MAX = 100
_VERSION_WIDTHS = (5, 6, 6)
_STATE_NEWER = 3


class Heartbeat(Struct, frozen=True, kw_only=True):
    """How a site is. ``battery_percent`` and ``hours_left`` None: not known; ``oldest_s`` arrives at most 9 % too low.

    ``hours_left`` above HOURS_MAX and ``queue`` above QUEUE_MAX arrive as that; version numbers above 31.63.63 too.
    """

    battery_percent: int | None = None
    hours_left: int | None = None
    source: PowerSource = PowerSource.UNKNOWN
    mesh_up: bool = False
    broker_up: bool = False
    queue: int = 0
    oldest_s: float = 0.0
    version: tuple[int, int, int] = (0, 0, 0)
    serial: int = 0
    """Of the last announcement held."""
    incarnation: int = 0
    """Highest heard of a coordinator."""
    state: PointState = PointState.CLOSED
    faults: frozenset[Fault] = frozenset()
    newer: bool = False


def mesh_interval_s(sites: int) -> int:
    """Return the least time between two heartbeats of a kiosk by radio, in a region of so many sites."""
    return max(MESH_MIN_MIN, MESH_MIN_PER_SITE * sites) * 60


def put_heartbeat(writer: BitWriter, beat: Heartbeat) -> None:
    """Write a heartbeat; ValueError for a battery above 100 % or a negative number."""
    if beat.battery_percent is not None and beat.battery_percent > _PERCENT_MAX:
        raise ValueError(f"a battery of {beat.battery_percent} %")
    writer.put(_UNKNOWN if beat.battery_percent is None else beat.battery_percent, 7)
    writer.put(_UNKNOWN if beat.hours_left is None else min(beat.hours_left, HOURS_MAX), 7)
    writer.put(beat.source, 2)
    writer.flag(beat.mesh_up)
    writer.flag(beat.broker_up)
    writer.put(min(beat.queue, QUEUE_MAX), 8)
    writer.put(pack_age(beat.oldest_s, at_least=False) & 0x7F, 7)
    for part, width in zip(beat.version, _VERSION_WIDTHS, strict=True):
        writer.put(min(part, (1 << width) - 1), width)
    writer.put(beat.serial, 16)
    writer.put(beat.incarnation, 8)
    writer.put(beat.state, 2)
    for fault in Fault:
        writer.flag(fault in beat.faults)
    writer.flag(value=False)


def take_heartbeat(reader: BitReader) -> Heartbeat:
    """Read a heartbeat; a state that this version does not know is read as open."""
    percent, hours = reader.take(7), reader.take(7)
    source, mesh_up, broker_up = PowerSource(reader.take(2)), reader.flag(), reader.flag()
    queue, oldest_s = reader.take(8), unpack_age(reader.take(7))[0]
    version = (reader.take(5), reader.take(6), reader.take(6))
    serial, incarnation, state = reader.take(16), reader.take(8), reader.take(2)
    faults = frozenset(fault for fault in Fault if reader.flag())
    return Heartbeat(
        battery_percent=percent if percent <= _PERCENT_MAX else None,
        hours_left=None if hours == _UNKNOWN else hours,
        source=source,
        mesh_up=mesh_up,
        broker_up=broker_up,
        queue=queue,
        oldest_s=oldest_s,
        version=version,
        serial=serial,
        incarnation=incarnation,
        state=PointState.OPEN if state == _STATE_NEWER else PointState(state),
        faults=faults,
        newer=reader.flag() or state == _STATE_NEWER,
    )
