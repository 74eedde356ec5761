"""Composing an answer: up to SLOTS sentences of the book, and free words beside them. Nothing here needs JavaScript."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import gettext, ngettext

from steunpunt.ledger.desk import ANSWER_PLAIN_BYTES_MAX
from steunpunt.model import SenderFunction
from steunpunt.protocol.airtime import private_app_lora_bytes, time_on_air_ms
from steunpunt.protocol.answerbody import pack_answer
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import Phrase, may_say
from steunpunt_ui.desk.sentences import Slot, empty_slots, not_allowed_words, read_slots
from steunpunt_ui.desk.words import function_choices
from steunpunt_ui.texts import clean

SLOTS = 3
"""Most phrases that the form offers at once."""
ANSWER_OVERHEAD_BYTES = 16


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
    slots, phrases, problem = read_slots(SLOTS, form)
    return Composed(function, text, slots, phrases, problem or _refusal(function, text, phrases))


def empty() -> Composed:
    """Return a form in which nothing was chosen."""
    return Composed(None, "", empty_slots(SLOTS))


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
