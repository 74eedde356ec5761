"""Composing an answer: up to SLOTS sentences of the book, and free words beside them. Nothing here needs JavaScript."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import format_decimal, gettext, ngettext

from steunpunt.model import TEXT_CHARS_MAX, SenderFunction
from steunpunt.protocol.answerbody import pack_answer
from steunpunt.protocol.answers import ANSWER_PLAIN_BYTES_MAX
from steunpunt.protocol.cost import airtime_ms, frames_of_answer
from steunpunt.protocol.phrases import Phrase
from steunpunt.protocol.text import characters_beyond
from steunpunt_ui.desk.sentences import Slot, empty_slots, not_allowed_words, read_slots
from steunpunt_ui.desk.words import function_choices
from steunpunt_ui.texts import clean

SLOTS = 3
"""Most phrases that the form offers at once."""


@dataclass(frozen=True, slots=True)
class Composed:
    """An answer as it was typed; ``problem`` says why it cannot go yet."""

    function: SenderFunction | None
    text: str
    slots: tuple[Slot, ...]
    phrases: tuple[Phrase, ...] = ()
    problem: str = ""
    frames: tuple[bytes, ...] = ()
    """Packets as long as those that it will be sent in; none while there is nothing to send."""

    def cost_words(self, preset: str, others: int = 0) -> str:
        """Return what it takes of the air, by the same function as ``steunpunt airtime``; "" when nothing can go.

        ``others``: how many other cases get the same answer, each in packets of its own.
        """
        if not self.frames:
            return ""
        took_ms = airtime_ms(self.frames, preset)
        one = ngettext(
            "%(bytes)s bytes in %(num)d packet: %(seconds)s s on the air, each time it is sent over the radio.",
            "%(bytes)s bytes in %(num)d packets: %(seconds)s s on the air, each time they are sent over the radio.",
            len(self.frames),
            bytes=sum(map(len, self.frames)),
            seconds=format_decimal(took_ms / 1000, "0.0"),
        )
        if not others:
            return one
        together = format_decimal(took_ms * (others + 1) / 1000, "0.0")
        told = gettext("That is per case; %(num)s cases together: %(seconds)s s.", num=others + 1, seconds=together)
        return f"{one} {told}"


def compose(form: Mapping[str, str]) -> Composed:
    """Return the answer that a form holds, or what is still wrong with it."""
    function = SenderFunction.__members__.get(form.get("function", ""))
    function = function if function in function_choices() else None
    text = clean(form.get("text", ""))
    slots, phrases, unfit = read_slots(SLOTS, form)
    problem = " ".join(one for one in (*_refusals(function, text, slots), unfit) if one)
    frames: tuple[bytes, ...] = ()
    if not problem and function is not None:
        problem, frames = _frames(function, text, phrases)
    return Composed(function, text, slots, phrases, problem, frames)


def empty() -> Composed:
    """Return a form in which nothing was chosen."""
    return Composed(None, "", empty_slots(SLOTS))


def _refusals(function: SenderFunction | None, text: str, slots: tuple[Slot, ...]) -> list[str]:
    """Return all that is wrong, so that one look mends it."""
    codes = [slot.code for slot in slots if slot.code]
    refusals = [_length_problem(len(text) - TEXT_CHARS_MAX)]
    if not text and not codes:
        refusals.append(gettext("Choose a sentence, or write the answer first."))
    if function is None:
        return [gettext("Choose who answers."), *refusals]
    return [*dict.fromkeys(not_allowed_words(code, function) for code in codes), *refusals]


def _frames(function: SenderFunction, text: str, phrases: tuple[Phrase, ...]) -> tuple[str, tuple[bytes, ...]]:
    """Return an answer's packets, or why there are none."""
    try:
        return "", tuple(frames_of_answer(function, text, phrases))
    except ValueError:
        size = len(pack_answer(function, text, phrases))
        return _length_problem(characters_beyond(len(text), size, ANSWER_PLAIN_BYTES_MAX)), ()


def _length_problem(over: int) -> str:
    """Return by how many characters an answer is too long; "" when it fits."""
    if over <= 0:
        return ""
    return ngettext(
        "The answer is %(num)d character too long. Nothing was sent.",
        "The answer is %(num)d characters too long. Nothing was sent.",
        over,
    )
