"""A coordinator's rows: epochs and pieces heard, cases, events, replies on their way back."""

import contextlib
from enum import IntEnum
from typing import TypeVar

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from steunpunt.facts import NOTHING, Facts
from steunpunt.ledger.tables import cases, events, gateways, heard_epochs, heard_pieces, replies, sites
from steunpunt.model import SENDING_LINKS, FrameHeard, Lane, LinkName, SealError, SteunpuntError, TicketState, TokenCode
from steunpunt.protocol import vault
from steunpunt.protocol.messages import QuestionReply
from steunpunt.relay.replies import SiteRoads

REPLIES_MAX = 200
"""Most replies looked at in one turn."""
GATEWAYS_MAX = 8
"""Most gateways remembered of one site."""
_KEY_LABEL = b"case key"
_CONTENT_LABEL = b"case content"
_EVENT_LABEL = b"event"


class Damaged(SteunpuntError, ValueError):
    """What lies here cannot be read: the disk changed it, or it was written under another ledger's key."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a case holds that nobody may read from the disk: the request, and the keys that answer it."""

    category: int
    life_threat: bool
    text: str
    language: str
    verify: bytes
    answer: bytes
    facts: Facts = NOTHING
    newer: bool = False
    skill: int = 0
    """With what, and ``hours``: how long, of an offer."""
    hours: int | None = None


class EventContent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an event holds: who, and what was written."""

    by: str = ""
    text: str = ""
    code: int = 0
    to: str = ""
    how: str = ""
    reference: str = ""
    read_back: bool = False
    presses: int = 0
    facts: Facts = NOTHING
    reply: QuestionReply | None = None
    newer: bool = False
    phrases: bytes = b""
    """Of an answer; see protocol.answerbody.pack_phrases."""
    coordinator: int = 0
    """The other coordinator that this is about."""
    doubtful: bool = False
    """A supplement of a card that does not count any more."""


Member = TypeVar("Member", bound=IntEnum)


def member(kind: type[Member], value: object) -> Member | None:
    """Return the member with this number; None for none, and for a number that a damaged row holds."""
    return kind(value) if isinstance(value, int) and value in kind._value2member_map_ else None


class Piece(Struct, frozen=True):
    """Names a message of a site."""

    site: int
    eid: bytes
    n: int


class Reply(Struct, frozen=True):
    """Something a kiosk should still be told."""

    id: int
    case_id: int
    at: Piece
    code: TokenCode | None
    packet: bytes | None
    tries: int
    next_ms: int
    lane: Lane


PAPER_KIND = "paper"
"""Kind of the event that says that a case came on paper."""


# Made once: to build a statement takes longer than to run it.
_OF: sa.BindParameter[int] = sa.bindparam("of")
_EID: sa.BindParameter[bytes] = sa.bindparam("eid_of")
_N: sa.BindParameter[int] = sa.bindparam("n_of")


def _is(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.site == _OF, table.c.eid == _EID, table.c.n == _N)


def _named(at: "Piece") -> dict[str, object]:
    return {"of": at.site, "eid_of": at.eid, "n_of": at.n}


_EPOCH = sa.select(heard_epochs).where(heard_epochs.c.site == _OF, heard_epochs.c.eid == _EID)
_GENERATIONS = sa.select(heard_epochs.c.generation).where(heard_epochs.c.site == _OF).distinct()
_OPENED = sa.select(heard_pieces.c.opened).where(_is(heard_pieces))
_DROP_PIECE = sa.delete(heard_pieces).where(_is(heard_pieces))
_ADD_PIECE = sa.insert(heard_pieces)
_ADD_SITE = sa.insert(sites)
_CHANGE_ROAD: dict[tuple[str, ...], sa.Update] = {
    names: sa.update(sites).where(sites.c.site == _OF).values({name: sa.bindparam(name) for name in names})
    for names in (("mesh_ms", "mesh_radio"), ("broker_ms", "carrier"))
}
_CONTENT = sa.select(cases.c.content_key, cases.c.content).where(_is(cases))
_REPLY_TRY = (
    sa.update(replies).where(replies.c.id == _OF).values(tries=sa.bindparam("tries"), next_ms=sa.bindparam("next_ms"))
)
_DELIVERED = {
    name: sa.update(replies)
    .where(
        replies.c.case_id.in_(sa.select(cases.c.id).where(_is(cases))),
        replies.c[name] == sa.bindparam("which"),
        replies.c.delivered_ms.is_(None),
    )
    .values(delivered_ms=sa.bindparam("now"))
    for name in ("salt", "code")
}


def epoch(connection: sa.Connection, site: int, eid: bytes) -> tuple[bytes, int] | None:
    """Return (e_pub, generation) of a known epoch."""
    row = connection.execute(_EPOCH, {"of": site, "eid_of": eid}).first()
    return (row.e_pub, row.generation) if row else None


def add_epoch(connection: sa.Connection, site: int, eid: bytes, e_pub: bytes, generation: int) -> None:
    """Keep an epoch whose first piece authenticated."""
    connection.execute(sa.insert(heard_epochs).values(site=site, eid=eid, e_pub=e_pub, generation=generation))


def generations_of(connection: sa.Connection, site: int) -> list[int]:
    """Return the generations of a site's secret that authentic pieces came with."""
    return list(connection.execute(_GENERATIONS, {"of": site}).scalars())


def _at(table: sa.Table, at: Piece) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.site == at.site, table.c.eid == at.eid, table.c.n == at.n)


def piece_opened(connection: sa.Connection, at: Piece) -> bool | None:
    """Return whether this piece was opened before; None: never heard."""
    return connection.execute(_OPENED, _named(at)).scalar()


def add_piece(connection: sa.Connection, at: Piece, now_ms: int) -> None:
    """Note a piece as opened: it will not be opened a second time."""
    connection.execute(_DROP_PIECE, _named(at))
    row = {"site": at.site, "eid": at.eid, "n": at.n, "body": None, "opened": True, "first_ms": now_ms}
    connection.execute(_ADD_PIECE, row)


def hold_piece(connection: sa.Connection, at: Piece, body: bytes, now_ms: int) -> None:
    """Keep a piece of an unknown epoch until its hello comes."""
    if piece_opened(connection, at) is None:
        connection.execute(
            sa.insert(heard_pieces).values(site=at.site, eid=at.eid, n=at.n, body=body, opened=False, first_ms=now_ms)
        )


def held_count(connection: sa.Connection, site: int | None = None) -> int:
    """Return how many pieces of unknown epochs are held, of one site or of all."""
    query = sa.select(sa.func.count()).where(sa.not_(heard_pieces.c.opened))
    if site is not None:
        query = query.where(heard_pieces.c.site == site)
    return int(connection.execute(query).scalar_one())


def held_pieces(connection: sa.Connection, site: int, eid: bytes) -> list[tuple[Piece, bytes]]:
    """Return what is held of an epoch."""
    where = (heard_pieces.c.site == site, heard_pieces.c.eid == eid, sa.not_(heard_pieces.c.opened))
    return [(Piece(r.site, r.eid, r.n), r.body) for r in connection.execute(sa.select(heard_pieces).where(*where))]


def drop_held(connection: sa.Connection, at: Piece) -> None:
    """Forget a held piece that did not authenticate after all."""
    connection.execute(sa.delete(heard_pieces).where(_at(heard_pieces, at), sa.not_(heard_pieces.c.opened)))


def note_road(connection: sa.Connection, site: int, frame: FrameHeard, now_ms: int) -> None:
    """Note where a site was heard: by which radio, or over whose broker."""
    values: dict[str, int | str | None] = {"mesh_ms": now_ms, "mesh_radio": frame.radio}
    if frame.link is LinkName.BROKER:
        values = {"broker_ms": now_ms, "carrier": frame.carrier}
    changed = connection.execute(_CHANGE_ROAD[tuple(values)], {"of": site, **values})
    if changed.rowcount == 0:
        connection.execute(_ADD_SITE, {"site": site, **values})


def note_gateway(connection: sa.Connection, site: int, carrier: int, now_ms: int) -> None:
    """Note that another site carried a piece of this one; the latest GATEWAYS_MAX are kept."""
    of_site = gateways.c.site == site
    connection.execute(sa.delete(gateways).where(of_site, gateways.c.carrier == carrier))
    connection.execute(sa.insert(gateways).values(site=site, carrier=carrier, heard_ms=now_ms))
    kept = sa.select(gateways.c.carrier).where(of_site).order_by(gateways.c.heard_ms.desc()).limit(GATEWAYS_MAX)
    connection.execute(sa.delete(gateways).where(of_site, gateways.c.carrier.not_in(kept)))
    changed = connection.execute(sa.update(sites).where(sites.c.site == site).values(gateway_ms=now_ms))
    if changed.rowcount == 0:
        connection.execute(sa.insert(sites).values(site=site, gateway_ms=now_ms))


def roads_of(connection: sa.Connection, site: int) -> SiteRoads:
    """Return where a site was last heard."""
    row = connection.execute(_SITE_ROADS, {"of": site}).first()
    if row is None:
        return SiteRoads(None, None, None)
    carried: tuple[tuple[int, int], ...] = ()
    if row.gateway_ms is not None:
        carried = tuple((r.heard_ms, r.carrier) for r in connection.execute(_SITE_GATEWAYS, {"of": site}))
    return SiteRoads(row.mesh_ms, row.broker_ms, row.carrier, row.mesh_radio, carried)


_SITE_ROADS = sa.select(sites).where(sites.c.site == _OF)
_SITE_GATEWAYS = sa.select(gateways).where(gateways.c.site == _OF).order_by(gateways.c.heard_ms.desc())


def only_gateways(connection: sa.Connection, since_ms: int, count_max: int) -> list[int]:
    """Return the gateways that last carried each site which, since then, was heard by no other road."""
    silent = [sa.or_(heard_ms.is_(None), heard_ms < since_ms) for heard_ms in (sites.c.mesh_ms, sites.c.broker_ms)]
    newest = sa.select(gateways.c.site, sa.func.max(gateways.c.heard_ms).label("heard_ms")).group_by(gateways.c.site)
    latest = newest.subquery()
    query = (
        sa.select(gateways.c.carrier)
        .join(latest, sa.and_(latest.c.site == gateways.c.site, latest.c.heard_ms == gateways.c.heard_ms))
        .join(sites, sites.c.site == gateways.c.site)
        .where(gateways.c.heard_ms >= since_ms, *silent)
        .distinct()
        .order_by(gateways.c.carrier)
        .limit(count_max)
    )
    return list(connection.execute(query).scalars())


class NewCase(Struct, frozen=True):
    """A case to keep."""

    at: Piece
    counter: int
    lane: int
    content_key: bytes
    content: bytes
    age_ms: int
    age_at_least: bool
    received_ms: int
    link: LinkName
    quarantined: bool = False


def add_case(connection: sa.Connection, case: NewCase) -> None:
    """Keep a new case; (site, eid, n) is unique."""
    connection.execute(
        sa.insert(cases).values(
            site=case.at.site,
            eid=case.at.eid,
            n=case.at.n,
            counter=case.counter,
            lane=case.lane,
            state=int(TicketState.RECEIVED),
            content_key=case.content_key,
            content=case.content,
            age_ms_at_receipt=case.age_ms,
            age_at_least=case.age_at_least,
            received_ms=case.received_ms,
            passed_on=False,
            presses=0,
            by_mesh=case.link is LinkName.MESH,
            by_broker=case.link is LinkName.BROKER,
            quarantined=case.quarantined,
        )
    )


def note_copy(connection: sa.Connection, at: Piece, link: LinkName, now_ms: int) -> None:
    """Note that a copy of a case's request came over another link too."""
    if link is LinkName.PAPER:
        note_paper(connection, at, now_ms)
        return
    column = "by_mesh" if link is LinkName.MESH else "by_broker"
    connection.execute(sa.update(cases).where(_at(cases, at)).values(**{column: True}))


def note_paper(connection: sa.Connection, at: Piece, now_ms: int) -> None:
    """Note in a case's log, once, that it came on paper."""
    noted = sa.select(events.c.id).where(_at(events, at), events.c.kind == PAPER_KIND)
    if connection.execute(noted).first() is None and case_of(connection, at) is not None:
        add_event(connection, at, PAPER_KIND, now_ms, None)


def case_of(connection: sa.Connection, at: Piece) -> tuple[int, int] | None:
    """Return (id, counter) of the case of this request."""
    row = connection.execute(sa.select(cases.c.id, cases.c.counter).where(_at(cases, at))).first()
    return (row.id, row.counter) if row else None


def state_code(connection: sa.Connection, at: Piece) -> TokenCode:
    """Return the token code that says how far the case of this request is; RECEIVED for anything else."""
    row = connection.execute(sa.select(cases.c.state, cases.c.close_code).where(_at(cases, at))).first()
    if row is None or row.state < TicketState.SEEN:
        return TokenCode.RECEIVED
    return member(TokenCode, row.close_code) or TokenCode.SEEN


def note_presses(connection: sa.Connection, at: Piece, presses: int) -> None:
    """Note how often a button was pressed in all."""
    more = sa.and_(_at(cases, at), cases.c.presses < presses)
    connection.execute(sa.update(cases).where(more).values(presses=presses))


def raise_to_life_threat(connection: sa.Connection, at: Piece) -> None:
    """Put a case in the first lane: what was added to it says that a life is in danger."""
    connection.execute(sa.update(cases).where(_at(cases, at)).values(lane=int(Lane.LIFE_THREAT)))


def early_supplements(connection: sa.Connection, ledger_key: bytes, at: Piece) -> list[EventContent]:
    """Return the supplements that came before their request and count; damaged and doubtful ones do not."""
    boxes = connection.execute(sa.select(events.c.content).where(_at(events, at), events.c.kind == "early")).scalars()
    found = []
    for box in boxes:
        with contextlib.suppress(Damaged):
            found.append(unbox_event(ledger_key, box))
    return [event for event in found if not event.doubtful]


def add_event(
    connection: sa.Connection, at: Piece, kind: str, now_ms: int, box: bytes | None, token: str | None = None
) -> int:
    """Keep an event of a case, or of a request still to come; returns its id."""
    row = {
        "site": at.site,
        "eid": at.eid,
        "n": at.n,
        "kind": kind,
        "at_ms": now_ms,
        "token": token,
        "content": box,
    }
    result = connection.execute(sa.insert(events).values(**row))
    return int(result.inserted_primary_key.id) if result.inserted_primary_key else 0


def add_reply(
    connection: sa.Connection,
    case_id: int,
    event_id: int,
    code: TokenCode | None,
    salt: bytes | None = None,
    packet: bytes | None = None,
) -> None:
    """Keep something to tell the kiosk, due at once."""
    row = {"case_id": case_id, "event_id": event_id, "code": code, "salt": salt, "packet": packet}
    connection.execute(sa.insert(replies).values(**row, tries=0, next_ms=0))


def pending_replies(connection: sa.Connection, up: frozenset[LinkName]) -> list[Reply]:
    """Return replies the kiosks have not acknowledged, the soonest first, at most REPLIES_MAX.

    Only those with a road among the links that are ``up``: the others must not crowd them out.
    """
    return [
        Reply(
            r.id,
            r.case_id,
            Piece(r.site, r.eid, r.n),
            member(TokenCode, r.code),
            r.packet,
            r.tries,
            r.next_ms,
            Lane(r.lane),
        )
        for r in connection.execute(_PENDING[up])
    ]


def _pending_with_roads(up: frozenset[LinkName]) -> sa.Select[tuple[object, ...]]:
    roads = {
        LinkName.BROKER: sa.or_(
            sa.and_(sites.c.broker_ms.is_not(None), sites.c.carrier.is_not(None)), sites.c.gateway_ms.is_not(None)
        ),
        LinkName.MESH: sites.c.mesh_ms.is_not(None),
    }
    has_road = sa.or_(sa.false(), *(roads[link] for link in SENDING_LINKS if link in up))
    return (
        sa.select(replies, cases.c.site, cases.c.eid, cases.c.n, cases.c.lane)
        .join(cases, cases.c.id == replies.c.case_id)
        .join(sites, sites.c.site == cases.c.site)
        .where(replies.c.delivered_ms.is_(None), has_road)
        .order_by(replies.c.next_ms, replies.c.id)
        .limit(REPLIES_MAX)
    )


_PENDING = {
    up: _pending_with_roads(up)
    for up in (
        frozenset[LinkName](),
        frozenset({LinkName.MESH}),
        frozenset({LinkName.BROKER}),
        frozenset(SENDING_LINKS),
    )
}


def note_reply_try(connection: sa.Connection, reply_id: int, tries: int, next_ms: int) -> None:
    """Note a try before it is made."""
    connection.execute(_REPLY_TRY, {"of": reply_id, "tries": tries, "next_ms": next_ms})


def note_delivered(connection: sa.Connection, at: Piece, code: TokenCode | None, salt: bytes, now_ms: int) -> None:
    """Note that the kiosk holds a reply."""
    name, which = ("salt", salt) if code is None else ("code", code)
    connection.execute(_DELIVERED[name], {**_named(at), "which": which, "now": now_ms})


def hurry(connection: sa.Connection, site: int, now_ms: int, tries_min: int) -> None:
    """A site that had gone silent is heard again: make its long-waiting replies due."""
    case_ids = sa.select(cases.c.id).where(cases.c.site == site)
    where = (replies.c.case_id.in_(case_ids), replies.c.delivered_ms.is_(None), replies.c.tries >= tries_min)
    connection.execute(sa.update(replies).where(*where, replies.c.next_ms > now_ms).values(next_ms=now_ms))


def case_key(connection: sa.Connection, ledger_key: bytes, at: Piece) -> bytes | None:
    """Return the key of a case; None when the case is not there yet, or its key is damaged."""
    wrapped = connection.execute(sa.select(cases.c.content_key).where(_at(cases, at))).scalar()
    with contextlib.suppress(Damaged):
        return unwrap_case_key(ledger_key, wrapped) if wrapped else None
    return None


def wrap_case_key(ledger_key: bytes, key: bytes, nonce: bytes) -> bytes:
    """Return a case key as the ledger keeps it."""
    return vault.close_box(ledger_key, nonce, key, _KEY_LABEL)


def unwrap_case_key(ledger_key: bytes, wrapped: bytes) -> bytes:
    """Return a case key; raises Damaged."""
    return _opened(ledger_key, wrapped, _KEY_LABEL)


def box_content(key: bytes, nonce: bytes, content: Content) -> bytes:
    """Return a case's content as the ledger keeps it."""
    return vault.close_box(key, nonce, msgspec.json.encode(content), _CONTENT_LABEL)


def unbox_content(key: bytes, box: bytes) -> Content:
    """Return a case's content; raises Damaged."""
    return msgspec.json.decode(_opened(key, box, _CONTENT_LABEL), type=Content)


def box_event(key: bytes, nonce: bytes, content: EventContent) -> bytes:
    """Return an event's content as the ledger keeps it."""
    return vault.close_box(key, nonce, msgspec.json.encode(content), _EVENT_LABEL)


def unbox_event(key: bytes, box: bytes) -> EventContent:
    """Return an event's content; raises Damaged."""
    return msgspec.json.decode(_opened(key, box, _EVENT_LABEL), type=EventContent)


def _opened(key: bytes, box: bytes, label: bytes) -> bytes:
    try:
        return vault.open_box(key, box, label)
    except (SealError, TypeError) as error:  # a damaged row holds no bytes at all, sometimes
        told = "a damaged row in the ledger: its content cannot be opened; ask again what it said"
        raise Damaged(told) from error


def content_at(connection: sa.Connection, ledger_key: bytes, at: Piece) -> Content | None:
    """Return the content of the case of this request; raises Damaged."""
    row = connection.execute(_CONTENT, _named(at)).first()
    return unbox_content(unwrap_case_key(ledger_key, row.content_key), row.content) if row else None
