"""Phrases of the book as fields of a form, and what was typed in them as phrases again. Pure."""

import re
from collections.abc import Mapping

from flask_babel import gettext

from steunpunt.model import SenderFunction
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import (
    AFTER_STEP_MIN,
    CLOCK_STEP_MIN,
    HALF_HOUR_MIN,
    MINUTES_DIRECT_MAX,
    PHRASES_MAX,
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

_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})")
_LATER = re.compile(r"\+\s*(\d{1,4})")
DAY_HOURS, HOUR_MIN = 24, 60


class FormProblem(ValueError):
    """What was typed is not a phrase; the text says what to do, in the reader's language."""


def offered() -> list[Entry]:
    """Return the phrases that an announcement may use."""
    return [entry for entry in BOOK.values() if entry.kind is Kind.ANNOUNCEMENT]


def field_name(entry: Entry, param: str) -> str:
    """Return the name of a value's field."""
    return f"p{entry.code}_{param}"


def phrases_in(form: Mapping[str, str], function: SenderFunction) -> tuple[Phrase, ...]:
    """Return the phrases that were ticked; FormProblem for a value that is missing or wrong, or a promise too much."""
    found = [_phrase(entry, form, function) for entry in offered() if form.get(f"p{entry.code}")]
    if len(found) > PHRASES_MAX:
        raise FormProblem(gettext("Choose at most %(most)s sentences.", most=PHRASES_MAX))
    return tuple(found)


def fields_of(phrases: tuple[Phrase, ...]) -> dict[str, str]:
    """Return the fields that say these phrases, to change what was said before."""
    fields = {}
    for phrase in phrases:
        entry = BOOK.get(phrase.code)
        if entry is not None:
            fields[f"p{phrase.code}"] = "1"
            fields |= {
                field_name(entry, name): _typed(value)
                for (name, _), value in zip(entry.params, phrase.values, strict=True)
            }
    return fields


def _phrase(entry: Entry, form: Mapping[str, str], function: SenderFunction) -> Phrase:
    if not may_say(entry, function):
        raise FormProblem(gettext("Whoever says this can't promise sentence %(code)s.", code=entry.code))
    values = tuple(_value(param, form.get(field_name(entry, name), "").strip()) for name, param in entry.params)
    phrase = Phrase(entry.code, values)
    try:
        check(phrase, entry)
    except ValueError as error:
        raise _wrong(entry.code) from error
    return phrase


def _wrong(code: int) -> FormProblem:
    return FormProblem(gettext("Fill in what belongs to sentence %(code)s. A time is 14:30 or +60.", code=code))


def _value(param: Param, typed: str) -> Value:
    """Read a value; what it can't be is left as text, which the check then refuses."""
    if param is Param.TIME:
        return _time(typed)
    if param is Param.WHO:
        return SenderFunction.__members__.get(typed, typed)
    if param is Param.REASON:
        return Reason.__members__.get(typed, typed)
    if param is Param.FREQUENCY:
        return _tenths(typed)
    if param is Param.DURATION and typed.isdecimal():
        minutes = int(typed)
        return minutes if minutes <= MINUTES_DIRECT_MAX else round(minutes / HALF_HOUR_MIN) * HALF_HOUR_MIN
    if param is Param.NUMBER and typed.isdecimal():
        return int(typed)
    return typed


def _time(typed: str) -> Value:
    clock, later = _CLOCK.fullmatch(typed), _LATER.fullmatch(typed)
    if clock and int(clock[1]) < DAY_HOURS and int(clock[2]) < HOUR_MIN:
        return Clock((int(clock[1]) * HOUR_MIN + int(clock[2])) // CLOCK_STEP_MIN * CLOCK_STEP_MIN)
    return After(-(-int(later[1]) // AFTER_STEP_MIN) * AFTER_STEP_MIN) if later else typed


def _tenths(typed: str) -> Value:
    try:
        return round(float(typed.replace(",", ".")) * 10)
    except (ValueError, OverflowError):
        return typed


def _typed(value: Value) -> str:
    match value:
        case Clock(minute):
            return f"{minute // HOUR_MIN}:{minute % HOUR_MIN:02}"
        case After(minutes):
            return f"+{minutes}"
        case SenderFunction() | Reason():
            return value.name
    return str(value)
