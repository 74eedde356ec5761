"""What every page of the citizen obeys: whether the point is closed, open or in exercise, and who looks at it.

The node tells the state; as long as it does not answer, the point counts as open: a form then keeps what is typed.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import g, make_response, render_template, request, url_for
from werkzeug.wrappers import Response

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt.facts import Mark
from steunpunt.model import PointState
from steunpunt_ui.citizen.keyboard import drawn_keyboard
from steunpunt_ui.citizen.lookup import tidy_number
from steunpunt_ui.content.serving import has_pages
from steunpunt_ui.context import client, config
from steunpunt_ui.languages import DEFAULT_LANGUAGE, language
from steunpunt_ui.portal import is_phone

NODE_AWAY = (Unreachable, NotKnownYet, Refused)
MARK_FIELD = "mark"
"""Hidden field of a form: what its page said of the request, an exercise or real."""
OTHER_POINTS_MAX = 3
"""Most other points that a closed one names; it cannot know whether they are open."""
REFRESH_S = 10
"""How often a page looks again without a script."""
_STILL, _DIGITS_MAX = "stil", 6
_FORM_MARKS = {"exercise": Mark.EXERCISE, "real": Mark.REAL}


@dataclass(frozen=True, slots=True)
class Idle:
    """When the screen of the point itself asks, and when it goes home; in seconds without a touch."""

    warning_s: int
    wipe_s: int
    home: str


def read_status() -> dict[str, Any] | None:
    """Return what the node says of itself, asked once a page; None when it does not answer."""
    if "status" not in g:
        try:
            g.status = client().call("status")
        except NODE_AWAY:
            g.status = None
    found: dict[str, Any] | None = g.status
    return found


def point_state() -> PointState:
    """Return the point's state, as far as is known."""
    return PointState.__members__.get((read_status() or {}).get("point_state", ""), PointState.OPEN)


def is_closed() -> bool:
    """Whether this point takes no requests now."""
    return point_state() is PointState.CLOSED


def form_mark() -> Mark:
    """Return what a form's page said of the request; for a new form what its page is going to say."""
    if request.method == "POST":
        said = "real" if request.form.get("do") == "real" else request.form.get(MARK_FIELD, "")
        return _FORM_MARKS.get(said, Mark.NONE)
    if point_state() is not PointState.EXERCISE:
        return Mark.NONE
    return Mark.REAL if request.args.get("echt") else Mark.EXERCISE


def show_closed() -> Response:
    """Return the page that stands where help would be asked while the point is closed."""
    return make_response(render_template("citizen/closed.html", reads=has_pages(read_status())), HTTPStatus.OK)


def page_words() -> dict[str, Any]:
    """Return what every page says besides its own: the state, and when it is cleared."""
    state = point_state()
    return {
        "closed": state is PointState.CLOSED,
        "exercise": state is PointState.EXERCISE,
        "mark_field": MARK_FIELD,
        "real_address": _real_address() if state is PointState.EXERCISE else "",
        "idle": None if is_phone() else _idle(),
        "keyboard": None if is_phone() else drawn_keyboard,
        "still": _still,
        "staff_door": _staff_door(),
        "other_points": config().point[:OTHER_POINTS_MAX] if state is PointState.CLOSED else (),
        "end": url_for("citizen.home", lang=language() if is_phone() else DEFAULT_LANGUAGE),
    }


def _real_address() -> str:
    return url_for("citizen.kinds", lang=language(), echt="1", bij=_number_here())


def _staff_door() -> bool:
    """Whether the staff's pages open from where this reader is."""
    staff = config().staff
    return staff is not None and (staff.over_wifi or not is_phone())


def _idle() -> Idle:
    kiosk = config().kiosk
    return Idle(kiosk.idle_warning_s, kiosk.idle_wipe_s, url_for("citizen.home", lang=DEFAULT_LANGUAGE))


def _still() -> str:
    """Return what a page that looks again by itself does next without a script, as a refresh says it.

    Each look adds to how long nobody went anywhere: without a script nothing else tells a touch.
    """
    typed = request.args.get(_STILL, "")
    still_s = REFRESH_S + (int(typed) if typed.isascii() and typed.isdigit() and len(typed) < _DIGITS_MAX else 0)
    if still_s >= config().kiosk.idle_wipe_s:
        return f"{REFRESH_S};url={url_for('citizen.home', lang=DEFAULT_LANGUAGE)}"
    kept = urlencode({name: value for name, value in request.args.items() if name != _STILL} | {_STILL: still_s})
    return f"{REFRESH_S};url={request.path}?{kept}"


def _number_here() -> str | None:
    """Return the number of the ticket that is on the screen: a real request that follows it names it."""
    return tidy_number(str((request.view_args or {}).get("number", ""))) or None
