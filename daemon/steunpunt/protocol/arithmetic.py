"""Arithmetic coding: a row of yes-or-no decisions, each with its probability, as a number of few bytes.

Carry-free binary coding (Witten, Neal and Cleary, 1987) with whole numbers only: the same bits on every machine.
What comes after the end of the bytes counts as zero, so :meth:`Encoder.finish` leaves out what that rule gives back.
"""

from typing import Protocol

from steunpunt.model import FrameError

ONE = 1 << 16
"""A probability of 1; those that are handed in are 1 to ONE - 1."""
_BITS = 48
_MASK = (1 << _BITS) - 1
_TOP = 1 << (_BITS - 8)
_REGISTER_BYTES = _BITS // 8


class Coder(Protocol):
    """One decision at a time, in either direction: whoever spells a text needs to be written only once."""

    def bit(self, probability: int, wanted: int) -> int:
        """Code ``wanted``, of which 1 has ``probability`` in 1/65536, and return it. A decoder ignores ``wanted``."""


class Encoder:
    """Writes decisions."""

    def __init__(self) -> None:
        self._low, self._high = 0, _MASK
        self._out = bytearray()

    def bit(self, probability: int, wanted: int) -> int:
        """Write a decision."""
        middle = self._low + ((self._high - self._low) * probability >> 16)
        if wanted:
            self._high = middle
        else:
            self._low = middle + 1
        while (self._low ^ self._high) < _TOP:
            self._out.append(self._high >> (_BITS - 8))
            self._low = self._low << 8 & _MASK
            self._high = self._high << 8 & _MASK | 0xFF
        return wanted

    def finish(self) -> bytes:
        """Return all bytes, ended by the fewest that still say which number is meant."""
        for count in range(_REGISTER_BYTES):
            unit = 1 << (_BITS - 8 * count)
            tail = -(-self._low // unit)
            if tail * unit <= self._high:
                return bytes(self._out) + tail.to_bytes(count, "big")
        return bytes(self._out) + self._high.to_bytes(_REGISTER_BYTES, "big")


class Decoder:
    """Reads decisions; FrameError when far more are asked for than were ever written."""

    def __init__(self, data: bytes) -> None:
        self._data = data + bytes(_REGISTER_BYTES)
        self._low, self._high = 0, _MASK
        self._at = _REGISTER_BYTES
        self._value = int.from_bytes(self._data[:_REGISTER_BYTES], "big")

    def bit(self, probability: int, wanted: int) -> int:  # noqa: ARG002  the encoder's half of the bargain
        """Read a decision."""
        middle = self._low + ((self._high - self._low) * probability >> 16)
        found = int(self._value <= middle)
        if found:
            self._high = middle
        else:
            self._low = middle + 1
        while (self._low ^ self._high) < _TOP:
            self._shift()
        return found

    def _shift(self) -> None:
        """Take the next byte; an undamaged text ends before all bytes that stand for the end are used up."""
        if self._at >= len(self._data):
            raise FrameError("compressed text does not end where its bytes end")
        self._low = self._low << 8 & _MASK
        self._high = self._high << 8 & _MASK | 0xFF
        self._value = self._value << 8 & _MASK | self._data[self._at]
        self._at += 1
