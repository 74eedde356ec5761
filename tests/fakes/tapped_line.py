"""A cable between a client and a radio that a test listens in on, and that can act on what the client says."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from steunpunt.wire import FrameReader, admin_pb2, encode_frame, mesh_pb2

Heard = Callable[[str], bool]
"""Told of each admin message by its kind, before the radio gets it; False keeps it from the radio."""


class TappedLine:
    """Carries one connection after the other until closed."""

    def __init__(self, radio: tuple[str, int], heard: Heard = lambda _: True) -> None:
        self.said: list[str] = []
        self.connections = 0
        self._radio, self._heard = radio, heard
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                try:
                    radio = socket.create_connection(self._radio, 5)
                except OSError:
                    client.close()
                    continue
                threading.Thread(target=self._down, args=(radio, client), daemon=True).start()
                threading.Thread(target=self._up, args=(client, radio), daemon=True).start()

    def _down(self, radio: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := radio.recv(4096):
                client.sendall(data)
        _close(radio, client)

    def _up(self, client: socket.socket, radio: socket.socket) -> None:
        reader = FrameReader()
        with suppress(OSError):
            while data := client.recv(4096):
                for payload in reader.feed(data):
                    if self._passes(payload):
                        radio.sendall(encode_frame(payload))
        _close(radio, client)

    def _passes(self, payload: bytes) -> bool:
        message = mesh_pb2.ToRadio.FromString(payload)
        if not message.HasField("packet"):
            return True
        admin = admin_pb2.AdminMessage.FromString(message.packet.decoded.payload)
        self.said.append(str(admin.WhichOneof("payload_variant")))
        return self._heard(self.said[-1])


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextmanager
def tapped(radio: tuple[str, int], heard: Heard = lambda _: True) -> Iterator[TappedLine]:
    line = TappedLine(radio, heard)
    try:
        yield line
    finally:
        line.close()
