"""Text of any script without a model: each character as the bits of its code point, their chances learned on the way.

A bit's place is the bits above it in the same code point: a tree over all of Unicode, of which a text visits few
branches. How often a 1 came at a place is counted over the whole text, and after the same character. The count
over the text begins with a prior of even chances; the one after a character begins with what the text's count says.
Before each character one decision tells whether the text ends. Whole numbers only.
"""

from steunpunt.model import FrameError
from steunpunt.protocol.arithmetic import ONE, Coder, Decoder, Encoder

_CODE_POINT_BITS = 21
_CODE_POINT_MAX = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_FINE_BITS = 7
"""The lowest bits are spread evenly in scripts of many characters: there the count begins with a firmer prior."""
_PRIOR, _FINE_PRIOR, _NEAR_PRIOR = 1, 4, 8
"""Weights of the priors, in halves of an occurrence, and of the text's count for the one after a character."""

_Counts = dict[tuple[int, int], list[int]]


class _Chances:
    """What was counted so far; the same at both ends."""

    def __init__(self) -> None:
        self._counts: _Counts = {}
        self._before = 0
        self._length = 0

    def end(self, coder: Coder, wanted: int) -> int:
        """Code whether the text ends here."""
        self._length += 1
        return coder.bit(max(ONE // (self._length + 1), 1), wanted)

    def character(self, coder: Coder, wanted: int) -> int:
        """Code a code point."""
        place = 1
        for level in range(_CODE_POINT_BITS - 1, -1, -1):
            bit = self._bit(coder, place, level, wanted >> level & 1)
            place = place << 1 | bit
        found = place - (1 << _CODE_POINT_BITS)
        self._before = found + 1
        return found

    def _bit(self, coder: Coder, place: int, level: int, wanted: int) -> int:
        text = self._counts.setdefault((0, place), [0, 0])
        near = self._counts.setdefault((self._before, place), [0, 0]) if self._before else text
        prior = _FINE_PRIOR if level < _FINE_BITS else _PRIOR
        chance = (2 * text[1] + prior) * ONE // (2 * (text[0] + text[1] + prior))
        if near is not text:
            chance = (2 * near[1] * ONE + _NEAR_PRIOR * chance) // (2 * (near[0] + near[1]) + _NEAR_PRIOR)
        bit = coder.bit(min(max(chance, 1), ONE - 1), wanted)
        text[bit] += 1
        if near is not text:
            near[bit] += 1
        return bit


def encode(text: str) -> bytes:
    """Return a text as bytes; takes a quarter of a millisecond a character."""
    coder, chances = Encoder(), _Chances()
    for character in text:
        chances.end(coder, 0)
        chances.character(coder, ord(character))
    chances.end(coder, 1)
    return coder.finish()


def decode(data: bytes, chars_max: int) -> str:
    """Return the text; FrameError for damage, or more than ``chars_max`` characters."""
    coder, chances = Decoder(data), _Chances()
    found: list[str] = []
    while not chances.end(coder, 0):
        if len(found) >= chars_max:
            raise FrameError(f"text of more than {chars_max} characters")
        code_point = chances.character(coder, 0)
        if code_point > _CODE_POINT_MAX or code_point in _SURROGATES:
            raise FrameError(f"text with {code_point:#x}, which is no character")
        found.append(chr(code_point))
    return "".join(found)
