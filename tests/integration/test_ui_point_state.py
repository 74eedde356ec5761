"""The citizen's screens obey the point's state: closed, open, exercise."""

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from steunpunt.config import Point
from steunpunt.control import Client
from steunpunt.facts import Mark
from steunpunt_ui.app import create_app
from steunpunt_ui.languages import LANGUAGES
from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.ui_citizen import TICKET, hidden, kiosk_web, post, words
from tests.fakes.ui_sites import kiosk_config

ADDRESS = "Willem Alexanderweg 1, Maastricht"
CLOSED = f"Levensgevaar? Bel 112. Lukt dat niet? Ga naar {ADDRESS}, of stuur iemand."
PAGES = ["/nl/", "/nl/taal", "/nl/hulp", "/nl/hulp/brand", "/nl/volgen", "/nl/nieuws", "/nl/t/47-1", TICKET]
PAGES += [f"{TICKET}/erger", "/nl/info", "/nl/nergens", "/nl/hulp/taart"]
CLOSED_REFUSAL = {"error": "closed", "message": "this point is closed"}


def again(page: TestResponse, *names: str) -> dict[str, str]:
    return {name: hidden(page, name) for name in names}


# --- closed -------------------------------------------------------------------------------------------------------


def test_a_closed_point_shows_where_to_go_in_the_place_of_its_forms(web: FlaskClient, node: FakeNode) -> None:
    open_mark = web.get("/nl/stand").text
    node.status["point_state"] = "CLOSED"
    for path in ("/nl/", "/nl/hulp", "/nl/hulp?echt=1", "/nl/hulp/medisch", "/nl/hulp/brand?bij=47-1"):
        page = web.get(path)
        assert page.status_code == 200
        assert "Dit steunpunt is gesloten. U kunt hier nu geen hulp vragen." in words(page)
        assert CLOSED in words(page)
        assert "<form method" not in page.text.replace('<form method="dialog"', "")
        assert 'href="/nl/volgen"' in page.text
    home = web.get("/nl/")
    assert 'href="/nl/hulp">' not in home.text
    assert all(f'href="/nl/{path}"' in home.text for path in ("volgen", "nieuws", "taal"))
    assert web.get("/nl/stand").text != open_mark


def test_a_closed_point_names_the_points_nearby_and_does_not_say_that_they_are_open(node: FakeNode) -> None:
    node.status["point_state"] = "CLOSED"
    with kiosk_web(node) as web:
        assert "Andere steunpunten" not in words(web.get("/nl/hulp"))
    near = tuple(Point(id=number, name=f"Zaal {number}", place="Dorpsstraat 1") for number in range(48, 53))
    client = Client(node.path, timeout_s=5)
    web = create_app(msgspec.structs.replace(kiosk_config(node.path), point=near), client).test_client()
    home, page = (words(web.get(path)).replace(" ,", ",") for path in ("/nl/", "/nl/hulp"))
    assert "wij weten niet of ze open zijn: Zaal 48, Dorpsstraat 1" in home
    assert "Zaal 49" not in home, "the first page must fit without scrolling"
    assert "wij weten niet of ze open zijn: Zaal 48, Dorpsstraat 1 · Zaal 49, Dorpsstraat 1" in page
    assert ("Zaal 50" in page, "Zaal 51" in page) == (True, False)
    node.status["point_state"] = "OPEN"
    assert "Zaal 48" not in web.get("/nl/").text
    client.close()


def test_a_closed_point_leads_to_what_there_is_to_read(web: FlaskClient, node: FakeNode) -> None:
    node.status["point_state"] = "CLOSED"
    has = 'href="/nl/info"' in web.get("/nl/").text
    assert ('href="/nl/info"' in web.get("/nl/hulp").text) is has


def test_no_page_of_a_closed_point_invites_to_ask(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    node.status |= {"point_state": "CLOSED", "links": {"mesh": {"up": False}, "broker": {"up": True}}}
    for path in PAGES:
        page = web.get(path)
        assert 'href="/nl/hulp">' not in page.text, path
        assert "U kunt hulp vragen" not in words(page), path


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_closed_page_names_112_and_the_address_in_every_language(
    web: FlaskClient, node: FakeNode, language: str
) -> None:
    node.status["point_state"] = "CLOSED"
    page = web.get(f"/{language}/hulp")
    assert "112" in words(page)
    assert ADDRESS in words(page)


def test_what_was_asked_before_is_followed_and_added_to_at_a_closed_point(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    node.status["point_state"] = "CLOSED"
    assert "Nog niet verstuurd." in words(web.get(TICKET))
    assert post(web, "/nl/volgen", number="47-1").headers["Location"] == "/nl/t/47-1"
    form = web.get(f"{TICKET}/erger")
    assert post(web, f"{TICKET}/erger", token=hidden(form, "token"), text="zij valt weg").status_code == 303
    assert [(one["code"], one["text"]) for one in node.supplements.values()] == [("WORSE", "zij valt weg")]


def test_a_form_begun_while_open_is_sent_after_closing(web: FlaskClient, node: FakeNode) -> None:
    form = web.get("/nl/hulp/medisch")
    node.status["point_state"] = "CLOSED"
    typed = {"token": hidden(form, "token"), "text": "zij valt weg"}
    check = post(web, "/nl/hulp/medisch", **typed, do="check")
    assert "zij valt weg" in words(check)
    assert post(web, "/nl/hulp/medisch", **typed, do="yes").headers["Location"] == f"{TICKET}/nu"
    assert next(iter(node.kept.values()))["text"] == "zij valt weg"


def test_what_the_node_refuses_because_it_closed_stays_on_the_page(web: FlaskClient, node: FakeNode) -> None:
    form = web.get("/nl/hulp/medisch")
    node.status["point_state"], node.refuse = "CLOSED", CLOSED_REFUSAL
    typed = {"token": hidden(form, "token"), "text": "zij valt weg", "people": "2", "callback": "hier", "do": "no"}
    page = post(web, "/nl/hulp/medisch", **typed)
    assert page.status_code == 503
    assert "Dit steunpunt is gesloten. Niemand heeft uw vraag." in words(page)
    assert CLOSED in words(page)
    assert again(page, *typed) == typed
    node.status["point_state"], node.refuse = "OPEN", None
    assert post(web, "/nl/hulp/medisch", **again(page, *typed)).status_code == 303
    assert next(iter(node.kept.values()))["text"] == "zij valt weg"


def test_a_form_that_is_too_old_at_a_closed_point_is_not_promised_to_be_sent(web: FlaskClient, node: FakeNode) -> None:
    node.status["point_state"] = "CLOSED"
    page = post(web, "/nl/hulp/medisch", token="oud", do="yes", text="zij valt weg")
    assert "Dit steunpunt is gesloten. Niemand heeft uw vraag." in words(page)
    assert hidden(page, "text") == "zij valt weg"


# --- exercise -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_exercise_and_has_the_way_to_real_help(web: FlaskClient, node: FakeNode, path: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    assert "OEFENING" not in words(web.get(path))
    node.status["point_state"] = "EXERCISE"
    page = web.get(path)
    assert "OEFENING. Dit is niet echt." in words(page)
    assert "Dit is echt" in words(page)
    for language in LANGUAGES:
        assert 'class="exercise"' in web.get(f"/{language}{path[3:]}").text


def test_a_request_during_an_exercise_is_marked_as_one(web: FlaskClient, node: FakeNode) -> None:
    node.status["point_state"] = "EXERCISE"
    form = web.get("/nl/hulp/brand")
    assert post(web, "/nl/hulp/brand", **again(form, "token", "mark"), do="no").status_code == 303
    assert next(iter(node.kept.values()))["facts"] == {"mark": Mark.EXERCISE}


def test_this_is_real_makes_the_request_real_on_every_step(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-9"] = ticket_body("47-9")
    node.status["point_state"] = "EXERCISE"
    assert 'href="/nl/hulp?echt=1&amp;bij=47-9"' in web.get("/nl/t/47-9").text
    kinds = web.get("/nl/hulp?echt=1&bij=47-9")
    assert "Dit is echt. Uw vraag hoort niet bij de oefening." in words(kinds)
    assert 'href="/nl/hulp/brand?bij=47-9&amp;echt=1&amp;f=form-2"' in kinds.text
    form = web.get("/nl/hulp/brand?bij=47-9&echt=1&f=form-2")
    assert 'formaction="/en/hulp/brand?bij=47-9&amp;echt=1&amp;f=form-2"' in form.text
    assert "Dit is echt. Uw vraag hoort niet bij de oefening." in words(form)
    check = post(web, "/nl/hulp/brand", **again(form, "token", "mark"), do="check", text="Hoort bij 47-9.")
    assert "Dit is echt. Uw vraag hoort niet bij de oefening." in words(check)
    assert post(web, "/nl/hulp/brand", **again(check, "token", "mark", "text"), do="yes").status_code == 303
    assert next(iter(node.kept.values()))["facts"] == {"mark": Mark.REAL}


def test_this_is_real_on_the_form_itself_keeps_what_was_typed(web: FlaskClient, node: FakeNode) -> None:
    node.status["point_state"] = "EXERCISE"
    form = web.get("/nl/hulp/medisch")
    assert 'form="ask" name="do" value="real"' in form.text
    typed = {"text": "zij valt weg", "people": "2", "callback": "hier"}
    real = post(web, "/nl/hulp/medisch", **again(form, "token", "mark"), do="real", **typed)
    assert real.status_code == 200
    assert {name: hidden(real, name) for name in typed} == typed
    node.refuse = {"error": "cannot_keep", "message": "disk full"}
    page = post(web, "/nl/hulp/medisch", **again(real, "token", "mark"), do="yes", **typed)
    node.refuse = None
    assert post(web, "/nl/hulp/medisch", **again(page, "token", "mark", "do", *typed)).status_code == 303
    kept = next(iter(node.kept.values()))
    assert (kept["facts"], kept["text"]) == ({"mark": Mark.REAL}, "zij valt weg")


def test_a_form_begun_before_the_exercise_is_no_part_of_it(web: FlaskClient, node: FakeNode) -> None:
    form = web.get("/nl/hulp/brand")
    node.status["point_state"] = "EXERCISE"
    assert post(web, "/nl/hulp/brand", **again(form, "token", "mark"), do="yes").status_code == 303
    assert next(iter(node.kept.values()))["facts"] == {"mark": Mark.NONE}


@pytest.mark.parametrize("path", ["/nl/stand", "/nl/nieuws/stand", "/nl/t/47-1/stand"])
@pytest.mark.parametrize("state", ["CLOSED", "EXERCISE"])
def test_an_open_screen_notices_that_the_state_changed(web: FlaskClient, node: FakeNode, path: str, state: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    before = web.get(path).text
    node.status["point_state"] = state
    assert web.get(path).text != before
