"""A life threat is kept at the second tap; what to do now comes first, and all else is told of the same request."""

import pytest
from flask.testing import FlaskClient

from steunpunt.facts import Facts, Flag, Place, Whereabouts
from steunpunt_ui.languages import LANGUAGES
from tests.fakes.fake_node import SECRET, FakeNode, ticket_body
from tests.fakes.ui_citizen import TICKET, ask, form_of, hidden, post, words

NOW, MORE = f"{TICKET}/nu", f"{TICKET}/meer"
ALL = {
    "what": ["bloedt", "gas", "onzin"],
    "where": "elders",
    "postcode": "6211 ab",
    "house": "12-A",
    "floor": "-1",
    "access": "achterom",
    "people": "3",
    "injured": "2",
    "children": "1",
    "needs": ["stroom", "loopt-niet"],
    "text": "hij valt weg",
    "name": "Els",
    "callback": "06 12345678",
    "stay": "60",
}
FACTS = {
    "injured": 2,
    "children": 1,
    "flags": [Flag.HEAVY_BLEEDING, Flag.GAS, Flag.POWERED_DEVICE, Flag.CANNOT_WALK],
    "place": {"postcode": "6211AB", "house_number": 12, "addition": "A", "floor": -1, "access": "achterom"},
    "name": "Els",
    "whereabouts": Whereabouts.RETURNS,
    "returns_min": 60,
}


@pytest.fixture(name="node")
def fixture_node(node: FakeNode) -> FakeNode:
    node.status["point_state"] = "OPEN"
    return node


def test_after_the_second_tap_the_request_is_there_and_the_page_says_what_to_do_now(
    web: FlaskClient, node: FakeNode
) -> None:
    assert ask(web, "yes").headers["Location"] == NOW
    assert len(node.kept) == 1
    shown = words(web.get(NOW))
    assert "Uw vraag is bewaard in dit apparaat. Nog niet verstuurd." in shown
    assert "Doe nu: Blijf bij de persoon. Laat iemand anders dit invullen." in shown
    assert all(told in shown for told in ("47-1", SECRET, "Ruikt u gas?", "Brand of rook?", "Bel 112"))
    assert f'href="{MORE}"' in web.get(NOW).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_medical_words_that_no_doctor_approved_come_in_an_exercise_alone(
    web: FlaskClient, node: FakeNode, language: str
) -> None:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=True)
    page = NOW.replace("/nl/", f"/{language}/")
    calm = web.get(page).text.count("<li>")
    node.status["point_state"] = "EXERCISE"
    assert web.get(page).text.count("<li>") == calm + 3


def test_the_page_of_what_to_do_now_follows_the_request(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=True)
    page = web.get(NOW)
    mark = web.get("/nl/t/47-1/stand").text
    assert f'data-mark="{mark}"' in page.text
    node.tickets["47-1"] = ticket_body("47-1", "RECEIVED", life_threat=True)
    assert "Aangekomen, nog niet gelezen." in words(web.get(NOW))
    node.tickets["47-1"] = ticket_body("47-1", "CLOSED", close_code="CLOSED_HELPED")
    assert web.get(NOW).headers["Location"] == TICKET


def test_everything_is_told_in_one_supplement_of_the_same_request(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=True)
    token = hidden(web.get(MORE), "token")
    for _ in range(2):
        sent = web.post(MORE, data={"token": token, "do": "send", **ALL}, headers={"Origin": "http://localhost"})
        assert sent.headers["Location"] == TICKET
    [added] = node.supplements.values()
    assert (added["code"], added["number"], added["secret"]) == ("DETAILS", "47-1", SECRET)
    assert (added["text"], added["people"], added["callback"]) == ("hij valt weg", 3, "06 12345678")
    assert added["facts"] == FACTS
    place = Place(**added["facts"]["place"])
    assert Facts(place=place).place.floor == -1


def test_until_it_is_sent_the_page_says_that_it_is_not(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=True)
    page, pages = web.get(MORE), 0
    while "Controleer wat u verstuurt" not in words(page):
        assert "Uw vraag 47-1 is al bewaard in dit apparaat. Wat u hier invult, gaat pas weg als" in words(page)
        page = post(web, MORE, **form_of(page), do="next")
        pages += 1
    assert (pages, node.supplements) == (5, {})


def test_with_nothing_told_nothing_is_sent(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=True)
    assert post(web, MORE, token="form-9", do="send").headers["Location"] == TICKET
    assert node.supplements == {}


def test_the_same_facts_go_with_a_request_that_is_no_danger_of_life(web: FlaskClient, node: FakeNode) -> None:
    token = hidden(web.get("/nl/hulp/medisch"), "token")
    form = {"token": token, "do": "check", **ALL}
    check = web.post("/nl/hulp/medisch", data=form, headers={"Origin": "http://localhost"})
    for said in (
        "6211 AB 12-A · Maastricht · verdieping -1 · achterom",
        "3 · gewond: 2 · kinderen: 1",
        "Els",
        "06 12345678",
    ):
        assert said in words(check)
    assert node.kept == {}
    web.post("/nl/hulp/medisch", data=form | {"do": "no"}, headers={"Origin": "http://localhost"})
    kept = next(iter(node.kept.values()))
    assert kept["facts"] == FACTS | {"mark": 0}


# --- what is wrong ------------------------------------------------------------------------------------------------

WRONG = {
    "people": "veel",
    "children": "100",
    "where": "elders",
    "postcode": "621 AB",
    "house": "A12",
    "floor": "99",
    "text": "x" * 2_001,
    "name": "n" * 41,
    "callback": "1" * 32,
    "access": "a" * 81,
}


def test_all_that_is_wrong_is_told_at_once_and_every_field_stays(web: FlaskClient, node: FakeNode) -> None:
    page = ask(web, "no", **WRONG, needs="stroom")
    assert page.status_code == 400
    assert node.kept == {}
    assert page.text.count('aria-invalid="true"') == len(WRONG) - 1
    for name, typed in WRONG.items():
        assert (f'name="{name}"' in page.text, typed in page.text) == (True, True), name
    assert hidden(page, "needs") == "stroom"
    right = dict.fromkeys(("people", "children", "house", "floor", "text", "name", "callback", "access"), "1")
    fixed = form_of(page) | right | {"postcode": "6211", "do": "no"}
    assert post(web, "/nl/hulp/medisch", **fixed).status_code == 303
    assert next(iter(node.kept.values()))["facts"]["flags"] == [Flag.POWERED_DEVICE]


def test_nothing_that_is_wrong_keeps_a_life_threat_from_being_kept(web: FlaskClient, node: FakeNode) -> None:
    page = ask(web, "yes", **WRONG, needs="stroom")
    assert page.status_code == 200
    [kept] = node.kept.values()
    assert (kept["life_threat"], kept["facts"]["flags"], kept["text"]) == (True, [Flag.POWERED_DEVICE], "")
    assert "Uw vraag 47-1 is al bewaard in dit apparaat." in words(page)
    assert f"Uw code {SECRET}" in words(page), "nothing has said it yet"
    assert "Dit is nog niet verstuurd. Verbeter het:" in words(page)
    assert all(typed in page.text for typed in WRONG.values())
    right = {"people": "4", "children": "1", "postcode": "6211AB", "house": "3", "floor": "", "text": "hij valt weg"}
    fixed = form_of(page) | right | {"name": "", "callback": "", "access": "", "do": "send"}
    assert post(web, MORE, **fixed).headers["Location"] == TICKET
    [added] = node.supplements.values()
    assert (added["code"], added["people"], added["text"]) == ("DETAILS", 4, "hij valt weg")
    assert added["facts"] == {"children": 1, "place": {"postcode": "6211AB", "house_number": 3}}


def test_a_text_that_the_node_finds_too_long_keeps_no_life_threat_away(web: FlaskClient, node: FakeNode) -> None:
    node.text_chars_max = 100
    page = ask(web, "yes", text="x" * 120, people="2")
    [kept] = node.kept.values()
    assert (kept["life_threat"], kept["text"], kept["people"]) == (True, "", 2)
    assert "Uw bericht is 20 tekens te lang." in words(page)
    assert "x" * 120 in page.text


def test_what_was_told_and_could_not_be_kept_is_sent_again_with_one_tap(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=True)
    token = hidden(web.get(MORE), "token")
    node.refuse = {"error": "cannot_keep", "message": ""}
    page = post(web, MORE, token=token, do="send", text="nu ook rook", what="brand")
    assert "Uw aanvulling is niet bewaard. Uw eerdere vraag 47-1 blijft." in words(page)
    node.refuse = None
    assert post(web, MORE, **form_of(page)).headers["Location"] == TICKET
    [added] = node.supplements.values()
    assert (added["text"], added["facts"]) == ("nu ook rook", {"flags": [Flag.FIRE_OR_SMOKE]})


def test_telling_more_needs_the_code(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    for path in ("nu", "meer"):
        assert web.get(f"/nl/t/47-1/AAAA-AAAA/{path}").status_code == 404
    assert post(web, "/nl/t/47-1/AAAA-AAAA/meer", token="form-9", do="send", text="x").status_code == 404


# --- discreet -----------------------------------------------------------------------------------------------------


def test_after_its_tile_no_page_names_the_police(web: FlaskClient, node: FakeNode) -> None:
    token = hidden(web.get("/nl/hulp/politie"), "token")
    pages = [web.get("/nl/hulp/politie")]
    pages += [post(web, "/nl/hulp/politie", token=token, do=tap, text="thuis") for tap in ("go:where", "check")]
    sent = post(web, "/nl/hulp/politie", token=token, do="yes")
    assert sent.headers["Location"] == NOW
    pages += [web.get(NOW), web.get(MORE), web.get(TICKET), web.get("/nl/t/47-1")]
    assert [page.text.lower().count("politie") for page in pages] == [
        page.text.count("/hulp/politie") for page in pages
    ]
    assert next(iter(node.kept.values()))["category"] == "POLICE"


def test_the_number_alone_does_not_tell_that_a_life_is_in_danger(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=True)
    calm = ticket_body("47-2")
    node.tickets["47-2"] = calm
    grave, other = web.get("/nl/t/47-1"), web.get("/nl/t/47-2")
    assert words(grave).replace("47-1", "47-2") == words(other)
    assert "Blijf bij de persoon" in words(web.get(TICKET))


# --- where --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("postcode", "said", "asked"),
    [
        ("6211 ab", "6211 AB 12 · Maastricht", False),
        ("6229", "6229 12 · Maastricht", False),
        ("1234 AB", "1234 AB 12", True),
        ("", "12", False),
    ],
)
def test_a_postcode_is_checked_without_any_network_and_never_refused(
    web: FlaskClient, node: FakeNode, postcode: str, said: str, *, asked: bool
) -> None:
    token = hidden(web.get("/nl/hulp/medisch"), "token")
    typed = {"token": token, "where": "elders", "postcode": postcode, "house": "12"}
    check = words(post(web, "/nl/hulp/medisch", **typed, do="check"))
    assert f"Waar {said}" in check
    assert ("staat niet in de lijst van deze gemeente. Klopt hij?" in check) is asked
    assert post(web, "/nl/hulp/medisch", **typed, do="no").status_code == 303
    assert next(iter(node.kept.values()))["facts"]["place"]["house_number"] == 12


# --- strange words ------------------------------------------------------------------------------------------------

STRANGE = "<b>\u200bx</b>&\"'\U0001f692\u0627\u0628\u202e{{1}}"
"""HTML, a zero-width space, an emoji, Arabic, an override of direction, a template's braces."""
SEEN = "<b>x</b>&\"'\U0001f692\u0627\u0628{{1}}"
FREE = ("text", "name", "callback", "access")
ALL_FIELDS = (*FREE, "people", "injured", "trapped", "children", "postcode", "house", "floor", "what", "needs", "stay")


@pytest.mark.parametrize("name", ALL_FIELDS)
@pytest.mark.parametrize("tap", ["check", "no", "yes"])
def test_strange_words_in_any_field_are_shown_as_typed_or_refused_and_never_obeyed(
    web: FlaskClient, node: FakeNode, name: str, tap: str
) -> None:
    page = ask(web, tap, **{"where": "elders", "postcode": "6211AB", "access": "hek"} | {name: STRANGE})
    assert page.status_code < 500
    assert "<b>" not in page.text
    assert "\u200b" not in page.text
    assert "\u202e" not in page.text
    if tap == "no" and name in FREE:
        [kept] = node.kept.values()
        place = kept["facts"]["place"]
        assert {**kept, **kept["facts"], **place}[name] == SEEN


@pytest.mark.parametrize("name", FREE)
def test_ten_thousand_characters_are_told_and_stay(web: FlaskClient, node: FakeNode, name: str) -> None:
    long = "\u0627\U0001f692" * 5_000
    page = ask(web, "no", **{"where": "elders", "postcode": "6211AB", name: long})
    assert (page.status_code, long in page.text, node.kept) == (400, True, {})
