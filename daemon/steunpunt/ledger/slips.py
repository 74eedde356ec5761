"""Which slips the kazernebox printed: one mark per slip, set before it goes to the printer and after it came out.

==========  ============================================================  =================================
state       what                                                          leads to
==========  ============================================================  =================================
WAITING     to be printed                                                 HANDED, NOT_NEEDED
HANDED      committed just before the printer gets it                     PRINTED, WAITING (again, perhaps
                                                                          twice on paper: ``doubtful``)
PRINTED     the printer said so                                           (stays)
NOT_NEEDED  another slip told it, or the printer was given it in vain     (stays)
==========  ============================================================  =================================

A crash while a slip is HANDED leaves it unknown whether there is paper: it is printed again, and says so.
"""

from enum import IntEnum
from functools import reduce

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.facts import Facts
from steunpunt.ledger import incoming
from steunpunt.ledger.caserows import CaseRow, EventRow, as_they_lie, events_of, read_case
from steunpunt.ledger.incoming import EventContent
from steunpunt.ledger.lastfacts import LAST_ACT
from steunpunt.ledger.store import Ledger
from steunpunt.ledger.tables import cases, events, slips, standby
from steunpunt.model import Lane, TicketState, TokenCode, ticket_number
from steunpunt.relay.alarm import Danger
from steunpunt.relay.standby import Stand

NEW_MAX = 50
"""Slips queued in one look."""
ADDITIONS_MAX = 12
"""Slips of what was added to one request; the rest stands on the desk's screen."""
DANGERS_MAX = 200
"""Open life threats that lamp and buzzer look at, the oldest first."""


class SlipState(IntEnum):
    """How far a slip is; see the module."""

    WAITING = 0
    HANDED = 1
    PRINTED = 2
    NOT_NEEDED = 3


class Slip(Struct, frozen=True):
    """One slip. ``event_id`` 0: the request itself."""

    id: int
    case_id: int
    event_id: int
    doubtful: bool
    tries: int


class Told(Struct, frozen=True):
    """What a slip tells: a case as it is now, and of an addition the event that it is about."""

    number: str
    site: int
    case: CaseRow
    facts: Facts
    age_s: int
    age_at_least: bool
    event: EventRow | None
    doubtful: bool


_ELSEWHERE = (
    sa.select(standby.c.site)
    .where(standby.c.site == cases.c.site, standby.c.eid == cases.c.eid, standby.c.n == cases.c.n)
    .where(standby.c.stand.in_([int(Stand.WAITING), int(Stand.WITH_OTHER)]), cases.c.state < int(TicketState.SEEN))
    .exists()
)
_OPEN = sa.and_(
    cases.c.lane == sa.literal_column(str(int(Lane.LIFE_THREAT))),  # written out, so that the index of these is used
    cases.c.state < int(TicketState.CLOSED),
    sa.not_(_ELSEWHERE),
)
_own = slips.alias("own")
_NEW_CASES = (
    sa.select(cases.c.id)
    .where(_OPEN, ~sa.exists().where(slips.c.case_id == cases.c.id, slips.c.event_id == 0))
    .order_by(cases.c.id)
    .limit(NEW_MAX)
)
_COUNT = sa.select(sa.func.count()).where(slips.c.case_id == cases.c.id).scalar_subquery()
_ADDED = (
    sa.select(cases.c.id.label("case_id"), sa.func.min(events.c.id).label("event_id"))
    .join(_own, sa.and_(_own.c.case_id == cases.c.id, _own.c.event_id == 0))
    .join(events, sa.and_(events.c.site == cases.c.site, events.c.eid == cases.c.eid, events.c.n == cases.c.n))
    .where(_OPEN, _own.c.state == int(SlipState.PRINTED), events.c.kind == "supplement", events.c.id > _own.c.upto)
    .where(~sa.exists().where(slips.c.case_id == cases.c.id, slips.c.event_id == events.c.id))
    .where(_COUNT <= ADDITIONS_MAX)
    .group_by(cases.c.id)
    .limit(NEW_MAX)
)
_TAKEN_MS = (
    sa.select(sa.func.min(events.c.at_ms))
    .where(events.c.site == cases.c.site, events.c.eid == cases.c.eid, events.c.n == cases.c.n)
    .where(events.c.kind == "seen")
    .scalar_subquery()
)
_DANGERS = (
    sa.select(cases.c.received_ms, cases.c.state, cases.c.passed_on, _TAKEN_MS.label("taken_ms"))
    .where(_OPEN)
    .order_by(cases.c.id)
    .limit(DANGERS_MAX)
)


def recover(connection: sa.Connection) -> int:
    """After a start: what was handed over and never heard of is to be printed again, in doubt; returns how many."""
    handed = slips.c.state == int(SlipState.HANDED)
    changed = connection.execute(sa.update(slips).where(handed).values(state=int(SlipState.WAITING), doubtful=True))
    return int(changed.rowcount)


def queue_new(connection: sa.Connection, now_ms: int) -> int:
    """Queue what has no slip yet: open life threats, and what was added since their slip; returns how many."""
    found = [{"case_id": case_id, "event_id": 0} for case_id in connection.execute(_NEW_CASES).scalars()]
    found += [{"case_id": row.case_id, "event_id": row.event_id} for row in connection.execute(_ADDED)]
    for row in found:
        values = {**row, "upto": row["event_id"], "state": int(SlipState.WAITING), "queued_ms": now_ms}
        connection.execute(sa.insert(slips).values(**values))
    return len(found)


def dangers(connection: sa.Connection) -> list[Danger]:
    """Return the open life threats that are ours, at most DANGERS_MAX."""
    rows = connection.execute(_DANGERS).all()
    seen = int(TicketState.SEEN)
    return [
        Danger(r.received_ms, (r.taken_ms or r.received_ms) if r.state >= seen else None, bool(r.passed_on))
        for r in rows
    ]


def waiting(connection: sa.Connection) -> int:
    """Return how many slips are to be printed."""
    query = sa.select(sa.func.count()).where(slips.c.state.in_([int(SlipState.WAITING), int(SlipState.HANDED)]))
    return int(connection.execute(query).scalar_one())


def next_waiting(connection: sa.Connection) -> Slip | None:
    """Return the slip to print next: requests before what was added to others, the oldest first."""
    query = sa.select(slips).where(slips.c.state == int(SlipState.WAITING))
    r = connection.execute(query.order_by(slips.c.event_id != 0, slips.c.id).limit(1)).first()
    return None if r is None else Slip(r.id, r.case_id, r.event_id, r.doubtful, r.tries)


def told(connection: sa.Connection, ledger_key: bytes, slip: Slip, now_ms: int, certain_ms: int) -> Told | None:
    """Return what a slip tells; None when its case is gone."""
    row = connection.execute(as_they_lie(cases).where(cases.c.id == slip.case_id)).first()
    if row is None:
        return None
    case = read_case(ledger_key, row)
    history = events_of(connection, ledger_key, case)
    meant = [event.content.facts for event in history if not event.content.doubtful]
    received_ms = case.columns["received_ms"]
    return Told(
        number=ticket_number(case.at.site, case.columns["counter"]),
        site=case.at.site,
        case=case,
        facts=reduce(lambda facts, later: facts.with_later(later), meant, case.content.facts),
        age_s=(case.columns["age_ms_at_receipt"] + now_ms - received_ms) // 1000,
        age_at_least=bool(case.columns["age_at_least"]) or received_ms < certain_ms,
        event=next((event for event in history if event.id == slip.event_id), None),
        doubtful=slip.doubtful,
    )


def hand(connection: sa.Connection, slip: Slip) -> None:
    """Note that a slip goes to the printer now; the request's own also tells all that was added so far."""
    values: dict[str, object] = {"state": int(SlipState.HANDED), "tries": slip.tries + 1}
    if slip.event_id == 0:
        of_case = sa.and_(cases.c.site == events.c.site, cases.c.eid == events.c.eid, cases.c.n == events.c.n)
        query = sa.select(sa.func.max(events.c.id)).join(cases, of_case).where(cases.c.id == slip.case_id)
        values["upto"] = connection.execute(query).scalar() or 0
    connection.execute(sa.update(slips).where(slips.c.id == slip.id).values(**values))


def note(
    connection: sa.Connection, slip_id: int, state: SlipState, now_ms: int | None = None, *, doubtful: bool = False
) -> None:
    """Note how a slip ended: with PRINTED when; ``doubtful``: there may be paper of it."""
    values: dict[str, object] = {"state": int(state), "printed_ms": now_ms}
    if doubtful:
        values["doubtful"] = True
    connection.execute(sa.update(slips).where(slips.c.id == slip_id).values(**values))


def tries_of(connection: sa.Connection, slip_id: int) -> int:
    """Return how often a slip was handed over; 0 for one that is not there."""
    return int(connection.execute(sa.select(slips.c.tries).where(slips.c.id == slip_id)).scalar() or 0)


def last_printed(connection: sa.Connection) -> tuple[int, int] | None:
    """Return (case id, printed at) of the slip that came out last."""
    printed = sa.select(slips).where(slips.c.state == int(SlipState.PRINTED))
    r = connection.execute(printed.order_by(slips.c.printed_ms.desc(), slips.c.id.desc()).limit(1)).first()
    return None if r is None else (r.case_id, r.printed_ms)


def take_up(
    connection: sa.Connection, ledger_key: bytes, nonce: bytes, case_id: int, by: str, now_ms: int
) -> str | None:
    """Take a case up as the desk does, in the caller's transaction; returns its number.

    None, and nothing changes, when somebody has taken it up already, or when it cannot be read any more.
    """
    row = connection.execute(as_they_lie(cases).where(cases.c.id == case_id)).first()
    case = None if row is None else read_case(ledger_key, row)
    if case is None or case.key is None or not case.content.verify or case.state >= TicketState.SEEN:
        return None
    box = incoming.box_event(case.key, nonce, EventContent(by=by))
    event_id = incoming.add_event(connection, case.at, "seen", now_ms, box)
    connection.execute(sa.update(cases).where(cases.c.id == case_id).values(state=int(TicketState.SEEN)))
    incoming.add_reply(connection, case_id, event_id, TokenCode.SEEN)
    Ledger.set_meta(connection, LAST_ACT, now_ms.to_bytes(8, "big"))
    return ticket_number(case.at.site, case.columns["counter"])
