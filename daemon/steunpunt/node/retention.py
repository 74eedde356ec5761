"""The job that deletes what is over: it asks the loop, which alone writes, and empties the write-ahead log after it."""

from collections.abc import Callable
from pathlib import Path

from steunpunt.config import Config
from steunpunt.engine.tidying import Tidy
from steunpunt.ledger.retention import Limits, forget_log
from steunpunt.model import Asked, Event
from steunpunt.node.pending import Pending

RUNS_MAX = 50
"""Most transactions of one run of the job; what is left waits for the next day."""
WAIT_S_MAX = 30.0


def retention_job(config: Config, put: Callable[[Event], None]) -> Callable[[], str]:
    """Return the job, for a thread of the housekeeping; it returns what is wrong, "" for nothing."""
    limits, path = Limits(config.retention.closed_days), Path(config.ledger.path)

    def run() -> str:
        for _ in range(RUNS_MAX):
            pending = Pending()
            put(Asked(Tidy(limits), pending))
            told = pending.wait(WAIT_S_MAX)
            if not told.get("ok"):
                return str(told.get("message", "the loop did not answer"))
            if not told.get("more"):
                break
        return "" if forget_log(path) else "the write-ahead log was in use; what was deleted is still in it"

    return run
