"""`make pictures`: every kind of citizen page in four languages, for docs/screens.md; each picture holds all four.

python -m tests.pictures docs/pictures/pages
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Final

from flask.testing import FlaskClient
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.fakes.fake_node import SECRET, FakeNode
from tests.fakes.page_look import looking_glass
from tests.fakes.page_walk import FoundPage, citizen_site

LANGUAGES: Final = ("nl", "en", "uk", "ar")
PAGES: Final = {
    "home": "/",
    "kinds": "/hulp",
    "ask": "/hulp/medisch",
    "kept": f"/t/47-1/{SECRET}",
    "received": f"/t/47-3/{SECRET}",
    "answered": f"/t/47-5/{SECRET}",
    "closed-request": f"/t/47-6/{SECRET}",
    "follow": "/volgen",
    "news": "/nieuws",
    "information": "/info",
    "first-aid": "/info/eerste-hulp",
    "languages": "/taal",
}
STATES: Final = {"home-exercise": "EXERCISE", "home-closed": "CLOSED"}
WIDE, HIGH, COLOURS, SCALE = 1024, 600, 48, 0.625


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, citizen_site(Path(name)) as (node, web), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for title, path in PAGES.items():
            _take(folder / f"{title}.png", path, web, browser)
        for title, state in STATES.items():
            node.status["point_state"] = state
            _take(folder / f"{title}.png", "/", web, browser)
        node.status["point_state"] = "OPEN"
        _take(folder / "home-night.png", "/", web, browser, night=True)
        _troubled(folder, node, web, browser)
        browser.close()


def _troubled(folder: Path, node: FakeNode, web: FlaskClient, browser: Browser) -> None:
    node.status["links"] = {"mesh": {"up": False}, "broker": {"up": False}}
    _take(folder / "home-nothing-leaves.png", "/", web, browser)


def _take(target: Path, path: str, web: FlaskClient, browser: Browser, *, night: bool = False) -> None:
    """Write one picture of a page in all languages, two by two."""
    size = (int(WIDE * SCALE), int(HIGH * SCALE))
    sheet = Image.new("RGB", (size[0] * 2 + 8, size[1] * 2 + 8), "#777777")
    with looking_glass(browser, web) as glass:
        for at, language in enumerate(LANGUAGES):
            html = web.get(f"/{language}{path}").text
            glass.show(FoundPage(path, language, html, 200), "dark" if night else "light")
            shot = Image.open(io.BytesIO(glass.page.screenshot())).convert("RGB").resize(size, Image.Resampling.LANCZOS)
            sheet.paste(shot, ((size[0] + 8) * (at % 2), (size[1] + 8) * (at // 2)))
    sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
