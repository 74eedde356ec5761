"""Every page of the citizen in a real Chromium: seen by axe-core, tapped by a large finger, on a small phone.

The pages are found by following every link and button (``tests/fakes/page_walk.py``); `make bench-ui` looks at them
all, in every language, by day and night; this at one of each shape.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from steunpunt_ui.languages import LANGUAGES
from tests.fakes.fake_node import FakeNode
from tests.fakes.page_look import SMALL_PHONE, looking_glass
from tests.fakes.page_walk import FoundPage, Walk, citizen_site, each_shape, staff_pages, tickets
from tests.fakes.ui_citizen import HOME

GLOVE_PX, PHONE_PX = 168, 48
"""25 mm at the density of a kiosk of 7 inch, both ways; and what a finger needs on a phone."""
SHAPES_MIN, STAFF_SHAPES_MIN = 20, 12
SERVER_ERROR = 500


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> Iterator[tuple[FakeNode, FlaskClient]]:
    with citizen_site(tmp_path, long_names=True) as site:
        yield site


def pages(web: FlaskClient, language: str, *, phone: bool = False) -> list[FoundPage]:
    found = each_shape(Walk(web, language, phone=phone).pages("/niet-hier", *tickets()))
    assert len(found) >= SHAPES_MIN
    return found


def test_axe_finds_nothing_and_a_glove_hits_by_day_in_dutch_and_by_night_in_arabic(
    site: tuple[FakeNode, FlaskClient], browser: Browser
) -> None:
    """Each shape once: every other one in the other language and by night."""
    _, web = site
    found: dict[str, object] = {}
    with looking_glass(browser, web) as glass:
        for at, (dutch, arabic) in enumerate(zip(pages(web, "nl"), pages(web, "ar"), strict=False)):
            page = arabic if at % 2 else dutch
            glass.show(page, "dark" if at % 2 else "light")
            glass.open_all()
            small = [one for one in glass.targets() if one.smallest < GLOVE_PX]
            if findings := [*glass.findings(), *small]:
                found[page.name] = findings
            if glass.overflow()[0] > 0 or glass.cut():
                found[f"{page.name}: cut"] = glass.cut()
    assert found == {}


def test_axe_would_have_found_it(site: tuple[FakeNode, FlaskClient], browser: Browser) -> None:
    _, web = site
    grey = web.get("/nl/").text.replace("</main>", '<p><b class="x">grijs</b></p><img src="data:,"></main>')
    with looking_glass(browser, web) as glass:
        glass.show(FoundPage("spoiled", "nl", grey, 200))
        glass.page.evaluate("document.querySelector('.x').style.color = '#888'")
        assert {rule for rule, _ in glass.findings()} >= {"color-contrast-enhanced", "image-alt"}


def test_on_a_phone_of_320_px_nothing_sticks_out_and_a_finger_hits(
    site: tuple[FakeNode, FlaskClient], browser: Browser
) -> None:
    _, web = site
    wide, small = [], []
    with looking_glass(browser, web, viewport=SMALL_PHONE) as glass:
        for page in pages(web, "nl", phone=True):
            glass.show(page)
            glass.open_all()
            wide += [page.name] if glass.overflow()[0] > 0 else []
            small += [(page.name, target) for target in glass.targets() if target.height < PHONE_PX]
        assert [address for address in glass.asked if not address.startswith(HOME)] == []
    assert (wide, small) == ([], [])


def test_axe_finds_nothing_on_the_pages_of_staff_and_technician(
    site: tuple[FakeNode, FlaskClient], browser: Browser
) -> None:
    node, web = site
    found: dict[str, object] = {}
    shapes = each_shape(staff_pages(node, web))
    assert len(shapes) >= STAFF_SHAPES_MIN
    with looking_glass(browser, web) as glass:
        for at, page in enumerate(shapes):
            glass.show(page, "dark" if at % 2 else "light")
            small = [one for one in glass.targets() if one.smallest < PHONE_PX]
            if findings := [*glass.findings(), *small]:
                found[page.name] = findings
            if glass.overflow()[0] > 0 or page.status >= SERVER_ERROR:
                found[f"{page.name}: wide, or an error"] = page.status
    assert found == {}


def test_languages_open_as_tiles_and_a_long_page_has_a_button_to_go_on(
    site: tuple[FakeNode, FlaskClient], browser: Browser
) -> None:
    """Without a script; nobody has to swipe. In exercise too, where the page of languages is longer than the screen."""
    node, web = site
    with looking_glass(browser, web, java_script_enabled=False) as glass:
        html = web.get("/nl/nieuws").text
        glass.show(FoundPage("/nl/nieuws", "nl", html, 200))
        glass.page.mouse.click(920, 500)
        glass.page.wait_for_function("scrollY > 100")
        glass.page.locator(".top summary").click()
        boxes = [one.bounding_box() for one in glass.page.locator(".languages a").all()]
        assert len(boxes) == len(LANGUAGES)
        assert all(box and min(box["width"], box["height"]) >= GLOVE_PX for box in boxes), boxes
        node.status["point_state"] = "EXERCISE"
        glass.show(FoundPage("/nl/taal", "nl", web.get("/nl/taal").text, 200))
        assert [one for one in glass.targets() if one.smallest < GLOVE_PX] == []
