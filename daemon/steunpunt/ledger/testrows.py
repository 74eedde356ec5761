"""Which of a kiosk's tickets are test requests: what waits in a hall is people's, and a test is nobody's."""

import json

import sqlalchemy as sa

from steunpunt.ledger.store import Ledger

TESTS_MAX = 500
"""So many of the last ones are known; one a month is 40 years."""
_META = "test_counters"


def test_counters(connection: sa.Connection) -> list[int]:
    """Return the counters of the test requests, the newest last; a record that is damaged counts as none."""
    try:
        found = json.loads(Ledger.get_meta(connection, _META) or b"[]")
    except ValueError:
        return []
    return [one for one in found if isinstance(one, int)] if isinstance(found, list) else []


def note_test(connection: sa.Connection, counter: int) -> None:
    """Remember that this ticket is a test request."""
    counters = [one for one in test_counters(connection) if one != counter]
    Ledger.set_meta(connection, _META, json.dumps([*counters, counter][-TESTS_MAX:]).encode())
