"""A cable that can be cut: forwards TCP connections to one address until told not to."""

import contextlib
import selectors
import socket
import threading

PAIRS_MAX = 64
CHUNK_BYTES = 65_536
SEND_S_MAX = 5.0


class Cable:
    """Listens on a port of 127.0.0.1 and carries bytes both ways. Cut: connections end, and new ones are refused.

    Refused, not taken and dropped: to be dropped in a TLS handshake makes the mosquitto 2.0.11 of Debian 12
    spin for ever now and then, which is not what a cable does.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._intact = self._carries = False
        self._far_powered = True
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._port_holder: socket.socket | None = None
        self.port = 0

    def start(self) -> None:
        """Take a port and carry; the same port again after a stop."""
        self._port_holder = self._bound()
        self.port = self._port_holder.getsockname()[1]
        self.mend()

    @property
    def intact(self) -> bool:
        """Whether nobody cut it."""
        return self._intact

    def cut(self) -> None:
        """End all connections, and keep the port without listening on it: the system refuses new ones."""
        with self._lock:
            self._intact = False
            self._settle()

    def mend(self) -> None:
        """Carry new connections again."""
        with self._lock:
            self._intact = True
            self._settle()

    def far_end(self, *, powered: bool) -> None:
        """Take that the far end has power or has none: then its port refuses here too, as its host would."""
        with self._lock:
            self._far_powered = powered
            self._settle()

    def stop(self) -> None:
        """Give the port back."""
        self.cut()
        with self._lock:
            self._let_go()
            self._port_holder = None

    def _settle(self) -> None:
        carries = self._intact and self._far_powered and self._port_holder is not None
        if carries is self._carries or self._port_holder is None:
            return
        self._carries = carries
        if carries:
            self._port_holder.listen(PAIRS_MAX)
            threading.Thread(target=self._accept, args=(self._port_holder,), name="cable", daemon=True).start()
            return
        self._let_go()
        self._port_holder = self._bound()
        for end in self._ends:
            # Only shut down: the thread that carries must wake before its descriptor may go to something else.
            _shut_down(end)

    def _bound(self) -> socket.socket:
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", self.port))
        return holder

    def _let_go(self) -> None:
        if self._port_holder is not None:
            _shut_down(self._port_holder)
            self._port_holder.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), name="cable-pair", daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        ends = [near]
        try:
            if not self._take(near):
                return
            far = socket.create_connection(self._target, timeout=SEND_S_MAX)
            ends.append(far)
            if self._take(far):
                _pump(near, far)
        except OSError:
            return  # a cable ends as the network does: without a word
        finally:
            with self._lock:
                self._ends.difference_update(ends)
            for end in ends:
                _shut_down(end)
                end.close()

    def _take(self, end: socket.socket) -> bool:
        """Note an open end, to be shut down by a cut; False when nothing may be carried."""
        with self._lock:
            if not self._carries or len(self._ends) >= 2 * PAIRS_MAX:
                return False
            self._ends.add(end)
            return True


def _pump(near: socket.socket, far: socket.socket) -> None:
    """Carry bytes until one end closes."""
    near.settimeout(SEND_S_MAX)
    far.settimeout(SEND_S_MAX)
    sinks = {near.fileno(): (near, far), far.fileno(): (far, near)}
    with selectors.DefaultSelector() as selector:
        for number in sinks:
            selector.register(number, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                source, sink = sinks[key.fd]
                data = source.recv(CHUNK_BYTES)
                if not data:
                    return
                sink.sendall(data)


def _shut_down(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
