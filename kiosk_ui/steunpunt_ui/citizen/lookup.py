"""Looking a ticket up. An unknown number and a wrong secret half get the same answer."""

import re
from http import HTTPStatus
from typing import Any

from flask import Response, make_response, render_template, url_for
from flask_babel import gettext

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt.model import parse_ticket_number, ticket_number
from steunpunt_ui.context import client, config
from steunpunt_ui.manners import may_guess, note_wrong_code
from steunpunt_ui.pages import Page, show_message
from steunpunt_ui.texts import plain_digits

_SECRET = re.compile(r"([0-9A-HJKMNP-TV-Z]{4})[-\s]*([0-9A-HJKMNP-TV-Z]{4})")
"""Crockford's base 32, as the node makes them; what is misread (O, I, L, U) is put right first."""
_LOOKALIKES = str.maketrans("OILU", "011V")
_DASHES = str.maketrans("\u2010\u2011\u2012\u2013\u2212/._", "--------")


def tidy_number(typed: str) -> str:
    """Return a typed number as it is written on tickets, or "" when it cannot be one."""
    parts = parse_ticket_number(re.sub(r"(?<=\d)\s+(?=\d)", "-", plain_digits(typed.strip()).translate(_DASHES)))
    return ticket_number(*parts) if parts else ""


def tidy_secret(typed: str) -> str:
    """Return a typed secret half as it is written on tickets, or "" when it cannot be one."""
    match = _SECRET.fullmatch(plain_digits(typed.strip()).upper().translate(_DASHES).translate(_LOOKALIKES))
    return f"{match[1]}-{match[2]}" if match else ""


def find(number: str, secret: str | None) -> dict[str, Any] | Response:
    """Return the node's reply for a ticket, or the page that says why there is none."""
    tidy = tidy_number(number)
    half = tidy_secret(secret) if secret is not None else ""
    if not tidy or (secret is not None and not half):
        return not_found(tidy)
    if not may_guess(tidy, half):
        return _too_often(tidy)
    try:
        return client().call("ticket", number=tidy, **({"secret": half} if secret is not None else {}))
    except Refused:
        note_wrong_code()
        return not_found(tidy)
    except (Unreachable, NotKnownYet):
        return _away(number)


def not_found(number: str = "") -> Response:
    """Return the one page for a number that is not here and a code that is wrong, and the way to type both again."""
    page = Page(
        gettext("We can't find this."),
        gettext("This point does not know the number, or the code is wrong."),
        gettext("Look again at your number and code. They are known at the point where you asked for help."),
        look_up=_look_up(number),
    )
    return make_response(show_message(page, at_desk=False), HTTPStatus.NOT_FOUND)


def _look_up(number: str) -> str:
    return url_for("citizen.follow", number=number or None)


def _too_often(number: str) -> Response:
    page = Page(
        gettext("Too many numbers or codes were wrong."),
        gettext("Wait a minute, then try again. Your request stays."),
        gettext("Ask the staff."),
        look_up=_look_up(number),
    )
    return make_response(show_message(page, at_desk=False), HTTPStatus.TOO_MANY_REQUESTS)


def _away(number: str) -> Response:
    page = Page(
        gettext("This device can't look up your request now."),
        gettext("We don't know how far it is. This page keeps trying."),
        gettext(
            "Keep your number. Life in danger? Call 112, or send someone to %(address)s.",
            address=config().region.fallback_address,
        ),
    )
    poll = url_for("citizen.ticket_mark", number=number)
    body = render_template("citizen/message.html", page=page, mark="away", poll=poll)
    return make_response(body, HTTPStatus.SERVICE_UNAVAILABLE)
