"""The information pages on the citizen's screen: what is shown, to whom, and how honestly it is marked."""

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient

import steunpunt_ui
from steunpunt.control import Client
from steunpunt_ui.app import create_app
from steunpunt_ui.content.front import ICONS
from steunpunt_ui.languages import LANGUAGES
from tests.fakes.fake_node import FakeNode
from tests.fakes.ui_citizen import words
from tests.fakes.ui_sites import kiosk_config
from tests.unit.test_content_shelf import APPROVED, write

CONTENT = Path(__file__).parents[2] / "config" / "content"
FIRST_VIEW_BYTES_MAX = 14 * 1024
NOT_APPROVED = "Niet goedgekeurd. Geen instantie heeft deze tekst gecontroleerd."
PNG = b"\x89PNG\r\n\x1a\n"


@contextmanager
def point(node: FakeNode, content: Path | None = None, *, demo: bool = False) -> Iterator[FlaskClient]:
    """A kiosk with its own folder of pages."""
    config = kiosk_config(node.path)
    kiosk = msgspec.structs.replace(config.kiosk, content=content and str(content), demo=demo)
    client = Client(node.path, timeout_s=5)
    yield create_app(msgspec.structs.replace(config, kiosk=kiosk), client).test_client()
    client.close()


@pytest.fixture(name="demo")
def fixture_demo(node: FakeNode) -> Iterator[FlaskClient]:
    """The pages that come along, where nobody asks for real help."""
    with point(node, demo=True) as web:
        yield web


def slugs(web: FlaskClient, language: str = "nl") -> list[str]:
    return re.findall(rf'href="/{language}/info/([a-z0-9-]+)"', web.get(f"/{language}/info").text)


# --- the rule -----------------------------------------------------------------------------------------------------


def test_an_open_point_shows_nothing_that_nobody_approved(node: FakeNode) -> None:
    with point(node) as web:
        assert slugs(web) == []
        assert "Hier is nog niets te lezen. Vraag het een medewerker." in words(web.get("/nl/info"))
        page = web.get("/nl/info/eerste-hulp")
        assert page.status_code == 404
        assert "Deze pagina is nog niet goedgekeurd." in words(page)
        assert "reanimeren" not in page.text
        assert "Deze pagina bestaat niet." in words(web.get("/nl/info/taart"))


def test_in_an_exercise_they_are_shown_and_marked_and_gone_after_it(node: FakeNode) -> None:
    with point(node) as web:
        node.status["point_state"] = "EXERCISE"
        assert len(slugs(web)) == 12
        assert NOT_APPROVED in words(web.get("/nl/info"))
        assert NOT_APPROVED in words(web.get("/nl/info/eerste-hulp"))
        for state in ("OPEN", "CLOSED"):
            node.status["point_state"] = state
            assert slugs(web) == []


def test_without_a_node_nobody_knows_of_an_exercise(node: FakeNode) -> None:
    node.status["point_state"] = "EXERCISE"
    with point(node) as web:
        node.close()
        assert slugs(web) == []


def test_an_approved_page_says_who_answers_for_it_and_when_it_is_old(node: FakeNode, tmp_path: Path) -> None:
    folder = tmp_path / "content"
    write(folder, "nl/water", **APPROVED)
    write(folder, "nl/eten", approved_by="GGD", approved_on="2020-02-29", language_reviewed="2020-02-29")
    write(folder, "nl/radio")
    with point(node, folder) as web:
        assert slugs(web) == ["eten", "water"]
        page = words(web.get("/nl/info/water"))
        assert "Goedgekeurd door GGD op 31 maart 2026." in page
        assert "Niet goedgekeurd." not in page
        old = words(web.get("/nl/info/eten"))
        assert "Deze tekst kan oud zijn. Al meer dan een jaar heeft niemand hem gecontroleerd." in old


def test_another_language_is_told_as_such_and_read_as_such(node: FakeNode, tmp_path: Path) -> None:
    folder = tmp_path / "content"
    write(folder, "nl/water", **APPROVED)
    write(folder, "en/water")
    with point(node, folder) as web:
        page = web.get("/en/info/water")
        assert "Only in Dutch." in words(page)
        assert '<article class="info" lang="nl" dir="ltr">' in page.text
        assert 'lang="nl" dir="ltr">nl/water' in web.get("/en/info").text
        assert "Alleen in het" not in words(web.get("/nl/info/water"))
        node.status["point_state"] = "EXERCISE"
        assert "Only in" not in words(web.get("/en/info/water"))


# --- the pages that come along ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_opens_leads_somewhere_and_fits_the_first_flight(demo: FlaskClient, language: str) -> None:
    static = Path(steunpunt_ui.__file__).parent / "static"
    sheets = sum(len(gzip.compress((static / name).read_bytes())) for name in ("citizen.css", "info.css"))
    paths = [f"/{language}/info", *(f"/{language}/info/{slug}" for slug in slugs(demo, language))]
    assert len(paths) == 13
    for path in paths:
        page = demo.get(path)
        assert page.status_code == 200
        assert len(gzip.compress(page.data)) + sheets <= FIRST_VIEW_BYTES_MAX, path
        for link in re.findall(r"<article.*</article>", page.text, re.DOTALL):
            for target in re.findall(r'href="([^"#]+)"', link):
                assert demo.get(f"/{language}/info/{target}").status_code == 200, (path, target)
        for anchor in re.findall(r'href="#([^"]+)"', page.text):
            assert f'id="{anchor}"' in page.text


@pytest.mark.parametrize("language", ["nl", "en", "de", "fr"])
def test_pages_name_buttons_as_the_screens_do(demo: FlaskClient, language: str) -> None:
    home, kinds = (demo.get(f"/{language}/{path}").text for path in ("", "hulp"))
    for slug, screen in (("dit-punt", home), ("kinderen", kinds)):
        named = re.findall(
            r"(?:Druk op|Press|Drücken Sie auf|Touchez|Kies|Choose|Wählen Sie|Choisissez) "
            r"<strong>([^<]+)</strong>",
            demo.get(f"/{language}/info/{slug}").text,
        )
        assert len(named) == 1
        assert f"</svg>{named[0]}</a>" in screen


def test_a_reader_of_another_language_gets_english_and_is_told(demo: FlaskClient) -> None:
    page = demo.get("/ar/info/water")
    assert '<html lang="ar" dir="rtl" ' in page.text
    assert '<article class="info" lang="en" dir="ltr">' in page.text
    for code, name in (("nl", "Nederlands"), ("de", "Deutsch"), ("fr", "Français")):
        assert f'<a class="button" href="/{code}/info/water" lang="{code}" hreflang="{code}">{name}</a>' in page.text


def test_pages_name_this_point_and_its_blanks(demo: FlaskClient) -> None:
    page = demo.get("/nl/info/dit-punt")
    assert "U bent bij Buurthuis De Regenboog, Kerkplein 1, Maastricht." in words(page)
    assert '<span class="blank">…\u00a0dagen en tijden</span>' in page.text


def test_a_long_page_can_be_jumped_through(demo: FlaskClient) -> None:
    assert '<a href="#deel-2">Veel bloed</a>' in demo.get("/nl/info/eerste-hulp").text
    assert 'class="parts"' not in demo.get("/nl/info/radio").text


def test_every_picture_that_a_page_may_have_is_drawn(node: FakeNode, tmp_path: Path) -> None:
    folder = tmp_path / "content"
    for icon in ICONS:
        write(folder, f"nl/{icon}", icon=icon)
    with point(node, folder, demo=True) as web:
        drawn = re.findall(r'<svg class="icon"[^>]*>(.*?)</svg>', web.get("/nl/info").text)
        assert all("<path" in each or "<circle" in each for each in drawn)
        assert len(set(drawn)) >= len(ICONS)


def test_a_picture_of_a_page_is_sent_and_no_other_file(node: FakeNode, tmp_path: Path) -> None:
    folder = tmp_path / "content"
    write(folder, "nl/water", "![een volle emmer](../images/emmer.png)")
    (folder / "images").mkdir()
    (folder / "images" / "emmer.png").write_bytes(PNG)
    (folder / "secret.png").write_bytes(PNG)
    with point(node, folder, demo=True) as web:
        assert 'src="beeld/emmer.png"' in web.get("/nl/info/water").text
        with web.get("/nl/info/beeld/emmer.png") as reply:
            assert (reply.data, reply.mimetype) == (PNG, "image/png")
        for name in ("secret.png", "..%2Fsecret.png", "../secret.png", "..%2Fnl%2Fwater.md"):
            assert web.get(f"/nl/info/beeld/{name}").status_code in {404, 308}
        (folder / "images" / "emmer.png").unlink()
        assert web.get("/nl/info/beeld/emmer.png").status_code == 404


# --- the way there ------------------------------------------------------------------------------------------------


def test_the_first_page_leads_there_when_there_is_something_to_read(node: FakeNode) -> None:
    with point(node) as web:
        before = web.get("/nl/stand").text
        assert 'href="/nl/info"' not in web.get("/nl/").text
        node.status["point_state"] = "EXERCISE"
        assert web.get("/nl/stand").text != before
        assert 'href="/nl/info"' in web.get("/nl/").text
        assert "Informatie en eerste hulp" in words(web.get("/nl/"))
