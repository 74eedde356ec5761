"""Hearing the signals that end a process, also when its main thread is about to wait for ever."""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Call ``stop`` at SIGTERM and SIGINT, from a thread of its own; to be called in the main thread, once.

    Python's own handlers run in the main thread, between two of its instructions. A signal that comes after the last
    of them and before the main thread sleeps in its queue was noted and not acted on until something else woke it: a
    point without radio and broker stopped only when systemd lost its patience. The wake-up descriptor is written at
    once, whatever the main thread does.
    """
    reader, writer = socket.socketpair()
    writer.settimeout(0)
    threading.Thread(target=_listen, args=(reader, writer, stop), name="signals", daemon=True).start()
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)  # so that it neither ends the process nor raises in it


def _listen(reader: socket.socket, writer: socket.socket, stop: Callable[[], None]) -> None:
    with contextlib.closing(writer), contextlib.closing(reader):  # both live as long as this thread
        while number := reader.recv(1):
            if number[0] in SIGNALS:
                stop()
