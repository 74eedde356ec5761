"""How bytes reach the radio: TCP (meshtasticd, a virtual radio) or a serial port. Never blocks once open.

Only this module knows sockets and pyserial; the link waits on ``fileno()`` in its own selector.
"""

import contextlib
import errno
import os
import socket
import termios
from typing import Protocol

from steunpunt.config import Radio

CONNECT_S = 2.0
"""Longest wait for a TCP connection, in seconds; the kernel asks a second time after one."""
PROBE_S = 1
"""On a quiet connection the kernel asks this often whether the radio still knows it. One that lost its
power and has it back says no, and we need not wait for a heartbeat."""
PROBES_MAX = 60
"""Unanswered probes before the connection counts as dead."""
READ_BYTES = 4096
BAUD = 115200


class Transport(Protocol):
    """An open way to the radio."""

    def fileno(self) -> int:
        """Return what to wait on."""

    def read(self) -> bytes | None:
        """Return what came, ``None`` for nothing yet, ``b""`` when the other side is gone; raises OSError."""

    def write(self, data: bytes) -> int:
        """Write what goes without waiting; return how many bytes that was; raises OSError."""

    def close(self) -> None:
        """Give it back; never waits for bytes that the radio does not take."""


def where(config: Radio) -> str:
    """Return the radio's place for a reason line."""
    return config.path if config.kind == "serial" else f"{config.host}:{config.port}"


def open_transport(config: Radio) -> Transport:
    """Open the way to the radio; raises OSError."""
    return SerialTransport(config.path) if config.kind == "serial" else TcpTransport(config.host, config.port)


def device_at(config: Radio) -> tuple[int, int, int] | None:
    """Tell which device lies at a serial radio's path, so that another one is noticed; None on TCP or without one."""
    if config.kind != "serial":
        return None
    try:
        found = os.stat(config.path)  # noqa: PTH116  links are followed: udev moves them to the new device
    except OSError:
        return None
    return found.st_rdev, found.st_ino, found.st_ctime_ns


def explain(config: Radio, error: OSError) -> str:
    """Return one line for a technician: what, where, the mend."""
    why = (error.strerror or str(error) or type(error).__name__).lower()
    if config.kind != "serial":
        return f"no radio answers at {where(config)} ({why}); is meshtasticd running, is the cable in?"
    if error.errno == errno.EACCES:
        return f"no access to {config.path}; add this user to the group dialout"
    if error.errno in (errno.EAGAIN, errno.EBUSY):
        return f"another program holds {config.path}; stop that one"
    if error.errno == errno.ENOENT:
        return f"no radio at {config.path} (no such file); is the cable in?"
    return f"no radio at {config.path} ({why}); is the cable in?"


class TcpTransport:
    """A TCP connection to the client protocol's port."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), CONNECT_S)
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            (socket.TCP_KEEPIDLE, PROBE_S),
            (socket.TCP_KEEPINTVL, PROBE_S),
            (socket.TCP_KEEPCNT, PROBES_MAX),
        ):
            self._socket.setsockopt(socket.IPPROTO_TCP, option, value)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def read(self) -> bytes | None:
        """Return what came; see :class:`Transport`."""
        try:
            return self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return None

    def write(self, data: bytes) -> int:
        """Write what goes without waiting."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class SerialTransport:
    """A serial port, held exclusively."""

    def __init__(self, path: str) -> None:
        import serial  # noqa: PLC0415  a site with a radio on TCP need not load it

        self._port = serial.Serial(path, BAUD, timeout=0, write_timeout=0, exclusive=True)
        self._fd: int = self._port.fileno()
        self._keep_line_up()

    def _keep_line_up(self) -> None:
        """Leave DTR as it is at close: on many ESP32 boards its fall resets the radio."""
        with contextlib.suppress(termios.error):
            attributes = termios.tcgetattr(self._fd)
            attributes[2] &= ~termios.HUPCL
            termios.tcsetattr(self._fd, termios.TCSANOW, attributes)

    def fileno(self) -> int:
        """Return the port's descriptor."""
        return self._fd

    def read(self) -> bytes | None:
        """Return what came; a port that is readable and empty has lost its device."""
        try:
            return os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return None

    def write(self, data: bytes) -> int:
        """Write what goes without waiting."""
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Throw away what was not sent and close: otherwise the kernel waits up to 30 s for a dead device."""
        with contextlib.suppress(termios.error):
            termios.tcflush(self._fd, termios.TCIOFLUSH)
        with contextlib.suppress(OSError):
            self._port.close()
