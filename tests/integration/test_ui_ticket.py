"""The ticket: the words of each state, the answer, and what a citizen adds."""

import re

import pytest
from flask.testing import FlaskClient

from tests.fakes.fake_node import SECRET, FakeNode, ticket_body
from tests.fakes.ui_citizen import TICKET, hidden, post, words

STATION = "Brandweerkazerne Noord"
ADDRESS = "Willem Alexanderweg 1, Maastricht"
STATES = {
    "KEPT": [
        f"Nog niet verstuurd. Uw bericht staat veilig in dit apparaat. Niemand bij {STATION} heeft het.",
        "Doe nu: Schrijf uw nummer en uw code op. Gevaar? Bel 112 als een telefoon werkt.",
        f"Anders: stuur iemand naar {ADDRESS}.",
    ],
    "ON_ITS_WAY": [
        "Wij versturen uw bericht. Wij weten nog niet of het is aangekomen. Reken nog niet op hulp.",
        "Doe nu: Blijf dichtbij. Levensgevaar? Bel 112. Lukt dat niet?",
        f"Laat nu iemand een foto van de codes hieronder maken en naar {ADDRESS} gaan.",
    ],
    "RECEIVED": [
        f"Aangekomen, nog niet gelezen. Het apparaat bij {STATION} heeft uw bericht.",
        "Daar was 6 minuten geleden iemand actief. Reken nog niet op hulp.",
        f"Doe nu: Levensgevaar en na 5 minuten nog dit scherm? Stuur iemand naar {ADDRESS}.",
    ],
    "SEEN": [
        f"Een medewerker pakt dit op. {STATION}, 3 minuten geleden. Er is nog geen hulp toegezegd.",
        "Doe nu: Wacht op antwoord of kom terug met uw nummer.",
    ],
    "ANSWERED": ["Er is antwoord.", "Doe nu: Doe wat hierboven staat.", "Ik begrijp het", "Ik heb een vraag"],
    "CLOSED": ["Afgerond. Reden: u bent geholpen. Klopt dit niet?", "Ik heb nog hulp nodig"],
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_has_its_words_and_the_number_and_worse(web: FlaskClient, node: FakeNode, state: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1", state, close_code="CLOSED_HELPED")
    node.answers["47-1"] = [{"text": "Kom naar de gymzaal.", "function": "FIRE_CREW", "age_s": 70}]
    shown = words(web.get(TICKET))
    for sentence in STATES[state]:
        assert sentence in shown
    assert "Uw nummer 47-1" in shown
    assert "Het is erger geworden" in shown
    others = {other: said[0] for other, said in STATES.items() if other != state}
    assert [other for other, sentence in others.items() if sentence in shown] == []


def test_nobody_known_to_be_there_is_said(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "RECEIVED", active_min=None)
    assert "heeft uw bericht. Wij weten niet of daar nu iemand is. Reken" in words(web.get(TICKET))


def test_after_a_loss_of_power_ages_are_at_least(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN", age_at_least=True)
    assert "Brandweerkazerne Noord, minstens 3 minuten geleden." in words(web.get(TICKET))


def test_the_answer_says_who_and_that_it_was_passed_on(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED", passed_on_age_s=130)
    node.answers["47-1"] = [{"text": "Wacht <i>buiten</i>.", "function": "DUTY_OFFICER", "age_s": 70}]
    page = web.get(TICKET)
    assert "Wacht &lt;i&gt;buiten&lt;/i&gt;." in page.text
    assert "Van: de officier van dienst. (1 minuut geleden)" in words(page)
    assert "Doorgegeven aan de meldkamer. (2 minuten geleden)" in words(page)


def test_the_number_alone_shows_the_state_but_not_the_answer(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED")
    node.answers["47-1"] = [{"text": "Geheim", "function": "MEDICAL", "age_s": 70}]
    page = web.get("/nl/t/47-1")
    assert "Er is antwoord." in words(page)
    assert "Geheim" not in page.text
    assert SECRET not in page.text


def test_without_the_code_only_the_number_is_written_down(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    assert "Doe nu: Schrijf uw nummer op. Gevaar?" in words(web.get("/nl/t/47-1"))
    node.tickets["47-1"] = ticket_body("47-1", "ON_ITS_WAY")
    assert "met dit nummer en de vraag op papier." in words(web.get("/nl/t/47-1"))


def test_an_older_answer_is_called_so_and_dutch_words_are_marked_as_dutch(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "ANSWERED")
    said = [("Wacht buiten.", 600), ("Kom binnen.", 60)]
    node.answers["47-1"] = [{"text": text, "function": "FIRE_CREW", "age_s": age_s} for text, age_s in said]
    shown = words(web.get(TICKET))
    assert shown.index("Kom binnen.") < shown.index("Eerder antwoord") < shown.index("Wacht buiten.")
    assert shown.count("Eerder antwoord") == 1
    assert '<p lang="nl" dir="auto">Kom binnen.</p>' in web.get(TICKET.replace("/nl/", "/ar/")).text
    node.tickets["47-1"] = ticket_body("47-1", "CLOSED", close_code="CLOSED_HELPED")
    shown = words(web.get(TICKET))
    assert shown.index("Afgerond.") < shown.index("Eerder antwoord") < shown.index("Kom binnen.")


def test_after_a_reopening_what_was_answered_before_is_an_earlier_answer(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN", close_code="REOPENED")
    assert "Eerder antwoord" not in words(web.get(TICKET))
    node.answers["47-1"] = [{"text": "Kom binnen.", "function": "FIRE_CREW", "age_s": 60}]
    shown = words(web.get(TICKET))
    order = [shown.index(part) for part in ("Een medewerker pakt dit op.", "Eerder antwoord", "Kom binnen.")]
    assert order == sorted(order)
    assert "Afgerond" not in shown
    assert "Kom binnen." not in words(web.get("/nl/t/47-1"))


def test_a_buttons_answer_is_shown_to_all_here(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body(
        "47-1",
        "ANSWERED",
        open_to_all=True,
        answers=[
            {"text": "Wij komen eraan.", "function": "FIRE_CREW", "age_s": 70},
            {"text": "", "function": "", "age_s": 60, "unreadable": True},
        ],
    )
    shown = words(web.get("/nl/t/47-1"))
    assert "Wij komen eraan." in shown
    assert "Uw code" not in shown


def test_absent_and_wrong_get_the_same_answer(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    paths = ["/nl/t/47-1/AAAA-AAAA", f"/nl/t/47-2/{SECRET}", "/nl/t/47-1/onzin", "/nl/t/99-1", "/nl/t/x"]
    answers = [web.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {404}
    own = r'href="/[a-z]{2}/t/[^"]*"|[?]number=[0-9-]+'  # what was typed is in the page's own links
    assert len({re.sub(own, "", answer.text) for answer in answers}) == 1


def test_a_code_that_was_mistyped_can_be_typed_again(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    again = re.search(r'<a class="button deep" href="([^"]+)">.*Volg uw vraag', web.get("/nl/t/47-1/AAAA-AAAA").text)
    assert again
    assert 'name="number" data-figures="1" autocomplete="off" value="47-1"' in web.get(again[1]).text
    refused = post(web, "/nl/volgen", number="47-1", secret="7KQ4-M2X").text
    assert 'value="7KQ4-M2X"' in refused


def test_looking_up_leads_to_the_ticket(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    assert post(web, "/nl/volgen", number="47 1", secret="7kq4m2xd").headers["Location"] == TICKET
    assert post(web, "/nl/volgen", number="47-1").headers["Location"] == "/nl/t/47-1"
    for fields in ({"number": "abc"}, {"number": "47-1", "secret": "kort"}):
        refused = post(web, "/nl/volgen", **fields)
        assert (refused.status_code, 'role="alert"' in refused.text) == (400, True)


def test_polling_sees_a_change_by_the_public_number_alone(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    page = web.get(TICKET)
    poll, mark = (re.search(rf'data-{name}="([^"]+)"', page.text) for name in ("poll", "mark"))
    assert poll is not None
    assert mark is not None
    assert SECRET not in poll[1]
    assert web.get(poll[1]).text == mark[1]
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    assert web.get(poll[1]).text != mark[1]
    assert web.get("/nl/t/47-9/stand").status_code == 404


OWN_HOSTS = ("127.0.0.1:8080", "localhost:1", "[::1]:8080")


def _picture(web: FlaskClient, host: str) -> str:
    return web.get(TICKET, headers={"Host": host}).text.split('class="qr">')[1].split("</div>")[0]


def test_a_qr_leads_phones_here_and_is_plain_text_where_they_could_not_follow(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1")
    pictures = {host: _picture(web, host) for host in (*OWN_HOSTS, "10.42.0.1", "steunpunt.lan:8080")}
    own = {pictures.pop(host) for host in OWN_HOSTS}
    assert len(own) == 1
    assert len(set(pictures.values()) | own) == 3


@pytest.mark.parametrize(
    ("slug", "code", "text"),
    [
        ("erger", "WORSE", ""),
        ("vraag", "QUESTION", "hoe lang nog?"),
        ("begrepen", "UNDERSTOOD", ""),
        ("niet-nodig", "NO_LONGER_NEEDED", ""),
    ],
)
def test_each_addition_reaches_the_node_once(web: FlaskClient, node: FakeNode, slug: str, code: str, text: str) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    token = hidden(web.get(f"{TICKET}/{slug}"), "token")
    for _ in range(2):
        sent = post(web, f"{TICKET}/{slug}", token=token, text=text)
        assert (sent.status_code, sent.headers["Location"]) == (303, TICKET)
    [added] = node.supplements.values()
    assert (added["code"], added["text"], added["number"]) == (code, text, "47-1")
    assert "Uw aanvulling is bewaard. Zover wij weten is die nog niet aangekomen." in words(web.get(TICKET))


def test_an_addition_that_arrived_is_not_called_read(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN") | {"supplements": 1}
    assert "Uw aanvulling is aangekomen. Wij weten niet of iemand die heeft gelezen." in words(web.get(TICKET))


def test_who_still_needs_help_after_closing_asks_anew(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "CLOSED")
    assert "/nl/hulp?bij=47-1" in web.get(TICKET).text
    assert "/nl/hulp/medisch?bij=47-1" in web.get("/nl/hulp?bij=47-1").text
    assert "Vervolg op 47-1." in web.get("/nl/hulp/medisch?bij=47-1").text
    assert "Vervolg" not in web.get("/nl/hulp/medisch?bij=<b>").text


def test_only_worse_goes_without_the_secret_half(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    token = hidden(web.get("/nl/t/47-1/erger"), "token")
    assert post(web, "/nl/t/47-1/erger", token=token).headers["Location"] == "/nl/t/47-1"
    assert web.get("/nl/t/47-1/vraag").status_code == 404
    assert post(web, "/nl/t/47-1/niet-nodig", token=token).status_code == 405
    assert post(web, "/nl/t/47-1/AAAA-AAAA/niet-nodig", token="form-9").status_code == 404
    assert [added["code"] for added in node.supplements.values()] == ["WORSE"]


def test_an_addition_that_is_refused_keeps_its_text(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    empty = post(web, f"{TICKET}/vraag", token="form-1", text=" ")
    assert (empty.status_code, "Schrijf wat u wilt vertellen" in words(empty)) == (400, True)
    long = post(web, f"{TICKET}/erger", token="form-1", text="y" * 2_001)
    assert (long.status_code, "y" * 2_001 in long.text) == (400, True)
    old = post(web, f"{TICKET}/erger", token="old", text="nu ook rook")
    assert hidden(old, "text") == "nu ook rook"
    assert post(web, f"{TICKET}/erger", token=hidden(old, "token"), text="nu ook rook").status_code == 303


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("cannot_keep", "Uw aanvulling is niet bewaard. Uw eerdere vraag 47-1 blijft."),
        ("not_known_yet", "Wij weten nog niet of uw aanvulling bewaard is. Uw eerdere vraag 47-1 blijft."),
        ("token_expired", "Uw aanvulling is niet bewaard. Uw eerdere vraag 47-1 blijft."),
        ("bad_request", "Uw aanvulling is niet bewaard. Uw eerdere vraag 47-1 blijft."),
    ],
)
@pytest.mark.parametrize("address", [TICKET, "/nl/t/47-1"])
def test_an_addition_that_was_not_kept_leaves_the_request_and_leads_back(
    web: FlaskClient, node: FakeNode, error: str, told: str, address: str
) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    node.refuse = {"error": error, "message": ""}
    page = post(web, f"{address}/erger", token="form-1", text="nu ook rook")
    assert told in words(page)
    assert "uw vraag nu niet bewaren" not in words(page)
    assert f'<a class="button plain" href="{address}">' in page.text
    assert hidden(page, "text") == "nu ook rook"


@pytest.mark.parametrize("state", ["KEPT", "ON_ITS_WAY", "RECEIVED", "SEEN", "ANSWERED", "CLOSED"])
@pytest.mark.parametrize("address", [TICKET, "/nl/t/47-1"])
def test_a_ticket_says_that_the_roads_are_gone_until_it_is_closed(
    web: FlaskClient, node: FakeNode, state: str, address: str
) -> None:
    node.tickets["47-1"] = ticket_body("47-1", state)
    before = web.get("/nl/t/47-1/stand").text
    node.status["links"] = {"mesh": {"up": False}, "broker": {"up": False}}
    page = web.get(address)
    assert ("Dit steunpunt kan nu niets versturen." in words(page)) is (state != "CLOSED")
    mark = web.get("/nl/t/47-1/stand").text
    assert (mark != before) is (state != "CLOSED")
    assert f'data-mark="{mark}"' in page.text


def test_a_code_opens_an_answer_only_when_there_is_one(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "SEEN")
    shown = words(web.get("/nl/t/47-1"))
    assert "Uw code invullen" in shown
    assert "Open het antwoord" not in shown
    node.answers["47-1"] = [{"text": "Geheim", "function": "MEDICAL", "age_s": 70}]
    assert "Open het antwoord met uw code" in words(web.get("/nl/t/47-1"))


def test_who_can_not_be_helped_is_told_what_to_do_in_danger(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", "CLOSED", close_code="CLOSED_CANNOT")
    assert "Doe nu: Gevaar? Bel 112." in words(web.get(TICKET))
    node.tickets["47-1"] = ticket_body("47-1", "CLOSED", close_code="CLOSED_HELPED")
    assert "Gevaar? Bel 112." not in words(web.get(TICKET))


@pytest.mark.parametrize(("life_threat", "said"), [(True, "In levensgevaar: ja"), (False, "In levensgevaar: nee")])
def test_the_ticket_says_whether_it_went_as_a_life_threat_to_whom_holds_the_code_alone(
    web: FlaskClient, node: FakeNode, said: str, *, life_threat: bool
) -> None:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=life_threat)
    assert said in words(web.get(TICKET))
    assert "In levensgevaar:" not in words(web.get("/nl/t/47-1"))
