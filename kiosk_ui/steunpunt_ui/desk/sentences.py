"""Sentences of the book in a form: a few slots, each with its values typed below it, and read back as phrases.

Nothing here needs JavaScript: a sentence that was chosen comes back with the fields it takes, and as it will be read.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask_babel import gettext

from steunpunt.model import SenderFunction
from steunpunt.protocol.phrasebook import SENTENCES, WORDS, options, render
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import (
    AFTER_MIN_MAX,
    AFTER_STEP_MIN,
    CLOCK_STEP_MIN,
    DURATION_MIN_MAX,
    HALF_HOUR_MIN,
    MINUTES_DIRECT_MAX,
    After,
    Clock,
    Entry,
    Kind,
    Param,
    Phrase,
    Reason,
    Value,
    check,
    may_say,
)
from steunpunt_ui.desk.words import function_choices
from steunpunt_ui.languages import language
from steunpunt_ui.texts import clean_line

DAY_MIN = 24 * 60
_HOUR_MIN = 60
_CLOCK = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)")
_MINUTES = re.compile(r"(\d{1,5})(?:\s*min\w*)?")
_HOURS = re.compile(r"(\d{1,3})\s*(?:u|uur|h|hours?)")


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a phrase in the form. ``choices``: (name, words) to choose from; none: it is typed."""

    name: str
    label: str
    hint: str
    typed: str
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """One place for a phrase in the form; ``sentence`` as the citizen reads it, "" until all values are there."""

    name: str
    code: int
    fields: tuple[Field, ...] = ()
    sentence: str = ""


def menu(kinds: tuple[Kind, ...] = tuple(Kind)) -> list[tuple[str, list[tuple[int, str]]]]:
    """Return the phrases of these kinds, in this order, to choose from by what they are for; their values as dots."""
    titles = {
        Kind.ANSWER: gettext("What we do, or can't do"),
        Kind.INSTRUCTION: gettext("What to do now"),
        Kind.QUESTION: gettext("Questions, answered with a tap"),
        Kind.ANNOUNCEMENT: gettext("What is going on"),
    }
    sentences = SENTENCES[language()]
    return [
        (titles[kind], [(code, _dotted(sentences[code], one)) for code, one in BOOK.items() if one.kind is kind])
        for kind in kinds
    ]


def not_allowed_words(code: int, function: SenderFunction) -> str:
    """Return why this function may not say the phrase of a code, and who may; "" when it may."""
    if may_say(BOOK[code], function):
        return ""
    names = function_choices()
    allowed = ", ".join(names[who] for who in names if may_say(BOOK[code], who))
    return gettext(
        "%(who)s may not promise this: “%(sentence)s” Only: %(allowed)s. Choose who answers, or another sentence.",
        who=names[function],
        sentence=_dotted(SENTENCES[language()][code], BOOK[code]),
        allowed=allowed,
    )


def preview(phrase: Phrase) -> list[str]:
    """Return a phrase as the citizen reads it, with what can be tapped under it."""
    return [render(phrase, language()), *(f"[{option}]" for option in options(BOOK[phrase.code], language()))]


def language_names() -> dict[str, str]:
    """Return the languages that citizens read, each by its own name."""
    return {code: words.name for code, words in WORDS.items()}


def _dotted(sentence: str, entry: Entry) -> str:
    return sentence.format(**{name: "…" for name, _ in entry.params})


def read_slots(count: int, form: Mapping[str, str]) -> tuple[tuple[Slot, ...], tuple[Phrase, ...], str]:
    """Return the slots of a form, the phrases that are whole, and all that is wrong with the rest; "" for nothing."""
    read = [_read_slot(f"p{place}", form) for place in range(1, count + 1)]
    slots, phrases = tuple(slot for slot, _, _ in read), tuple(phrase for _, phrase, _ in read if phrase is not None)
    return slots, phrases, " ".join(problem for _, _, problem in read if problem)


def empty_slots(count: int) -> tuple[Slot, ...]:
    """Return slots in which nothing was chosen."""
    return tuple(Slot(f"p{place}", 0) for place in range(1, count + 1))


def typed_again(phrases: tuple[Phrase, ...]) -> dict[str, str]:
    """Return the fields of a form that say these phrases; those of later versions are left out."""
    known = [(phrase, entry) for phrase in phrases if (entry := BOOK.get(phrase.code)) is not None]
    fields = {f"p{place}": str(phrase.code) for place, (phrase, _) in enumerate(known, 1)}
    for place, (phrase, entry) in enumerate(known, 1):
        for (name, param), value in zip(entry.params, phrase.values, strict=True):
            fields[f"p{place}_{name}"] = _written(value, param)
    return fields


def _read_slot(name: str, form: Mapping[str, str]) -> tuple[Slot, Phrase | None, str]:
    """Return a slot with its fields, its phrase when that is whole, and what is wrong with it."""
    chosen = form.get(name, "")
    code = int(chosen) if chosen.isascii() and chosen.isdigit() else 0
    entry = BOOK.get(code)
    if entry is None:
        return Slot(name, 0), None, ""
    sentence = SENTENCES[language()][code]
    fields = tuple(
        _field(f"{name}_{param_name}", param, form, _word_before(sentence, param_name))
        for param_name, param in entry.params
    )
    values = [_READ[param](field.typed) for field, (_, param) in zip(fields, entry.params, strict=True)]
    missing = [field for field, value in zip(fields, values, strict=True) if value is None]
    if missing:
        problems = (
            gettext("Fill in what the sentence needs: %(what)s. %(hint)s", what=field.label, hint=field.hint).strip()
            for field in missing
        )
        return Slot(name, code, fields), None, " ".join(problems)
    phrase = Phrase(code, tuple(value for value in values if value is not None))
    try:
        check(phrase, entry)
    except ValueError:
        return Slot(name, code, fields), None, gettext("A value is too long or too large for the radio. Shorten it.")
    return Slot(name, code, fields, "\n".join(preview(phrase))), phrase, ""


def _word_before(sentence: str, param_name: str) -> str:
    """Return what a sentence itself says before a value, such as "door" in "Door: {who}."; "" for nothing."""
    found = re.search(r"(?:^|[.?!] )([^.:?!{}]+): \{" + re.escape(param_name) + r"\}", sentence)
    return found[1][:1].lower() + found[1][1:] if found else ""


def _field(name: str, param: Param, form: Mapping[str, str], said: str) -> Field:
    """Return a value of a sentence as a field; ``said`` is the sentence's own word for whom it means."""
    labels = {
        Param.PLACE: (gettext("place"), gettext("In a few words.")),
        Param.ADDRESS: (gettext("address"), gettext("In a few words.")),
        Param.TIME: (gettext("time"), gettext("A time such as 14:30, or a number of minutes from now such as 40.")),
        Param.WHO: (said or gettext("who says so"), ""),
        Param.NUMBER: (gettext("number"), gettext("In digits.")),
        Param.DURATION: (gettext("how long"), gettext("Minutes such as 20, or hours such as 3 h.")),
        Param.REASON: (gettext("reason"), ""),
        Param.FREQUENCY: (gettext("frequency"), gettext("In MHz, such as 95.3.")),
        Param.PHONE: (gettext("telephone number"), gettext("In digits.")),
    }
    label, hint = labels[param]
    choices: tuple[tuple[str, str], ...] = ()
    if param is Param.WHO:
        choices = tuple((who.name, words) for who, words in function_choices().items())
    elif param is Param.REASON:
        choices = tuple((reason.name, words) for reason, words in WORDS[language()].reasons.items())
    return Field(name, label, hint, clean_line(form.get(name, "")), choices)


# --- reading what was typed -----------------------------------------------------------------------------------------


def _read_time(typed: str) -> Value | None:
    """Read a time; steps go up, so that nobody is told to expect something too early."""
    clock = _CLOCK.fullmatch(typed)
    if clock:
        minute = _up(int(clock[1]) * _HOUR_MIN + int(clock[2]), CLOCK_STEP_MIN)
        return Clock(minute % DAY_MIN)
    minutes = _MINUTES.fullmatch(typed)
    return After(min(_up(int(minutes[1]), AFTER_STEP_MIN), AFTER_MIN_MAX)) if minutes else None


def _read_duration(typed: str) -> Value | None:
    hours, minutes = _HOURS.fullmatch(typed), _MINUTES.fullmatch(typed)
    if not hours and not minutes:
        return None
    found = int(hours[1]) * _HOUR_MIN if hours else int(minutes[1]) if minutes else 0
    return found if found <= MINUTES_DIRECT_MAX else min(_up(found, HALF_HOUR_MIN), DURATION_MIN_MAX)


def _read_frequency(typed: str) -> Value | None:
    match = re.fullmatch(r"(\d{2,3})(?:[.,](\d))?", typed)
    return int(match[1]) * 10 + int(match[2] or 0) if match else None


def _read_number(typed: str) -> Value | None:
    return int(typed) if re.fullmatch(r"\d{1,6}", typed, re.ASCII) else None


def _up(minutes: int, step: int) -> int:
    return -(-minutes // step) * step


_READ: dict[Param, Callable[[str], Value | None]] = {
    Param.PLACE: lambda typed: typed or None,
    Param.ADDRESS: lambda typed: typed or None,
    Param.PHONE: lambda typed: typed or None,
    Param.TIME: _read_time,
    Param.WHO: SenderFunction.__members__.get,
    Param.REASON: Reason.__members__.get,
    Param.NUMBER: _read_number,
    Param.DURATION: _read_duration,
    Param.FREQUENCY: _read_frequency,
}


def _written(value: Value, param: Param) -> str:
    """Return a value as a person would type it."""
    match value:
        case Clock(minute):
            return f"{minute // _HOUR_MIN}:{minute % _HOUR_MIN:02}"
        case After(minutes):
            return str(minutes)
        case SenderFunction() | Reason():
            return value.name
        case int() if param is Param.FREQUENCY:
            return f"{value // 10}.{value % 10}"
    return str(value)
