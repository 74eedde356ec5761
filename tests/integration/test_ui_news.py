"""The page with news at a kiosk: who says what, how old it is, and whether it still holds, in the reader's language."""

from pathlib import Path

import pytest

from steunpunt.model import SenderFunction
from steunpunt.protocol.answerbody import pack_phrases
from steunpunt.protocol.phrases import After, Phrase
from tests.fakes.fake_node import SECRET, FakeNode, news_row, ticket_body
from tests.fakes.ui_citizen import kiosk_web, words

POWER_OUT = Phrase(80, ("Heugem", SenderFunction.MUNICIPALITY, After(120)))


def shown(node: FakeNode, lang: str = "nl", *rows: dict[str, object]) -> str:
    node.news = list(rows) or node.news
    with kiosk_web(node) as web:
        page = web.get(f"/{lang}/nieuws")
        assert page.status_code == 200
        return words(page)


def test_without_news_the_page_says_so(node: FakeNode) -> None:
    assert "Er is nu geen nieuws." in shown(node)
    assert "There is no news now." in shown(node, "en")


def test_what_is_said_by_whom_how_old_and_for_how_long(node: FakeNode) -> None:
    row = news_row(
        headline="Stroom weg",
        phrases=pack_phrases((POWER_OUT,), "").hex(),
        text="Buurtteam komt langs",
        left_s=3 * 3600,
    )
    dutch, english = shown(node, "nl", row), shown(node, "en")
    assert "Stroom weg De stroom is uitgevallen. Gebied: Heugem. Dat zegt: de gemeente." in dutch
    assert "Verwacht herstel: over 110 min." in dutch, "ten of the 120 minutes are gone"
    assert "Buurtteam komt langs" in dutch
    assert "Van: de officier van dienst. Gezegd: 10 minuten geleden. Geldt nog 3 uur." in dutch
    assert "Niet bevestigd" not in dutch
    assert "The power is out. Area: Heugem." in english
    assert "Buurtteam komt langs" in english, "free words stay as they were written"
    assert "Nobody has checked this translation yet." in english


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"standing": "unconfirmed"}, "Niet bevestigd. Wij weten nog niet of dit nog geldt: het kan oud zijn. Gaslek"),
        ({"standing": "stale"}, "Dit klopte. Wij hebben al lang niet gehoord of het nog geldt. Gaslek"),
        ({"standing": "cancelled"}, "Geldt niet meer Ingetrokken. Dit geldt niet meer. Gaslek"),
        ({"standing": "expired", "left_s": 0}, "Geldt niet meer Voorbij. Dit geldt niet meer. Gaslek"),
        ({"type": "CANCEL"}, "Ingetrokken: wat hierover eerder gezegd is, geldt niet meer. Gaslek"),
        ({"type": "CANCEL", "standing": "unconfirmed"}, "Volgens een niet bevestigd bericht ingetrokken. Gaslek"),
        (
            {"type": "CANCEL", "standing": "stale"},
            "Ingetrokken: wat hierover eerder gezegd is, geldt niet meer. Dit klopte. Wij hebben al lang niet gehoord",
        ),
        (
            {"type": "CANCEL", "standing": "expired", "left_s": 0},
            "Geldt niet meer Ingetrokken: wat hierover eerder gezegd is, geldt niet meer. Gaslek",
        ),
        ({"type": "CANCEL", "standing": "cancelled"}, "Geldt niet meer Ingetrokken. Dit geldt niet meer. Gaslek"),
        ({"type": "CANCEL", "headline": ""}, "Een eerder bericht is ingetrokken."),
        ({"type": "UPDATE", "headline": "", "text": "Ramen dicht"}, "Mededeling Ramen dicht"),
        ({"mark": "EXERCISE"}, "OEFENING. Dit is niet echt. Gaslek"),
        ({"age_at_least": True}, "Gezegd: minstens 10 minuten geleden."),
        ({"newer": True}, "Dit steunpunt kan niet de hele mededeling lezen."),
        ({"left_s": 30}, "Geldt nog 1 minuut."),
    ],
)
def test_what_the_reader_must_know_first_is_said_first(node: FakeNode, fields: dict[str, object], says: str) -> None:
    assert says in shown(node, "nl", news_row(**fields))


@pytest.mark.parametrize("standing", ["unconfirmed", "confirmed", "stale"])
def test_a_withdrawal_names_no_time_until_which_it_holds(node: FakeNode, standing: str) -> None:
    left = {"standing": standing, "left_s": 23 * 3600}
    assert "Geldt nog 23 uur." in shown(node, "nl", news_row(**left))
    assert "Geldt nog" not in shown(node, "nl", news_row(type="CANCEL", **left))


def test_what_a_later_one_replaced_is_not_shown(node: FakeNode) -> None:
    page = shown(node, "nl", news_row(headline="Nieuw"), news_row(headline="Oud", standing="superseded"))
    assert "Nieuw" in page
    assert "Oud" not in page


def test_markup_in_news_is_shown_as_it_was_written(node: FakeNode) -> None:
    node.news = [news_row(headline="<b>Gas</b>", text="<script>alert(1)</script>")]
    with kiosk_web(node) as web:
        page = web.get("/nl/nieuws").text
    assert "&lt;b&gt;Gas&lt;/b&gt;" in page
    assert "<script>alert" not in page


def test_a_node_that_is_away_is_told_of(node: FakeNode, tmp_path: Path) -> None:
    (tmp_path / "node.sock").unlink()
    assert "Het nieuws is nu niet te tonen." in shown(node)


def test_the_first_page_leads_to_the_news_and_says_how_many_hold(node: FakeNode) -> None:
    with kiosk_web(node) as web:
        assert "mededeling" not in words(web.get("/nl/"))
        mark = web.get("/nl/stand").text
        node.status["news_count"] = 2
        page = web.get("/nl/")
        assert "Nieuws 2 mededelingen" in words(page)
        assert 'href="/nl/nieuws"' in page.text
        assert web.get("/nl/stand").text != mark, "the screen sees that there is news"


def test_the_page_sees_news_come(node: FakeNode) -> None:
    with kiosk_web(node) as web:
        mark = web.get("/nl/nieuws/stand").text
        assert f'data-mark="{mark}"' in web.get("/nl/nieuws").text
        node.news = [news_row()]
        assert web.get("/nl/nieuws/stand").text != mark


# --- the readable fall-back ------------------------------------------------------------------------------------------


def test_the_ticket_says_that_handhelds_were_asked_and_that_one_replied(node: FakeNode) -> None:
    def page(**fields: object) -> str:
        node.tickets["47-1"] = ticket_body("47-1", "ON_ITS_WAY", life_threat=True, **fields)
        return words(web.get(f"/nl/t/47-1/{SECRET}"))

    with kiosk_web(node) as web:
        assert "portofoon" not in page()
        assert "mensen met een portofoon om hulp gevraagd, 4 minuten geleden" in page(fallback_age_s=250)
        replied = page(fallback_age_s=250, handheld_age_s=70)
        assert "Iemand met een portofoon heeft geantwoord, 1 minuut geleden. Wij weten niet wie." in replied
        assert "Wij versturen uw bericht." in replied, "it changes no state"
        node.tickets["47-1"] = ticket_body("47-1", "RECEIVED", fallback_age_s=250, handheld_age_s=70)
        assert "portofoon" not in words(web.get(f"/nl/t/47-1/{SECRET}"))
