"""One answer for a group of cases: who is offered, that each is answered once, and who is left out and why."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from steunpunt.control import Client
from steunpunt.facts import Facts, Mark
from steunpunt.ledger.desk import Case
from steunpunt.model import Category, Lane, SenderFunction, TicketState, TokenCode
from steunpunt.values import replace
from steunpunt_ui.app import create_app
from steunpunt_ui.desk import group
from tests.fakes.memory_desk import CASE, MemoryDesk
from tests.fakes.ui_citizen import words
from tests.fakes.ui_sites import NAME, coordinator_config
from tests.integration.test_ui_desk import HOME, act, log_in, token_of

CREW = SenderFunction.FIRE_CREW
ANSWER = {"function": "FIRE_CREW", "text": "Water bij de kerk."}
OFFERS = "Ook voor deze meldingen"


def thirsty(case_id: int, **different: object) -> Case:
    """Give a case of somebody who asks for water, the older the higher its number."""
    own = {"id": case_id, "number": f"47-{case_id}", "category": Category.SUPPLIES, "age_s": 600 * case_id}
    return replace(CASE, **(own | different))


@pytest.fixture(name="desk")
def fixture_desk() -> MemoryDesk:
    return MemoryDesk(
        thirsty(1, state=TicketState.SEEN, seen_by=NAME),
        thirsty(2, text="<b>ook</b> voor de hond"),
        thirsty(3, state=TicketState.SEEN, seen_by=NAME),
        thirsty(4),
    )


@pytest.fixture(name="web")
def fixture_web(tmp_path: Path, passwords: Path, desk: MemoryDesk) -> FlaskClient:
    config = coordinator_config(tmp_path / "no-node.sock", passwords)
    web: FlaskClient = create_app(config, Client(tmp_path / "no-node.sock"), desk).test_client()
    log_in(web)
    return web


def answer(web: FlaskClient, *also: int, token: str = "", **fields: str) -> TestResponse:
    """Send the answer of case 1, with these other cases ticked."""
    sent = ANSWER | {f"also_{case_id}": "yes" for case_id in also} | fields
    return act(web, 1, "antwoord", **sent, **({"token": token} if token else {}))


def test_the_other_cases_of_this_kind_are_offered_the_oldest_first(web: FlaskClient) -> None:
    page = web.get("/desk/melding/1").text
    boxes = [
        page.index(f'name="also_{case_id}" value="yes"> <span><a href="/desk/melding/{case_id}">')
        for case_id in (4, 3, 2)
    ]
    assert boxes == sorted(boxes)
    assert f"{OFFERS} (3)" in page
    assert "&lt;b&gt;ook&lt;/b&gt; voor de hond" in page, "what differs is to be read"
    assert page.index('value="check"') < boxes[0], "Enter reads over; it never ticks all"


APART: list[dict[str, object]] = [
    {"life_threat": True, "lane": Lane.LIFE_THREAT},
    {"category": Category.OTHER},
    {"state": TicketState.SEEN, "seen_by": "De Vries"},
    {"state": TicketState.ANSWERED, "seen_by": NAME, "answered": True},
    {"state": TicketState.CLOSED, "close_code": TokenCode.CLOSED_HELPED},
    {"unread_supplements": 1},
    {"quarantined": True},
    {"damaged": True},
    {"facts": Facts(mark=Mark.EXERCISE)},
]
"""What keeps a case out of a group."""


def test_what_needs_a_look_of_its_own_is_not_offered(web: FlaskClient, desk: MemoryDesk) -> None:
    for place, different in enumerate(APART, 10):
        desk.held[place] = thirsty(place, **different)
    page = web.get("/desk/melding/1").text
    assert [case_id for case_id in desk.held if f'name="also_{case_id}"' in page] == [2, 3, 4]


def test_the_answer_to_a_life_in_danger_is_for_nobody_else(web: FlaskClient, desk: MemoryDesk) -> None:
    desk.held[1] = replace(desk.held[1], life_threat=True)
    assert OFFERS not in web.get("/desk/melding/1").text


def test_a_form_offers_so_many_and_answers_no_more(web: FlaskClient, desk: MemoryDesk) -> None:
    desk.held |= {case_id: thirsty(case_id) for case_id in range(2, group.GROUP_MAX + 10)}
    assert web.get("/desk/melding/1").text.count('name="also_') == group.GROUP_MAX
    answer(web, *range(2, group.GROUP_MAX + 10))
    assert sum(done[0] == "answer" for done in desk.acts) == 1 + group.GROUP_MAX


def test_each_ticked_case_is_taken_up_and_answered_once(web: FlaskClient, desk: MemoryDesk) -> None:
    token = token_of(web.get("/desk/melding/1"), "antwoord")
    first = answer(web, 2, 3, token=token)
    text = ANSWER["text"]
    assert desk.acts == [
        ("answer", 1, NAME, CREW, text),
        ("seen", 2, NAME),
        ("answer", 2, NAME, CREW, text),
        ("answer", 3, NAME, CREW, text),
    ]
    told = 'gaat ook naar: <a href="/desk/melding/2">47-2</a>, <a href="/desk/melding/3">47-3</a>. Bij elke'
    for page in (first, answer(web, 2, 3, token=token)):  # and tapped twice
        assert (page.status_code, told in page.text, "Niet beantwoord" in page.text) == (200, True, False)
    assert len(desk.acts) == 4


def test_who_was_helped_meanwhile_is_left_out_and_named(web: FlaskClient, desk: MemoryDesk) -> None:
    token = token_of(web.get("/desk/melding/1"), "antwoord")
    desk.held[2] = replace(desk.held[2], state=TicketState.ANSWERED, answered=True, seen_by="De Vries")
    desk.held[3] = replace(desk.held[3], unread_supplements=1)
    page = words(answer(web, 2, 3, 4, 99, token=token))
    for said in (
        "47-2: Deze melding is al beantwoord.",
        "47-3: Er is nieuws bij deze melding. Lees dat eerst.",
        "?: Deze melding is hier niet meer.",
        "Hetzelfde antwoord gaat ook naar: 47-4 .",
    ):
        assert said in page
    assert [done[1] for done in desk.acts] == [1, 4, 4]


def test_a_refused_answer_goes_to_nobody_and_keeps_the_ticks(web: FlaskClient, desk: MemoryDesk) -> None:
    page = answer(web, 2, text=" ")
    assert page.status_code == 409
    assert 'name="also_2" value="yes" checked' in page.text
    assert desk.acts == []


def test_reading_over_tells_the_time_on_the_air_of_all(web: FlaskClient, desk: MemoryDesk) -> None:
    assert "Dat is per melding" not in answer(web, do="check").text
    assert "Dat is per melding; 3 meldingen samen: " in words(answer(web, 2, 3, do="check"))
    everybody = answer(web, do="all", text="")
    assert everybody.status_code == 200
    assert everybody.text.count('value="yes" checked> <span>') == 3
    assert desk.acts == []


def test_a_strangers_form_answers_no_group(web: FlaskClient, desk: MemoryDesk) -> None:
    fields = ANSWER | {"token": "x" * 54, "also_2": "yes"}
    assert web.post("/desk/melding/1/antwoord", data=fields, headers={"Origin": HOME}).status_code == 403
    assert desk.acts == []
