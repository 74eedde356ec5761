"""Into the staff's pages with the PIN, and out of them. The node looks at the PIN and keeps the sessions.

The PIN is typed on keys of the page itself: the point's screen has no keyboard. Whoever sends a form after the
session ended types the PIN again, and the form goes on with all that was in it.
"""

from http import HTTPStatus
from typing import Any

from flask import abort, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt_ui.context import client, config
from steunpunt_ui.languages import DEFAULT_LANGUAGE
from steunpunt_ui.portal import is_phone

COOKIE = "staf"
IDLE_S_MAX = 300
"""The node's own limit: a page that nobody touched for so long leaves by itself."""
IDLE_WARNING_S = 240
PIN_CHARACTERS_MAX = 12
_KEYS = ("pin", "d", "enter")
"""Fields of the PIN's own form; all others are of the form that waits for it."""


def require_pin() -> AnyResponse | None:
    """Let only those pass who are logged in; others see the PIN page first."""
    g.lang = DEFAULT_LANGUAGE
    if is_phone() and not _over_wifi():
        abort(HTTPStatus.NOT_FOUND)
    if request.endpoint in {"staff.login", "staff.leave"} or _is_in(request.cookies.get(COOKIE, "")):
        return None
    if request.method != "POST":
        return redirect(url_for("staff.login"), 303)
    return _enter(request.path)


def log_in() -> AnyResponse:
    """Show the PIN page, take a digit, or try the PIN."""
    if request.method == "POST":
        return _enter(url_for("staff.login")) or redirect(url_for("staff.menu"), 303)
    return make_response(_page("", "", url_for("staff.login")))


def leave() -> AnyResponse:
    """End the session. By GET too: a page that nobody touches leaves so, and no other site can ask for it."""
    session = request.cookies.get(COOKIE, "")
    if session:
        _ask("staff_logout", session=session)
    g.new_session = ""
    response = redirect(url_for("citizen.home", lang=DEFAULT_LANGUAGE), 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict", path="/staf")
    return response


def keep_session(response: AnyResponse) -> AnyResponse:
    """Give the browser the session that this request began."""
    session = g.get("new_session", "")
    if session:
        # Not "secure": the pages are served without TLS, to the point's own screen.
        response.set_cookie(COOKIE, session, httponly=True, samesite="Strict", path="/staf")
    return response


def session() -> str:
    """Return the session of this request, for what is asked of the node."""
    return str(g.get("new_session") or request.cookies.get(COOKIE, ""))


def page_words() -> dict[str, Any]:
    """Return what every page of the staff shows: the point's state, and when the page leaves by itself."""
    return {"staff": g.get("staff"), "idle_s": IDLE_S_MAX, "idle_warning_s": IDLE_WARNING_S}


def _over_wifi() -> bool:
    staff = config().staff
    return staff is not None and staff.over_wifi


def _is_in(session: str) -> bool:
    g.staff = _ask("staff_check", session=session) if session else None
    return g.staff is not None


def _ask(op: str, **fields: object) -> dict[str, Any] | None:
    """Ask the node; None when it says no or does not answer: nobody is let in by a silence."""
    try:
        return client().call(op, **fields)
    except (Refused, Unreachable, NotKnownYet):
        return None


def _enter(action: str) -> AnyResponse | None:
    """Take the next step of the PIN's form: the page again, or None when the PIN was right."""
    typed = request.form.get("pin", "")[:PIN_CHARACTERS_MAX]
    key = request.form.get("d", "")
    if "pin" not in request.form:
        problem = gettext("You have been logged out. Type the PIN again; nothing of what you filled in is gone.")
        return _refuse(problem, HTTPStatus.FORBIDDEN, action)
    if key:
        typed = "" if key == "c" else typed + key if key.isascii() and key.isdecimal() and len(key) == 1 else typed
        return make_response(_page("", typed[:PIN_CHARACTERS_MAX], action))
    try:
        reply = client().call("staff_login", pin=typed, road="wifi" if is_phone() else "screen")
    except Refused as refusal:
        return _refused(refusal, action)
    except (Unreachable, NotKnownYet):
        problem = gettext("This device can't look at the PIN now. Try again in a minute.")
        return _refuse(problem, HTTPStatus.SERVICE_UNAVAILABLE, action)
    g.new_session = str(reply["session"])
    if not _is_in(g.new_session):
        abort(HTTPStatus.SERVICE_UNAVAILABLE)
    return None


def _refused(refusal: Refused, action: str) -> AnyResponse:
    if refusal.code == "too_many":
        wait_s = int(refusal.body.get("wait_s", 0))
        problem = gettext("Too many wrong PINs. Wait %(seconds)s seconds.", seconds=wait_s)
        response = _refuse(problem, HTTPStatus.TOO_MANY_REQUESTS, action)
        response.headers["Retry-After"] = str(wait_s)
        return response
    if refusal.code == "pin_file":
        problem = gettext("The PIN of this point can't be used. A technician sees why in the log.")
        return _refuse(problem, HTTPStatus.SERVICE_UNAVAILABLE, action)
    return _refuse(gettext("The PIN is wrong."), HTTPStatus.FORBIDDEN, action)


def _refuse(problem: str, status: int, action: str) -> AnyResponse:
    return make_response(_page(problem, "", action), status)


def _page(problem: str, typed: str, action: str) -> str:
    waiting = [(name, value) for name, value in request.form.items(multi=True) if name not in _KEYS]
    return render_template("staff/login.html", problem=problem, typed=typed, action=action, waiting=waiting)
