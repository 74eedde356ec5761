"""One radio's TCP port: listens while the radio is up, serves one client at a time."""

import contextlib
import selectors
import socket
import struct
from collections import Counter

from steunpunt.sim.radio import VirtualRadio
from steunpunt.sim.spec import SimulationError
from steunpunt.wire import FrameReader, encode_frame

OUT_BYTES_MAX = 65_536
"""Bytes waiting for a client that does not read; beyond it the radio keeps the rest."""

CONNECTS_MAX = 64
"""Connections taken in one turn. One alone would let those behind it wait a second: the kernel drops their SYNs."""

_RECEIVE_BYTES = 4096
_HOST = "127.0.0.1"


class Door:
    """Accepts clients for one radio and carries bytes; every method returns at once."""

    def __init__(self, radio: VirtualRadio, selector: selectors.BaseSelector) -> None:
        self.radio = radio
        self.plugged = True
        self.port = radio.spec.port
        self.counters: Counter[str] = Counter()
        self.heard_s = 0.0
        self._selector = selector
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None
        self._reader = FrameReader()
        self._out = bytearray()
        self._stopped_listening = False
        self._last_words = False
        radio.on_reboot = self.drop_client

    @property
    def has_client(self) -> bool:
        """Whether a client is connected."""
        return self._client is not None

    def sync(self) -> None:
        """Listen if the radio is there, refuse connections if it is not."""
        wanted = self.plugged and self.radio.is_up and not self.radio.faults.refuses
        if wanted and self._listener is None:
            self._listen()
        elif not wanted and self._listener is not None:
            self.close()

    def close(self) -> None:
        """Close the client and stop listening."""
        self.drop_client()
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def drop_client(self) -> None:
        """Close the connection, if there is one; the radio keeps its packets."""
        client, self._client = self._client, None
        if client is None:
            return
        self._selector.unregister(client)
        client.close()
        self._out.clear()
        self.radio.client_gone()

    def reset_client(self) -> None:
        """Break the connection off with a reset, if there is one."""
        if self._client is not None:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.drop_client()

    def ready(self, what: socket.socket, now_s: float) -> None:
        """Handle a socket of this door that can be read or written."""
        if what is self._listener:
            self._accept(now_s)
        elif what is self._client:
            self._receive(now_s)

    def pump(self) -> None:
        """Send what the radio has to say, as far as the client takes it."""
        if self._client is None or self._stopped_listening or self.radio.faults.silent:
            return
        self._fill()
        if not self._out:
            return
        try:
            sent = self._client.send(self._out)
            del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            # Gone without reading to the end; what it said before that is still to be read.
            self._stopped_listening = True
            self._out.clear()
        if self._last_words and not self._out:
            self.drop_client()
        else:
            self._watch(writing=bool(self._out))

    def _fill(self) -> None:
        """Take from the radio what fits, and let its faults have their way with it."""
        radio, faults = self.radio, self.radio.faults
        while len(self._out) < OUT_BYTES_MAX and not self._last_words and (message := radio.to_client()) is not None:
            frame = encode_frame(message)
            self._out += faults.noise()
            if faults.halve():
                self._last_words = True
                frame = frame[: len(frame) // 2]
            self._out += frame
            if faults.reboots_now():
                self._last_words = True
                radio.reboot()

    def _listen(self) -> None:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, self.port))
        except OSError as error:
            listener.close()
            raise SimulationError(
                f"virtual radio {self.radio.spec.name!r} cannot listen on {_HOST}:{self.port} "
                f"({error.strerror}); give it another port, or 0 for a free one"
            ) from error
        listener.listen(socket.SOMAXCONN)
        listener.settimeout(0)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ, self)

    def _accept(self, now_s: float) -> None:
        """Take who knocks; each newcomer evicts the one before."""
        assert self._listener is not None  # noqa: S101 - only called for the listener
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            for _ in range(CONNECTS_MAX):
                client, _address = self._listener.accept()
                self._take(client, now_s)

    def _take(self, client: socket.socket, now_s: float) -> None:
        if self._client is not None:
            self.counters["clients_evicted"] += 1
            self.drop_client()
        client.settimeout(0)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._reader = FrameReader()
        self._stopped_listening = self._last_words = False
        self.heard_s = now_s
        self.counters["clients"] += 1
        self._selector.register(client, selectors.EVENT_READ, self)

    def _receive(self, now_s: float) -> None:
        assert self._client is not None  # noqa: S101 - only called for the client
        try:
            data = self._client.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.drop_client()
            return
        self.heard_s = now_s
        if self.radio.faults.silent:
            self.counters["bytes_forgotten"] += len(data)
            return
        for payload in self._reader.feed(data):
            if not self.radio.from_client(payload):
                self.drop_client()
                return

    def _watch(self, *, writing: bool) -> None:
        assert self._client is not None  # noqa: S101 - only called for the client
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        self._selector.modify(self._client, events, self)
