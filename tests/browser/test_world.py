"""The demo's world page at the width of a small laptop: words stay whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from steunpunt.demo.ports import free_port
from steunpunt.demo.region import Region
from steunpunt.demo.world import World, WorldServer

LONG = {
    "kiosk-a.power": "aan, maar gestopt: de broker",
    "kiosk-a.internet": "kabel doorgeknipt",
    "kiosk-a.radio": "losgetrokken",
    "kiosk-a.call": "hulpvraag 47-12, 3 keer gedrukt",
    "kiosk-a.queue": "3 berichten zonder bevestiging, 12 min",
}
"""The longest that the page says, by its mark."""
WRITE = """(said) => { for (const [key, text] of Object.entries(said))
  document.querySelectorAll(`[data-words][data-key="${key}"]`).forEach(mark => mark.textContent = text) }"""
BROKEN = """() => { const broken = []
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) for (const word of texts.currentNode.data.matchAll(/\\p{L}+/gu)) {
    const range = document.createRange()
    range.setStart(texts.currentNode, word.index); range.setEnd(texts.currentNode, word.index + word[0].length)
    if (new Set([...range.getClientRects()].map(line => line.top)).size > 1) broken.push(word[0]) }
  return broken }"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve the page of a region that was never started: the layout is the same."""
    server = WorldServer(World(Region(tmp_path / "region")), free_port())
    server.start()
    yield server.url
    server.stop()


@pytest.mark.parametrize("width", [360, 900, 1024, 1280])
def test_no_word_is_broken_and_nothing_sticks_out(browser: Browser, address: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 768})
    page.goto(address, wait_until="domcontentloaded")
    page.evaluate(WRITE, LONG)
    assert page.get_by_text("doorgeknipt").count() >= 1
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
