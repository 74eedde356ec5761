"""The people around the machines: citizens who ask and ask again, and one person at the desk."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from steunpunt.ledger import outgoing
from steunpunt.ledger.desk import Case
from steunpunt.model import Category, HelpSubmitted, SenderFunction, SupplementCode, TicketState, TokenCode
from steunpunt.protocol import answers, tickets
from steunpunt.protocol.answerbody import unpack_answer
from tests.fakes.sites import counter_of, help_form, more_form
from tests.simulation.region import Region

ASK_AGAIN_MS = 12_000
WORDS = ("Mijn moeder is gevallen", "Geen insuline meer ☐", "Wij zijn met z'n zessen, ijskoud", "Où est l'eau ?", "")


class Citizen:
    """Sends one form until the screen shows a number; sends the same form again when it did not."""

    def __init__(self, region: Region, site: int, *, life_threat: bool = False) -> None:
        self.region, self.site = region, site
        rng = region.rng
        self.text = f"{rng.choice(WORDS)} {rng.randrange(1_000_000)}".strip()
        self.category = rng.choice([Category.MEDICAL, Category.SUPPLIES, Category.MISSING])
        self.life_threat = life_threat
        self.form: HelpSubmitted | None = None
        self.replies: list[object] = []

    def ask(self) -> None:
        """Send the form; look for an answer later, and send it again where there is none."""
        region, machine = self.region, self.region.machines[self.site]
        if machine.running:
            if self.form is None:
                token = region.kiosks[self.site].token()
                self.form = help_form(token, self.text, category=self.category, life_threat=self.life_threat)
            for _ in range(region.rng.choice([1, 1, 2])):
                self.replies.append(reply := object())
                region.put(self.site, replace(self.form, reply=reply))
        region.after(ASK_AGAIN_MS, self._look)

    def _look(self) -> None:
        if not self.answers():
            self.ask()

    def answers(self) -> list[dict[str, object]]:
        return [self.region.answers[reply] for reply in self.replies if reply in self.region.answers]

    @property
    def number(self) -> str:
        return str(self.answers()[0]["number"])

    @property
    def secret(self) -> str:
        return str(self.answers()[0]["secret"])

    def add(self, code: SupplementCode, text: str) -> None:
        if self.region.machines[self.site].running and self.answers():
            token = self.region.kiosks[self.site].token()
            self.region.put(self.site, more_form(token, self.number, code, text, object()))

    def read_answers(self) -> list[str]:
        """Read the answers with the ticket's secret half, as the kiosk's screen does."""
        kiosk = self.region.kiosks[self.site]
        salt = kiosk.ticket(self.number).secret_salt
        assert salt is not None
        key = tickets.unlock(tickets.stretch(self.secret, salt).key, kiosk.ticket(self.number).answer_locked)
        sealed = outgoing.answers_of(kiosk.ledger.connection, counter_of(self.number))
        return [unpack_answer(answers.open_answer(packet, key)).text for packet, _ in sealed]


@dataclass
class DeskPerson:
    """Looks now and then, and does the next thing for the first case that asks for it."""

    region: Region
    name: str = "Anna"

    def look(self) -> None:
        desk, rng = self.region.center.desk, self.region.rng
        for case in desk.cases():
            act = self._next(case)
            if act is not None:
                act(f"{rng.random()}")
                break
        self.region.after(rng.uniform(5_000, 60_000), self.look)

    def _next(self, case: Case) -> Callable[[str], None] | None:
        desk = self.region.center.desk
        if case.state is TicketState.RECEIVED:
            return lambda token: desk.take_up(case.id, self.name, token=token)
        if not case.answered:
            return lambda token: desk.answer(
                case.id, self.name, SenderFunction.FIRE_CREW, answer_to(case.text), token=token
            )
        if case.state is not TicketState.CLOSED:
            return lambda token: desk.close(case.id, self.name, TokenCode.CLOSED_HELPED, token=token)
        return None


def answer_to(text: str) -> str:
    return f"Wij komen: {text}"
