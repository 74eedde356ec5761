"""The radio of `make bench-bridge`: hands its client packets as fast as that reads them, and can be gone for a while.

Its handshake is recorded from a virtual radio. Unlike that one it has no air and no queue of 32, which would be
measured instead of the bridges.
"""

import contextlib
import socket
import threading

from steunpunt.sim import RadioSpec, VirtualRadios
from steunpunt.wire import BROADCAST, FrameReader, encode_frame, mesh_pb2, portnums_pb2, set_sender

OWN, SENDER = 0xA1B2C3D4, 0x11223344
_CHANNELS = (("", b"\x01"), ("serial", bytes(range(16))))
_ANY_ID = 4711


def text_frame(number: int) -> bytes:
    """Return the frame of a text that carries its number, as if heard on the air."""
    packet = mesh_pb2.MeshPacket(id=0x10000000 + number, to=BROADCAST, hop_start=3, hop_limit=2, rx_rssi=-90)
    set_sender(packet, SENDER)
    packet.rx_snr, packet.rx_time = 6.25, 1_700_000_000 + number % 100_000
    packet.decoded.portnum = portnums_pb2.PortNum.TEXT_MESSAGE_APP
    packet.decoded.payload = b"m%08d" % number
    return encode_frame(mesh_pb2.FromRadio(packet=packet).SerializeToString())


def recorded_handshake() -> list[mesh_pb2.FromRadio]:
    """Return what a virtual radio says to a client that connects, the node list included."""
    own = RadioSpec("own", 0, OWN, _CHANNELS, nodeinfo_interval_s=0, telemetry_interval_s=0, position_interval_s=0)
    other = RadioSpec("other", 0, SENDER, _CHANNELS, nodeinfo_interval_s=0, telemetry_interval_s=0)
    with VirtualRadios([own, other], seed=1) as radios, socket.create_connection(radios.address("own"), 10) as wire:
        wire.sendall(encode_frame(mesh_pb2.ToRadio(want_config_id=_ANY_ID).SerializeToString()))
        reader, messages = FrameReader(), list[mesh_pb2.FromRadio]()
        while not messages or messages[-1].config_complete_id != _ANY_ID:
            messages += [mesh_pb2.FromRadio.FromString(raw) for raw in reader.feed(wire.recv(65536))]
        return [message for message in messages if not message.HasField("queueStatus")]


class BenchRadio:
    """One client at a time, on ``host`` port 4403: the port that some bridges cannot be told otherwise."""

    def __init__(self, host: str, port: int = 4403) -> None:
        self.address = (host, port)
        self._handshake = recorded_handshake()
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None
        self._lock = threading.Lock()
        self.ready = threading.Event()
        """Set while a client has had its whole handshake."""

    def appear(self) -> None:
        """Listen."""
        listener = socket.create_server(self.address)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def vanish(self) -> None:
        """Close what there is and refuse the rest."""
        self.ready.clear()
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._drop()

    def push(self, frame: bytes) -> bool:
        """Hand a frame to the client; blocks while that does not read. False when there is none."""
        client = self._client
        if client is None or not self.ready.is_set():
            return False
        try:
            client.sendall(frame)
        except OSError:
            return False
        return True

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while self._listener is listener:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.ready.clear()
                self._drop()
                self._client = client
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        reader = FrameReader()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                for raw in reader.feed(data):
                    self._answer(client, mesh_pb2.ToRadio.FromString(raw))
        if self._client is client:
            self.ready.clear()

    def _answer(self, client: socket.socket, message: mesh_pb2.ToRadio) -> None:
        kind = message.WhichOneof("payload_variant")
        if kind == "want_config_id":
            for each in self._handshake:
                if each.HasField("config_complete_id"):
                    each.config_complete_id = message.want_config_id
                client.sendall(encode_frame(each.SerializeToString()))
            self.ready.set()
        elif kind in {"heartbeat", "packet"}:
            status = mesh_pb2.QueueStatus(res=0, free=16, maxlen=16, mesh_packet_id=message.packet.id)
            client.sendall(encode_frame(mesh_pb2.FromRadio(queueStatus=status).SerializeToString()))
