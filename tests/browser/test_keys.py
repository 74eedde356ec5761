"""The keyboard of the point's own screen, tapped in a real browser; phones bring their own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from steunpunt_ui.citizen.keyboard import ROWS, keyboard_of
from steunpunt_ui.languages import LANGUAGES
from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.ui_citizen import TICKET, kiosk_server, kiosk_web
from tests.fakes.ui_sites import kiosk_config

pytestmark = pytest.mark.browser
SCREEN_HEIGHT = 600


@pytest.fixture(name="node")
def fixture_node(node: FakeNode) -> FakeNode:
    node.tickets["47-1"] = ticket_body("47-1")
    return node


@pytest.fixture(name="page")
def fixture_page(browser: Browser, node: FakeNode) -> Iterator[Page]:
    with kiosk_server(kiosk_config(node.path)) as base:
        context = browser.new_context(viewport={"width": 1024, "height": SCREEN_HEIGHT}, base_url=base)
        yield context.new_page()
        context.close()


def tap(page: Page, keys: str) -> None:
    for key in keys:
        page.locator(f'#keys button[value="{key}"]:visible').click()


def in_sight(page: Page, field: str) -> None:
    """The field and the keys stand on the screen together."""
    box, keys = page.locator(field).bounding_box(), page.locator("#keys").bounding_box()
    assert box is not None
    assert keys is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= keys["y"]
    assert keys["y"] + keys["height"] <= SCREEN_HEIGHT


def test_it_comes_with_a_field_types_erases_and_goes(page: Page) -> None:
    page.goto(f"{TICKET}/vraag")
    expect(page.locator("#keys")).to_be_hidden()
    page.locator("textarea").click()
    in_sight(page, "textarea")
    page.locator("#keys [data-act=upper]").click()
    tap(page, "hoe")
    page.evaluate("document.querySelector('textarea').setRangeText('\U0001f692', 3, 3, 'end')")
    page.locator("#keys .acts [data-act=erase]").click()
    tap(page, " ")
    page.locator("#keys .acts [data-act=figures]").click()
    tap(page, "2")
    page.locator("#keys .figures [data-act=enter]").click()
    expect(page.locator("textarea")).to_have_value("Hoe 2\n")
    expect(page.locator("p:has(#text-left)")).to_have_text("Past nog: 1995", use_inner_text=True)
    page.locator("textarea").fill("x" * 10_042)
    expect(page.locator("p:has(#text-left)")).to_have_text("Tekens te veel: 8042", use_inner_text=True)
    page.locator("#keys [data-act=done]:visible").click()
    expect(page.locator("#keys")).to_be_hidden()


def test_arabic_letters_and_latin_ones_for_a_code(page: Page) -> None:
    page.goto("/ar/volgen")
    page.locator("#number").click()
    in_sight(page, "#number")
    keys = [one.bounding_box() for one in page.locator("#keys button:visible").all()]
    assert len(keys) == 18
    assert all(key and min(key["width"], key["height"]) >= 168 for key in keys), keys
    tap(page, "47-1")
    page.locator("#secret").click()
    in_sight(page, "#secret")
    page.locator("#keys [data-act=latin]").click()
    for part in ("7", "kq", "4", "m", "2", "xd"):
        if part.isdigit():
            page.locator("#keys .acts [data-act=figures]").click()
        tap(page, part)
        if part.isdigit():
            page.locator("#keys .figures [data-act=figures]").click()
    keys = [one.bounding_box() for one in page.locator("#keys .other button:visible").all()]
    assert all(key and key["width"] >= 85 and key["height"] >= 120 for key in keys), keys
    page.locator("#keys [data-act=done]:visible").click()
    page.locator("main form button").click()
    expect(page.locator("main")).to_contain_text("7KQ4-M2XD")


def test_phones_and_pages_with_nothing_to_fill_in_do_without(node: FakeNode) -> None:
    with kiosk_web(node) as web:
        assert 'id="keys"' in web.get("/nl/volgen").text
        assert "keys.js" not in web.get("/nl/volgen", environ_base={"REMOTE_ADDR": "10.42.0.7"}).text
        assert all("keys." not in web.get(path).text for path in ("/nl/", "/nl/hulp", "/nl/hulp/brand", TICKET))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_can_write_its_letters_postcodes_and_codes(language: str) -> None:
    keyboard = keyboard_of(language)
    letters = set("".join(keyboard.rows + keyboard.other))
    assert "-" in letters
    assert set("abcdefghijklmnopqrstuvwxyz") - letters <= ({"q", "w", "x"} if language == "tr" else set())
    assert max(map(len, ROWS[language])) <= 15
    assert all(len(set(row)) == len(row) for row in ROWS[language])
