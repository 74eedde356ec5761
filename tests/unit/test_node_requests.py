"""What the control socket of a running kiosk node answers, over the real socket."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steunpunt.control import Client, ControlError, Refused
from tests.fakes.nodes import Running, kiosk_config


def in_thread(work: Callable[[], None]) -> Callable[[], None]:
    thread = threading.Thread(target=work)
    thread.start()
    return thread.join


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kiosk")


@pytest.fixture(scope="module", autouse=True)
def node(folder: Path) -> Iterator[None]:
    running = Running(kiosk_config(folder), in_thread)
    yield
    running.stop()


@pytest.fixture
def client(folder: Path) -> Iterator[Client]:
    made = Client(folder / "run" / "node.sock")
    yield made
    made.close()


def submit(client: Client, **fields: object) -> dict[str, object]:
    token = client.call("form_token")["token"]
    standard: dict[str, object] = {"token": token, "category": "SUPPLIES", "text": "water", "language": "nl"}
    return client.call("submit", **(standard | fields))


def refused(client: Client, op: str, **fields: object) -> str:
    with pytest.raises(Refused) as caught:
        client.call(op, **fields)
    return caught.value.code


def test_a_request_gets_a_ticket_that_is_kept(client: Client) -> None:
    made = submit(client, life_threat=True, people=3, callback="0612345678")
    ticket = client.call("ticket", number=made["number"])
    assert (ticket["state"], ticket["life_threat"], ticket["on_mesh"]) == ("KEPT", True, False)
    assert (ticket["answers_count"], ticket["active_min"], ticket["close_code"]) == (0, None, None)
    assert "answers" not in ticket


def test_a_form_that_was_sent_leads_to_its_request_and_a_fresh_one_to_none(client: Client) -> None:
    tokens = client.call("form_token", count=6)["tokens"]
    assert len(set(tokens)) == 6
    fresh = client.call("form", token=tokens[0])
    assert (fresh["used"], fresh["fresh"], "number" in fresh) == (False, True, False)
    made = submit(client, token=tokens[0])
    used = client.call("form", token=tokens[0])
    assert (used["used"], used["number"], used["secret"]) == (True, made["number"], made["secret"])
    client.call("supplement", token=tokens[1], number=made["number"], code="WORSE")
    added = client.call("form", token=tokens[1])
    assert (added["used"], added["number"], "secret" in added) == (True, made["number"], False)
    assert refused(client, "form", token="x") == "token_invalid"
    for count in (0, 9, "2", True):
        assert refused(client, "form_token", count=count) == "bad_request"


def test_answers_are_for_who_has_the_secret_and_a_wrong_one_is_as_no_ticket(client: Client) -> None:
    made = submit(client)
    number, secret = made["number"], str(made["secret"])
    assert client.call("ticket", number=number, secret=secret.lower().replace("-", " "))["answers"] == []
    assert refused(client, "ticket", number=number, secret="0000-0000") == "unknown_ticket"
    assert refused(client, "ticket", number=number, secret="x") == "unknown_ticket"
    assert refused(client, "ticket", number="47-99999", secret=secret) == "unknown_ticket"
    assert refused(client, "ticket", number="48-1") == "unknown_ticket"


def test_worse_needs_the_number_alone_and_a_question_the_secret(client: Client) -> None:
    made = submit(client)
    token = client.call("form_token")["token"]
    assert client.call("supplement", token=token, number=made["number"], code="WORSE")["repeated"] is False
    question = {"number": made["number"], "code": "QUESTION", "text": "Hoe lang nog?"}
    token = client.call("form_token")["token"]
    assert refused(client, "supplement", token=token, **question) == "unknown_ticket"
    assert client.call("supplement", token=token, secret=made["secret"], **question)["ok"]


def test_facts_come_along_and_a_reply_names_its_question(client: Client) -> None:
    facts = {"flags": [0, 8], "place": {"postcode": "6211 AB", "position": [50.85, 5.69]}, "mark": 1, "people": 2}
    made = submit(client, facts=facts)
    more = {"number": made["number"], "secret": made["secret"]}
    token = client.call("form_token")["token"]
    assert client.call("supplement", token=token, code="REPLY", question=60, option=1, **more)["ok"]
    token = client.call("form_token")["token"]
    assert client.call("supplement", token=token, code="DETAILS", facts={"children": 2}, **more)["ok"]
    for wrong in ({}, {"question": 300}, {"question": 60, "option": 16}, {"question": 63, "count": 1024}):
        token = client.call("form_token")["token"]
        assert refused(client, "supplement", token=token, code="REPLY", **more, **wrong) == "bad_request"


def test_who_knows_only_the_number_cannot_send_help_elsewhere(client: Client) -> None:
    made = submit(client)
    token = client.call("form_token")["token"]
    worse = {"token": token, "number": made["number"], "code": "WORSE", "facts": {"place": {"postcode": "1000AA"}}}
    assert refused(client, "supplement", **worse) == "unknown_ticket"
    assert client.call("supplement", **worse, secret=made["secret"])["ok"]


@pytest.mark.parametrize(
    "fields",
    [
        {"facts": []},
        {"facts": {"flags": [99]}},
        {"facts": {"place": "hier"}},
        {"facts": {"people": "2"}},
        {"category": "OFFER"},
        {"category": "NONSENSE"},
        {"category": 1},
        {"category": "BUTTON"},
        {"text": None},
        {"text": 5},
        {"life_threat": "yes"},
        {"people": "3"},
        {"people": True},
        {"people": 1_000},
        {"language": "xx"},
        {"callback": []},
    ],
)
def test_fields_that_are_not_right_are_refused(client: Client, fields: dict[str, object]) -> None:
    token = client.call("form_token")["token"]
    standard = {"token": token, "category": "SUPPLIES", "text": "water"}
    before = client.call("status")["queue"]
    assert refused(client, "submit", **(standard | fields)) == "bad_request"
    assert client.call("status")["queue"] == before


@pytest.mark.parametrize("code", ["PRESSED_AGAIN", "NONSENSE", "", 1, None])
def test_a_supplement_of_a_kind_for_citizens_only(client: Client, code: object) -> None:
    made = submit(client)
    token = client.call("form_token")["token"]
    assert refused(client, "supplement", token=token, number=made["number"], code=code) == "bad_request"


def test_an_unknown_question_names_the_known_ones(client: Client) -> None:
    with pytest.raises(Refused, match=r"known: .*form_token") as caught:
        client.call("shutdown")
    assert caught.value.code == "unknown_op"


def test_many_at_once_each_get_their_own_ticket(folder: Path) -> None:
    made: list[tuple[object, object]] = []
    shared = Client(folder / "run" / "node.sock")

    def ask() -> None:
        answer = submit(shared)
        made.append((answer["number"], answer["secret"]))
        shared.close()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(made)) == 20


def test_the_button_can_be_pressed_read_and_cancelled(client: Client, wait_until: Callable[..., None]) -> None:
    client.call("panel", name="help", action="press")
    wait_until(lambda: client.call("status")["buttons"][0]["lamp"] == "blinking")
    assert 0 < client.call("status")["buttons"][0]["pending_s"] <= 30
    wait_until(lambda: client.call("panel", name="help", action="read")["lamp"] == "blinking")
    client.call("cancel_call", name="help")
    wait_until(lambda: client.call("status")["buttons"][0]["lamp"] == "off")
    assert client.call("status")["buttons"][0]["pressed_count"] == 0
    assert refused(client, "cancel_call", name="door") == "unknown_button"
    assert refused(client, "panel", name="door", action="read") == "unknown_button"


def test_a_second_node_of_the_site_is_refused_and_the_first_goes_on(folder: Path, client: Client) -> None:
    with pytest.raises(ControlError, match="running already"):
        Running(kiosk_config(folder), in_thread)
    assert submit(client)["repeated"] is False
    assert (folder / "run" / "node.sock").is_socket()
