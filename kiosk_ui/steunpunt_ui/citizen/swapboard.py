"""A point's own board for goods and lifts: notes of neighbours, looked at by staff, gone after a day.

It costs no airtime and lies in the memory of the web process alone: nothing of it reaches the disk, and it is empty
after a restart (docs/adr/0024-staff-and-neighbours.md). Where a point has no staff's pages there is no board.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from flask import Flask, current_app

from steunpunt.model import SteunpuntError
from steunpunt.values import replace

TEXT_CHARS_MAX = 160
NOTES_MAX = 60
"""Most notes on the board; the oldest goes."""
WAITING_MAX = 20
"""Most notes that wait for the staff."""
WAITING_PER_PHONE_MAX = 3
"""Most of them of one phone: nobody fills the list for all others."""
SHOWN_S_MAX = 24 * 3600
WAITS_S_MAX = 6 * 3600
"""A note that nobody looked at is gone after this."""
_KEY = "steunpunt.swapboard"


class NoteKind(StrEnum):
    """What a note is about."""

    HAVE = "have"
    NEED = "need"
    LIFT = "lift"
    RIDE = "ride"


class Full(SteunpuntError, OverflowError):
    """As many notes wait as the board keeps."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note; ``age_s`` counts from when it was written."""

    id: int
    kind: NoteKind
    text: str
    language: str
    written_s: float
    shown: bool = False
    age_s: float = 0.0
    phone: str = ""
    """Its address on the wifi, never shown; "": the point's own screen."""


@dataclass(slots=True)
class SwapBoard:
    """See the module. Any thread."""

    now: Callable[[], float] = time.monotonic
    _notes: dict[int, Note] = field(default_factory=dict)
    _last: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hand_in(self, kind: NoteKind, text: str, language: str, phone: str = "") -> None:
        """Take a note that staff have to look at. Raises Full. ``phone`` "": the point's own screen."""
        with self._lock:
            waiting = self._kept(shown=False)
            own = sum(note.phone == phone for note in waiting) if phone else 0
            if len(waiting) >= WAITING_MAX or own >= WAITING_PER_PHONE_MAX:
                raise Full(f"{len(waiting)} notes wait for the staff, {own} of this phone")
            self._last += 1
            text = text[:TEXT_CHARS_MAX]
            self._notes[self._last] = Note(self._last, kind, text, language, self.now(), phone=phone)

    def shown(self) -> list[Note]:
        """Return what is on the board, the newest first."""
        with self._lock:
            return self._kept(shown=True)

    def waiting(self) -> list[Note]:
        """Return what staff have to look at, the oldest first."""
        with self._lock:
            return self._kept(shown=False)[::-1]

    def show(self, note_id: int) -> None:
        """Put a note on the board; nothing happens to one that is gone."""
        with self._lock:
            note = self._notes.get(note_id)
            if note is None:
                return
            self._notes[note_id] = replace(note, shown=True)
            for old in self._kept(shown=True)[NOTES_MAX:]:
                del self._notes[old.id]

    def remove(self, note_id: int) -> None:
        """Take a note away."""
        with self._lock:
            self._notes.pop(note_id, None)

    def _kept(self, *, shown: bool) -> list[Note]:
        """Return the notes of one kind, the newest first; whatever is too old goes."""
        now_s = self.now()
        limits = {True: SHOWN_S_MAX, False: WAITS_S_MAX}
        for note in list(self._notes.values()):
            if now_s - note.written_s > limits[note.shown]:
                del self._notes[note.id]
        found = [replace(note, age_s=now_s - note.written_s) for note in self._notes.values() if note.shown is shown]
        return sorted(found, key=lambda note: -note.id)


def add_swapboard(app: Flask) -> None:
    """Give this application a board."""
    app.extensions[_KEY] = SwapBoard()


def swapboard() -> SwapBoard | None:
    """Return this point's board; None where there is none."""
    found = current_app.extensions.get(_KEY)
    return found if isinstance(found, SwapBoard) else None
