"""When each job of the housekeeping last ended, and last ended well: in ledger time, so that it survives restarts."""

import struct

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.store import Ledger

_RECORD = struct.Struct("<QQ?")
_PREFIX = "job_"


class Run(Struct, frozen=True):
    """The last run of a job. ``well_ms``: when one last ended well; 0: never."""

    ended_ms: int
    well_ms: int
    ok: bool


def last_run(connection: sa.Connection, job: str) -> Run | None:
    """Return how a job last ended; None when it never did, or when its record is damaged: it is due, then."""
    record = Ledger.get_meta(connection, _PREFIX + job)
    return Run(*_RECORD.unpack(record)) if record is not None and len(record) == _RECORD.size else None


def note(connection: sa.Connection, job: str, now_ms: int, *, ok: bool) -> Run:
    """Note that a job ended."""
    before = last_run(connection, job)
    run = Run(now_ms, now_ms if ok else (before.well_ms if before else 0), ok)
    Ledger.set_meta(connection, _PREFIX + job, _RECORD.pack(run.ended_ms, run.well_ms, run.ok))
    return run
