"""The desk's login ends while somebody types: the words stay, and the header has room for every name."""

import threading
from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from steunpunt.control import Client
from steunpunt_ui.app import create_app
from steunpunt_ui.desk.passwords import set_password
from tests.fakes.memory_desk import CASE, MemoryDesk
from tests.fakes.ui_sites import coordinator_config

NAME, PASSWORD, WORDS = "Officier van dienst", "brandweer-47", "Er komt een auto"
LINE_PX = 60
"""More than one line of the header, with its buttons, and less than two."""


def log_in(page: Page) -> None:
    page.locator("input[name=name]").fill(NAME)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form.login button").click()


def header_fits(page: Page, width: int) -> bool:
    """Whether the links stand beside each other on a wide screen, and nothing is cut off or sticks out."""
    page.set_viewport_size({"width": width, "height": 740})
    name, ways = page.locator(".top .name").bounding_box(), page.locator(".ways").bounding_box()
    assert name is not None
    assert ways is not None
    cut = page.evaluate("[...document.querySelectorAll('.top .name, .who')].some(x => x.scrollWidth > x.clientWidth)")
    out = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return not cut and not out and ways["height"] < (LINE_PX if width > LINE_PX * 12 else LINE_PX * 4)


def test_what_is_typed_outlives_the_login(browser: Browser, tmp_path: Path) -> None:
    set_password(tmp_path / "desk.passwords", NAME, PASSWORD)
    desk = MemoryDesk(CASE)
    desk.take_up(CASE.id, NAME, token="taken")
    config = coordinator_config(tmp_path / "no-node.sock", tmp_path / "desk.passwords")
    server = make_server("127.0.0.1", 0, create_app(config, Client(tmp_path / "no-node.sock"), desk))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/desk/")
        log_in(page)
        page.goto(f"http://127.0.0.1:{server.server_port}/desk/melding/{CASE.id}")
        assert [width for width in (360, 1024, 1280) if not header_fits(page, width)] == []
        page.locator("textarea[name=text]").fill(WORDS)
        page.context.clear_cookies()
        expect(page.locator("#out")).to_be_visible(timeout=20_000)
        expect(page.locator("textarea[name=text]")).to_have_value(WORDS)
        page.get_by_role("button", name="Verstuur het antwoord").click()
        log_in(page)
        expect(page.locator("textarea[name=typed]")).to_have_value(WORDS)
        page.get_by_role("link", name="Ga verder waar u was").click()
        page.context.clear_cookies()  # nothing typed now: what was asked for is hidden
        page.wait_for_url("**/desk/login", timeout=20_000)
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()
