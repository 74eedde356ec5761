"""One act on one case: a transaction in which everything or nothing happens, once per form, in a person's name."""

from collections.abc import Iterable
from typing import Protocol

import sqlalchemy as sa

from steunpunt.ledger import incoming
from steunpunt.ledger.caserows import CaseRow, EventRow, as_they_lie, events_of, read_case
from steunpunt.ledger.incoming import EventContent
from steunpunt.ledger.lastfacts import LAST_ACT
from steunpunt.ledger.outgoing import ANSWERS_MAX
from steunpunt.ledger.store import Ledger
from steunpunt.ledger.tables import cases, events, replies
from steunpunt.model import SteunpuntError, TicketState, TokenCode

NAME_CHARS_MAX = 80
_DIGITS_MAX = 9
"""Of either half of a public number."""


class CaseGone(SteunpuntError, LookupError):
    """There is no case with this id."""


class NotAllowed(SteunpuntError, ValueError):
    """This act is not possible now; the message says why and what to do first."""


class Keys(Protocol):
    """What an act seals with."""

    @property
    def ledger_key(self) -> bytes:
        """Return the ledger's key."""
        ...

    def nonce(self) -> bytes:
        """Return a fresh nonce."""
        ...


class Act:
    """One act on one case, inside a transaction in which everything or nothing happens."""

    def __init__(self, keys: Keys, ledger: Ledger, connection: sa.Connection, case_id: int, token: str) -> None:
        self._keys, self._ledger, self._connection = keys, ledger, connection
        self._case_id, self._token = case_id, token
        self.row = row_of(connection, keys.ledger_key, case_id)
        if self.row.key is None or not self.row.content.verify:
            raise NotAllowed("This case is damaged on the disk. Reach the point another way.")
        self._key, self.content, self.at = self.row.key, self.row.content, self.row.at

    def again(self, kind: str) -> bool:
        """Return whether this form did this act before; NotAllowed when it did another one."""
        row = self._connection.execute(sa.select(events).where(events.c.token == self._token)).first()
        if row is None:
            return False
        if (row.kind, row.site, row.eid, row.n) != (kind, self.at.site, self.at.eid, self.at.n):
            raise NotAllowed("This form was used for something else already. Open the case again.")
        return True

    def must_be_taken_up(self) -> None:
        """Raise NotAllowed while nobody has taken the case up."""
        if self.row.state < TicketState.SEEN:
            raise NotAllowed("Take the case up first.")

    def must_have_room(self, packets: int) -> None:
        """Raise NotAllowed when the kiosk would not keep so many more packets of answers to this case."""
        answers = sa.select(sa.func.count()).where(replies.c.case_id == self._case_id, replies.c.code.is_(None))
        if self._connection.execute(answers).scalar_one() + packets > ANSWERS_MAX:
            raise NotAllowed("The kiosk keeps no more answers to this. Shorten it, pass this on or close it.")

    def note(self, kind: str, content: EventContent) -> int:
        """Write the event and that a person acted; returns the event's id."""
        note_act(self._ledger, self._connection)
        box, now_ms = incoming.box_event(self._key, self._keys.nonce(), content), self.now_ms()
        return incoming.add_event(self._connection, self.at, kind, now_ms, box, self._token or None)

    def last(self, kind: str) -> int | None:
        """Return ledger ms of the last event of this kind, None for none."""
        where = (events.c.site == self.at.site, events.c.eid == self.at.eid, events.c.n == self.at.n)
        newest = sa.select(sa.func.max(events.c.at_ms)).where(*where, events.c.kind == kind)
        return self._connection.execute(newest).scalar()

    def now_ms(self) -> int:
        """Return ledger time."""
        return self._ledger.clock.now_ms()

    def other(self, number: str) -> "Act":
        """Return the same act on the case with this public number; NotAllowed when there is none, or it is this one."""
        site, _, counter = number.strip().partition("-")
        case_id = None
        if all(part.isascii() and part.isdecimal() and len(part) <= _DIGITS_MAX for part in (site, counter)):
            where = (cases.c.site == int(site), cases.c.counter == int(counter))
            case_id = self._connection.execute(sa.select(sa.func.max(cases.c.id)).where(*where)).scalar()
        if case_id is None:
            raise NotAllowed("There is no case with this number here.")
        if case_id == self._case_id:
            raise NotAllowed("That is the number of this case itself.")
        return Act(self._keys, self._ledger, self._connection, case_id, token="")

    def linked(self) -> tuple[str, ...]:
        """Return the numbers of the cases that this one belongs with."""
        return linked(events_of(self._connection, self._keys.ledger_key, self.row))

    def state(self, to: TicketState) -> None:
        """Raise the case's state."""
        where = (cases.c.id == self._case_id, cases.c.state < to)
        self._connection.execute(sa.update(cases).where(*where).values(state=int(to)))

    def change(self, **values: int | bool) -> None:
        """Set columns of the case."""
        self._connection.execute(sa.update(cases).where(cases.c.id == self._case_id).values(**values))

    def tell(
        self, event_id: int, code: TokenCode | None, salt: bytes | None = None, packet: bytes | None = None
    ) -> None:
        """Queue what the kiosk must be told."""
        incoming.add_reply(self._connection, self._case_id, event_id, code, salt, packet)


def linked(history: Iterable[EventRow]) -> tuple[str, ...]:
    """Return the numbers that a case was linked to and not taken from again."""
    numbers: dict[str, None] = {}
    for event in history:
        if event.kind == "linked":
            numbers[event.content.reference] = None
        elif event.kind == "unlinked":
            numbers.pop(event.content.reference, None)
    return tuple(numbers)


def row_of(connection: sa.Connection, ledger_key: bytes, case_id: int) -> CaseRow:
    """Return a case's row; CaseGone when there is none."""
    found = connection.execute(as_they_lie(cases).where(cases.c.id == case_id)).first()
    if found is None:
        raise CaseGone(f"case {case_id} is not in this ledger")
    return read_case(ledger_key, found)


def note_act(ledger: Ledger, connection: sa.Connection) -> None:
    """Note that a person acted here just now."""
    ledger.set_meta(connection, LAST_ACT, ledger.clock.now_ms().to_bytes(8, "big"))


def checked_name(name: str) -> None:
    """Raise NotAllowed for a name that is none, or too long."""
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        raise NotAllowed("Fill in your name, at most 80 characters.")
