"""What an answer costs on the air is told before it goes: while typing, or without JavaScript after one press."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from steunpunt.model import SenderFunction
from steunpunt.protocol.cost import airtime_ms, frames_of_answer
from tests.browser.test_paper import paper_page, web
from tests.fakes.paper_sites import PaperSites, paper_sites
from tests.fakes.sites import noise

ANSWER = noise(250)


@pytest.fixture(name="sites")
def fixture_sites(tmp_path: Path) -> Iterator[PaperSites]:
    with paper_sites(tmp_path) as sites:
        yield sites


@pytest.mark.browser
@pytest.mark.parametrize("script", [False, True])
def test_bytes_and_seconds_are_told_before_an_answer_goes(sites: PaperSites, browser: Browser, *, script: bool) -> None:
    frames = frames_of_answer(SenderFunction.MEDICAL, ANSWER)
    seconds = f"{airtime_ms(frames, 'LONG_FAST') / 1000:.1f}".replace(".", ",")
    assert len(frames) > 1
    with web(sites.center) as desk:
        page = paper_page(browser, desk, script=script)
        page.locator("textarea").fill("\n".join(sites.codes("help")))
        page.get_by_role("button", name="Inlezen").click()
        page.get_by_role("link", name="47-1").click()
        page.get_by_role("button", name="Ik pak dit op").click()
        expect(page.locator("#cost")).to_be_hidden()
        page.locator("select[name=function]").select_option("MEDICAL")
        page.locator("textarea[name=text]").fill(ANSWER)
        if not script:
            page.get_by_role("button", name="Invullen en nalezen").click()
        told = f"{sum(map(len, frames))} bytes in {len(frames)} pakketten: {seconds} s in de lucht"
        expect(page.locator("#cost")).to_contain_text(told, timeout=15_000)
    assert not any(case.answered for case in sites.desk().cases())
