"""The job that deletes what is over: it asks the loop, which alone writes, and empties the write-ahead log after it."""

import logging
from collections.abc import Callable
from pathlib import Path

from steunpunt.config import Config
from steunpunt.control import NOT_KNOWN_YET, Body
from steunpunt.engine.tidying import Tidy
from steunpunt.ledger.retention import Limits, forget_log
from steunpunt.ledger.upkeep import Stopped
from steunpunt.model import Asked, Event
from steunpunt.node.pending import Pending

RUNS_MAX = 50
"""Most transactions of one run of the job; what is left waits for the next day."""
LOOK_S, LOOKS_MAX = 0.5, 60
"""How long the job waits for the loop at a time, and how often."""
_log = logging.getLogger(__name__)


def retention_job(config: Config, put: Callable[[Event], None], stopping: Callable[[], bool]) -> Callable[[], str]:
    """Return the job, for a thread of the housekeeping; it returns what is wrong, "" for nothing.

    It raises Stopped when the node ends meanwhile.
    """
    limits, path = Limits(config.retention.closed_days), Path(config.ledger.path)

    def run() -> str:
        for _ in range(RUNS_MAX):
            pending = Pending()
            put(Asked(Tidy(limits), pending))
            told = _answer(pending, stopping)
            if not told.get("ok"):
                return str(told.get("message"))
            if not told.get("more"):
                break
        if not forget_log(path):
            _log.warning("action=retention reason='the log was in use: what was deleted is in it until tomorrow'")
        return ""

    return run


def _answer(pending: Pending, stopping: Callable[[], bool]) -> Body:
    for _ in range(LOOKS_MAX):
        told = pending.wait(LOOK_S)
        if told.get("error") != NOT_KNOWN_YET:
            return told
        if stopping():
            raise Stopped
    return {"ok": False, "message": f"the node's loop has not answered for {LOOKS_MAX * LOOK_S:.0f} s"}
