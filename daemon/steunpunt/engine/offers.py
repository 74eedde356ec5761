"""A neighbour's offer of help, as a form brings it: checked here, sealed to the desk in the lowest lane."""

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.checking import NotAccepted, checked_facts, tidy_text
from steunpunt.facts import NOTHING, Facts
from steunpunt.ledger.tables import messages as rows
from steunpunt.model import Lane, Skill
from steunpunt.protocol import messages

LANE = Lane.HOUSEKEEPING
"""Whoever asks for help goes first, always."""
WAITING_MAX = 40
"""Most offers that wait for a receipt at one point: a further one is refused, and kept nowhere."""


class OfferMade(Struct, frozen=True):
    """Asked by a neighbour: tell the desk of this offer. ``hours`` None: not said."""

    form_token: str
    skill: Skill
    hours: int | None
    text: str
    language: str
    facts: Facts = NOTHING


def checked_offer(form: OfferMade, counter: int) -> messages.Offer:
    """Return the offer as it is sealed; NotAccepted names what is wrong."""
    if form.language not in messages.LANGUAGES:
        raise NotAccepted("bad_request", f"language {form.language!r} is not one of {', '.join(messages.LANGUAGES)}")
    if form.hours is not None and not 0 < form.hours <= messages.HOURS_MAX:
        raise NotAccepted("bad_request", f"hours is {form.hours}; write 1 to {messages.HOURS_MAX}")
    text, facts = tidy_text(form.text), checked_facts(form.facts)
    return messages.Offer(counter, form.skill, form.hours, text, form.language, facts)


def check_room(connection: sa.Connection) -> None:
    """Raise NotAccepted while as many offers wait as this point keeps."""
    waiting = (rows.c.receipted_ms.is_(None), rows.c.is_request, rows.c.lane == int(LANE))
    count = connection.execute(sa.select(sa.func.count()).where(*waiting)).scalar_one()
    if count >= WAITING_MAX:
        raise NotAccepted("too_many_offers", f"{count} offers wait here already; tell the staff instead")
