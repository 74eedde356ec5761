"""Composing an answer of phrases: up to SLOTS of them, each with its values typed below it, and free words beside them.

Nothing here needs JavaScript: a phrase that was chosen comes back with the fields it takes, and with its sentence.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask_babel import gettext, ngettext

from steunpunt.ledger.desk import ANSWER_PLAIN_BYTES_MAX
from steunpunt.model import SenderFunction
from steunpunt.protocol.airtime import private_app_lora_bytes, time_on_air_ms
from steunpunt.protocol.answerbody import pack_answer
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
from steunpunt_ui.texts import clean, clean_line

SLOTS = 3
"""Most phrases that the form offers at once."""
ANSWER_OVERHEAD_BYTES = 16
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


@dataclass(frozen=True, slots=True)
class Composed:
    """An answer as it was typed; ``problem`` says why it cannot go yet."""

    function: SenderFunction | None
    text: str
    slots: tuple[Slot, ...]
    phrases: tuple[Phrase, ...] = ()
    problem: str = ""

    @property
    def sends_bytes(self) -> int:
        """Bytes of its packet, 0 when there is nothing to send yet."""
        if self.problem or self.function is None:
            return 0
        return ANSWER_OVERHEAD_BYTES + len(pack_answer(self.function, self.text, self.phrases))

    def airtime_ms(self, preset: str) -> int:
        """Milliseconds of its packet on the air, each time it is sent."""
        return round(time_on_air_ms(preset, private_app_lora_bytes(self.sends_bytes))) if self.sends_bytes else 0


def compose(form: Mapping[str, str]) -> Composed:
    """Return the answer that a form holds, or what is still wrong with it."""
    function = SenderFunction.__members__.get(form.get("function", ""))
    function = function if function in function_choices() else None
    text = clean(form.get("text", ""))
    slots, phrases, problems = [], [], []
    for place in range(1, SLOTS + 1):
        slot, phrase, problem = _read_slot(f"p{place}", form)
        slots.append(slot)
        problems.append(problem)
        if phrase is not None:
            phrases.append(phrase)
    problem = next((problem for problem in problems if problem), "") or _refusal(function, text, tuple(phrases))
    return Composed(function, text, tuple(slots), tuple(phrases), problem)


def empty() -> Composed:
    """Return a form in which nothing was chosen."""
    return Composed(None, "", tuple(Slot(f"p{place}", 0) for place in range(1, SLOTS + 1)))


def menu() -> list[tuple[str, list[tuple[int, str]]]]:
    """Return the phrases to choose from by what they are for, their values as dots."""
    titles = {
        Kind.ANSWER: gettext("What we do, or can't do"),
        Kind.INSTRUCTION: gettext("What to do now"),
        Kind.QUESTION: gettext("Questions, answered with a tap"),
        Kind.ANNOUNCEMENT: gettext("What is going on"),
    }
    sentences = SENTENCES[language()]
    return [
        (title, [(code, _dotted(sentences[code], entry)) for code, entry in BOOK.items() if entry.kind is kind])
        for kind, title in titles.items()
    ]


def not_allowed_words(phrase: Phrase, function: SenderFunction) -> str:
    """Return why this function may not say this phrase, and who may."""
    names = function_choices()
    allowed = ", ".join(names[who] for who in names if may_say(BOOK[phrase.code], who))
    return gettext(
        "%(who)s may not promise this: “%(sentence)s” Only: %(allowed)s. Choose who answers, or another sentence.",
        who=names[function],
        sentence=_dotted(SENTENCES[language()][phrase.code], BOOK[phrase.code]),
        allowed=allowed,
    )


def preview(phrase: Phrase) -> list[str]:
    """Return a phrase as the citizen reads it, with what can be tapped under it."""
    return [render(phrase, language()), *(f"[{option}]" for option in options(BOOK[phrase.code], language()))]


def language_names() -> dict[str, str]:
    """Return the languages that citizens read, each by its own name."""
    return {code: words.name for code, words in WORDS.items()}


def _refusal(function: SenderFunction | None, text: str, phrases: tuple[Phrase, ...]) -> str:
    if function is None:
        return gettext("Choose who answers.")
    if not text and not phrases:
        return gettext("Choose a sentence, or write the answer first.")
    for phrase in phrases:
        if not may_say(BOOK[phrase.code], function):
            return not_allowed_words(phrase, function)
    return _length_problem(len(pack_answer(function, text, phrases)) - ANSWER_PLAIN_BYTES_MAX, text)


def _length_problem(over_bytes: int, text: str) -> str:
    """Return by how many characters an answer is too long, as far as bytes tell; "" when it fits."""
    if over_bytes <= 0:
        return ""
    over = max(-(-over_bytes * len(text) // max(len(text.encode()), 1)), 1)
    return ngettext(
        "The answer is %(num)d character too long. Nothing was sent.",
        "The answer is %(num)d characters too long. Nothing was sent.",
        over,
    )


def _dotted(sentence: str, entry: Entry) -> str:
    return sentence.format(**{name: "…" for name, _ in entry.params})


def _read_slot(name: str, form: Mapping[str, str]) -> tuple[Slot, Phrase | None, str]:
    """Return a slot with its fields, its phrase when that is whole, and what is wrong with it."""
    chosen = form.get(name, "")
    code = int(chosen) if chosen.isascii() and chosen.isdigit() else 0
    entry = BOOK.get(code)
    if entry is None:
        return Slot(name, 0), None, ""
    fields = tuple(_field(f"{name}_{param_name}", param, form) for param_name, param in entry.params)
    values = []
    for field, (_, param) in zip(fields, entry.params, strict=True):
        value = _READ[param](field.typed)
        if value is None:
            problem = gettext("Fill in what the sentence needs: %(what)s. %(hint)s", what=field.label, hint=field.hint)
            return Slot(name, code, fields), None, problem
        values.append(value)
    phrase = Phrase(code, tuple(values))
    try:
        check(phrase, entry)
    except ValueError:
        return Slot(name, code, fields), None, gettext("A value is too long or too large for the radio. Shorten it.")
    return Slot(name, code, fields, "\n".join(preview(phrase))), phrase, ""


def _field(name: str, param: Param, form: Mapping[str, str]) -> Field:
    labels = {
        Param.PLACE: (gettext("place"), gettext("In a few words.")),
        Param.ADDRESS: (gettext("address"), gettext("In a few words.")),
        Param.TIME: (gettext("time"), gettext("A time such as 14:30, or a number of minutes from now such as 40.")),
        Param.WHO: (gettext("who says so"), ""),
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
