"""Housekeeping: which job is due, by ledger time, and how each ended. APScheduler runs them on a thread of its own.

See docs/adr/0019-housekeeping.md. The loop calls :meth:`Housekeeping.look` at each turn of its own; it costs a
comparison. What runs long reads over a connection of its own; how it ended comes back as an event, and is kept in the
turn that takes it.
"""

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from steunpunt.config import Config
from steunpunt.control import Body
from steunpunt.jobfacts import Fault, FaultSeen, JobEnded
from steunpunt.ledger import jobs, upkeep
from steunpunt.ledger.jobs import Run
from steunpunt.model import Event, Role, SteunpuntError
from steunpunt.node.pages import Pages
from steunpunt.node.retention import retention_job

HOUR_MS = 3_600_000
FIRST_MS = 600_000
"""A job that is due at the start waits this long: first the point must work."""
APART_MS = 300_000
"""Between the first runs of two jobs."""
RETENTION_MS = 24 * HOUR_MS
"""Between two looks for what is over."""
RETRY_MS = HOUR_MS
"""A job that failed is tried again after this."""
RUN_MS_MAX = 4 * HOUR_MS
"""A job that was begun and of which nothing was heard for so long is begun again."""
PAGES_MS = 24 * HOUR_MS
"""Between two looks at the stick and at the region's pages; those that the broker brings are looked into at once."""
SELF_TEST_MS = 30 * 24 * HOUR_MS
"""A point proves its road once a month."""
_OF_STORAGE = ("check", "copy")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """One job: what it does, how often, and how it went."""

    name: str
    every_ms: int
    do: Callable[[], str]
    """Returns what is wrong, "" for nothing; raises SteunpuntError."""
    each_start: bool = False
    """Whether it is due after each start, however lately it ran: what ended the last run may have done damage."""
    wanted: Callable[[], bool] = lambda: False
    """Whether it has something to do before it is due."""
    due_ms: int = 0
    begun_ms: int | None = None
    run: Run | None = None
    detail: str = ""

    def missed(self, now_ms: int, started_ms: int) -> bool:
        """Return whether it has not ended well within twice its interval, while this node ran."""
        well_ms = max(self.run.well_ms if self.run else 0, started_ms)
        return now_ms - well_ms > 2 * self.every_ms


@dataclass(slots=True)
class Housekeeping:
    """See the module; everything but the jobs themselves happens on the loop's thread."""

    config: Config
    inbox: Callable[[Event], None]
    self_test: Callable[[threading.Event], str] | None = None
    """A point's test request all the way; see :mod:`steunpunt.node.endtoend`."""
    pages: Pages | None = None
    by_name: dict[str, _Job] = field(default_factory=dict)
    _scheduler: Any = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _started_ms: int = 0
    _faulty: bool = False

    def begin(self, connection: sa.Connection, now_ms: int) -> None:
        """Find out when each job is due."""
        self._started_ms = now_ms
        for index, job in enumerate(self._jobs()):
            job.run = jobs.last_run(connection, job.name)
            first_ms = now_ms + FIRST_MS + index * APART_MS
            lately = None if job.each_start else job.run
            job.due_ms = first_ms if lately is None else max(first_ms, _next_ms(job, lately))
            self.by_name[job.name] = job

    def _jobs(self) -> list[_Job]:
        keeping, path = self.config.housekeeping, Path(self.config.ledger.path)
        every_ms = keeping.check_hours * HOUR_MS
        found = [_Job("check", every_ms, lambda: upkeep.check(path, self._stopping.is_set), each_start=True)]
        prove = self.self_test
        if prove is not None and self.config.site.role is Role.KIOSK:
            found.append(_Job("self-test", SELF_TEST_MS, lambda: prove(self._stopping)))
        pages, stopping = self.pages, self._stopping.is_set
        if pages is not None:
            found.append(_Job("pages", PAGES_MS, lambda: pages.job(stopping), wanted=lambda: pages.wanted))
        if keeping.copy_folder is not None and self.config.site.role is Role.COORDINATOR:
            folder = Path(keeping.copy_folder)

            def copy() -> str:
                upkeep.copy(path, folder, keeping.copies, self._stopping.is_set)
                return ""

            found.append(_Job("copy", keeping.copy_hours * HOUR_MS, copy))
        found.append(_Job("retention", RETENTION_MS, retention_job(self.config, self.inbox, self._stopping.is_set)))
        return found

    def stop(self) -> None:
        """Ask what runs to end; it reads only, and the process need not wait for it."""
        self._stopping.set()
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=False)

    # --- on the loop's thread -----------------------------------------------------------------------------------

    def due_ms(self) -> int | None:
        """Return when :meth:`look` has something to do."""
        dues = [job.due_ms if job.begun_ms is None else job.begun_ms + RUN_MS_MAX for job in self.by_name.values()]
        return min(dues, default=None)

    def look(self, now_ms: int) -> None:
        """Have what is due run now."""
        for job in self.by_name.values():
            waits = job.begun_ms is not None and now_ms - job.begun_ms < RUN_MS_MAX
            if (now_ms >= job.due_ms or job.wanted()) and not waits:
                job.begun_ms = now_ms
                self._run(job)

    def _run(self, job: _Job) -> None:
        if self._scheduler is None:
            self._scheduler = _scheduler()
        # Without a trigger it runs at once, whatever the wall clock says; one that hangs is not begun a second time.
        self._scheduler.add_job(
            self._do, args=[job], id=job.name, replace_existing=True, misfire_grace_time=None, max_instances=1
        )

    def take(self, connection: sa.Connection, events: Iterable[JobEnded], now_ms: int) -> None:
        """Keep how jobs ended; a rollback of the turn brings the events again."""
        for event in events:
            job = self.by_name[event.job]
            job.run = jobs.note(connection, event.job, now_ms, ok=event.ok)
            job.detail, job.begun_ms = event.detail, None
            job.due_ms = _next_ms(job, job.run)
        kept = [self.by_name[name] for name in _OF_STORAGE if name in self.by_name]
        faulty = any(job.run is not None and not job.run.ok for job in kept)
        if faulty is not self._faulty:
            self._faulty = faulty
            self.inbox(FaultSeen(Fault.STORAGE, there=faulty))

    # --- on the scheduler's -------------------------------------------------------------------------------------

    def _do(self, job: _Job) -> None:
        try:
            wrong = job.do()
        except upkeep.Stopped:
            return
        except SteunpuntError as error:
            wrong = str(error)
        except Exception as error:  # noqa: BLE001  a job of which nothing is heard would be thought to run
            _log.exception("action=job_failed job=%s", job.name)
            wrong = type(error).__name__
        if wrong:
            _log.error("action=job_failed job=%s reason=%r", job.name, wrong)
        else:
            _log.info("action=job_done job=%s", job.name)
        self.inbox(JobEnded(job.name, ok=not wrong, detail=wrong))

    # --- being asked --------------------------------------------------------------------------------------------

    def status(self, now_ms: int) -> Body:
        """Return how each job stands, for ``status``."""
        return {
            name: {
                "ok": None if job.run is None else job.run.ok,
                "well_s": (now_ms - job.run.well_ms) // 1000 if job.run and job.run.well_ms else None,
                "missed": job.missed(now_ms, self._started_ms),
                "detail": job.detail,
            }
            for name, job in self.by_name.items()
        }


def _next_ms(job: _Job, run: Run) -> int:
    return run.ended_ms + (job.every_ms if run.ok else min(RETRY_MS, job.every_ms))


def _scheduler() -> Any:  # noqa: ANN401  it comes without types
    """Return a scheduler with one thread for jobs; loaded only now, so that a start need not wait for it."""
    from apscheduler.executors.pool import ThreadPoolExecutor  # noqa: PLC0415  see above
    from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415

    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # our own lines say what ran
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=dt.UTC, daemon=True)
    scheduler.start()
    return scheduler


_TROUBLES = {
    "retention": "Wat lang geleden is afgesloten, wordt niet verwijderd. Waarschuw de technicus.",
    "check": "De opslag van deze computer is niet in orde of niet gecontroleerd. Waarschuw de technicus.",
    "pages": "Nieuwe informatiepagina's zijn niet aangekomen of niet geldig. Waarschuw de technicus.",
    "copy": "De reservekopie lukt niet. Zit de stick erin? Waarschuw de technicus.",
}


def job_troubles(status: Body) -> list[str]:
    """Return what the desk must be told, in Dutch as the screens show it."""
    wrong = [name for name, job in status.items() if job["ok"] is False or job["missed"]]
    return [_TROUBLES[name] for name in wrong if name in _TROUBLES]
