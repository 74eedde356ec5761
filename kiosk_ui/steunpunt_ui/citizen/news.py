"""What is going on: announcements of the coordinators, each with who says so, how old it is and whether it holds."""

from dataclasses import dataclass
from typing import Any

from flask import render_template
from flask_babel import gettext

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt.facts import Mark
from steunpunt.model import FrameError
from steunpunt.protocol.answerbody import unpack_phrases
from steunpunt.protocol.phrasebook import render_all
from steunpunt_ui.ages import HOUR_S, MINUTE_S, ago
from steunpunt_ui.citizen.states import function_words
from steunpunt_ui.context import client
from steunpunt_ui.languages import language

_NODE_AWAY = (Unreachable, NotKnownYet, Refused)
_PAST = ("superseded", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class NewsView:
    """A piece of news as the screen says it."""

    headline: str
    lines: list[str]
    text: str
    by: str
    age: str
    ends: str
    note: str
    """What the reader must know before believing it; "" when it is confirmed."""
    kind: str
    """``confirmed``, ``unconfirmed``, ``stale``, or ``past``."""
    exercise: bool


def show() -> str:
    """Show what is going on; without an answer of the node, say so."""
    try:
        found = client().call("news")["news"]
    except _NODE_AWAY:
        return render_template("citizen/news.html", away=True, now=[], past=[])
    views = [view_of(one) for one in found if one["standing"] != "superseded"]
    now = [view for view in views if view.kind != "past"]
    return render_template("citizen/news.html", away=False, now=now, past=[v for v in views if v.kind == "past"])


def view_of(one: dict[str, Any]) -> NewsView:
    """Return one piece of news in the reader's language."""
    standing = str(one["standing"])
    if one["type"] == "CANCEL" and standing not in _PAST:
        headline = one["headline"] or gettext("An earlier announcement has been withdrawn.")
    else:
        headline = one["headline"] or gettext("Announcement")
    return NewsView(
        headline=headline,
        lines=_lines(one),
        text=one["text"],
        by=function_words(one["function"]),
        age=ago(one["age_s"], at_least=one["age_at_least"]),
        ends=_ends(one["left_s"]),
        note=_note(one, standing),
        kind="past" if standing in _PAST else standing,
        exercise=one["mark"] == Mark.EXERCISE.name,
    )


def _lines(one: dict[str, Any]) -> list[str]:
    try:
        phrases, _ = unpack_phrases(bytes.fromhex(one["phrases"])) if one["phrases"] else ((), "")
    except (FrameError, ValueError):
        return []
    return render_all(phrases, language(), age_min=one["age_s"] // MINUTE_S).splitlines()


def _ends(left_s: int | None) -> str:
    if left_s is None:
        return ""
    if left_s < 2 * HOUR_S:
        return gettext("Holds for another %(minutes)s minutes.", minutes=left_s // MINUTE_S)
    return gettext("Holds for another %(hours)s hours.", hours=left_s // HOUR_S)


def _note(one: dict[str, Any], standing: str) -> str:
    notes = {
        "unconfirmed": gettext("Not confirmed. We don't know yet whether this still holds: it may be old."),
        "stale": gettext("This was right. We have not heard for long whether it still holds."),
        "cancelled": gettext("Withdrawn. This no longer holds."),
        "expired": gettext("Ended. This no longer holds."),
    }
    told = notes.get(standing, "")
    if one["type"] == "CANCEL" and standing == "confirmed":
        told = gettext("Withdrawn: what was said about this before no longer holds.")
    return told
