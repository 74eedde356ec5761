"""The node's Unix socket: one JSON object per line each way.

The web process and the command line ask here; at a kiosk they reach nothing else of the node. Who may connect is
decided by the socket's file mode (0660) and folder. A request longer than LINE_BYTES_MAX or not JSON is answered with
an error and the connection ended.
"""

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from steunpunt.model import SteunpuntError

LINE_BYTES_MAX = 32 * 1024
"""Longest request, its line end included: 2,000 characters, each written as 12 bytes by who escapes them all."""
ANSWER_BYTES_MAX = 16 * LINE_BYTES_MAX
"""Longest answer that a client reads: a ticket may have fifty answers of 2,000 characters."""
CONNECTIONS_MAX = 64
IDLE_S_MAX = 300.0
ANSWER_S_MAX = 10.0
SOCKET_MODE = 0o660
ACCEPT_AGAIN_S = 1.0
"""How long to wait when the system has no room for one more connection."""
NOT_KNOWN_YET = "not_known_yet"
"""Error code: the node has not decided yet."""

_log = logging.getLogger(__name__)

Body = dict[str, Any]
Handler = Callable[[Body], Body]


class ControlError(SteunpuntError, OSError):
    """Something between a client and the node went wrong."""


class Unreachable(ControlError):
    """The node does not answer at its socket."""


class NotKnownYet(ControlError):
    """The node took the request and did not answer in time: it may or may not have been kept. Ask again."""


class Refused(SteunpuntError, ValueError):
    """The node understood and said no; ``code`` and ``body`` say why."""

    def __init__(self, code: str, message: str, body: Body) -> None:
        super().__init__(message)
        self.code = code
        self.body = body


class Client:
    """Asks the node. One connection per thread, opened again when the node came back."""

    def __init__(self, path: str | Path, timeout_s: float = ANSWER_S_MAX) -> None:
        self._path = str(path)
        self._timeout_s = timeout_s
        self._local = threading.local()

    def call(self, op: str, **fields: object) -> Body:
        """Ask one thing and return the node's answer.

        Raises Refused, Unreachable, or NotKnownYet when the answer did not come in ``timeout_s`` or the connection
        broke after the request was sent.
        """
        line = _encoded({"op": op, **fields})
        if len(line) > LINE_BYTES_MAX:
            raise Refused("bad_request", f"request of {len(line)} bytes; at most {LINE_BYTES_MAX}", {})
        answer = self._exchange(line)
        if answer.get("ok"):
            return answer
        code, message = str(answer.get("error", "unknown")), str(answer.get("message", ""))
        if code == NOT_KNOWN_YET:
            raise NotKnownYet(message)
        raise Refused(code, message, answer)

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _exchange(self, line: bytes) -> Body:
        """Send on the kept connection; one that the node had closed meanwhile is opened anew, once."""
        kept = getattr(self._local, "connection", None)
        sent = False
        try:
            if kept is not None:
                try:
                    return self._ask(kept, line)
                except _Stale as stale:
                    self.close()
                    sent = stale.sent
            return self._ask(self._connect(), line)
        except _Stale as stale:
            self.close()
            raise NotKnownYet(f"{stale}; ask again with the same form") from stale
        except Unreachable as away:
            if sent:  # it may have been kept just before the node went
                raise NotKnownYet(f"{away} It went while it worked; ask again with the same form") from away
            raise
        except NotKnownYet:
            self.close()
            raise

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout_s)
        try:
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            mend = "is steunpunt-node running?"
            if isinstance(error, PermissionError):
                mend = (
                    "this user may not ask the node; type: sudo usermod -aG steunpunt-control $USER, and log in again"
                )
            raise Unreachable(f"{self._path}: {error.strerror or error}; {mend}") from error
        self._local.connection = connection
        return connection

    @staticmethod
    def _ask(connection: socket.socket, line: bytes) -> Body:
        sent = False
        try:
            connection.sendall(line)
            sent = True
            answer = _Lines(connection, ANSWER_BYTES_MAX).next()
        except TimeoutError as error:
            raise NotKnownYet("the node did not answer in time; ask again with the same form") from error
        except OSError as error:
            raise _Stale(f"the connection to the node broke ({error.strerror or error})", sent=sent) from error
        except ValueError as error:
            raise NotKnownYet(f"the node's answer could not be read ({error}); ask again") from error
        if answer is None:
            raise _Stale("the node closed the connection", sent=True)
        return answer


class _Stale(ControlError):
    """The connection ended without an answer: either it was an old one, or the node went while it worked.

    Asking once more on a new connection is safe: reads change nothing, and forms carry a token that acts once.
    ``sent``: the request reached the node's side, so it may have been kept.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class _Lines:
    """Takes messages of at most ``bytes_max`` from a connection, one per line."""

    def __init__(self, connection: socket.socket, bytes_max: int) -> None:
        self._connection = connection
        self._bytes_max = bytes_max
        self._data = b""

    def next(self) -> Body | None:
        """Return one message, None when the other side closed; ValueError for what is not one."""
        while b"\n" not in self._data:
            if len(self._data) >= self._bytes_max:
                raise ValueError(f"a line of more than {self._bytes_max} bytes")
            part = self._connection.recv(LINE_BYTES_MAX)
            if not part:
                return None
            self._data += part
        line, _, self._data = self._data.partition(b"\n")
        if len(line) >= self._bytes_max:
            raise ValueError(f"a line of more than {self._bytes_max} bytes")
        return _decoded(line)


def _encoded(body: Body) -> bytes:
    """Return a message as a line; half a character passes, for the other side to refuse."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _decoded(line: bytes) -> Body:
    try:
        body = json.loads(line)
    except RecursionError as error:
        raise ValueError("message nested too deeply") from error
    if not isinstance(body, dict):
        raise ValueError("message is not an object")  # noqa: TRY004  bad bytes, not a caller's mistake
    return body


class Server:
    """Serves the socket; ``handler`` runs on the connection's own thread and must be thread-safe."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Bind and serve; a socket file that a crash left behind is replaced. Raises ControlError."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._refuse_second()
            self._path.unlink(missing_ok=True)
            listener.bind(str(self._path))
            self._path.chmod(SOCKET_MODE)
        except OSError as error:
            listener.close()
            if isinstance(error, ControlError):
                raise
            raise ControlError(
                f"{self._path}: {error.strerror or error}; correct control.socket in the config"
            ) from error
        listener.listen(CONNECTIONS_MAX)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="control", daemon=True).start()

    def _refuse_second(self) -> None:
        """A second node of the same site would fight over radio and ledger."""
        if self._path.exists() and not self._path.is_socket():
            raise ControlError(f"{self._path}: this is not a socket; correct control.socket in the config")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            try:
                probe.connect(str(self._path))
            except (FileNotFoundError, ConnectionRefusedError):
                return
            except (TimeoutError, BlockingIOError):
                pass  # a node that is too busy to take one more is a node
        raise ControlError(f"{self._path}: a node of this site is running already; stop it first")

    def stop(self) -> None:
        """Stop serving and remove the socket."""
        if self._listener is None:
            return  # never bound: the socket there is another node's
        self._stopping.set()
        _shut(self._listener)
        self._listener = None
        with self._lock:
            for connection in list(self._open):
                _shut(connection)
        self._path.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if self._stopping.is_set():
                    return
                _log.warning("action=control reason=%r", str(error))
                self._stopping.wait(ACCEPT_AGAIN_S)
                continue
            with self._lock:
                full = len(self._open) >= CONNECTIONS_MAX
                if not full:
                    self._open.add(connection)
            if full:
                _shut(connection)
                continue
            threading.Thread(target=self._serve, args=(connection,), name="control-client", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(IDLE_S_MAX)
        lines = _Lines(connection, LINE_BYTES_MAX)
        try:
            while True:
                try:
                    request = lines.next()
                except ValueError:
                    _send(
                        connection,
                        {"ok": False, "error": "bad_request", "message": "one JSON object per line"},
                    )
                    return
                if request is None:
                    return
                _send(connection, self._answer(request))
        except OSError:
            pass  # the client is gone; whatever it asked was committed or not, and it will ask again
        finally:
            with self._lock:
                self._open.discard(connection)
            _shut(connection)

    def _answer(self, request: Body) -> Body:
        try:
            return self._handler(request)
        except Exception:  # noqa: BLE001  a defect in one answer must not end the socket; it is logged and told
            _log.exception("action=control op=%s failed", str(request.get("op"))[:40])
            return {"ok": False, "error": "internal", "message": "the node could not do this; see its log"}


def _send(connection: socket.socket, body: Body) -> None:
    connection.sendall(_encoded(body))


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def notify_systemd(state: str) -> None:
    """Tell systemd one line (``man sd_notify``); nothing happens when it did not start us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    # A service manager that is gone must not take the node with it.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.connect(address)
        channel.send(state.encode())
