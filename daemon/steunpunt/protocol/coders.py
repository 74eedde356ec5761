"""Who compresses a text: compiled code where there is any, else the reference in Python. Both give the same bytes."""

from typing import Protocol

from steunpunt.protocol import codepoints, ngram, spelling
from steunpunt.textmodel import NotUsable

SLOWER = 50
"""About how many times as long the reference takes; for people, measured by `make bench`."""


class TextCoder(Protocol):
    """Methods 2 and 3 of :mod:`steunpunt.protocol.text`; each raises FrameError where the reference does."""

    words: str
    """Which one it is, for a technician."""

    def encode(self, text: str) -> bytes:
        """Return the text by the n-gram model."""

    def decode(self, data: bytes, chars_max: int) -> str:
        """Undo :meth:`encode`."""

    def encode_points(self, text: str) -> bytes:
        """Return the text as code points."""

    def decode_points(self, data: bytes, chars_max: int) -> str:
        """Undo :meth:`encode_points`."""


class Reference:
    """The coder in Python: what the bytes mean, and what a site without a compiler uses."""

    def __init__(self, model: ngram.Model, why: str = "") -> None:
        self._model = model
        self.words = f"texts are compressed by Python, which takes some {SLOWER} times as long: {why}"

    def encode(self, text: str) -> bytes:
        """Spell the text."""
        return spelling.encode(self._model, text)

    def decode(self, data: bytes, chars_max: int) -> str:
        """Undo :meth:`encode`."""
        return spelling.decode(self._model, data, chars_max)

    def encode_points(self, text: str) -> bytes:
        """Write the code points."""
        return codepoints.encode(text)

    def decode_points(self, data: bytes, chars_max: int) -> str:
        """Undo :meth:`encode_points`."""
        return codepoints.decode(data, chars_max)


def fastest(model: ngram.Model, path: str | None = None) -> TextCoder:
    """Return the compiled coder, from ``path`` or where `make native` puts it; or the reference, which says why."""
    try:
        from steunpunt.protocol import compiled  # noqa: PLC0415  ctypes is of no use before the first text

        return compiled.Compiled(model, path)
    except (NotUsable, ImportError, MemoryError) as reason:  # a system that forbids what ctypes does at its import
        return Reference(model, str(reason))
