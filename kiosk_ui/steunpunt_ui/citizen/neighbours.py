"""Neighbours help neighbours: offer help to the desk, and the point's own board for goods and lifts."""

from dataclasses import dataclass, field
from http import HTTPStatus

from flask import make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.wrappers import Response

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt.facts import CALLBACK_BYTES_MAX, NAME_BYTES_MAX
from steunpunt.model import TEXT_CHARS_MAX, Skill
from steunpunt.values import replace
from steunpunt_ui.ages import ago
from steunpunt_ui.citizen.asking import form_state, form_token, language_tapped
from steunpunt_ui.citizen.lookup import not_found, tidy_number, tidy_secret
from steunpunt_ui.citizen.pointstate import MARK_FIELD, form_mark, is_closed, show_closed
from steunpunt_ui.citizen.swapboard import TEXT_CHARS_MAX as NOTE_CHARS_MAX
from steunpunt_ui.citizen.swapboard import Full, NoteKind, swapboard
from steunpunt_ui.context import client
from steunpunt_ui.languages import language
from steunpunt_ui.manners import take_one
from steunpunt_ui.portal import is_phone
from steunpunt_ui.skillwords import skill_choices
from steunpunt_ui.texts import characters_over, clean, clean_line, plain_digits

HOURS = (2, 4, 8, 12, 24, 48)
"""For how long somebody may offer to be there, in hours; each below the 63 that can travel."""


@dataclass(slots=True)
class OfferForm:
    """What was filled in, and what must be put right first."""

    skill: str = ""
    hours: str = ""
    text: str = ""
    callback: str = ""
    name: str = ""
    problems: list[str] = field(default_factory=list)


def show() -> str:
    """Show the board of this point, and the way to offer help to the coordinator."""
    board = swapboard()
    notes = board.shown() if board else []
    return render_template("citizen/neighbours.html", notes=notes, board=board is not None, kinds=note_kinds(), ago=ago)


def offer() -> Response | str:
    """Show the form of an offer, or keep it and show its number."""
    if request.method != "POST":
        return show_closed() if is_closed() else _show(OfferForm(), form_token())
    form, token = read_offer(request.form), request.form.get("token", "")
    status = HTTPStatus.BAD_REQUEST
    if language_tapped():
        return _show(replace(form, problems=[]), token)
    if not form.problems and not take_one("offer") and form_state(token) == "fresh":
        form.problems, status = [_many()], HTTPStatus.TOO_MANY_REQUESTS
    if form.problems:
        return make_response(_show(form, token), status)
    fields: dict[str, object] = {"skill": form.skill, "text": form.text, "name": form.name, "callback": form.callback}
    if form.hours:
        fields["hours"] = int(form.hours)
    try:
        reply = client().call("offer", token=token, language=language(), mark=form_mark().value, **fields)
    except Refused as refusal:
        return _refused(form, token, refusal)
    except (NotKnownYet, Unreachable) as silence:
        form.problems = [
            gettext("We don't know yet whether your offer has been kept. Send it again: never twice.")
            if isinstance(silence, NotKnownYet)
            else gettext("This device can't keep your offer now. Tell the staff.")
        ]
        return make_response(_show(form, token), HTTPStatus.SERVICE_UNAVAILABLE)
    return redirect(url_for("citizen.offer_kept", number=reply["number"], secret=reply["secret"]), 303)


def show_kept(number: str, secret: str) -> Response | str:
    """Show what becomes of an offer, and with what its answer is read."""
    tidy, half = tidy_number(number), tidy_secret(secret)
    if not tidy or not half:
        return not_found()
    return render_template("citizen/offer_kept.html", number=tidy, secret=half)


def post_note() -> Response | str:
    """Show the form of the board, or hand a note to the staff, who look at it first."""
    board = swapboard()
    if board is None or is_closed():
        return redirect(url_for("citizen.neighbours"), 303)
    text = clean_line(request.form.get("text", ""))
    if request.method != "POST" or language_tapped():
        return _show_note(text, "")
    kind = NoteKind.__members__.get(request.form.get("kind", ""))
    if kind is None or not text:
        return make_response(_show_note(text, gettext("Choose what it is, and write a few words.")), 400)
    if len(text) > NOTE_CHARS_MAX:
        over = len(text) - NOTE_CHARS_MAX
        return make_response(_show_note(text, gettext("Too long: %(over)s characters must go.", over=over)), 400)
    try:
        board.hand_in(kind, text, language(), (request.remote_addr or "") if is_phone() else "")
    except Full:
        return make_response(_show_note(text, gettext("There are many notes to look at already. Ask the staff.")), 503)
    return render_template("citizen/note_kept.html")


def read_offer(form: ImmutableMultiDict[str, str]) -> OfferForm:
    """Return what a form says, with all its problems at once. Pure."""
    said = OfferForm(
        skill=form.get("skill", ""),
        hours=form.get("hours", ""),
        text=clean(form.get("text", "")),
        callback=plain_digits(clean_line(form.get("callback", ""))),
        name=clean_line(form.get("name", "")),
    )
    if said.skill not in Skill.__members__:
        said.problems.append(gettext("Choose with what you can help."))
    if said.hours not in ("", *map(str, HOURS)):
        said.hours = ""
    if len(said.text) > TEXT_CHARS_MAX:
        said.problems.append(gettext("Too long: %(over)s characters must go.", over=len(said.text) - TEXT_CHARS_MAX))
    for line, most in ((said.callback, CALLBACK_BYTES_MAX), (said.name, NAME_BYTES_MAX)):
        over = characters_over(line, most)
        if over:
            said.problems.append(gettext("Too long: %(over)s characters must go.", over=over))
    return said


def _refused(form: OfferForm, token: str, refusal: Refused) -> Response:
    if refusal.code in {"token_expired", "token_invalid"}:
        token = form_token()
    words = {
        "closed": gettext("This point is closed.") + " " + gettext("Your offer has not been kept."),
        "too_many_offers": _many(),
        "token_expired": gettext("This page had been open too long.") + " " + gettext("Send it again."),
        "token_invalid": gettext("This page had been open too long.") + " " + gettext("Send it again."),
        "cannot_keep": gettext("This device can't keep your offer now. Tell the staff."),
    }
    form.problems = [
        words.get(refusal.code, gettext("Your offer has not been kept.") + " " + gettext("Send it again."))
    ]
    return make_response(_show(form, token), HTTPStatus.SERVICE_UNAVAILABLE)


def _many() -> str:
    return gettext("Many offers wait here already. Tell the staff that you can help.")


def _show(form: OfferForm, token: str) -> str:
    return render_template(
        "citizen/offer.html",
        form=form,
        token=token,
        skills=skill_choices(),
        hours=HOURS,
        text_chars_max=TEXT_CHARS_MAX,
        mark_name=MARK_FIELD,
        meant=form_mark().name.lower(),
    )


def _show_note(text: str, problem: str) -> str:
    return render_template(
        "citizen/note.html", text=text, problem=problem, kinds=note_kinds(), chosen=request.form.get("kind", "")
    )


def note_kinds() -> dict[str, str]:
    """Return what a note can be about."""
    return {
        NoteKind.HAVE.name: gettext("I have something to give or lend"),
        NoteKind.NEED.name: gettext("I need something"),
        NoteKind.LIFT.name: gettext("I can take somebody along"),
        NoteKind.RIDE.name: gettext("I want to ride along"),
    }
