"""Reading aloud in a real browser: while it plays, the screen does not ask who is there; then it asks, aloud."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, expect

from steunpunt_ui.speech.making import make
from tests.fakes.fake_node import FakeNode
from tests.fakes.ui_citizen import kiosk_server
from tests.fakes.ui_sites import kiosk_config

GLOVE_PX = 168
SAID = ["Volg uw vraag", "Bent u er nog?"]
PLAYS = "(one) => { one.loop = true; one.muted = true; return one.play().then(() => !one.paused) }"


@pytest.fixture(name="kiosk")
def fixture_kiosk(tmp_path: Path, node: FakeNode) -> Iterator[str]:
    config = kiosk_config(node.path)
    make(tmp_path / "audio", "nl", SAID)
    config = msgspec.structs.replace(
        config, screen=msgspec.structs.replace(config.screen, audio=str(tmp_path / "audio"))
    )
    with kiosk_server(config) as address:
        yield address


@pytest.mark.browser
def test_who_listens_is_not_asked_and_who_stopped_is_asked_aloud(browser: Browser, kiosk: str) -> None:
    page = browser.new_page(viewport={"width": 1024, "height": 600})
    page.clock.install()
    page.goto(f"{kiosk}/nl/volgen")
    control = page.locator(".listen audio")
    expect(control).to_be_visible()
    assert control.evaluate(PLAYS), "Chromium plays what was made"
    for path in ("/nl/volgen", "/nl/"):
        other = browser.new_page(viewport={"width": 1024, "height": 600})
        other.goto(f"{kiosk}{path}")
        box = other.locator(".listen").bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= GLOVE_PX, path
        assert max(box["width"], box["height"]) < other.evaluate("innerWidth") / 2, "it covers nothing else"
        assert other.evaluate("document.documentElement.scrollHeight") <= other.evaluate("innerHeight"), path
        other.close()
    page.clock.run_for(150_000)
    expect(page.locator("#idle")).to_be_hidden()
    control.evaluate("(one) => one.pause()")
    # A statement: what evaluates to a function would be called at once.
    page.evaluate("voice.play = () => { document.title = 'aloud'; return Promise.resolve() }; 0")
    assert page.title() != "aloud"
    page.clock.run_for(62_000)
    expect(page.locator("#idle")).to_be_visible()
    assert page.title() == "aloud"
    page.close()
