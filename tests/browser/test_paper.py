"""A request on paper in a real browser: the ticket as a person sees it or prints it, its picture, and the desk."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from steunpunt.config import Config
from steunpunt.control import Client
from steunpunt_ui.app import create_app
from tests.fakes.paper_sites import NAME, PASSWORD, PaperSites, paper_sites
from tests.fakes.sites import noise

WORDS = 'Mijn buurvrouw is gevallen, ze zegt "au" & beweegt niet <b>ééns</b>'
LONG = noise(200)


@pytest.fixture(name="sites")
def fixture_sites(tmp_path: Path) -> Iterator[PaperSites]:
    with paper_sites(tmp_path) as sites:
        yield sites


@contextmanager
def web(site: Config) -> Iterator[str]:
    with ExitStack() as stack:
        client = Client(site.control.socket)
        server = make_server("127.0.0.1", 0, create_app(site, client))
        stack.callback(server.server_close)

        def serve() -> None:
            with closing(client):  # of this thread
                server.serve_forever()

        thread = threading.Thread(target=serve)
        thread.start()
        stack.callback(thread.join, 20)
        stack.callback(server.shutdown)
        yield f"http://127.0.0.1:{server.server_port}"


def ticket_page(browser: Browser, kiosk: str, words: str) -> Page:
    """Ask for help on the kiosk's screen, without JavaScript; gives the ticket's page."""
    page = browser.new_context(java_script_enabled=False, viewport={"width": 1024, "height": 600}).new_page()
    page.goto(f"{kiosk}/nl/hulp/medisch")
    page.locator("button[value='go:where']").click()
    page.locator("button[value='where:hier']").click()
    for _ in range(2):
        page.locator("button[value=next]:not(.hidden)").click()
    page.locator("textarea[name=text]").fill(words)
    page.locator("button[value=check]").click()
    page.locator("button[value=no]").click()
    expect(page.locator("body")).to_contain_text("Uw vraag op papier")
    return page


def paper_page(browser: Browser, desk: str, *, script: bool = False) -> Page:
    page = browser.new_context(java_script_enabled=script, viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{desk}/desk/")
    page.locator("input[name=name]").fill(NAME)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form button").first.click()
    page.get_by_role("link", name="Papier").click()
    return page


@pytest.mark.browser
@pytest.mark.parametrize("words", [WORDS, LONG])
@pytest.mark.parametrize("printed", [False, True])
def test_a_picture_of_the_ticket_becomes_a_case_with_the_same_words(
    sites: PaperSites, browser: Browser, tmp_path: Path, words: str, *, printed: bool
) -> None:
    with web(sites.kiosk) as kiosk, web(sites.center) as desk:
        ticket = ticket_page(browser, kiosk, words)
        if printed:
            ticket.set_viewport_size({"width": 420, "height": 600})  # A5 at 72 dots an inch: a poor print
            ticket.emulate_media(media="print")
        picture = tmp_path / "ticket.png"
        ticket.screenshot(path=picture, full_page=True)
        paper = paper_page(browser, desk)
        paper.locator("input[type=file]").set_input_files(picture)
        paper.get_by_role("button", name="Inlezen").click()
        expect(paper.locator("body")).to_contain_text("47-1 is nu hier.")
        paper.get_by_role("link", name="47-1").click()
        expect(paper.locator("body")).to_contain_text(words)
        expect(paper.locator("body")).to_contain_text("Kwam op papier binnen")


@pytest.mark.browser
def test_a_scanner_types_code_after_code_into_the_field(sites: PaperSites, browser: Browser) -> None:
    with web(sites.center) as desk:
        paper = paper_page(browser, desk)
        for code in sites.codes(LONG):
            paper.keyboard.type(code)  # the field has the cursor when the page opens
            paper.keyboard.press("Enter")
        paper.get_by_role("button", name="Inlezen").click()
        expect(paper.locator("body")).to_contain_text("47-1 is nu hier.")
    assert [case.text for case in sites.desk().cases()] == [LONG]
