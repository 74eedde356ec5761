"""Between the browser and the web process: hands each request on, and answers itself while that process is away.

A browser's own page for a server that is gone says nothing to a citizen and leads nowhere. A request that reached
nobody waits a little, for a web process is back within seconds; then comes a page that tells what is known, and looks
again by itself. A form that was sent and never answered may have been kept: it is never sent again without a tap.
"""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

HEAD_BYTES_MAX: Final = 32 * 1024
BODY_BYTES_MAX: Final = 1024 * 1024
"""As much as the web process takes."""
CONNECTIONS_MAX: Final = 32
"""A browser opens six."""
BROWSER_S_MAX: Final = 10.0
ANSWER_S_MAX: Final = 60.0
WAIT_S: Final = 4.0
"""How long a request waits for a web process that is away."""
_AGAIN_S, _PIECE_BYTES = 0.2, 65_536
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What a browser asked."""

    method: str
    path: str
    head: bytes
    body: bytes

    @property
    def repeatable(self) -> bool:
        """Whether asking twice is asking once."""
        return self.method in ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Away:
    """Why there is no answer: ``sent`` when the request went out, so that it may have been carried out."""

    request: Request
    sent: bool


class Relay:
    """Serves the browser at ``port`` of this device alone, from threads of its own."""

    def __init__(self, port: int, web_port: int, page: Callable[[Away], str], wait_s: float = WAIT_S) -> None:
        self._port, self._web, self._page, self._wait_s = port, ("127.0.0.1", web_port), page, wait_s
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)
        self._listener: socket.socket | None = None
        self._heard_s = time.monotonic()

    def silent_s(self) -> float:
        """Return how long the browser has asked nothing; a page of ours asks something each minute."""
        return time.monotonic() - self._heard_s

    def start(self) -> int:
        """Listen, and return the port; raises OSError when it is taken."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._listener,), name="relay", daemon=True).start()
        return int(self._listener.getsockname()[1])

    def stop(self) -> None:
        """Take no more."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                browser, _ = listener.accept()
            except OSError:
                return
            self._places.acquire()
            threading.Thread(target=self._serve, args=(browser,), name="relay request", daemon=True).start()

    def _serve(self, browser: socket.socket) -> None:
        try:
            with browser:
                browser.settimeout(BROWSER_S_MAX)
                request = read_request(browser)
                self._heard_s = time.monotonic()
                if request is not None:
                    self._answer(browser, request)
        except OSError as error:
            _log.debug("action=relay_broken reason=%r", error.strerror)
        finally:
            self._places.release()

    def _answer(self, browser: socket.socket, request: Request) -> None:
        deadline_s = time.monotonic() + self._wait_s
        while (away := self._hand_on(browser, request)) is not None:
            if (away.sent and not request.repeatable) or time.monotonic() > deadline_s:
                browser.sendall(_reply(self._page(away)))
                return
            time.sleep(_AGAIN_S)

    def _hand_on(self, browser: socket.socket, request: Request) -> Away | None:
        """Hand a request on and its answer back; None when there was one."""
        try:
            web = socket.create_connection(self._web, timeout=BROWSER_S_MAX)
        except OSError:
            return Away(request, sent=False)
        with web:
            web.settimeout(ANSWER_S_MAX)
            try:
                web.sendall(request.head + request.body)
                piece = web.recv(_PIECE_BYTES)
            except OSError:
                piece = b""
            if not piece:
                return Away(request, sent=True)
            while piece:
                browser.sendall(piece)
                piece = web.recv(_PIECE_BYTES)
        return None


def read_request(browser: socket.socket) -> Request | None:
    """Read one request to its end; None for one that is none, or too large."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = browser.recv(_PIECE_BYTES)
        if not piece or len(data) > HEAD_BYTES_MAX:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    words = first.decode("latin-1").split(" ")
    length = next((line.partition(b":")[2] for line in lines if line.lower().startswith(b"content-length:")), b"0")
    if len(words) != 3 or not length.strip().isdigit() or int(length) > BODY_BYTES_MAX:  # noqa: PLR2004  of HTTP
        return None
    while len(body) < int(length):
        piece = browser.recv(_PIECE_BYTES)
        if not piece:
            return None
        body += piece
    # One request a connection: then there is never a doubt to which one an end belongs.
    kept = [line for line in lines if not line.lower().startswith((b"connection:", b"keep-alive:"))]
    return Request(words[0], words[1], b"\r\n".join([first, *kept, b"Connection: close", b"", b""]), body)


def _reply(html: str) -> bytes:
    body = html.encode()
    head = (
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
