"""The desk: looking changes nothing, each form acts once, and what was not taken up cannot be answered."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from steunpunt.ledger import caserows
from steunpunt.ledger.desk import Desk, PassedOn
from steunpunt.ledger.deskact import CaseGone, NotAllowed
from steunpunt.ledger.outgoing import ANSWERS_MAX
from steunpunt.ledger.tables import cases, events, replies
from steunpunt.model import (
    Category,
    LedgerError,
    SenderFunction,
    SupplementCode,
    TicketState,
    TokenCode,
)
from steunpunt.protocol import phrases
from steunpunt.protocol.phrases import Phrase
from tests.fakes.sites import (
    LEDGER_KEY,
    MESH_DOWN,
    MESH_UP,
    UNSHORTENED,
    Clock,
    CoordinatorSite,
    KioskSite,
    ended,
    frames,
    heard,
    help_form,
    more_form,
    new_ledger,
    noise,
    seeded,
)

CREW = SenderFunction.FIRE_CREW
TOLD = PassedOn("Meldkamer", "C2000", "2024-117", read_back=True, control_room=True)


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


def carry(kiosk: KioskSite, center: CoordinatorSite) -> None:
    """Bring all that the kiosk has to the coordinator."""
    waiting = frames(kiosk.turn(MESH_UP))
    while waiting:
        center.turn(heard(waiting[0].payload))
        waiting = frames(kiosk.turn(ended(waiting[0])))
    kiosk.turn(MESH_DOWN)


def a_case(kiosk: KioskSite, center: CoordinatorSite, text: str = "Wij hebben water nodig") -> int:
    kiosk.ask(text)
    carry(kiosk, center)
    return max(case.id for case in center.desk.cases())


def test_looking_changes_no_byte_of_any_row(kiosk: KioskSite, center: CoordinatorSite, clock: Clock) -> None:
    case_id = a_case(kiosk, center)
    before = center.dump()
    for _ in range(3):
        clock.advance_s(3_600)
        center.desk.cases()
        center.desk.case(case_id)
        center.desk.active_min()
    assert center.dump() == before
    assert center.desk.case(case_id).state is TicketState.RECEIVED


def test_taking_up_is_seen_with_a_name(kiosk: KioskSite, center: CoordinatorSite, clock: Clock) -> None:
    case_id = a_case(kiosk, center)
    assert center.desk.active_min() is None
    clock.advance_s(60)
    center.desk.take_up(case_id, "Anna", token="t1")
    clock.advance_s(130)
    case = center.desk.case(case_id)
    assert (case.state, case.seen_by, case.seen_age_s) == (TicketState.SEEN, "Anna", 130)
    assert (case.received_age_s, center.desk.active_min()) == (190, 2)
    assert case.events[-1].delivered is False


def test_each_act_is_done_once_per_form(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id, desk = a_case(kiosk, center), center.desk
    acts: list[Callable[[], None]] = [
        lambda: desk.take_up(case_id, "Anna", token="t1"),
        lambda: desk.answer(case_id, "Anna", CREW, "Wij komen", token="t2"),
        lambda: desk.pass_on(case_id, "Anna", TOLD, token="t3"),
        lambda: desk.close(case_id, "Anna", TokenCode.CLOSED_HELPED, token="t4"),
    ]
    for act in acts:
        act()
        once = center.dump()
        act()
        assert center.dump() == once
    assert [event.kind for event in desk.case(case_id).events] == ["received", "seen", "answer", "passed_on", "closed"]
    assert len(center.rows(replies)) == 4


def test_a_form_of_one_act_does_not_pass_silently_for_another(kiosk: KioskSite, center: CoordinatorSite) -> None:
    first, desk = a_case(kiosk, center), center.desk
    second = a_case(kiosk, center)
    desk.take_up(first, "Anna", token="t1")
    attempts: list[Callable[[], None]] = [
        lambda: desk.answer(first, "Anna", CREW, "Wij komen", token="t1"),
        lambda: desk.close(first, "Anna", TokenCode.CLOSED_HELPED, token="t1"),
        lambda: desk.take_up(second, "Anna", token="t1"),
    ]
    for attempt in attempts:
        with pytest.raises(NotAllowed, match="used for something else"):
            attempt()
    assert desk.case(second).state is TicketState.RECEIVED


def test_of_two_persons_one_takes_it_up(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    other = Desk(center.path, LEDGER_KEY, center.rng.randbytes, center.clock.read)
    center.desk.take_up(case_id, "Anna", token="t1")
    with pytest.raises(NotAllowed, match="Someone else"):
        other.take_up(case_id, "Bram", token="t2")
    assert other.case(case_id).seen_by == "Anna"


@pytest.mark.parametrize("act", ["answer", "pass_on", "close"])
def test_what_nobody_took_up_cannot_be_answered_passed_on_or_closed(
    kiosk: KioskSite, center: CoordinatorSite, act: str
) -> None:
    case_id, desk = a_case(kiosk, center), center.desk
    before = center.dump()
    with pytest.raises(NotAllowed, match="Take the case up first"):
        {
            "answer": lambda: desk.answer(case_id, "Anna", CREW, "Wij komen", token="t1"),
            "pass_on": lambda: desk.pass_on(case_id, "Anna", TOLD, token="t1"),
            "close": lambda: desk.close(case_id, "Anna", TokenCode.CLOSED_HELPED, token="t1"),
        }[act]()
    assert center.dump() == before


def test_closed_once_is_closed(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    center.desk.take_up(case_id, "Anna", token="t1")
    for wrong in (TokenCode.SEEN, TokenCode.RECEIVED):
        with pytest.raises(NotAllowed, match="reason"):
            center.desk.close(case_id, "Anna", wrong, token="t2")
    center.desk.close(case_id, "Anna", TokenCode.CLOSED_CANNOT, token="t3")
    with pytest.raises(NotAllowed, match="closed already"):
        center.desk.close(case_id, "Anna", TokenCode.CLOSED_HELPED, token="t4")
    assert center.desk.case(case_id).close_code is TokenCode.CLOSED_CANNOT


@pytest.mark.parametrize("name", ["", "   ", "x" * 81])
def test_an_act_needs_a_name(kiosk: KioskSite, center: CoordinatorSite, name: str) -> None:
    case_id = a_case(kiosk, center)
    with pytest.raises(NotAllowed, match="name"):
        center.desk.take_up(case_id, name, token="t1")
    with pytest.raises(NotAllowed, match="name"):
        center.desk.present(name)


@pytest.mark.parametrize("text", ["", UNSHORTENED, "x" * 2_001, "half \ud83d"])
def test_an_answer_that_cannot_be_sent_is_refused_and_leaves_nothing(
    kiosk: KioskSite, center: CoordinatorSite, text: str
) -> None:
    case_id = a_case(kiosk, center)
    center.desk.take_up(case_id, "Anna", token="t1")
    before = center.dump()
    with pytest.raises(ValueError, match=r"answer|surrogates"):
        center.desk.answer(case_id, "Anna", CREW, text, token="t2")
    assert center.dump() == before


def test_a_case_takes_no_more_answers_than_a_kiosk_keeps(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    center.desk.take_up(case_id, "Anna", token="t")
    center.desk.answer(case_id, "Anna", CREW, noise(200), token="long")
    long = len(center.rows(replies)) - 1
    assert long > 1
    for i in range(ANSWERS_MAX - long - 1):
        center.desk.answer(case_id, "Anna", CREW, f"{i}", token=f"{i}")
    with pytest.raises(NotAllowed, match="keeps no more"):
        center.desk.answer(case_id, "Anna", CREW, noise(200), token="u")
    center.desk.answer(case_id, "Anna", CREW, "de laatste", token="v")
    with pytest.raises(NotAllowed, match="keeps no more"):
        center.desk.answer(case_id, "Anna", CREW, "nog een", token="w")


def test_passing_on_is_told_to_the_citizen_only_of_the_control_room(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    center.desk.take_up(case_id, "Anna", token="t1")
    center.desk.pass_on(case_id, "Anna", PassedOn("Rode Kruis", "loper"), token="t2")
    assert len(center.rows(replies)) == 1
    center.desk.pass_on(case_id, "Anna", TOLD, token="t3")
    assert len(center.rows(replies)) == 2
    event = center.desk.case(case_id).events[-1]
    assert (event.to, event.how, event.reference, event.read_back) == ("Meldkamer", "C2000", "2024-117", True)
    for wrong in (PassedOn("  ", "C2000"), PassedOn("x" * 201, "C2000"), PassedOn("a", "b", "c" * 201)):
        with pytest.raises(NotAllowed):
            center.desk.pass_on(case_id, "Anna", wrong, token="t4")


def test_what_a_citizen_adds_is_unread_until_a_person_acts(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    for i in range(2):
        kiosk.turn(more_form(kiosk.token(), "47-1", SupplementCode.QUESTION, f"vraag {i}"))
    carry(kiosk, center)
    assert center.desk.case(case_id).unread_supplements == 2
    center.desk.take_up(case_id, "Anna", token="t1")
    assert center.desk.case(case_id).unread_supplements == 0
    kiosk.turn(more_form(kiosk.token(), "47-1", SupplementCode.WORSE))
    carry(kiosk, center)
    assert center.desk.case(case_id).unread_supplements == 1


def test_the_list_shows_life_threats_first_then_the_oldest_and_closed_ones_last(
    kiosk: KioskSite, center: CoordinatorSite, clock: Clock
) -> None:
    wishes = [
        ("water", Category.SUPPLIES, False),
        ("brand", Category.FIRE, False),
        ("gesloten", Category.MEDICAL, True),
        ("nog water", Category.SUPPLIES, False),
        ("hart", Category.MEDICAL, True),
        ("nog een hart", Category.MEDICAL, True),
    ]
    for text, category, life_threat in wishes:
        kiosk.turn(help_form(kiosk.token(), text, category=category, life_threat=life_threat))
        clock.advance_s(600)
    carry(kiosk, center)
    closed = next(case.id for case in center.desk.cases() if case.text == "gesloten")
    center.desk.take_up(closed, "Anna", token="t1")
    center.desk.close(closed, "Anna", TokenCode.CLOSED_HELPED, token="t2")
    order = ["hart", "nog een hart", "brand", "water", "nog water"]
    assert [case.text for case in center.desk.cases()] == [*order, "gesloten"]
    kiosk.turn(more_form(kiosk.token(), "47-3", SupplementCode.WORSE))
    carry(kiosk, center)
    assert [case.text for case in center.desk.cases()] == ["gesloten", *order]


def test_no_open_case_falls_off_a_full_list_and_closed_ones_with_news_stay(
    kiosk: KioskSite, center: CoordinatorSite
) -> None:
    desk, connection = center.desk, center.ledger.connection
    still_open, asked_again = a_case(kiosk, center, "nog open"), a_case(kiosk, center, "toch nog hulp")
    desk.take_up(asked_again, "Anna", token="t1")
    desk.close(asked_again, "Anna", TokenCode.CLOSED_HELPED, token="t2")
    row = connection.execute(sa.select(cases).where(cases.c.id == asked_again)).one()._asdict()
    seen = connection.execute(sa.select(events).where(events.c.kind == "closed")).one()._asdict()
    with center.ledger.transaction() as transaction:
        for i in range(caserows.CASES_MAX):
            at = {"eid": i.to_bytes(3, "big"), "site": 48}
            transaction.execute(sa.insert(cases).values(**(row | at | {"id": 1_000 + i})))
            transaction.execute(sa.insert(events).values(**(seen | at | {"id": 10_000 + i, "token": f"x{i}"})))
    kiosk.turn(more_form(kiosk.token(), "47-2", SupplementCode.WORSE))
    carry(kiosk, center)
    listed = desk.cases()
    assert len(listed) == caserows.CASES_MAX
    assert {case.id for case in listed[:2]} == {still_open, asked_again}


def test_a_case_that_is_not_there_is_gone(center: CoordinatorSite) -> None:
    assert center.desk.cases() == []
    with pytest.raises(CaseGone):
        center.desk.case(1)
    with pytest.raises(CaseGone):
        center.desk.take_up(1, "Anna", token="t1")


def test_an_act_that_the_disk_refuses_leaves_nothing(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    before = center.dump()
    with center.ledger.transaction():  # held too long by another: the desk waits its time and gives up
        center.ledger.connection.exec_driver_sql("UPDATE meta SET value = value")
        hurried = Desk(center.path, LEDGER_KEY, center.rng.randbytes, center.clock.read)
        with hurried._opened() as ledger:
            ledger.connection.exec_driver_sql("PRAGMA busy_timeout=10")
            with pytest.raises(LedgerError, match="locked"), ledger.transaction():
                pass
    assert center.dump() == before
    center.desk.take_up(case_id, "Anna", token="t1")


def test_words_and_names_are_not_in_the_coordinators_files_as_they_are(
    kiosk: KioskSite, center: CoordinatorSite
) -> None:
    case_id = a_case(kiosk, center, "kanarie in de mijn")
    center.desk.take_up(case_id, "Annemarie van Dijk", token="t1")
    center.desk.answer(case_id, "Annemarie van Dijk", CREW, "de brandweer komt", token="t2")
    found = b"".join(path.read_bytes() for path in center.path.parent.iterdir())
    for words in (b"kanarie", b"Annemarie", b"brandweer komt"):
        assert words not in found


def test_a_desk_whose_node_has_not_run_says_what_to_do(tmp_path: Path, clock: Clock) -> None:
    desk = Desk(new_ledger(tmp_path / "ledger.db"), LEDGER_KEY, read_boot_ms=clock.read)
    with pytest.raises(LedgerError, match="start steunpunt-node"):
        desk.cases()
    missing = Desk(tmp_path / "absent.db", LEDGER_KEY, read_boot_ms=clock.read)
    with pytest.raises(LedgerError, match="start the node once"):
        missing.cases()
    assert not (tmp_path / "absent.db").exists()


def test_phrases_go_to_the_citizen_and_into_the_log(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    center.desk.take_up(case_id, "Anna", token="t1")
    said = (Phrase(3, (SenderFunction.CONTROL_ROOM, phrases.Clock(870))), Phrase(18))
    center.desk.answer(case_id, "Anna", SenderFunction.MEDICAL, "", token="t2", phrases=said)
    assert center.desk.case(case_id).events[-1].phrases == said
    assert center.desk.case(case_id).answered


def test_nobody_promises_what_only_others_can_keep(kiosk: KioskSite, center: CoordinatorSite) -> None:
    case_id = a_case(kiosk, center)
    center.desk.take_up(case_id, "Anna", token="t1")
    before = center.dump()
    ambulance = Phrase(3, (SenderFunction.CONTROL_ROOM, phrases.Clock(870)))
    with pytest.raises(NotAllowed, match="may not promise"):
        center.desk.answer(case_id, "Anna", CREW, "", token="t2", phrases=(ambulance,))
    assert center.dump() == before
