"""What people type, made fit to keep: pure functions over text.

Free text has a limit in characters. The limit of a short field is in bytes, as it travels; people count characters:
:func:`characters_over` translates.
"""

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f"  # control characters, except the end of a line
    "\u00ad\u200b\u200e\u200f"  # soft hyphen, zero-width space, direction marks
    "\u2028-\u202e\u2060-\u206f"  # separators, direction overrides and isolates, invisible operators
    "\ufeff\ufff9-\ufffb"  # byte order mark, annotations
    "\ud800-\udfff]"  # halves of characters, which UTF-8 cannot carry
)
_PLAIN_DIGITS = {zero + digit: str(digit) for zero in (0x0660, 0x06F0) for digit in range(10)}
"""Arabic-Indic digits, then Persian ones."""
_MANY_LINES = re.compile(r"\n{3,}")


def clean(text: str) -> str:
    """Return what a reader would see of a text: composed, without characters that only steer or hide.

    The joiners U+200C and U+200D stay: Persian words and composed emoji need them.
    """
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " "))
    return _MANY_LINES.sub("\n\n", _INVISIBLE.sub("", composed)).strip()


def clean_line(text: str) -> str:
    """Return the same for a field of one line."""
    return " ".join(clean(text).split())


def plain_digits(text: str) -> str:
    """Return a text with Arabic-Indic and Persian digits as 0 to 9: who calls back may not read the others."""
    return text.translate(_PLAIN_DIGITS)


def characters_over(text: str, bytes_max: int) -> int:
    """Return how many characters must go from the end until the text fits; 0 when it fits."""
    size = len(text.encode())
    over = 0
    for character in reversed(text):
        if size <= bytes_max:
            break
        size -= len(character.encode())
        over += 1
    return over
