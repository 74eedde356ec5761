"""How often a client may have something sent, by port; pure.

The firmware keeps the moment of the last packet of a port for each connection. A packet that
comes too soon gets a QueueStatus with res 0, as if it had been taken, and is dropped.
"""

from steunpunt.wire import portnums_pb2

_Port = portnums_pb2.PortNum
INTERVALS_MS = {
    _Port.TRACEROUTE_APP: 30_000.0,
    _Port.POSITION_APP: 10_000.0,
    _Port.WAYPOINT_APP: 10_000.0,
    _Port.ALERT_APP: 10_000.0,
    _Port.TELEMETRY_APP: 10_000.0,
    _Port.TEXT_MESSAGE_APP: 2_000.0,
}
"""Shortest time between two packets of a port, in milliseconds; other ports have none."""


class RateLimits:
    """The limits of one connection."""

    def __init__(self) -> None:
        self._last_ms: dict[int, float] = {}

    def reset(self) -> None:
        """Begin anew, as each connection does."""
        self._last_ms.clear()

    def allows(self, port: "portnums_pb2.PortNum.ValueType", now_ms: float) -> bool:
        """Say whether a packet of this port may go now, and note it if so."""
        interval_ms = INTERVALS_MS.get(port)
        if interval_ms is None:
            return True
        if now_ms - self._last_ms.get(port, -interval_ms) < interval_ms:
            return False
        self._last_ms[port] = now_ms
        return True
