"""Deleting what is over, as the housekeeping asks for it: one turn of the loop, at a kiosk and at a coordinator."""

import logging

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.common import Counts
from steunpunt.ledger import retention
from steunpunt.ledger.retention import Limits
from steunpunt.ledger.store import Ledger

_log = logging.getLogger(__name__)


class Tidy(Struct, frozen=True):
    """Asked by the housekeeping: delete what is over."""

    limits: Limits


def tidy(ledger: Ledger, connection: sa.Connection, asked: Tidy, now_ms: int, counts: Counts) -> dict[str, object]:
    """Delete what is over, and keep and count what was done; returns it for who asked."""
    outcome = retention.retention(connection, now_ms, asked.limits)
    retention.note(ledger, connection, outcome, now_ms)
    counts["retention_deleted"] += outcome.deleted
    _log.info("action=retention deleted=%d closed=%d open=%d", outcome.deleted, outcome.closed, outcome.open)
    return {"deleted": outcome.deleted, "closed": outcome.closed, "open": outcome.open, "more": outcome.more}
