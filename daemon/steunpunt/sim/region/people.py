"""The people around the machines: citizens who ask and ask again, hands on buttons, and somebody at the desk."""

import random
from collections.abc import Callable

from steunpunt.facts import Facts
from steunpunt.ledger import outgoing
from steunpunt.ledger.desk import Case, PassedOn
from steunpunt.ledger.deskact import CaseGone, NotAllowed
from steunpunt.ledger.incoming import Piece
from steunpunt.model import (
    CLOSE_REASONS,
    BellRung,
    ButtonPressed,
    Category,
    HelpSubmitted,
    SenderFunction,
    SupplementCode,
    SupplementSubmitted,
    TicketState,
    parse_ticket_number,
)
from steunpunt.protocol import answers, tickets
from steunpunt.protocol.answerbody import unpack_answer
from steunpunt.sim.region.machine import CoordinatorMachine, KioskMachine
from steunpunt.sim.region.watch import Violation
from steunpunt.sim.region.world import World
from steunpunt.values import replace

ASK_AGAIN_MS = 12_000.0
LOOK_MS = (5_000.0, 60_000.0)
LOOKED_AT_MAX = 20
MISTAKEN = 0.2
"""Share of the cases that a desk closes by mistake at first."""
HALF = 0.5
WORDS = (
    "Mijn moeder is gevallen en kan niet opstaan, zij heeft veel pijn",
    "Geen insuline meer ☐, de koelkast staat al twee dagen stil",
    "Wij zijn met z'n zessen op zolder, het water staat tot de trap",
    "Où est-ce qu'il y a de l'eau potable ? Nous avons un bébé",
    "Buurman is onwel geworden, hij reageert nog maar een beetje",
    "Water",
)
CATEGORIES = (Category.MEDICAL, Category.SUPPLIES, Category.MISSING, Category.FIRE)


class Citizen:
    """Sends one form until the screen shows a number; sends the same form again when it did not."""

    def __init__(
        self, world: World, kiosk: str, rng: random.Random, *, life_threat: bool = False, text: str = ""
    ) -> None:
        """``text``: what is asked; words of somebody's own when empty. It must be no other citizen's."""
        self.world = world
        self.kiosk = kiosk
        self.rng = rng
        self.life_threat = life_threat
        self.text = text or f"{rng.choice(WORDS)} {rng.randrange(1_000_000)}"
        self.category = rng.choice(CATEGORIES)
        self.form: HelpSubmitted | None = None
        self._replies: list[object] = []
        self._seen: tuple[str, str] | None = None
        """Number and secret half, as the screen showed them."""
        self.at: Piece | None = None
        """The piece of this request; None: no ticket yet, or its card was swapped at that moment."""

    @property
    def machine(self) -> KioskMachine:
        """The kiosk this person stands at."""
        machine = self.world.sites[self.kiosk].machine
        if not isinstance(machine, KioskMachine):
            raise TypeError(f"{self.kiosk} takes no requests")
        return machine

    def ask(self) -> None:
        """Send the form; look for an answer later, and send it again where there is none."""
        if self.machine.running:
            self.form = self.form or self._fill_in()
            for _ in range(self.rng.choice([1, 1, 2])):  # some press twice
                self._replies.append(reply := object())
                self.world.put(self.kiosk, replace(self.form, reply=reply))
        self.world.after(ASK_AGAIN_MS, self._look)

    def _fill_in(self) -> HelpSubmitted:
        self.world.watch.record.texts[self.text] = self.category
        people = self.rng.randrange(1, 9)
        token = self.machine.form_token()
        facts = Facts(people=people, callback="0612345678")
        return HelpSubmitted(token, self.category, self.life_threat, self.text, "nl", facts)

    def _look(self) -> None:
        if not self.has_ticket:
            self.ask()

    @property
    def has_ticket(self) -> bool:
        """Whether the screen has shown a number; Violation when it showed two."""
        for reply in self._replies:
            answer = self.world.answers.pop(reply, None)
            if answer is not None:
                self._read(answer)
        return self._seen is not None

    def _read(self, answer: dict[str, object]) -> None:
        """Take what the screen shows: a ticket, or a refusal after which the form is sent or made again."""
        if not answer["ok"]:
            if answer["error"] == "token_expired":
                self.form = None
            elif answer["error"] != "cannot_keep":
                raise Violation(f"{self.kiosk}: a good form was refused: {answer['error']}")
            return
        ticket = (str(answer["number"]), str(answer["secret"]))
        if self._seen not in (None, ticket):
            raise Violation(f"{self.kiosk}: one form was shown two tickets")
        if self._seen is None:
            self.at = self._look_up(counter_of(ticket[0]))
        self._seen = ticket
        self.world.watch.record.secrets.add(ticket[1])

    def _look_up(self, counter: int) -> Piece | None:
        rows = self.machine.disk.read("SELECT eid, n FROM messages WHERE counter = ? AND is_request", counter)
        return Piece(self.machine.site, *rows[0]) if rows else None

    @property
    def ticket(self) -> tuple[str, str]:
        """Number and secret half; Violation while the screen has shown none."""
        if self._seen is None:
            raise Violation(f"{self.kiosk}: somebody went home without a ticket")
        return self._seen

    @property
    def number(self) -> str:
        """The ticket's public number."""
        return self.ticket[0]

    def add(self, code: SupplementCode, text: str) -> None:
        """Add to the request, once; lost when the kiosk is off."""
        if self.machine.running and self.has_ticket:
            self.world.watch.record.more_texts.add(text)
            form = SupplementSubmitted(self.machine.form_token(), self.number, code, text, object())
            self.world.put(self.kiosk, form)

    def read_answers(self, holder: KioskMachine) -> list[str]:
        """Read the answers with the ticket's secret half, as the screen of a kiosk that holds the ticket does."""
        connection, counter = holder.ledger.connection, counter_of(self.number)
        ticket = outgoing.ticket(connection, counter)
        if ticket is None or ticket.secret_salt is None:
            raise Violation(f"{holder.name}: ticket {self.number} is gone")
        key = tickets.unlock(tickets.stretch(self.ticket[1], ticket.secret_salt).key, ticket.answer_locked)
        sealed = outgoing.answers_of(connection, counter)
        whole = answers.whole_answers([packet for packet, _ in sealed])
        return [unpack_answer(answers.open_answers(parts, key)).text for parts in whole]


class Presser:
    """Presses a help button now and then."""

    def __init__(self, world: World, kiosk: str, rng: random.Random) -> None:
        self._world, self._kiosk, self._rng = world, kiosk, rng

    def press(self, times_left: int) -> None:
        """Press, and again after a while."""
        self._world.put(self._kiosk, ButtonPressed("help"))
        if times_left > 1:
            self._world.after(self._rng.uniform(500, 90_000), lambda: self.press(times_left - 1))


class DeskPerson:
    """Looks now and then, and does the next thing for the first case that asks for it; some are closed by mistake."""

    def __init__(
        self, world: World, coordinator: str, rng: random.Random, name: str = "Anna", *, mistaken: float = MISTAKEN
    ) -> None:
        """``mistaken``: share of the cases closed by mistake at first."""
        self.world, self.coordinator, self.rng, self.name = world, coordinator, rng, name
        self._mistaken = mistaken
        self._mistakes: list[int] = []
        """Cases that were closed by mistake and are to be opened again at the next look."""

    def look(self) -> None:
        """Do one thing, ring the bell, and come back later."""
        machine = self.world.sites[self.coordinator].machine
        if machine.running and isinstance(machine, CoordinatorMachine):
            if self._mistakes:
                self._mend(machine, self._mistakes.pop())
            else:
                self._do_one_thing(machine)
        self.world.after(self.rng.uniform(*LOOK_MS), self.look)

    def _mend(self, machine: CoordinatorMachine, case_id: int) -> None:
        """Open a case again; not after an older ledger was put back in which it is not closed, or not there."""
        record = self.world.watch.record
        record.mistakes -= 1
        if not machine.disk.read("SELECT 1 FROM cases WHERE id = ?", case_id):
            return
        case, token = machine.desk.case(case_id), str(self.rng.random())
        if not case.can_reopen:
            return
        at = piece_of(machine, case_id)
        record.reopened.add(at)
        record.closed_again.discard(at)
        machine.desk.reopen(case_id, self.name, token=token)
        if self.rng.random() < HALF:
            self._answer(machine, case, f"{token} then")
        self._ring()

    def _answer(self, machine: CoordinatorMachine, case: Case, token: str) -> None:
        record, at = self.world.watch.record, piece_of(machine, case.id)
        record.acts[TicketState.ANSWERED].add(at)
        record.answers[at].append(answer_to(case))
        machine.desk.answer(case.id, self.name, SenderFunction.FIRE_CREW, answer_to(case), token=token)

    def _ring(self) -> None:
        if self.rng.random() < 0.9:  # noqa: PLR2004  a bell may go unheard: polling is the truth
            self.world.put(self.coordinator, BellRung())

    def _do_one_thing(self, machine: CoordinatorMachine) -> None:
        open_cases = "SELECT id FROM cases WHERE state < ? ORDER BY lane, id LIMIT ?"
        for (case_id,) in machine.disk.read(open_cases, int(TicketState.CLOSED), LOOKED_AT_MAX):
            case = machine.desk.case(case_id)
            if case.elsewhere:  # another coordinator deals with it
                continue
            try:
                self._next(machine, case)(str(self.rng.random()))
            except (NotAllowed, CaseGone) as error:
                raise Violation(f"{machine.name}: the desk refused what it offered: {error}") from error
            self._ring()
            return

    def _next(self, machine: CoordinatorMachine, case: Case) -> Callable[[str], None]:
        desk, record, name = machine.desk, self.world.watch.record, self.name
        at = piece_of(machine, case.id)

        def take_up(token: str) -> None:
            record.acts[TicketState.SEEN].add(at)
            desk.take_up(case.id, name, token=token)

        def answer(token: str) -> None:
            self._answer(machine, case, token)

        def close(token: str) -> None:
            record.acts[TicketState.CLOSED].add(at)
            if at in record.reopened:
                record.closed_again.add(at)
            if self.rng.random() < 0.3:  # noqa: PLR2004  some are passed on first
                desk.pass_on(case.id, name, PassedOn("Meldkamer", "C2000", control_room=True), token=f"{token} first")
            desk.close(case.id, name, self.rng.choice(CLOSE_REASONS), token=token)
            if not case.reopened and self.rng.random() < self._mistaken:
                self._mistakes.append(case.id)
                record.mistakes += 1

        if case.state is TicketState.RECEIVED:
            return take_up
        return close if case.answered else answer


def piece_of(machine: CoordinatorMachine, case_id: int) -> Piece:
    """Return the piece that a case was made of."""
    query = f"SELECT site, eid, n FROM cases WHERE id = {case_id:d}"  # noqa: S608  a number
    row = machine.ledger.connection.exec_driver_sql(query).one()
    return Piece(row.site, row.eid, row.n)


def answer_to(case: Case) -> str:
    """Return what the desk answers to a case: a sentence that belongs to no other."""
    return f"Wij komen naar u toe. {case.number} {case.text}"[:80].strip()


def counter_of(number: str) -> int:
    """Return the counter of a public number."""
    parsed = parse_ticket_number(number)
    if parsed is None:
        raise Violation(f"a screen showed {number!r} as a number")
    return parsed[1]
