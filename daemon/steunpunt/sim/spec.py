"""What a virtual radio is made from."""

import hashlib
from dataclasses import dataclass

from steunpunt.model import SteunpuntError
from steunpunt.wire import BROADCAST

CHANNELS_MAX = 8
CHANNEL_NAME_BYTES_MAX = 11
_LONG_NAME_BYTES_MAX = 39
_SHORT_NAME_BYTES_MAX = 4
_PSK_BYTES = (0, 1, 16, 32)
PORT_MAX = 65535


class SimulationError(SteunpuntError, ValueError):
    """A virtual radio or its air cannot be what was asked for."""


@dataclass(frozen=True, slots=True)
class RadioSpec:
    """One virtual radio.

    ``port`` 0 takes a free TCP port. ``channels`` are (name, psk), the primary one
    first; a name of ``""`` is the preset's own, a psk has 0, 1, 16 or 32 bytes (one
    byte is an index of the well-known key). ``position`` is latitude, longitude in
    degrees and altitude in metres. The intervals are in simulated seconds, as the
    firmware's defaults; 0 keeps the radio from ever broadcasting that on its own.
    ``status_at_send`` adds the second QueueStatus that firmware built for its own
    simulator sends when a transmission starts; firmware on a LoRa chip sends none.
    """

    name: str
    port: int = 0
    node_num: int = 0
    channels: tuple[tuple[str, bytes], ...] = (("", b"\x01"),)
    long_name: str = ""
    short_name: str = ""
    position: tuple[float, float, int] | None = None
    nodeinfo_interval_s: float = 10_800
    telemetry_interval_s: float = 1_800
    position_interval_s: float = 900
    battery_percent: int = 90
    status_at_send: bool = False

    def __post_init__(self) -> None:
        """Refuse what no radio could be; fill in the names and number left out."""
        if not self.name:
            raise SimulationError("a virtual radio has no name; give each one a name of its own")
        if not self.node_num:
            object.__setattr__(self, "node_num", _num_from_name(self.name))
        object.__setattr__(self, "long_name", self.long_name or self.name)
        object.__setattr__(self, "short_name", self.short_name or self.name[:4])
        for problem in self._problems():
            raise SimulationError(f"virtual radio {self.name!r}: {problem}")

    def _problems(self) -> list[str]:
        problems = []
        if not 0 <= self.port <= PORT_MAX:
            problems.append(f"port {self.port} is not between 0 and {PORT_MAX}")
        if not 0 < self.node_num < BROADCAST:
            problems.append(f"node number {self.node_num} is not between 1 and {BROADCAST - 1}")
        if not 1 <= len(self.channels) <= CHANNELS_MAX:
            problems.append(f"it has {len(self.channels)} channels; give 1 to {CHANNELS_MAX}")
        if self.position is not None and not _on_earth(*self.position[:2]):
            problems.append("its latitude is not between -90 and 90, or its longitude not between -180 and 180")
        for name, psk in self.channels:
            if len(name.encode()) > CHANNEL_NAME_BYTES_MAX:
                problems.append(f"channel name {name!r} is longer than {CHANNEL_NAME_BYTES_MAX} bytes")
            if len(psk) not in _PSK_BYTES:
                problems.append(f"the key of channel {name!r} has {len(psk)} bytes, not 0, 1, 16 or 32")
        if len(self.long_name.encode()) > _LONG_NAME_BYTES_MAX:
            problems.append(f"its long name has more than {_LONG_NAME_BYTES_MAX} bytes")
        if len(self.short_name.encode()) > _SHORT_NAME_BYTES_MAX:
            problems.append(f"its short name has more than {_SHORT_NAME_BYTES_MAX} bytes")
        return problems


def _on_earth(latitude: float, longitude: float) -> bool:
    return -90 <= latitude <= 90 and -180 <= longitude <= 180  # noqa: PLR2004  degrees


def _num_from_name(name: str) -> int:
    """Derive a node number that is the same at every start."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") | 0x1000_0000
