"""What is deleted when: closed ones after their days, nothing of an open one, and no number comes twice."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from steunpunt.control import Body
from steunpunt.engine import tidying
from steunpunt.engine.common import Counts
from steunpunt.engine.tidying import Tidy
from steunpunt.ledger import outgoing, retention
from steunpunt.ledger.retention import Limits, forget_log
from steunpunt.ledger.tables import answers, cases, events, heard_pieces, messages, replies, tickets
from steunpunt.model import Asked, Event, LedgerError, SenderFunction, SupplementCode, TicketState, TokenCode
from tests.fakes.sites import (
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    answer_in,
    counter_of,
    ended,
    frames,
    heard,
    help_form,
    more_form,
    seeded,
)

DAYS = 30
DAY_S = 24 * 3_600
WORDS = "Zuurstof van mevrouw Verdonschot raakt op"


class Pair:
    """A kiosk and its coordinator; the test carries packets, and says what each side has heard of the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, rng = folder, seeded(9)
        self.clock = Clock()
        self.kiosk = KioskSite(folder / "kiosk", self.clock, rng)
        self.center = CoordinatorSite(folder / "center", self.clock, rng)
        self.kiosk.turn(MESH_UP)
        self.air: list[bytes] = []

    def send(self, form: Event) -> Body:
        """Let the kiosk take a form, and the coordinator hear all that it sends for it, once."""
        effects = self.kiosk.turn(form)
        for frame in frames(effects):
            self.air.append(frame.payload)
            self.center.turn(heard(frame.payload))
            self.kiosk.turn(ended(frame))
        self._write(self.kiosk, sa.update(messages).values(receipted_ms=self.kiosk.now_ms()))
        return answer_in(effects)

    def ask(self, text: str = WORDS) -> str:
        self.clock.advance_s(60)
        return str(self.send(help_form(self.kiosk.token(), text))["number"])

    def add(self, number: str, text: str) -> None:
        self.clock.advance_s(60)
        self.send(more_form(self.kiosk.token(), number, SupplementCode.STILL_NEEDED, text, object()))

    def case_id(self, number: str) -> int:
        return next(case.id for case in self.center.desk.cases() if case.number == number)

    def close(self, number: str, *, told: bool = True) -> None:
        case_id = self.case_id(number)
        self.center.desk.take_up(case_id, "Jansen", token=f"seen {number}")
        self.center.desk.answer(case_id, "Jansen", SenderFunction.COORDINATOR, "Wij komen", token=f"answer {number}")
        self.center.desk.close(case_id, "Jansen", TokenCode.CLOSED_HELPED, token=f"close {number}")
        if told:
            self.tell()
            with self.kiosk.ledger.transaction() as connection:
                counter, now_ms = counter_of(number), self.kiosk.now_ms()
                outgoing.add_answer(connection, counter, b"salt", b"sealed", now_ms)
                outgoing.raise_state(connection, counter, TicketState.CLOSED, now_ms)

    def tell(self) -> None:
        """Note that the kiosk holds all that it was told."""
        self._write(self.center, sa.update(replies).values(delivered_ms=self.center.now_ms()))

    @staticmethod
    def _write(site: KioskSite | CoordinatorSite, statement: sa.Update) -> None:
        with site.ledger.transaction() as connection:
            connection.execute(statement)

    def tidy(self, site: KioskSite | CoordinatorSite) -> dict[str, object]:
        with site.ledger.transaction() as connection:
            return tidying.tidy(site.ledger, connection, Tidy(Limits(DAYS)), site.now_ms(), Counts())


@pytest.fixture(name="pair")
def fixture_pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


@pytest.mark.parametrize("side", ["kiosk", "center"])
def test_the_engines_do_it_when_asked(pair: Pair, side: str) -> None:
    told = answer_in(getattr(pair, side).turn(Asked(Tidy(Limits(DAYS)), object())))
    assert told == {"ok": True, "deleted": 0, "closed": 0, "open": 0, "more": False}


def test_what_is_closed_goes_after_its_days_at_both_ends_and_what_is_open_stays(pair: Pair) -> None:
    closed, still_open = pair.ask(), pair.ask("Wij hebben dorst")
    pair.close(closed)
    assert pair.kiosk.ticket(closed).state is TicketState.CLOSED
    assert pair.kiosk.rows(answers)
    pair.clock.advance_s(DAYS * DAY_S - 2 * 3_600)
    for site in (pair.kiosk, pair.center):
        assert pair.tidy(site) == {"deleted": 0, "closed": 1, "open": 1, "more": False}
    pair.clock.advance_s(3 * 3_600)
    for site in (pair.kiosk, pair.center):
        assert pair.tidy(site) == {"deleted": 1, "closed": 0, "open": 1, "more": False}
    assert [row[0] for row in pair.kiosk.rows(tickets)] == [2]
    assert pair.kiosk.rows(answers) == []
    assert [case.number for case in pair.center.desk.cases()] == [still_open]
    assert pair.center.rows(replies) == []
    told = retention.last(pair.center.ledger, pair.center.ledger.connection)
    assert told is not None
    assert (told[0], told[1].deleted) == (pair.center.now_ms(), 1)


def test_a_late_copy_of_what_was_deleted_makes_no_second_case(pair: Pair) -> None:
    number = pair.ask()
    sent = list(pair.air)
    pair.close(number)
    pair.ask("Wij hebben dorst")
    pair.clock.advance_s((DAYS + 1) * DAY_S)
    assert pair.tidy(pair.center)["deleted"] == 1
    pair.center.turn(*(heard(payload) for payload in sent))
    assert [case.text for case in pair.center.desk.cases()] == ["Wij hebben dorst"]
    assert len(pair.center.rows(heard_pieces)) >= 2


def test_nothing_that_was_deleted_can_be_read_from_the_desks_files(pair: Pair) -> None:
    number = pair.ask()
    pair.close(number)
    pair.ask("Wij hebben dorst")
    wrapped = pair.center.ledger.connection.execute(sa.select(cases.c.content_key)).scalars().first()
    assert isinstance(wrapped, bytes)
    files = [*pair.folder.glob("center/ledger.db*")]
    assert any(wrapped in path.read_bytes() for path in files)
    pair.clock.advance_s((DAYS + 1) * DAY_S)
    pair.tidy(pair.center)
    assert forget_log(pair.center.path)
    assert not any(wrapped in path.read_bytes() for path in pair.folder.glob("center/ledger.db*"))


def test_what_a_citizen_wrote_after_the_closing_keeps_a_case_until_somebody_acts(pair: Pair) -> None:
    number = pair.ask()
    pair.ask("Wij hebben dorst")
    pair.close(number)
    pair.add(number, "ze valt weg")
    pair.clock.advance_s((DAYS + 1) * DAY_S)
    assert pair.tidy(pair.center)["deleted"] == 0
    assert len(pair.center.rows(events)) > 4
    pair.center.desk.answer(pair.case_id(number), "Jansen", SenderFunction.COORDINATOR, "Wij komen", token="again")
    pair.tell()
    pair.clock.advance_s((DAYS + 1) * DAY_S)
    assert pair.tidy(pair.center)["deleted"] == 1


def test_what_has_no_receipt_yet_stays_at_the_kiosk(pair: Pair) -> None:
    number = pair.ask()
    pair.ask("Wij hebben dorst")
    pair.close(number)
    pair.kiosk.turn(more_form(pair.kiosk.token(), number, SupplementCode.STILL_NEEDED, "ze valt weg"))
    pair.clock.advance_s((DAYS + 1) * DAY_S)
    assert pair.tidy(pair.kiosk)["deleted"] == 0
    assert len(pair.kiosk.rows(messages)) == 3


def test_what_a_point_has_not_confirmed_stays_twice_as_long(pair: Pair) -> None:
    number = pair.ask()
    pair.ask("Wij hebben dorst")
    pair.close(number, told=False)
    pair.clock.advance_s((DAYS + 1) * DAY_S)
    assert pair.tidy(pair.center)["deleted"] == 0
    pair.clock.advance_s(DAYS * DAY_S)
    assert pair.tidy(pair.center)["deleted"] == 1


def test_the_newest_number_stays_so_that_no_number_comes_twice(pair: Pair) -> None:
    number = pair.ask()
    pair.close(number)
    pair.clock.advance_s((DAYS + 1) * DAY_S)
    assert pair.tidy(pair.kiosk)["deleted"] == 0
    assert pair.ask("Wij hebben dorst") == "47-2"
    assert pair.tidy(pair.kiosk)["deleted"] == 1
    assert pair.ask("Wij hebben honger") == "47-3"


def test_one_run_deletes_no_more_than_the_loop_can_stand_still_for(pair: Pair) -> None:
    with pair.kiosk.ledger.transaction() as connection:
        row = {"life_threat": False, "state": int(TicketState.CLOSED), "state_ms": 0, "created_ms": 0}
        many = [{"counter": n, "answer_locked": b"", **row} for n in range(1, retention.ROWS_MAX + 12)]
        connection.execute(tickets.insert(), many)
    pair.clock.advance_s((DAYS + 1) * DAY_S)
    first = pair.tidy(pair.kiosk)
    assert (first["deleted"], first["more"]) == (retention.ROWS_MAX, True)
    second = pair.tidy(pair.kiosk)
    assert (second["deleted"], second["more"], second["closed"]) == (10, False, 1)


def test_a_log_that_cannot_be_emptied_says_so(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="disk is not full"):
        forget_log(tmp_path / "ledger.db")
