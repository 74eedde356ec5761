"""The first page on the point's own screen: no scrolling, whatever it warns of, in any language and with long names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from steunpunt.control import Client
from steunpunt_ui.app import create_app
from steunpunt_ui.languages import LANGUAGES
from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.page_look import SMALL_PHONE, looking_glass
from tests.fakes.page_walk import FoundPage, citizen_site
from tests.fakes.ui_sites import kiosk_config

GLOVE_PX: Final = 168
_DOWN: Final = {"mesh": {"up": False}, "broker": {"up": False}}
_RADIO_DOWN: Final = {"mesh": {"up": False}, "broker": {"up": True}}
_PRESSED: Final = {"name": "deur", "pending_s": 28, "number": None}
_CALLED: Final = {"name": "balie", "pending_s": None, "number": "47-1204"}
_CALLED_TOO: Final = {"name": "zaal", "pending_s": None, "number": "47-1205"}
_BATTERY: Final = {"power": {"state": "critical", "hours_left": 0.4}}
WARNINGS: Final[dict[str, dict[str, Any]]] = {
    "nothing leaves, on battery": {"links": _DOWN} | _BATTERY,
    "keeps nothing, a call": {"can_keep": False, "buttons": [_CALLED]},
    "no radio, two calls": {"links": _RADIO_DOWN, "buttons": [_PRESSED, _CALLED]},
    "exercise, nothing leaves": {"point_state": "EXERCISE", "links": _DOWN},
    "closed, on battery": {"point_state": "CLOSED"} | _BATTERY,
    "all at once": {"point_state": "EXERCISE", "links": _DOWN, "buttons": [_PRESSED, _CALLED]} | _BATTERY,
    "all but an exercise": {"links": _DOWN, "buttons": [_PRESSED, _CALLED]} | _BATTERY,
}
ALOUD: Final = {name: WARNINGS[name] for name in ("no radio, two calls", "closed, on battery")} | {
    "closed, a call": {"point_state": "CLOSED", "buttons": [_CALLED]},
    "no radio, three calls": {"links": _RADIO_DOWN, "buttons": [_PRESSED, _CALLED, _CALLED_TOO]},
    "exercise, a call": {"point_state": "EXERCISE", "buttons": [_CALLED]},
    "exercise, two calls": {"point_state": "EXERCISE", "buttons": [_PRESSED, _CALLED]},
}
ALOUD_LANGUAGES: Final = ("nl", "uk", "ar")
"""The one everybody starts with, the one with the longest words, and one from right to left."""
# What the control covers that is not its own place.
_UNDER = """() => {
  const own = document.querySelector(".listen").getBoundingClientRect()
  return [...document.querySelectorAll(".tile, .note > *, .first, .power, .exercise, .name")].filter((one) => {
    const box = one.getBoundingClientRect()
    const beside = box.left >= own.right - 1 || own.left >= box.right - 1
    return box.width && !beside && box.top < own.bottom - 1 && own.top < box.bottom - 1
  }).map((one) => one.className)
}"""


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


@pytest.mark.browser
def test_reading_aloud_is_as_large_as_a_tile_covers_nothing_and_makes_nothing_scroll(
    tmp_path: Path, browser: Browser
) -> None:
    found = []
    with citizen_site(tmp_path, long_names=True, aloud=ALOUD_LANGUAGES) as (node, web):
        node.tickets |= {number: ticket_body(number, "RECEIVED") for number in ("47-1204", "47-1205")}
        well = dict(node.status)
        with looking_glass(browser, web) as glass:
            for warning, status in ALOUD.items():
                node.status = well | status
                for language in ALOUD_LANGUAGES:
                    glass.show(FoundPage("/", language, web.get(f"/{language}/").text, 200))
                    box = glass.page.locator(".listen").bounding_box()
                    assert box is not None
                    small = min(box["width"], box["height"]) < GLOVE_PX
                    if small or glass.overflow() != (0, 0) or glass.cut() or glass.page.evaluate(_UNDER):
                        found.append((warning, language, box, glass.overflow(), glass.cut()))
    assert found == []


@pytest.mark.browser
def test_a_small_phone_that_joins_the_wifi_sees_how_to_ask_for_help_without_scrolling(
    node: FakeNode, browser: Browser
) -> None:
    config = kiosk_config(node.path)
    config = msgspec.structs.replace(config, web=msgspec.structs.replace(config.web, hotspot_address="10.42.0.1"))
    client, found = Client(node.path, timeout_s=5), []
    web = create_app(config, client).test_client()
    with looking_glass(browser, web, viewport=SMALL_PHONE) as glass:
        for language in ("nl", "uk"):
            here = {"base_url": "http://10.42.0.1/", "environ_base": {"REMOTE_ADDR": "10.42.0.57"}}
            glass.show(FoundPage("/", language, web.get(f"/{language}/", **here).text, 200))
            assert glass.page.locator("form[action$=verder]").is_visible()
            help_box = glass.page.locator(".tile.red").bounding_box()
            if not help_box or help_box["y"] + help_box["height"] > SMALL_PHONE["height"] or glass.cut():
                found.append((language, help_box, glass.cut()))
    client.close()
    assert found == []
