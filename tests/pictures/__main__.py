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
from tests.fakes.fake_node import PIN, SECRET, FakeNode
from tests.fakes.page_look import looking_glass
from tests.fakes.page_walk import FoundPage, citizen_site
from tests.fakes.ui_citizen import HOME

LANGUAGES: Final = ("nl", "en", "uk", "ar")
PAGES: Final = {
    "home": "/",
    "kinds": "/hulp",
    "ask": "/hulp/medisch",
    "kept": f"/t/47-1/{SECRET}",
    "on-its-way": f"/t/47-2/{SECRET}",
    "received": f"/t/47-3/{SECRET}",
    "seen": f"/t/47-4/{SECRET}",
    "answered": f"/t/47-5/{SECRET}",
    "closed-request": f"/t/47-6/{SECRET}",
    "follow": "/volgen",
    "news": "/nieuws",
    "information": "/info",
    "first-aid": "/info/eerste-hulp",
    "languages": "/taal",
    "board": "/bord",
    "neighbours": "/buren",
    "offer": "/buren/helpen",
    "note": "/buren/prikbord",
    "life-threat": f"/t/47-1/{SECRET}/nu",
    "tell-more": f"/t/47-1/{SECRET}/meer",
    "worse": f"/t/47-3/{SECRET}/erger",
    "question": f"/t/47-3/{SECRET}/vraag",
    "not-needed": f"/t/47-3/{SECRET}/niet-nodig",
    "paper-form": "/formulier",
    "not-here": f"/t/47-1/{SECRET[::-1]}",
}
WITH_NEWS: Final = ("home", "news", "board", "question")
"""Pages that are shown with what goes on on top of them; the others without, so that more of each is seen."""
FORM: Final = "/hulp/medisch"
STEPS: Final = {"where": "go:where", "people": "go:people", "needs": "go:needs", "words": "go:words", "check": "check"}
FILLED: Final = {"token": "form-1", "people": "3", "needs": "stroom", "text": "Ze is gevallen."}
STATES: Final = {"home-exercise": "EXERCISE", "home-closed": "CLOSED"}
STAFF: Final = ("/staf/", "/staf/melden", "/staf/punt", "/staf/buren")
"""Dutch only, so four pages in one picture."""
WIDE, HIGH, COLOURS, SCALE = 1024, 600, 48, 0.625


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, citizen_site(Path(name)) as (node, web), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        news_count = node.status["news_count"]
        for title, path in PAGES.items():
            node.status["news_count"] = news_count if title in WITH_NEWS else 0
            _take(folder / f"{title}.png", path, web, browser)
        for title, tap in STEPS.items():
            _take(folder / f"step-{title}.png", FORM, web, browser, filled=FILLED | {"do": tap})
        node.refuse = {"error": "cannot_keep", "message": "disk full"}
        _take(folder / "not-kept.png", FORM, web, browser, filled=FILLED | {"do": "no"})
        node.refuse = None
        for title, state in STATES.items():
            node.status["point_state"] = state
            _take(folder / f"{title}.png", "/", web, browser)
        node.status["point_state"] = "OPEN"
        _take(folder / "home-night.png", "/", web, browser, night=True)
        _staff(folder / "staff.png", web, browser)
        _troubled(folder, node, web, browser)
        browser.close()


def _troubled(folder: Path, node: FakeNode, web: FlaskClient, browser: Browser) -> None:
    node.status["links"] = {"mesh": {"up": False}, "broker": {"up": False}}
    _take(folder / "home-nothing-leaves.png", "/", web, browser)


def _staff(target: Path, web: FlaskClient, browser: Browser) -> None:
    note = {"kind": "HAVE", "text": "Twee kampeerbedden te leen, bij de ingang"}
    web.post("/nl/buren/prikbord", data=note, headers={"Origin": HOME})
    web.post("/staf/inloggen", data={"pin": PIN, "enter": "1"}, headers={"Origin": HOME})
    _write(target, [FoundPage(path, "nl", web.get(path).text, 200) for path in STAFF], web, browser)


def _take(
    target: Path,
    path: str,
    web: FlaskClient,
    browser: Browser,
    *,
    night: bool = False,
    filled: dict[str, str] | None = None,
) -> None:
    """Write one picture of a page in all languages; ``filled``: of the page that follows a form."""
    pages = [FoundPage(path, language, _page(web, f"/{language}{path}", filled), 200) for language in LANGUAGES]
    _write(target, pages, web, browser, night=night)


def _page(web: FlaskClient, path: str, filled: dict[str, str] | None) -> str:
    return (web.get(path) if filled is None else web.post(path, data=filled, headers={"Origin": HOME})).text


def _write(target: Path, pages: list[FoundPage], web: FlaskClient, browser: Browser, *, night: bool = False) -> None:
    """Write one picture of four pages, two by two."""
    size = (int(WIDE * SCALE), int(HIGH * SCALE))
    sheet = Image.new("RGB", (size[0] * 2 + 8, size[1] * 2 + 8), "#777777")
    with looking_glass(browser, web) as glass:
        for at, page in enumerate(pages):
            glass.show(page, "dark" if night else "light")
            shot = Image.open(io.BytesIO(glass.page.screenshot())).convert("RGB").resize(size, Image.Resampling.LANCZOS)
            sheet.paste(shot, ((size[0] + 8) * (at % 2), (size[1] + 8) * (at // 2)))
    sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
