"""Asking the node to keep something, and what to tell a citizen when that did not simply succeed.

A form carries a token that the node gave out. The same token twice makes one request, so that every
page here that says "try again" can send everything once more without harm.
"""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Literal

from flask import Response, make_response, render_template, request
from flask_babel import gettext

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt_ui.citizen.pointstate import is_closed
from steunpunt_ui.context import client, config
from steunpunt_ui.manners import give_back, may_guess, note_made, note_wrong_code, take_one
from steunpunt_ui.pages import Page


class Trouble(StrEnum):
    """Why something was not simply kept."""

    CANNOT_KEEP = "cannot_keep"
    NOT_KNOWN_YET = "not_known_yet"
    FORM_TOO_OLD = "form_too_old"
    TEXT_TOO_LONG = "text_too_long"
    UNKNOWN_TICKET = "unknown_ticket"
    BAD_REQUEST = "bad_request"
    CLOSED = "closed"
    TOO_MANY = "too_many"


_TROUBLES = {
    "cannot_keep": Trouble.CANNOT_KEEP,
    "not_known_yet": Trouble.NOT_KNOWN_YET,
    "internal": Trouble.NOT_KNOWN_YET,
    "token_invalid": Trouble.FORM_TOO_OLD,
    "token_expired": Trouble.FORM_TOO_OLD,
    "text_too_long": Trouble.TEXT_TOO_LONG,
    "unknown_ticket": Trouble.UNKNOWN_TICKET,
    "closed": Trouble.CLOSED,
}


_STATUS = dict.fromkeys(
    (Trouble.CANNOT_KEEP, Trouble.NOT_KNOWN_YET, Trouble.CLOSED), HTTPStatus.SERVICE_UNAVAILABLE
) | {Trouble.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS}
ASKED_BEFORE = "asked"
"""Hidden field of a form whose first sending may have been kept: from then on "nobody has it" is not known."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The node committed it."""

    number: str
    secret: str = ""
    repeated: bool = False
    """Kept earlier, by the same form."""


@dataclass(frozen=True, slots=True)
class NotKept:
    """The node refused, is away, or has not said."""

    trouble: Trouble
    characters_over: int = 0


def keep(op: str, fields: dict[str, Any], *, staff: bool = False) -> Kept | NotKept:
    """Ask the node to keep a help request or a supplement, unless this phone has asked for too many.

    ``staff``: who asks has said the PIN, and asks for forty others.
    """
    if staff:
        return _asked(op, fields)
    guessed = op == "supplement" and not may_guess(*(str(fields.get(half, "")) for half in ("number", "secret")))
    taken = not guessed and take_one(op)
    if not taken and form_state(str(fields["token"])) == "fresh":
        return NotKept(Trouble.TOO_MANY)
    result = _asked(op, fields)
    if taken and not (isinstance(result, Kept) and not result.repeated):
        give_back(op)
    return result


def _asked(op: str, fields: dict[str, Any]) -> Kept | NotKept:
    try:
        reply = client().call(op, **fields)
    except NotKnownYet:
        return NotKept(Trouble.NOT_KNOWN_YET)
    except Unreachable:
        return NotKept(Trouble.CANNOT_KEEP)
    except Refused as refusal:
        if refusal.code == "unknown_ticket":
            note_wrong_code()
        over = int(refusal.body.get("characters_over", 0))
        return NotKept(_TROUBLES.get(refusal.code, Trouble.BAD_REQUEST), max(over, 1))
    kept = Kept(str(reply["number"]), str(reply.get("secret", "")), bool(reply.get("repeated")))
    if kept.secret:
        note_made(kept.number, kept.secret)
    return kept


def language_tapped() -> bool:
    """Whether a form came to be shown in another language, with all that is typed in it."""
    return "lang" in request.form


def form_token() -> str:
    """Return a fresh form token, or "" when the node cannot give one now."""
    return form_tokens(1)[0]


def form_tokens(count: int) -> list[str]:
    """Return fresh form tokens, or as many "" when the node cannot give any now.

    A form with an empty token still keeps what people type: it is refused as too old and shown again.
    """
    try:
        return [str(token) for token in client().call("form_token", count=count)["tokens"]]
    except (Refused, Unreachable, NotKnownYet):
        return [""] * count


def form_state(token: str) -> Kept | Literal["fresh", "old", "unknown"]:
    """Return the request that a form has made, or whether it may still make one; unknown while the node is away."""
    try:
        reply = client().call("form", token=token)
    except Refused:
        return "old"
    except (Unreachable, NotKnownYet):
        return "unknown"
    if reply["used"]:
        return Kept(str(reply["number"]), str(reply.get("secret", "")), repeated=True)
    return "fresh" if reply["fresh"] else "old"


@dataclass(frozen=True, slots=True)
class Earlier:
    """The request that a supplement was for: it stays, whatever becomes of the supplement."""

    number: str
    address: str
    """Of its page."""


def show_again(trouble: Trouble, action: str, typed: list[tuple[str, str]], earlier: Earlier | None = None) -> Response:
    """Return the page that says what is known and sends the same fields again with one tap.

    ``earlier``: what could not be kept is a supplement to this request.
    """
    if trouble in {Trouble.CANNOT_KEEP, Trouble.TOO_MANY} and _asked_before():
        trouble = Trouble.NOT_KNOWN_YET
    elif trouble is Trouble.FORM_TOO_OLD and earlier is None and is_closed():
        trouble = Trouble.CLOSED  # a fresh pass would be refused too
    elif trouble is Trouble.FORM_TOO_OLD:
        token = form_token()
        typed = [("token", token), *((name, value) for name, value in typed if name != "token")]
        if not token:
            trouble = Trouble.CANNOT_KEEP
    if trouble is Trouble.NOT_KNOWN_YET:
        typed = [*typed, (ASKED_BEFORE, "1")]
    page = _page(trouble) if earlier is None else _supplement_page(trouble, earlier.number)
    text = next((value for name, value in typed if name == "text"), "")
    body = render_template("citizen/again.html", page=page, action=action, fields=typed, text=text, earlier=earlier)
    return make_response(body, _STATUS.get(trouble, HTTPStatus.BAD_REQUEST))


def _asked_before() -> bool:
    """Whether this form was sent before and may have been kept then."""
    return bool(request.form.get(ASKED_BEFORE))


def _supplement_page(trouble: Trouble, number: str) -> Page:
    """Return the same words for what was added to a request that stays."""
    stays = gettext("Your earlier request %(number)s stays.", number=number)
    address = config().region.fallback_address
    danger = gettext("Life in danger? Call 112, or send someone to %(address)s.", address=address)
    if trouble is Trouble.NOT_KNOWN_YET:
        return Page(
            gettext("We don't know yet whether what you added has been kept."),
            stays + " " + gettext("Sending again never adds it twice."),
            gettext("Tap the button.") + " " + danger,
            gettext("Send again"),
        )
    if trouble is Trouble.CANNOT_KEEP:
        return Page(gettext("What you added has not been kept."), stays, danger, gettext("Try again"))
    if trouble is Trouble.TOO_MANY:
        what = gettext("What you added has not been kept.") + " " + stays
        return Page(gettext("This phone has sent too much."), what, _ask_here(), gettext("Try again"))
    if trouble is Trouble.FORM_TOO_OLD:
        return Page(
            gettext("This page had been open too long."),
            gettext("What you added has not been kept.") + " " + stays,
            gettext("Tap the button to send it."),
            gettext("Send now"),
        )
    return Page(
        gettext("What you added could not be read."),
        gettext("What you added has not been kept.") + " " + stays,
        gettext("Try again, or go back to your request."),
        gettext("Try again"),
    )


def _page(trouble: Trouble) -> Page:
    address = config().region.fallback_address
    if trouble is Trouble.NOT_KNOWN_YET:
        return Page(
            gettext("We don't know yet whether your request has been kept."),
            gettext("This device is slow to answer. Asking again never makes a second request."),
            gettext("Tap the button. Life in danger? Call 112, or send someone to %(address)s.", address=address),
            gettext("Ask again"),
        )
    if trouble is Trouble.CANNOT_KEEP:
        return Page(
            gettext("This device can't keep your request now."),
            gettext("Nobody has your request. What you filled in is still on this page."),
            gettext(
                "Danger? Call 112 if a phone works. Otherwise: go to %(address)s, or send someone.", address=address
            ),
            gettext("Try again"),
        )
    if trouble is Trouble.FORM_TOO_OLD:
        return Page(
            gettext("This page had been open too long."),
            gettext("Your request has not been sent. What you filled in is still on this page."),
            gettext("Tap the button to send it."),
            gettext("Send now"),
        )
    if trouble is Trouble.TOO_MANY:
        return Page(
            gettext("This phone has sent too much."),
            gettext("Nobody has your request. What you filled in is still on this page."),
            _ask_here(),
            gettext("Try again"),
        )
    if trouble is Trouble.CLOSED:
        return Page(
            gettext("This point is closed."),
            gettext("Nobody has your request. What you filled in is still on this page."),
            gettext("Life in danger? Call 112. If that fails: go to %(address)s, or send someone.", address=address),
            gettext("Try again"),
        )
    return Page(
        gettext("This request could not be read."),
        gettext("Your request has not been sent."),
        gettext("Try again, or start again from the first page."),
        gettext("Try again"),
    )


def _ask_here() -> str:
    address = config().region.fallback_address
    danger = gettext("Life in danger? Call 112, or send someone to %(address)s.", address=address)
    return gettext("Go to the screen of this point, or ask the staff.") + " " + danger
