"""What each radio of this site sent in the last hour, so that a restart does not forget it."""

import sqlalchemy as sa

from steunpunt.ledger.tables import airtime
from steunpunt.relay.airbudget import HOUR_MS

_ADD = sa.insert(airtime)
_LOG = sa.select(airtime.c.at_ms, airtime.c.air_ms).where(airtime.c.radio == sa.bindparam("of")).order_by(airtime.c.id)


def add(connection: sa.Connection, radio: str, at_ms: int, air_ms: float) -> int:
    """Keep one transmission; returns its id."""
    result = connection.execute(_ADD, {"radio": radio, "at_ms": at_ms, "air_ms": air_ms})
    return int(result.inserted_primary_key.id) if result.inserted_primary_key else 0


def remove(connection: sa.Connection, entry: int) -> None:
    """Forget a transmission that the radio refused."""
    connection.execute(sa.delete(airtime).where(airtime.c.id == entry))


def forget_old(connection: sa.Connection, now_ms: int) -> None:
    """Drop what is older than the rolling hour."""
    connection.execute(sa.delete(airtime).where(airtime.c.at_ms <= now_ms - HOUR_MS))


def log_of(connection: sa.Connection, radio: str) -> list[tuple[int, float]]:
    """Return (ledger ms, ms on air) of one radio."""
    return [(r.at_ms, r.air_ms) for r in connection.execute(_LOG, {"of": radio})]
