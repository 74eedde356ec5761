"""A closed case opened again: what the kiosk learns of it, in whatever order, and that an old token closes nothing."""

from pathlib import Path

import pytest

from steunpunt.ledger.desk import REOPEN_H_MAX
from steunpunt.ledger.deskact import NotAllowed
from steunpunt.ledger.outgoing import Ticket
from steunpunt.model import CLOSE_CODES, CLOSE_REASONS, SenderFunction, TicketState, TokenCode
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.tokens import Head, pack_tokens
from tests.fakes.region_keys import COORDINATOR
from tests.fakes.sites import CoordinatorSite, KioskSite, answer_in, frames, heard, help_form
from tests.unit.test_engine_kiosk import receipt, verify_of
from tests.unit.test_engine_news import Region

CREW = SenderFunction.FIRE_CREW


class Closed:
    """A region with one case that was taken up, and closed with ``code``; ``tokens`` is what said so on the air."""

    def __init__(self, folder: Path, code: TokenCode = TokenCode.CLOSED_CANNOT, answer: str = "") -> None:
        self.region = Region(folder)
        self.region.up()
        self.center: CoordinatorSite = self.region.center
        self.kiosk: KioskSite = self.region.kiosks[47]
        self.number = self.ask()
        self.case_id = self.center.only_case().id
        self.center.desk.take_up(self.case_id, "Anna", token="t1")
        if answer:
            self.center.desk.answer(self.case_id, "Anna", CREW, answer, token="t2")
        self.told()
        self.center.desk.close(self.case_id, "Anna", code, token="t3")
        before = len(self.region.air)
        self.told()
        self.tokens = [p for p in self.region.air[before:] if kind_of(p) is Kind.TOKENS]
        assert self.ticket.state is TicketState.CLOSED
        self.region.clock.advance_s(60)

    def ask(self, text: str = "Wij hebben water nodig") -> str:
        """Ask for help, and let it arrive; return the number."""
        effects = self.kiosk.turn(help_form(self.kiosk.token(), text))
        self.region.carry(self.kiosk, frames(effects))
        return str(answer_in(effects)["number"])

    @property
    def ticket(self) -> Ticket:
        return self.kiosk.ticket(self.number)

    def told(self) -> None:
        """Let the kiosk be told, and say that it was."""
        self.region.carry(self.center, frames(self.center.turn()))
        self.region.walk(600)

    def replay(self) -> None:
        for packet in self.tokens:
            self.kiosk.turn(heard(packet))


@pytest.fixture(name="one")
def fixture_one(tmp_path: Path) -> Closed:
    return Closed(tmp_path)


def test_it_is_open_again_at_both_ends_and_somebody_has_taken_it_up(one: Closed) -> None:
    one.center.desk.reopen(one.case_id, "Bram", token="t4")
    case = one.center.desk.case(one.case_id)
    assert (case.state, case.seen_by, case.reopened, case.can_reopen) == (TicketState.SEEN, "Bram", True, False)
    assert (case.events[-1].kind, case.events[-1].by, case.events[-1].delivered) == ("reopened", "Bram", False)
    one.told()
    assert (one.ticket.state, one.ticket.close_code) == (TicketState.SEEN, TokenCode.REOPENED)
    assert one.center.desk.case(one.case_id).events[-1].delivered is True


def test_the_token_that_closed_it_closes_nothing_when_it_is_heard_again(one: Closed) -> None:
    assert one.tokens
    one.center.desk.reopen(one.case_id, "Bram", token="t4")
    one.told()
    one.replay()
    assert one.ticket.state is TicketState.SEEN
    for code in CLOSE_REASONS:
        one.kiosk.turn(heard(receipt(one.kiosk, code)))
    assert one.ticket.state is TicketState.SEEN


def test_it_is_closed_a_second_time_for_a_reason_of_its_own(one: Closed) -> None:
    desk = one.center.desk
    desk.reopen(one.case_id, "Bram", token="t4")
    one.told()
    desk.close(one.case_id, "Bram", TokenCode.CLOSED_HELPED, token="t5")
    one.told()
    assert one.ticket.state is TicketState.CLOSED
    assert one.ticket.close_code is TokenCode.CLOSED_AGAIN_HELPED
    assert one.ticket.close_code.reason is TokenCode.CLOSED_HELPED
    with pytest.raises(NotAllowed, match="reopened before"):
        desk.reopen(one.case_id, "Anna", token="t6")
    one.kiosk.turn(heard(receipt(one.kiosk, TokenCode.REOPENED)))
    assert one.ticket.state is TicketState.CLOSED, "nor does the old reopening open it"


def test_the_words_may_come_in_any_order(one: Closed) -> None:
    kiosk = one.kiosk
    later = str(kiosk.ask()["number"])
    for code, state in (
        (TokenCode.REOPENED, TicketState.SEEN),
        (TokenCode.CLOSED_NOT_NEEDED, TicketState.SEEN),
        (TokenCode.RECEIVED, TicketState.SEEN),
        (TokenCode.CLOSED_AGAIN_CANNOT, TicketState.CLOSED),
        (TokenCode.REOPENED, TicketState.CLOSED),
    ):
        kiosk.turn(heard(receipt(kiosk, code)))
        assert kiosk.ticket(later).state is state, code


def of_life(one: Closed, incarnation: int, code: TokenCode) -> bytes:
    """Return the packet in which the coordinator's ledger of this life says it of the case."""
    return pack_tokens(Head(COORDINATOR, incarnation, 0, 0), [(verify_of(one.kiosk), code)])


def test_a_ledger_put_back_that_knows_nothing_of_the_reopening_closes_it_all_the_same(one: Closed) -> None:
    one.center.desk.reopen(one.case_id, "Bram", token="t4")
    one.told()
    one.kiosk.turn(heard(of_life(one, 2, TokenCode.RECEIVED)))
    assert one.ticket.state is TicketState.SEEN
    for incarnation, code, state in (
        (2, TokenCode.CLOSED_NOT_NEEDED, TicketState.CLOSED),
        (1, TokenCode.REOPENED, TicketState.CLOSED),
        (2, TokenCode.REOPENED, TicketState.SEEN),
        (2, TokenCode.CLOSED_NOT_NEEDED, TicketState.SEEN),
        (1, TokenCode.CLOSED_AGAIN_HELPED, TicketState.SEEN),
        (2, TokenCode.CLOSED_AGAIN_HELPED, TicketState.CLOSED),
        (2, TokenCode.REOPENED, TicketState.CLOSED),
        (3, TokenCode.RECEIVED, TicketState.CLOSED),
        (3, TokenCode.REOPENED, TicketState.SEEN),
    ):
        one.kiosk.turn(heard(of_life(one, incarnation, code)))
        assert one.ticket.state is state, (incarnation, code)


def test_an_answer_that_came_before_the_word_counts_and_an_old_one_does_not(tmp_path: Path) -> None:
    one = Closed(tmp_path, answer="Er komt een auto")
    old = [packet for packet in one.region.air if kind_of(packet) is Kind.ANSWER]
    assert old
    one.center.desk.reopen(one.case_id, "Bram", token="t4")
    one.told()
    assert one.ticket.state is TicketState.SEEN, "nobody has answered anew"
    one.kiosk.turn(heard(old[0]))
    assert one.ticket.state == TicketState.SEEN, "that answer was known"
    one.center.desk.answer(one.case_id, "Bram", CREW, "De auto is onderweg", token="t5")
    one.told()
    assert one.ticket.state.name == "ANSWERED"


def test_an_answer_that_overtakes_the_reopening_is_shown_as_one(one: Closed) -> None:
    one.center.desk.answer(one.case_id, "Bram", CREW, "Wij kijken er weer naar", token="t4")
    one.told()
    assert one.ticket.state is TicketState.CLOSED
    one.kiosk.turn(heard(receipt(one.kiosk, TokenCode.REOPENED)))
    assert one.ticket.state.name == "ANSWERED"


def test_each_form_reopens_once_and_an_open_case_not_at_all(one: Closed) -> None:
    desk = one.center.desk
    desk.reopen(one.case_id, "Bram", token="t4")
    once = one.center.dump()
    desk.reopen(one.case_id, "Bram", token="t4")
    assert one.center.dump() == once
    with pytest.raises(NotAllowed, match="not closed"):
        desk.reopen(one.case_id, "Bram", token="t5")


def test_long_after_its_closing_nobody_can_be_told_so_it_is_not_done(one: Closed) -> None:
    one.region.clock.advance_s(REOPEN_H_MAX * 3600)
    assert not one.center.desk.case(one.case_id).can_reopen
    with pytest.raises(NotAllowed, match="too long ago"):
        one.center.desk.reopen(one.case_id, "Bram", token="t4")


def test_the_numbers_of_the_codes_fit_what_a_kiosk_acknowledges() -> None:
    assert max(TokenCode) < 15, "four bits, and 15 marks an answer"
    assert {code.reason for code in CLOSE_CODES} == set(CLOSE_REASONS)
    assert [code.again.reason for code in CLOSE_REASONS] == list(CLOSE_REASONS)


# --- cases that belong together -----------------------------------------------------------------------------------


def test_two_cases_for_one_event_show_each_other_and_nothing_is_merged(one: Closed) -> None:
    desk, second = one.center.desk, one.ask("Ook hier brand")
    (other,) = [case for case in desk.cases() if case.number == second]
    before = (desk.case(one.case_id).state, other.state, other.text)
    desk.link(other.id, "Bram", one.number, token="t4")
    once = one.center.dump()
    desk.link(other.id, "Bram", one.number, token="t4")
    assert one.center.dump() == once
    linked = [desk.case(other.id), desk.case(one.case_id)]
    assert [case.linked for case in linked] == [(one.number,), (second,)]
    assert [(case.events[-1].kind, case.events[-1].by) for case in linked] == [("linked", "Bram")] * 2
    assert (linked[1].state, linked[0].state, linked[0].text) == before
    assert frames(one.center.turn()) == [], "nobody else is told"
    desk.unlink(one.case_id, "Anna", second, token="t5")
    assert [desk.case(case.id).linked for case in linked] == [(), ()]


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("47-99", "no case with this number"),
        ("", "no case with this number"),
        ("kerk", "no case with this number"),
        ("47-²", "no case with this number"),
        ("9" * 40 + "-1", "no case with this number"),
        ("47-1", "this case itself"),
    ],
)
def test_a_number_that_is_no_other_case_is_refused(one: Closed, number: str, says: str) -> None:
    with pytest.raises(NotAllowed, match=says):
        one.center.desk.link(one.case_id, "Bram", number, token="t4")
    with pytest.raises(NotAllowed):
        one.center.desk.unlink(one.case_id, "Bram", number, token="t5")
