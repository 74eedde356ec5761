"""A test request: goes the whole way as a citizen's does, marked TEST, and is timed step by step.

It asks for nothing: no text, no life threat, so it comes in no alarm, no plain words and no count of cases. Its result
is kept in the ledger, because a readiness page must know of the last one after a restart too. The point may be closed.
"""

import json
import logging
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from steunpunt.control import Body
from steunpunt.facts import Facts, Mark
from steunpunt.ledger import outgoing
from steunpunt.ledger.lastfacts import roads_tried
from steunpunt.ledger.store import Ledger
from steunpunt.model import Category, HelpSubmitted, TicketState, parse_ticket_number
from steunpunt.node.pending import WAIT_S_MAX, Pending, no
from steunpunt.node.requests import KioskRequests
from steunpunt.values import replace

TEST_S_MAX = 900
"""A test without receipt for so long has failed; its request is sent on all the same."""
LATELY_S = 20 * 86_400
"""A test that passed so lately stands for the monthly one."""
SELF_LOOK_S = 1.0
_META = "end_to_end"
_STEPS = {TicketState.KEPT: "kept", TicketState.ON_ITS_WAY: "on_its_way", TicketState.RECEIVED: "received"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """How a test went. ``steps_ms``: each state that was reached, counted from the moment it was kept."""

    number: str
    at_ms: int
    """Ledger time."""
    by: str
    """``person`` or ``self``."""
    steps_ms: dict[str, int] = field(default_factory=dict)
    road: str = ""
    """Over which links it was tried: ``mesh``, ``broker``, or ``mesh+broker``."""
    over: bool = False
    passed: bool = False

    def body(self, now_ms: int) -> Body:
        """Return it as the control socket tells it."""
        told: Body = asdict(self)
        del told["at_ms"]
        return told | {"age_s": max(now_ms - self.at_ms, 0) // 1000}

    def late(self, now_ms: int) -> bool:
        """Whether it has failed by now."""
        return now_ms - self.at_ms > TEST_S_MAX * 1000


class EndToEnd:
    """See the module. :meth:`look` is the loop's; everything else may be called by any thread."""

    def __init__(self, requests: KioskRequests, ledger: Ledger) -> None:
        self._requests, self._ledger = requests, ledger
        self._pending: tuple[Pending, str] | None = None
        self._last = _kept(ledger.get_meta(ledger.connection, _META))

    # --- being asked --------------------------------------------------------------------------------------------

    def begin(self, request: Body) -> Body:
        """Submit a test request and return its number, or why there is none now."""
        if self._under_way(self._requests.now_ms()):
            return no("test_under_way", "a test request is under way; wait for its end, at most 15 minutes")
        pending = Pending()
        self._pending = (pending, "self" if request.get("by") == "self" else "person")
        token, facts = self._requests.new_token(), Facts(mark=Mark.TEST)
        form = HelpSubmitted(
            token, Category.OTHER, life_threat=False, text="", language="nl", facts=facts, reply=pending
        )
        self._requests.put(form)
        answer = dict(pending.wait(WAIT_S_MAX))
        answer.pop("secret", None)  # a test is answered by nobody
        return answer

    def self_test(self, stopping: threading.Event) -> str:
        """Send a test and wait for its end; return what is wrong, "" for nothing.

        Blocks up to TEST_S_MAX seconds. A test by a person lately counts. Nothing is sent while citizens' requests
        wait, nor while an earlier test has no receipt: that one is on its way still.
        """
        last, now_ms = self._last, self._requests.now_ms()
        if last is not None and last.passed and now_ms - last.at_ms < LATELY_S * 1000:
            return ""
        if self._requests.figures(now_ms)["queue"]:
            return "messages wait for a receipt already, so the road does not work; no test was sent"
        begun = self.begin({"by": "self"})
        if not begun["ok"]:
            return str(begun["message"])
        deadline_s = time.monotonic() + TEST_S_MAX
        while not stopping.wait(SELF_LOOK_S) and time.monotonic() < deadline_s:
            last = self._last
            if last is not None and last.number == begun["number"] and last.over:
                return "" if last.passed else "the test request earned no receipt"
        return "the test request earned no receipt in time"

    def status(self, now_ms: int) -> Body | None:
        """Return the last test or the one under way; None: there was none."""
        return None if self._last is None else self._last.body(now_ms)

    def _under_way(self, now_ms: int) -> bool:
        last = self._last
        return self._pending is not None or (last is not None and not last.over and not last.late(now_ms))

    # --- the loop -----------------------------------------------------------------------------------------------

    def look(self, connection: sa.Connection, now_ms: int) -> None:
        """Note how far the test under way has come."""
        self._take_number(now_ms)
        test = self._last
        if test is None or test.over:
            return
        parsed = parse_ticket_number(test.number)
        row = None if parsed is None else outgoing.ticket(connection, parsed[1])
        if row is None:
            return
        step = _STEPS[min(row.state, TicketState.RECEIVED)]
        steps_ms = {step: row.state_ms - row.created_ms} | test.steps_ms
        passed = row.state >= TicketState.RECEIVED
        self._last = replace(test, steps_ms=steps_ms, passed=passed)
        if passed or test.late(now_ms):
            self._end(connection, row.counter, self._last)

    def _take_number(self, now_ms: int) -> None:
        """Take the answer to the form, if the loop has given it."""
        if self._pending is None or not self._pending[0].answered:
            return
        (pending, by), self._pending = self._pending, None
        answer = pending.wait(0)
        parsed = parse_ticket_number(str(answer.get("number", "")))
        if answer.get("ok") and parsed is not None:
            self._last = Result(str(answer["number"]), now_ms, by)

    def _end(self, connection: sa.Connection, counter: int, test: Result) -> None:
        self._last = test = replace(test, road="+".join(roads_tried(connection, counter)), over=True)
        with self._ledger.transaction() as transaction:
            self._ledger.set_meta(transaction, _META, json.dumps(asdict(test)).encode())
        _log.info("action=test_request passed=%s road=%s steps_ms=%s", test.passed, test.road, test.steps_ms)


def _kept(raw: bytes | None) -> Result | None:
    """Return the last result; one that cannot be read is none."""
    try:
        found: dict[str, Any] | None = json.loads(raw or b"null")
        return None if found is None else Result(**found)
    except (ValueError, TypeError):
        return None
