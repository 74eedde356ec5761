"""What a point remembers for its readiness: a run on the battery that proves something, and its key holder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steunpunt.ledger.store import Ledger
from steunpunt.model import BellRung, Event
from steunpunt.node.readiness import Readiness
from tests.fakes.sites import new_ledger

MINUTE_MS = 60_000


@pytest.fixture(name="make")
def fixture_make(tmp_path: Path) -> Callable[[], Readiness]:
    ledger = Ledger(new_ledger(tmp_path / "ledger.db")).open()
    put: list[Event] = []

    def make() -> Readiness:
        return Readiness(ledger, put.append)

    return make


def power(percent: int | None, *, mains: bool | None = False) -> dict[str, Any]:
    return {"mains": mains, "percent": percent}


def run_of(readiness: Readiness, now_ms: int = 0) -> dict[str, Any] | None:
    found: dict[str, Any] | None = readiness.status(now_ms)["battery_run"]
    return found


def test_a_run_of_ten_minutes_is_kept_with_its_charge_and_over_a_restart(make: Callable[[], Readiness]) -> None:
    readiness = make()
    readiness.look(power(97, mains=True), 0)
    for minute in range(13):
        readiness.look(power(97 - minute), minute * MINUTE_MS)
    assert run_of(readiness) is None, "it is not over"
    readiness.look(power(85, mains=True), 13 * MINUTE_MS)
    kept = {"age_s": 60, "minutes": 12, "from_percent": 97, "to_percent": 85}
    assert run_of(readiness, 13 * MINUTE_MS) == kept
    assert run_of(make(), 13 * MINUTE_MS) == kept


def test_a_short_run_and_one_that_nobody_is_sure_of_prove_nothing(make: Callable[[], Readiness]) -> None:
    readiness = make()
    readiness.look(power(97), 0)
    readiness.look(power(96), 9 * MINUTE_MS)
    readiness.look(power(96, mains=True), 10 * MINUTE_MS)
    readiness.look(power(96, mains=None), 11 * MINUTE_MS)
    readiness.look({}, 60 * MINUTE_MS)
    assert run_of(readiness) is None


def test_that_the_key_holder_can_be_reached_is_kept_as_a_moment_and_nothing_else(make: Callable[[], Readiness]) -> None:
    readiness = make()
    assert readiness.status(0)["key_holder_s"] is None
    assert readiness.confirm_key_holder({"name": "Jan"})["ok"]
    readiness.look({}, 5_000)
    assert readiness.status(65_000)["key_holder_s"] == 60
    assert make().status(65_000) == {"battery_run": None, "key_holder_s": 60}


def test_asking_wakes_the_loop(tmp_path: Path) -> None:
    woken: list[Event] = []
    with_ledger = Ledger(new_ledger(tmp_path / "ledger.db")).open()
    Readiness(with_ledger, woken.append).confirm_key_holder({})
    assert woken == [BellRung()]
    with_ledger.close()
