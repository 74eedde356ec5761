"""The first page on the point's own screen: no scrolling, whatever it warns of, in any language and with long names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from steunpunt_ui.languages import LANGUAGES
from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.page_look import looking_glass
from tests.fakes.page_walk import FoundPage, citizen_site

GLOVE_PX: Final = 168
_DOWN: Final = {"mesh": {"up": False}, "broker": {"up": False}}
_RADIO_DOWN: Final = {"mesh": {"up": False}, "broker": {"up": True}}
_PRESSED: Final = {"name": "deur", "pending_s": 28, "number": None}
_CALLED: Final = {"name": "balie", "pending_s": None, "number": "47-1204"}
_BATTERY: Final = {"power": {"state": "critical", "hours_left": 0.4}}
WARNINGS: Final[dict[str, dict[str, Any]]] = {
    "all is well": {},
    "nothing leaves": {"links": _DOWN},
    "nothing leaves, on battery": {"links": _DOWN} | _BATTERY,
    "keeps nothing, a call": {"can_keep": False, "buttons": [_CALLED]},
    "no radio, two calls": {"links": _RADIO_DOWN, "buttons": [_PRESSED, _CALLED]},
    "exercise": {"point_state": "EXERCISE"},
    "exercise, nothing leaves": {"point_state": "EXERCISE", "links": _DOWN},
    "closed, on battery": {"point_state": "CLOSED"} | _BATTERY,
}


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> Iterator[tuple[FakeNode, FlaskClient]]:
    with citizen_site(tmp_path, long_names=True) as site:
        site[0].tickets["47-1204"] = ticket_body("47-1204", "RECEIVED")
        yield site


@pytest.mark.browser
def test_it_needs_no_scrolling_and_a_glove_hits_every_tile(
    site: tuple[FakeNode, FlaskClient], browser: Browser
) -> None:
    node, web = site
    well, found = dict(node.status), []
    with looking_glass(browser, web) as glass:
        for warning, status in WARNINGS.items():
            node.status = well | status
            for language in LANGUAGES:
                glass.show(FoundPage("/", language, web.get(f"/{language}/").text, 200))
                small = [one for one in glass.targets() if one.smallest < GLOVE_PX]
                if glass.overflow() != (0, 0) or small or glass.cut():
                    found.append((warning, language, glass.overflow(), small, glass.cut()))
    assert found == []
