"""Adding to a request: it has got worse, a question, understood, no longer needed."""

import re
from dataclasses import dataclass
from http import HTTPStatus

from flask import make_response, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from steunpunt.model import TEXT_CHARS_MAX, SupplementCode
from steunpunt_ui.citizen.asking import Earlier, Kept, Trouble, form_token, keep, language_tapped, show_again
from steunpunt_ui.citizen.lookup import find, not_found, tidy_number, tidy_secret
from steunpunt_ui.citizen.ticket import said_now, show, step_address, typed_counts
from steunpunt_ui.texts import clean, plain_digits

KINDS = {
    "erger": SupplementCode.WORSE,
    "vraag": SupplementCode.QUESTION,
    "begrepen": SupplementCode.UNDERSTOOD,
    "niet-nodig": SupplementCode.NO_LONGER_NEEDED,
    "antwoorden": SupplementCode.REPLY,
}
"""Last part of the address and what it adds."""
_SMALL_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
PUBLIC_SLUG = "erger"
"""The one that who only knows the public number may send: somebody may be shouting it across the hall."""


@dataclass(frozen=True, slots=True)
class StepPage:
    """Words of the page of one supplement."""

    title: str
    what: str
    button: str
    look: str = "deep"
    asks_text: bool = False
    label: str = ""


def supplement(number: str, slug: str, secret: str | None = None) -> Response | str:
    """Show the page of one supplement, or send it."""
    reply = find(number, secret) if request.method == "GET" else {"number": number}
    if isinstance(reply, Response):
        return reply
    half = tidy_secret(secret) if secret is not None else None
    if KINDS[slug] is SupplementCode.REPLY and (language_tapped() or not _tapped()):
        # Questions stand on the ticket's own page. The Enter key sends all that is typed there, and names no question.
        return show(number, secret) if typed_counts() else redirect(_back(number, secret), 303)
    if request.method == "GET":
        return _show(reply["number"], half, slug, form_token(), "")
    if language_tapped():
        typed = clean(request.form.get("text", ""))
        return _show(tidy_number(number), half, slug, request.form.get("token", ""), typed)
    return _send(number, half, slug)


def _send(number: str, secret: str | None, slug: str) -> Response:
    text, token = clean(request.form.get("text", "")), request.form.get("token", "")
    if len(text) > TEXT_CHARS_MAX:
        return _refuse(number, secret, slug, token, text, _too_long(len(text) - TEXT_CHARS_MAX))
    if KINDS[slug] is SupplementCode.QUESTION and not text:
        return _refuse(number, secret, slug, token, text, gettext("Write what you want to tell or ask."))
    code = KINDS[slug].name
    said = {"token": token, "number": number, "secret": secret or "", "code": code, "text": text}
    result = keep("supplement", said | _tapped())
    if isinstance(result, Kept):
        return redirect(_back(number, secret, said_now(_tapped().get("question"))), 303)
    if result.trouble is Trouble.UNKNOWN_TICKET:
        return not_found()
    if result.trouble is Trouble.TEXT_TOO_LONG:
        return _refuse(number, secret, slug, token, text, _too_long(result.characters_over))
    earlier = Earlier(tidy_number(number) or number, _back(number, secret))
    again = [("token", token), ("text", text), *((name, str(tapped)) for name, tapped in _tapped().items())]
    return show_again(result.trouble, step_address(number, secret, slug), again, earlier)


def _tapped() -> dict[str, int]:
    """Return what was tapped under a question: its code, and an option's place or a number; else nothing."""
    typed = {name: plain_digits(request.form.get(name, "")) for name in ("question", "option", "count")}
    counts = {code: plain_digits(count) for code, count in typed_counts().items() if count}
    if not typed["question"] and len(counts) == 1:
        typed["question"] = str(*counts)
    if not typed["count"] and typed["question"].isdecimal():
        typed["count"] = counts.get(int(typed["question"]), "")
    found = {name: int(text) for name, text in typed.items() if _SMALL_NUMBER.fullmatch(text)}
    return found if "question" in found and len(found) > 1 else {}


def _show(number: str, secret: str | None, slug: str, token: str, text: str, problem: str = "") -> str:
    return render_template(
        "citizen/supplement.html",
        page=_page(KINDS[slug]),
        number=number,
        back=_back(number, secret),
        action=step_address(number, secret, slug),
        token=token,
        text=text,
        problem=problem,
        text_chars_max=TEXT_CHARS_MAX,
    )


def _refuse(number: str, secret: str | None, slug: str, token: str, text: str, problem: str) -> Response:
    return make_response(_show(number, secret, slug, token, text, problem), HTTPStatus.BAD_REQUEST)


def _too_long(over: int) -> str:
    return ngettext(
        "Your message is %(num)d character too long. What you typed is below.",
        "Your message is %(num)d characters too long. What you typed is below.",
        over,
    )


def _back(number: str, secret: str | None, said: str | None = None) -> str:
    if secret is None:
        return url_for("citizen.public_ticket", number=number)
    return url_for("citizen.ticket", number=number, secret=secret, gezegd=said)


def _page(code: SupplementCode) -> StepPage:
    more = gettext("You may write what has changed:")
    if code is SupplementCode.WORSE:
        return StepPage(
            gettext("It has got worse"),
            gettext("We add to your request that it has got worse."),
            gettext("Send: it has got worse"),
            look="red",
            asks_text=True,
            label=more,
        )
    if code is SupplementCode.QUESTION:
        return StepPage(
            gettext("Tell or ask more"),
            gettext("We add this to your request."),
            gettext("Send"),
            asks_text=True,
            label=gettext("What do you want to tell or ask?"),
        )
    if code is SupplementCode.NO_LONGER_NEEDED:
        return StepPage(
            gettext("I no longer need help"),
            gettext("We tell that you no longer need help."),
            gettext("Send: no help needed any more"),
        )
    return StepPage(
        gettext("I understand"), gettext("We tell that you have read the answer."), gettext("Send: I understand")
    )
