"""What must hold at every step of a simulated region, against a record of what truly happened.

The record knows only what was committed or done: what people asked, what a next hop took, what stood in a coordinator's
ledger, what a person did at the desk. A ledger that was put back does not undo what was true.
"""

import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import sqlalchemy as sa

from steunpunt.ledger import incoming, newsrows
from steunpunt.ledger.incoming import Content, Piece
from steunpunt.ledger.tables import cases, events
from steunpunt.model import Category, FrameError, LinkName, SendFrame, SteunpuntError, TicketState, parse_ticket_number
from steunpunt.protocol.announcements import unpack_announcement
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import HeardPiece, parse_pieces
from steunpunt.sim.mesh import DUTY_CYCLE_MAX_PERCENT
from steunpunt.sim.region.machine import CoordinatorMachine, KioskMachine, Machine

CANARY_BYTES_MIN = 6
"""Shorter words turn up in random bytes by chance."""
DUTY_SLACK_PERCENT = 1.0
"""The firmware looks at its hour when it takes a packet, and by then 16 may be waiting."""
_LIFE_THREATS_DUE = "SELECT 1 FROM messages WHERE lane = 0 AND receipted_ms IS NULL AND mesh_next_ms <= ? LIMIT 1"
_TICKETS = (
    "SELECT t.counter, t.state, m.eid, m.n, m.lane FROM tickets t "
    "JOIN messages m ON m.counter = t.counter AND m.is_request ORDER BY t.counter"
)
# Raw SQL: these are asked after each turn that changed something.
_NEW_CASES = "SELECT id, site, eid, n, content_key, content FROM cases WHERE id > ? ORDER BY id"
_NEW_SUPPLEMENTS = (
    "SELECT id, kind, site, eid, n, content FROM events WHERE id > ? AND kind IN ('supplement', 'early') ORDER BY id"
)


_DESK_SAYS = "SELECT site, eid, n, state, close_code FROM cases"
_KIOSK_SAYS = (
    "SELECT t.counter, m.eid, m.n, t.state, t.close_code FROM tickets t "
    "JOIN messages m ON m.counter = t.counter AND m.is_request ORDER BY t.counter"
)


class Violation(SteunpuntError, AssertionError):
    """Something happened that must never happen."""


class Asked(NamedTuple):
    """A request as its kiosk keeps it."""

    counter: int
    state: TicketState
    at: Piece
    lane: int


@dataclass
class Record:
    """What truly happened."""

    texts: dict[str, Category] = field(default_factory=dict)
    """What people wrote into forms."""
    more_texts: set[str] = field(default_factory=set)
    """What people added later."""
    answers: dict[Piece, list[str]] = field(default_factory=lambda: defaultdict(list))
    news: set[str] = field(default_factory=set)
    """What the desks announced."""
    secrets: set[str] = field(default_factory=set)
    asked: dict[Piece, float] = field(default_factory=dict)
    """When each request was first seen in a kiosk's ledger, in simulated ms."""
    lanes: dict[Piece, int] = field(default_factory=dict)
    taken: set[Piece] = field(default_factory=set)
    """Of which messages every piece was taken."""
    taken_parts: dict[Piece, int] = field(default_factory=dict)
    """Of which fragments, as a bitmap."""
    cases: dict[Piece, float] = field(default_factory=dict)
    """When each case was first seen in a coordinator's ledger."""
    receipted: dict[Piece, float] = field(default_factory=dict)
    shown: dict[Piece, TicketState] = field(default_factory=dict)
    """What a kiosk showed last of each request: of two live copies of a card only one may be told."""
    acts: dict[TicketState, set[Piece]] = field(default_factory=lambda: defaultdict(set))
    mistakes: int = 0
    """Cases closed by mistake that somebody is still to open again."""
    reopened: set[Piece] = field(default_factory=set)
    closed_again: set[Piece] = field(default_factory=set)
    """Of these, the ones that were closed once more."""
    bodies: dict[tuple[Piece, int | None], bytes] = field(default_factory=dict)


def pieces_in(payload: bytes) -> list[HeardPiece]:
    """Return the pieces in a packet, none when there are none."""
    try:
        return parse_pieces(payload) if kind_of(payload) in (Kind.PIECE, Kind.FRAGMENT) else []
    except FrameError:
        return []


class Watch:
    """Looks at each step; raises Violation."""

    def __init__(self) -> None:
        self.record = Record()
        self.counts: Counter[str] = Counter()
        self.duty_percent_max = 0.0
        self._states: dict[str, dict[Piece, TicketState]] = {}
        self._fallen: dict[str, dict[Piece, int]] = {}
        """Tickets that were opened again, by kiosk, and how many ledgers had been put back by then."""
        self._changes: dict[str, int] = {}
        self._last_case: dict[str, int] = {}
        self._last_event: dict[str, int] = {}
        self._by_text: dict[str, Piece] = {}
        self.ledgers_put_back = 0

    # --- what goes out

    def sends(self, machine: Machine, frame: SendFrame) -> None:
        """Look at a packet that a site hands to a link: a message number seals one thing once."""
        for heard in pieces_in(frame.payload):
            at, fragment = _name(heard), heard.piece.fragment
            if at.site != machine.site:
                continue
            if self.record.bodies.setdefault((at, fragment), heard.piece.body) != heard.piece.body:
                raise Violation(f"{machine.name}: epoch {at.eid.hex()} number {at.n} sealed two things")
        if frame.link is LinkName.MESH and isinstance(machine, KioskMachine):
            self._check_order(machine, frame)

    @staticmethod
    def _check_order(machine: KioskMachine, frame: SendFrame) -> None:
        """By radio a life threat that is due goes before all else of its site."""
        ours = [_name(heard) for heard in pieces_in(frame.payload) if heard.piece.site == machine.site]
        less = any(
            machine.disk.read("SELECT 1 FROM messages WHERE eid = ? AND n = ? AND lane > 0", at.eid, at.n)
            for at in ours
        )
        if less and machine.disk.read(_LIFE_THREATS_DUE, machine.now_ms()):
            raise Violation(f"{machine.name}: something went by radio before a life threat that was due")

    def shown(self, machine: Machine, body: dict[str, object]) -> None:
        """Look at what a screen shows: a ticket is shown after its commit."""
        parsed = parse_ticket_number(str(body.get("number", "")))
        if parsed is not None and not machine.disk.read("SELECT 1 FROM tickets WHERE counter = ?", parsed[1]):
            raise Violation(f"{machine.name}: a ticket was shown that the ledger does not hold")

    def took(self, frame: SendFrame) -> None:
        """Note that a next hop that leads somewhere took a packet."""
        record = self.record
        for heard in pieces_in(frame.payload):
            at, piece = _name(heard), heard.piece
            parts = record.taken_parts[at] = record.taken_parts.get(at, 0) | 1 << piece.index
            if parts == (2 << piece.last) - 1:
                record.taken.add(at)

    def transmitted(self, name: str, percent: float) -> None:
        """Look at a radio's hour."""
        self.duty_percent_max = max(self.duty_percent_max, percent)
        if percent > DUTY_CYCLE_MAX_PERCENT + DUTY_SLACK_PERCENT:
            raise Violation(f"{name}: its radio sent {percent:.2f} % of the last hour")

    # --- what is kept

    def turned(self, machine: Machine, now_ms: float) -> None:
        """Look at what a turn has changed on the disk."""
        changes = machine.ledger.changes()
        if self._changes.get(machine.name) == changes:
            return
        self._changes[machine.name] = changes
        if isinstance(machine, KioskMachine):
            self._look_at_tickets(machine, now_ms)
            self._look_at_news(machine)
        elif isinstance(machine, CoordinatorMachine):
            self._look_at_cases(machine, now_ms)
            self._look_at_events(machine)

    def put_back(self, name: str) -> None:
        """Forget how far a site's tickets and cases were: an older ledger was put back."""
        self.ledgers_put_back += 1
        for known in (self._states, self._fallen, self._changes, self._last_case, self._last_event):
            known.pop(name, None)

    def _look_at_tickets(self, machine: KioskMachine, now_ms: float) -> None:
        before = self._states.get(machine.name, {})
        now = {}
        for asked in tickets_of(machine):
            now[asked.at] = asked.state
            self.record.asked.setdefault(asked.at, now_ms)
            self.record.lanes[asked.at] = asked.lane
            if asked.state is not before.get(asked.at):
                self.record.shown[asked.at] = asked.state
                if asked.state < before.get(asked.at, TicketState.KEPT):
                    self._check_fall(machine.name, asked)
                self._check_truth(machine.name, asked, now_ms)
        if lost := before.keys() - now.keys():
            raise Violation(f"{machine.name}: {len(lost)} tickets are gone")
        self._states[machine.name] = now

    def _check_fall(self, name: str, asked: Asked) -> None:
        """A state falls only where a case was opened again, and then says that somebody has it.

        It does so once, and once more after a ledger was put back, which may know nothing of the first time.
        """
        fallen = self._fallen.setdefault(name, {})
        told = asked.state in {TicketState.SEEN, TicketState.ANSWERED} and asked.at in self.record.reopened
        if not told or fallen.get(asked.at) == self.ledgers_put_back:
            raise Violation(f"{name}: ticket {asked.counter} fell back to {asked.state.name}")
        fallen[asked.at] = self.ledgers_put_back
        self.counts["reopened at a kiosk"] += 1

    def _check_truth(self, name: str, asked: Asked, now_ms: float) -> None:
        record, at, state = self.record, asked.at, asked.state
        if state is TicketState.ON_ITS_WAY and at not in record.taken:
            raise Violation(f"{name}: ticket {asked.counter} is on its way, but no next hop took it")
        if state >= TicketState.RECEIVED:
            if at not in record.cases:
                raise Violation(f"{name}: ticket {asked.counter} is {state.name}, but no coordinator had it")
            record.receipted.setdefault(at, now_ms)
        if state is TicketState.CLOSED and at in self._fallen.get(name, ()) and at not in record.closed_again:
            raise Violation(f"{name}: ticket {asked.counter} is closed again, but nobody did that")
        acted = state <= TicketState.RECEIVED or any(at in record.acts[act] for act in TicketState if act >= state)
        if not acted or (state is TicketState.ANSWERED and not record.answers[at]):
            raise Violation(f"{name}: ticket {asked.counter} is {state.name}, but nobody did that")

    def _look_at_news(self, machine: KioskMachine) -> None:
        if not self.record.news and not machine.disk.read("SELECT 1 FROM news LIMIT 1"):
            return
        for kept in newsrows.all_news(machine.ledger.connection):
            if unpack_announcement(kept.payload).text not in self.record.news:
                raise Violation(f"{machine.name}: it keeps news that no desk announced")

    def _look_at_cases(self, machine: CoordinatorMachine, now_ms: float) -> None:
        for case_id, *at_row, wrapped, boxed in machine.disk.read(_NEW_CASES, self._last_case.get(machine.name, 0)):
            self._last_case[machine.name] = case_id
            at = Piece(*at_row)
            key = incoming.unwrap_case_key(machine.ledger_key, wrapped)
            self._check_case(machine.name, at, incoming.unbox_content(key, boxed))
            self.record.cases.setdefault(at, now_ms)

    def _check_case(self, name: str, at: Piece, content: Content) -> None:
        if content.category == Category.BUTTON:
            return
        if self.record.texts.get(content.text) != content.category:
            raise Violation(f"{name}: a case of site {at.site} says what nobody asked")
        if self._by_text.setdefault(content.text, at) != at:
            raise Violation(f"{name}: one request of site {at.site} became two cases")

    def _look_at_events(self, machine: CoordinatorMachine) -> None:
        new = machine.disk.read(_NEW_SUPPLEMENTS, self._last_event.get(machine.name, 0))
        for event_id, kind, site, eid, n, boxed in new:
            self._last_event[machine.name] = event_id
            at, connection = Piece(site, eid, n), machine.ledger.connection
            key = None if kind == "early" else incoming.case_key(connection, machine.ledger_key, at)
            content = incoming.unbox_event(key or machine.ledger_key, boxed)
            if content.text and content.text not in self.record.more_texts:
                raise Violation(f"{machine.name}: a supplement of site {site} says what nobody added")


def tickets_of(machine: KioskMachine) -> list[Asked]:
    """Return each request in a kiosk's ledger."""
    rows = machine.disk.read(_TICKETS)
    return [
        Asked(counter, TicketState(state), Piece(machine.site, eid, n), lane) for counter, state, eid, n, lane in rows
    ]


def _name(heard: HeardPiece) -> Piece:
    return Piece(heard.piece.site, heard.piece.eid, heard.piece.n)


# --- at the end


def check_all_arrived(watch: Watch, kiosks: list[KioskMachine], coordinators: list[CoordinatorMachine]) -> None:
    """Every ticket in every kiosk's ledger is one case, every supplement one event; else Violation."""
    found: Counter[Piece] = Counter()
    told: Counter[Piece] = Counter()
    """The most at any one coordinator: each keeps them all."""
    for machine in coordinators:
        connection = machine.ledger.connection
        found.update({Piece(r.site, r.eid, r.n) for r in connection.execute(sa.select(cases))})
        more = sa.select(events).where(events.c.kind.in_(("supplement", "early")))
        told |= Counter(Piece(r.site, r.eid, r.n) for r in connection.execute(more))
    for kiosk in kiosks:
        for asked in tickets_of(kiosk):
            if not found[asked.at]:
                raise Violation(f"{kiosk.name}: ticket {asked.counter} reached no case")
    added = _supplements(kiosks)
    for at, count in told.items():
        if count > added[at]:
            raise Violation(f"site {at.site}: {count} supplements at the desk, {added[at]} were sent")
    for at, count in added.items():
        if told[at] < count:
            raise Violation(f"site {at.site}: {count} supplements were sent, {told[at]} are at the desk")
    watch.counts["tickets"] = len(watch.record.asked)


def check_agreement(watch: Watch, kiosks: list[KioskMachine], coordinators: list[CoordinatorMachine]) -> None:
    """What a kiosk shows of a case, with the last word about its closing, is what stands at a desk; else Violation.

    Not after an older ledger was put back: of two closings that do not know of each other a kiosk keeps the first.
    """
    if watch.ledgers_put_back:
        return
    desks = [
        {Piece(site, eid, n): (state, code) for site, eid, n, state, code in m.disk.read(_DESK_SAYS)}
        for m in coordinators
    ]
    for kiosk in kiosks:
        for counter, eid, n, *shown in kiosk.disk.read(_KIOSK_SAYS):
            stands = [desk.get(Piece(kiosk.site, eid, n)) for desk in desks]
            if tuple(shown) not in stands:
                raise Violation(f"{kiosk.name}: ticket {counter} shows {shown}, at the desk stands {stands}")


def _supplements(kiosks: list[KioskMachine]) -> Counter[Piece]:
    """Return how many supplements the kiosks keep, by the request that they add to; copies of a card count once."""
    query = (
        "SELECT m.eid, m.n, s.eid, s.n FROM messages s "
        "JOIN messages m ON m.counter = s.counter AND m.is_request WHERE NOT s.is_request"
    )
    found = {
        (Piece(kiosk.site, eid, n), own_eid, own_n)
        for kiosk in kiosks
        for eid, n, own_eid, own_n in kiosk.ledger.connection.exec_driver_sql(query)
    }
    return Counter(at for at, _, _ in found)


def check_unreadable(watch: Watch, name: str, image: bytes, keys: tuple[bytes, ...] = ()) -> None:
    """Look for people's words, tickets' secrets and sealing keys in a ledger's pages; Violation when one is there."""
    record = watch.record
    words = [
        *record.texts,
        *record.more_texts,
        *record.secrets,
        *(a for given in record.answers.values() for a in given),
    ]
    for word in words:
        canary = word.encode()
        if len(canary) >= CANARY_BYTES_MIN and canary in image:
            raise Violation(f"{name}: the ledger holds what a person wrote, readable")
    for key in keys:
        if key in image:
            raise Violation(f"{name}: the ledger holds a sealing key")
    watch.counts["canaries"] += len(words) + len(keys)


def check_nonces(name: str, image: bytes) -> None:
    """Raise Violation when two boxes of a coordinator's ledger share their nonce."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(image)
        boxes = [
            row[0]
            for query in (
                "SELECT content_key FROM cases",
                "SELECT content FROM cases",
                "SELECT content FROM events WHERE content IS NOT NULL",
            )
            for row in connection.execute(query)
        ]
        salts = connection.execute("SELECT case_id, salt FROM replies WHERE salt IS NOT NULL").fetchall()
    finally:
        connection.close()
    nonces = [box[:12] for box in boxes]
    if len(set(nonces)) != len(nonces) or len(set(salts)) != len(salts):
        raise Violation(f"{name}: a nonce was used twice")
