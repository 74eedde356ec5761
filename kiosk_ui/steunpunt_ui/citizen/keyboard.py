"""The letters of the keyboard on the point's own screen, by language."""

from dataclasses import dataclass
from typing import Final

_DIGITS: Final = "1234567890"
_LATIN: Final = ("qwertyuiop", "asdfghjkl'", "zxcvbnm,.?-")
ROWS: Final[dict[str, tuple[str, ...]]] = {
    "nl": (_DIGITS, "qwertyuiop", "asdfghjkl'", "zxcvbnmëé,.?-"),
    "en": (_DIGITS, *_LATIN),
    "de": (_DIGITS + "ß", "qwertzuiopü", "asdfghjklöä", "yxcvbnm,.?-"),
    "fr": (_DIGITS, "azertyuiop'", "qsdfghjklm", "wxcvbnéèàçê,.?-"),
    "pl": (_DIGITS, "qwertyuiop", "asdfghjklł", "zxcvbnm,.?-", "ąćęńóśźż"),
    "tr": (_DIGITS, "qwertyuıopğü", "asdfghjklşi", "zxcvbnmöç,.?-"),  # noqa: RUF001  Turkish has an i without a dot
    "ar": (_DIGITS, "ضصثقفغعهخحجد", "شسيبلاتنمكطذ", "ئءؤرىةوزظأإ", "،.؟-آ"),
    "uk": (_DIGITS, "йцукенгшщзхї", "фівапролджєґ", "ячсмитьбю'", ",.?-"),
}
"""Rows of keys; digits are Western everywhere, as on tickets."""


@dataclass(frozen=True, slots=True)
class Keyboard:
    """The rows of one language; ``other`` are Latin letters beside another script, for postcodes and ticket codes."""

    rows: tuple[str, ...]
    other: tuple[str, ...] = ()


def keyboard_of(language: str) -> Keyboard:
    """Return the keyboard of a language of the screens."""
    rows = ROWS[language]
    return Keyboard(rows, () if "q" in "".join(rows) else _LATIN)
