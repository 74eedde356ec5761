"""The touch screen while it is dark: a touch wakes it, and presses nothing that cannot be seen.

The kernel's input devices are files whose every read is an event; EVIOCGRAB (``linux/input.h``) gives them to one
reader alone. Without that the touch wakes the screen too, but also reaches the page.
"""

import contextlib
import fcntl
import logging
import os

_EVIOCGRAB = 0x40044590
_READ_BYTES = 4_096
_log = logging.getLogger(__name__)


class Touch:
    """The event device of a touch screen; held only while the screen is dark."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._descriptor: int | None = None

    def fileno(self) -> int | None:
        """Return what to wait on for reading, None while the device is not held."""
        return self._descriptor

    def hold(self) -> str:
        """Take the device; return why that is not possible, or ""."""
        if self._descriptor is not None or self._path is None:
            return ""
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            return f"{self._path}: cannot be read ({error.strerror}); the screen stays on, for nobody could wake it"
        try:
            fcntl.ioctl(self._descriptor, _EVIOCGRAB, 1)
        except OSError as error:
            _log.warning("action=touch_not_grabbed path=%s reason=%r", self._path, error.strerror)
        return ""

    def release(self) -> str:
        """Give the device back; always ""."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):  # closing ends the grab
                os.close(self._descriptor)
            self._descriptor = None
        return ""

    def touched(self) -> bool:
        """Take what came; return whether that was anything. A device that is gone counts: the screen must come back."""
        if self._descriptor is None:
            return False
        try:
            while True:
                if not os.read(self._descriptor, _READ_BYTES):
                    return True
        except BlockingIOError:
            return True
        except OSError as error:
            _log.warning("action=touch_lost path=%s reason=%r", self._path, error.strerror)
            return True
