"""A point's state by its staff's word and by the coordinator's: who decided last counts."""

from pathlib import Path

import pytest

from steunpunt.engine import pointstate
from steunpunt.engine.beating import EARLY_MS
from steunpunt.engine.pointstate import By, StateSet
from steunpunt.ledger.tables import meta
from steunpunt.model import Asked, LinkName, PointState
from steunpunt.relay.newsfloor import NewsRow
from tests.fakes.sites import MESH_UP, Clock, KioskSite, answer_in, ended, frames, help_form, seeded

CLOSED, OPEN, EXERCISE = PointState.CLOSED, PointState.OPEN, PointState.EXERCISE


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> KioskSite:
    return KioskSite(tmp_path, Clock(), seeded(5))


def told(site: KioskSite) -> tuple[PointState, By]:
    now = pointstate.standing(site.ledger, site.ledger.connection)
    return now.state, now.by


def staff(site: KioskSite, state: PointState) -> dict[str, object]:
    return answer_in(site.turn(Asked(StateSet(state), object())))


def command(site: KioskSite, serial: int, state: PointState, issued_ms: int) -> None:
    with site.ledger.transaction() as connection:
        pointstate.command(site.ledger, connection, NewsRow(1, 1, serial, 0, None), state, issued_ms, site.now_ms())


def test_staff_close_a_point_and_it_takes_no_requests_until_they_open_it(site: KioskSite) -> None:
    assert told(site) == (OPEN, By.NOBODY)
    assert staff(site, CLOSED) == {"ok": True, "state": "CLOSED"}
    assert told(site) == (CLOSED, By.STAFF)
    site.clock.advance_s(2)  # a pass that was given out in the very second of the closing still counts
    token = site.token()
    assert answer_in(site.turn(help_form(token)))["error"] == "closed"
    staff(site, OPEN)
    assert answer_in(site.turn(help_form(token)))["ok"]


def test_it_survives_a_restart_with_who_said_so_and_when(site: KioskSite) -> None:
    site.clock.advance_s(100)
    staff(site, EXERCISE)
    at_ms = site.now_ms()
    site.clock.advance_s(600)
    site.restart()
    assert pointstate.standing(site.ledger, site.ledger.connection) == pointstate.Standing(EXERCISE, By.STAFF, at_ms)
    site.clock.advance_s(60)
    staff(site, EXERCISE)
    assert pointstate.standing(site.ledger, site.ledger.connection).since_ms == at_ms, "said again is no change"


def test_a_command_given_after_the_staffs_act_counts_and_one_given_before_it_does_not(site: KioskSite) -> None:
    site.clock.advance_s(1_000)
    staff(site, CLOSED)
    act_ms = site.now_ms()
    site.clock.advance_s(100)
    command(site, 1, OPEN, act_ms - 60_000)
    assert told(site) == (CLOSED, By.STAFF)
    assert pointstate.last_command(site.ledger, site.ledger.connection, 1) == (1, 1), "and is not taken a second time"
    command(site, 2, EXERCISE, act_ms + 50_000)
    assert told(site) == (EXERCISE, By.COORDINATOR)
    staff(site, OPEN)
    assert told(site) == (OPEN, By.STAFF)


def test_a_command_of_another_coordinator_is_no_earlier_one_of_ours(site: KioskSite) -> None:
    command(site, 7, CLOSED, site.now_ms())
    assert pointstate.last_command(site.ledger, site.ledger.connection, 2) == (0, 0)
    assert told(site) == (CLOSED, By.COORDINATOR)


def test_a_ledger_of_before_keeps_its_state(site: KioskSite) -> None:
    with site.ledger.transaction() as connection:
        site.ledger.set_meta(connection, "point_state", bytes([1, 1, 0, 9, CLOSED]))
    assert pointstate.standing(site.ledger, site.ledger.connection) == pointstate.Standing(CLOSED, By.COORDINATOR, None)
    assert "point_state_staff" not in {name for name, _ in site.rows(meta)}


def beats(site: KioskSite, seconds: float) -> int:
    """Let time pass; returns how many packets went by radio, each taken at once."""
    end_ms, count = site.clock.boot_ms + round(seconds * 1000), 0
    while (due_ms := site.due_ms()) is not None and due_ms <= end_ms:
        site.clock.boot_ms = max(site.clock.boot_ms, due_ms)
        for frame in frames(site.turn(), LinkName.MESH):
            count += 1
            site.turn(ended(frame))
    site.clock.boot_ms = end_ms
    return count


def test_the_desk_hears_of_it_early_and_only_once(site: KioskSite) -> None:
    early_s = EARLY_MS[1] / 1000
    site.turn(MESH_UP)
    assert beats(site, early_s) == 1
    assert beats(site, early_s) == 0
    site.turn(Asked(StateSet(CLOSED)))
    assert beats(site, early_s) == 1
    site.turn(Asked(StateSet(CLOSED)))
    assert beats(site, early_s) == 0, "nothing changed: no airtime"


def test_what_a_kiosk_does_not_know_is_refused_by_name(site: KioskSite) -> None:
    assert answer_in(site.turn(Asked("fly", object())))["error"] == "unknown_op"
