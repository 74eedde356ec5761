"""Asking for help: kind, life threat, send. Three taps from the first page, and nothing to type.

Whoever wants to tell more opens the fields below the two buttons and passes a page to check first.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.wrappers import Response

from steunpunt.facts import CALLBACK_BYTES_MAX, PEOPLE_MAX
from steunpunt.model import TEXT_CHARS_MAX, Category
from steunpunt_ui.citizen.asking import Kept, NotKept, Trouble, form_token, keep, show_again
from steunpunt_ui.citizen.home import grave_banner
from steunpunt_ui.citizen.lookup import tidy_number
from steunpunt_ui.citizen.pointstate import MARK_FIELD, form_mark, is_closed, show_closed
from steunpunt_ui.languages import language
from steunpunt_ui.texts import characters_over, clean, clean_line, plain_digits

_PEOPLE_DIGITS_MAX = 4
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


@dataclass(frozen=True, slots=True)
class Wish:
    """What a citizen filled in, cleaned; all of it may be empty."""

    people: str = ""
    text: str = ""
    callback: str = ""

    @property
    def said(self) -> bool:
        """Whether anything was filled in."""
        return bool(self.people or self.text or self.callback)


def show_kinds() -> Response | str:
    """Show the six kinds of help; at a closed point where to go instead."""
    if is_closed():
        return show_closed()
    follows = tidy_number(request.args.get("bij", "")) or None
    kinds = [kind_of(slug) for slug in SLUGS]
    return render_template(
        "citizen/kinds.html", kinds=kinds, follows=follows, banner=grave_banner(), meant=form_mark().name.lower()
    )


def ask(slug: str) -> Response | str:
    """Show the page of one kind, check what was typed, or send."""
    if slug not in SLUGS:
        abort(404)
    kind = kind_of(slug)
    if request.method != "POST":
        if is_closed():
            return show_closed()
        return _show(kind, _first_wish(), form_token())
    wish, token, step = _wish(request.form), request.form.get("token", ""), request.form.get("do", "check")
    problems = _problems(wish)
    if problems:
        return make_response(_show(kind, wish, token, problems), HTTPStatus.BAD_REQUEST)
    if step in {"yes", "no"}:
        return _send(kind, wish, token, life_threat=step == "yes")
    return _show(kind, wish, token, checking=step == "check")


def _send(kind: Kind, wish: Wish, token: str, *, life_threat: bool) -> Response:
    result = keep("submit", _fields(kind, wish, token, life_threat=life_threat))
    if isinstance(result, Kept):
        return redirect(url_for("citizen.ticket", number=result.number, secret=result.secret), 303)
    if result.trouble is Trouble.TEXT_TOO_LONG:
        return _too_long(kind, wish, token, result)
    typed = {"token": token, "people": wish.people, "text": wish.text, "callback": wish.callback}
    typed |= {"do": "yes" if life_threat else "no", MARK_FIELD: form_mark().name.lower()}
    return show_again(result.trouble, url_for("citizen.ask", slug=kind.slug), typed)


def _fields(kind: Kind, wish: Wish, token: str, *, life_threat: bool) -> dict[str, Any]:
    return {
        "token": token,
        "category": kind.category.name,
        "life_threat": life_threat,
        "people": int(wish.people or 0),
        "text": wish.text,
        "callback": wish.callback,
        "language": language(),
        "facts": {"mark": form_mark().value},
    }


def _too_long(kind: Kind, wish: Wish, token: str, result: NotKept) -> Response:
    problems = {"text": _text_problem(result.characters_over)}
    return make_response(_show(kind, wish, token, problems), HTTPStatus.BAD_REQUEST)


def _show(kind: Kind, wish: Wish, token: str, problems: dict[str, str] | None = None, *, checking: bool = False) -> str:
    return render_template(
        "citizen/ask.html",
        kind=kind,
        wish=wish,
        token=token,
        problems=problems or {},
        checking=checking,
        banner=grave_banner(),
        meant=form_mark().name.lower(),
        text_chars_max=TEXT_CHARS_MAX,
    )


def _first_wish() -> Wish:
    """Return an empty wish, or one that names the closed request which this one follows."""
    follows = tidy_number(request.args.get("bij", ""))
    return Wish(text=gettext("Follows %(number)s.", number=follows)) if follows else Wish()


def _wish(form: ImmutableMultiDict[str, str]) -> Wish:
    return Wish(
        people=plain_digits(clean_line(form.get("people", ""))),
        text=clean(form.get("text", "")),
        callback=plain_digits(clean_line(form.get("callback", ""))),
    )


def _problems(wish: Wish) -> dict[str, str]:
    """Return what must be corrected, by field."""
    found = {}
    if wish.people and not (wish.people.isascii() and wish.people.isdigit() and _count(wish.people) <= PEOPLE_MAX):
        found["people"] = gettext("How many people: write a number from 0 to %(most)s.", most=PEOPLE_MAX)
    if len(wish.text) > TEXT_CHARS_MAX:
        found["text"] = _text_problem(len(wish.text) - TEXT_CHARS_MAX)
    over = characters_over(wish.callback, CALLBACK_BYTES_MAX)
    if over:
        found["callback"] = ngettext(
            "Where we can reach you is %(num)d character too long.",
            "Where we can reach you is %(num)d characters too long.",
            over,
        )
    return found


def _count(digits: str) -> int:
    """Return a number of people; more digits than fit are too many people, and Python reads no 5000 of them."""
    return int(digits) if len(digits) <= _PEOPLE_DIGITS_MAX else PEOPLE_MAX + 1


def _text_problem(over: int) -> str:
    return ngettext(
        "Your message is %(num)d character too long. What you typed is below.",
        "Your message is %(num)d characters too long. What you typed is below.",
        over,
    )


def kind_of(slug: str) -> Kind:
    """Return a kind of help by its slug, in the reader's language."""
    titles = {
        Category.MEDICAL: gettext("Medical help"),
        Category.FIRE: gettext("Fire"),
        Category.POLICE: gettext("Police"),
        Category.SUPPLIES: gettext("Water, food, medicine"),
        Category.MISSING: gettext("Someone is missing"),
        Category.OTHER: gettext("Something else"),
    }
    category = SLUGS[slug]
    return Kind(slug, category, titles[category], category.name.lower())
