"""Another language in the middle of a form: all that was typed is there in the new one. No script, no cookie."""

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from steunpunt.protocol.answerbody import pack_phrases
from steunpunt.protocol.phrases import Phrase
from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.ui_citizen import TICKET, ask, form_of, hidden, post, words

TYPED = "zij valt weg <b>"
_BUTTON = re.compile(r'<button form="(\w+)" formaction="([^"]+)" formnovalidate( name="lang" value="uk")? lang="uk"')


@pytest.fixture(name="node")
def fixture_node(node: FakeNode) -> FakeNode:
    node.tickets["47-1"] = ticket_body("47-1")
    return node


def in_ukrainian(web: FlaskClient, page: TestResponse, **typed: str) -> TestResponse:
    """Tap Ukrainian, with this typed in the fields of the page."""
    button = _BUTTON.search(page.text)
    assert button, "no button for Ukrainian"
    assert f'<form id="{button[1]}" method="post"' in page.text
    named = {"lang": "uk"} if button[3] else {}
    return post(web, button[2].replace("&amp;", "&"), **form_of(page) | named | typed)


def test_each_page_of_the_form_keeps_what_is_typed_on_it_and_before(web: FlaskClient, node: FakeNode) -> None:
    page = ask(web, "go:words", people="3", where="elders", postcode="6211 AB")
    page = in_ukrainian(web, page, text=TYPED, name="Jan", callback="0612345678")
    assert page.status_code == 200
    assert '<html lang="uk"' in page.text
    assert "zij valt weg &lt;b&gt;</textarea>" in page.text
    assert {name: hidden(page, name) for name in ("people", "where", "postcode")} == {
        "people": "3",
        "where": "elders",
        "postcode": "6211 AB",
    }
    sent = post(web, "/uk/hulp/medisch", **form_of(page), do="yes", text=TYPED, name="Jan")
    assert sent.status_code == 303
    kept = next(iter(node.kept.values()))
    assert (kept["text"], kept["language"], kept["people"]) == (TYPED, "uk", 3)


def test_what_must_be_corrected_is_still_there_to_correct(web: FlaskClient) -> None:
    page = ask(web, "no", people="veel", text=TYPED)
    assert page.status_code == 400
    page = in_ukrainian(web, page, people="veel")
    assert 'value="veel" aria-invalid="true"' in page.text
    assert hidden(page, "text") == "zij valt weg &lt;b&gt;"


def test_the_question_whether_a_life_is_in_danger_stays_open(web: FlaskClient, node: FakeNode) -> None:
    page = in_ukrainian(web, web.get("/nl/hulp/medisch"))
    assert 'value="yes"' in page.text
    assert node.kept == {}


@pytest.mark.parametrize("path", [f"{TICKET}/meer", f"{TICKET}/vraag", f"{TICKET}/erger", "/nl/t/47-1/erger"])
def test_what_is_added_to_a_request_is_kept_on_the_page_and_not_sent(
    web: FlaskClient, node: FakeNode, path: str
) -> None:
    page = web.get(path)
    if path.endswith("meer"):
        page = post(web, path, **form_of(page), do="go:words")
    page = in_ukrainian(web, page, text=TYPED)
    assert "zij valt weg &lt;b&gt;</textarea>" in page.text
    assert "47-1" in words(page)
    assert node.supplements == {}


def test_a_number_and_a_code_half_typed_stay(web: FlaskClient) -> None:
    page = in_ukrainian(web, web.get("/nl/volgen"), number="47-", secret="7KQ4 M2")
    assert 'value="47-"' in page.text
    assert 'value="7KQ4 M2"' in page.text


def test_an_offer_and_what_was_chosen_stay(web: FlaskClient) -> None:
    page = in_ukrainian(web, web.get("/nl/buren/helpen"), skill="CARE", hours="4", text=TYPED, name="Jan")
    assert page.status_code == 200
    assert 'value="CARE" checked' in page.text
    assert 'value="4" checked' in page.text
    assert "zij valt weg &lt;b&gt;</textarea>" in page.text


def let_desk_ask(node: FakeNode) -> None:
    """Something to tap, and two numbers."""
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED")
    asked = pack_phrases((Phrase(60), Phrase(63), Phrase(64)), "").hex()
    node.answers["47-1"] = [{"text": "", "function": "DESK", "age_s": 60, "phrases": asked, "newer": False}]


def test_numbers_typed_under_questions_stay_and_are_not_sent(web: FlaskClient, node: FakeNode) -> None:
    let_desk_ask(node)
    page = web.get(TICKET)
    token = hidden(page, "token")
    page = in_ukrainian(web, page, **{"count-63": "12", "count-64": '"><b>'})
    assert page.status_code == 200
    assert '<html lang="uk"' in page.text
    assert 'name="count-63" value="12"' in page.text
    assert 'name="count-64" value="&#34;&gt;&lt;b&gt;"' in page.text
    assert hidden(page, "token") == token
    assert node.supplements == {}
    sent = post(web, f"{TICKET}/antwoorden", token=token, question="63", **{"count-63": "12", "count-64": "3"})
    assert sent.headers["Location"] == TICKET
    assert (node.supplements[token]["question"], node.supplements[token]["count"]) == (63, 12)


def test_the_enter_key_sends_the_one_number_that_is_typed(web: FlaskClient, node: FakeNode) -> None:
    """A browser then presses the page's unseen button, which names no question."""
    let_desk_ask(node)
    for typed, sent in (({"count-63": "2", "count-64": ""}, 1), ({"count-63": "2", "count-64": "3"}, 0), ({}, 0)):
        node.supplements.clear()
        reply = post(web, f"{TICKET}/antwoorden", token="form-1", **typed)
        assert (reply.status_code, len(node.supplements)) == (303 if sent or not typed else 200, sent)
        assert sent or not typed or ('value="2"' in reply.text and 'value="3"' in reply.text)


def test_where_it_could_not_be_kept_another_language_sends_it_again(web: FlaskClient, node: FakeNode) -> None:
    """That page has one button, which sends; in another language it does the same, and the same form is kept once."""
    node.refuse = {"error": "cannot_keep", "message": "disk full"}
    page = ask(web, "no", text=TYPED)
    again = in_ukrainian(web, page)
    assert '<html lang="uk"' in again.text
    assert hidden(again, "text") == "zij valt weg &lt;b&gt;"
    assert node.kept == {}
    node.refuse = None
    assert in_ukrainian(web, again).status_code == 303
    assert [kept["text"] for kept in node.kept.values()] == [TYPED]


def test_the_enter_key_still_does_what_the_form_does(web: FlaskClient) -> None:
    """A browser presses the first button of a form: that must not be a language."""
    for path, wanted in (("/nl/hulp/brand", 'value="check"'), ("/nl/volgen", 'form="look"')):
        first = re.search(r"<button[^>]*>", web.get(path).text)
        assert first is not None
        assert wanted in first[0]
        assert "lang" not in first[0]
