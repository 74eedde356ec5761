"""An announcement as fields of a form: what they hold at first, and what was typed in them. Pure."""

import math
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import TypeVar

from flask_babel import gettext, ngettext

from steunpunt.facts import Mark
from steunpunt.ledger.newsdesk import Told
from steunpunt.model import SITE_ID_MAX, TEXT_CHARS_MAX, PointState, SenderFunction
from steunpunt.protocol.announcements import (
    EXPIRES_MIN_MAX,
    SITES_MAX,
    Announcement,
    CapCategory,
    Certainty,
    MessageType,
    Severity,
    Urgency,
    pack_announcement,
)
from steunpunt.protocol.bits import SHORT_TEXT_BYTES_MAX
from steunpunt.protocol.news import frame_sizes
from steunpunt_ui.desk.sentences import not_allowed_words, read_slots, typed_again
from steunpunt_ui.desk.words import function_choices
from steunpunt_ui.texts import characters_over, clean, clean_line

ChoiceT = TypeVar("ChoiceT", bound=IntEnum)
SLOTS = 5
"""Most sentences that the form offers at once."""
EXPIRES_HOURS_DEFAULT = 24
EXPIRES_HOURS_MAX = EXPIRES_MIN_MAX // 60


class Purpose(StrEnum):
    """What a form is for, as the address names it."""

    SAY = "bericht"
    CHANGE = "wijzigen"
    WITHDRAW = "intrekken"
    COMMAND = "opdracht"

    @classmethod
    def of(cls, name: str) -> "Purpose":
        """Return the purpose of this name; any other is a new announcement."""
        return cls(name) if name in set(cls) else cls.SAY


class FormProblem(ValueError):
    """What was typed is no announcement yet; the text says what to do, in the reader's language."""


def starting_fields(purpose: Purpose, about: Told | None, *, exercise: bool = False) -> dict[str, str]:
    """Return what the form shows at first: sensible defaults, or what is to be changed or withdrawn.

    ``exercise``: one runs, so what is new begins as part of it.
    """
    fields = {
        "purpose": purpose.value,
        "function": SenderFunction.DUTY_OFFICER.name,
        "expires_h": str(EXPIRES_HOURS_DEFAULT),
        "urgency": Urgency.EXPECTED.name,
        "severity": Severity.MODERATE.name,
        "certainty": Certainty.LIKELY.name,
        "category": CapCategory.SAFETY.name,
        "exercise": "1" if exercise else "",
    }
    if about is None:
        return fields
    said = about.announcement
    fields |= {
        "function": said.function.name,
        "headline": said.headline,
        "urgency": said.urgency.name,
        "severity": said.severity.name,
        "certainty": said.certainty.name,
        "category": said.category.name,
        "exercise": "1" if said.mark is Mark.EXERCISE else "",
        "sites": " ".join(str(site) for site in said.sites),
    }
    if purpose is not Purpose.CHANGE:
        return fields
    return fields | {"text": said.text, "expires_h": str(_hours_left(about))} | typed_again(said.phrases)


def _hours_left(about: Told) -> int:
    """Return how many hours an announcement still holds, as the form counts them: whole ones, 0 for no end."""
    minutes = about.announcement.expires_min
    return max(math.ceil((minutes * 60 - about.age_s) / 3600), 1) if minutes else 0


def read_announcement(fields: Mapping[str, str], *, changes: bool) -> Announcement:
    """Return what a form says; FormProblem tells what is missing. ``changes``: it is about an earlier one."""
    function = SenderFunction.__members__.get(fields.get("function", ""))
    if function is None or function not in function_choices():
        raise FormProblem(gettext("Choose who says so."))
    purpose = Purpose.of(fields.get("purpose", ""))
    if purpose is Purpose.COMMAND:
        state = _choice(PointState, fields, "state")
        return Announcement(
            type=MessageType.POINT_STATE, function=function, state=state, sites=_sites(fields.get("sites", ""))
        )
    announcement = _words(fields, function, _kind(purpose, changes=changes))
    try:
        frame_sizes(len(pack_announcement(announcement)))
    except ValueError as error:
        raise FormProblem(gettext("Choose a sentence, or write a headline or text; and not too much.")) from error
    return announcement


def _words(fields: Mapping[str, str], function: SenderFunction, kind: MessageType) -> Announcement:
    headline, text = clean_line(fields.get("headline", "")), clean(fields.get("text", ""))
    _must_fit(headline, text)
    slots, phrases, unfit = read_slots(SLOTS, fields)
    refusals = dict.fromkeys(not_allowed_words(slot.code, function) for slot in slots if slot.code)
    if problems := [problem for problem in (*refusals, unfit) if problem]:
        raise FormProblem(" ".join(problems))
    return Announcement(
        type=kind,
        function=function,
        replaces=None if kind is MessageType.ALERT else 0,
        mark=Mark.EXERCISE if fields.get("exercise") else Mark.NONE,
        category=_choice(CapCategory, fields, "category"),
        urgency=_choice(Urgency, fields, "urgency"),
        severity=_choice(Severity, fields, "severity"),
        certainty=_choice(Certainty, fields, "certainty"),
        sites=_sites(fields.get("sites", "")),
        expires_min=_expires_min(fields.get("expires_h", "")),
        headline=headline,
        phrases=phrases,
        text=text,
    )


def _must_fit(headline: str, text: str) -> None:
    over = characters_over(headline, SHORT_TEXT_BYTES_MAX)
    if over:
        raise FormProblem(
            ngettext(
                "What is going on: %(num)d character too long.", "What is going on: %(num)d characters too long.", over
            )
        )
    over = max(len(text) - TEXT_CHARS_MAX, 0)
    if over:
        raise FormProblem(
            ngettext("The text is %(num)d character too long.", "The text is %(num)d characters too long.", over)
        )


def _kind(purpose: Purpose, *, changes: bool) -> MessageType:
    if not changes:
        return MessageType.ALERT
    return MessageType.CANCEL if purpose is Purpose.WITHDRAW else MessageType.UPDATE


def _choice(choices: type[ChoiceT], fields: Mapping[str, str], name: str) -> ChoiceT:
    found = choices.__members__.get(fields.get(name, ""))
    if found is None:
        raise FormProblem(gettext("Choose from each list."))
    return found


def _sites(typed: str) -> tuple[int, ...]:
    parts = typed.replace(",", " ").split()
    numbers = tuple(dict.fromkeys(int(p) for p in parts if p.isascii() and p.isdecimal() and len(p) <= len("65535")))
    if len(numbers) < len(set(parts)) or not all(0 < number <= SITE_ID_MAX for number in numbers):
        raise FormProblem(gettext("Write the points' numbers with spaces between them, or nothing for all."))
    if len(numbers) > SITES_MAX:
        raise FormProblem(gettext("At most %(most)s points, or nothing for all.", most=SITES_MAX))
    return numbers


def _expires_min(typed: str) -> int:
    hours = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) <= len("1000") else -1
    if not 0 <= hours <= EXPIRES_HOURS_MAX:
        raise FormProblem(
            gettext("Write after how many hours it ends: 0 to %(most)s; 0 is never.", most=EXPIRES_HOURS_MAX)
        )
    return hours * 60
