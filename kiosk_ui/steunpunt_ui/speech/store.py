"""The sounds that there are, and what is read of a page: MPEG audio, whose frames may follow each other as they are."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from steunpunt_ui.speech.sentences import MARK_CHARS, mark_of, sentences_of

SUFFIX: Final = ".mp3"
SENTENCES_MAX: Final = 120
"""Sentences of one reading; a longer page is read up to there, and says that there is more."""
LOOK_AGAIN_S: Final = 10.0


class Voice:
    """The sounds in one folder, a folder per language. Any thread: what is shared is only ever replaced."""

    def __init__(self, folder: Path, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._monotonic_s = folder, monotonic_s
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    def reading(self, language: str, page: str, more: str = "") -> str:
        """Return what to read of a page as its sounds' names in a row; "" when nothing of it has a sound.

        ``more`` is the sentence that ends a reading which leaves something out.
        """
        known = self.marks(language)
        if not known:
            return ""
        marks = list(dict.fromkeys(map(mark_of, sentences_of(page))))
        said = [mark for mark in marks if mark in known][:SENTENCES_MAX]
        if said and len(said) < len(marks):
            said += [mark for mark in [mark_of(more)] if mark in known]
        return "".join(said)

    def sound(self, language: str, reading: str) -> bytes | None:
        """Return the sound of a reading; None when it names one that is not there."""
        marks = [reading[at : at + MARK_CHARS] for at in range(0, len(reading), MARK_CHARS)]
        if len(marks) > SENTENCES_MAX + 1 or not set(marks) <= self.marks(language):
            return None
        try:
            return b"".join((self._folder / language / f"{mark}{SUFFIX}").read_bytes() for mark in marks)
        except OSError:
            return None

    def marks(self, language: str) -> frozenset[str]:
        """Return the names of a language's sounds, at most LOOK_AGAIN_S old."""
        now_s = self._monotonic_s()
        looked_s, marks = self._known.get(language, (-LOOK_AGAIN_S, frozenset()))
        if now_s - looked_s < LOOK_AGAIN_S:
            return marks
        try:
            marks = frozenset(path.stem for path in (self._folder / language).glob(f"*{SUFFIX}"))
        except OSError:
            marks = frozenset()
        self._known[language] = (now_s, marks)
        return marks
