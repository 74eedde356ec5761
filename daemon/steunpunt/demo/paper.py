"""Reads back what came out of a slip printer: the commands of ESC/POS that our slips are made of, as lines of text."""

from steunpunt.boxfacts import SlipLine

_ESC, _GS = 0x1B, 0x1D
_PAGES = {0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 15: "iso8859_7", 16: "cp1252", 17: "cp866"}
_PAGES |= {18: "cp852", 19: "cp858", 39: "iso8859_2", 40: "iso8859_15", 45: "cp1250", 46: "cp1251", 48: "cp1254"}
_LENGTHS = {0x40: 0, 0x21: 1, 0x45: 1, 0x61: 1, 0x64: 1, 0x74: 1, 0x4D: 1}
"""Bytes that follow ESC and this one."""
_BIG = 0x30


class Paper:
    """Takes the bytes as a printer does, in parts of any length; ``slips`` are those that were cut off."""

    def __init__(self) -> None:
        self.slips: list[tuple[SlipLine, ...]] = []
        self._left = b""
        self._lines: list[SlipLine] = []
        self._words, self._page, self._big, self._bold = "", "cp437", False, False

    def feed(self, data: bytes) -> None:
        """Take more bytes; those of a command that is not whole yet wait for the rest."""
        data, at = self._left + data, 0
        while at < len(data):
            length = _length(data[at : at + 3])
            if at + length > len(data):
                break
            self._do(data[at : at + length])
            at += length
        self._left = data[at:]

    def _do(self, part: bytes) -> None:
        if part[0] == _GS:
            self.slips.append(tuple(self._lines))
            self._lines = []
        elif part[0] == _ESC:
            self._set(part[1], part[-1])
        elif part == b"\n":
            self._lines.append(SlipLine(self._words, self._big, self._bold))
            self._words = ""
        else:
            self._words += part.decode(self._page, "replace")

    def _set(self, command: int, value: int) -> None:
        if command == ord("@"):
            self._words, self._page, self._big, self._bold = "", "cp437", False, False
        elif command == ord("!"):
            self._big = value == _BIG
        elif command == ord("E"):
            self._bold = bool(value)
        elif command == ord("t"):
            self._page = _PAGES.get(value, "ascii")


def _length(part: bytes) -> int:
    """Return how long the command is that begins here; a letter is one byte."""
    if part[0] == _GS:
        return 3
    if part[0] == _ESC:
        return 2 + _LENGTHS.get(part[1], 0) if len(part) > 1 else 2
    return 1
