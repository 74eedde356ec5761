"""A cable that can be cut: forwards TCP connections to one address until told not to."""

import contextlib
import selectors
import socket
import threading

PAIRS_MAX = 64
CHUNK_BYTES = 65_536
SEND_S_MAX = 5.0


class Cable:
    """Listens on a free port of 127.0.0.1 and carries bytes both ways. Cut: connections end, new ones are refused."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._intact = True
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0

    def start(self) -> None:
        """Take a port; the same one again after a stop."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), name="cable", daemon=True).start()

    @property
    def intact(self) -> bool:
        """Whether bytes go through."""
        return self._intact

    def cut(self) -> None:
        """End all connections and carry nothing more."""
        with self._lock:
            self._intact = False
            for end in self._ends:
                _shut(end)

    def mend(self) -> None:
        """Carry new connections again."""
        with self._lock:
            self._intact = True

    def stop(self) -> None:
        """Give the port back."""
        self.cut()
        if self._listener is not None:
            _shut(self._listener)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), name="cable-pair", daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        far = None
        try:
            with self._lock:
                if not self._intact or len(self._ends) >= 2 * PAIRS_MAX:
                    return
                self._ends.add(near)
            far = socket.create_connection(self._target, timeout=SEND_S_MAX)
            with self._lock:
                self._ends.add(far)
                if not self._intact:
                    return
            _pump(near, far)
        except OSError:
            return  # a cable ends as the network does: without a word
        finally:
            with self._lock:
                for end in (near, far):
                    self._ends.discard(end)  # type: ignore[arg-type]
            for end in (near, far):
                if end is not None:
                    _shut(end)


def _pump(near: socket.socket, far: socket.socket) -> None:
    """Carry bytes until one end closes."""
    near.settimeout(SEND_S_MAX)
    far.settimeout(SEND_S_MAX)
    with selectors.DefaultSelector() as selector:
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in selector.select():
                source, sink = key.fileobj, key.data
                if not isinstance(source, socket.socket):
                    return
                data = source.recv(CHUNK_BYTES)
                if not data:
                    return
                sink.sendall(data)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
