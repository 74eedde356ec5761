"""The waiting board for a second screen in the hall: numbers and how far each is. Nothing of what was asked."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from flask import Response, render_template, url_for

from steunpunt_ui.ages import ago
from steunpunt_ui.citizen.pointstate import NODE_AWAY, point_state
from steunpunt_ui.citizen.states import board_words
from steunpunt_ui.citizen.topnews import announcement_mark
from steunpunt_ui.context import client


@dataclass(frozen=True, slots=True)
class BoardLine:
    """A number, how far it is in words, and since when; ``answered``: to be called out."""

    number: str
    says: str
    ago: str
    answered: bool


def show() -> str:
    """Show the board. It stays on the screen: nothing on it belongs to one person."""
    told = _told()
    return render_template(
        "citizen/board.html",
        lines=_lines(told),
        more=int((told or {}).get("more", 0)),
        away=told is None,
        idle=None,
        mark=_mark(told),
        poll=url_for("citizen.board_mark"),
    )


def show_mark() -> Response:
    """Return a fingerprint of the board, for polling."""
    return Response(_mark(_told()), mimetype="text/plain")


def _told() -> dict[str, Any] | None:
    try:
        return client().call("board")
    except NODE_AWAY:
        return None


def _lines(told: dict[str, Any] | None) -> list[BoardLine]:
    lines = (told or {}).get("lines", [])
    return [
        BoardLine(one["number"], board_words(one["state"]), ago(one["age_s"]), one["state"] == "ANSWERED")
        for one in lines
    ]


def _mark(told: dict[str, Any] | None) -> str:
    lines = None if told is None else [[asdict(line) for line in _lines(told)], told.get("more")]
    return hashlib.sha256(json.dumps([lines, point_state().name, announcement_mark()]).encode()).hexdigest()[:16]
