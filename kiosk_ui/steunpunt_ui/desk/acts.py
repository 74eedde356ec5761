"""What a person does with a case. Each act has a form of its own and happens once per form."""

from collections.abc import Callable
from http import HTTPStatus

from flask import make_response, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from steunpunt.ledger.desk import PassedOn
from steunpunt.ledger.deskact import CaseGone, NotAllowed
from steunpunt.model import CLOSE_REASONS, TokenCode
from steunpunt_ui.desk import group
from steunpunt_ui.desk.cases import case_page
from steunpunt_ui.desk.composing import compose
from steunpunt_ui.desk.login import form_token, person
from steunpunt_ui.desk.opening import desk, ring_bell
from steunpunt_ui.desk.words import how_choices, refusal_words
from steunpunt_ui.pages import Page, show_message
from steunpunt_ui.texts import characters_over, clean_line

FIELD_BYTES_MAX = 80
Act = Callable[[int, str], str]
"""Does one act for a case with a form's token; returns what is wrong, "" when it was done."""


class _ReadOver(Exception):
    """Nothing is wrong and nothing was done: the person reads over first what will be told."""


def act(case_id: int, act: str) -> Response:
    """Do one act and show the case again; refused acts keep what was typed."""
    acts: dict[str, Act] = {
        "oppakken": _take_up,
        "antwoord": _answer,
        "doorgeven": _pass_on,
        "afsluiten": _close,
        "heropenen": _reopen,
        "koppelen": _link,
        "loskoppelen": _unlink,
    }
    token = form_token()
    try:
        problem = acts[act](case_id, token)
    except CaseGone:
        page = Page(gettext("This case is no longer here."), gettext("Nothing was changed."))
        return make_response(show_message(page, at_desk=True), HTTPStatus.NOT_FOUND)
    except _ReadOver:
        return make_response(case_page(case_id, "", _typed(act)))
    except NotAllowed as refusal:
        problem = refusal_words(refusal)
    if not problem:
        shared = _share(act, token)
        ring_bell()
        if shared is not None:
            return make_response(case_page(case_id, shared=shared))
        return redirect(url_for("desk.case", case_id=case_id), 303)
    return make_response(case_page(case_id, problem, _typed(act)), HTTPStatus.CONFLICT)


def _typed(act: str) -> dict[str, str]:
    return request.form.to_dict() | {"act": act}


def _take_up(case_id: int, token: str) -> str:
    desk().take_up(case_id, person().name, token=token)
    return ""


def _answer(case_id: int, token: str) -> str:
    if request.form.get("do") == "all":  # ticks the other cases, and nothing is sent
        raise _ReadOver
    answer = compose(request.form)
    if answer.problem or answer.function is None:
        return answer.problem
    if request.form.get("do") == "check":
        raise _ReadOver
    desk().answer(case_id, person().name, answer.function, answer.text, token=token, phrases=answer.phrases)
    return ""


def _share(act: str, token: str) -> group.Shared | None:
    """Give the other cases that the form ticked what one was just answered; None when it ticked none."""
    others = group.chosen(request.form) if act == "antwoord" else []
    return group.share(others, person().name, compose(request.form), token) if others else None


def _pass_on(case_id: int, token: str) -> str:
    to, reference = (clean_line(request.form.get(name, "")) for name in ("to", "reference"))
    how, control_room = request.form.get("how", ""), request.form.get("whom") == "control_room"
    if control_room:
        to = gettext("Control room")
    if not to:
        return gettext("Write to whom you passed this on.")
    if how not in how_choices():
        return gettext("Choose how you passed this on.")
    if characters_over(to, FIELD_BYTES_MAX) or characters_over(reference, FIELD_BYTES_MAX):
        return gettext("That is too long. Shorten to whom, or the incident number.")
    read_back = request.form.get("read_back") == "yes"
    told = PassedOn(to, how, reference, read_back=read_back, control_room=control_room)
    desk().pass_on(case_id, person().name, told, token=token)
    return ""


def _close(case_id: int, token: str) -> str:
    code = TokenCode.__members__.get(request.form.get("code", ""))
    if code not in CLOSE_REASONS:
        return gettext("Choose a reason.")
    if request.form.get("do") != "close":  # the person who asked is told at once, and that cannot be taken back
        raise _ReadOver
    desk().close(case_id, person().name, code, token=token)
    return ""


def _reopen(case_id: int, token: str) -> str:
    if request.form.get("do") != "reopen":
        raise _ReadOver
    desk().reopen(case_id, person().name, token=token)
    return ""


def _link(case_id: int, token: str) -> str:
    number = clean_line(request.form.get("number", ""))
    if not number:
        return gettext("Write the number of the other case.")
    desk().link(case_id, person().name, number, token=token)
    return ""


def _unlink(case_id: int, token: str) -> str:
    desk().unlink(case_id, person().name, clean_line(request.form.get("number", "")), token=token)
    return ""
