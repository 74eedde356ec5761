"""Several coordinators: one is addressed, the others stand by; a case is one case wherever it arrived."""

from pathlib import Path
from typing import Any

import pytest

from steunpunt.engine.common import Neighbours
from steunpunt.ledger.tables import standby
from steunpunt.model import BellRung, LinkName, SendFrame, SupplementCode, TicketState, TokenCode
from steunpunt.protocol.packets import Kind
from steunpunt.relay.standby import ABSENT_MIN, HUSHED_MS, SILENT_MS, Stand
from tests.fakes.ether import Ether
from tests.fakes.region_keys import BOTH, COORDINATOR, SECOND, coordinator_keys
from tests.fakes.sites import Clock, CoordinatorSite, KioskSite, heard, help_form, more_form, seeded

MESH, BROKER = LinkName.MESH, LinkName.BROKER
KIOSK = 47
SILENT_S, HUSHED_S = SILENT_MS / 1000, HUSHED_MS / 1000


class First(CoordinatorSite):
    keys = coordinator_keys(COORDINATOR)
    neighbours = Neighbours(COORDINATOR, frozenset({SECOND}))


class Other(CoordinatorSite):
    """The second coordinator: the kiosk addresses the first."""

    keys = coordinator_keys(SECOND)
    neighbours = Neighbours(SECOND, frozenset({COORDINATOR}), {KIOSK: COORDINATOR})


class Kiosk(KioskSite):
    coordinators = BOTH


class Two:
    """One kiosk and two coordinators, all within earshot of each other, without internet unless a test gives it."""

    def __init__(self, folder: Path) -> None:
        clock, rng = Clock(), seeded(3)
        self.kiosk = Kiosk(folder / "kiosk", clock, rng, KIOSK)
        self.first = First(folder / "first", clock, rng)
        self.other = Other(folder / "other", clock, rng)
        self.world = Ether(clock)
        for number, site in ((KIOSK, self.kiosk), (COORDINATOR, self.first), (SECOND, self.other)):
            self.world.add(number, site, internet=False)
        self.world.run(1)

    def ask(self, **fields: Any) -> str:
        self.world.put(KIOSK, help_form(self.kiosk.token(), **fields))
        self.world.run(0)
        counter = self.kiosk.ledger.connection.exec_driver_sql("SELECT max(counter) FROM tickets").scalar()
        return f"{KIOSK}-{counter}"

    def reaches(self, number: str, state: TicketState, seconds: float) -> bool:
        self.world.put(COORDINATOR, BellRung())
        self.world.put(SECOND, BellRung())
        return self.world.run(seconds, lambda: self.kiosk.ticket(number).state >= state)

    def receipts(self, coordinator: int) -> list[SendFrame]:
        return self.world.packets(coordinator, MESH, Kind.TOKENS)


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


def told(site: CoordinatorSite, kind: str) -> list[tuple[int, object]]:
    return [(e.coordinator, e.said or e.stand) for e in site.only_case().events if e.kind == kind]


def test_both_keep_it_and_only_the_addressed_one_receipts(two: Two) -> None:
    number = two.ask()
    assert two.reaches(number, TicketState.RECEIVED, 30)
    two.world.run(SILENT_S * 2)
    assert len(two.receipts(COORDINATOR)) == 1
    assert two.receipts(SECOND) == []
    case = two.other.only_case()
    assert (case.number, case.coordinator, case.stand, case.elsewhere) == (number, COORDINATOR, Stand.WITH_OTHER, True)
    assert (two.first.only_case().coordinator, two.first.only_case().elsewhere) == (None, False)


def test_what_the_addressed_one_says_to_the_kiosk_stands_at_the_others_desk(two: Two) -> None:
    number = two.ask()
    assert two.reaches(number, TicketState.RECEIVED, 30)
    two.first.desk.take_up(two.first.only_case().id, "Anna", token="t1")
    assert two.reaches(number, TicketState.SEEN, 60)
    assert told(two.other, "elsewhere") == [(COORDINATOR, TokenCode.SEEN)]
    two.first.desk.close(two.first.only_case().id, "Anna", TokenCode.CLOSED_HELPED, token="t2")
    assert two.reaches(number, TicketState.CLOSED, 60)
    assert told(two.other, "elsewhere")[1:] == [(COORDINATOR, TokenCode.CLOSED_HELPED)]
    assert two.other.only_case().elsewhere


def test_a_silent_coordinator_is_taken_over_after_ten_minutes_and_then_sooner(two: Two) -> None:
    two.world.off(COORDINATOR)
    number = two.ask()
    assert not two.reaches(number, TicketState.RECEIVED, SILENT_S - 5)
    assert two.other.only_case().elsewhere
    assert two.reaches(number, TicketState.RECEIVED, 10)
    assert told(two.other, "taken_over") == [(COORDINATOR, Stand.SILENT)]
    assert not two.other.only_case().elsewhere
    second = two.ask(text="nog een")
    assert two.reaches(second, TicketState.RECEIVED, HUSHED_S + 10)
    two.world.on(COORDINATOR)
    third = two.ask(text="en nog een")
    assert two.reaches(third, TicketState.RECEIVED, 30)
    two.world.run(SILENT_S * 2)
    assert [case.number for case in two.other.desk.cases() if case.elsewhere] == [third]


def test_a_receipt_that_the_kiosk_missed_is_made_good_when_the_first_falls_silent(two: Two) -> None:
    two.world.deaf.add((KIOSK, COORDINATOR))
    number = two.ask()
    two.world.run(120, lambda: [case.stand for case in two.other.desk.cases()] == [Stand.WITH_OTHER])
    two.world.off(COORDINATOR)
    assert two.reaches(number, TicketState.RECEIVED, 2 * SILENT_S + 900)
    assert two.other.only_case().stand is Stand.SILENT


def test_a_life_threat_where_nobody_is_there_comes_on_the_others_list(two: Two) -> None:
    number = two.ask(life_threat=True)
    assert two.reaches(number, TicketState.RECEIVED, 30)
    two.world.run(10)
    assert told(two.other, "taken_over") == [(COORDINATOR, Stand.ABSENT)], "nobody has ever acted there"
    two.other.desk.take_up(two.other.only_case().id, "Bas", token="t1")
    assert two.reaches(number, TicketState.SEEN, 90)
    assert told(two.first, "elsewhere") == [(SECOND, TokenCode.SEEN)]


def test_where_somebody_acts_a_life_threat_stays_on_the_list_of_the_first(two: Two) -> None:
    two.first.desk.present("Anna")
    number = two.ask(life_threat=True)
    assert two.reaches(number, TicketState.RECEIVED, 30)
    two.first.desk.take_up(two.first.only_case().id, "Anna", token="t1")
    two.world.put(COORDINATOR, BellRung())
    two.world.run(ABSENT_MIN * 60 * 3)
    assert two.other.only_case().elsewhere
    assert told(two.other, "taken_over") == []


def test_a_life_threat_that_waits_where_people_were_is_shown_after_a_quarter(two: Two) -> None:
    two.first.desk.present("Anna")
    number = two.ask(life_threat=True)
    assert two.reaches(number, TicketState.RECEIVED, 30)
    two.world.run(ABSENT_MIN * 60 - 60)
    assert two.other.only_case().elsewhere
    two.world.run(120)
    assert told(two.other, "taken_over") == [(COORDINATOR, Stand.ABSENT)]


def test_the_first_returns_cut_off_and_it_is_still_one_case_with_one_end(two: Two) -> None:
    """Hard case 4: A receipts, falls silent, B takes over without internet, A returns partitioned."""
    number = two.ask()
    assert two.reaches(number, TicketState.RECEIVED, 30)
    two.world.off(COORDINATOR)
    two.world.put(KIOSK, more_form(two.kiosk.token(), number, SupplementCode.WORSE))
    two.world.run(SILENT_S + 900)
    two.other.desk.take_up(two.other.only_case().id, "Bas", token="b1")
    assert two.reaches(number, TicketState.SEEN, 60)
    two.other.desk.close(two.other.only_case().id, "Bas", TokenCode.CLOSED_HELPED, token="b2")
    assert two.reaches(number, TicketState.CLOSED, 60)
    two.world.deaf |= {(COORDINATOR, SECOND), (SECOND, COORDINATOR)}
    two.world.on(COORDINATOR)
    two.world.run(1)
    case = two.first.only_case()
    two.first.desk.take_up(case.id, "Anna", token="a1")
    two.first.desk.close(case.id, "Anna", TokenCode.CLOSED_CANNOT, token="a2")
    two.world.put(COORDINATOR, BellRung())
    two.world.run(3_600)
    ticket = two.kiosk.ticket(number)
    assert (ticket.state, ticket.close_code) == (TicketState.CLOSED, TokenCode.CLOSED_HELPED)
    assert two.first.only_case().number == two.other.only_case().number == number
    assert all(event.delivered is not False for event in two.first.only_case().events), "A knows that the kiosk knows"


def test_forged_tokens_hold_nobody_back(two: Two) -> None:
    two.world.off(COORDINATOR)
    two.ask()
    forged = bytes([1 << 6 | Kind.TOKENS << 2, COORDINATOR, 1, 0, 0, 0]) + bytes(range(60))
    two.world.put(SECOND, heard(forged))
    two.world.run(SILENT_S + 60)
    assert two.other.only_case().stand is Stand.SILENT


def test_a_restart_in_the_wait_changes_nothing(two: Two) -> None:
    two.world.off(COORDINATOR)
    number = two.ask()
    two.world.run(SILENT_S / 2)
    two.world.off(SECOND)
    two.world.on(SECOND)
    assert not two.reaches(number, TicketState.RECEIVED, SILENT_S / 2 - 10)
    assert two.reaches(number, TicketState.RECEIVED, 60)


def test_v_lies_sealed_at_a_coordinator(two: Two) -> None:
    two.ask()
    two.world.run(5)
    (verify,) = two.kiosk.ledger.connection.exec_driver_sql("SELECT verify FROM messages").scalars()
    (row,) = two.other.rows(standby)
    assert all(verify not in value for value in row if isinstance(value, bytes))


def test_alone_a_coordinator_keeps_no_such_rows(tmp_path: Path) -> None:
    center = CoordinatorSite(tmp_path, Clock(), seeded(1))
    assert center.engine.next_due_ms() is not None
    assert center.rows(standby) == []


def test_any_coordinators_beacon_keeps_the_broker_road_open(two: Two) -> None:
    two.world.set(KIOSK, internet=True, radio=False)
    two.world.set(SECOND, internet=True)
    two.world.set(COORDINATOR, internet=False, radio=False)
    two.world.run(30)
    number = two.ask()
    assert two.reaches(number, TicketState.ON_ITS_WAY, 5)
    assert two.reaches(number, TicketState.RECEIVED, SILENT_S + 130)


def test_heartbeats_are_receipted_by_the_addressed_one_alone_and_leave_no_rows(two: Two) -> None:
    two.world.set(KIOSK, internet=True)
    for coordinator in (COORDINATOR, SECOND):
        two.world.set(coordinator, internet=True)
    two.world.run(SILENT_S + 300)
    assert len(two.world.heartbeats(BROKER)) > 10
    assert two.kiosk.engine.counts["heartbeats_receipted"] == len(two.world.packets(COORDINATOR, BROKER))
    assert two.world.packets(SECOND, BROKER) == []
    assert two.first.rows(standby) == two.other.rows(standby) == []


@pytest.mark.parametrize(("column", "value"), [("verify", b"damaged"), ("stand", 99), ("lane", 99)])
def test_a_damaged_row_stops_nothing_and_its_next_copy_mends_it(two: Two, column: str, value: object) -> None:
    two.world.off(COORDINATOR)
    number = two.ask()
    two.world.run(5)
    with two.other.ledger.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE standby SET {column} = ?", (value,))  # noqa: S608  names of our own
    assert two.reaches(number, TicketState.RECEIVED, SILENT_S + 300)
