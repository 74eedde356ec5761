"""A test request at a running node: who may ask for one, one at a time, and what is remembered of it."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steunpunt.control import Client, Refused
from steunpunt.ledger import outgoing
from steunpunt.model import TicketState
from steunpunt.node.endtoend import LATELY_S, TEST_S_MAX, EndToEnd, Result
from tests.fakes.nodes import Running, kiosk_config

Wait = Callable[..., None]


def in_thread(work: Callable[[], None]) -> Callable[[], None]:
    thread = threading.Thread(target=work)
    thread.start()
    return thread.join


@pytest.fixture(name="running")
def fixture_running(tmp_path: Path) -> Iterator[Running]:
    running = Running(kiosk_config(tmp_path), in_thread)
    yield running
    running.stop()


@pytest.fixture(name="client")
def fixture_client(running: Running, tmp_path: Path) -> Iterator[Client]:  # noqa: ARG001  it answers
    client = Client(tmp_path / "run" / "node.sock")
    yield client
    client.close()


def refused(client: Client, op: str, **fields: object) -> str:
    with pytest.raises(Refused) as caught:
        client.call(op, **fields)
    return caught.value.code


def prover_of(running: Running) -> EndToEnd:
    found = running.node._technician.tests
    assert found is not None
    return found


def test_a_citizens_form_can_never_say_that_it_is_a_test(client: Client) -> None:
    token = client.call("form_token")["token"]
    asked = {"token": token, "category": "MEDICAL", "life_threat": True, "text": "hulp", "facts": {"mark": 2}}
    assert refused(client, "submit", **asked) == "bad_request"
    assert client.call("status")["queue"] == 0
    assert client.call("submit", **asked | {"facts": {}})["ok"]


def test_a_test_is_kept_and_a_second_one_has_to_wait(client: Client, wait_until: Wait) -> None:
    assert client.call("status")["test"] is None
    answer = client.call("test_request")
    assert (answer["number"], "secret" in answer) == ("47-1", False)
    wait_until(lambda: (client.call("status")["test"] or {}).get("steps_ms"), 10, "the loop has seen its first step")
    test = client.call("status")["test"]
    assert (test["number"], test["by"], test["over"], test["steps_ms"]) == ("47-1", "person", False, {"kept": 0})
    assert refused(client, "test_request") == "test_under_way"
    assert client.call("status")["queue"] == 1
    assert client.call("board") == {"ok": True, "lines": [], "more": 0}, "it is nobody's"
    client.call("submit", token=client.call("form_token")["token"], category="MEDICAL", life_threat=False, text="hulp")
    assert [line["number"] for line in client.call("board")["lines"]] == ["47-2"]


def test_the_result_is_kept_over_a_restart_with_each_step(tmp_path: Path) -> None:
    running = Running(kiosk_config(tmp_path), in_thread)
    client = Client(tmp_path / "run" / "node.sock")
    client.call("test_request")
    client.close()
    running.node.stop()
    running._join()  # from here on the test is the loop
    tests, ledger = prover_of(running), running.node._ledger
    now_ms = ledger.clock.now_ms()
    tests.look(ledger.connection, now_ms)
    for state, after_ms in ((TicketState.ON_ITS_WAY, 300), (TicketState.RECEIVED, 2_300)):
        with ledger.transaction() as connection:
            created_ms = ledger.connection.exec_driver_sql("SELECT created_ms FROM tickets").scalar_one()
            outgoing.raise_state(connection, 1, state, created_ms + after_ms)
            connection.exec_driver_sql("UPDATE messages SET mesh_tries = 1")
        tests.look(ledger.connection, now_ms + after_ms)
    done = tests.status(now_ms + 10_000)
    assert done is not None
    assert (done["over"], done["passed"], done["road"]) == (True, True, "mesh")
    assert done["steps_ms"] == {"kept": 0, "on_its_way": 300, "received": 2_300}
    running.node._close()
    again = Running(kiosk_config(tmp_path), in_thread)
    kept = prover_of(again).status(0)
    again.stop()
    assert kept is not None
    assert json.dumps(kept["steps_ms"]) == json.dumps(done["steps_ms"])
    assert kept["passed"]


def test_a_test_without_receipt_fails_after_its_time_and_the_next_may_begin(running: Running, tmp_path: Path) -> None:
    client = Client(tmp_path / "run" / "node.sock")
    client.call("test_request")
    client.close()
    running.node.stop()
    running._join()
    tests, ledger = prover_of(running), running.node._ledger
    now_ms = ledger.clock.now_ms()
    tests.look(ledger.connection, now_ms)
    tests.look(ledger.connection, now_ms + TEST_S_MAX * 1000 + 1)
    late = tests.status(now_ms)
    assert late is not None
    assert (late["over"], late["passed"], late["road"]) == (True, False, "")


def test_the_monthly_test_sends_nothing_where_one_passed_lately_or_requests_wait(
    running: Running, tmp_path: Path
) -> None:
    ledger, requests = running.node._ledger, prover_of(running)._requests
    client = Client(tmp_path / "run" / "node.sock")
    stopping = threading.Event()

    def with_last(age_s: int) -> EndToEnd:
        made = EndToEnd(requests, ledger)
        made._last = Result("47-1", ledger.clock.now_ms() - age_s * 1000, "self", over=True, passed=True)
        return made

    assert with_last(LATELY_S - 60).self_test(stopping) == ""
    assert client.call("status")["queue"] == 0
    token = client.call("form_token")["token"]
    client.call("submit", token=token, category="OTHER", text="hulp")
    assert "no test was sent" in with_last(LATELY_S + 60).self_test(stopping)
    assert client.call("status")["queue"] == 1
    client.close()


def test_the_monthly_test_tells_that_no_receipt_came(running: Running, tmp_path: Path) -> None:
    client = Client(tmp_path / "run" / "node.sock")
    stopping = threading.Event()
    stopping.set()
    assert prover_of(running).self_test(stopping) == "the test request earned no receipt in time"
    client_status = client.call("status")
    client.close()
    assert client_status["queue"] == 1
