"""The desk's list of neighbours who offer help: apart from the cases, and by what they can do."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from steunpunt.control import Client
from steunpunt.facts import Facts
from steunpunt.model import Category, Lane, Skill
from steunpunt.values import replace
from steunpunt_ui.app import create_app
from steunpunt_ui.desk.passwords import set_password
from tests.fakes.memory_desk import CASE, MemoryDesk
from tests.fakes.staff_sites import post
from tests.fakes.ui_citizen import words
from tests.fakes.ui_sites import coordinator_config

DRIVES = replace(CASE, id=1, category=Category.OFFER, lane=Lane.OTHER, skill=Skill.TRANSPORT, hours=4)
COOKS = replace(DRIVES, id=2, number="47-2", skill=Skill.FOOD, hours=None, facts=Facts(callback="0612345678"))


@pytest.fixture(name="web")
def fixture_web(tmp_path: Path) -> FlaskClient:
    set_password(tmp_path / "desk.passwords", "Jansen", "brandweer-47")
    desk = MemoryDesk(DRIVES, COOKS, replace(CASE, id=3, number="47-3", text="Wij hebben dorst"))
    config = coordinator_config(tmp_path / "no-node.sock", tmp_path / "desk.passwords")
    web = create_app(config, Client(tmp_path / "no-node.sock"), desk).test_client()
    assert post(web, "/desk/login", name="Jansen", password="brandweer-47").status_code == 303
    return web


def test_offers_are_in_a_list_of_their_own(web: FlaskClient) -> None:
    cases = words(web.get("/desk/"))
    assert "47-3" in cases
    assert "47-1" not in cases
    assert "47-2" not in cases
    offers = words(web.get("/desk/aanbod"))
    assert "vervoer · 4 uur" in offers
    assert "eten · 0612345678" in offers
    assert "47-3" not in offers


def test_the_list_shows_one_skill_when_asked_and_its_part_the_same(web: FlaskClient) -> None:
    for path in ("/desk/aanbod?kunde=FOOD", "/desk/aanbod/stand?kunde=FOOD"):
        listed = web.get(path).text
        assert "47-2</span>" in listed
        assert "47-1</span>" not in listed
    page = web.get("/desk/aanbod?kunde=FOOD").text
    assert 'data-poll="/desk/aanbod/stand?kunde=FOOD"' in page
    assert 'kunde=FOOD" aria-current="true"' in page
    assert "Niemand biedt dit nu aan." in words(web.get("/desk/aanbod?kunde=ANIMALS"))
    assert "47-1</span>" in web.get("/desk/aanbod?kunde=onzin").text


def test_without_a_login_nobody_sees_who_offers_help(web: FlaskClient) -> None:
    web.delete_cookie("desk", path="/desk")
    assert web.get("/desk/aanbod").headers["Location"] == "/desk/login"
    assert web.get("/desk/aanbod/stand").status_code == 401
