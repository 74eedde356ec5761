"""Phrases: whole sentences that travel as a number and a few values, and are read in the reader's own language.

This module knows what each phrase needs and who may say it, not its words: those are in
:mod:`steunpunt.protocol.phrasebook`. A number never changes meaning. Numbers from 128 on are of later versions: they
bring the size of their values along, so that who does not know one can skip it and say so.
"""

from collections.abc import Callable, Iterable
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from msgspec import Struct

from steunpunt.model import FrameError, SenderFunction
from steunpunt.protocol.bits import SHORT_TEXT_BYTES_MAX, BitReader, BitWriter
from steunpunt.protocol.factcodec import is_phone, put_phone, take_phone

PHRASES_MAX = 7
"""Most phrases in one answer or announcement."""
CODE_NEWER_MIN = 128
NUMBER_MAX = 15_000
MINUTES_DIRECT_MAX = 63
HALF_HOUR_MIN = 30
DURATION_MIN_MAX = 511 * HALF_HOUR_MIN
CLOCK_STEP_MIN, AFTER_STEP_MIN = 10, 5
AFTER_MIN_MAX = 255 * AFTER_STEP_MIN
FM_FIRST, FM_LAST = 875, 1080
"""FM frequencies in tenths of a megahertz."""
PHONE_DIGITS_MAX = 20
_NUMBER_WIDTHS = (4, 7, 10, 14)
_DAY_MIN = 24 * 60


class Param(StrEnum):
    """What kind of value a phrase takes. The names are those in the sentences' braces, up to a digit."""

    PLACE = "place"
    ADDRESS = "address"
    TIME = "time"
    WHO = "who"
    NUMBER = "number"
    DURATION = "duration"
    REASON = "reason"
    FREQUENCY = "frequency"
    PHONE = "phone"


class Reason(IntEnum):
    """Why something cannot be done now; four bits on the air."""

    NOT_KNOWN = 0
    NO_CREW = 1
    ROAD_BLOCKED = 2
    TOO_DANGEROUS = 3
    NO_SUPPLIES = 4
    NO_POWER = 5
    NO_CONTACT = 6
    DANGER_FIRST = 7
    WATER = 8
    FIRE = 9
    TREES = 10
    WEATHER = 11


class Kind(StrEnum):
    """What a phrase is for."""

    ANSWER = "answer"
    INSTRUCTION = "instruction"
    QUESTION = "question"
    ANNOUNCEMENT = "announcement"


class Form(StrEnum):
    """How a question is answered by a tap."""

    YES_NO = "yes_no"
    NUMBER = "number"
    CHOICE = "choice"


class Clock(Struct, frozen=True):
    """A time of day, in minutes after midnight, in steps of ten."""

    minute: int


class After(Struct, frozen=True):
    """So many minutes after it was written, in steps of five."""

    minutes: int


Value = str | int | Clock | After | SenderFunction | Reason
"""A place, address or phone number; a number, minutes, or tenths of a megahertz; a time; who; why."""


class Phrase(Struct, frozen=True):
    """One phrase as it is said, with its values in the order of the book; of a later version: with none."""

    code: int
    values: tuple[Value, ...] = ()

    @property
    def known(self) -> bool:
        """Return whether this version has words for it."""
        return self.code < CODE_NEWER_MIN


class Entry(Struct, frozen=True):
    """What the book says of a phrase. ``medical``: the words need a doctor's approval."""

    code: int
    kind: Kind
    params: tuple[tuple[str, Param], ...]
    by: frozenset[SenderFunction]
    medical: bool = False
    form: Form | None = None
    options: int = 0
    """Of a choice: how many to tap, counted from 0."""


def may_say(entry: Entry, function: SenderFunction) -> bool:
    """Return whether somebody in this function may promise what the phrase says."""
    return function in entry.by


def check(phrase: Phrase, entry: Entry) -> None:
    """Raise ValueError unless the values are those that the phrase takes, and can travel."""
    if len(phrase.values) != len(entry.params):
        raise ValueError(f"phrase {phrase.code} takes {len(entry.params)} values, not {len(phrase.values)}")
    for (name, param), value in zip(entry.params, phrase.values, strict=True):
        if not _WAYS[param].fits(value):
            raise ValueError(f"phrase {phrase.code}: {value!r} is no {param} for {name}")


def put_phrases(writer: BitWriter, phrases: Iterable[Phrase], book: dict[int, Entry]) -> None:
    """Write phrases: their count in 3 bits; each its code in 8, then its values. ValueError for one that is wrong."""
    said = tuple(phrases)
    if len(said) > PHRASES_MAX:
        raise ValueError(f"{len(said)} phrases; at most {PHRASES_MAX} at once")
    writer.put(len(said), 3)
    for phrase in said:
        entry = book.get(phrase.code)
        if entry is None:
            raise ValueError(f"there is no phrase {phrase.code}")
        check(phrase, entry)
        writer.put(phrase.code, 8)
        for (_, param), value in zip(entry.params, phrase.values, strict=True):
            _WAYS[param].put(writer, value)


def take_phrases(reader: BitReader, book: dict[int, Entry]) -> tuple[Phrase, ...]:
    """Read phrases; those of later versions come without values. FrameError for what makes no sense."""
    return tuple(_take_phrase(reader, book) for _ in range(reader.take(3)))


def _take_phrase(reader: BitReader, book: dict[int, Entry]) -> Phrase:
    code = reader.take(8)
    if code >= CODE_NEWER_MIN:
        reader.octets(reader.take(8))
        return Phrase(code)
    entry = book.get(code)
    if entry is None:
        raise FrameError(f"there is no phrase {code}")
    phrase = Phrase(code, tuple(_WAYS[param].take(reader) for _, param in entry.params))
    try:
        check(phrase, entry)
    except ValueError as error:
        raise FrameError(str(error)) from error
    return phrase


# --- values -------------------------------------------------------------------------------------------------------


class _Way(NamedTuple):
    """How a kind of value travels: which fit, how they are written and read."""

    fits: Callable[[Any], bool]
    put: Callable[[BitWriter, Any], None]
    take: Callable[[BitReader], Value]


def _is_words(value: Any) -> bool:  # noqa: ANN401  a value of any kind is looked at
    return isinstance(value, str) and 0 < len(value.encode(errors="replace")) <= SHORT_TEXT_BYTES_MAX


def _is_phone(value: Any) -> bool:  # noqa: ANN401  a value of any kind is looked at
    return isinstance(value, str) and is_phone(value) and len(value) <= PHONE_DIGITS_MAX


def _is_time(value: Any) -> bool:  # noqa: ANN401  a value of any kind is looked at
    if isinstance(value, Clock):
        return 0 <= value.minute < _DAY_MIN and value.minute % CLOCK_STEP_MIN == 0
    return isinstance(value, After) and 0 <= value.minutes <= AFTER_MIN_MAX and value.minutes % AFTER_STEP_MIN == 0


def _is_number(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _is_duration(value: Any) -> bool:  # noqa: ANN401  a value of any kind is looked at
    if type(value) is not int or not 0 <= value <= DURATION_MIN_MAX:
        return False
    return value <= MINUTES_DIRECT_MAX or value % HALF_HOUR_MIN == 0


def _put_time(writer: BitWriter, value: Clock | After) -> None:
    writer.flag(isinstance(value, Clock))
    writer.put(value.minute // CLOCK_STEP_MIN if isinstance(value, Clock) else value.minutes // AFTER_STEP_MIN, 8)


def _take_time(reader: BitReader) -> Clock | After:
    return Clock(reader.take(8) * CLOCK_STEP_MIN) if reader.flag() else After(reader.take(8) * AFTER_STEP_MIN)


def _put_duration(writer: BitWriter, value: int) -> None:
    direct = value <= MINUTES_DIRECT_MAX
    writer.flag(not direct)
    writer.put(value if direct else value // HALF_HOUR_MIN, 6 if direct else 9)


def _take_duration(reader: BitReader) -> int:
    return reader.take(9) * HALF_HOUR_MIN if reader.flag() else reader.take(6)


def _take_who(reader: BitReader) -> SenderFunction:
    number = reader.take(4)
    return SenderFunction(number) if number in set(SenderFunction) else SenderFunction.OTHER


def _take_reason(reader: BitReader) -> Reason:
    number = reader.take(4)
    return Reason(number) if number in set(Reason) else Reason.NOT_KNOWN


_WORDS = _Way(_is_words, BitWriter.short_text, BitReader.short_text)
_WAYS: dict[Param, _Way] = {
    Param.PLACE: _WORDS,
    Param.ADDRESS: _WORDS,
    Param.PHONE: _Way(_is_phone, put_phone, take_phone),
    Param.TIME: _Way(_is_time, _put_time, _take_time),
    Param.WHO: _Way(
        lambda value: isinstance(value, SenderFunction), lambda writer, value: writer.put(value, 4), _take_who
    ),
    Param.REASON: _Way(
        lambda value: isinstance(value, Reason), lambda writer, value: writer.put(value, 4), _take_reason
    ),
    Param.NUMBER: _Way(
        _is_number(0, NUMBER_MAX),
        lambda writer, value: writer.ranged(value, _NUMBER_WIDTHS),
        lambda reader: reader.ranged(_NUMBER_WIDTHS),
    ),
    Param.DURATION: _Way(_is_duration, _put_duration, _take_duration),
    Param.FREQUENCY: _Way(
        _is_number(FM_FIRST, FM_LAST),
        lambda writer, value: writer.put(value - FM_FIRST, 8),
        lambda reader: FM_FIRST + reader.take(8),
    ),
}
