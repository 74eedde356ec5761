"""The slip printer's own thread: it prints what the engine hands it and tells how the printer is.

The only place that knows python-escpos, which makes ESC/POS commands of text. It is imported on this thread, a moment
after the node's start: it costs about 18 MiB and 0.3 s, which a site without a printer need not pay. The way to the
printer is ours, for each wait has a bound: a connection for each slip and each look, so that a printer that was
switched off and on, or has another computer's connection, is found again.

Before a slip the printer is asked how it is (``DLE EOT``, answered at once). After it comes ``GS r 1``, which a printer
answers when it has worked through all that came before: only that is called printed.
"""

import contextlib
import logging
import os
import queue
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from steunpunt.boxfacts import PrinterChanged, PrintSlip, SlipEnded, SlipLine, SlipOutcome
from steunpunt.model import Event, SteunpuntError
from steunpunt.printerconfig import Printer as PrinterConfig

START_AFTER_S = 1.0
"""Before the first look: radio, broker and screens go first."""
LOOK_S, LOOK_BROKEN_S = 15.0, 3.0
"""Between two looks while the printer is well, and while it is not."""
CONNECT_S_MAX = 5.0
ANSWER_S_MAX = 3.0
"""How long a printer may take to say how it is."""
CONFIRM_S_MAX = 25.0
"""How long it may take to print a slip."""
_ASK_STATE, _ASK_CAUSE, _ASK_PAPER = b"\x10\x04\x01", b"\x10\x04\x02", b"\x10\x04\x04"
_ASK_DONE = b"\x1dr\x01"
_REAL_TIME_MASK, _REAL_TIME = 0b1001_0011, 0b0001_0010
"""Bits that every answer to DLE EOT has, and none to GS r."""
_OFFLINE, _COVER, _NO_PAPER_STOP, _FAULT = 0x08, 0x04, 0x20, 0x40
_PAPER_OUT, _PAPER_LOW = 0x60, 0x0C
_USB_DEVICE = "/dev/usb/lp0"
_log = logging.getLogger(__name__)


class PrinterError(SteunpuntError, OSError):
    """The printer cannot be reached or cannot print; the message is for the desk, in Dutch."""


class Road(Protocol):
    """The way to a printer, open for one slip or one look."""

    def send(self, data: bytes) -> None:
        """Send all of it; raises OSError."""

    def read(self, seconds_max: float) -> bytes:
        """Return what comes, at least one byte; raises OSError, and TimeoutError when nothing comes."""

    def close(self) -> None:
        """Close it."""


class _SocketRoad:
    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), CONNECT_S_MAX)

    def send(self, data: bytes) -> None:
        self._socket.settimeout(CONFIRM_S_MAX)
        self._socket.sendall(data)

    def read(self, seconds_max: float) -> bytes:
        self._socket.settimeout(max(seconds_max, 0.01))
        got = self._socket.recv(64)
        if not got:
            raise ConnectionError("closed by the printer")
        return got

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class _DeviceRoad:
    """A device of the kernel's: a USB printer, or a serial line that was set up."""

    def __init__(self, path: str, baud: int | None) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
        if baud is not None:
            _set_up_line(self._fd, baud)

    def send(self, data: bytes) -> None:
        deadline = time.monotonic() + CONFIRM_S_MAX
        while data:
            if not select.select([], [self._fd], [], max(deadline - time.monotonic(), 0))[1]:
                raise TimeoutError("takes no more")
            data = data[os.write(self._fd, data) :]

    def read(self, seconds_max: float) -> bytes:
        if not select.select([self._fd], [], [], max(seconds_max, 0))[0]:
            raise TimeoutError("no answer")
        got = os.read(self._fd, 64)
        if not got:
            raise ConnectionError("no answer")
        return got

    def close(self) -> None:
        os.close(self._fd)


def _set_up_line(fd: int, baud: int) -> None:
    """Eight bits, no parity, no echo: what receipt printers come with."""
    import termios  # noqa: PLC0415  only for a serial line
    import tty  # noqa: PLC0415

    tty.setraw(fd)
    modes = termios.tcgetattr(fd)
    modes[4] = modes[5] = getattr(termios, f"B{baud}")
    modes[2] |= termios.CLOCAL | termios.CREAD
    termios.tcsetattr(fd, termios.TCSANOW, modes)


class _FileRoad:
    """A plain file that all slips are appended to; what citizens wrote can be read in it."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._fd, data) :]
        os.fsync(self._fd)

    def read(self, seconds_max: float) -> bytes:
        raise TimeoutError(f"a file does not answer in {seconds_max} s")

    def close(self) -> None:
        os.close(self._fd)


def open_road(config: PrinterConfig) -> Road:
    """Return the way to the printer; raises OSError."""
    match config.kind:
        case "network":
            return _SocketRoad(config.host, config.port)
        case "serial":
            return _DeviceRoad(config.path, config.baud)
        case "usb":
            return _DeviceRoad(config.path or _USB_DEVICE, None)
        case "file":
            return _FileRoad(config.path)


class Encoder:
    """Makes ESC/POS of a slip's lines."""

    def __init__(self, profile: str) -> None:
        """Load python-escpos; raises PrinterError."""
        # It keeps a pickle of its table of printers: in a folder of ours, not in one that others may write.
        with tempfile.TemporaryDirectory(prefix="steunpunt-escpos-") as folder:
            os.environ["ESCPOS_CAPABILITIES_PICKLE_DIR"] = folder
            try:
                from escpos.printer import Dummy  # noqa: PLC0415  see the module's first lines
            except ImportError as error:
                raise PrinterError(f"De bonprinter: python-escpos is niet geïnstalleerd ({error}).") from error
        self._new: Callable[[], Any] = lambda: Dummy(profile=profile)
        try:
            self._new()
        except Exception as error:  # its own, which has no base that tells it from others
            raise PrinterError(f"De bonprinter: printer.profile {profile} bestaat niet in python-escpos.") from error

    def slip(self, lines: tuple[SlipLine, ...]) -> bytes:
        """Return the commands of one slip, the cut at its end included."""
        made = self._new()
        made.hw("INIT")
        for line in lines:
            made.set(bold=line.bold, double_height=line.big, double_width=line.big, normal_textsize=not line.big)
            made.text(f"{line.text}\n")
        made.cut()
        return bytes(made.output)


class SlipPrinter:
    """The thread. The constructor does nothing; :meth:`start` acts."""

    def __init__(
        self,
        config: PrinterConfig,
        inbox: Callable[[Event], None],
        *,
        stamp: Callable[[], str] = lambda: "",
        road: Callable[[PrinterConfig], Road] = open_road,
        start_after_s: float = START_AFTER_S,
    ) -> None:
        """``stamp``: gives the last line of a slip, when it is printed; "" for none."""
        self._stamp = stamp
        self._config, self._inbox, self._open = config, inbox, road
        self._start_after_s = start_after_s
        self._jobs: queue.SimpleQueue[PrintSlip | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: PrinterChanged | None = None
        self._encoder: Encoder | None = None

    def start(self) -> None:
        """Begin to look after the printer."""
        self._thread = threading.Thread(target=self._loop, name="printer", daemon=True)
        self._thread.start()

    def stop(self, deadline_s: float) -> None:
        """Stop within ``deadline_s`` seconds; a slip under way is in doubt then, as after a crash."""
        self._stopping.set()
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(deadline_s)

    def print(self, job: PrintSlip) -> None:
        """Print a slip, after those before it; the engine hands over one at a time."""
        self._jobs.put(job)

    # --- the thread ---------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        self._stopping.wait(self._start_after_s)
        while not self._stopping.is_set():
            self._tell(self._look())
            job = self._next(LOOK_S if self._told is not None and self._told.ready else LOOK_BROKEN_S)
            if job is not None:
                self._inbox(self._print(job))

    def _next(self, seconds: float) -> PrintSlip | None:
        with contextlib.suppress(queue.Empty):
            return self._jobs.get(timeout=seconds)
        return None

    def _tell(self, state: PrinterChanged) -> None:
        if state != self._told:
            self._told = state
            self._inbox(state)

    def _look(self) -> PrinterChanged:
        """Return how the printer is; never raises."""
        try:
            if self._encoder is None:
                self._encoder = Encoder(self._config.profile)
            road = self._reach()
            with contextlib.closing(road):
                return PrinterChanged(ready=True, paper_low=self._ask(road))
        except PrinterError as error:
            return PrinterChanged(ready=False, reason=str(error))
        except Exception:  # noqa: BLE001  whatever goes wrong once must not end the thread: the alarm says it
            _log.exception("action=printer_look_failed")
            return PrinterChanged(ready=False, reason="De bonprinter werkt niet. Zie het logboek van steunpunt-node.")

    def _reach(self) -> Road:
        try:
            return self._open(self._config)
        except OSError as error:
            _log.debug("action=printer_not_reached reason=%r", str(error))
            raise PrinterError("De bonprinter is niet te bereiken. Staat hij aan en zit de kabel vast?") from error

    def _ask(self, road: Road) -> bool:
        """Ask how the printer is; returns whether paper is nearly out. Raises PrinterError when it cannot print."""
        if not self._config.confirms or self._config.kind == "file":
            return False
        try:
            paper = self._answer(road, _ASK_PAPER)
            offline = self._answer(road, _ASK_STATE) & _OFFLINE
            cause = self._answer(road, _ASK_CAUSE) if offline else 0
        except OSError as error:
            raise PrinterError("De bonprinter geeft geen antwoord. Zet hem uit en weer aan.") from error
        if paper & _PAPER_OUT:
            raise PrinterError("Het papier van de bonprinter is op. Leg een nieuwe rol in.")
        if offline:
            raise PrinterError(_cause_words(cause))
        return bool(paper & _PAPER_LOW)

    @staticmethod
    def _answer(road: Road, question: bytes) -> int:
        """Return the one byte that answers a question of real time; other bytes are passed over."""
        road.send(question)
        deadline = time.monotonic() + ANSWER_S_MAX
        while (left := deadline - time.monotonic()) > 0:
            for byte in road.read(left):
                if byte & _REAL_TIME_MASK == _REAL_TIME:
                    return byte
        raise TimeoutError("no answer")

    def _print(self, job: PrintSlip) -> SlipEnded:
        """Print one slip; never raises."""
        sent = False
        try:
            if self._encoder is None:
                return SlipEnded(job.slip_id, SlipOutcome.NOT_PRINTED, "not loaded")
            stamp = self._stamp()
            commands = self._encoder.slip((*job.lines, SlipLine(stamp)) if stamp else job.lines)
            road = self._reach()
            with contextlib.closing(road):
                self._ask(road)
                sent = True
                road.send(commands)
                self._confirmed(road)
        except Exception as error:  # noqa: BLE001  the engine must hear of each slip, whatever happened to it
            if not isinstance(error, OSError):
                _log.exception("action=slip_failed")
            self._told = None  # tell anew how it is
            outcome = SlipOutcome.UNKNOWN if sent else SlipOutcome.NOT_PRINTED
            return SlipEnded(job.slip_id, outcome, type(error).__name__)
        return SlipEnded(job.slip_id, SlipOutcome.PRINTED)

    def _confirmed(self, road: Road) -> None:
        """Wait until the printer has worked through the slip; raises OSError when it does not say so."""
        if not self._config.confirms or self._config.kind == "file":
            return
        road.send(_ASK_DONE)
        deadline = time.monotonic() + CONFIRM_S_MAX
        while (left := deadline - time.monotonic()) > 0:
            if any(not byte & 0b1001_0000 for byte in road.read(left)):
                return
        raise TimeoutError("no answer")


def _cause_words(cause: int) -> str:
    if cause & _COVER:
        return "De klep van de bonprinter staat open. Doe hem dicht."
    if cause & _NO_PAPER_STOP:
        return "Het papier van de bonprinter is op. Leg een nieuwe rol in."
    if cause & _FAULT:
        return "De bonprinter meldt een storing. Zet hem uit en weer aan."
    return "De bonprinter staat op pauze. Druk op de knop van de printer."
