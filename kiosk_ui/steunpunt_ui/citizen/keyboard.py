"""The letters of the keyboard on the point's own screen, by language."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from flask import render_template
from markupsafe import Markup

from steunpunt_ui.languages import language

_LATIN: Final = ("qwertyuiop", "asdfghjkl'", "zxcvbnm,.?-")
ROWS: Final[dict[str, tuple[str, ...]]] = {
    "nl": ("qwertyuiop", "asdfghjkl'", "zxcvbnmëé,.?-"),
    "en": _LATIN,
    "de": ("qwertzuiopü", "asdfghjklöä", "yxcvbnmß,.?-"),
    "fr": ("azertyuiop'", "qsdfghjklm", "wxcvbnéèàçê,.?-"),
    "pl": ("qwertyuiop", "asdfghjklł", "zxcvbnm,.?-", "ąćęńóśźż"),
    "tr": ("qwertyuıopğü", "asdfghjklşi", "zxcvbnmöç,.?-"),  # noqa: RUF001  Turkish has an i without a dot
    "ar": ("ضصثقفغعهخحجد", "شسيبلاتنمكطذ", "ئءؤرىةوزظأإ", "،.؟-آ"),
    "uk": ("йцукенгшщзхї", "фівапролджєґ", "ячсмитьбю'", ",.?-"),
}
"""Rows of letters. Figures are keys of their own (keys.html), Western everywhere, as on tickets."""


@dataclass(frozen=True, slots=True)
class Keyboard:
    """The rows of one language; ``other`` are Latin letters beside another script, for postcodes and ticket codes."""

    rows: tuple[str, ...]
    other: tuple[str, ...] = ()


def keyboard_of(language: str) -> Keyboard:
    """Return the keyboard of a language of the screens."""
    rows = ROWS[language]
    return Keyboard(rows, () if "q" in "".join(rows) else _LATIN)


def drawn_keyboard() -> Markup:
    """Return the keyboard of this request's language, as a page has it."""
    return _drawn(language())


@lru_cache(len(ROWS))
def _drawn(code: str) -> Markup:
    """Draw it once: with all its keys it costs as much as the rest of a page."""
    return Markup(render_template("citizen/keys.html", keyboard=keyboard_of(code)))  # noqa: S704  a template's
