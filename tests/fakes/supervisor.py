"""Does for one service what systemd does with Type=notify, WatchdogSec and Restart=always, on a socket of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

RESTART_S = 1.0
"""RestartSec of the units."""


class Supervisor:
    """Starts a command, hears its notifications, and starts it again when it ends or is not heard in time."""

    def __init__(self, folder: Path, command: list[str], watchdog_s: float, credentials: Path | None = None) -> None:
        """``folder``: of this service alone. ``credentials``: where what it is handed lies, as systemd would put it."""
        self._command, self._watchdog_s = command, watchdog_s
        self._given = {} if credentials is None else {"CREDENTIALS_DIRECTORY": str(credentials)}
        folder.mkdir(exist_ok=True)
        self._log = folder / "service.log"
        self._address = folder / "notify.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._address))
        self._socket.settimeout(0.05)
        self._stopping = threading.Event()
        self.ready_at: list[float] = []
        """When each start said that it was ready."""
        self.started_at: list[float] = []
        self.process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the service and forget it."""
        self._stopping.set()
        self._thread.join(20)
        self._socket.close()

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._serve()
            self._stopping.wait(RESTART_S)

    def _serve(self) -> None:
        self.started_at.append(time.monotonic())
        wishes = {"NOTIFY_SOCKET": str(self._address), "WATCHDOG_USEC": str(round(self._watchdog_s * 1e6))}
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._given, **wishes},
            )
        self.process = process
        fed_at: float | None = None
        while process.poll() is None and not self._stopping.is_set():
            said = self._hear()
            if "READY=1" in said:
                self.ready_at.append(time.monotonic())
            if "READY=1" in said or "WATCHDOG=1" in said:
                fed_at = time.monotonic()
            if fed_at is not None and time.monotonic() - fed_at > self._watchdog_s:
                # As systemd: its signal would wait for ever in a process that is stopped.
                process.send_signal(signal.SIGABRT)
                process.send_signal(signal.SIGCONT)
                fed_at = None
        process.kill()
        process.wait(20)

    def _hear(self) -> str:
        with contextlib.suppress(TimeoutError, OSError):
            return self._socket.recv(4096).decode("utf-8", "replace")
        return ""
