"""Asking for help over a real control socket, and every way it can fail."""

import re

import pytest
from flask.testing import FlaskClient

from tests.fakes.fake_node import SECRET, FakeNode
from tests.fakes.ui_citizen import TICKET, ask, form_of, hidden, post, words


def test_three_taps_without_typing_from_the_first_page_to_a_ticket(web: FlaskClient, node: FakeNode) -> None:
    assert web.get("/").headers["Location"] == "/nl/"
    home = web.get("/nl/")
    assert "Gratis. Geen papieren nodig. Uw naam is niet nodig." in words(home)
    assert 'href="/nl/hulp"' in home.text
    assert web.get("/nl/hulp").text.count('class="tile"') == 6
    sent = ask(web, "no")
    assert (sent.status_code, sent.headers["Location"]) == (303, TICKET)
    page = web.get(TICKET)
    assert "47-1" in page.text
    assert SECRET in page.text
    assert "<svg" in page.text
    kept = next(iter(node.kept.values()))
    assert (kept["category"], kept["life_threat"], kept["language"]) == ("MEDICAL", False, "nl")
    assert (kept["people"], kept["text"], kept["callback"]) == (0, "", "")


def test_a_life_threat_is_sent_by_one_button_on_the_page_of_its_kind(web: FlaskClient, node: FakeNode) -> None:
    assert ask(web, "yes").headers["Location"] == f"{TICKET}/nu"
    assert next(iter(node.kept.values()))["life_threat"] is True
    assert "Laat iemand anders dit invullen." in words(web.get(TICKET))


def test_details_pass_a_page_to_check_and_arrive_as_typed(web: FlaskClient, node: FakeNode) -> None:
    typed = {"people": "3", "text": 'Ze zei: "<b>lucht</b>" & viel\r\nمريض', "callback": "ik wacht hier"}
    check = ask(web, "check", **typed)
    assert "Controleer wat u verstuurt" in words(check)
    assert "<b>lucht" not in check.text
    assert node.kept == {}
    assert post(web, "/nl/hulp/medisch", token=hidden(check, "token"), do="no", **typed).status_code == 303
    kept = next(iter(node.kept.values()))
    assert kept["text"] == 'Ze zei: "<b>lucht</b>" & viel\nمريض'
    assert (kept["people"], kept["callback"]) == (3, "ik wacht hier")


def test_the_enter_key_checks_and_never_sends(web: FlaskClient) -> None:
    form = web.get("/nl/hulp/brand").text
    first = re.search(r"<button[^>]*>", form)
    assert first is not None
    assert 'value="check"' in first[0]


def test_change_shows_the_fields_again_with_what_was_typed(web: FlaskClient) -> None:
    page = ask(web, "go:words", text="zuurstof is op", people="2")
    assert "zuurstof is op</textarea>" in page.text
    assert hidden(page, "people") == "2"


def test_the_same_form_twice_is_one_request(web: FlaskClient, node: FakeNode) -> None:
    token = hidden(web.get("/nl/hulp/brand"), "token")
    replies = [post(web, "/nl/hulp/brand", token=token, do="yes") for _ in range(2)]
    assert {reply.headers["Location"] for reply in replies} == {f"{TICKET}/nu"}
    assert len(node.kept) == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"text": "x" * 2_001}, "Uw bericht is 1 teken te lang."),
        ({"text": "x" * 15_000}, "Uw bericht is 13000 tekens te lang."),
        ({"text": "\U0001f692" * 2_001}, "Uw bericht is 1 teken te lang."),
        ({"people": "veel"}, "vul een getal in van 0 tot en met 99"),
        ({"people": "9" * 5000}, "vul een getal in van 0 tot en met 99"),
        ({"people": "100"}, "vul een getal in van 0 tot en met 99"),
        ({"people": "\u00b2"}, "vul een getal in van 0 tot en met 99"),
        ({"callback": "1" * 32}, "is 2 tekens te lang"),
    ],
)
def test_what_does_not_fit_is_told_and_stays_on_the_page(
    web: FlaskClient, node: FakeNode, fields: dict[str, str], told: str
) -> None:
    page = ask(web, "no", **fields)
    assert page.status_code == 400
    assert told in words(page)
    assert next(iter(fields.values())) in page.text
    assert node.kept == {}


def test_control_characters_are_taken_out(web: FlaskClient, node: FakeNode) -> None:
    assert ask(web, "no", text="ge\x00vaar\x1b[31m\u202e!").status_code == 303
    assert next(iter(node.kept.values()))["text"] == "gevaar[31m!"


def test_missing_fields_are_empty_fields(web: FlaskClient, node: FakeNode) -> None:
    page = post(web, "/nl/hulp/brand")
    assert "Controleer wat u verstuurt" in words(page)
    assert node.kept == {}


@pytest.mark.parametrize("token", ["", "forged", "oud"])
def test_a_forged_or_old_form_is_sent_with_one_more_tap_and_keeps_its_text(
    web: FlaskClient, node: FakeNode, token: str
) -> None:
    page = post(web, "/nl/hulp/medisch", token=token, do="yes", text="zij valt weg", people="2", callback="hier")
    assert page.status_code == 400
    assert "Deze pagina stond te lang open." in words(page)
    assert node.kept == {}
    again = form_of(page)
    assert post(web, "/nl/hulp/medisch", **again).status_code == 303
    kept = next(iter(node.kept.values()))
    assert (kept["text"], kept["people"], kept["life_threat"]) == ("zij valt weg", 2, True)


def test_a_lost_reply_is_asked_for_again_with_the_same_form(web: FlaskClient, node: FakeNode) -> None:
    node.refuse = {"error": "not_known_yet", "message": "slow"}
    page = ask(web, "yes", text="zij valt weg")
    assert page.status_code == 503
    assert "Wij weten nog niet of uw vraag bewaard is." in words(page)
    node.refuse = None
    again = form_of(page)
    assert [post(web, "/nl/hulp/medisch", **again).headers["Location"] for _ in range(2)] == [f"{TICKET}/nu"] * 2
    assert len(node.kept) == 1


def test_a_node_that_hangs_up_after_keeping_makes_no_second_request(web: FlaskClient, node: FakeNode) -> None:
    node.silent_once = True
    sent = ask(web, "no")
    if sent.status_code == 503:
        again = form_of(sent)
        sent = post(web, "/nl/hulp/medisch", **again)
    assert sent.headers["Location"] == TICKET
    assert len(node.kept) == 1


def test_a_full_disk_is_told_and_recovers_with_the_same_tap(web: FlaskClient, node: FakeNode) -> None:
    node.refuse = {"error": "cannot_keep", "message": "disk full"}
    page = ask(web, "no", text="insuline op")
    assert page.status_code == 503
    assert "Dit apparaat kan uw vraag nu niet bewaren." in words(page)
    assert "Willem Alexanderweg 1" in words(page)
    node.refuse = None
    again = form_of(page)
    assert post(web, "/nl/hulp/medisch", **again).status_code == 303


def test_the_nodes_own_limit_is_told_in_characters(web: FlaskClient, node: FakeNode) -> None:
    node.refuse = {"error": "text_too_long", "message": "", "characters_over": 20}
    page = ask(web, "no", text="x" * 120)
    assert "Uw bericht is 20 tekens te lang." in words(page)
    assert "x" * 120 in page.text


@pytest.mark.parametrize("answer", ["cannot_keep", "gone"])
def test_after_a_lost_reply_nobody_is_told_that_nobody_has_the_request(
    web: FlaskClient, node: FakeNode, answer: str
) -> None:
    node.refuse = {"error": "not_known_yet", "message": "slow"}
    page = ask(web, "yes", text="zij valt weg")
    node.refuse = {"error": "cannot_keep", "message": "disk full"}
    if answer == "gone":
        node.close()
    for _ in range(2):
        again = form_of(page)
        page = post(web, "/nl/hulp/medisch", **again)
        assert page.status_code == 503
        assert "Wij weten nog niet of uw vraag bewaard is." in words(page)
        assert "Niemand heeft uw vraag" not in words(page)


@pytest.mark.parametrize(
    ("people", "callback"), [("\u0661\u0662", "\u0660\u0666\u0661\u0662"), ("\u06f1\u06f2", "\u06f0\u06f6\u06f1\u06f2")]
)
def test_arabic_and_persian_digits_arrive_as_the_digits_that_the_desk_reads(
    web: FlaskClient, node: FakeNode, people: str, callback: str
) -> None:
    assert ask(web, "no", people=people, callback=f"bel {callback}").status_code == 303
    kept = next(iter(node.kept.values()))
    assert (kept["people"], kept["callback"]) == (12, "bel 0612")
