"""The node's last log lines in memory, for the technician's page and a diagnosis: journald is not everybody's to read.

What the node logs names no person and no text. Of a defect only its kind and the places in the code are kept, for
an error's own words may quote what it failed on.
"""

import logging
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

LINES_MAX = 400
LINE_CHARACTERS_MAX = 300
_FRAMES_MAX = 5
_OURS = "steunpunt"
_Clock = Callable[[], int]


class Line(Struct, frozen=True):
    """One line: when, in milliseconds of the clock handed in; which part of the program; how grave."""

    at_ms: int
    level: str
    name: str
    text: str


class LogKeeper(logging.Handler):
    """Keeps the last LINES_MAX lines; thread-safe, as every handler."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock
        self._lines: deque[Line] = deque(maxlen=LINES_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        text = record.getMessage() + _defect(record)
        text = "".join(char if char.isprintable() else " " for char in text)[:LINE_CHARACTERS_MAX]
        self._lines.append(Line(self._clock(), record.levelname, record.name, text))

    def begin(self) -> None:
        """Hear what all parts of the program log."""
        logging.getLogger(_OURS).addHandler(self)

    def end(self) -> None:
        """Hear nothing any more."""
        logging.getLogger(_OURS).removeHandler(self)

    def lines(self) -> list[Line]:
        """Return what is kept, the oldest first."""
        self.acquire()
        try:
            return list(self._lines)
        finally:
            self.release()

    def told(self) -> list[dict[str, Any]]:
        """Return the lines as the control socket tells them, each with its age."""
        now_ms = self._clock()
        return [
            {"age_s": (now_ms - line.at_ms) // 1000, "level": line.level, "name": line.name, "text": line.text}
            for line in self.lines()
        ]


def _defect(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    kind, _, trace = record.exc_info
    frames = traceback.extract_tb(trace)[-_FRAMES_MAX:]
    places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f" [{kind.__name__} at {places or 'an unknown place'}]"
