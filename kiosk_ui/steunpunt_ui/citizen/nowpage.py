"""What to do now, for who has just asked for help in danger of life: first this, then the questions.

The page is the same for every kind of help: who stands behind somebody reads nothing of the police on it.
"""

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from steunpunt.model import TicketState
from steunpunt.protocol.phrasebook import WORDS, render
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import Phrase
from steunpunt_ui.citizen.lookup import find, tidy_secret
from steunpunt_ui.citizen.pointstate import read_status
from steunpunt_ui.citizen.states import notes_on, short_words, view_of
from steunpunt_ui.citizen.ticket import banner_for, mark_of
from steunpunt_ui.content.serving import shelf, unapproved_too
from steunpunt_ui.context import config
from steunpunt_ui.languages import language

_INSTRUCTIONS = (40, 42, 43, 53, 54)
"""Of the phrase book: not breathing, unconscious, bleeding, gas, smoke."""
_FIRST_AID = "eerste-hulp"


def show(number: str, secret: str) -> Response | str:
    """Show what to do now, and truthfully what is kept."""
    reply = find(number, secret)
    if isinstance(reply, Response):
        return reply
    if reply["state"] == TicketState.CLOSED.name:
        return redirect(url_for("citizen.ticket", number=number, secret=secret), 303)
    ticket = view_of(reply, config().region.fallback_address)
    banner = banner_for(ticket)
    sentences = instructions()
    return render_template(
        "citizen/now.html",
        ticket=ticket,
        secret=tidy_secret(secret),
        late=bool(request.args.get("al")),
        says=short_words(ticket.state),
        sentences=[render(phrase, language()) for phrase in sentences],
        notes=notes_on(sentences),
        first_aid=_first_aid(),
        banner=banner,
        mark=mark_of(ticket, banner),
        poll=url_for("citizen.ticket_mark", number=ticket.number),
    )


def instructions() -> tuple[Phrase, ...]:
    """Return what to do now. Medical words that no doctor approved stay away, but in a demonstration or an exercise."""
    medical = bool(WORDS[language()].approved_by) or unapproved_too(read_status())
    return tuple(Phrase(code) for code in _INSTRUCTIONS if medical or not BOOK[code].medical)


def _first_aid() -> str:
    """Return the address of the page about first aid; "" where there is none to show."""
    too = unapproved_too(read_status())
    page = shelf().choose(_FIRST_AID, language(), unapproved_too=too)
    return "" if page is None else url_for("citizen.info_page", slug=_FIRST_AID)
