"""Logging in at the desk with a name and a password."""

import logging
import re
from http import HTTPStatus

from flask import abort, current_app, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from steunpunt.model import KeyFileError, LedgerError
from steunpunt_ui.context import config
from steunpunt_ui.desk.opening import desk, ring_bell
from steunpunt_ui.desk.passwords import NAME_CHARACTERS_MAX, verify_person
from steunpunt_ui.desk.sessions import WRONG_TRIES_S, Limiter, Person, Sessions
from steunpunt_ui.pages import Page

COOKIE = "desk"
TYPED_CHARACTERS_MAX = 16 * 1024
"""Most of a form that is shown again to be copied; the codes of one long request on paper are 5,100 characters."""
_BACK = re.compile(r"/desk/(?:melding/[0-9]{1,18}|papier|berichten)")
"""Where one may go on after logging in: a page that only shows."""
_WRITING = frozenset({"desk.act", "desk.announce", "desk.paper"})
"""What has words in it that somebody typed, or a press that was meant."""
_log = logging.getLogger(__name__)


def require_login() -> Response | None:
    """Let only people who are logged in pass; others see the login page first."""
    g.person = _sessions().find(request.cookies.get(COOKIE, ""))
    if g.person is not None or request.endpoint == "desk.login":
        return None
    if request.endpoint in {"desk.list_part", "desk.case_mark", "desk.points_part", "desk.offers_part"}:
        return make_response("", HTTPStatus.UNAUTHORIZED)
    if request.endpoint in _WRITING and request.method == "POST":
        try:
            return make_response(_show(_logged_out()), HTTPStatus.FORBIDDEN)
        except RequestEntityTooLarge:
            _log.info("a form with photos came after the end of the session")
    return redirect(url_for("desk.login"), 303)


def person() -> Person:
    """Return who sends this request; the page requires a login."""
    found = g.get("person")
    if not isinstance(found, Person):
        abort(401)
    return found


def form_token() -> str:
    """Return the token of the form that was sent; refuses one that was not made for this session."""
    token = request.form.get("token", "")
    if not _sessions().made_for(person(), token):
        # Perhaps of an earlier session: the same person logged in again on another page.
        abort(_show_typed(HTTPStatus.FORBIDDEN) if request.endpoint in _WRITING and _typed() else HTTPStatus.FORBIDDEN)
    return token


def log_in() -> Response | str:
    """Show the login page, or log in."""
    if request.method != "POST":
        return redirect(url_for("desk.list")) if g.person else _show("")
    name, password = request.form.get("name", "").strip()[:NAME_CHARACTERS_MAX], request.form.get("password", "")
    limiter: Limiter = current_app.extensions["steunpunt.limiter"]
    try:
        right = limiter.check(lambda: verify_person(config().web.desk_passwords_file, name, password))
    except KeyFileError as error:
        _log.error("%s", error)
        return _refuse(gettext("The file of passwords can't be used. A technician sees why in the log."), 503)
    if right is None:
        problem = gettext("Too many wrong passwords. Wait %(seconds)s seconds.", seconds=int(WRONG_TRIES_S))
        return _refuse(problem, HTTPStatus.TOO_MANY_REQUESTS)
    if not right:
        return _refuse(gettext("The name or the password is wrong."), HTTPStatus.FORBIDDEN)
    _note_presence(name)
    g.person = _sessions().begin(name)
    session = g.person.session
    response = _show_typed() if _typed() else redirect(_back() or url_for("desk.list"), 303)
    # Not "secure": the desk is served to the machine itself, without TLS.
    response.set_cookie(COOKIE, session, httponly=True, samesite="Strict", path="/desk")
    return response


def _note_presence(name: str) -> None:
    """Let the points know that somebody is here; logging in must not hang on that."""
    try:
        desk().present(name)
    except (LedgerError, KeyFileError) as error:
        _log.warning("%s", error)
    ring_bell()


def log_out() -> Response:
    """End the session."""
    form_token()
    _sessions().end(person().session)
    response = redirect(url_for("desk.login"), 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict", path="/desk")
    return response


def _show(problem: str) -> str:
    name = request.form.get("name", "")
    return render_template("desk/login.html", problem=problem, name=name, typed=_typed(), back=_back())


def _logged_out() -> str:
    if _typed():
        return gettext("You have been logged out. Log in again; your text is below.")
    return gettext("You have been logged out. Nothing was changed. Log in again.")


def _back() -> str:
    """Return the page on which a person was logged out, "" for none; what the login form says is checked."""
    if request.endpoint == "desk.login":
        found = request.form.get("back", "")
        return found if _BACK.fullmatch(found) else ""
    if request.endpoint == "desk.act":
        return url_for("desk.case", case_id=(request.view_args or {})["case_id"])
    return url_for("desk.paper" if request.endpoint == "desk.paper" else "desk.announcements")


def _typed() -> str:
    """Return what a person typed in a form that came after the end of the session, to be copied from the page."""
    found = (request.form.get(name, "").strip() for name in ("typed", "headline", "text", "to", "reference", "codes"))
    return "\n".join(text for text in found if text)[:TYPED_CHARACTERS_MAX]


def _show_typed(status: HTTPStatus = HTTPStatus.OK) -> Response:
    page = Page(
        gettext("You are logged in again."),
        gettext("Your text has not been sent. Copy it, go on where you were and send it there."),
    )
    return make_response(render_template("desk/message.html", page=page, typed=_typed(), back=_back()), status)


def _refuse(problem: str, status: int) -> Response:
    response = make_response(_show(problem), status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = str(int(WRONG_TRIES_S))
    return response


def _sessions() -> Sessions:
    sessions: Sessions = current_app.extensions["steunpunt.sessions"]
    return sessions
