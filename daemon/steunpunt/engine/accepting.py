"""Accepting: what a citizen asks becomes a ticket and a sealed piece, in the caller's transaction.

The plain text exists only here, in memory. The ticket is shown after the commit, never before.
"""

import hashlib
import threading
from collections import deque
from dataclasses import dataclass

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.checking import NotAccepted, checked_facts, checked_request, text_too_long, tidy_text
from steunpunt.engine.common import Entropy
from steunpunt.engine.offers import LANE, OfferMade, check_room, checked_offer
from steunpunt.facts import NOTHING, Facts, Mark
from steunpunt.ledger import outgoing
from steunpunt.ledger.store import Ledger
from steunpunt.ledger.testrows import note_test
from steunpunt.model import (
    Category,
    HelpSubmitted,
    Lane,
    Squeezed,
    SupplementCode,
    SupplementSubmitted,
    TicketState,
    parse_ticket_number,
    ticket_number,
)
from steunpunt.protocol import forms, messages, tickets
from steunpunt.protocol.keys import Chain, MessageKeys, SiteKeys, epoch_id, hkdf
from steunpunt.protocol.pieces import MESSAGE_BYTES_MAX, seal_message
from steunpunt.protocol.text import characters_beyond
from steunpunt.relay.outbox import lane_for
from steunpunt.values import replace

BEGUN_MAX = 512
"""Epochs of one start that are remembered."""
STOCK_MAX = 64
"""Secrets stretched ahead of time: scrypt takes its 10 to 50 ms while nobody waits."""
_QUIET = (SupplementCode.UNDERSTOOD, SupplementCode.NO_LONGER_NEEDED, SupplementCode.GOT_HELP)
"""What asks for nothing goes after what does."""
_RAISE_LABEL = b"steunpunt raised form v1"


class TicketStock:
    """Stretched secrets in memory, filled by a helper thread, emptied by the loop."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._ready: deque[tickets.StretchedSecret] = deque(maxlen=STOCK_MAX)
        self._taken = threading.Event()

    def full(self) -> bool:
        """Return whether nothing need be stretched now."""
        return len(self._ready) >= STOCK_MAX

    def refill(self) -> None:
        """Stretch one secret."""
        self._ready.append(self._stretch())

    def take(self) -> tickets.StretchedSecret:
        """Return a fresh secret; stretches one at once when the stock is empty."""
        self._taken.set()
        try:
            return self._ready.popleft()
        except IndexError:
            return self._stretch()

    def wait_taken(self) -> None:
        """Wait until one was taken since the last call: for the thread that refills."""
        self._taken.wait()
        self._taken.clear()

    def _stretch(self) -> tickets.StretchedSecret:
        secret = tickets.secret_text(self._entropy.token(tickets.SECRET_RANDOM_BYTES))
        return tickets.stretch(secret, self._entropy.token(tickets.SALT_BYTES))


@dataclass(slots=True)
class _Epoch:
    eid: bytes
    e_pub: bytes
    chain: Chain


class Sealer:
    """Seals messages in this start's epoch, and keeps the epoch's public key in the ledger."""

    def __init__(self, keys: SiteKeys, entropy: Entropy) -> None:
        self._keys = keys
        self._entropy = entropy
        self._epoch: _Epoch | None = None
        self._kept = False
        self._begun: dict[bytes, None] = {}
        """The epochs since this start."""

    def current(self, connection: sa.Connection) -> _Epoch:
        """Return an epoch with numbers left, begun in this transaction where need be."""
        if self._epoch is None or self._epoch.chain.spent:
            e_pub, chain = self._keys.open_epoch(self._entropy.token(32))
            self._epoch = _Epoch(epoch_id(e_pub), e_pub, chain)
            self._kept = False
            outgoing.add_epoch(connection, self._epoch.eid, e_pub)
            self._begun[self._epoch.eid] = None
            while len(self._begun) > BEGUN_MAX:
                del self._begun[next(iter(self._begun))]
        return self._epoch

    def of_this_start(self, eid: bytes) -> bool:
        """Return whether an epoch began since this start: what speaks of its messages cannot be an old recording."""
        return eid in self._begun

    def seal_to(self, region_public: bytes) -> None:
        """Seal by another public key of the region from the next message on."""
        if region_public != self._keys.region_public:
            self._keys = replace(self._keys, region_public=region_public)
            self._epoch, self._kept = None, False

    def committed(self) -> None:
        """Note that the transaction in which the epoch was begun is on the disk."""
        self._kept = self._epoch is not None

    def rolled_back(self) -> None:
        """Forget an epoch whose row was rolled back with its transaction."""
        if not self._kept:
            self._epoch = None

    def seal(self, connection: sa.Connection, message: messages.Message, squeezed: Squeezed | None = None) -> "Sealed":
        """Spend a message number and seal; the number is gone even if the transaction fails.

        ``squeezed``: its text, compressed ahead of time. NotAccepted for a message that does not fit sixteen fragments.
        """
        epoch = self.current(connection)
        plain = messages.pack(message, epoch.eid, squeezed)
        if len(plain) > MESSAGE_BYTES_MAX:
            text = message.text if isinstance(message, messages.HelpRequest | messages.Supplement) else ""
            over = characters_beyond(len(text), len(plain), MESSAGE_BYTES_MAX)
            raise text_too_long(over, "this does not fit sixteen fragments; shorten the text")
        n, keys = epoch.chain.take()
        parts = seal_message(self._keys.site, epoch.eid, n, keys, plain)
        return Sealed(epoch.eid, epoch.e_pub, n, keys, b"".join(part.body for part in parts))


class Sealed(Struct, frozen=True):
    """A sealed message with the keys that must not be stored as they are."""

    eid: bytes
    e_pub: bytes
    n: int
    keys: MessageKeys
    body: bytes
    """The bodies of all its fragments, one after the other: :func:`steunpunt.relay.outbox.body_parts` cuts them."""


def open_ticket_key(keys: SiteKeys, eid: bytes, n: int) -> bytes:
    """Return the key that locks answers to a button's call; (eid, n) never come twice, so neither does the key.

    A button's ticket has no secret half: nobody holds one. What is answered to it is shown openly at the point, and the
    desk is told so.
    """
    return hkdf(keys.secret, salt=eid + bytes([n]), info=b"steunpunt open ticket v1")


class Acceptor:
    """Turns forms and button calls into tickets and messages."""

    def __init__(self, keys: SiteKeys, sealer: Sealer, stock: TicketStock, form_key: bytes) -> None:
        self._keys = keys
        self._sealer = sealer
        self._stock = stock
        self._form_key = form_key

    def help(
        self, connection: sa.Connection, form: HelpSubmitted, now_ms: int, *, closed_since_ms: int | None = None
    ) -> dict[str, object]:
        """Accept a help request; the same form gets the same ticket. Raises NotAccepted.

        A point that is closed since ``closed_since_ms`` still accepts what was begun before: who was promised a form
        here is not sent away with it. Of what the same form says later only a life
        threat counts: whoever taps "no" and then "yes" means yes.
        """
        token = self._known_token(form.form_token)
        counter = self._submitted(connection, token, is_request=True)
        if counter is not None:
            return self._again(connection, counter, token, form, now_ms)
        self._check_fresh(token, now_ms)
        _check_open(token, closed_since_ms)
        text, facts = checked_request(form)
        counter = outgoing.next_counter(connection)
        request = messages.HelpRequest(counter, form.category, form.life_threat, text, form.language, facts)
        lane = lane_for(form.category, life_threat=form.life_threat)
        if facts.mark is Mark.TEST:  # with the ticket, so that no waiting board ever shows it
            note_test(connection, counter)
        return self._keep_new(connection, request, token, lane, now_ms, form.squeezed)

    def offer(
        self, connection: sa.Connection, form: OfferMade, now_ms: int, *, closed_since_ms: int | None = None
    ) -> dict[str, object]:
        """Accept a neighbour's offer; the same form gets the same ticket. Raises NotAccepted."""
        token = self._known_token(form.form_token)
        counter = self._submitted(connection, token, is_request=True)
        if counter is not None:
            return self._same(counter, outgoing.ticket(connection, counter), token)
        self._check_fresh(token, now_ms)
        _check_open(token, closed_since_ms)
        check_room(connection)
        offer = checked_offer(form, outgoing.next_counter(connection))
        return self._keep_new(connection, offer, token, LANE, now_ms)

    def _keep_new(
        self,
        connection: sa.Connection,
        message: messages.HelpRequest | messages.Offer,
        token: forms.FormToken,
        lane: Lane,
        now_ms: int,
        squeezed: Squeezed | None = None,
    ) -> dict[str, object]:
        """Seal and keep what begins a ticket, with a secret half for who asked."""
        ticket, counter = self._stock.take(), message.counter
        sealed = self._sealer.seal(connection, message, squeezed)
        locked = tickets.lock(ticket.key, sealed.keys.answer)
        copy = tickets.lock(tickets.copy_key(token.random), ticket.secret.encode())
        life_threat = isinstance(message, messages.HelpRequest) and message.life_threat
        row = outgoing.Ticket(
            counter, life_threat, TicketState.KEPT, now_ms, now_ms, None, None, ticket.salt, locked, copy
        )
        outgoing.add_ticket(connection, row)
        self._keep(connection, sealed, counter, token.digest, lane, now_ms, is_request=True)
        return {"number": ticket_number(self._keys.site, counter), "secret": ticket.secret, "repeated": False}

    def call(self, connection: sa.Connection, token: bytes, now_ms: int, *, life_threat: bool = False) -> int:
        """Accept a button's call as a help request of its own kind; returns its counter."""
        counter = outgoing.next_counter(connection)
        request = messages.HelpRequest(counter, Category.BUTTON, life_threat=life_threat)
        sealed = self._sealer.seal(connection, request)
        locked = tickets.lock(open_ticket_key(self._keys, sealed.eid, sealed.n), sealed.keys.answer)
        row = outgoing.Ticket(
            counter, request.life_threat, TicketState.KEPT, now_ms, now_ms, None, None, None, locked, None
        )
        outgoing.add_ticket(connection, row)
        lane = lane_for(Category.BUTTON, life_threat=life_threat)
        self._keep(connection, sealed, counter, token, lane, now_ms, is_request=True)
        return counter

    def raise_call(self, connection: sa.Connection, counter: int, token: bytes, now_ms: int) -> None:
        """Say of an earlier call that a life is in danger, once."""
        row = outgoing.ticket(connection, counter)
        if row is not None and not row.life_threat:
            outgoing.raise_to_life_threat(connection, counter)
            self.add(connection, counter, SupplementCode.LIFE_THREAT, token, now_ms)

    def supplement(self, connection: sa.Connection, form: SupplementSubmitted, now_ms: int) -> dict[str, object]:
        """Accept an addition to an earlier request; the same form adds once. Raises NotAccepted."""
        token = self._known_token(form.form_token)
        counter = self._submitted(connection, token, is_request=False)
        if counter is not None:
            return {"number": ticket_number(self._keys.site, counter), "repeated": True}
        self._check_fresh(token, now_ms)
        counter = self.known_counter(connection, form.number)
        text, facts = tidy_text(form.text), checked_facts(form.facts)
        reply = None if form.question is None else messages.QuestionReply(*form.question)
        self.add(
            connection,
            counter,
            form.code,
            token.digest,
            now_ms,
            text=text,
            facts=facts,
            reply=reply,
            squeezed=form.squeezed,
        )
        return {"number": ticket_number(self._keys.site, counter), "repeated": False}

    def add(  # noqa: PLR0913  one supplement's facts
        self,
        connection: sa.Connection,
        counter: int,
        code: SupplementCode,
        digest: bytes,
        now_ms: int,
        *,
        text: str = "",
        presses: int = 0,
        facts: Facts = NOTHING,
        reply: messages.QuestionReply | None = None,
        squeezed: Squeezed | None = None,
    ) -> None:
        """Seal and keep a supplement; it goes in its request's lane, thanks in the last."""
        eid, n, lane = outgoing.request_of(connection, counter)
        to = messages.Reference(eid, n)
        sealed = self._sealer.seal(connection, messages.Supplement(to, code, text, presses, facts, reply), squeezed)
        lane = Lane.OTHER if code in _QUIET else lane
        self._keep(connection, sealed, counter, digest, lane, now_ms, is_request=False)

    def known_counter(self, connection: sa.Connection, number: str) -> int:
        """Return the counter of a ticket of this site; NotAccepted when there is none."""
        parsed = parse_ticket_number(number)
        if parsed is None or parsed[0] != self._keys.site or outgoing.ticket(connection, parsed[1]) is None:
            raise NotAccepted("unknown_ticket", "no ticket with this number at this site")
        return parsed[1]

    def _keep(  # noqa: PLR0913  one row's facts
        self,
        connection: sa.Connection,
        sealed: Sealed,
        counter: int,
        digest: bytes,
        lane: Lane,
        now_ms: int,
        *,
        is_request: bool,
    ) -> None:
        row = outgoing.NewMessage(
            counter, is_request, digest, lane, sealed.eid, sealed.n, sealed.keys.verify, sealed.body, now_ms
        )
        outgoing.add_message(connection, row)

    def _known_token(self, text: str) -> forms.FormToken:
        token = forms.read(self._form_key, text)
        if token is None:
            raise NotAccepted("token_invalid", "this form was not given out here; show it again")
        return token

    @staticmethod
    def _submitted(connection: sa.Connection, token: forms.FormToken, *, is_request: bool) -> int | None:
        """Return the ticket of an earlier submit of this form; NotAccepted when that was another kind of form."""
        earlier = outgoing.counter_of_form(connection, token.digest)
        if earlier is not None and earlier[1] is not is_request:
            raise NotAccepted("token_invalid", "this form was used for something else; show it again")
        return None if earlier is None else earlier[0]

    @staticmethod
    def _check_fresh(token: forms.FormToken, now_ms: int) -> None:
        if token.expired(now_ms // 1000):
            raise NotAccepted("token_expired", "this form is too old; show it again")

    def _again(
        self, connection: sa.Connection, counter: int, token: forms.FormToken, form: HelpSubmitted, now_ms: int
    ) -> dict[str, object]:
        row = outgoing.ticket(connection, counter)
        if row is None or row.copy_locked is None:
            raise LookupError(f"ticket {counter} of a form has no copy of its secret")
        if form.life_threat and not row.life_threat:
            outgoing.raise_to_life_threat(connection, counter)
            digest = hashlib.sha256(_RAISE_LABEL + token.digest).digest()
            self.add(connection, counter, SupplementCode.LIFE_THREAT, digest, now_ms)
        return self._same(counter, row, token)

    def _same(self, counter: int, row: outgoing.Ticket | None, token: forms.FormToken) -> dict[str, object]:
        """Return the ticket that a form has made, with its secret half: whoever holds the form may have it."""
        if row is None or row.copy_locked is None:
            raise LookupError(f"ticket {counter} of a form has no copy of its secret")
        secret = tickets.unlock(tickets.copy_key(token.random), row.copy_locked).decode()
        return {"number": ticket_number(self._keys.site, counter), "secret": secret, "repeated": True}


def _check_open(token: forms.FormToken, closed_since_ms: int | None) -> None:
    if closed_since_ms is not None and token.issued_s > closed_since_ms // 1000:
        raise NotAccepted("closed", "this point is closed; show where help can be asked instead")


def form_key(ledger: Ledger, entropy: Entropy) -> bytes:
    """Return the key that signs this site's form tokens, made and kept at first use."""
    key = ledger.get_meta(ledger.connection, "form_key")
    if key is None:
        key = entropy.token(32)
        with ledger.transaction() as connection:
            ledger.set_meta(connection, "form_key", key)
    return key
