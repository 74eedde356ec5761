"""Which job is due by ledger time, what becomes of one that fails or hangs, and who is told."""

import queue
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from steunpunt import config
from steunpunt.config import Config
from steunpunt.fleet.told import lines_of
from steunpunt.jobconfig import Housekeeping as Section
from steunpunt.jobfacts import Fault, FaultSeen, JobEnded
from steunpunt.ledger.store import Ledger
from steunpunt.model import Asked, Event
from steunpunt.node.housekeeping import APART_MS, FIRST_MS, HOUR_MS, RETRY_MS, RUN_MS_MAX, Housekeeping, job_troubles
from steunpunt.node.pending import Pending
from tests.fakes.sites import Clock, new_ledger
from tests.fakes.ui_sites import EXAMPLES

DAY_MS = 24 * HOUR_MS
YEARS_MS = 3650 * DAY_MS
WAIT_S = 30.0


class Site:
    """A site's ledger with its housekeeping, turned by hand."""

    def __init__(self, folder: Path, *, only: str = "", **section: object) -> None:
        self.only = only
        self.clock, self.said = Clock(), queue.SimpleQueue[Event]()
        example = config.load(EXAMPLES / "coordinator.toml")
        self.config: Config = msgspec.structs.replace(
            example,
            ledger=config.Ledger(path=str(new_ledger(folder / "ledger.db"))),
            housekeeping=Section(**section),  # type: ignore[arg-type]
        )
        self.start()

    asked, keeps = 0, True

    def start(self) -> None:
        self.ledger = Ledger(Path(self.config.ledger.path), read_boot_ms=self.clock.read).open()
        self.keeping = Housekeeping(self.config, self.said.put)
        with self.ledger.transaction() as connection:
            self.ledger.touch(connection)
            self.keeping.begin(connection, self.now_ms())
        for job in list(self.keeping.by_name):
            if (job == "retention") is not (self.only == "retention"):
                self.keeping.by_name[job].due_ms = self.now_ms() + YEARS_MS

    def now_ms(self) -> int:
        return self.ledger.clock.now_ms()

    def stop(self) -> None:
        self.keeping.stop()
        self.ledger.close()

    def after(self, wait_ms: int) -> None:
        self.clock.boot_ms += wait_ms
        self.keeping.look(self.now_ms())

    def heard(self) -> JobEnded:
        """Wait for a job's end and keep it; what the retention asks of the loop is answered."""
        event = self.said.get(timeout=WAIT_S)
        while isinstance(event, Asked):
            self.asked += 1
            assert isinstance(event.reply, Pending)
            event.reply.answer({"ok": self.keeps, "message": "disk full", "more": self.asked == 1})
            event = self.said.get(timeout=WAIT_S)
        assert isinstance(event, JobEnded)
        self.take(event)
        return event

    def take(self, event: JobEnded) -> None:
        with self.ledger.transaction() as connection:
            self.keeping.take(connection, [event], self.now_ms())

    def status(self, job: str = "check") -> dict[str, object]:
        found: dict[str, object] = self.keeping.status(self.now_ms())[job]
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.stop()


def test_a_job_runs_some_time_after_the_start_and_then_by_its_interval(site: Site) -> None:
    assert site.keeping.due_ms() == site.now_ms() + FIRST_MS
    site.after(FIRST_MS - 1)
    assert site.said.empty()
    site.after(1)
    assert site.heard() == JobEnded("check", ok=True)
    assert site.keeping.due_ms() == site.now_ms() + DAY_MS
    assert site.status() == {"ok": True, "well_s": 0, "missed": False, "detail": ""}


def test_the_ledger_is_checked_after_each_start_but_not_in_its_way(site: Site) -> None:
    site.after(FIRST_MS)
    site.heard()
    site.stop()
    site.clock.boot_ms += HOUR_MS
    site.start()
    assert site.keeping.due_ms() == site.now_ms() + FIRST_MS
    assert site.status()["well_s"] == HOUR_MS // 1000


def test_another_job_that_ran_before_a_restart_is_not_run_again_early(tmp_path: Path) -> None:
    site = Site(tmp_path, only="retention")
    with site.ledger.transaction() as connection:
        site.keeping.take(connection, [JobEnded("retention", ok=True)], site.now_ms())
    site.stop()
    site.clock.boot_ms += HOUR_MS
    site.start()
    assert site.keeping.due_ms() == site.now_ms() + DAY_MS - HOUR_MS
    site.stop()


def test_a_failed_job_is_tried_again_soon_told_and_a_fault(site: Site) -> None:
    site.after(FIRST_MS)
    site.said.get(timeout=WAIT_S)
    site.take(JobEnded("check", ok=False, detail="damaged; keep a copy, replace the card"))
    assert site.said.get(timeout=WAIT_S) == FaultSeen(Fault.STORAGE, there=True)
    assert site.keeping.due_ms() == site.now_ms() + RETRY_MS
    assert job_troubles(site.keeping.status(site.now_ms()))
    status: dict[str, object] = {"housekeeping": site.keeping.status(site.now_ms())}
    words = [line for up, line in _told(site, status) if up is False]
    assert words == ["check of the ledger failed, well never yet: damaged; keep a copy, replace the card"]
    site.after(RETRY_MS)
    site.heard()
    assert site.said.get(timeout=WAIT_S) == FaultSeen(Fault.STORAGE, there=False)
    assert job_troubles(site.keeping.status(site.now_ms())) == []


def _told(site: Site, status: dict[str, object]) -> list[tuple[bool | None, str]]:
    links = {name: {"up": True, "reason": ""} for name in ("mesh", "broker")}
    body = {"links": links, "radio": None, "power": None, "panel_reason": "", "can_keep": True, "damaged_log": ""}
    return lines_of(site.config, body | status)


def test_a_job_that_hangs_is_missed_and_begun_again(site: Site, wait_until: Callable[..., None]) -> None:
    site.after(FIRST_MS)
    site.said.get(timeout=WAIT_S)  # its end never reaches the ledger
    site.after(RUN_MS_MAX - 1)
    assert site.said.empty()

    def begun_again() -> bool:  # not while the scheduler still counts the first one as running
        site.after(RUN_MS_MAX)
        return not site.said.empty()

    wait_until(begun_again, WAIT_S, "the job runs again")
    site.clock.boot_ms += 2 * DAY_MS
    assert site.status()["missed"] is True
    assert job_troubles(site.keeping.status(site.now_ms()))


def test_a_copy_goes_to_the_second_medium_and_says_when_it_is_gone(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as stick:
        site = Site(tmp_path, copy_folder=stick, copy_hours=6, copies=2, check_hours=720)
        site.after(FIRST_MS + APART_MS)
        ended = {event.job: event.ok for event in (site.heard(), site.heard())}
        assert ended == {"check": True, "copy": True}
        assert [file.name for file in Path(stick).iterdir()] == ["ledger-000001.db"]
    site.after(6 * HOUR_MS)
    gone = site.heard()
    assert (gone.job, gone.ok) == ("copy", False)
    assert "mount a medium" in gone.detail
    assert any("stick" in trouble for trouble in job_troubles(site.keeping.status(site.now_ms())))
    site.stop()


def test_a_record_that_the_card_damaged_makes_the_job_due(site: Site) -> None:
    site.after(FIRST_MS)
    site.heard()
    with site.ledger.transaction() as connection:
        site.ledger.set_meta(connection, "job_check", b"\x00")
    site.stop()
    site.start()
    assert site.status() == {"ok": None, "well_s": None, "missed": False, "detail": ""}
    assert site.keeping.due_ms() == site.now_ms() + FIRST_MS


def test_what_is_over_is_deleted_once_a_day_by_the_loop_in_as_many_turns_as_it_takes(tmp_path: Path) -> None:
    site = Site(tmp_path, only="retention")
    site.after(FIRST_MS + 2 * APART_MS)
    assert site.heard() == JobEnded("retention", ok=True)
    assert site.asked == 2, "the first turn said that there is more"
    site.keeps = False
    site.after(DAY_MS)
    assert site.heard() == JobEnded("retention", ok=False, detail="disk full")
    assert job_troubles(site.keeping.status(site.now_ms())) == [
        "Wat lang geleden is afgesloten, wordt niet verwijderd. Waarschuw de technicus."
    ]
    site.stop()


def test_a_retention_that_waits_for_the_loop_ends_with_the_node(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    site = Site(tmp_path, only="retention")
    site.after(FIRST_MS + 2 * APART_MS)
    assert isinstance(site.said.get(timeout=WAIT_S), Asked)
    wait_until(lambda: not site.keeping._scheduler.get_jobs(), WAIT_S, "the scheduler has handed the job over")
    site.keeping.stop()
    site.keeping._scheduler._executors["default"]._pool.shutdown(wait=True)
    assert site.said.empty()
    site.ledger.close()
