"""Writing and reading fields of odd widths: most significant bit first, filled with zero bits to a whole byte."""

from steunpunt.model import FrameError
from steunpunt.protocol.text import compress, decompress

SHORT_TEXT_BYTES_MAX = 127


class BitWriter:
    """Puts fields one after another."""

    def __init__(self) -> None:
        self._value = 0
        self._width = 0

    def put(self, value: int, width: int) -> None:
        """Append ``value`` in ``width`` bits; ValueError when it does not fit."""
        if not 0 <= value < 1 << width:
            raise ValueError(f"{value} does not fit {width} bits")
        self._value = self._value << width | value
        self._width += width

    def flag(self, value: bool) -> None:  # noqa: FBT001  the flag is what is written
        """Append one bit."""
        self.put(int(value), 1)

    def octets(self, data: bytes) -> None:
        """Append whole bytes, wherever in a byte they begin."""
        self.put(int.from_bytes(data, "big"), 8 * len(data))

    def small(self, value: int) -> None:
        """Append 0 to 6 in three bits, 7 to 262 in eleven."""
        if value < 7:  # noqa: PLR2004  seven is the way out
            self.put(value, 3)
        else:
            self.put(7, 3)
            self.put(value - 7, 8)

    def ranged(self, value: int, widths: tuple[int, int, int, int]) -> None:
        """Append a number in the shortest of four widths, each going on where the one before it ends."""
        for choice, width in enumerate(widths):
            if value < 1 << width:
                self.put(choice, 2)
                self.put(value, width)
                return
            value -= 1 << width
        raise ValueError(f"number too large by {value}")

    def short_text(self, text: str) -> None:
        """Append a text of at most SHORT_TEXT_BYTES_MAX bytes: method 3 bits, length 7 bits, bytes."""
        method, data = compress(text)
        self.put(method, 3)
        self.put(len(data), 7)
        self.octets(data)

    def done(self) -> bytes:
        """Return the bytes, the last filled with zero bits."""
        fill = -self._width % 8
        return (self._value << fill).to_bytes((self._width + fill) // 8, "big")


class BitReader:
    """Takes fields from the front; running out is a FrameError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, width: int) -> int:
        """Return the next ``width`` bits as a number."""
        if width > self._left:
            raise FrameError("message ends too early")
        self._left -= width
        return self._value >> self._left & (1 << width) - 1

    def flag(self) -> bool:
        """Return the next bit."""
        return bool(self.take(1))

    def octets(self, count: int) -> bytes:
        """Return the next ``count`` bytes."""
        return self.take(8 * count).to_bytes(count, "big")

    def small(self) -> int:
        """Read what :meth:`BitWriter.small` wrote."""
        value = self.take(3)
        return value if value < 7 else 7 + self.take(8)  # noqa: PLR2004  seven is the way out

    def ranged(self, widths: tuple[int, int, int, int]) -> int:
        """Read what :meth:`BitWriter.ranged` wrote."""
        choice = self.take(2)
        return sum(1 << width for width in widths[:choice]) + self.take(widths[choice])

    def short_text(self) -> str:
        """Read what :meth:`BitWriter.short_text` wrote; FrameError for a method that is not known."""
        method = self.take(3)
        return decompress(method, self.octets(self.take(7)))

    def more(self) -> bool:
        """Return whether a bit is left."""
        return self._left > 0

    def rest(self) -> bytes:
        """Return the bytes from the next whole one to the end."""
        count = self._left // 8
        self._left = 0
        return self._data[len(self._data) - count :]
