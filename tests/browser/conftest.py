"""A Chromium for tests that look at pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.fakes.ui_fixtures import fixture_node, fixture_web

__all__ = ["ARGUMENTS", "fixture_browser", "fixture_chromium", "fixture_node", "fixture_web"]

ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-gpu"]


@pytest.fixture(name="chromium", scope="module")
def fixture_chromium() -> Iterator[Browser]:
    """One Chromium for a file: its start takes longer than most tests. It ends with the file, its event loop too."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(name="browser")
def fixture_browser(chromium: Browser) -> Iterator[Browser]:
    """Give the file's Chromium; whatever a test opened in it is closed with the test, cookies and storage too."""
    yield chromium
    for context in chromium.contexts:
        context.close()
