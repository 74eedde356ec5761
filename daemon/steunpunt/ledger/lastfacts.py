"""When something last came or went, for the technician: no number, no text, no person."""

import sqlalchemy as sa

from steunpunt.ledger.store import Ledger
from steunpunt.ledger.tables import answers, cases, messages, tickets
from steunpunt.model import LinkName

LAST_ACT = "last_act_ms"
"""In the ledger's meta table: when a person last acted at the desk."""
_LAST_ACCEPTED = sa.select(tickets.c.created_ms).order_by(tickets.c.counter.desc()).limit(1)
_LAST_RECEIPT = sa.select(sa.func.max(messages.c.receipted_ms))
_LAST_ANSWER = sa.select(answers.c.received_ms).order_by(answers.c.id.desc()).limit(1)
_LAST_CASE = sa.select(cases.c.received_ms).order_by(cases.c.id.desc()).limit(1)


def last_at_kiosk(connection: sa.Connection) -> dict[str, int | None]:
    """Return the ledger milliseconds of a kiosk's last request, receipt and answer; None: there was none."""
    asked = {"request": _LAST_ACCEPTED, "receipt": _LAST_RECEIPT, "answer": _LAST_ANSWER}
    return {name: connection.execute(query).scalar() for name, query in asked.items()}


def last_at_coordinator(connection: sa.Connection) -> dict[str, int | None]:
    """Return the ledger milliseconds of a coordinator's last case, and of the last act of a person there."""
    acted = Ledger.get_meta(connection, LAST_ACT)
    return {
        "request": connection.execute(_LAST_CASE).scalar(),
        "act": None if acted is None else int.from_bytes(acted, "big"),
    }


def roads_tried(connection: sa.Connection, counter: int) -> list[str]:
    """Return the links over which any message of a ticket was tried."""
    tried = sa.select(sa.func.max(messages.c.mesh_tries), sa.func.max(messages.c.broker_tries))
    mesh, broker = connection.execute(tried.where(messages.c.counter == counter)).one()
    return [name for name, tries in ((LinkName.MESH, mesh), (LinkName.BROKER, broker)) if tries]
