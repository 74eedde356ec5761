"""Pages in a real Chromium, measured: by axe-core for eyes and screen readers, by bounding box for hands.

``tests/vendor/axe-core`` holds Deque's library as its makers published it (MPL-2.0); nothing of it is on a device.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page, Route

from tests.fakes.page_walk import FoundPage
from tests.fakes.ui_citizen import HOME

AXE: Final = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
AXE_SHA256: Final = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
CONTRAST_MIN: Final = 7
KIOSK: Final = {"width": 1024, "height": 600}
SMALL_PHONE: Final = {"width": 320, "height": 640}
Theme = Literal["light", "dark"]
# Large letters get no discount here: 7:1 for all.
_RUN = """async (minimum) => {
  const seven = {normal: {expected: minimum}, large: {expected: minimum}}
  axe.configure({checks: [{id: "color-contrast-enhanced", options: {contrastRatio: seven}}]})
  const rules = {"color-contrast-enhanced": {enabled: true}, "color-contrast": {enabled: false},
    "target-size": {enabled: true}}
  const found = await axe.run(document, {resultTypes: ["violations"], rules})
  return found.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 120)).slice(0, 3)])
}"""


# What is inside of another target, or can be seen by a screen reader alone, is none.
# A tap on a label is one on its field.
_TARGETS = """() => {
  const all = [...document.querySelectorAll("a[href], button, summary, select, textarea, input:not([type=hidden])")]
  const told = []
  for (const one of all) {
    const hit = one.matches("input, textarea, select") && one.closest("label") || one
    const {width, height} = hit.getBoundingClientRect()
    if (one.closest(".hidden") || one.tabIndex < 0 || !one.checkVisibility() || width < 2) continue
    const words = (one.innerText || one.name || one.tagName).trim().replace(/\\s+/g, " ")
    told.push([words.slice(0, 40), one.className, Math.round(width), Math.round(height)])
  }
  return told
}"""


_KEYS = """() => {
  const keys = document.getElementById("keys"), told = []
  if (!keys) return told
  keys.hidden = false
  for (const layer of ["", "latin", "figures"]) {
    keys.className = layer
    for (const one of keys.querySelectorAll("button")) {
      const {width, height} = one.getBoundingClientRect()
      if (width > 1) told.push([layer + one.textContent, one.className, Math.round(width), Math.round(height)])
    }
  }
  keys.className = ""
  keys.hidden = true
  return told
}"""
# A word on two lines, or words beyond the edge of what holds them.
_CUT = """() => [...document.querySelectorAll(
    ".tile, .button, .name, .done, .top summary, .back, .ticks label, .choices label")]
  .filter((one) => one.checkVisibility())
  .filter((one) => {
    if (one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1) return true
    const texts = document.createTreeWalker(one, NodeFilter.SHOW_TEXT), range = document.createRange()
    while (texts.nextNode()) {
      if (texts.currentNode.parentElement.closest(".hidden, .whose")) continue
      for (const word of texts.currentNode.data.matchAll(/\\p{L}+/gu)) {
        range.setStart(texts.currentNode, word.index)
        range.setEnd(texts.currentNode, word.index + word[0].length)
        const lines = [...range.getClientRects()].filter((line) => line.width)
        if (new Set(lines.map((line) => Math.round(line.top))).size > 1) return true
      }
    }
  })
  .map((one) => one.innerText.trim().replace(/\\s+/g, " ").slice(0, 60))"""


@dataclass(frozen=True, slots=True)
class Target:
    """Something to tap, in px of CSS."""

    words: str
    look: str
    width: int
    height: int

    @property
    def smallest(self) -> int:
        return min(self.width, self.height)


@contextmanager
def looking_glass(browser: Browser, web: FlaskClient, **context: Any) -> Iterator["LookingGlass"]:
    """A page of a browser that shows what was found in a walk, with the site's own style sheets."""
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256, f"{AXE} is not the file that was published"
    made = browser.new_context(**({"viewport": KIOSK} | context))
    try:
        yield LookingGlass(made.new_page(), web)
    finally:
        made.close()


class LookingGlass:
    """Shows one page after the other."""

    def __init__(self, page: Page, web: FlaskClient) -> None:
        self.page, self._web, self._html = page, web, ""
        self._axe = AXE.read_text("utf-8")
        self.asked: list[str] = []
        """Every address that a page asked for."""
        page.route("**/*", self._serve)

    def show(self, found: FoundPage, theme: Theme = "light") -> None:
        """Load a page as the site sent it."""
        self._html = found.html
        self.page.emulate_media(color_scheme=theme)
        self.page.goto(f"{HOME}/{found.language}/shown", wait_until="load")

    def findings(self) -> list[tuple[str, list[str]]]:
        """Return what axe finds on the page that is shown: the rule, and the first elements."""
        self.page.evaluate(self._axe)
        return [(rule, nodes) for rule, nodes in self.page.evaluate(_RUN, CONTRAST_MIN)]

    def open_all(self) -> None:
        """Open what folds, but for the header's list of languages, which covers the page."""
        self.page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true })")

    def targets(self) -> list[Target]:
        """Return all that can be tapped on the page that is shown."""
        return [Target(*told) for told in self.page.evaluate(_TARGETS)]

    def keys(self) -> list[Target]:
        """Return the keys of the keyboard on the page that is shown, each layer; none where there is no keyboard."""
        return [Target(*told) for told in self.page.evaluate(_KEYS)]

    def overflow(self) -> tuple[int, int]:
        """Return by how many px the page is wider and higher than the screen."""
        size = self.page.viewport_size or KIOSK
        wide, high = self.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        return wide - size["width"], high - size["height"]

    def cut(self) -> list[str]:
        """Return the words of tiles and buttons that are larger than what holds them."""
        return [str(words) for words in self.page.evaluate(_CUT)]

    def _serve(self, route: Route) -> None:
        address = route.request.url
        self.asked.append(address)
        if not address.startswith(HOME):
            route.abort()
        elif address.endswith("/shown"):
            route.fulfill(body=self._html, content_type="text/html; charset=utf-8")
        else:
            with self._web.get(address.removeprefix(HOME)) as reply:
                route.fulfill(status=reply.status_code, body=reply.data, content_type=reply.headers["Content-Type"])
