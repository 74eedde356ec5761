"""What goes on stands on top of every page: what, what to do, by whom and how old; nothing where nothing holds."""

import pytest
from flask.testing import FlaskClient

from steunpunt.protocol.answerbody import pack_phrases
from steunpunt.protocol.phrases import Phrase
from tests.fakes.fake_node import SECRET, FakeNode, news_row, ticket_body
from tests.fakes.ui_citizen import TICKET, ask, words

LEAK = "Gaslek in de Kerkstraat Ga naar buiten. Van: de officier van dienst. Gezegd: 10 minuten geleden."
PAGES = ["/nl/", "/nl/taal", "/nl/hulp", "/nl/hulp/brand", "/nl/volgen", "/nl/bord", "/nl/info", "/nl/buren"]
PAGES += ["/nl/buren/helpen", "/nl/t/47-1", TICKET, f"{TICKET}/nu", f"{TICKET}/meer", f"{TICKET}/erger", "/nl/nergens"]
PAGES += [f"/nl/buren/bewaard/47-1/{SECRET}", "/nl/t/47-99"]
POLLS = [("/nl/", "/nl/stand"), (TICKET, "/nl/t/47-1/stand"), ("/nl/bord", "/nl/bord/stand")]


@pytest.fixture(name="node")
def fixture_node(node: FakeNode) -> FakeNode:
    node.tickets["47-1"] = ticket_body("47-1")
    tell(node, news_row(headline="Gaslek in de Kerkstraat", text="Ga naar buiten.", severity="SEVERE"))
    return node


def tell(node: FakeNode, *rows: dict[str, object]) -> None:
    node.news, node.status["news_count"] = list(rows), len(rows)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_it(web: FlaskClient, node: FakeNode, path: str) -> None:
    assert words(web.get(path)).count(LEAK) == 1
    tell(node)
    assert "Gaslek" not in words(web.get(path))


def test_the_page_of_news_and_the_form_on_paper_do_without(web: FlaskClient) -> None:
    assert words(web.get("/nl/nieuws")).count("Gaslek") == 1
    assert "Gaslek" not in words(web.get("/nl/formulier"))


def test_whose_life_is_in_danger_reads_first_what_to_do_for_it(web: FlaskClient, node: FakeNode) -> None:
    node.tickets["47-1"] = ticket_body("47-1", life_threat=True)
    page = words(web.get(f"{TICKET}/nu"))
    assert page.index("Blijf bij de persoon") < page.index("Ruikt u gas?") < page.index("Gaslek in de Kerkstraat")


def test_the_gravest_that_is_sure_comes_first_and_what_no_longer_holds_never(web: FlaskClient, node: FakeNode) -> None:
    tell(
        node,
        news_row(headline="Soep", severity="MINOR"),
        news_row(headline="Storm", severity="EXTREME", standing="unconfirmed"),
        news_row(headline="Water", severity="MODERATE"),
        news_row(headline="Bel 0800", severity="EXTREME", standing="expired"),
        news_row(headline="Dijk", severity="EXTREME", type="CANCEL"),
    )
    shown = words(web.get("/nl/volgen"))
    assert [said for said in ("Soep", "Storm", "Water", "Bel 0800", "Dijk") if said in shown] == ["Water"]
    tell(node, news_row(headline="Dijk", type="CANCEL"), news_row(headline="Oud", standing="expired"))
    assert "Van: de officier" not in words(web.get("/nl/volgen"))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"standing": "unconfirmed"}, "Gaslek Niet bevestigd. Wij weten nog niet of dit nog geldt"),
        ({"standing": "stale"}, "Gaslek Dit klopte. Wij hebben al lang niet gehoord of het nog geldt."),
        ({"mark": "EXERCISE"}, "OEFENING. Dit is niet echt. Gaslek"),
        ({"headline": "<b>Gas</b>"}, "&lt;b&gt;Gas&lt;/b&gt;"),
        ({"phrases": pack_phrases((Phrase(53),), "").hex()}, "Gaslek Ruikt u gas?"),
    ],
)
def test_what_the_reader_must_know_before_believing_it_is_said(
    web: FlaskClient, node: FakeNode, fields: dict[str, object], says: str
) -> None:
    tell(node, news_row(**fields))
    assert says in words(web.get("/nl/volgen"))


@pytest.mark.parametrize(
    ("path", "whole"), [("/nl/hulp/spullen", True), (f"{TICKET}/vraag", True), ("/nl/hulp/brand", False)]
)
def test_who_asks_for_water_or_how_long_reads_all_of_it(web: FlaskClient, path: str, *, whole: bool) -> None:
    """Perhaps it answers the question already, and nobody at the station needs to."""
    page = web.get(path).text
    assert 'class="note going' in page
    assert ('class="note going whole"' in page) is whole


@pytest.mark.parametrize(("path", "poll"), POLLS)
def test_an_open_page_sees_it_come_and_go_and_does_not_load_anew_for_its_age(
    web: FlaskClient, node: FakeNode, path: str, poll: str
) -> None:
    mark = web.get(poll).text
    assert f'data-mark="{mark}"' in web.get(path).text
    node.news[0]["age_s"] = 900
    assert web.get(poll).text == mark
    node.news[0]["text"] = "Blijf binnen."
    assert web.get(poll).text != mark


def test_a_node_that_says_no_news_stops_no_form(web: FlaskClient, node: FakeNode) -> None:
    node.news = []
    assert ask(web, "yes").status_code == 303
