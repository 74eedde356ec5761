"""The point's own screen in a real browser: asks who is there, goes home, and leaves nothing for who comes next."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.ui_citizen import TICKET, kiosk_server
from tests.fakes.ui_sites import kiosk_config

KIOSK = {"width": 1024, "height": 600}
PERSONAL = [f"{TICKET}/nu", f"{TICKET}/meer"]
PERSONAL += ["/ar/hulp/medisch", "/ar/volgen", "/ar/t/47-1", TICKET.replace("/nl/", "/ar/"), f"{TICKET}/erger"]
TYPED = "zij valt weg"


@pytest.fixture(name="node")
def fixture_node(node: FakeNode) -> FakeNode:
    node.tickets["47-1"] = ticket_body("47-1")
    return node


@pytest.fixture(name="kiosk")
def fixture_kiosk(node: FakeNode) -> Iterator[str]:
    with kiosk_server(kiosk_config(node.path)) as address:
        yield address


@pytest.fixture(name="page")
def fixture_page(browser: Browser) -> Iterator[Page]:
    """A page whose clock the test walks."""
    context = browser.new_context(viewport={"width": 1024, "height": 600})
    page = context.new_page()
    page.clock.install()
    yield page
    context.close()


def test_it_asks_after_a_minute_and_is_home_in_dutch_after_two(page: Page, kiosk: str) -> None:
    page.goto(f"{kiosk}/ar/volgen")
    page.clock.run_for(58_000)
    expect(page.locator("#idle")).to_be_hidden()
    page.clock.run_for(3_000)
    expect(page.locator("#idle")).to_be_visible()
    box = page.locator("#idle button").bounding_box()
    assert box is not None
    assert box["height"] >= 168
    assert box["y"] + box["height"] <= KIOSK["height"]
    page.clock.run_for(56_000)
    expect(page).to_have_url(f"{kiosk}/ar/volgen")
    page.clock.run_for(5_000)
    expect(page).to_have_url(f"{kiosk}/nl/")
    expect(page.locator("#idle")).to_be_hidden()
    page.clock.run_for(200_000)
    expect(page.locator("#idle")).to_be_hidden()


def test_one_tap_stays_and_what_was_typed_with_it(page: Page, kiosk: str) -> None:
    page.goto(f"{kiosk}{TICKET}/vraag")
    page.locator("textarea").fill(TYPED)
    page.clock.run_for(62_000)
    page.locator("#idle button").click()
    expect(page.locator("#idle")).to_be_hidden()
    page.clock.run_for(58_000)
    expect(page.locator("#idle")).to_be_hidden()
    expect(page.locator("textarea")).to_have_value(TYPED)
    page.locator("textarea").press("End")
    page.clock.run_for(58_000)
    expect(page.locator("#idle")).to_be_hidden()
    expect(page).to_have_url(f"{kiosk}{TICKET}/vraag")


def test_a_ticket_that_changes_by_itself_is_no_touch_and_is_not_lost(page: Page, kiosk: str, node: FakeNode) -> None:
    page.goto(f"{kiosk}{TICKET}")
    page.clock.run_for(40_000)
    node.tickets["47-1"] = ticket_body("47-1", "RECEIVED")
    with page.expect_navigation():
        page.clock.run_for(6_000)
    expect(page.locator("main")).to_contain_text("Aangekomen")
    page.clock.run_for(16_000)
    expect(page.locator("#idle")).to_be_visible()
    page.clock.run_for(80_000)  # from the reload on it is less than the 120 s that a touch would give
    expect(page).to_have_url(f"{kiosk}/nl/")
    page.goto(f"{kiosk}/nl/volgen")
    page.locator("#number").fill("47-1")
    page.locator("#secret").fill("7kq4 m2xd")
    page.get_by_role("button", name="Laat zien").click()
    expect(page.locator("main")).to_contain_text("Aangekomen")


def test_while_the_pages_are_away_the_screen_is_cleared_and_goes_home_when_they_are_back(
    page: Page, kiosk: str
) -> None:
    page.goto(f"{kiosk}{TICKET}/erger")
    page.locator("textarea").fill(TYPED)
    page.route(f"{kiosk}/nl/", lambda route: route.abort())
    page.clock.run_for(125_000)
    expect(page).to_have_url(f"{kiosk}{TICKET}/erger")
    expect(page.locator("body")).to_contain_text("Dit scherm wordt niet meer bijgewerkt.")
    assert "Bel 112" in page.inner_text("body")
    assert page.locator("textarea, #idle, a, button").count() == 0
    page.unroute(f"{kiosk}/nl/")
    page.clock.run_for(2_000)
    expect(page).to_have_url(f"{kiosk}/nl/")


@pytest.mark.parametrize("last", ["form", "ticket"])
def test_going_back_shows_nothing_that_another_one_left(browser: Browser, kiosk: str, last: str) -> None:
    page = browser.new_context(viewport={"width": 1024, "height": 600}).new_page()
    page.goto(f"{kiosk}/nl/")
    page.goto(f"{kiosk}/nl/hulp/medisch")
    page.locator("button[value='go:where']").click()
    page.locator("button[value='where:hier']").click()
    for _ in range(2):
        page.locator("button[value=next]:not(.hidden)").click()
    page.locator("textarea").fill(TYPED)
    page.locator("button[value=check]").click()
    expect(page.locator("main")).to_contain_text(TYPED)
    if last == "ticket":
        page.locator("button[value=no]").click()
        expect(page.locator("main")).to_contain_text("7KQ4-M2XD")
    page.get_by_role("link", name="Klaar").click()
    expect(page).to_have_url(f"{kiosk}/nl/")
    for _ in range(3):
        page.go_back()
        expect(page).to_have_url(re.compile(rf"^(about:blank|{re.escape(kiosk)}/nl/)$"))
        expect(page.locator("body")).not_to_contain_text("7KQ4-M2XD")
        assert TYPED not in page.content()
        assert page.evaluate("[...document.querySelectorAll('textarea')].map((one) => one.value).join('')") == ""


@pytest.mark.parametrize("path", PERSONAL)
@pytest.mark.parametrize("script", [True, False])
def test_done_is_in_sight_on_every_personal_page(browser: Browser, kiosk: str, path: str, *, script: bool) -> None:
    page = browser.new_context(viewport={"width": 1024, "height": 600}, java_script_enabled=script).new_page()
    page.goto(f"{kiosk}{path}")
    box = page.locator("a.done").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= KIOSK["height"]
    assert min(box["width"], box["height"]) >= 168
    page.locator("a.done").click()
    expect(page).to_have_url(f"{kiosk}/nl/")


@pytest.mark.parametrize("path", PERSONAL)
def test_without_a_script_a_personal_page_goes_home_by_itself(browser: Browser, kiosk: str, path: str) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{kiosk}{path}")
    waited_s, address = 0, path
    while address != "/nl/":
        refresh = re.search(r'http-equiv="refresh" content="(\d+);url=([^"]+)"', page.content())
        assert refresh is not None
        waited_s, address = waited_s + int(refresh[1]), refresh[2]
        assert waited_s <= 120
        page.goto(f"{kiosk}{address}")
    assert waited_s == 120


def test_a_tickets_number_is_whole_and_its_card_stays_between_the_rails(
    browser: Browser, kiosk: str, node: FakeNode
) -> None:
    page = browser.new_context(viewport={"width": 1024, "height": 600}).new_page()
    for number in ("47-1", "47-12", "47-123", "147-123", "4712-12345", "65535-999999"):
        node.tickets[number] = ticket_body(number, "RECEIVED")
        page.goto(f"{kiosk}/nl/t/{number}/7KQ4-M2XD")
        shown = page.locator(".ticket .number").bounding_box()
        cards = [card.bounding_box() for card in page.locator(".case > *").all()]
        assert shown is not None
        assert 48 <= shown["height"] < 80, "in one line, and 48 px at least"
        assert all(card and card["x"] + card["width"] <= KIOSK["width"] - 180 for card in cards), number
