"""What a point must remember to know whether it is ready: its last run on the battery, and its key holder.

Nothing of the key holder but when somebody confirmed that there is one who can be reached: no name.
"""

import json
from collections.abc import Callable

from msgspec import Struct, to_builtins

from steunpunt.control import Body
from steunpunt.ledger.store import Ledger
from steunpunt.model import BellRung, Event
from steunpunt.values import replace

RUN_MS_MIN = 600_000
"""A run on the battery shorter than ten minutes proves nothing."""
_META = "readiness"


class Run(Struct, frozen=True):
    """A run on the battery: ledger milliseconds, and the charge at both ends."""

    began_ms: int
    ended_ms: int
    from_percent: int | None
    to_percent: int | None


class _Kept(Struct, frozen=True):
    run: Run | None = None
    key_holder_ms: int | None = None


class Readiness:
    """See the module. :meth:`look` is the loop's; what is asked comes on any thread."""

    def __init__(self, ledger: Ledger, put: Callable[[Event], None]) -> None:
        self._ledger, self._put = ledger, put
        self._kept = _read(ledger.get_meta(ledger.connection, _META))
        self._run: Run | None = None
        self.asked = False

    def confirm_key_holder(self, _request: Body) -> Body:
        """Note that somebody asked who has the key, and that this person can be reached."""
        self.asked = True
        self._put(BellRung())
        return {"ok": True}

    def look(self, power: Body, now_ms: int) -> None:
        """Follow runs on the battery by what ``status`` tells of power; keep what is worth it."""
        kept = self._kept
        if self.asked:
            self.asked, kept = False, replace(kept, key_holder_ms=now_ms)
        mains, percent = power.get("mains"), power.get("percent")
        if mains is False:
            begun = self._run
            run = Run(now_ms, now_ms, percent, percent)
            self._run = run if begun is None else replace(begun, ended_ms=now_ms, to_percent=percent)
        elif self._run is not None:
            kept, self._run = self._worth(kept, self._run), None
        if kept != self._kept:
            self._kept = kept
            with self._ledger.transaction() as transaction:
                self._ledger.set_meta(transaction, _META, json.dumps(to_builtins(kept)).encode())

    def status(self, now_ms: int) -> Body:
        """Return what is remembered, with ages in seconds; None: never."""
        run, holder_ms = self._kept.run, self._kept.key_holder_ms
        told = None if run is None else {
            "age_s": max(now_ms - run.ended_ms, 0) // 1000,
            "minutes": (run.ended_ms - run.began_ms) // 60_000,
            "from_percent": run.from_percent,
            "to_percent": run.to_percent,
        }  # fmt: skip
        holder_s = None if holder_ms is None else max(now_ms - holder_ms, 0) // 1000
        return {"battery_run": told, "key_holder_s": holder_s}

    @staticmethod
    def _worth(kept: _Kept, run: Run) -> _Kept:
        return replace(kept, run=run) if run.ended_ms - run.began_ms >= RUN_MS_MIN else kept


def _read(raw: bytes | None) -> _Kept:
    """Return what was kept; what cannot be read is nothing."""
    try:
        found = json.loads(raw or b"{}")
        run = found.get("run")
        return _Kept(None if run is None else Run(**run), found.get("key_holder_ms"))
    except (ValueError, TypeError, AttributeError):
        return _Kept()
