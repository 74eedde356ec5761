"""When a radio is told what time it is, and how. Pure.

A radio has no clock of its own that survives; until somebody sets it, all that it hands over is stamped 0. It is told
over the cable alone, in a message to itself, which costs no air; and only what the node's own clock watch vouches for.
"""

from steunpunt.wire import admin_pb2, mesh_pb2, portnums_pb2

AGAIN_S = 3_600.0
"""Between two tellings: a radio that lost its time without losing us gets it back. The firmware takes a correction of
a time that it has from us only twice a day."""
_NEVER = float("inf")


class RadioTime:
    """What one session tells its radio of the time."""

    def __init__(self) -> None:
        self._wall_less_clock_s: float | None = None
        self.due = _NEVER
        """When to tell it next, on the session's clock."""
        self._ready = False

    def ready(self, now: float) -> None:
        """The radio listens from now on."""
        self._ready = True
        self._look(now)

    def trust(self, wall_less_clock_s: float | None, now: float) -> None:
        """Take what the wall clock is ahead of the session's, in seconds; None: nobody vouches for it."""
        came = self._wall_less_clock_s is None
        self._wall_less_clock_s = wall_less_clock_s
        if wall_less_clock_s is None or came:
            self._look(now)

    def _look(self, now: float) -> None:
        self.due = now if self._ready and self._wall_less_clock_s is not None else _NEVER

    def tell(self, node_num: int, packet_id: int, now: float) -> mesh_pb2.MeshPacket | None:
        """Return the message that sets the radio's clock, when it is due."""
        if now < self.due or self._wall_less_clock_s is None:
            return None
        self.due = now + AGAIN_S
        said = admin_pb2.AdminMessage(set_time_only=round(now + self._wall_less_clock_s))
        data = mesh_pb2.Data(portnum=portnums_pb2.PortNum.ADMIN_APP, payload=said.SerializeToString())
        return mesh_pb2.MeshPacket(to=node_num, id=packet_id, decoded=data)
