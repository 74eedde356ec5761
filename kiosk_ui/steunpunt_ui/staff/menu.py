"""What staff can do at a point, the ticket to hand out, and the point's state with who set it and when."""

import ipaddress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import segno
from flask import abort, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt.model import PointState
from steunpunt_ui.ages import ago
from steunpunt_ui.citizen.lookup import tidy_number, tidy_secret
from steunpunt_ui.citizen.swapboard import swapboard
from steunpunt_ui.context import client, config
from steunpunt_ui.staff.entry import session


@dataclass(frozen=True, slots=True)
class StateView:
    """The point's state in words: what it means for who comes in, and who set it."""

    state: PointState
    title: str
    meaning: str
    by: str


def show() -> str:
    """Show what can be done here."""
    board = swapboard()
    return render_template("staff/menu.html", now=state_view(g.staff), waiting=len(board.waiting()) if board else 0)


def set_point() -> AnyResponse | str:
    """Show the point's state; ask whether it is right; set it."""
    now = state_view(g.staff)
    if request.method != "POST":
        return render_template("staff/point.html", now=now, choices=_choices(now.state), wanted=None, problem="")
    wanted = PointState.__members__.get(request.form.get("state", ""))
    if wanted is None or request.form.get("do") != "set":
        choices = _choices(now.state)
        view = None if wanted is None else _words_of(wanted, "")
        return render_template("staff/point.html", now=now, choices=choices, wanted=view, problem="")
    try:
        client().call("set_point_state", session=session(), state=wanted.name)
    except (Refused, Unreachable, NotKnownYet):
        problem = gettext("We don't know whether the point has been changed. Look at the state above, and try again.")
        body = render_template(
            "staff/point.html", now=now, choices=_choices(now.state), wanted=_words_of(wanted, ""), problem=problem
        )
        return make_response(body, HTTPStatus.SERVICE_UNAVAILABLE)
    return redirect(url_for("staff.point"), 303)


def show_handout(number: str, secret: str) -> str:
    """Show the ticket to hand out or to have photographed: number, code, and both as a QR code."""
    tidy, half = tidy_number(number), tidy_secret(secret)
    if not tidy or not half:
        abort(HTTPStatus.NOT_FOUND)
    return render_template(
        "staff/handout.html", number=tidy, secret=half, qr=_qr(tidy, half), typed=request.args.get("typed")
    )


def state_view(told: dict[str, Any]) -> StateView:
    """Return the point's state as the node told it."""
    state = PointState.__members__.get(str(told.get("state")), PointState.OPEN)
    age_s = told.get("age_s")
    when = ago(int(age_s), at_least=bool(told.get("age_at_least"))) if age_s is not None else ""
    by = {
        "staff": gettext("Set here with the PIN, %(ago)s.", ago=when),
        "coordinator": gettext("Set by %(station)s, %(ago)s.", station=config().region.coordinator_name, ago=when),
        "region": gettext(
            "The card of this point is revoked, %(ago)s. Call the technician: only a new card opens it.", ago=when
        ),
    }.get(str(told.get("by")), gettext("Nobody has set this yet."))
    return _words_of(state, by)


def _words_of(state: PointState, by: str) -> StateView:
    title, meaning = {
        PointState.OPEN: (gettext("open"), gettext("People can ask for help here.")),
        PointState.CLOSED: (
            gettext("closed"),
            gettext("Nobody can ask for help here. The screens send people to 112 and to %(address)s.")
            % {"address": config().region.fallback_address},
        ),
        PointState.EXERCISE: (
            gettext("exercise"),
            gettext("Every screen says that this is an exercise, and has a way to real help."),
        ),
    }[state]
    return StateView(state, title, meaning, by)


def _choices(now: PointState) -> list[StateView]:
    order = (PointState.OPEN, PointState.CLOSED, PointState.EXERCISE)
    return [_words_of(state, "") for state in order if state is not now]


def _qr(number: str, secret: str) -> Markup:
    """Return the ticket's address as a QR code; plain words where a phone could not reach that address."""
    host = request.host.rpartition(":")[0] or request.host
    try:
        own = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        own = host == "localhost"
    hotspot = config().web.hotspot_address
    path = url_for("citizen.ticket", lang="nl", number=number, secret=secret)
    if not own:
        content = request.host_url.rstrip("/") + path
    elif hotspot is not None:
        content = f"http://{hotspot}{path}"
    else:
        content = f"{config().site.name}\n{number}\n{secret}"
    return Markup(segno.make_qr(content, error="m").svg_inline(border=2, omitsize=True, dark="#000"))  # noqa: S704  by segno
