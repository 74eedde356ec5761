"""A kiosk's rows: tickets, messages on their way, answers, button calls."""

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.tables import answers, calls, epochs, messages, tickets
from steunpunt.model import Lane, LinkName, TicketState, TokenCode
from steunpunt.relay.outbox import ALL_MISSING, Waiting

WAITING_MAX = 500
"""Most messages the outbox looks at in one turn, by lane and age; the rest waits its turn in the ledger."""
OPEN_MAX = 2_000
"""Most messages that tokens are compared with, newest first: 20,000 HMACs."""
ANSWERS_MAX = 50
"""Most packets of answers kept per ticket: three of 2,000 characters that hardly compress, or fifty short ones."""
KEEP_CLOSED_MS = 72 * 3600 * 1000


class Ticket(Struct, frozen=True):
    """One help request as the kiosk keeps it: nothing of what was written."""

    counter: int
    life_threat: bool
    state: TicketState
    state_ms: int
    created_ms: int
    passed_on_ms: int | None
    close_code: TokenCode | None
    secret_salt: bytes | None
    answer_locked: bytes
    copy_locked: bytes | None
    fallback_ms: int | None = None
    """When the readable fall-back went on the air."""
    handheld_ms: int | None = None
    """When someone with a handheld replied to it: no state, and shown as what it is."""


class NewMessage(Struct, frozen=True):
    """A sealed message to keep."""

    counter: int
    is_request: bool
    form_digest: bytes
    lane: Lane
    eid: bytes
    n: int
    verify: bytes
    piece: bytes
    created_ms: int


class OpenMessage(Struct, frozen=True):
    """A message that a token or an answer may still speak of."""

    id: int
    counter: int
    is_request: bool
    eid: bytes
    n: int
    verify: bytes
    receipted: bool
    receipted_by: int | None


class Outgoing(Struct, frozen=True):
    """What is needed to send a message once more."""

    eid: bytes
    n: int
    piece: bytes
    lane: Lane
    created_ms: int
    mesh_tries: int
    broker_tries: int
    e_pub: bytes
    receipted_epoch: bool
    missing: int
    unsent: int


class Call(Struct, frozen=True):
    """A help button's call, from the first press to its ticket's end."""

    id: int
    button: str
    pressed_ms: int
    presses: int
    presses_told: int
    told_ms: int
    counter: int | None


def add_epoch(connection: sa.Connection, eid: bytes, e_pub: bytes) -> None:
    """Keep an epoch's public key, for the hello of its pieces."""
    connection.execute(sa.insert(epochs).values(eid=eid, e_pub=e_pub, receipted=False))


_NEXT_COUNTER = sa.select(sa.func.coalesce(sa.func.max(tickets.c.counter), 0) + 1)


def next_counter(connection: sa.Connection) -> int:
    """Return the next ticket's counter."""
    return int(connection.execute(_NEXT_COUNTER).scalar_one())


_INSERT_TICKET = sa.insert(tickets)
_INSERT_MESSAGE = sa.insert(messages)


def add_ticket(connection: sa.Connection, ticket: Ticket) -> None:
    """Keep a new ticket."""
    row = {name: getattr(ticket, name) for name in Ticket.__struct_fields__}
    connection.execute(_INSERT_TICKET, {**row, "state": int(ticket.state)})


def add_message(connection: sa.Connection, message: NewMessage) -> None:
    """Keep a new message; the form's digest and (eid, n) are unique."""
    row = {name: getattr(message, name) for name in NewMessage.__struct_fields__}
    zero = {"mesh_tries": 0, "mesh_next_ms": 0, "broker_tries": 0, "broker_next_ms": 0, "unsent": 0}
    connection.execute(_INSERT_MESSAGE, {**row, **zero, "lane": int(message.lane), "missing": ALL_MISSING})


_BY_DIGEST = sa.select(messages.c.counter, messages.c.is_request).where(
    messages.c.form_digest == sa.bindparam("digest")
)


def counter_of_form(connection: sa.Connection, digest: bytes) -> tuple[int, bool] | None:
    """Return (the ticket, whether it was a help request) of an earlier submit of the same form."""
    row = connection.execute(_BY_DIGEST, {"digest": digest}).first()
    return (int(row.counter), bool(row.is_request)) if row else None


def ticket(connection: sa.Connection, counter: int) -> Ticket | None:
    """Return a ticket."""
    row = connection.execute(sa.select(tickets).where(tickets.c.counter == counter)).first()
    if row is None:
        return None
    values = row._asdict()
    values["state"] = TicketState(row.state)
    values["close_code"] = TokenCode(row.close_code) if row.close_code else None
    return Ticket(**values)


_WAITING = (
    sa.select(
        messages.c.id,
        messages.c.lane,
        messages.c.created_ms,
        messages.c.mesh_tries,
        messages.c.mesh_next_ms,
        messages.c.broker_tries,
        messages.c.broker_next_ms,
        messages.c.eid,
        messages.c.n,
        epochs.c.receipted,
        sa.func.length(messages.c.piece).label("body_bytes"),
        messages.c.missing,
        messages.c.unsent,
    )
    .join(epochs, epochs.c.eid == messages.c.eid)
    .where(messages.c.receipted_ms.is_(None))
    .order_by(messages.c.lane, messages.c.created_ms)
    .limit(WAITING_MAX)
)


def waiting(connection: sa.Connection) -> list[Waiting]:
    """Return the messages without receipt, as the outbox sees them, at most WAITING_MAX."""
    return [Waiting(r[0], Lane(r[1]), *r[2:9], bool(r[9]), *r[10:]) for r in connection.execute(_WAITING)]


def queue_figures(connection: sa.Connection) -> tuple[int, int | None]:
    """Return (messages without receipt, ledger ms of the oldest)."""
    count, oldest = connection.execute(_QUEUE).one()
    return int(count), oldest


# Made once: asked all day, and to build a statement takes longer than to run it.
_QUEUE = sa.select(sa.func.count(), sa.func.min(messages.c.created_ms)).where(messages.c.receipted_ms.is_(None))
_LAST_RECEIPT = sa.select(sa.func.max(messages.c.receipted_ms))


def last_receipt_ms(connection: sa.Connection) -> int | None:
    """Return the ledger ms of the last receipt, None when there was none yet."""
    return connection.execute(_LAST_RECEIPT).scalar()


def outgoing(connection: sa.Connection, message_id: int) -> Outgoing:
    """Return what is needed to send a message once more."""
    query = (
        sa.select(messages, epochs.c.e_pub, epochs.c.receipted)
        .join(epochs, epochs.c.eid == messages.c.eid)
        .where(messages.c.id == message_id)
    )
    r = connection.execute(query).one()
    return Outgoing(
        r.eid,
        r.n,
        r.piece,
        Lane(r.lane),
        r.created_ms,
        r.mesh_tries,
        r.broker_tries,
        r.e_pub,
        bool(r.receipted),
        r.missing,
        r.unsent,
    )


def note_try(connection: sa.Connection, message_id: int, link: LinkName, tries: int, next_ms: int) -> None:
    """Note a try before it is made, so that the wait survives a crash."""
    values = {f"{link}_tries": tries, f"{link}_next_ms": next_ms}
    connection.execute(sa.update(messages).where(messages.c.id == message_id).values(**values))


def note_fragments(connection: sa.Connection, message_id: int, *, unsent: int) -> None:
    """Note which fragments this mesh try has still to send; with it a WANT is answered."""
    values = {"unsent": unsent, "missing": ALL_MISSING}
    connection.execute(sa.update(messages).where(messages.c.id == message_id).values(**values))


def note_missing(connection: sa.Connection, message_id: int, missing: int, link: LinkName, now_ms: int) -> None:
    """Note which fragments the coordinator asks for; they are due at once on the link that it asked on."""
    values = {"missing": missing, "unsent": 0, f"{link}_next_ms": now_ms}
    connection.execute(sa.update(messages).where(messages.c.id == message_id).values(**values))


def say_hello_again(connection: sa.Connection, eid: bytes, now_ms: int) -> bool:
    """The region does not know this epoch: its next packets carry e_pub, and one of them is due now.

    Returns False when this site has no such epoch or nothing to send in it.
    """
    known = connection.execute(sa.update(epochs).where(epochs.c.eid == eid).values(receipted=False)).rowcount
    first = sa.select(sa.func.min(messages.c.id)).where(messages.c.eid == eid, messages.c.receipted_ms.is_(None))
    message_id = connection.execute(first).scalar()
    if not known or message_id is None:
        return False
    due = {"mesh_next_ms": now_ms, "broker_next_ms": now_ms}
    connection.execute(sa.update(messages).where(messages.c.id == message_id).values(**due))
    return True


def offer_again(
    connection: sa.Connection, coordinator: int, incarnation: int, now_ms: int, due_ms: dict[LinkName, int]
) -> int:
    """What an older copy of this coordinator's ledger receipted may be lost there: offer it again, hello and all.

    Only of tickets that are not closed for longer than KEEP_CLOSED_MS; returns how many messages. Their tickets keep
    their states: that it was received once stays true. ``due_ms``: from when on, by link.
    """
    older = (messages.c.receipted_by >= coordinator << 8, messages.c.receipted_by < coordinator << 8 | incarnation)
    alive = sa.or_(tickets.c.state < TicketState.CLOSED, tickets.c.state_ms > now_ms - KEEP_CLOSED_MS)
    counters = sa.select(tickets.c.counter).where(alive)
    where = (*older, messages.c.receipted_ms.is_not(None), messages.c.counter.in_(counters))
    eids = [r.eid for r in connection.execute(sa.select(messages.c.eid).where(*where).distinct())]
    zero = {"mesh_tries": 0, "broker_tries": 0, "unsent": 0} | {f"{link}_next_ms": at for link, at in due_ms.items()}
    again = connection.execute(sa.update(messages).where(*where).values(receipted_ms=None, missing=ALL_MISSING, **zero))
    connection.execute(sa.update(epochs).where(epochs.c.eid.in_(eids)).values(receipted=False))
    return again.rowcount


def open_messages(connection: sa.Connection, now_ms: int) -> list[OpenMessage]:
    """Return the messages a token may speak of: unreceipted ones and those of tickets not long closed."""
    return [
        OpenMessage(r.id, r.counter, r.is_request, r.eid, r.n, r.verify, r.receipted_ms is not None, r.receipted_by)
        for r in connection.execute(_OPEN, {"closed_before_ms": now_ms - KEEP_CLOSED_MS})
    ]


_OPEN = (
    sa.select(messages)
    .join(tickets, tickets.c.counter == messages.c.counter)
    .where(
        sa.or_(
            messages.c.receipted_ms.is_(None),
            tickets.c.state < TicketState.CLOSED,
            tickets.c.state_ms > sa.bindparam("closed_before_ms"),
        )
    )
    .order_by(messages.c.id.desc())
    .limit(OPEN_MAX)
)


def note_receipt(connection: sa.Connection, message: OpenMessage, now_ms: int, by: int) -> None:
    """Note the coordinator's receipt of a message, and with it that its epoch is known there.

    ``by``: the coordinator * 256 + its incarnation.
    """
    values = {"receipted_by": by} if message.receipted else {"receipted_ms": now_ms, "receipted_by": by}
    connection.execute(sa.update(messages).where(messages.c.id == message.id).values(**values))
    note_epoch_receipted(connection, message.eid)


def note_epoch_receipted(connection: sa.Connection, eid: bytes) -> None:
    """Note that the region knows an epoch."""
    connection.execute(_EPOCH_RECEIPTED, {"of": eid})


_EPOCH_RECEIPTED = (
    sa.update(epochs).where(epochs.c.eid == sa.bindparam("of"), sa.not_(epochs.c.receipted)).values(receipted=True)
)


def raise_state(connection: sa.Connection, counter: int, to: TicketState, now_ms: int) -> bool:
    """Raise a ticket's state; returns False when it was there or higher already."""
    changed = connection.execute(_RAISE_STATE, {"of": counter, "to": int(to), "now": now_ms})
    return bool(changed.rowcount)


_TO: sa.BindParameter[int] = sa.bindparam("to")
_RAISE_STATE = (
    sa.update(tickets)
    .where(tickets.c.counter == sa.bindparam("of"), tickets.c.state < _TO)
    .values(state=_TO, state_ms=sa.bindparam("now"))
)


def raise_to_life_threat(connection: sa.Connection, counter: int) -> None:
    """Note that a ticket is a life threat after all; what waits of its request, and is added later, goes first."""
    connection.execute(sa.update(tickets).where(tickets.c.counter == counter).values(life_threat=True))
    request = sa.and_(messages.c.counter == counter, messages.c.is_request)
    connection.execute(sa.update(messages).where(request).values(lane=int(Lane.LIFE_THREAT)))


def note_passed_on(connection: sa.Connection, counter: int, now_ms: int) -> bool:
    """Note that the request was passed on to others; returns False when that was known."""
    where = (tickets.c.counter == counter, tickets.c.passed_on_ms.is_(None))
    return bool(connection.execute(sa.update(tickets).where(*where).values(passed_on_ms=now_ms)).rowcount)


def note_told(
    connection: sa.Connection, counter: int, state: TicketState, closing: TokenCode | None, now_ms: int
) -> None:
    """Keep a ticket's new state, and the last word about closing it (relay.states.told)."""
    values = {"state": int(state), "state_ms": now_ms, "close_code": closing}
    connection.execute(sa.update(tickets).where(tickets.c.counter == counter).values(**values))


def has_answer(connection: sa.Connection, counter: int, salt: bytes) -> bool:
    """Return whether this packet of an answer is kept already."""
    query = sa.select(answers.c.id).where(answers.c.counter == counter, answers.c.salt == salt)
    return connection.execute(query).first() is not None


def add_answer(connection: sa.Connection, counter: int, salt: bytes, packet: bytes, now_ms: int) -> bool:
    """Keep an answer as it came, sealed; returns whether it is there now: False beyond ANSWERS_MAX."""
    salts = [r.salt for r in connection.execute(sa.select(answers.c.salt).where(answers.c.counter == counter))]
    if salt in salts:
        return True
    if len(salts) >= ANSWERS_MAX:
        return False
    connection.execute(sa.insert(answers).values(counter=counter, salt=salt, packet=packet, received_ms=now_ms))
    return True


def answers_of(connection: sa.Connection, counter: int) -> Sequence[tuple[bytes, int]]:
    """Return (sealed answer, received ms), oldest first."""
    query = (
        sa.select(answers.c.packet, answers.c.received_ms).where(answers.c.counter == counter).order_by(answers.c.id)
    )
    return [(r.packet, r.received_ms) for r in connection.execute(query)]


def request_of(connection: sa.Connection, counter: int) -> tuple[bytes, int, Lane]:
    """Return (eid, n, lane) of a ticket's help request."""
    query = sa.select(messages.c.eid, messages.c.n, messages.c.lane)
    r = connection.execute(query.where(messages.c.counter == counter, messages.c.is_request)).one()
    return r.eid, r.n, Lane(r.lane)


class SealedRequest(Struct, frozen=True):
    """A ticket's help request as it is kept: what any road carries."""

    n: int
    e_pub: bytes
    piece: bytes
    created_ms: int


def sealed_request(connection: sa.Connection, counter: int) -> SealedRequest:
    """Return a ticket's help request, sealed."""
    query = sa.select(messages.c.n, epochs.c.e_pub, messages.c.piece, messages.c.created_ms)
    query = query.join(epochs, epochs.c.eid == messages.c.eid)
    r = connection.execute(query.where(messages.c.counter == counter, messages.c.is_request)).one()
    return SealedRequest(r.n, r.e_pub, r.piece, r.created_ms)


def went_by_mesh(connection: sa.Connection, counter: int) -> bool:
    """Return whether any message of a ticket was tried over the mesh."""
    query = sa.select(sa.func.max(messages.c.mesh_tries)).where(messages.c.counter == counter)
    return bool(connection.execute(query).scalar())


def open_calls(connection: sa.Connection) -> list[tuple[Call, TicketState | None]]:
    """Return each button's calls that are pending or whose ticket is not closed, oldest first."""
    return [
        (
            Call(r.id, r.button, r.pressed_ms, r.presses, r.presses_told, r.told_ms, r.counter),
            None if r.state is None else TicketState(r.state),
        )
        for r in connection.execute(_OPEN_CALLS)
    ]


_OPEN_CALLS = (
    sa.select(calls, tickets.c.state)
    .outerjoin(tickets, tickets.c.counter == calls.c.counter)
    .where(
        sa.not_(calls.c.cancelled),
        sa.or_(calls.c.counter.is_(None), tickets.c.state < TicketState.CLOSED),
    )
    .order_by(calls.c.id)
)


def add_call(connection: sa.Connection, button: str, now_ms: int) -> None:
    """Keep a first press."""
    connection.execute(
        sa.insert(calls).values(
            button=button,
            pressed_ms=now_ms,
            presses=1,
            presses_told=0,
            told_ms=0,
            cancelled=False,
            counter=None,
        )
    )


def change_call(connection: sa.Connection, call_id: int, **values: int | bool) -> None:
    """Change a call's columns."""
    connection.execute(sa.update(calls).where(calls.c.id == call_id).values(**values))


def counter_of_request(connection: sa.Connection, message_id: int) -> int | None:
    """Return the ticket whose help request this message is, None for a supplement."""
    query = sa.select(messages.c.counter).where(messages.c.id == message_id, messages.c.is_request)
    return connection.execute(query).scalar()


def epoch_receipted(connection: sa.Connection, eid: bytes) -> bool:
    """Return whether the region has receipted a piece of this epoch."""
    return bool(connection.execute(_IS_RECEIPTED, {"of": eid}).scalar())


_IS_RECEIPTED = sa.select(epochs.c.receipted).where(epochs.c.eid == sa.bindparam("of"))


def supplements_of(connection: sa.Connection, counter: int) -> tuple[int, int]:
    """Return (supplements of a ticket, how many of them have no receipt yet)."""
    waiting_ones = sa.func.sum(sa.case((messages.c.receipted_ms.is_(None), 1), else_=0))
    query = sa.select(sa.func.count(), waiting_ones)
    count, unreceipted = connection.execute(
        query.where(messages.c.counter == counter, sa.not_(messages.c.is_request))
    ).one()
    return int(count), int(unreceipted or 0)


FALLBACKS_MAX = 50
"""Most life threats without receipt that are looked at for the readable fall-back, the oldest first."""


class Unheard(Struct, frozen=True):
    """A life threat that the region has not receipted."""

    counter: int
    created_ms: int
    fallback_ms: int | None


def unheard_life_threats(connection: sa.Connection) -> list[Unheard]:
    """Return the life threats whose request has no receipt, those never said in plain words first."""
    return [Unheard(r.counter, r.created_ms, r.fallback_ms) for r in connection.execute(_UNHEARD)]


_UNHEARD = (
    sa.select(tickets.c.counter, tickets.c.created_ms, tickets.c.fallback_ms)
    .join(messages, messages.c.counter == tickets.c.counter)
    .where(tickets.c.life_threat, messages.c.is_request, messages.c.receipted_ms.is_(None))
    .where(tickets.c.state < TicketState.RECEIVED)
    .order_by(tickets.c.fallback_ms.is_not(None), tickets.c.fallback_ms, tickets.c.counter)
    .limit(FALLBACKS_MAX)
)


def note_fallback(connection: sa.Connection, counter: int, at_ms: int | None) -> None:
    """Note when the readable fall-back last went on the air; None: it has not."""
    connection.execute(sa.update(tickets).where(tickets.c.counter == counter).values(fallback_ms=at_ms))


def note_handheld(connection: sa.Connection, counter: int, now_ms: int) -> bool:
    """Note that somebody replied to a ticket's fall-back; False where none was sent."""
    where = (tickets.c.counter == counter, tickets.c.fallback_ms.is_not(None))
    return bool(connection.execute(sa.update(tickets).where(*where).values(handheld_ms=now_ms)).rowcount)
