"""Reading aloud on the pages: a control that works without a script, and what is never said."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient

from steunpunt.control import Client
from steunpunt_ui.app import create_app
from steunpunt_ui.speech.sentences import mark_of
from steunpunt_ui.speech.texts import texts_of
from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.ui_citizen import TICKET
from tests.fakes.ui_sites import kiosk_config

CONTROL = re.compile(r'<audio controls[^>]* src="(/\w\w/stem/[0-9a-f]+)"')


@pytest.fixture(name="node")
def fixture_node(node: FakeNode) -> FakeNode:
    node.tickets["47-1"] = ticket_body("47-1", "KEPT")
    return node


@pytest.fixture(name="web")
def fixture_web(node: FakeNode, tmp_path: Path) -> Iterator[FlaskClient]:
    """The example kiosk, with a sound for every Dutch sentence: its own words, to be seen in a reading."""
    client, config = Client(node.path, timeout_s=5), kiosk_config(node.path)
    screen = msgspec.structs.replace(config.screen, audio=str(tmp_path / "audio"))
    config = msgspec.structs.replace(config, screen=screen)
    folder = tmp_path / "audio" / "nl"
    folder.mkdir(parents=True)
    for text in texts_of(config, "nl"):
        (folder / f"{mark_of(text)}.mp3").write_bytes(f"{text}|".encode())
    yield create_app(config, client).test_client()
    client.close()


def read_aloud(web: FlaskClient, path: str) -> list[str]:
    control = CONTROL.search(web.get(path).text)
    return web.get(control[1]).text.split("|") if control else []


def test_a_page_is_read_from_its_title_to_its_tiles(web: FlaskClient) -> None:
    said = read_aloud(web, "/nl/hulp")
    for words in ("Waarvoor heeft u hulp nodig?", "Medische hulp", "Brand", "Politie"):
        assert words in said
    assert said.index("Medische hulp") < said.index("Brand")


def test_what_is_down_is_read_too(web: FlaskClient, node: FakeNode) -> None:
    node.status["can_keep"] = False
    assert "Dit apparaat kan nu geen vragen bewaren." in read_aloud(web, "/nl/")


def test_of_a_ticket_neither_number_nor_code_is_read_and_it_says_that_there_is_more(web: FlaskClient) -> None:
    said = read_aloud(web, TICKET)
    assert "Nog niet verstuurd." in said
    assert said[-2] == "Er staat meer op dit scherm dan is voorgelezen."
    assert not {"47-1", "7KQ4-M2XD"} & set(said)


def test_a_language_without_sounds_offers_nothing(web: FlaskClient) -> None:
    assert "<audio" not in web.get("/ar/hulp").text


def test_the_question_who_is_there_is_silent_where_the_police_is_asked(web: FlaskClient) -> None:
    assert '<audio id="voice"' in web.get("/nl/hulp/medisch").text
    assert '<audio id="voice"' not in web.get("/nl/hulp/politie").text
    assert "autoplay" not in web.get("/nl/hulp/politie").text


def test_a_browser_may_ask_for_a_part_and_for_nothing_else(web: FlaskClient) -> None:
    control = CONTROL.search(web.get("/nl/hulp").text)
    assert control
    part = web.get(control[1], headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.mimetype, len(part.data)) == (206, "audio/mpeg", 4)
    for path in ("/nl/stem/00000000", "/nl/stem/..", "/xx/stem/00000000", "/nl/stem/%2e%2e%2fx"):
        assert web.get(path).status_code == 404, path
    assert "media-src 'self'" in part.headers["Content-Security-Policy"]
