"""Every page in every language: what it weighs, what axe-core says by day and by night, and whether a hand hits."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

from flask.testing import FlaskClient
from playwright.sync_api import Browser, sync_playwright

from steunpunt_ui.languages import LANGUAGES
from tests.bench.ui_verdict import Verdict
from tests.browser.conftest import ARGUMENTS
from tests.fakes.fake_node import FakeNode
from tests.fakes.page_look import KIOSK, SMALL_PHONE, LookingGlass, Target, Theme, looking_glass
from tests.fakes.page_walk import FoundPage, citizen_site, each_shape, every_page, staff_pages
from tests.fakes.ui_citizen import HOME

FIRST_VIEW_BYTES_MAX = 14 * 1024
SCRIPT_BYTES_MAX = 2_048
GLOVE_PX, PHONE_PX = 168, 48
"""25 mm on a screen of 7 inch with 1024 by 600 px, which has 170 px per inch; and what a finger needs on a phone."""
LETTER_PX_MIN = 24
THEMES: tuple[Theme, Theme] = ("light", "dark")
_SMALL_LETTERS = """(minimum) => {
  const found = new Set(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const words = texts.currentNode.data.trim(), of = texts.currentNode.parentElement
    if (!words || of.closest(".hidden, noscript") || !of.checkVisibility()) continue
    if (parseFloat(getComputedStyle(of).fontSize) < minimum) found.add(words.slice(0, 30))
  }
  return [...found]
}"""


class _Seen:
    """What was found so far."""

    def __init__(self) -> None:
        self.pages = 0
        self.looks = 0
        self.heaviest = (0, "")
        self.heavy: list[str] = []
        self.scripts: dict[str, int] = {}
        self.outside: list[str] = []
        self.findings: list[str] = []
        self.no_hit: dict[str, str] = {}
        self.targets = self.hits = 0
        self.keys: list[Target] = []
        self.keyed: set[str] = set()
        self.staff_targets: list[int] = []
        self.phone_targets = 0
        self.phone_no_hit: list[str] = []
        self.letters: dict[str, str] = {}
        self.scrolls: list[str] = []
        self.wide: list[str] = []


def measure(folder: Path, languages: list[str] | None, tell: Callable[[str], None]) -> list[Verdict]:
    """Look at all pages of these languages, of all when None."""
    seen = _Seen()
    with citizen_site(folder) as (node, web), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for language in languages or LANGUAGES:
            _look_at(language, node, web, browser, seen)
            tell(
                f"{language}: {seen.pages} pages weighed, {seen.looks} looked at, {len(seen.findings)} findings so far"
            )
        _look_at_staff(node, web, browser, seen)
        tell(f"staff: {seen.looks} looked at, {len(seen.findings)} findings so far")
        browser.close()
    return _verdicts(seen)


def _look_at(language: str, node: FakeNode, web: FlaskClient, browser: Browser, seen: _Seen) -> None:
    pages = list(every_page(node, web, language))
    seen.pages += len(pages)
    for page in pages:
        _weigh(page, web, seen)
    shapes = each_shape(pages)
    with looking_glass(browser, web) as kiosk, looking_glass(browser, web, viewport=SMALL_PHONE) as phone:
        for theme in THEMES:
            for page in shapes:
                glass = phone if "(phone)" in page.name else kiosk
                glass.show(page, theme)
                if theme == "light":
                    _measure(glass, page, seen, on_phone=glass is phone)
                glass.open_all()
                seen.looks += 1
                name = f"{language} {theme} {page.name}"
                seen.findings += [f"{name}: {rule} {nodes[0]}" for rule, nodes in glass.findings()]
        seen.outside += [address for address in kiosk.asked + phone.asked if not address.startswith(HOME)]


def _look_at_staff(node: FakeNode, web: FlaskClient, browser: Browser, seen: _Seen) -> None:
    shapes = each_shape(staff_pages(node, web))
    with looking_glass(browser, web) as kiosk:
        for theme in THEMES:
            for page in shapes:
                kiosk.show(page, theme)
                kiosk.open_all()
                seen.looks += 1
                seen.findings += [f"staff {theme} {page.name}: {rule} {nodes[0]}" for rule, nodes in kiosk.findings()]
                if theme == "light":
                    wide, _ = kiosk.overflow()
                    seen.wide += [f"staff {page.name}: {wide} px"] if wide > 0 else []
                    seen.staff_targets += [one.smallest for one in kiosk.targets()]
        seen.outside += [address for address in kiosk.asked if not address.startswith(HOME)]


def _weigh(page: FoundPage, web: FlaskClient, seen: _Seen) -> None:
    size = len(gzip.compress(page.html.encode()))
    for sheet in re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.html):
        size += len(gzip.compress(web.get(sheet).data))
    for script in re.findall(r'<script src="([^"]+)"', page.html):
        seen.scripts[script.partition("?")[0]] = len(web.get(script).data)
    seen.heaviest = max(seen.heaviest, (size, f"{page.language} {page.name}"))
    if size > FIRST_VIEW_BYTES_MAX:
        seen.heavy.append(f"{page.language} {page.name}: {size} bytes")


def _measure(glass: LookingGlass, page: FoundPage, seen: _Seen, *, on_phone: bool) -> None:
    wide, high = glass.overflow()
    name = f"{page.language} {page.name}"
    if wide > 0:
        seen.wide.append(f"{name}: {wide} px")
    if re.fullmatch(r"/\w\w/ \((?!phone).*\)", page.name) and high > 0:
        seen.scrolls.append(f"{name}: {high} px too high")
    glass.open_all()
    targets = glass.targets()
    if on_phone:
        seen.phone_targets += len(targets)
        seen.phone_no_hit += [f"{name}: {one}" for one in targets if one.height < PHONE_PX]
        return
    for one in targets:
        seen.targets += 1
        seen.hits += one.smallest >= GLOVE_PX
        if one.smallest < GLOVE_PX and page.language == "nl":
            seen.no_hit.setdefault(f"“{one.words}” {one.width} by {one.height} px", name)
    if seen.keys == [] or page.language not in seen.keyed:
        seen.keys += glass.keys()
        seen.keyed |= {page.language} if glass.keys() else set()
    for words in glass.page.evaluate(_SMALL_LETTERS, LETTER_PX_MIN):
        seen.letters.setdefault(words, name)


def _share(targets: list[Target]) -> float:
    return sum(one.smallest >= GLOVE_PX for one in targets) / max(len(targets), 1)


def _smallest(targets: list[Target]) -> str:
    return f"{min((one.width for one in targets), default=0)} by {min((one.height for one in targets), default=0)} px"


def _verdicts(seen: _Seen) -> list[Verdict]:
    script = max(seen.scripts.items(), key=lambda one: one[1])
    heavy_script = [f"{name}: {size} bytes" for name, size in seen.scripts.items() if size > SCRIPT_BYTES_MAX]
    missed = [f"{what} on {where}" for what, where in seen.no_hit.items()]
    return [
        Verdict(
            f"first view, HTML + CSS gzip, {seen.pages} pages (<= 14 KB)",
            f"{seen.heaviest[0]} bytes at most: {seen.heaviest[1]}",
            seen.heavy,
        ),
        Verdict("own script (<= 2,048 bytes), no other", f"{script[0]}: {script[1]} bytes", heavy_script),
        Verdict("addresses outside of the site", f"{len(seen.outside)}", seen.outside),
        Verdict(
            f"axe-core, contrast 7:1 for all letters, {seen.looks} looks",
            f"{len(seen.findings)} findings",
            seen.findings,
        ),
        Verdict(
            f"kiosk: targets of 25 mm ({GLOVE_PX} px) both ways, {seen.targets} targets",
            f"{seen.hits / max(seen.targets, 1):.0%} of them",
            missed,
        ),
        Verdict(
            f"keyboard of the kiosk, {len(seen.keys)} keys in {len(seen.keyed)} languages (for information)",
            f"{_share(seen.keys):.0%} of 25 mm; smallest {_smallest(seen.keys)}",
        ),
        Verdict(
            f"staff's pages at the kiosk, {len(seen.staff_targets)} targets (for information)",
            f"smallest {min(seen.staff_targets, default=0)} px",
        ),
        Verdict(
            f"phone of 320 px: targets of {PHONE_PX} px, {seen.phone_targets} targets",
            f"{len(seen.phone_no_hit)} smaller",
            seen.phone_no_hit,
        ),
        Verdict(
            f"kiosk: letters of {LETTER_PX_MIN} px",
            f"{len(seen.letters)} texts smaller",
            [f"“{words}” on {where}" for words, where in seen.letters.items()],
        ),
        Verdict(f"no scrolling of the first page at {KIOSK['width']} by {KIOSK['height']}", "", seen.scrolls),
        Verdict("nothing wider than the screen", "", seen.wide),
    ]
