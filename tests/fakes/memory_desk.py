"""A desk in memory with the interface of the ledger's: the same acts, the same refusals, nothing kept."""

from steunpunt.ledger.desk import Case, CaseEvent, PassedOn
from steunpunt.ledger.deskact import CaseGone, NotAllowed
from steunpunt.model import Category, Lane, SenderFunction, TicketState, TokenCode
from steunpunt.protocol.phrases import Phrase
from steunpunt.values import replace

CASE = Case(
    id=1,
    number="47-1",
    site=47,
    lane=Lane.OTHER,
    category=Category.OTHER,
    life_threat=False,
    text="",
    language="nl",
    state=TicketState.RECEIVED,
    age_s=250,
    age_at_least=False,
    received_age_s=240,
    seen_by="",
    seen_age_s=None,
    passed_on=False,
    answered=False,
    close_code=None,
    unread_supplements=0,
    presses=0,
    links=("mesh",),
    events=(CaseEvent("received", "", 240, "", delivered=None),),
)


class MemoryDesk:
    """Holds cases by id; counts what was asked of it."""

    def __init__(self, *cases: Case) -> None:
        self.held = {case.id: case for case in cases}
        self.tokens: set[str] = set()
        self.acts: list[tuple[object, ...]] = []
        self.seen_here: list[str] = []

    def cases(self) -> list[Case]:
        return sorted(self.held.values(), key=lambda case: (case.lane, -case.age_s))

    def case(self, case_id: int) -> Case:
        if case_id not in self.held:
            raise CaseGone(f"case {case_id} is not in the ledger")
        return self.held[case_id]

    def present(self, name: str) -> None:
        self.seen_here.append(name)

    def take_up(self, case_id: int, name: str, *, token: str) -> None:
        if token not in self.tokens and self.case(case_id).state >= TicketState.SEEN:
            raise NotAllowed("Someone else has taken this up already. Look at the case.")
        if self._is_new(case_id, token, "seen", name):
            self._change(case_id, state=TicketState.SEEN, seen_by=name, seen_age_s=0)

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
        if self._is_new(case_id, token, "answer", name, function, text, *phrases):
            self._change(case_id, state=TicketState.ANSWERED, answered=True)

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
        why = "" if token in self.tokens else self.case(case_id).why_alone(name)
        if why:
            raise NotAllowed(why)
        if self.case(case_id).state < TicketState.SEEN:
            self.take_up(case_id, name, token=f"{token} seen")
        self.answer(case_id, name, function, text, token=token, phrases=phrases)

    def pass_on(self, case_id: int, name: str, told: PassedOn, *, token: str) -> None:
        details = (told.to, told.how, told.reference, told.read_back, told.control_room)
        if self._is_new(case_id, token, "passed_on", name, *details):
            self._change(case_id, passed_on=True)

    def close(self, case_id: int, name: str, code: TokenCode, *, token: str) -> None:
        if self._is_new(case_id, token, "closed", name, code):
            self._change(case_id, state=TicketState.CLOSED, close_code=code)

    def reopen(self, case_id: int, name: str, *, token: str) -> None:
        if self._is_new(case_id, token, "reopened", name):
            self._change(case_id, state=TicketState.SEEN, close_code=TokenCode.REOPENED, seen_by=name)

    def link(self, case_id: int, name: str, number: str, *, token: str) -> None:
        other = next((case for case in self.held.values() if case.number == number), None)
        if other is None:
            raise NotAllowed("There is no case with this number here.")
        if self._is_new(case_id, token, "linked", name, number):
            self._change(case_id, linked=(*self.held[case_id].linked, number))
            self._change(other.id, linked=(*other.linked, self.held[case_id].number))

    def unlink(self, case_id: int, name: str, number: str, *, token: str) -> None:
        if self._is_new(case_id, token, "unlinked", name, number):
            self._change(case_id, linked=tuple(one for one in self.held[case_id].linked if one != number))

    def _is_new(self, case_id: int, token: str, kind: str, name: str, *details: object) -> bool:
        case = self.case(case_id)
        if token in self.tokens:
            return False
        if kind not in {"seen", "linked", "unlinked"} and case.state < TicketState.SEEN:
            raise NotAllowed("Take the case up first.")
        if kind == "closed" and case.state is TicketState.CLOSED:
            raise NotAllowed("This case is closed already.")
        self.tokens.add(token)
        self.acts.append((kind, case_id, name, *details))
        text = " ".join(str(part) for part in details)
        self._change(case_id, events=(*case.events, CaseEvent(kind, name, 0, text, delivered=False)))
        return True

    def _change(self, case_id: int, **fields: object) -> None:
        self.held[case_id] = replace(self.held[case_id], **fields)
