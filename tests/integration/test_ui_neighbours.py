"""Neighbours help neighbours: offers to the desk over a real node, and the point's own board."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from steunpunt.model import Skill
from steunpunt_ui.app import create_app
from steunpunt_ui.languages import LANGUAGES
from steunpunt_ui.manners import OFFERS
from tests.fakes.staff_sites import StaffSite, hidden, post, staff_site
from tests.fakes.ui_citizen import words

NOTE = {"kind": "LIFT", "text": "Naar Heer, <b>2</b> plaatsen, ik zit bij de ingang"}


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> Iterator[StaffSite]:
    with staff_site(tmp_path) as site:
        yield site


def test_an_offer_is_kept_and_shows_its_number_and_code(site: StaffSite) -> None:
    web = site.phone()
    form = hidden(web.get("/nl/buren/helpen"))
    said = {"skill": "TRANSPORT", "hours": "4", "callback": "bij de ingang", "text": "bus"}
    done = post(web, "/nl/buren/helpen", **form, **said)
    number, secret = done.headers["Location"].split("/")[-2:]
    page = words(web.get(done.headers["Location"]))
    assert f"Uw nummer {number} Uw code {secret}" in page
    assert "Wij weten nog niet of het daar is aangekomen." in page
    assert site.ask("ticket", number=number, secret=secret)["state"] == "KEPT"
    assert post(web, "/nl/buren/helpen", **form, **said).headers["Location"] == done.headers["Location"]
    assert site.ask("status")["queue"] == 1


def test_a_phone_that_floods_with_offers_is_stopped(site: StaffSite) -> None:
    web = site.phone()
    said = {"skill": "FOOD", "text": "soep"}
    sent = [
        post(web, "/nl/buren/helpen", **hidden(web.get("/nl/buren/helpen")), **said) for _ in range(OFFERS.most + 1)
    ]
    assert [reply.status_code for reply in sent] == [303] * OFFERS.most + [429]
    assert "soep</textarea>" in sent[-1].text
    assert site.ask("status")["queue"] == OFFERS.most


def test_all_that_is_wrong_with_an_offer_is_told_at_once_and_stays(site: StaffSite) -> None:
    web = site.phone()
    form = hidden(web.get("/nl/buren/helpen"))
    page = post(web, "/nl/buren/helpen", **form, callback="x" * 40, text="y" * 2_001, hours="99")
    assert page.status_code == 400
    assert "Kies waarmee u kunt helpen." in words(page)
    assert words(page).count("Te lang:") == 2
    assert "y" * 2_001 in page.text
    old = post(web, "/nl/buren/helpen", token="oud", skill="FOOD", text="soep")
    assert old.status_code == 503
    assert "soep</textarea>" in old.text
    assert post(web, "/nl/buren/helpen", **hidden(old), skill="FOOD", text="soep").status_code == 303


def test_a_note_is_seen_by_nobody_before_staff_put_it_on_the_board(site: StaffSite) -> None:
    web, staff = site.phone(), site.staff()
    assert "De medewerkers kijken naar uw briefje." in words(post(web, "/nl/buren/prikbord", **NOTE))
    assert "Naar Heer" not in web.get("/nl/buren").text
    assert "na te kijken: 1" in words(staff.get("/staf/"))
    assert post(web, "/staf/buren", note="1", do="show").status_code == 404
    post(staff, "/staf/buren", note="1", do="show")
    board = web.get("/ar/buren")
    assert "Naar Heer, &lt;b&gt;2&lt;/b&gt; plaatsen" in board.text
    assert '<p lang="nl" dir="auto">' in board.text
    post(staff, "/staf/buren", note="1", do="remove")
    assert "Er hangt niets op het bord." in words(web.get("/nl/buren"))


def test_nothing_of_the_board_is_on_the_disk(site: StaffSite, tmp_path: Path) -> None:
    post(site.phone(), "/nl/buren/prikbord", **NOTE)
    post(site.staff(), "/staf/buren", note="1", do="show")
    assert "Naar Heer" in site.phone().get("/nl/buren").text
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"Naar Heer" in path.read_bytes()] == []


def test_an_empty_or_long_note_keeps_its_words(site: StaffSite) -> None:
    web = site.phone()
    assert post(web, "/nl/buren/prikbord", text="deken").status_code == 400
    page = post(web, "/nl/buren/prikbord", kind="HAVE", text="z" * 161)
    assert (page.status_code, "z" * 161 in page.text) == (400, True)


def test_a_closed_point_takes_no_offers_and_no_notes(site: StaffSite) -> None:
    web = site.phone()
    post(site.staff(), "/staf/punt", state="CLOSED", do="set")
    assert "Dit steunpunt is gesloten." in words(web.get("/nl/buren/helpen"))
    assert web.get("/nl/buren/prikbord").headers["Location"] == "/nl/buren"
    assert "/buren/helpen" not in web.get("/nl/buren").text


def test_where_nobody_looks_after_a_board_there_is_none(site: StaffSite) -> None:
    web = create_app(msgspec.structs.replace(site.config, staff=None), site.client).test_client()
    page = web.get("/nl/buren")
    assert "prikbord" not in page.text
    assert "/nl/buren/helpen" in page.text
    assert web.get("/nl/buren/prikbord").headers["Location"] == "/nl/buren"
    assert web.get("/staf/").status_code == 404
    assert "prikbord" not in web.get("/nl/info").text
    assert "Ik kan helpen: vertel het aan" in words(web.get("/nl/info"))
    assert 'href="/nl/buren"' in web.get("/nl/nieuws").text
    post(site.staff(), "/staf/punt", state="CLOSED", do="set")
    for path in ("/nl/info", "/nl/nieuws"):
        assert "/nl/buren" not in web.get(path).text, path  # neither a board nor offers: nothing to go to


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_way_there_is_on_the_pages_of_news_in_each_language(site: StaffSite, language: str) -> None:
    assert f'href="/{language}/buren"' in site.phone().get(f"/{language}/nieuws").text
    assert site.phone().get(f"/{language}/buren/helpen").text.count('name="skill"') == len(Skill)
