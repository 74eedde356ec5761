"""The words of the phrases, in each language; see :mod:`steunpunt.protocol.phrasecodes` for who may say them.

Values stand after a colon, so that no language has to bend them. In languages that run from right to left each value,
and each number in a sentence, is isolated (U+2068 … U+2069): digits are Western everywhere.
"""

import re
from collections.abc import Iterable

from steunpunt.model import SenderFunction
from steunpunt.protocol.phrasebook import ar, de, en, fr, nl, pl, tr, uk
from steunpunt.protocol.phrasebook.words import Words
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import After, Clock, Entry, Form, Param, Phrase, Reason, Value

_BOOKS = {"nl": nl, "en": en, "de": de, "fr": fr, "pl": pl, "tr": tr, "ar": ar, "uk": uk}
SENTENCES: dict[str, dict[int, str]] = {language: book.SENTENCES for language, book in _BOOKS.items()}
WORDS: dict[str, Words] = {language: book.WORDS for language, book in _BOOKS.items()}
HOUR_MIN = 60
_LONG_MIN = 120
_FEW = range(3, 11)
_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
_NUMBERS = re.compile(r"(?<![{\w])\d+")
"""Numbers in a sentence, not those in the name of a value."""


def render(phrase: Phrase, language: str, *, age_min: int = 0) -> str:
    """Return a phrase in a language of WORDS; one of a later version says that it is not known, with its code.

    ``age_min``: minutes since it was written, by which "in 40 min" shrinks until it reads "10 min ago".
    """
    words = WORDS[language]
    if not phrase.known:
        return words.unknown.format(_isolated(str(phrase.code), words))
    entry = BOOK[phrase.code]
    values = {
        name: _isolated(_value(param, value, words, age_min), words)
        for (name, param), value in zip(entry.params, phrase.values, strict=True)
    }
    sentence = SENTENCES[language][phrase.code]
    if words.right_to_left:
        sentence = _NUMBERS.sub(lambda number: _isolated(number[0], words), sentence)
    return sentence.format(**values)


def render_all(phrases: Iterable[Phrase], language: str, *, age_min: int = 0) -> str:
    """Return phrases one to a line."""
    return "\n".join(render(phrase, language, age_min=age_min) for phrase in phrases)


def options(entry: Entry, language: str) -> tuple[str, ...]:
    """Return what can be tapped under a question, in order; nothing for a number or where nothing is asked."""
    words = WORDS[language]
    if entry.form is Form.YES_NO:
        return words.yes_no
    return words.choices[entry.code] if entry.form is Form.CHOICE else ()


def who_words(function: SenderFunction, language: str) -> str:
    """Return a function in words."""
    return WORDS[language].who[function]


def _value(param: Param, value: Value, words: Words, age_min: int) -> str:
    said = str(value)
    match value:
        case Clock(minute):
            said = words.clock.format(f"{minute // HOUR_MIN}:{minute % HOUR_MIN:02}")
        case After(minutes):
            said = _relative(minutes - age_min, words)
        case SenderFunction():
            said = words.who[value]
        case Reason():
            said = words.reasons[value]
        case int() if param is Param.DURATION:
            said = duration_words(value, words)
        case int() if param is Param.FREQUENCY:
            said = f"{value // 10}.{value % 10}"
    return said


def _relative(minutes: int, words: Words) -> str:
    if minutes == 0:
        return words.now
    return (words.later if minutes > 0 else words.earlier).format(duration_words(abs(minutes), words))


def duration_words(minutes: int, words: Words) -> str:
    """Return a length of time: minutes up to two hours, hours and minutes beyond."""
    if minutes < _LONG_MIN and minutes % HOUR_MIN:
        return _counted(minutes, words.minutes)
    parts = [_counted(minutes // HOUR_MIN, words.hours)]
    if minutes % HOUR_MIN:
        parts.append(_counted(minutes % HOUR_MIN, words.minutes))
    return " ".join(parts)


def _counted(number: int, forms: tuple[str, str]) -> str:
    return f"{number} {forms[number in _FEW]}"


def _isolated(text: str, words: Words) -> str:
    return f"{_ISOLATE}{text}{_END}" if words.right_to_left else text
