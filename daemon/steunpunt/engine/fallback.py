"""The readable fall-back: a life threat that nobody receipts also goes on the air in plain words, for handhelds.

The words tell what the request is about, how many, which point, the public number, and whether it is an exercise:
nothing else, and the secret half never. All but point and number is known in memory only, for the card keeps nothing
of a request; after a restart the words do without. A request for the police is never said by its kind: whoever
threatens may listen too.

A handheld's ``OK 47-12`` is told on the ticket as what it is. It changes no state and stops no try: anybody can send
it.
"""

import logging
import re

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.common import Counts, Links
from steunpunt.engine.sending import Sender
from steunpunt.facts import Mark
from steunpunt.ledger import outgoing
from steunpunt.model import (
    TEXT_ON_AIR_BYTES_MAX,
    Category,
    Effect,
    HelpSubmitted,
    Lane,
    LinkName,
    SendEnded,
    SendFrame,
    SendOutcome,
    TextHeard,
    parse_ticket_number,
    ticket_number,
)

AGAIN_MS = 900_000
"""Between two plain texts of one ticket."""
REFUSED_WAIT_MS = 60_000
REMEMBERED_MAX = 200
_KINDS = {
    Category.MEDICAL: "medische hulp",
    Category.FIRE: "brand",
    Category.SUPPLIES: "water, eten of medicijnen",
    Category.MISSING: "vermist",
    Category.BUTTON: "hulpknop",
}
_MARKS = {Mark.EXERCISE: "OEFENING. ", Mark.TEST: "TEST. "}
_OK = re.compile(r"\s*ok[\s:,.]+(\d{1,5}-\d{1,6})\b", re.IGNORECASE | re.ASCII)
_log = logging.getLogger(__name__)


class Sayable(Struct, frozen=True):
    """What may be said of a request, as far as it is known."""

    category: Category | None = None
    people: int | None = None
    mark: Mark = Mark.NONE


class _Flight(Struct, frozen=True):
    """A plain text on its way to the radio; ``before_ms``: when the ticket was last said before."""

    counter: int
    before_ms: int | None


def plain_words(number: str, point: str, of: Sayable) -> str:
    """Return what goes on the air, at most TEXT_ON_AIR_BYTES_MAX bytes: the point's name is cut where need be."""
    kind = f", {_KINDS[of.category]}" if of.category in _KINDS else ""
    count = f" {of.people} {'persoon' if of.people == 1 else 'personen'}." if of.people else ""
    before = f"{_MARKS.get(of.mark, '')}LEVENSGEVAAR{kind}.{count} Steunpunt "
    after = f". Nummer {number}. Kunt u helpen? Antwoord: OK {number}"
    room = TEXT_ON_AIR_BYTES_MAX - len((before + after).encode())
    return before + point.encode()[:room].decode("utf-8", "ignore").strip() + after


class FallBack:
    """See the module. All of it inside the caller's transaction."""

    def __init__(self, site: int, point: str, wait_min: int, sender: Sender, links: Links, counts: Counts) -> None:
        """``wait_min``: minutes without receipt, 0 for never."""
        self._site, self._point, self._wait_ms = site, point, wait_min * 60_000
        self._sender, self._links, self._counts = sender, links, counts
        self._known: dict[int, Sayable] = {}
        self._refused_until_ms = 0
        self.due_ms: int | None = 0

    def note(self, number: object, form: HelpSubmitted) -> None:
        """Remember of a life threat what may be said of it."""
        parsed = parse_ticket_number(str(number))
        if parsed is None or not form.life_threat:
            return
        self._known[parsed[1]] = Sayable(form.category, form.facts.people, form.facts.mark)
        while len(self._known) > REMEMBERED_MAX:
            del self._known[next(iter(self._known))]

    def rolled_back(self) -> None:
        """Look again."""
        self.due_ms = 0

    def send(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Return the plain text that goes now, at most one."""
        self.due_ms = None
        if not self._wait_ms or not self._links.mesh.up:
            return []
        if now_ms < self._refused_until_ms:
            self._look_again(self._refused_until_ms)
            return []
        for ticket in outgoing.unheard_life_threats(connection):
            due_ms = ticket.created_ms + self._wait_ms
            if ticket.fallback_ms is not None:
                due_ms = ticket.fallback_ms + AGAIN_MS
            if due_ms > now_ms:
                self._look_again(due_ms)
                continue
            text = plain_words(ticket_number(self._site, ticket.counter), self._point, self._of(ticket.counter))
            size = len(text.encode())
            if not self._sender.air.fits(connection, Lane.LIFE_THREAT, size, now_ms):
                self._look_again(self._sender.air.fits_from_ms(connection, Lane.LIFE_THREAT, size, now_ms))
                continue
            self._look_again(now_ms + AGAIN_MS)
            return [self._frame(connection, ticket, text, now_ms)]
        return []

    def _frame(self, connection: sa.Connection, ticket: outgoing.Unheard, text: str, now_ms: int) -> SendFrame:
        counter = ticket.counter
        outgoing.note_fallback(connection, counter, now_ms)
        attempt_id = self._sender.flights.begin(LinkName.MESH, _Flight(counter, ticket.fallback_ms))
        self._sender.air.spend(connection, attempt_id, len(text.encode()), now_ms)
        self._counts["fallbacks"] += 1
        _log.info("action=fallback ticket=%s bytes=%d", ticket_number(self._site, counter), len(text.encode()))
        return SendFrame(LinkName.MESH, attempt_id, b"", Lane.LIFE_THREAT, text=text)

    def _of(self, counter: int) -> Sayable:
        return self._known.get(counter, Sayable())

    def ended(self, connection: sa.Connection, event: SendEnded, flight: object, now_ms: int) -> None:
        """Take the end of an attempt: what no radio took was not said, and is tried again soon."""
        if isinstance(flight, _Flight) and event.outcome is SendOutcome.REFUSED:
            outgoing.note_fallback(connection, flight.counter, flight.before_ms)
            self._refused_until_ms = now_ms + REFUSED_WAIT_MS
            _log.info("action=fallback_refused counter=%d reason=%r", flight.counter, event.detail)

    def hear(self, connection: sa.Connection, heard: TextHeard, now_ms: int) -> None:
        """Take a text from the emergency channel: an ``OK`` to what we said there is noted, and nothing else."""
        found = _OK.match(heard.text)
        parsed = parse_ticket_number(found[1]) if found else None
        if parsed is None or parsed[0] != self._site:
            return
        noted = outgoing.note_handheld(connection, parsed[1], now_ms)
        self._counts["handheld_ok" if noted else "handheld_unasked"] += 1

    def _look_again(self, at_ms: int) -> None:
        self.due_ms = at_ms if self.due_ms is None else min(at_ms, self.due_ms)
