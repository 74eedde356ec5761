"""The whole road in a real browser: kiosk page, node, radio or broker, coordinator, desk, and back. JavaScript off."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from steunpunt.config import load
from steunpunt.demo.region import COORDINATOR, DESK_NAME, DESK_PASSWORD, Region
from steunpunt.ledger.desk import Desk

WORDS = 'Mijn buurvrouw is gevallen, ze zegt "au" & beweegt niet <b>ééns</b>'
ANSWER = "Blijf bij haar en houd haar warm. De wijkverpleegkundige komt eraan."
ROAD_MS_MAX = 90_000


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    region = Region(tmp_path / "region", speed=10, cancel_s=0)
    region.prepare()
    try:
        region.start()
        yield region
    finally:
        region.stop()


@pytest.fixture
def pages() -> Iterator[tuple[Page, Page]]:
    """Give a citizen's and a coordinator's page, without JavaScript."""
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        contexts = [
            browser.new_context(java_script_enabled=False, viewport={"width": width, "height": 600})
            for width in (1024, 1280)
        ]
        citizen, coordinator = (context.new_page() for context in contexts)
        yield citizen, coordinator
        browser.close()


def ask(page: Page, url: str, words: str) -> str:
    """Ask for medical help with a few words; returns the ticket's number."""
    page.goto(url)
    page.get_by_role("link", name="Hulp vragen").click()
    page.get_by_role("link", name="Medische hulp").click()
    page.get_by_role("button", name="Nee \N{EN DASH} eerst meer vertellen").click()
    page.get_by_role("button", name="Hier, bij").click()
    page.get_by_role("button", name="2", exact=True).click()
    page.get_by_role("button", name="Volgende", exact=True).last.click()
    page.locator("textarea[name=text]").fill(words)
    page.get_by_role("button", name="Controleren en versturen").click()
    page.get_by_role("button", name="Verstuur nu", exact=True).click()
    found = re.search(r"/t/(47-\d+)/", page.url)
    assert found, page.url
    return found[1]


def log_in(page: Page, url: str) -> None:
    page.goto(url)
    page.locator("input[name=name]").fill(DESK_NAME)
    page.locator("input[name=password]").fill(DESK_PASSWORD)
    page.locator("form button").first.click()


@pytest.mark.browser
@pytest.mark.parametrize("internet", [True, False])
def test_citizen_asks_and_reads_the_answer(region: Region, pages: tuple[Page, Page], *, internet: bool) -> None:
    citizen, coordinator = pages
    kiosk, desk = region.sites["kiosk-a"], region.sites[COORDINATOR]
    if not internet:
        region.cut_internet("kiosk-a")
    number = ask(citizen, kiosk.url, WORDS)
    expect(citizen.locator("body")).to_contain_text(number)
    shows(citizen, "Aangekomen, nog niet gelezen.")
    log_in(coordinator, desk.url)
    coordinator.locator("a[href*='/melding/']").first.click()
    expect(coordinator.locator("body")).to_contain_text(WORDS)
    citizen.reload()
    expect(citizen.locator("body")).to_contain_text("Aangekomen, nog niet gelezen.")  # opening is not "seen"
    coordinator.get_by_role("button", name="Ik pak dit op").click()
    shows(citizen, "Een medewerker pakt dit op.")
    coordinator.locator("textarea[name=text]").first.fill(ANSWER)
    coordinator.get_by_role("button", name=re.compile("ntwoord")).first.click()
    shows(citizen, "Er is antwoord.")
    expect(citizen.locator("body")).to_contain_text(ANSWER)
    assert len(Desk.open(load(desk.config)).cases()) == 1


def shows(page: Page, words: str) -> None:
    """Wait until the page, which renews itself, shows these words."""
    expect(page.locator("body")).to_contain_text(words, timeout=ROAD_MS_MAX)
