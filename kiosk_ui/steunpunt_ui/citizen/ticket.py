"""The ticket: what anyone with the number may see, and the answer for who has the secret half."""

import hashlib
import ipaddress
import json
import re
from dataclasses import asdict
from http import HTTPStatus
from typing import Final

import segno
from flask import make_response, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt.model import TicketState
from steunpunt_ui.citizen.asking import form_token
from steunpunt_ui.citizen.home import Banner, banner_of
from steunpunt_ui.citizen.lookup import find, tidy_number, tidy_secret
from steunpunt_ui.citizen.papercode import paper_codes
from steunpunt_ui.citizen.pointstate import point_state, read_status
from steunpunt_ui.citizen.states import TicketView, answers_of, view_of
from steunpunt_ui.citizen.topnews import announcement_mark
from steunpunt_ui.context import client, config

_PAPER_HELPS = {TicketState.KEPT.name, TicketState.ON_ITS_WAY.name, TicketState.RECEIVED.name}
"""From the moment that a person deals with a request, nobody needs to carry it."""


_SAID_FIELD: Final = "gezegd"
"""Parameter of a ticket's address: how many answers it showed, and which of their questions were answered from it."""
_SAID = re.compile(r"\d{1,3}(\.\d{1,3}){0,16}", re.ASCII)
_COUNT = re.compile(r"count-(\d{1,3})", re.ASCII)
COUNT_CHARS_MAX = 12
"""Of what is typed where a number is asked: more than any number that is taken has."""


def show(number: str, secret: str | None = None) -> Response | str:
    """Show how far a request has come; with the secret half also its answers.

    From a form it is the same page with the numbers that were typed under questions, perhaps in another language.
    """
    reply = find(number, secret)
    if isinstance(reply, Response):
        return reply
    ticket = view_of(reply, config().region.fallback_address)
    banner = banner_for(ticket)
    half = tidy_secret(secret) if secret is not None else None
    answers = answers_of(reply)
    asks = bool(half and answers and ticket.state == TicketState.ANSWERED.name)
    return render_template(
        "citizen/ticket.html",
        ticket=ticket,
        secret=half,
        late=bool(half and request.args.get("al")),
        answers=answers,
        papers=paper_codes(reply.get("code")) if reply["state"] in _PAPER_HELPS else [],
        qr=_qr(ticket.number, half) if half else "",
        token=(request.form.get("token") or form_token()) if asks else "",
        counting=asks and any(not question.options for answer in answers for question in answer.questions),
        counts=typed_counts(),
        told=said_before(ticket.answers_count),
        step=lambda slug: step_address(ticket.number, half, slug, ticket.answers_count),
        banner=banner,
        mark=mark_of(ticket, banner),
        poll=url_for("citizen.ticket_mark", number=ticket.number),
    )


def typed_counts() -> dict[int, str]:
    """Return what was typed under questions that ask for a number, by the question's code."""
    found = {_COUNT.fullmatch(name): typed.strip()[:COUNT_CHARS_MAX] for name, typed in request.form.items()}
    return {int(match[1]): typed for match, typed in found.items() if match is not None}


def show_mark(number: str) -> Response:
    """Return the fingerprint of what is shown now, for polling by the public number alone."""
    try:
        reply = client().call("ticket", number=tidy_number(number))
    except Refused:
        return make_response("", HTTPStatus.NOT_FOUND)
    except (Unreachable, NotKnownYet):
        return make_response("", HTTPStatus.SERVICE_UNAVAILABLE)
    ticket = view_of(reply, config().region.fallback_address)
    return make_response(mark_of(ticket, banner_for(ticket)), {"Content-Type": "text/plain; charset=utf-8"})


def banner_for(ticket: TicketView) -> Banner | None:
    """Return what is down at this point, as on the first page, while the request is open."""
    return None if ticket.state == TicketState.CLOSED.name else banner_of(read_status())


def mark_of(ticket: TicketView, banner: Banner | None) -> str:
    """Return a fingerprint of all that the page shows, so that a poll sees a change."""
    shown = json.dumps([ticket.mark(), banner and asdict(banner), point_state().name, announcement_mark()])
    return hashlib.sha256(shown.encode()).hexdigest()[:16]


def said_before(answers_count: int) -> tuple[int, ...]:
    """Return the questions that were answered from this page; none once another answer came, which may ask again."""
    typed = request.args.get(_SAID_FIELD, "")
    count, *codes = (int(one) for one in typed.split(".")) if _SAID.fullmatch(typed) else (-1,)
    return tuple(codes) if count == answers_count else ()


def said_now(code: int | None) -> str | None:
    """Return what the ticket's address says after a question was answered; None when there is nothing to say."""
    typed = request.args.get(_SAID_FIELD, "")
    said = f"{typed}.{code}" if code is not None else typed
    return said if _SAID.fullmatch(said) else None


def step_address(number: str, secret: str | None, slug: str, answers_count: int | None = None) -> str:
    """Return where something is added to a request, with the secret half when it is known.

    ``answers_count``: of the ticket's page on which questions are answered.
    """
    if slug == "antwoorden" and secret is not None and answers_count is not None:
        said = ".".join(map(str, (answers_count, *said_before(answers_count))))
        return url_for("citizen.supplement", number=number, secret=secret, slug=slug, gezegd=said)
    if secret is None:
        return url_for("citizen.public_supplement", number=number)
    return url_for("citizen.supplement", number=number, secret=secret, slug=slug)


def _qr(number: str, secret: str) -> Markup:
    """Return the ticket as a QR code: its address, or plain text where a phone could not reach that."""
    if _is_own_device(request.host):
        content = f"{config().site.name}\n{number}\n{secret}"
    else:
        content = url_for("citizen.ticket", number=number, secret=secret, _external=True)
    code = segno.make_qr(content, error="m")
    return Markup(code.svg_inline(border=2, omitsize=True, dark="#000"))  # noqa: S704  paths made by segno


def _is_own_device(host: str) -> bool:
    """Whether an address leads a phone to itself: the kiosk's own browser is on 127.0.0.1."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"
