"""Asking for help: kind, life threat, send. Three taps from the first page, and nothing to type.

A life threat is kept at that tap, whatever else is on the form: all other questions follow as a supplement. Who is not
in danger may tell more first, a question a page, and checks it before it goes.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from steunpunt.model import Category
from steunpunt_ui.citizen.asking import (
    ASKED_BEFORE,
    Kept,
    NotKept,
    Trouble,
    form_state,
    form_tokens,
    keep,
    language_tapped,
    show_again,
)
from steunpunt_ui.citizen.home import grave_banner
from steunpunt_ui.citizen.lookup import tidy_number
from steunpunt_ui.citizen.pointstate import MARK_FIELD, form_mark, is_closed, show_closed
from steunpunt_ui.citizen.steppage import StepPage, show_step
from steunpunt_ui.citizen.steps import ASK_STEPS, CHECK, FIELDS, FIRST, MEND, Turn, after, staying
from steunpunt_ui.citizen.telling import mend_after
from steunpunt_ui.citizen.wish import Wish, problems_of, text_problem, told, wish_of
from steunpunt_ui.languages import language

SLUGS = {
    "medisch": Category.MEDICAL,
    "brand": Category.FIRE,
    "politie": Category.POLICE,
    "spullen": Category.SUPPLIES,
    "vermist": Category.MISSING,
    "anders": Category.OTHER,
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of help as its tile shows it."""

    slug: str
    category: Category
    title: str
    icon: str

    @property
    def discreet(self) -> bool:
        """Whether the pages that follow keep the kind to themselves: someone may look over a shoulder."""
        return self.category is Category.POLICE


def show_kinds() -> Response | str:
    """Show the six kinds of help; at a closed point where to go instead."""
    if is_closed():
        return show_closed()
    follows, meant = tidy_number(request.args.get("bij", "")) or None, form_mark().name.lower()
    echt = "1" if meant == "real" else None
    tokens = form_tokens(len(SLUGS))
    addresses = {
        slug: url_for("citizen.ask", slug=slug, bij=follows, echt=echt, f=token or None)
        for slug, token in zip(SLUGS, tokens, strict=True)
    }
    kinds = [kind_of(slug) for slug in SLUGS]
    return render_template("citizen/kinds.html", kinds=kinds, addresses=addresses, banner=grave_banner(), meant=meant)


def ask(slug: str) -> Response | str:
    """Show the page of one kind, go on to the next one, or send."""
    if slug not in SLUGS:
        abort(404)
    kind = kind_of(slug)
    if request.method != "POST":
        return _begin(kind)
    wish, token, tap = wish_of(request.form), request.form.get("token", ""), request.form.get("do", CHECK)
    at, problems = request.form.get("at", FIRST), problems_of(wish)
    if tap == "real" or language_tapped():
        page = staying(at, problems)
        return _show(kind, page, wish, token, problems if page == MEND else {})
    turn = after(tap, at, ASK_STEPS, wish, problems)
    if turn.send:
        return _send(kind, turn, token, problems)
    wrong = turn.page == MEND or turn.page == at in FIELDS
    if wrong:
        return make_response(_show(kind, turn.page, turn.wish, token, problems), HTTPStatus.BAD_REQUEST)
    return _show(kind, turn.page, turn.wish, token)


def _begin(kind: Kind) -> Response | str:
    """Show a form, or what became of it: its token is in its address, so who comes back finds the request there."""
    if is_closed():
        return show_closed()
    given = request.args.get("f", "")
    state = form_state(given) if given else None
    if isinstance(state, Kept):
        return render_template("citizen/already.html", kept=state)
    return _show(kind, FIRST, _first_wish(), given if state in ("fresh", "unknown") else form_tokens(1)[0])


def _send(kind: Kind, turn: Turn, token: str, problems: dict[str, str]) -> Response:
    """Keep a request. For a life threat what is not right is left out: it is asked again when the rest is kept."""
    life_threat = turn.send == "yes"
    wish = turn.wish.without(set(problems))
    result = keep("submit", _fields(kind, wish, token, life_threat=life_threat))
    if isinstance(result, NotKept) and result.trouble is Trouble.TEXT_TOO_LONG:
        problems = problems | {"text": text_problem(result.characters_over)}
        if not life_threat:
            return make_response(_show(kind, MEND, wish, token, problems), HTTPStatus.BAD_REQUEST)
        wish = wish.without({"text"})
        result = keep("submit", _fields(kind, wish, token, life_threat=life_threat))
    if isinstance(result, NotKept):
        typed = [("token", token), ("do", turn.send), (MARK_FIELD, form_mark().name.lower()), *turn.wish.hidden()]
        return show_again(result.trouble, url_for("citizen.ask", slug=kind.slug), typed)
    if problems:
        return mend_after(result, turn.wish, problems)
    page = "citizen.now" if life_threat else "citizen.ticket"
    late = result.repeated and wish.said and not request.form.get(ASKED_BEFORE)
    return redirect(url_for(page, number=result.number, secret=result.secret, al="1" if late else None), 303)


def _fields(kind: Kind, wish: Wish, token: str, *, life_threat: bool) -> dict[str, Any]:
    said = told(wish)
    said["facts"] = said["facts"] | {"mark": form_mark().value}
    return {
        "token": token,
        "category": kind.category.name,
        "life_threat": life_threat,
        "language": language(),
        **said,
    }


def _show(kind: Kind, page: str, wish: Wish, token: str, problems: dict[str, str] | None = None) -> str:
    """Show the first page of a kind, or one of those on which more is told."""
    echt = "1" if form_mark().name == "REAL" else None
    if page != FIRST:
        address, said = url_for("citizen.ask", slug=kind.slug), "" if kind.discreet else kind.title
        return show_step(StepPage(page, address, token, wish, problems or {}, kind=said, steps=ASK_STEPS))
    return render_template(
        "citizen/ask.html",
        kind=kind,
        wish=wish,
        token=token,
        back=url_for("citizen.kinds", echt=echt),
        banner=grave_banner(),
        meant=form_mark().name.lower(),
    )


def _first_wish() -> Wish:
    """Return an empty wish, or one that names the closed request which this one follows."""
    follows = tidy_number(request.args.get("bij", ""))
    return Wish(text=gettext("Follows %(number)s.", number=follows)) if follows else Wish()


def kind_of(slug: str) -> Kind:
    """Return a kind of help by its slug, in the reader's language."""
    category = SLUGS[slug]
    return Kind(slug, category, _title(category), category.name.lower())


def _title(category: Category) -> str:
    match category:
        case Category.MEDICAL:
            return gettext("Medical help")
        case Category.FIRE:
            return gettext("Fire")
        case Category.POLICE:
            return gettext("Police")
        case Category.SUPPLIES:
            return gettext("Water, food, medicine")
        case Category.MISSING:
            return gettext("Someone is missing")
    return gettext("Something else")
