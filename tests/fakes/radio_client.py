"""A bare client of a virtual radio, to speak and to listen on the air beside the site under test."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from steunpunt.wire import BROADCAST, FrameReader, encode_frame, mesh_pb2, portnums_pb2

Port = portnums_pb2.PortNum
_CONFIG_ID = 7


class RadioClient:
    """Keeps every packet that its radio handed over in ``packets``; :meth:`look` reads what came."""

    def __init__(self, port: int) -> None:
        self.packets: list[mesh_pb2.MeshPacket] = []
        self.ready = False
        self._reader = FrameReader()
        self._socket = socket.create_connection(("127.0.0.1", port), 5)
        self._say(mesh_pb2.ToRadio(want_config_id=_CONFIG_ID))

    def close(self) -> None:
        self._socket.close()

    def send(self, port: int, payload: bytes, *, packet_id: int, channel: int = 0) -> None:
        packet = mesh_pb2.MeshPacket(to=BROADCAST, id=packet_id, channel=channel, hop_limit=3)
        packet.decoded.portnum = Port.ValueType(port)
        packet.decoded.payload = payload
        self._say(mesh_pb2.ToRadio(packet=packet))

    def look(self) -> "RadioClient":
        """Read what there is, without waiting longer than a moment."""
        self._socket.settimeout(0.01)
        try:
            while data := self._socket.recv(65536):
                for raw in self._reader.feed(data):
                    self._take(mesh_pb2.FromRadio.FromString(raw))
        except TimeoutError:
            pass
        return self

    def heard(self, port: int) -> list[bytes]:
        self.look()
        return [packet.decoded.payload for packet in self.packets if packet.decoded.portnum == port]

    def _take(self, message: mesh_pb2.FromRadio) -> None:
        self.ready = self.ready or message.config_complete_id == _CONFIG_ID
        if message.HasField("packet"):
            self.packets.append(message.packet)

    def _say(self, message: mesh_pb2.ToRadio) -> None:
        self._socket.sendall(encode_frame(message.SerializeToString()))


@contextmanager
def radio_client(port: int) -> Iterator[RadioClient]:
    client = RadioClient(port)
    try:
        yield client
    finally:
        client.close()
