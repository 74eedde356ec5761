"""Telling more of a request that is kept: what was not asked of somebody whose life is in danger.

All of it goes in one supplement, when its sender taps so; the page says until then that it has not been sent.
"""

from http import HTTPStatus
from typing import Any

from flask import make_response, redirect, request, url_for
from werkzeug.wrappers import Response

from steunpunt.model import SupplementCode
from steunpunt_ui.citizen.asking import (
    Earlier,
    Kept,
    NotKept,
    Trouble,
    form_token,
    keep,
    language_tapped,
    show_again,
)
from steunpunt_ui.citizen.lookup import find, not_found, tidy_number, tidy_secret
from steunpunt_ui.citizen.steppage import StepPage, show_step
from steunpunt_ui.citizen.steps import CHECK, FIELDS, FIRST, MEND, TELL_STEPS, after, staying
from steunpunt_ui.citizen.wish import Wish, problems_of, text_problem, told, wish_of

_BEGIN = TELL_STEPS[0]


def tell(number: str, secret: str) -> Response | str:
    """Show the first page of telling more, go on to the next one, or send."""
    if request.method != "POST":
        reply = find(number, secret)
        if isinstance(reply, Response):
            return reply
        return _show(reply["number"], secret, _BEGIN, Wish(), form_token())
    wish, token, tap = wish_of(request.form), request.form.get("token", ""), request.form.get("do", CHECK)
    at, problems = request.form.get("at", FIRST), problems_of(wish)
    if language_tapped():
        page = staying(at, problems, _BEGIN)
        return _show(number, secret, page, wish, token, problems if page == MEND else {})
    turn = after(tap, at, TELL_STEPS, wish, problems)
    if turn.page == FIRST:
        return redirect(url_for("citizen.now", number=number, secret=secret), 303)
    if turn.send and turn.page == CHECK:
        return _send(number, secret, turn.wish, token)
    wrong = turn.page == MEND or turn.page == at in FIELDS
    page = _show(number, secret, turn.page, turn.wish, token, problems if wrong else {})
    return make_response(page, HTTPStatus.BAD_REQUEST if wrong else HTTPStatus.OK)


def mend_after(kept: Kept, wish: Wish, problems: dict[str, str]) -> Response:
    """Return the page that asks once more, of a request that was just kept without it, for what was not right.

    What was right went with the request; only the rest goes in the supplement.
    """
    wrong = dict.fromkeys(problems, "")
    if set(wrong) & set(FIELDS["address"]):
        wrong |= dict.fromkeys(("where", *FIELDS["address"]), "")
    rest = Wish(**{field: getattr(wish, field) for field in wrong})
    return make_response(_show(kept.number, kept.secret, MEND, rest, form_token(), problems), HTTPStatus.OK)


def _send(number: str, secret: str, wish: Wish, token: str) -> Response:
    if not wish.said:
        return redirect(url_for("citizen.ticket", number=number, secret=secret), 303)
    half = tidy_secret(secret)
    said: dict[str, Any] = {"token": token, "number": tidy_number(number), "secret": half}
    result = keep("supplement", said | {"code": SupplementCode.DETAILS.name} | told(wish))
    back = url_for("citizen.ticket", number=number, secret=secret)
    if isinstance(result, Kept):
        return redirect(back, 303)
    return _not_kept(result, number, secret, wish, token, back)


def _not_kept(result: NotKept, number: str, secret: str, wish: Wish, token: str, back: str) -> Response:
    if result.trouble is Trouble.UNKNOWN_TICKET:
        return not_found()
    if result.trouble is Trouble.TEXT_TOO_LONG:
        return _refuse(number, secret, MEND, wish, token, {"text": text_problem(result.characters_over)})
    typed = [("token", token), ("do", "send"), *wish.hidden()]
    return show_again(result.trouble, _address(number, secret), typed, Earlier(tidy_number(number) or number, back))


def _refuse(number: str, secret: str, page: str, wish: Wish, token: str, problems: dict[str, str]) -> Response:
    return make_response(_show(number, secret, page, wish, token, problems), HTTPStatus.BAD_REQUEST)


def _show(number: str, secret: str, page: str, wish: Wish, token: str, problems: dict[str, str] | None = None) -> str:
    said = tidy_secret(secret) if page == MEND else ""  # which may be the first page after a request was kept
    step = StepPage(
        page,
        _address(number, secret),
        token,
        wish,
        problems or {},
        number=tidy_number(number),
        secret=said,
        steps=TELL_STEPS,
    )
    return show_step(step)


def _address(number: str, secret: str) -> str:
    return url_for("citizen.tell", number=number, secret=secret)
