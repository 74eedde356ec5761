"""A receipt printer on the network: takes ESC/POS over TCP, answers what it is asked, and can run out of paper."""

import contextlib
import socket
import threading

from steunpunt.boxfacts import SlipLine
from steunpunt.demo.paper import Paper

_POLL_S = 0.05


class FakePrinter:
    """Listens on 127.0.0.1 at ``port``; ``slips`` is what came out, as lines."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_POLL_S)
        self.port = self._listener.getsockname()[1]
        self.paper_out = self.paper_low = self.cover_open = False
        self.mute = False
        """Answers nothing at all, as a cheap one does."""
        self.silent_after = False
        """Prints, and never says that it did."""
        self.hang_up_at: int | None = None
        """Hangs up once it took so many bytes of a slip."""
        self._paper = Paper()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def slips(self) -> list[tuple[SlipLine, ...]]:
        with self._lock:
            return list(self._paper.slips)

    def texts(self) -> list[str]:
        """Return each slip's text, a line each."""
        return ["\n".join(line.text for line in slip) for slip in self.slips]

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = self._listener.accept()
                with connection:
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(_POLL_S)
        waiting, taken = b"", 0
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                got = connection.recv(4096)
                if not got:
                    return
                waiting += got
                taken += len(got)
            if self.hang_up_at is not None and taken > self.hang_up_at:
                self.hang_up_at = None
                return
            waiting = self._work(connection, waiting)

    def _work(self, connection: socket.socket, waiting: bytes) -> bytes:
        """Answer at once what is of real time; print in order what is not, while there is paper."""
        while (at := waiting.find(b"\x10\x04")) >= 0 and len(waiting) > at + 2:
            if not self.mute:
                connection.sendall(bytes([self._state(waiting[at + 2])]))
            waiting = waiting[:at] + waiting[at + 3 :]
        if self.paper_out or self.cover_open:
            return waiting
        before, asked, after = waiting.partition(b"\x1dr\x01")
        with self._lock:
            self._paper.feed(before)
        if asked and not self.mute and not self.silent_after:
            connection.sendall(b"\x03" if self.paper_low else b"\x00")
        return after

    def _state(self, about: int) -> int:
        offline = self.paper_out or self.cover_open
        if about == 1:
            return 0x16 | (0x08 if offline else 0)
        if about == 2:
            return 0x12 | (0x04 if self.cover_open else 0) | (0x20 if self.paper_out else 0)
        return 0x12 | (0x60 if self.paper_out else 0) | (0x0C if self.paper_low or self.paper_out else 0)
