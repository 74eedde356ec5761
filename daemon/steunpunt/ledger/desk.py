"""What a person at the desk does: look, take up, answer, pass on, close, reopen, link.

Looking changes nothing. Each act is one transaction: the event with the person's name, the case's new state, and
what the kiosk must be told. Each form acts once: its token is unique among the events. The caller rings the node's bell
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
from steunpunt.ledger import answering, incoming, standby
from steunpunt.ledger.caserows import LISTED, CaseRow, EventRow, events_of, read_case
from steunpunt.ledger.clock import boot_name, boot_time_ms
from steunpunt.ledger.deskact import Act, NotAllowed, checked_name, linked, note_act, row_of
from steunpunt.ledger.incoming import EventContent, Piece, member
from steunpunt.ledger.lastfacts import LAST_ACT
from steunpunt.ledger.store import Ledger, engine_for
from steunpunt.ledger.tables import replies
from steunpunt.model import (
    CLOSE_REASONS,
    Category,
    Lane,
    LinkName,
    SenderFunction,
    Skill,
    SupplementCode,
    TicketState,
    TokenCode,
    ticket_number,
)
from steunpunt.protocol import vault
from steunpunt.protocol.answerbody import pack_phrases, unpack_phrases
from steunpunt.protocol.messages import QuestionReply
from steunpunt.protocol.phrases import Phrase
from steunpunt.relay.standby import Stand

FIELD_CHARS_MAX = 200
REOPEN_H_MAX = 48
"""How long after its closing a case can be reopened: the kiosk listens for it 72 hours, and the word takes its time."""
_BY_PERSON = ("seen", "answer", "passed_on", "closed", "reopened")
_TAKES_UP = ("seen", "reopened")


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
    linked: tuple[str, ...] = ()
    """Public numbers of the cases that a person said belong with it."""

    @property
    def reopened(self) -> bool:
        """Return whether it was closed and opened again, be it closed once more since."""
        return self.close_code is not None and self.close_code >= TokenCode.REOPENED

    @property
    def can_reopen(self) -> bool:
        """Return whether it can be reopened: once, and not long after its closing."""
        closed_s = next((event.age_s for event in reversed(self.events) if event.kind == "closed"), 0)
        return self.state is TicketState.CLOSED and not self.reopened and closed_s < REOPEN_H_MAX * 3600

    @property
    def elsewhere(self) -> bool:
        """Return whether another coordinator deals with it, and nobody here has taken it up."""
        return self.stand in {Stand.WAITING, Stand.WITH_OTHER} and self.state < TicketState.SEEN

    def why_alone(self, name: str) -> str:
        """Return why this person can't give it the answer that another case gets; "" when that is possible.

        A life in danger is answered alone: what helps there depends on all that this one person told. So is what may
        be a thief's, what the disk damaged, and what another coordinator deals with. News in it is read first.
        """
        whys = {
            "This case is closed already.": self.state is TicketState.CLOSED,
            "This case was answered already.": self.answered,
            "Someone else has taken this up already. Look at the case.": self.seen_by not in {"", name},
            "There is news in this case. Read it first.": self.unread_supplements > 0,
            "This case is answered alone.": self.life_threat or self.quarantined or self.damaged or self.elsewhere,
        }
        return next((why for why, holds in whys.items() if holds), "")


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
            row = row_of(ledger.connection, self._ledger_key, case_id)
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
        lines = events_of(ledger.connection, self._ledger_key, row)
        history = self._history(ledger.connection, row, lines, now_ms)
        seen = next((event for event in reversed(history) if event.kind in _TAKES_UP), None)
        last_act = max((i for i, event in enumerate(history) if event.kind in _BY_PERSON), default=-1)
        return Case(
            id=columns["id"],
            number=number_of(row),
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
            linked=linked(lines),
        )

    @staticmethod
    def _history(connection: sa.Connection, case: CaseRow, lines: list[EventRow], now_ms: int) -> tuple[CaseEvent, ...]:
        delivered: dict[int, bool] = {}  # a long answer only when all its packets are
        for r in connection.execute(sa.select(replies).where(replies.c.case_id == case.columns["id"])):
            delivered[r.event_id] = delivered.get(r.event_id, True) and r.delivered_ms is not None
        return tuple(_event(row, now_ms, delivered=delivered.get(row.id)) for row in lines)

    # --- acting -------------------------------------------------------------------------------------------------

    def present(self, name: str) -> None:
        """Note that a person is here and looking; kiosks are told how long ago that was."""
        checked_name(name)
        with self._opened() as ledger, ledger.transaction() as connection:
            note_act(ledger, connection)

    def take_up(self, case_id: int, name: str, *, token: str) -> None:
        """Take a case up, "Ik pak dit op": the one act that means *seen*. NotAllowed when another has taken it up."""
        with self._act(case_id, name, token) as act:
            if act.again("seen"):
                return
            if act.row.state >= TicketState.SEEN:
                raise NotAllowed("Someone else has taken this up already. Look at the case.")
            answering.take_up(act, name)

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
        plain = answering.packed(function, text, phrases)
        with self._act(case_id, name, token) as act:
            if act.again("answer"):
                return
            act.must_be_taken_up()
            answering.tell(
                act, EventContent(by=name, text=text, phrases=pack_phrases(phrases, "")), plain, self._random
            )

    def answer_also(
        self,
        case_id: int,
        name: str,
        function: SenderFunction,
        text: str,
        *,
        token: str,
        phrases: tuple[Phrase, ...] = (),
    ) -> None:
        """Give a case the answer that another got; who does so takes it up. As :meth:`answer`, once per token.

        NotAllowed, and nothing is changed, for what :meth:`Case.why_alone` keeps apart at this moment.
        """
        plain = answering.packed(function, text, phrases)
        checked_name(name)
        with self._opened() as ledger, ledger.transaction() as connection:
            act = Act(self, ledger, connection, case_id, token)
            if act.again("answer"):
                return
            if why := self._case(ledger, act.row, standby.stands(connection)).why_alone(name):
                raise NotAllowed(why)
            if act.row.state < TicketState.SEEN:
                answering.take_up(Act(self, ledger, connection, case_id, token=""), name)
            answering.tell(
                act, EventContent(by=name, text=text, phrases=pack_phrases(phrases, "")), plain, self._random
            )

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
        """Close a case with one of CLOSE_REASONS."""
        if code not in CLOSE_REASONS:
            raise NotAllowed("Choose a reason for closing.")
        with self._act(case_id, name, token) as act:
            if act.again("closed"):
                return
            act.must_be_taken_up()
            if act.row.state == TicketState.CLOSED:
                raise NotAllowed("This case is closed already.")
            event_id = act.note("closed", EventContent(by=name, code=code))
            told = code.again if act.row.close_code is TokenCode.REOPENED else code
            act.state(TicketState.CLOSED)
            act.change(close_code=int(told))
            act.tell(event_id, told)

    def reopen(self, case_id: int, name: str, *, token: str) -> None:
        """Open a closed case again, once: who asked reads that somebody takes it up. Who does so has taken it up.

        NotAllowed for one that is not closed, was reopened before, or was closed over REOPEN_H_MAX hours ago.
        """
        with self._act(case_id, name, token) as act:
            if act.again("reopened"):
                return
            if act.row.state != TicketState.CLOSED:
                raise NotAllowed("This case is not closed.")
            if act.row.close_code is not None and act.row.close_code >= TokenCode.REOPENED:
                raise NotAllowed("This case was reopened before. Let the person ask anew.")
            closed_ms = act.last("closed")
            if closed_ms is None or act.now_ms() - closed_ms >= REOPEN_H_MAX * 3_600_000:
                raise NotAllowed("This case was closed too long ago. Let the person ask anew.")
            event_id = act.note("reopened", EventContent(by=name))
            act.change(state=int(TicketState.SEEN), close_code=int(TokenCode.REOPENED))
            act.tell(event_id, TokenCode.REOPENED)

    def link(self, case_id: int, name: str, number: str, *, token: str) -> None:
        """Note at both cases that they belong together, such as two requests for one event. Nothing of them is merged.

        ``number``: the other's public number. NotAllowed when there is no such case, or they are linked already.
        """
        with self._act(case_id, name, token) as act:
            if not act.again("linked"):
                other = act.other(number)
                if number_of(other.row) in act.linked():
                    raise NotAllowed("These cases are linked already.")
                act.note("linked", EventContent(by=name, reference=number_of(other.row)))
                other.note("linked", EventContent(by=name, reference=number_of(act.row)))

    def unlink(self, case_id: int, name: str, number: str, *, token: str) -> None:
        """Note at both cases that they don't belong together after all."""
        with self._act(case_id, name, token) as act:
            if not act.again("unlinked"):
                other = act.other(number)
                if number_of(other.row) not in act.linked():
                    raise NotAllowed("These cases are not linked.")
                act.note("unlinked", EventContent(by=name, reference=number_of(other.row)))
                other.note("unlinked", EventContent(by=name, reference=number_of(act.row)))

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
    def _act(self, case_id: int, name: str, token: str) -> Iterator[Act]:
        checked_name(name)
        with self._opened() as ledger, ledger.transaction() as connection:
            yield Act(self, ledger, connection, case_id, token)

    @property
    def ledger_key(self) -> bytes:
        """Return the ledger's key."""
        return self._ledger_key

    def nonce(self) -> bytes:
        """Return a fresh nonce."""
        return self._random(vault.NONCE_BYTES)


def number_of(row: CaseRow) -> str:
    """Return a case's public number."""
    return ticket_number(row.at.site, row.columns["counter"])


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
