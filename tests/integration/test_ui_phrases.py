"""Phrases on the screens: composed at the desk without a script, refused where nobody may promise them, read here."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from steunpunt.control import Client
from steunpunt.facts import Facts, Flag, Mark, Place, Whereabouts
from steunpunt.ledger.desk import CaseEvent
from steunpunt.model import Category, Lane, SenderFunction, Skill, SupplementCode, TicketState
from steunpunt.protocol.answerbody import pack_phrases
from steunpunt.protocol.messages import QuestionReply
from steunpunt.protocol.phrases import After, Clock, Phrase, Reason
from steunpunt.values import replace
from steunpunt_ui.app import create_app
from tests.fakes.fake_node import SECRET, FakeNode, ticket_body
from tests.fakes.memory_desk import CASE, MemoryDesk
from tests.fakes.ui_citizen import hidden, kiosk_web, post, words
from tests.fakes.ui_sites import NAME, coordinator_config
from tests.integration.test_ui_desk import act, log_in

TAKEN = replace(CASE, state=TicketState.SEEN, seen_by=NAME, seen_age_s=5)
ROOM = SenderFunction.CONTROL_ROOM


@pytest.fixture(name="desk")
def fixture_desk() -> MemoryDesk:
    return MemoryDesk(TAKEN)


@pytest.fixture(name="person")
def fixture_person(tmp_path: Path, passwords: Path, desk: MemoryDesk) -> FlaskClient:
    config = coordinator_config(tmp_path / "no-node.sock", passwords)
    web = create_app(config, Client(tmp_path / "no-node.sock"), desk).test_client()
    log_in(web)
    return web


# --- the desk -----------------------------------------------------------------------------------------------------


def test_an_answer_of_phrases_goes_with_its_values(person: FlaskClient, desk: MemoryDesk) -> None:
    reply = act(
        person,
        1,
        "antwoord",
        function="CONTROL_ROOM",
        do="send",
        p1="3",
        p1_who="CONTROL_ROOM",
        p1_time="14:21",
        p2="18",
        p3="85",
        p3_duration="3 uur",
        text="Sterkte!",
    )
    assert reply.status_code == 303
    phrases = (Phrase(3, (ROOM, Clock(14 * 60 + 30))), Phrase(18), Phrase(85, (180,)))
    assert desk.acts == [("answer", 1, NAME, ROOM, "Sterkte!", *phrases)]


def test_a_chosen_phrase_comes_back_with_the_fields_it_takes(person: FlaskClient, desk: MemoryDesk) -> None:
    page = act(person, 1, "antwoord", function="MEDICAL", do="send", p1="5", p2="82", text="Hou vol")
    assert page.status_code == 409
    assert "Vul in wat de zin nodig heeft: reden." in page.text
    assert '<select id="p1_reason" name="p1_reason">' in page.text
    assert '<option value="ROAD_BLOCKED">de weg is dicht</option>' in page.text
    assert '<input id="p2_time" name="p2_time" value=""' in page.text
    assert '<option value="5" selected>' in page.text
    assert "Hou vol</textarea>" in page.text
    assert desk.acts == []


def test_reading_over_shows_what_will_be_read_and_what_it_costs(person: FlaskClient, desk: MemoryDesk) -> None:
    fields = {"p1": "107", "p1_time": "40", "p2": "60", "function": "COORDINATOR"}
    page = act(person, 1, "antwoord", do="check", **fields)
    assert page.status_code == 200
    assert "Volgend bericht: over 40 min." in page.text
    assert "[Ja]\n[Nee]\n[Weet ik niet]" in page.text
    assert "21 bytes in 1 pakket: 0,6 s in de lucht" in page.text
    assert "Nog niet verstuurd." in page.text
    assert desk.acts == []


@pytest.mark.parametrize(
    ("function", "phrase", "only"),
    [
        ("COORDINATOR", {"p1": "4", "p1_who": "MEDICAL", "p1_time": "20"}, "Alleen: Geneeskundige dienst, Meldkamer."),
        ("MUNICIPALITY", {"p1": "9", "p1_who": "POLICE", "p1_time": "20"}, "Alleen: Meldkamer, Politie."),
        ("FIRE_CREW", {"p3": "40"}, "Alleen: Geneeskundige dienst, Meldkamer."),
    ],
)
def test_who_may_not_promise_it_is_told_who_may(
    person: FlaskClient, desk: MemoryDesk, function: str, phrase: dict[str, str], only: str
) -> None:
    page = act(person, 1, "antwoord", function=function, do="send", **phrase)
    assert page.status_code == 409
    assert "mag dit niet toezeggen" in page.text
    assert only in page.text
    assert desk.acts == []


def test_all_that_is_wrong_is_said_at_once(person: FlaskClient, desk: MemoryDesk) -> None:
    page = act(person, 1, "antwoord", function="COORDINATOR", p1="4", p2="9", p2_who="POLICE", do="send")
    assert page.status_code == 409
    assert page.text.count("mag dit niet toezeggen") == 2
    assert page.text.count("Vul in wat de zin nodig heeft: tijd.") == 2
    assert "Alleen: Geneeskundige dienst, Meldkamer." in page.text
    assert desk.acts == []


@pytest.mark.parametrize(
    "fields",
    [
        {"p1": "107", "p1_time": "straks"},
        {"p1": "107", "p1_time": "25:00"},
        {"p1": "19", "p1_address": "é" * 64},
        {"p1": "25", "p1_phone": "bel maar"},
        {"p1": "98", "p1_frequency": "1008"},
        {"p1": "84", "p1_number": "999999"},
        {"p1": "84", "p1_number": "-1"},
        {"p1": "14", "p1_reason": "ZOMAAR"},
        {"p1": "999", "text": ""},
        {"function": "OTHER", "text": "hallo"},
    ],
)
def test_what_cannot_be_said_is_not_sent(person: FlaskClient, desk: MemoryDesk, fields: dict[str, str]) -> None:
    page = act(person, 1, "antwoord", **({"function": "MUNICIPALITY", "do": "send"} | fields))
    assert page.status_code == 409
    assert desk.acts == []


@pytest.mark.parametrize(
    ("code", "typed", "value"),
    [
        (107, "14:30", Clock(870)),
        (107, "23.55", Clock(0)),
        (107, "41", After(45)),
        (107, "40 min", After(40)),
        (107, "99999", After(1275)),
        (85, "7", 7),
        (85, "75", 90),
        (85, "2 h", 120),
        (98, "95,3", 953),
        (98, "101", 1010),
        (84, "3", 3),
        (14, "NO_CREW", Reason.NO_CREW),
    ],
)
def test_values_are_read_as_people_write_them_and_never_too_early(
    person: FlaskClient, desk: MemoryDesk, code: int, typed: str, value: object
) -> None:
    name = {107: "time", 85: "duration", 98: "frequency", 84: "number", 14: "reason"}[code]
    said = {"p2": str(code), f"p2_{name}": typed}
    assert act(person, 1, "antwoord", function="MUNICIPALITY", do="send", **said).status_code == 303
    assert desk.acts[0][-1] == Phrase(code, (value,))  # type: ignore[arg-type]


def test_the_case_shows_what_was_told_place_first(person: FlaskClient, desk: MemoryDesk) -> None:
    facts = Facts(
        people=4,
        injured=2,
        flags=frozenset({Flag.CANNOT_WALK, Flag.NOT_BREATHING}),
        place=Place(postcode="6211AB", house_number=12, addition="bis", floor=2, access="achterom"),
        whereabouts=Whereabouts.RETURNS,
        returns_min=40,
        callback="0612345678",
        name="Truus",
        mark=Mark.REAL,
        paper_age_s=1200.0,
    )
    more = CaseEvent(
        "supplement", "", 60, "", delivered=None, code=SupplementCode.REPLY, reply=QuestionReply(60, option=1)
    )
    desk.held[1] = replace(TAKEN, category=Category.MEDICAL, facts=facts, newer=True, events=(more,))
    page = words(person.get("/desk/melding/1"))
    for told in (
        "DIT IS ECHT 6211 AB 12bis · verdieping 2 · achterom Gevraagd bij",
        "Ademt niet · Kan niet lopen",
        "4 personen · gewond: 2",
        "0612345678",
        "Truus",
        "40 minuten na de vraag",
        "van papier van 20 minuten geleden",
        "meer dan deze computer kan tonen",
        "De persoon beantwoordt een vraag",
        "Ademt de persoon normaal? Nee",
    ):
        assert told in page, told
    listed = words(person.get("/desk/"))
    assert "DIT IS ECHT · 6211 AB 12bis" in listed
    assert "Ademt niet" in listed


def test_an_offer_is_a_case_with_what_is_offered(person: FlaskClient, desk: MemoryDesk) -> None:
    desk.held[1] = replace(CASE, category=Category.OFFER, lane=Lane.OTHER, skill=Skill.TRANSPORT, hours=4)
    page = words(person.get("/desk/melding/1"))
    assert "Biedt hulp aan" in page
    assert "vervoer · 4 uur" in page


# --- the kiosk ----------------------------------------------------------------------------------------------------


def answered(node: FakeNode, *phrases: Phrase, text: str = "", newer: bool = False) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED")
    packed = pack_phrases(phrases, "").hex()
    node.answers["47-1"] = [
        {"text": text, "function": "CONTROL_ROOM", "age_s": 600, "phrases": packed, "newer": newer},
    ]


def test_the_answer_is_read_in_the_readers_language(node: FakeNode) -> None:
    answered(node, Phrase(3, (ROOM, After(40))), Phrase(18), text="Sterkte!")
    with kiosk_web(node) as web:
        dutch, english = (words(web.get(f"/{lang}/t/47-1/{SECRET}")) for lang in ("nl", "en"))
    assert "Er is een ambulance gevraagd. Door: de meldkamer. Tijd: over 30 min." in dutch
    assert "Laat de persoon niet alleen. Sterkte!" in dutch
    assert "Niemand heeft deze vertaling nagekeken." not in dutch
    assert "An ambulance has been asked for. By: the control room. Time: in 30 min." in english
    assert "Sterkte!" in english
    assert "Nobody has checked this translation yet." in english


def test_what_is_newer_or_not_approved_is_said(node: FakeNode) -> None:
    answered(node, Phrase(40), newer=True)
    with kiosk_web(node) as web:
        page = words(web.get(f"/nl/t/47-1/{SECRET}"))
    assert "Een arts heeft deze woorden nog niet goedgekeurd." in page
    assert "Dit steunpunt kan niet het hele antwoord lezen." in page


def test_a_question_is_answered_with_a_tap(node: FakeNode) -> None:
    answered(node, Phrase(60), Phrase(63), text="")
    ticket = f"/nl/t/47-1/{SECRET}"
    with kiosk_web(node) as web:
        page = web.get(ticket)
        assert '<button class="button" name="option" value="1">Nee</button>' in page.text
        assert 'name="count-63" value="" inputmode="numeric"' in page.text
        token = hidden(page, "token")
        tapped = post(web, f"{ticket}/antwoorden", token=token, question="60", option="1")
        assert (tapped.status_code, tapped.headers["Location"]) == (303, ticket)
        assert node.supplements[token]["code"] == "REPLY"
        assert (node.supplements[token]["question"], node.supplements[token]["option"]) == (60, 1)
        for fields in ({}, {"question": "60"}, {"question": "x", "option": "1"}):
            assert post(web, f"{ticket}/antwoorden", token="t", **fields).headers["Location"] == ticket
        assert web.get(f"{ticket}/antwoorden").headers["Location"] == ticket
    assert len(node.supplements) == 1


def test_what_was_answered_by_tap_is_said_until_another_answer_comes(node: FakeNode) -> None:
    answered(node, Phrase(60), Phrase(63), text="")
    ticket, kept = f"/ar/t/47-1/{SECRET}", "حُفظ جوابك."
    with kiosk_web(node) as web:
        page = moved = web.get(ticket)
        assert kept not in page.text
        for told, (question, said) in enumerate([("60", {"option": "1"}), ("63", {"count": "3"})], 1):
            action = re.search(r'<form method="post" action="([^"]*antwoorden[^"]*)"', page.text)
            assert action
            moved = post(web, action[1], token=f"form-{told}", question=question, **said)
            page = web.get(moved.headers["Location"])
            assert page.text.count(kept) == told
        assert f"url={moved.headers['Location']}&amp;stil=10" in page.text
        assert f'formaction="/uk/t/47-1/{SECRET}/antwoorden?{moved.headers["Location"].partition("?")[2]}"' in page.text
        node.answers["47-1"] *= 2
        assert kept not in web.get(moved.headers["Location"]).text
        assert kept not in web.get(f"{ticket}?gezegd=x.60").text


def test_words_of_the_desk_itself_are_said_not_to_be_translated(node: FakeNode) -> None:
    answered(node, Phrase(60), text="Kom naar de balie.")
    with kiosk_web(node) as web:
        assert "غير مترجم." in web.get(f"/ar/t/47-1/{SECRET}").text
        assert "Niet vertaald." not in web.get(f"/nl/t/47-1/{SECRET}").text


def test_a_count_and_a_number_may_be_typed_in_arabic_digits(node: FakeNode) -> None:
    answered(node, Phrase(63), text="")
    ticket = f"/nl/t/47-1/{SECRET}"
    with kiosk_web(node) as web:
        page = web.get(ticket)
        token = hidden(page, "token")
        assert 'pattern="[0-9\u0660-\u0669\u06f0-\u06f9]{1,3}"' in page.text
        post(web, f"{ticket}/antwoorden", token=token, question="63", count="\u0661\u06f2")
        assert node.supplements[token]["count"] == 12
        assert post(web, "/nl/volgen", number="\u0664\u0667-\u0661", secret=SECRET).headers["Location"] == ticket
