"""What a person at the desk does: look, take up, answer, pass on, close.

Looking changes nothing. Each act is one transaction: the event with the person's name, the case's new state, and
what the
kiosk must be told. Each form acts once: its token is unique among the events. The caller rings the node's bell
afterwards; polling is the truth.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct

from steunpunt import keyfiles
from steunpunt.config import Config
from steunpunt.facts import NOTHING, Facts
from steunpunt.ledger import incoming, standby
from steunpunt.ledger.caserows import LISTED, CaseRow, EventRow, as_they_lie, events_of, read_case
from steunpunt.ledger.clock import boot_name, boot_time_ms
from steunpunt.ledger.incoming import EventContent, Piece, member
from steunpunt.ledger.lastfacts import LAST_ACT
from steunpunt.ledger.outgoing import ANSWERS_MAX
from steunpunt.ledger.store import Ledger, engine_for
from steunpunt.ledger.tables import cases, events, replies
from steunpunt.model import (
    CLOSE_CODES,
    Category,
    Lane,
    LinkName,
    SenderFunction,
    Skill,
    SteunpuntError,
    SupplementCode,
    TicketState,
    TokenCode,
    ticket_number,
)
from steunpunt.protocol import answers, vault
from steunpunt.protocol.answerbody import pack_answer, pack_phrases, unpack_phrases
from steunpunt.protocol.keys import MessageKeys
from steunpunt.protocol.messages import QuestionReply
from steunpunt.protocol.phrasecodes import BOOK
from steunpunt.protocol.phrases import Phrase, may_say
from steunpunt.relay.standby import Stand

NAME_CHARS_MAX = 80
FIELD_CHARS_MAX = 200
_BY_PERSON = ("seen", "answer", "passed_on", "closed")


class CaseGone(SteunpuntError, LookupError):
    """There is no case with this id."""


class NotAllowed(SteunpuntError, ValueError):
    """This act is not possible now; the message says why and what to do first."""


class CaseEvent(Struct, frozen=True):
    """One line of a case's history. ``delivered``: whether the kiosk holds it; None: nothing to deliver."""

    kind: str
    by: str
    age_s: int
    text: str
    delivered: bool | None
    code: SupplementCode | None = None
    to: str = ""
    how: str = ""
    reference: str = ""
    read_back: bool = False
    facts: Facts = NOTHING
    """What a supplement told."""
    reply: QuestionReply | None = None
    newer: bool = False
    phrases: tuple[Phrase, ...] = ()
    coordinator: int = 0
    """The other coordinator that it is about, with kind ``elsewhere`` or ``taken_over``."""
    said: TokenCode | None = None
    """With kind ``elsewhere``: what that coordinator told the kiosk."""
    stand: Stand | None = None
    """With kind ``taken_over``: why."""
    doubtful: bool = False
    """A supplement of a card that was revoked or replaced: shown, and nothing follows from it."""

    @property
    def nobody_acted(self) -> bool:
        """Return whether a case was taken over because no person acted at the other coordinator."""
        return self.stand is Stand.ABSENT

    @property
    def told_facts(self) -> Facts:
        """Return the facts that count for the case."""
        return NOTHING if self.doubtful else self.facts


class Case(Struct, frozen=True):
    """One help request as the desk sees it. Ages in seconds; ``facts`` are the latest told."""

    id: int
    number: str
    site: int
    lane: Lane
    category: Category
    life_threat: bool
    text: str
    language: str
    state: TicketState
    age_s: int
    age_at_least: bool
    received_age_s: int
    seen_by: str
    seen_age_s: int | None
    passed_on: bool
    answered: bool
    close_code: TokenCode | None
    unread_supplements: int
    presses: int
    links: tuple[str, ...]
    events: tuple[CaseEvent, ...]
    facts: Facts = NOTHING
    newer: bool = False
    """A later version of the kiosk's software said more than this one knows."""
    skill: Skill = Skill.OTHER
    hours: int | None = None
    """Of an offer: with what, and for how many hours."""
    quarantined: bool = False
    """Sealed with a card that was revoked or replaced: it may be a thief's, or the last word before the theft."""
    coordinator: int | None = None
    """The other coordinator that its site addresses."""
    stand: Stand = Stand.OWN
    damaged: bool = False
    """The disk changed it: not all of it can be read, and what is told may be wrong."""

    @property
    def elsewhere(self) -> bool:
        """Return whether another coordinator deals with it, and nobody here has taken it up."""
        return self.stand in {Stand.WAITING, Stand.WITH_OTHER} and self.state < TicketState.SEEN


class PassedOn(Struct, frozen=True):
    """To whom a request was passed on, how (C2000, runner, phone), and under which incident number."""

    to: str
    how: str
    reference: str = ""
    read_back: bool = False
    control_room: bool = False
    """Whether ``to`` is the control room of 112."""


class Desk:
    """The desk's door to the ledger: one per process, one connection per use."""

    def __init__(
        self,
        path: Path,
        ledger_key: bytes,
        random_bytes: Callable[[int], bytes] = os.urandom,
        read_boot_ms: Callable[[], int] = boot_time_ms,
        read_boot_name: Callable[[], bytes] = boot_name,
        engine: sa.Engine | None = None,
    ) -> None:
        """``engine``: of a ledger that is open already in this process, such as one in memory."""
        self._path = path
        self._read_boot_ms = read_boot_ms
        self._read_boot_name = read_boot_name
        self._engine = engine or engine_for(path)
        self._ledger_key = ledger_key
        self._random = random_bytes

    @classmethod
    def open(cls, config: Config) -> "Desk":
        """Return the desk of a coordinator's config; raises KeyFileError, or LedgerError while the node has not run."""
        desk = cls(Path(config.ledger.path), keyfiles.read_ledger_key(Path(config.ledger.key_file or "")))
        desk.active_min()
        return desk

    # --- looking ------------------------------------------------------------------------------------------------

    def cases(self) -> list[Case]:
        """Return at most CASES_MAX cases: those that ask for something first, by priority and then age.

        Beyond that, closed ones where nothing happened lately are left out before any open one.
        """
        with self._opened() as ledger:
            stands = standby.stands(ledger.connection)
            rows = [read_case(self._ledger_key, row) for row in ledger.connection.execute(LISTED)]
            found = [self._case(ledger, row, stands) for row in rows]
        return sorted(found, key=_rank)

    def case(self, case_id: int) -> Case:
        """Return one case; CaseGone when there is none."""
        with self._opened() as ledger:
            row = _row(ledger.connection, self._ledger_key, case_id)
            return self._case(ledger, row, standby.stands(ledger.connection))

    def active_min(self) -> int | None:
        """Return minutes since a person last acted here, as the kiosks are told; None: nobody yet."""
        with self._opened() as ledger:
            acted = ledger.get_meta(ledger.connection, LAST_ACT)
            return None if acted is None else (ledger.clock.now_ms() - int.from_bytes(acted, "big")) // 60_000

    def _case(self, ledger: Ledger, row: CaseRow, stands: dict[Piece, tuple[int, Stand]]) -> Case:
        content, columns = row.content, row.columns
        coordinator, stand = stands.get(row.at, (None, Stand.OWN))
        now_ms, received_ms = ledger.clock.now_ms(), columns["received_ms"]
        history = self._history(ledger.connection, row, now_ms)
        seen = next((event for event in history if event.kind == "seen"), None)
        last_act = max((i for i, event in enumerate(history) if event.kind in _BY_PERSON), default=-1)
        return Case(
            id=columns["id"],
            number=ticket_number(row.at.site, columns["counter"]),
            site=row.at.site,
            lane=row.lane,
            category=Category(content.category),
            life_threat=content.life_threat or row.lane is Lane.LIFE_THREAT,
            text=content.text,
            language=content.language,
            state=row.state,
            age_s=(columns["age_ms_at_receipt"] + now_ms - received_ms) // 1000,
            age_at_least=bool(columns["age_at_least"]) or received_ms < ledger.clock.certain_ms,
            received_age_s=(now_ms - received_ms) // 1000,
            seen_by=seen.by if seen else "",
            seen_age_s=seen.age_s if seen else None,
            passed_on=bool(columns["passed_on"]),
            answered=any(event.kind == "answer" for event in history),
            close_code=row.close_code,
            unread_supplements=sum(
                event.kind == "supplement" and not event.doubtful for event in history[last_act + 1 :]
            ),
            presses=columns["presses"],
            links=_links(columns, history),
            events=history,
            facts=reduce(lambda facts, event: facts.with_later(event.told_facts), history, content.facts),
            newer=content.newer or any(event.newer for event in history),
            skill=Skill(content.skill),
            hours=content.hours,
            coordinator=coordinator,
            stand=stand,
            quarantined=bool(columns["quarantined"]),
            damaged=row.damaged,
        )

    def _history(self, connection: sa.Connection, case: CaseRow, now_ms: int) -> tuple[CaseEvent, ...]:
        delivered: dict[int, bool] = {}  # a long answer only when all its packets are
        for r in connection.execute(sa.select(replies).where(replies.c.case_id == case.columns["id"])):
            delivered[r.event_id] = delivered.get(r.event_id, True) and r.delivered_ms is not None
        found = events_of(connection, self._ledger_key, case)
        return tuple(_event(row, now_ms, delivered=delivered.get(row.id)) for row in found)

    # --- acting -------------------------------------------------------------------------------------------------

    def present(self, name: str) -> None:
        """Note that a person is here and looking; kiosks are told how long ago that was."""
        _checked_name(name)
        with self._opened() as ledger, ledger.transaction() as connection:
            _note_act(ledger, connection)

    def take_up(self, case_id: int, name: str, *, token: str) -> None:
        """Take a case up, "Ik pak dit op": the one act that means *seen*. NotAllowed when another has taken it up."""
        with self._act(case_id, name, token) as act:
            if act.again("seen"):
                return
            if act.row.state >= TicketState.SEEN:
                raise NotAllowed("Someone else has taken this up already. Look at the case.")
            event_id = act.note("seen", EventContent(by=name))
            act.state(TicketState.SEEN)
            act.tell(event_id, TokenCode.SEEN)

    def answer(
        self,
        case_id: int,
        name: str,
        function: SenderFunction,
        text: str,
        *,
        token: str,
        phrases: tuple[Phrase, ...] = (),
    ) -> None:
        """Answer the citizen; NotAllowed when this function may not promise what a phrase says.

        ValueError for an answer that says nothing, or does not fit sixteen packets.
        """
        if not all(may_say(BOOK[phrase.code], function) for phrase in phrases if phrase.code in BOOK):
            raise NotAllowed("Whoever answers may not promise this. Choose who answers, or another sentence.")
        plain = pack_answer(function, text, phrases)
        if len(plain) > answers.ANSWER_PLAIN_BYTES_MAX:
            most = answers.ANSWER_PLAIN_BYTES_MAX
            raise ValueError(f"an answer of {len(plain)} bytes; at most {most}: shorten the text")
        with self._act(case_id, name, token) as act:
            if act.again("answer"):
                return
            act.must_be_taken_up()
            keys = MessageKeys(b"", act.content.verify, act.content.answer)
            packets = answers.seal_answers(keys, self._random(answers.SALT_BYTES), plain)
            act.must_have_room(len(packets))
            event_id = act.note("answer", EventContent(by=name, text=text, phrases=pack_phrases(phrases, "")))
            act.state(TicketState.ANSWERED)
            for packet in packets:
                act.tell(event_id, None, answers.answer_part(packet).salt, packet)

    def pass_on(self, case_id: int, name: str, told: PassedOn, *, token: str) -> None:
        """Note that the request was passed on. Only the control room is told to the citizen, in those words."""
        content = EventContent(by=name, to=told.to, how=told.how, reference=told.reference, read_back=told.read_back)
        if not told.to.strip():
            raise NotAllowed("Fill in to whom you passed this on.")
        if max(len(told.to), len(told.how), len(told.reference)) > FIELD_CHARS_MAX:
            raise NotAllowed("A field is too long. Make it shorter.")
        with self._act(case_id, name, token) as act:
            if act.again("passed_on"):
                return
            act.must_be_taken_up()
            event_id = act.note("passed_on", content)
            act.change(passed_on=True)
            if told.control_room:
                act.tell(event_id, TokenCode.PASSED_ON)

    def close(self, case_id: int, name: str, code: TokenCode, *, token: str) -> None:
        """Close a case with one of CLOSE_CODES."""
        if code not in CLOSE_CODES:
            raise NotAllowed("Choose a reason for closing.")
        with self._act(case_id, name, token) as act:
            if act.again("closed"):
                return
            act.must_be_taken_up()
            if act.row.state == TicketState.CLOSED:
                raise NotAllowed("This case is closed already.")
            event_id = act.note("closed", EventContent(by=name, code=code))
            act.state(TicketState.CLOSED)
            act.change(close_code=int(code))
            act.tell(event_id, code)

    def _opened(self) -> "_Opened":
        ledger = Ledger(
            self._path,
            follow=True,
            read_boot_ms=self._read_boot_ms,
            read_boot_name=self._read_boot_name,
            engine=self._engine,
        )
        return _Opened(ledger)

    @contextmanager
    def _act(self, case_id: int, name: str, token: str) -> Iterator["_Act"]:
        _checked_name(name)
        with self._opened() as ledger, ledger.transaction() as connection:
            yield _Act(self, ledger, connection, case_id, token)

    @property
    def ledger_key(self) -> bytes:
        """Return the ledger's key."""
        return self._ledger_key

    def nonce(self) -> bytes:
        """Return a fresh nonce."""
        return self._random(vault.NONCE_BYTES)


def _links(columns: Mapping[str, object], history: tuple[CaseEvent, ...]) -> tuple[str, ...]:
    by_paper = any(event.kind == incoming.PAPER_KIND for event in history)
    roads = ((LinkName.MESH, columns["by_mesh"]), (LinkName.BROKER, columns["by_broker"]), (LinkName.PAPER, by_paper))
    return tuple(str(link) for link, came in roads if came)


class _Opened:
    """The ledger, open for the length of a ``with``: web threads come and go, so none keeps a connection."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __enter__(self) -> Ledger:
        return self._ledger.open()

    def __exit__(self, *_: object) -> None:
        self._ledger.close()


class _Act:
    """One act on one case, inside a transaction in which everything or nothing happens."""

    def __init__(self, desk: Desk, ledger: Ledger, connection: sa.Connection, case_id: int, token: str) -> None:
        self._desk, self._ledger, self._connection = desk, ledger, connection
        self._case_id, self._token = case_id, token
        self.row = _row(connection, desk.ledger_key, case_id)
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
        _note_act(self._ledger, self._connection)
        box = incoming.box_event(self._key, self._desk.nonce(), content)
        now_ms = self._ledger.clock.now_ms()
        return incoming.add_event(self._connection, self.at, kind, now_ms, box, self._token)

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


def _row(connection: sa.Connection, ledger_key: bytes, case_id: int) -> CaseRow:
    found = connection.execute(as_they_lie(cases).where(cases.c.id == case_id)).first()
    if found is None:
        raise CaseGone(f"case {case_id} is not in this ledger")
    return read_case(ledger_key, found)


def _note_act(ledger: Ledger, connection: sa.Connection) -> None:
    ledger.set_meta(connection, LAST_ACT, ledger.clock.now_ms().to_bytes(8, "big"))


def _checked_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_CHARS_MAX:
        raise NotAllowed("Fill in your name, at most 80 characters.")


def _event(row: EventRow, now_ms: int, *, delivered: bool | None) -> CaseEvent:
    content = row.content
    return CaseEvent(
        kind=row.kind,
        by=content.by,
        age_s=(now_ms - row.at_ms) // 1000,
        text=content.text,
        delivered=delivered,
        code=member(SupplementCode, content.code) if row.kind == "supplement" else None,
        to=content.to,
        how=content.how,
        reference=content.reference,
        read_back=content.read_back,
        facts=content.facts,
        reply=content.reply,
        newer=content.newer,
        phrases=unpack_phrases(content.phrases)[0] if content.phrases else (),
        coordinator=content.coordinator,
        said=member(TokenCode, content.code) if row.kind == "elsewhere" else None,
        stand=member(Stand, content.code) if row.kind == "taken_over" else None,
        doubtful=content.doubtful,
    )


def _rank(case: Case) -> tuple[bool, bool, int, int, int]:
    """Order of the list: closed ones without news last, others' before them; then priority, then the oldest first."""
    done = case.state is TicketState.CLOSED and not case.unread_supplements
    return (done, case.elsewhere, case.lane, -case.age_s, case.id)
