"""A first page that was drawn before is the one that would be drawn now, whatever changed; and it is nobody's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from steunpunt.control import Client
from steunpunt_ui.app import create_app
from steunpunt_ui.citizen.drawn import KEPT_S_MAX, PAGE_CHARS_MAX, PAGES_MAX, DrawnPages
from steunpunt_ui.languages import LANGUAGES
from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.ui_sites import kiosk_config

PHONE, OTHER = "10.42.0.57", "10.42.0.58"
SCREEN = "127.0.0.1"
_DOWN, _UP = {"up": False, "reason": "", "since_s": 5}, {"up": True, "reason": "", "since_s": 5}


def call(**fields: object) -> dict[str, Any]:
    return {"name": "deur", "pending_s": None, "number": None} | fields


CHANGES: list[dict[str, Any]] = [
    {"can_keep": False},
    {"links": {"mesh": _DOWN, "broker": _UP}},
    {"links": {"mesh": _UP, "broker": _DOWN}},
    {"links": {"mesh": _DOWN, "broker": _DOWN}},
    {"links": {"mesh": _DOWN, "broker": _UP}, "region": {"fresh": False, "age_s": 130}},
    {"links": {"mesh": _DOWN, "broker": _UP}, "region": {"fresh": False, "age_s": 190}},
    {"region": {"fresh": False, "age_s": None}},
    {"point_state": "EXERCISE"},
    {"point_state": "CLOSED"},
    {"news_count": 1},
    {"news_count": 2},
    {"power": {"state": "battery", "hours_left": 7.5}},
    {"power": {"state": "battery", "hours_left": 6.5}},
    {"buttons": [call(pending_s=28)]},
    {"buttons": [call(pending_s=27)]},
    {"buttons": [call(number="47-1")]},
    {"buttons": [call(number="47-2")]},
    {"buttons": [call(number="47-1"), call(name="balie", pending_s=3)]},
]
"""What a node may say, each beside all being well."""


@pytest.fixture(name="app")
def fixture_app(node: FakeNode, tmp_path: Path) -> Iterator[FlaskClient]:
    """A kiosk with a wifi of its own and room for sounds, of which there are none yet."""
    config = kiosk_config(node.path)
    config = msgspec.structs.replace(
        config,
        web=msgspec.structs.replace(config.web, hotspot_address="10.42.0.1"),
        screen=msgspec.structs.replace(config.screen, audio=str(tmp_path / "audio")),
    )
    client = Client(node.path, timeout_s=5)
    yield create_app(config, client).test_client()
    client.close()


def page(web: FlaskClient, path: str = "/nl/", reader: str = SCREEN) -> str:
    return web.get(path, base_url="http://10.42.0.1/", environ_base={"REMOTE_ADDR": reader}).text


def drawn_now(web: FlaskClient, path: str = "/nl/", reader: str = SCREEN) -> str:
    """The same page, with a question that means nothing: such a page is drawn each time."""
    return page(web, f"{path}?x", reader)


def test_whatever_changes_the_page_is_the_one_that_would_be_drawn_now(app: FlaskClient, node: FakeNode) -> None:
    node.tickets |= {f"47-{at}": ticket_body(f"47-{at}", state) for at, state in ((1, "KEPT"), (2, "RECEIVED"))}
    well, seen = dict(node.status), set()
    for at, change in enumerate([{}, *CHANGES, {}, *reversed(CHANGES), {}]):
        node.status = well | change
        for reader in (SCREEN, f"10.42.1.{at}"):  # each phone has its allowance of pages
            shown = page(app, reader=reader)
            assert shown == drawn_now(app, reader=reader), change
            seen.add(shown)
    node.tickets["47-1"]["state"] = "SEEN"
    node.status = well | {"buttons": [call(number="47-1")]}
    assert page(app) == drawn_now(app)
    assert page(app) not in seen, "a call's state changed"
    assert len(seen) == 2 * (1 + len(CHANGES))


def test_each_language_has_its_own_and_each_phone_is_told_of_the_wifi_until_it_taps(app: FlaskClient) -> None:
    assert len({page(app, f"/{code}/") for code in [*LANGUAGES, *LANGUAGES]}) == len(LANGUAGES)
    asked = page(app, reader=PHONE)
    here, phone = "http://10.42.0.1", {"REMOTE_ADDR": PHONE}
    app.post("/nl/verder", base_url=f"{here}/", headers={"Origin": here}, environ_base=phone)
    assert page(app, reader=PHONE) == drawn_now(app, reader=PHONE)
    assert "/nl/verder" not in page(app, reader=PHONE)
    assert page(app, reader=OTHER) == asked


def test_what_an_address_says_stays_with_who_asked(app: FlaskClient) -> None:
    assert "number=47-1" in page(app, "/nl/?number=47-1")
    assert "47-1" not in page(app)


def test_a_page_is_drawn_again_when_it_is_old_too_long_or_too_many_came_after_it() -> None:
    now, drawn = [0.0], list[str]()
    pages = DrawnPages(lambda: now[0])

    def draw(name: str, size: int = 1) -> str:
        def drawing() -> str:
            drawn.append(name)
            return name * size

        return pages.page(name, drawing)

    draw("a")
    now[0] = KEPT_S_MAX - 0.1
    assert draw("a") == "a"
    assert drawn == ["a"]
    now[0] = KEPT_S_MAX
    draw("a")
    assert drawn == ["a", "a"]
    for number in range(PAGES_MAX - 1):
        draw(f"b{number}")
    draw("a")
    assert drawn.count("a") == 2, "room for all of these, and it was used last"
    for number in range(PAGES_MAX):
        draw(f"c{number}")
    draw("a")
    assert drawn.count("a") == 3
    for _ in range(2):
        draw("l", PAGE_CHARS_MAX + 1)
    assert drawn.count("l") == 2
