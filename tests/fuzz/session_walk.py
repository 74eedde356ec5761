"""Bytes as a program for the client protocol's session: what a hostile radio can say, and what must hold after it.

Hypothesis and atheris both write such programs. An operation is one byte and what it takes from the bytes after it.
"""

import itertools
from collections import Counter

from steunpunt.links.mesh_queue import WAITING_MAX
from steunpunt.links.mesh_session import HELD_PACKETS_MAX, OWN_IDS_MAX, Session
from steunpunt.links.mesh_terms import Kind, Wanted
from steunpunt.model import Lane, LinkName, SendEnded, SendFrame
from steunpunt.wire import FRAME_BYTES_MAX, channel_pb2, encode_frame, mesh_pb2, portnums_pb2

CONFIG_ID, NODE, PEER = 4711, 0xA1, 0xB2
OPERATIONS_MAX = 400
COUNTERS_MAX = 100
TIMERS_MAX = 200
"""More timers than this in one step of at most 64 s, and time stands still."""
_WANTED = Wanted("radio", "serial", hop_limit=3)
_Port = portnums_pb2.PortNum


def _catalogue() -> list[bytes]:
    channel = mesh_pb2.FromRadio()
    channel.channel.index, channel.channel.settings.name = 1, "serial"
    channel.channel.role = channel_pb2.Channel.Role.SECONDARY
    lora = mesh_pb2.FromRadio()
    lora.config.lora.use_preset = True
    made = [
        mesh_pb2.FromRadio(my_info=mesh_pb2.MyNodeInfo(my_node_num=NODE)),
        mesh_pb2.FromRadio(metadata=mesh_pb2.DeviceMetadata(firmware_version="2.7.26")),
        channel,
        lora,
        mesh_pb2.FromRadio(config_complete_id=CONFIG_ID),
        *(mesh_pb2.FromRadio(queueStatus=mesh_pb2.QueueStatus(res=r, free=f)) for r, f in ((0, 16), (32, 0))),
        mesh_pb2.FromRadio(rebooted=True),
    ]
    for port, payload in (
        (_Port.PRIVATE_APP, b"sealed"),
        (_Port.ROUTING_APP, b"\x18\x05"),
        (_Port.TEXT_MESSAGE_APP, b"t"),
    ):
        packet = mesh_pb2.FromRadio()
        packet.packet.decoded.portnum, packet.packet.decoded.payload = port, payload
        packet.packet.decoded.request_id, packet.packet.id = 1, 9
        setattr(packet.packet, "from", PEER)
        made.append(packet)
    return [message.SerializeToString() for message in made]


CATALOGUE = _catalogue()
HANDSHAKE = range(5)


class Walk:
    """Runs one program; AssertionError when a limit does not hold, and whatever the session itself raises."""

    def __init__(self, program: bytes) -> None:
        self._left = memoryview(program)
        self._now = 1000.0
        self._ids = itertools.count(1)
        self._session = Session(_WANTED, CONFIG_ID, lambda: next(self._ids), self._now)
        self._sends = itertools.count(1)
        self._sent = 0
        self._ended: Counter[int] = Counter()

    def run(self) -> None:
        """Do all operations, close, and look whether each send ended exactly once."""
        operations = (self._raw, self._framed, self._pass_time, self._send, self._known, self._bent, self._greet)
        for _ in range(OPERATIONS_MAX):
            if not self._left:
                break
            operations[self._byte() % len(operations)]()
            self._check()
        self._session.close(Kind.LOST, "the end")
        self._collect()
        assert self._ended == Counter(range(1, self._sent + 1))
        assert self._session.failure is not None

    # --- operations

    def _byte(self) -> int:
        taken = self._bytes(1)
        return taken[0] if taken else 0

    def _bytes(self, count: int) -> bytes:
        taken, self._left = bytes(self._left[:count]), self._left[count:]
        return taken

    def _hear(self, data: bytes) -> None:
        self._session.receive(data, self._now)

    def _raw(self) -> None:
        self._hear(self._bytes(self._byte()))

    def _framed(self) -> None:
        self._hear(encode_frame(self._bytes(min(2 * self._byte(), FRAME_BYTES_MAX))))

    def _known(self) -> None:
        self._hear(encode_frame(CATALOGUE[self._byte() % len(CATALOGUE)]))

    def _bent(self) -> None:
        """Say something known with one byte changed, cut where the program says."""
        frame = bytearray(encode_frame(CATALOGUE[self._byte() % len(CATALOGUE)]))
        frame[self._byte() % len(frame)] = self._byte()
        cut = self._byte() % (len(frame) + 1)
        self._hear(bytes(frame[:cut]))

    def _greet(self) -> None:
        for index in HANDSHAKE:
            self._hear(encode_frame(CATALOGUE[index]))

    def _pass_time(self) -> None:
        until = self._now + self._byte() / 4
        for _ in range(TIMERS_MAX):
            due = self._session.next_timer()
            if due > until:
                break
            self._now = max(self._now, due)
            self._session.handle_timer(self._now)
        else:
            raise AssertionError("the session's timer does not move on")
        self._now = until

    def _send(self) -> None:
        lane = list(Lane)[self._byte() % len(Lane)]
        self._sent += 1
        self._session.send(SendFrame(LinkName.MESH, next(self._sends), self._bytes(self._byte()), lane), self._now)

    # --- limits

    def _check(self) -> None:
        session = self._session
        self._collect()
        assert len(session.take_output()) <= OPERATIONS_MAX * FRAME_BYTES_MAX
        assert session._reader.pending_bytes < 4 + FRAME_BYTES_MAX
        assert len(session._held) <= HELD_PACKETS_MAX
        assert len(session._own_ids) <= OWN_IDS_MAX
        assert len(session._queue) <= WAITING_MAX
        assert len(session._learned.channels) <= 8
        assert len(session.counts) <= COUNTERS_MAX
        assert not session._parsed

    def _collect(self) -> None:
        for event in self._session.take_events():
            if isinstance(event, SendEnded):
                self._ended[event.attempt_id] += 1
