"""A piece of news as the screen says it: what, what to do, who says so, how old, and whether it still holds."""

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext, ngettext

from steunpunt.facts import Mark
from steunpunt.protocol.answerbody import unpack_phrases
from steunpunt.protocol.phrasebook import render_all
from steunpunt.protocol.phrases import Phrase
from steunpunt_ui.ages import HOUR_S, MINUTE_S, ago
from steunpunt_ui.citizen.states import function_words, notes_on
from steunpunt_ui.languages import language

PAST = ("superseded", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class NewsView:
    """A piece of news as the screen says it."""

    headline: str
    lines: tuple[str, ...]
    text: str
    by: str
    age: str
    ends: str
    note: str
    """What the reader must know before believing it; "" when it is confirmed."""
    notes: tuple[str, ...]
    """What is unchecked, not approved or not read here of its words."""
    kind: str
    """``confirmed``, ``unconfirmed``, ``stale``, or ``past``."""
    exercise: bool


def view_of(one: dict[str, Any]) -> NewsView:
    """Return one piece of news in the reader's language."""
    standing, phrases = str(one["standing"]), _phrases(one)
    return NewsView(
        headline=one["headline"] or _headline(one, standing),
        lines=tuple(render_all(phrases, language(), age_min=one["age_s"] // MINUTE_S).splitlines()),
        text=one["text"],
        by=function_words(one["function"]),
        age=ago(one["age_s"], at_least=one["age_at_least"]),
        # A withdrawal's end is no end of what it withdraws: "holds for 23 hours" under it would be read so.
        ends="" if one["type"] == "CANCEL" else _ends(one["left_s"]),
        note=_note(one, standing),
        notes=notes_on(phrases) + _unread(one),
        kind="past" if standing in PAST else standing,
        exercise=one["mark"] == Mark.EXERCISE.name,
    )


def _headline(one: dict[str, Any], standing: str) -> str:
    if one["type"] == "CANCEL" and standing not in PAST:
        return gettext("An earlier announcement has been withdrawn.")
    return gettext("Announcement")


def _phrases(one: dict[str, Any]) -> tuple[Phrase, ...]:
    return unpack_phrases(bytes.fromhex(one["phrases"]))[0] if one["phrases"] else ()


def _unread(one: dict[str, Any]) -> tuple[str, ...]:
    return (gettext("This point can't read all of this announcement. Ask the staff."),) if one["newer"] else ()


def _ends(left_s: int | None) -> str:
    if left_s is None:
        return ""
    if left_s < 2 * HOUR_S:
        return ngettext("Ends in %(num)d minute.", "Ends in %(num)d minutes.", max(left_s // MINUTE_S, 1))
    return ngettext("Ends in %(num)d hour.", "Ends in %(num)d hours.", left_s // HOUR_S)


def _note(one: dict[str, Any], standing: str) -> str:
    notes = {
        "unconfirmed": gettext("Not confirmed. We don't know yet whether this still holds: it may be old."),
        "stale": gettext("This was right. We have not heard for long whether it still holds."),
        "cancelled": gettext("Withdrawn. This no longer holds."),
        "expired": gettext("Ended. This no longer holds."),
    }
    told = notes.get(standing, "")
    return _withdrawal_note(standing, told) if one["type"] == "CANCEL" else told


def _withdrawal_note(standing: str, told: str) -> str:
    """Return the note of a withdrawal: its words are often those of what it withdraws, so it always says what it is."""
    if standing == "unconfirmed":
        return gettext("Withdrawn, according to an announcement that is not confirmed.")
    withdrawn = gettext("Withdrawn: what was said about this before no longer holds.")
    if standing == "stale":
        return f"{withdrawn} {told}"
    return told if standing == "cancelled" else withdrawn
