"""A small TCP port through which another process pulls cables and reads counters.

One JSON object per line in, one per line out, on 127.0.0.1 only::

    {"do": "unplug", "radio": "kiosk-a"}         -> {"ok": true}
    {"do": "plug", "radio": "kiosk-a"}           -> {"ok": true}
    {"do": "reboot", "radio": "kiosk-a"}         -> {"ok": true}
    {"do": "loss", "loss": 0.3}                  -> {"ok": true}
    {"do": "link", "radio": "a", "other": "b", "loss": 1.0}
    {"do": "fault", "radio": "a", "fault": "refuse", "seconds": 20}
    {"do": "fault", "radio": "a", "fault": "res", "code": 9, "times": 3}
    {"do": "mend", "radio": "a"}                 ends all faults
    {"do": "counters"}                           -> {"ok": true, "radios": {...}, "air": {...}}

Faults are described in ``faults.Fault``. What it cannot do comes back as ``{"ok": false, "error": "..."}``.
"""

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from steunpunt.sim.faults import Fault
from steunpunt.sim.spec import SimulationError

LINE_BYTES_MAX = 4096
CLIENTS_MAX = 8
IDLE_MAX_S = 300.0
"""A client that asks nothing for so long is disconnected."""

STOP_WAIT_MAX_S = 0.2
"""How long ``stop`` waits for the listening thread to notice."""

_HOST = "127.0.0.1"


class Radios(Protocol):
    """What can be done to the radios."""

    @property
    def names(self) -> list[str]:
        """All radios."""

    def port(self, name: str) -> int:
        """TCP port of a radio."""

    def unplug(self, name: str) -> None:
        """Pull the cable."""

    def plug(self, name: str) -> None:
        """Put it back."""

    def reboot(self, name: str) -> None:
        """Reboot."""

    def fault(self, name: str, what: Fault, *, seconds: float | None = None, times: int = 1, code: int = 0) -> None:
        """Let something go wrong."""

    def mend(self, name: str) -> None:
        """End all faults."""

    def set_loss(self, loss: float) -> None:
        """Lose packets everywhere."""

    def set_link(self, one: str, other: str, *, loss: float) -> None:
        """Lose packets between two."""

    def counters(self, name: str) -> dict[str, int | float | bool]:
        """Read a radio's counters."""

    def air_counters(self) -> dict[str, int]:
        """Read the air's counters."""


class ControlPort:
    """Serves the commands above for one set of radios, in threads of its own."""

    def __init__(self, radios: Radios, port: int) -> None:
        self._radios = radios
        self._port = port
        self._server: _Server | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        return _HOST, self._port

    def start(self) -> None:
        """Listen; SimulationError if the port is taken."""
        try:
            self._server = _Server((_HOST, self._port), self._answer)
        except OSError as error:
            raise SimulationError(
                f"the control port {_HOST}:{self._port} is not free ({error.strerror}); give another one"
            ) from error
        self._port = self._server.server_address[1]
        serve = partial(self._server.serve_forever, poll_interval=STOP_WAIT_MAX_S)
        threading.Thread(target=serve, name="radio control", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise SimulationError("a command is one JSON object on a line")
            return {"ok": True, **self._do(request)}
        except (ValueError, KeyError, TypeError, OverflowError, TimeoutError) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    def _do(self, request: dict[str, Any]) -> dict[str, Any]:
        radios, what = self._radios, request.get("do")
        if what == "counters":
            figures = {name: {"port": radios.port(name), **radios.counters(name)} for name in radios.names}
            return {"radios": figures, "air": radios.air_counters()}
        commands: dict[str, Callable[[], None]] = {
            "unplug": lambda: radios.unplug(str(request["radio"])),
            "plug": lambda: radios.plug(str(request["radio"])),
            "reboot": lambda: radios.reboot(str(request["radio"])),
            "fault": lambda: self._fault(request),
            "mend": lambda: radios.mend(str(request["radio"])),
            "loss": lambda: radios.set_loss(float(request["loss"])),
            "link": lambda: radios.set_link(str(request["radio"]), str(request["other"]), loss=float(request["loss"])),
        }
        if what not in commands:
            raise SimulationError(f"{what!r} is no command; write one of counters, {', '.join(commands)}")
        commands[what]()
        return {}

    def _fault(self, request: dict[str, Any]) -> None:
        seconds = request.get("seconds")
        self._radios.fault(
            str(request["radio"]),
            Fault(request["fault"]),
            seconds=None if seconds is None else float(seconds),
            times=int(request.get("times", 1)),
            code=int(request.get("code", 0)),
        )


def ask_control_port(port: int, command: dict[str, Any], *, timeout_s: float = 5.0) -> dict[str, Any]:
    """Send one command and give its answer. OSError if nobody listens, SimulationError if refused."""
    with socket.create_connection((_HOST, port), timeout_s) as connection:
        connection.sendall(json.dumps(command).encode() + b"\n")
        with connection.makefile("rb") as lines:
            answer = json.loads(lines.readline())
    if not answer.pop("ok"):
        raise SimulationError(f"the virtual radios refused: {answer['error']}")
    return dict(answer)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], answer: Callable[[bytes], dict[str, Any]]) -> None:
        self.answer = answer
        self._places = threading.BoundedSemaphore(CLIENTS_MAX)
        super().__init__(address, _Conversation)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002 - the base's
        return self._places.acquire(blocking=False)

    def give_back_place(self) -> None:
        self._places.release()


class _Conversation(socketserver.StreamRequestHandler):
    timeout = IDLE_MAX_S
    server: _Server

    def handle(self) -> None:
        try:
            while (line := self.rfile.readline(LINE_BYTES_MAX)).endswith(b"\n"):
                self.wfile.write(json.dumps(self.server.answer(line)).encode() + b"\n")
        except OSError:
            pass  # gone or silent too long: nobody is left to tell
        finally:
            self.server.give_back_place()
