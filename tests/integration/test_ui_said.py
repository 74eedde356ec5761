"""Sentences and ways that must stand on a citizen's page: each would be missed by somebody, and by no other test."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from steunpunt.facts import Flag
from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.page_walk import citizen_site
from tests.fakes.ui_citizen import TICKET, ask, hidden, post, words

PUBLIC = "/nl/t/47-1"
SAID = [
    ("/nl/hulp", "Vraag alleen hulp die echt nodig is. Een valse vraag houdt hulp weg bij een ander."),
    ("/nl/hulp/brand", "Werkt er een telefoon? Bel dan eerst 112."),
    (TICKET, "Schrijf dit op."),
    (f"{TICKET}/nu", "Schrijf dit op."),
    (TICKET, "Gevraagd: 4 minuten geleden."),
    (PUBLIC, "Gevraagd: 4 minuten geleden."),
]
OPEN_STATES = ["KEPT", "ON_ITS_WAY", "RECEIVED", "SEEN", "ANSWERED"]


@pytest.fixture(name="node")
def fixture_node(node: FakeNode) -> FakeNode:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=True)
    return node


@pytest.mark.parametrize(("path", "sentence"), SAID)
def test_it_is_said(web: FlaskClient, node: FakeNode, path: str, sentence: str) -> None:
    assert node.tickets
    assert sentence in words(web.get(path))


@pytest.mark.parametrize("step", ["where", "people", "needs", "words"])
def test_on_the_way_it_is_said_that_nothing_has_been_sent(web: FlaskClient, node: FakeNode, step: str) -> None:
    assert "Er is nog niets verstuurd." in words(ask(web, f"go:{step}"))
    assert node.kept == {}


@pytest.mark.parametrize("state", [*OPEN_STATES, "CLOSED"])
def test_who_has_the_number_can_say_that_it_got_worse(web: FlaskClient, node: FakeNode, state: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1", state)
    for address in (PUBLIC, TICKET):
        assert f'href="{address}/erger"' in web.get(address).text, address


@pytest.mark.parametrize("state", OPEN_STATES)
def test_who_has_the_code_can_say_that_help_is_not_needed_any_more(
    web: FlaskClient, node: FakeNode, state: str
) -> None:
    node.tickets["47-1"] = ticket_body("47-1", state)
    assert f'href="{TICKET}/niet-nodig"' in web.get(TICKET).text
    assert f'href="{TICKET}/niet-nodig"' not in web.get(PUBLIC).text


def test_one_tap_says_that_the_answer_was_understood(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED")
    node.answers["47-1"] = [{"text": "Kom naar de gymzaal.", "function": "FIRE_CREW", "age_s": 70}]
    page = web.get(TICKET)
    form = page.text.split(f'<form method="post" action="{TICKET}/begrepen">')[1].split("</form>")[0]
    assert "Ik begrijp het" in form
    assert post(web, f"{TICKET}/begrepen", token=hidden(page, "token")).headers["Location"] == TICKET
    assert [one["code"] for one in node.supplements.values()] == ["UNDERSTOOD"]


@pytest.mark.parametrize(
    ("tapped", "said", "flag"),
    [
        ("stroom", "Een medisch apparaat heeft stroom nodig", Flag.POWERED_DEVICE),
        ("loopt-niet", "Iemand kan niet lopen", Flag.CANNOT_WALK),
        ("medicijn", "Er is een medicijn nodig", Flag.MEDICINE),
    ],
)
def test_each_need_is_asked_for_and_arrives(
    web: FlaskClient, node: FakeNode, tapped: str, said: str, flag: Flag
) -> None:
    assert said in words(ask(web, "go:needs"))
    assert said in words(ask(web, "check", needs=tapped))
    assert ask(web, "no", needs=tapped).status_code == 303
    assert next(iter(node.kept.values()))["facts"]["flags"] == [flag]


def test_what_to_do_now_begins_with_breath_and_blood_in_words_of_the_book(web: FlaskClient, node: FakeNode) -> None:
    """In an exercise: no doctor has approved them yet."""
    node.status["point_state"] = "EXERCISE"
    page = words(web.get(f"{TICKET}/nu"))
    order = [
        page.index(said) for said in ("Ademt de persoon niet?", "Bewusteloos, maar ademt", "Veel bloed? Druk hard")
    ]
    assert order == sorted(order)


def test_a_closed_point_leads_from_the_place_of_its_forms_to_what_there_is_to_read(tmp_path: Path) -> None:
    with citizen_site(tmp_path) as (node, web):
        node.status["point_state"] = "CLOSED"
        for path in ("/nl/", "/nl/hulp", "/nl/hulp/brand"):
            assert 'href="/nl/info"' in web.get(path).text, path


def test_the_board_calls_out_an_answer_and_nothing_else(web: FlaskClient, node: FakeNode) -> None:
    node.tickets |= {f"47-1{at}": ticket_body(f"47-1{at}", state) for at, state in enumerate(OPEN_STATES)}
    page = web.get("/nl/bord")
    assert page.text.count('<li class="answered">') == 1
    assert "47-14 Er is antwoord. 4 minuten geleden" in words(page)
