"""The answer that another case got, in the ledger itself: with a take-up, once, sealed for each, or not at all."""

import random
from pathlib import Path

import pytest

from steunpunt.ledger.deskact import NotAllowed
from steunpunt.ledger.tables import replies
from steunpunt.model import SenderFunction, SupplementCode, TicketState, TokenCode
from tests.fakes.sites import Clock, CoordinatorSite, KioskSite, help_form, more_form, seeded
from tests.unit.test_ledger_desk import a_case, carry

CREW = SenderFunction.FIRE_CREW
TEXT = "Water bij de kerk."


@pytest.fixture
def rng() -> random.Random:
    return seeded(6)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kiosk(tmp_path: Path, clock: Clock, rng: random.Random) -> KioskSite:
    return KioskSite(tmp_path / "kiosk", clock, rng)


@pytest.fixture
def center(tmp_path: Path, clock: Clock, rng: random.Random) -> CoordinatorSite:
    return CoordinatorSite(tmp_path / "coordinator", clock, rng)


def test_it_takes_up_and_answers_in_one_act_and_once(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    center.desk.answer_also(case_id, "Anna", CREW, TEXT, token="t1")
    once = center.dump()
    center.desk.answer_also(case_id, "Anna", CREW, TEXT, token="t1")
    assert center.dump() == once
    case = center.desk.case(case_id)
    assert [(event.kind, event.by) for event in case.events[1:]] == [("seen", "Anna"), ("answer", "Anna")]
    assert (case.state, case.seen_by) == (TicketState.ANSWERED, "Anna")
    assert len(center.rows(replies)) == 2


def test_what_one_person_took_up_that_person_answers(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    center.desk.take_up(case_id, "Anna", token="t1")
    with pytest.raises(NotAllowed, match="Someone else"):
        center.desk.answer_also(case_id, "Bea", CREW, TEXT, token="t2")
    center.desk.answer_also(case_id, "Anna", CREW, TEXT, token="t3")
    assert [event.kind for event in center.desk.case(case_id).events] == ["received", "seen", "answer"]


def test_what_was_answered_or_closed_meanwhile_stays_as_it_is(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    center.desk.answer_also(case_id, "Anna", CREW, TEXT, token="t1")
    before = center.dump()
    with pytest.raises(NotAllowed, match="answered already"):
        center.desk.answer_also(case_id, "Anna", CREW, TEXT, token="t2")
    assert center.dump() == before
    center.desk.close(case_id, "Anna", TokenCode.CLOSED_HELPED, token="t3")
    with pytest.raises(NotAllowed, match="closed already"):
        center.desk.answer_also(case_id, "Anna", CREW, TEXT, token="t4")


def test_news_that_nobody_read_is_not_buried_under_it(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    kiosk.turn(more_form(kiosk.token(), "47-1", SupplementCode.WORSE))
    carry(kiosk, center)
    before = center.dump()
    with pytest.raises(NotAllowed, match="news"):
        center.desk.answer_also(case_id, "Anna", CREW, TEXT, token="t1")
    assert center.dump() == before


def test_a_life_in_danger_is_answered_alone(kiosk: KioskSite, center: CoordinatorSite) -> None:
    kiosk.turn(help_form(kiosk.token(), "hart", life_threat=True))
    carry(kiosk, center)
    (case,) = center.desk.cases()
    with pytest.raises(NotAllowed, match="answered alone"):
        center.desk.answer_also(case.id, "Anna", CREW, TEXT, token="t1")
    assert center.desk.case(case.id).state is TicketState.RECEIVED


def test_it_needs_a_name(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    for name in ("", " ", "A" * 81):
        with pytest.raises(NotAllowed, match="name"):
            center.desk.answer_also(case_id, name, CREW, TEXT, token="t1")
