"""Twenty bugs and more to plant: each is one function changed in memory, as a slip of the hand might have it.

A simulation that cannot see these is worth nothing. What a bug does is said by its name; where it must show, by its
case.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from steunpunt.engine import sending
from steunpunt.engine.accepting import Sealer
from steunpunt.engine.common import Flights
from steunpunt.engine.intake import Intake
from steunpunt.engine.region import RegionWatch
from steunpunt.ledger import incoming, outgoing
from steunpunt.model import CLOSE_CODES, Lane, LedgerError, TicketState, TokenCode
from steunpunt.protocol import answers, messages, tickets, vault
from steunpunt.protocol.keys import Chain, SiteKeys
from steunpunt.protocol.tokens import HeardTokens
from steunpunt.relay import outbox, states
from steunpunt.sim.region.machine import CoordinatorMachine, KioskMachine
from steunpunt.sim.region.world import PowerCut
from steunpunt.values import replace

Function = Callable[..., Any]


@dataclass(frozen=True)
class Bug:
    """One bug: in place of ``owner.name`` stands what ``make`` makes of the right one."""

    told: str
    owner: Any
    name: str
    make: Callable[[Function], Any]
    case: str = "small"
    also: "Bug | None" = None
    """The other half of the same slip."""

    @contextmanager
    def planted(self) -> Iterator[None]:
        own, right = vars(self.owner).get(self.name), getattr(self.owner, self.name)
        setattr(self.owner, self.name, self.make(right))
        try:
            with self.also.planted() if self.also is not None else nullcontext():
                yield
        finally:
            delattr(self.owner, self.name) if own is None else setattr(self.owner, self.name, own)


def _acts_before_the_commit(turn: Function) -> Function:
    def wrong(self: Any, events: list[Any], before_commit: Function) -> list[Any]:
        kept: list[Any] = []
        engine_turn = self.engine.turn

        def remember(*arguments: Any) -> list[Any]:
            kept.extend(engine_turn(*arguments))
            return kept

        self.engine.turn = remember
        try:
            return list(turn(self, events, before_commit))
        except (PowerCut, LedgerError):
            return kept
        finally:
            del self.engine.turn

    return wrong


def _number_again(_take: Function) -> Function:
    def wrong(self: Any) -> tuple[int, Any]:
        link, spent = self._link, self._next
        n, keys = _take(self)
        if n % 2:
            self._link, self._next = link, spent
        return n, keys

    return wrong


def _hello_once(_says_hello: Function) -> Function:
    return lambda *, receipted, tries: not receipted and tries <= 1


def _taken_is_received(_note_taken: Function) -> Function:
    def wrong(_self: Any, connection: Any, part: Any, now_ms: int) -> None:
        counter = outgoing.counter_of_request(connection, part.message_id)
        if counter is not None:
            outgoing.raise_state(connection, counter, TicketState.RECEIVED, now_ms)

    return wrong


def _falls(_raise_state: Function) -> Function:
    def wrong(connection: Any, counter: int, to: TicketState, now_ms: int) -> bool:
        values = {"s": int(to), "m": now_ms, "c": counter}
        connection.exec_driver_sql("UPDATE tickets SET state = :s, state_ms = :m WHERE counter = :c", values)
        return True

    return wrong


def _in_any_order(told: Function) -> Function:
    def wrong(state: TicketState, closing: TokenCode | None, code: TokenCode) -> tuple[TicketState, TokenCode | None]:
        found: tuple[TicketState, TokenCode | None] = told(state, None if code in CLOSE_CODES else closing, code)
        return found

    return wrong


def _only_three_tries(links_for: Function) -> Function:
    return lambda message, roads: () if message.mesh_tries + message.broker_tries >= 3 else links_for(message, roads)


def _in_one_line(choose: Function) -> Function:
    def wrong(waiting: Any, *arguments: Any) -> Any:
        return choose([replace(message, lane=Lane.OTHER) for message in waiting], *arguments)

    return wrong


def _ok_is_received(_note_handheld: Function) -> Function:
    def wrong(connection: Any, counter: int, now_ms: int) -> bool:
        return outgoing.raise_state(connection, counter, TicketState.RECEIVED, now_ms)

    return wrong


def _ok_ends_the_tries(note_handheld: Function) -> Function:
    def wrong(connection: Any, counter: int, now_ms: int) -> bool:
        values = {"m": now_ms, "c": counter}
        connection.exec_driver_sql("UPDATE messages SET receipted_ms = :m WHERE counter = :c", values)
        return bool(note_handheld(connection, counter, now_ms))

    return wrong


def _reply_once(note_reply_try: Function) -> Function:
    return lambda connection, reply_id, tries, next_ms: note_reply_try(connection, reply_id, tries, next_ms + 10**9)


def _any_word_settles_all(_note_delivered: Function) -> Function:
    def wrong(connection: Any, at: Any, _code: Any, _salt: bytes, now_ms: int) -> None:
        connection.exec_driver_sql(
            "UPDATE replies SET delivered_ms = :m WHERE case_id IN "
            "(SELECT id FROM cases WHERE site = :s AND eid = :e AND n = :n)",
            {"m": now_ms, "s": at.site, "e": at.eid, "n": at.n},
        )

    return wrong


def _cut(pack: Function) -> Function:
    def wrong(message: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(message, messages.HelpRequest):
            return pack(replace(message, text=message.text[:-1]), *rest[:1])  # not as it was squeezed ahead of time
        return pack(message, *rest, **named)

    return wrong


def _harmless(pack: Function) -> Function:
    def wrong(message: Any, *rest: Any, **named: Any) -> Any:
        if isinstance(message, messages.HelpRequest):
            message = replace(message, life_threat=False)
        return pack(message, *rest, **named)

    return wrong


def _never(_right: Function) -> Function:
    return lambda *_a, **_k: None


def _no(_right: Function) -> Function:
    return lambda *_a, **_k: False


def _yes(_right: Function) -> Function:
    return lambda *_a, **_k: True


BUGS = (
    Bug("a kiosk shows and sends before its commit", KioskMachine, "turn", _acts_before_the_commit),
    Bug("a coordinator receipts before its commit", CoordinatorMachine, "turn", _acts_before_the_commit),
    Bug("a message number seals twice", Chain, "take", _number_again),
    Bug(
        "an epoch is the same after each start",
        SiteKeys,
        "open_epoch",
        lambda right: lambda self, _ephemeral: right(self, self.secret),
    ),
    Bug("the token check is skipped", HeardTokens, "claims", lambda _: lambda _self, _verify: [TokenCode.RECEIVED]),
    Bug("the check whose answer it is is skipped", answers, "answer_is_for", _yes),
    Bug("a form sent twice is not known", outgoing, "counter_of_form", _never),
    Bug("a piece that was opened is not known", incoming, "piece_opened", _never),
    Bug("hello is dropped after the first try", outbox, "says_hello", _hello_once),
    Bug("taken by the next hop counts as received", sending.Sender, "_note_taken", _taken_is_received),
    Bug(
        "the bridge counts, whether the region answers or not",
        outbox.Roads,
        "region_answers",
        lambda _: property(lambda self: self.broker_up),
    ),
    Bug("the incarnation is ignored", RegionWatch, "raised_incarnation", _no, case="restored"),
    Bug("a state may fall", outgoing, "raise_state", _falls),
    Bug("an old closing closes what was opened again", states, "told", _in_any_order),
    Bug("a request is given up after three tries", outbox, "links_for", _only_three_tries, case="away"),
    Bug("a life threat waits its turn", outbox, "choose", _in_one_line, case="overload"),
    Bug("a handheld's OK counts as received", outgoing, "note_handheld", _ok_is_received, case="overload"),
    Bug("a handheld's OK ends the tries", outgoing, "note_handheld", _ok_ends_the_tries, case="overload"),
    Bug("a reply is sent once", incoming, "note_reply_try", _reply_once),
    Bug("one word from a kiosk settles all replies of its case", incoming, "note_delivered", _any_word_settles_all),
    Bug(
        "what a ticket locks lies in the clear",
        tickets,
        "lock",
        lambda _: lambda _key, content: content,
        also=Bug("", tickets, "unlock", lambda _: lambda _key, locked: locked),
    ),
    Bug(
        "cases lie in the clear",
        vault,
        "close_box",
        lambda _: lambda _key, nonce, content, _label: nonce + content,
        also=Bug("", vault, "open_box", lambda _: lambda _key, box, _label: box[vault.NONCE_BYTES :]),
    ),
    Bug("a nonce is used again", Intake, "_nonce", lambda _: lambda _self: bytes(vault.NONCE_BYTES)),
    Bug("the last letter is lost", messages, "pack", _cut),
    Bug("a life threat is not said to be one", messages, "pack", _harmless),
    Bug("attempts of a turn that was not kept stay under way", Flights, "rolled_back", _never),
    Bug("an epoch of a turn that was not kept stays in use", Sealer, "rolled_back", _never),
)
