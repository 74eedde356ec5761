"""One phone that floods, or guesses codes, takes nothing from the others; the point's own screen has room."""

import re
import socket
from contextlib import ExitStack
from typing import Any

import pytest
from flask.testing import FlaskClient
from waitress.server import create_server
from werkzeug.test import TestResponse

from steunpunt_ui.manners import (
    ADDITIONS,
    ADDRESSES_MAX,
    CONNECTIONS_PER_PHONE_MAX,
    PAGES,
    REQUESTS,
    WRONG_CODES,
    Allowance,
    Allowances,
    FairChannel,
    add_manners,
)
from tests.fakes.fake_node import SECRET, FakeNode, ticket_body
from tests.fakes.ui_citizen import TICKET, form_of, words

FLOOD, HONEST = "10.42.0.66", "10.42.0.7"
HERE = {"Origin": "http://localhost"}


@pytest.fixture(name="web")
def fixture_web(web: FlaskClient) -> FlaskClient:
    add_manners(web.application, lambda: 1_000.0)  # nothing fills up again, however slow this machine is
    return web


def get(web: FlaskClient, path: str, phone: str) -> TestResponse:
    return web.get(path, environ_base={"REMOTE_ADDR": phone})


def send(web: FlaskClient, path: str, phone: str, **fields: str) -> TestResponse:
    return web.post(path, data=fields, headers=HERE, environ_base={"REMOTE_ADDR": phone})


def ask(web: FlaskClient, phone: str, token: str = "") -> TestResponse:
    token = token or form_of(get(web, "/nl/hulp/medisch", phone))["token"]
    return send(web, "/nl/hulp/medisch", phone, token=token, do="yes", text="zij valt weg")


def test_an_allowance_fills_up_again_and_not_beyond_its_most() -> None:
    now_s = [1000.0]
    allowances = Allowances(Allowance(3, 10.0), lambda: now_s[0])
    assert [allowances.take("a") for _ in range(4)] == [True, True, True, False]
    assert allowances.take("b")
    now_s[0] += 9.9
    assert not allowances.has("a")
    now_s[0] += 0.2
    assert [allowances.take("a") for _ in range(2)] == [True, False]
    now_s[0] += 1_000_000
    assert [allowances.take("a") for _ in range(4)] == [True, True, True, False]


def test_no_more_addresses_are_remembered_than_there_is_room_for() -> None:
    allowances = Allowances(Allowance(1, 1e9), lambda: 5.0)
    assert all(allowances.take(str(number)) for number in range(ADDRESSES_MAX + 1))
    assert allowances.has("0")
    assert not allowances.has(str(ADDRESSES_MAX))


def test_a_phone_that_floods_is_told_that_nothing_was_kept_and_others_go_on(web: FlaskClient, node: FakeNode) -> None:
    sent = [ask(web, FLOOD).status_code for _ in range(REQUESTS.most)]
    assert set(sent) == {303}
    refused = ask(web, FLOOD)
    assert refused.status_code == 429
    for said in ("Deze telefoon heeft te veel verstuurd. Niemand heeft uw vraag.", "Ga naar het scherm", "Bel 112"):
        assert said in words(refused)
    assert form_of(refused)["text"] == "zij valt weg"
    assert len(node.kept) == REQUESTS.most
    assert ask(web, HONEST).status_code == 303
    for _ in range(REQUESTS.most + 3):
        assert ask(web, "127.0.0.1").status_code == 303


def test_asking_once_more_with_a_form_that_was_kept_is_never_refused(web: FlaskClient, node: FakeNode) -> None:
    tokens = [form_of(get(web, "/nl/hulp/medisch", FLOOD))["token"] for _ in range(REQUESTS.most)]
    for token in tokens:
        ask(web, FLOOD, token)
    assert {ask(web, FLOOD, token).status_code for token in tokens} == {303}
    assert len(node.kept) == REQUESTS.most


def test_what_was_not_kept_costs_a_phone_nothing(web: FlaskClient, node: FakeNode) -> None:
    node.refuse = {"error": "cannot_keep", "message": ""}
    for _ in range(REQUESTS.most + 1):
        assert ask(web, HONEST).status_code == 503
    node.refuse = None
    assert ask(web, HONEST).status_code == 303


def test_after_a_lost_reply_a_phone_that_sent_too_much_is_not_told_that_nobody_has_it(
    web: FlaskClient, node: FakeNode
) -> None:
    for _ in range(REQUESTS.most):
        ask(web, FLOOD)
    token = form_of(get(web, "/nl/hulp/medisch", FLOOD))["token"]
    page = send(web, "/nl/hulp/medisch", FLOOD, token=token, do="yes", asked="1")
    assert "Wij weten nog niet of uw vraag bewaard is." in words(page)
    assert token not in node.kept


def test_supplements_have_a_limit_of_their_own(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    for number in range(ADDITIONS.most):
        assert send(web, f"{TICKET}/erger", FLOOD, token=f"form-{number}").status_code == 303
    refused = send(web, f"{TICKET}/erger", FLOOD, token="form-99", text="nu ook rook")
    assert refused.status_code == 429
    assert "Uw aanvulling is niet bewaard. Uw eerdere vraag 47-1 blijft." in words(refused)
    assert send(web, f"{TICKET}/erger", HONEST, token="form-99").status_code == 303


@pytest.mark.parametrize("phone", [FLOOD, "127.0.0.1"])
def test_who_guesses_codes_must_wait_and_hears_the_same_of_a_right_one(
    web: FlaskClient, node: FakeNode, phone: str
) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    told = [get(web, f"/nl/t/47-1/AAAA-AA{number:02}", phone) for number in range(WRONG_CODES.most)]
    assert {page.status_code for page in told} == {404}
    pages = [get(web, path, phone) for path in ("/nl/t/47-1/AAAA-AAAA", TICKET, "/nl/t/99-1", f"{TICKET}/meer")]
    assert {page.status_code for page in pages} == {429}
    same = {re.sub(r'href=\"/[a-z]{2}/(?:t/|volgen)[^"]*"', "", page.text) for page in pages}
    assert len(same) == 1
    assert "Te veel nummers of codes waren fout." in words(pages[0])
    assert send(web, f"{TICKET}/niet-nodig", phone, token="form-1").status_code == 429
    assert SECRET in words(get(web, TICKET, HONEST))


@pytest.mark.parametrize("phone", [FLOOD, "127.0.0.1"])
def test_wrong_codes_stop_nobody_from_asking_for_help_and_seeing_the_number_of_it(
    web: FlaskClient, node: FakeNode, phone: str
) -> None:
    for tried in range(WRONG_CODES.most):
        get(web, f"/nl/t/47-9/AAAA-AA{tried:02}", phone)
    asked = ask(web, phone)
    assert asked.status_code == 303
    number, secret = asked.headers["Location"].split("/")[3:5]
    node.tickets[number] = ticket_body(number)
    assert secret in words(get(web, asked.headers["Location"], phone))
    assert send(web, f"/nl/t/{number}/{secret}/erger", phone, token="form-2").status_code == 303
    assert get(web, f"/nl/t/{number}/AAAA-AAAA", phone).status_code == 429
    assert get(web, f"/nl/t/{number}/{secret}", HONEST).status_code == 200


def test_a_phone_that_asks_for_pages_without_end_is_refused_cheaply(web: FlaskClient) -> None:
    statuses = [get(web, "/nl/", FLOOD).status_code for _ in range(PAGES.most + 30)]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert get(web, "/nl/", HONEST).status_code == 200
    assert {get(web, "/nl/", "127.0.0.1").status_code for _ in range(PAGES.most + 30)} == {200}


def test_a_phone_with_all_its_connections_open_gets_no_more_and_others_do() -> None:
    server: Any = create_server(lambda *_: [], host="127.0.0.1", port=0, threads=1)
    with ExitStack() as stack:
        stack.callback(server.close)
        stack.callback(server.task_dispatcher.shutdown)

        def connect(phone: str) -> socket.socket:
            ours, theirs = socket.socketpair()
            stack.callback(ours.close)
            stack.callback(theirs.close)
            FairChannel(server, theirs, (phone, 1), server.adj, server._map)
            return theirs

        last = [connect(FLOOD) for _ in range(CONNECTIONS_PER_PHONE_MAX + 1)][-1]
        assert last.fileno() == -1
        assert connect(HONEST).fileno() != -1
        assert [connect("127.0.0.1").fileno() for _ in range(CONNECTIONS_PER_PHONE_MAX + 1)].count(-1) == 0
