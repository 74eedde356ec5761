"""What a text coder does, and the one in Python, which is the reference; ``compiled.py`` has the one in C."""

from typing import Protocol

from steunpunt.protocol import codepoints, ngram, spelling

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
