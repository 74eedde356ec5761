"""Letters of a code on paper: Crockford's base 32, and groups that can be typed; see :mod:`steunpunt.protocol.paper`.

Nothing of keys is needed here, so a kiosk's screens may load it.
"""

from steunpunt.model import FrameError

PREFIX = "SP1:"
CODE_CHARS_MAX = 300
"""Longest text of one code: a QR code of version 10 at level M, 57 modules, scannable from a receipt of 58 mm."""
GROUP_CHARS = 6
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_LOOKALIKES = str.maketrans("OILU", "011V")
_FIELD_BITS = 5
_FIELD_POLYNOMIAL = 0b100101
_FIELD_ORDER = 31


class PaperError(FrameError):
    """A code that is damaged; ``group`` is the number of the typed group that is wrong, None for a scanned code."""

    def __init__(self, message: str, group: int | None = None) -> None:
        super().__init__(message)
        self.group = group


def groups(code: str) -> list[str]:
    """Return a code as it is typed: groups of six characters, each with its check."""
    text = code.removeprefix(PREFIX)
    cut = [text[start : start + GROUP_CHARS] for start in range(0, len(text), GROUP_CHARS)]
    return [group + _check_character(group, number) for number, group in enumerate(cut, 1)]


def ungroup(text: str) -> str:
    """Return the code's letters of typed groups; PaperError names the first group that is wrong."""
    characters = "".join(c for c in text if c.isalnum()).translate(_LOOKALIKES)
    size = GROUP_CHARS + 1
    plain = ""
    for number, start in enumerate(range(0, len(characters), size), 1):
        group = characters[start : start + size]
        if any(c not in _VALUES for c in group) or _check_character(group[:-1], number) != group[-1]:
            raise PaperError(f"group {number} is not right; compare it with the paper", number)
        plain += group[:-1]
    return plain


def to_text(content: bytes) -> str:
    """Return bytes as letters."""
    count = -(-len(content) * 8 // _FIELD_BITS)
    value = int.from_bytes(content, "big") << (count * _FIELD_BITS - len(content) * 8)
    return "".join(_ALPHABET[value >> shift & 31] for shift in range((count - 1) * _FIELD_BITS, -1, -_FIELD_BITS))


def from_text(text: str) -> bytes:
    """Return the bytes of at most CODE_CHARS_MAX letters; PaperError for a sign that is none."""
    value = 0
    for character in text[:CODE_CHARS_MAX]:
        if character not in _VALUES:
            raise PaperError(f"a code has {character!r}, which no code has; scan it again")
        value = value << _FIELD_BITS | _VALUES[character]
    bits = min(len(text), CODE_CHARS_MAX) * _FIELD_BITS
    return (value >> bits % 8).to_bytes(bits // 8, "big")


def _check_character(group: str, number: int) -> str:
    """Return the check of the group with this number, counted from 1."""
    total = _power(number)
    for place, character in enumerate(group, 1):
        total ^= _times(_power(place), _VALUES[character])
    return _ALPHABET[total]


def _power(exponent: int) -> int:
    """Return x to this power in GF(32): another value for each of 31 exponents in a row."""
    value = 1
    for _ in range(exponent % _FIELD_ORDER):
        value = _times(2, value)
    return value


def _times(left: int, right: int) -> int:
    """Multiply in GF(32), modulo x⁵ + x² + 1."""
    product = 0
    for bit in range(_FIELD_BITS):
        if right >> bit & 1:
            product ^= left << bit
    for bit in range(2 * _FIELD_BITS - 2, _FIELD_BITS - 1, -1):
        if product >> bit & 1:
            product ^= _FIELD_POLYNOMIAL << (bit - _FIELD_BITS)
    return product
