"""What a municipality makes its own: day or night for all, a logo, and whose point it is."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient

from steunpunt.config import Config
from steunpunt.control import Client
from steunpunt_ui.app import create_app
from steunpunt_ui.logofile import LOGO_KIB_MAX, logo_problems
from steunpunt_ui.look import colours
from tests.fakes.fake_node import FakeNode
from tests.fakes.ui_sites import kiosk_config
from tests.unit.test_ui_look import themes

LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4"/></svg>'


def config_with(socket: Path, **changes: str) -> Config:
    config = kiosk_config(socket)
    return msgspec.structs.replace(config, screen=msgspec.structs.replace(config.screen, **changes))


@pytest.fixture(name="web_with")
def fixture_web_with(tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    with ExitStack() as stack:
        node = FakeNode(tmp_path / "node.sock")
        stack.callback(node.close)
        client = Client(node.path, timeout_s=5)
        stack.callback(client.close)
        yield lambda **changes: create_app(config_with(node.path, **changes), client).test_client()


WebWith = Callable[..., FlaskClient]


@pytest.mark.parametrize("theme", ["day", "night"])
def test_a_theme_of_the_config_holds_whatever_a_browser_asks_for(web_with: WebWith, theme: str) -> None:
    web = web_with(theme=theme)
    html = web.get("/nl/").text
    assert html.index("/static/citizen.css") < html.index("/thema"), "the later sheet wins"
    sheet = web.get("/thema")
    assert sheet.mimetype == "text/css"
    assert "@media" not in sheet.text
    wanted = themes("citizen.css")[theme]
    assert all(f"--{name}: {colour}" in sheet.text for name, colour in wanted.items())
    assert f"color-scheme: {'dark' if theme == 'night' else 'light'}" in colours(theme)


def test_left_to_the_reader_there_is_no_sheet_of_a_theme(web_with: WebWith) -> None:
    web = web_with()
    assert "thema.css" not in web.get("/nl/").text
    assert web.get("/thema").status_code == 404
    assert web.get("/logo").status_code == 404


def test_logo_and_owner_stand_before_and_below_the_name(web_with: WebWith, tmp_path: Path) -> None:
    path = tmp_path / "logo.svg"
    path.write_text(LOGO, "utf-8")
    web = web_with(logo=str(path), organisation="Gemeente <Maastricht>")
    html = web.get("/ar/hulp").text
    assert '<img src="/logo" alt="">' in html
    assert "<small>Gemeente &lt;Maastricht&gt;</small>" in html
    with web.get("/logo") as logo:
        assert (logo.mimetype, logo.get_data(as_text=True)) == ("image/svg+xml", LOGO)
        assert "default-src 'none'" in logo.headers["Content-Security-Policy"], "what is in a picture runs nothing"


def test_a_logo_that_is_gone_or_too_large_is_told(tmp_path: Path) -> None:
    large = tmp_path / "logo.png"
    large.write_bytes(b"x" * (LOGO_KIB_MAX * 1024 + 1024))
    socket = tmp_path / "node.sock"
    assert "make it at most 20" in "".join(logo_problems(config_with(socket, logo=str(large))))
    assert "cannot be read" in "".join(logo_problems(config_with(socket, logo=str(tmp_path / "geen.png"))))
    assert list(logo_problems(config_with(socket))) == []
