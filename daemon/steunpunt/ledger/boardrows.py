"""The waiting board: the numbers of a kiosk and how far each is. Nothing else of them is read here."""

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.tables import tickets
from steunpunt.ledger.testrows import test_counters
from steunpunt.model import TicketState

LINES_MAX = 60
"""Most numbers on the board: those that changed last. Who is not on it follows by number."""
CLOSED_SHOWN_MS = 2 * 3_600_000
"""How long a closed one stays on the board."""
_T = tickets.c


class BoardLine(Struct, frozen=True):
    """One number: its counter, its state, and since when."""

    counter: int
    state: int
    state_ms: int


def board(connection: sa.Connection, now_ms: int) -> tuple[list[BoardLine], int]:
    """Return what stands on the board, and how many more do not fit.

    What has an answer comes first, the newest first; then all others by their number. The tickets of help buttons are
    not on it: nobody holds their number. Nor are test requests: they are nobody's.
    """
    shown = sa.and_(
        _T.secret_salt.is_not(None),
        _T.counter.not_in(test_counters(connection)),
        sa.or_(_T.state < TicketState.CLOSED, _T.state_ms > now_ms - CLOSED_SHOWN_MS),
    )
    count = connection.execute(sa.select(sa.func.count()).select_from(tickets).where(shown)).scalar_one()
    columns = sa.select(_T.counter, _T.state, _T.state_ms)
    rows = connection.execute(columns.where(shown).order_by(_T.state_ms.desc(), _T.counter.desc()).limit(LINES_MAX))
    found = [BoardLine(row.counter, row.state, row.state_ms) for row in rows]
    answered = [line for line in found if line.state == TicketState.ANSWERED]
    others = sorted((line for line in found if line.state != TicketState.ANSWERED), key=lambda line: line.counter)
    return [*answered, *others], max(count - LINES_MAX, 0)
