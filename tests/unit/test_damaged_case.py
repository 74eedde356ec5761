"""One case that the disk damaged: it is shown as such, and all others are served as before."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from steunpunt.ledger.deskact import NotAllowed
from steunpunt.model import Event, LinkName, SenderFunction, TicketState
from tests.fakes.sites import (
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    ended,
    frames,
    heard,
    help_form,
    more_form,
    seeded,
)

PARTS = ("content_key", "content")


@dataclass
class Road:
    """A kiosk and its coordinator, with a mesh between them on which nothing is lost."""

    kiosk: KioskSite
    center: CoordinatorSite
    clock: Clock

    def ask(self, text: str) -> int:
        """Ask for help and let it arrive; returns the case's id."""
        sent = frames(self.kiosk.turn(MESH_UP, help_form(self.kiosk.token(), text)), LinkName.MESH)
        while sent:
            self.center.turn(MESH_UP, *(heard(frame.payload) for frame in sent))
            sent = frames(self.kiosk.turn(*(ended(frame) for frame in sent)), LinkName.MESH)
        return int(self.center.ledger.connection.exec_driver_sql("SELECT max(id) FROM cases").scalar_one())

    def supplement(self, number: str, text: str) -> None:
        """Add to a request and let it arrive."""
        form = more_form(self.kiosk.token(), number, text=text)
        sent = frames(self.kiosk.turn(MESH_UP, form), LinkName.MESH)
        self.center.turn(MESH_UP, *(heard(frame.payload) for frame in sent))
        self.kiosk.turn(*(ended(frame) for frame in sent))

    def told(self, *events: Event) -> list[bytes]:
        """Return what the coordinator sends when everything is due."""
        self.clock.advance_s(60)
        return [frame.payload for frame in frames(self.center.turn(MESH_UP, *events), LinkName.MESH)]

    def change(self, statement: str, *values: object) -> None:
        with self.center.ledger.transaction() as connection:
            assert connection.exec_driver_sql(statement, values).rowcount == 1

    def damage(self, case_id: int, part: str) -> None:
        with self.center.ledger.transaction() as connection:
            query = f"SELECT {part} FROM cases WHERE id = {case_id}"  # noqa: S608  names of our own
            box = bytearray(connection.exec_driver_sql(query).scalar_one())
            box[len(box) // 2] ^= 1
            connection.exec_driver_sql(f"UPDATE cases SET {part} = ? WHERE id = ?", (bytes(box), case_id))  # noqa: S608  the same


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    clock, rng = Clock(), seeded(1)
    kiosk, center = KioskSite(tmp_path / "kiosk", clock, rng), CoordinatorSite(tmp_path / "center", clock, rng)
    yield Road(kiosk, center, clock)
    kiosk.ledger.close()
    center.ledger.close()


@pytest.mark.parametrize("part", PARTS)
def test_the_desk_shows_a_damaged_case_as_such_among_the_others(road: Road, part: str) -> None:
    damaged, whole = road.ask("Wij hebben water nodig"), road.ask("Er is brand")
    road.center.desk.take_up(damaged, "Ali", token="one")
    road.damage(damaged, part)
    shown = {case.id: case for case in road.center.desk.cases()}
    assert (shown[damaged].damaged, shown[damaged].text, shown[damaged].number) == (True, "", "47-1")
    assert (shown[damaged].state, bool(shown[damaged].seen_by)) == (TicketState.SEEN, True)
    assert (shown[whole].damaged, shown[whole].text) == (False, "Er is brand")
    assert road.center.desk.case(damaged).damaged
    with pytest.raises(NotAllowed, match="damaged"):
        road.center.desk.answer(damaged, "Ali", SenderFunction.FIRE_CREW, "Wij komen", token="two")
    road.center.desk.take_up(whole, "Ali", token="three")


def test_an_event_that_is_damaged_hides_only_itself(road: Road) -> None:
    case_id = road.ask("Er is brand")
    road.center.desk.take_up(case_id, "Ali", token="one")
    with road.center.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE events SET content = x'00' WHERE kind = 'seen'")
    case = road.center.desk.case(case_id)
    assert (case.text, case.state, bool(case.seen_by)) == ("Er is brand", TicketState.SEEN, True)


@pytest.mark.parametrize("part", PARTS)
def test_a_reply_of_a_damaged_case_stops_no_other_and_no_request(road: Road, part: str) -> None:
    damaged, whole = road.ask("Wij hebben water nodig"), road.ask("Er is brand")
    road.told()
    for case_id in (damaged, whole):
        road.center.desk.take_up(case_id, "Ali", token=f"case {case_id}")
    road.damage(damaged, part)
    assert road.told(), "the reply of the whole case"
    assert road.ask("Hulp bij de sporthal") > whole
    assert road.center.engine.counts["replies_unreadable"] == 1
    due_ms = road.center.due_ms()
    assert due_ms is None or due_ms > road.clock.boot_ms, "it does not spin"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("lane", 7),
        ("state", 9),
        ("close_code", 99),
        ("received_ms", "text"),
        ("content", 5),
        ("content_key", "text"),
        ("by_mesh", b"no"),
        ("counter", b"no"),
        ("presses", "no"),
    ],
)
def test_a_column_that_cannot_be_right_blinds_nobody(road: Road, column: str, value: object) -> None:
    damaged, whole = road.ask("Wij hebben water nodig"), road.ask("Er is brand")
    road.change(f"UPDATE cases SET {column} = ? WHERE id = ?", value, damaged)  # noqa: S608  names of our own
    shown = {case.id: case for case in road.center.desk.cases()}
    assert {case_id: case.damaged for case_id, case in shown.items()} == {damaged: True, whole: False}
    assert road.ask("Hulp bij de sporthal") > whole


def test_what_adds_to_a_damaged_case_is_kept_and_shown(road: Road) -> None:
    case_id = road.ask("Wij hebben water nodig")
    road.damage(case_id, "content_key")
    road.supplement("47-1", "Het stijgt")
    assert [event.text for event in road.center.desk.case(case_id).events] == ["", "Het stijgt"]


def test_a_damaged_word_that_came_before_its_request_does_not_keep_the_request_out(road: Road) -> None:
    sent = frames(road.kiosk.turn(MESH_UP, help_form(road.kiosk.token(), "Wij hebben water nodig")), LinkName.MESH)
    request = road.kiosk.ledger.connection.exec_driver_sql("SELECT eid, n FROM messages").one()
    early = "INSERT INTO events (site, eid, n, kind, at_ms, content) VALUES (47, ?, ?, 'early', 0, x'00')"
    road.change(early, *request)
    road.center.turn(MESH_UP, *(heard(frame.payload) for frame in sent))
    assert [case.text for case in road.center.desk.cases()] == ["Wij hebben water nodig"]


def test_a_reply_whose_word_is_damaged_stops_no_other(road: Road) -> None:
    damaged, whole = road.ask("Wij hebben water nodig"), road.ask("Er is brand")
    road.told()
    for case_id in (damaged, whole):
        road.center.desk.take_up(case_id, "Ali", token=f"case {case_id}")
    road.change("UPDATE replies SET code = 66 WHERE case_id = ?", damaged)
    assert road.told(), "the reply of the whole case"
    assert road.ask("Hulp bij de sporthal") > whole
