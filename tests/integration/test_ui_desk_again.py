"""Logged out in the middle of something at the desk, by a power cut or the end of a shift: no typed word is lost."""

import io
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from steunpunt.control import Client
from steunpunt.facts import Place
from steunpunt.model import Lane
from steunpunt.values import replace
from steunpunt_ui.app import create_app
from steunpunt_ui.desk.passwords import set_password
from tests.fakes.memory_desk import CASE, MemoryDesk
from tests.fakes.ui_sites import NAME, PASSWORD, coordinator_config
from tests.integration.test_ui_desk import HOME, log_in, token_of

FLAT = "رقم الشقة 12 B"
CODES = "\n\n".join(["0056PE7 T00R1GF 06DBW9K WF35SY6 KPE4XDE"] * 100)
"""Typed groups, more than one long request has."""
PLACE = Place(access=FLAT)


@pytest.fixture(name="desk", scope="module")
def fixture_desk() -> MemoryDesk:
    danger = replace(CASE, id=2, number="52-4", lane=Lane.LIFE_THREAT, life_threat=True)
    return MemoryDesk(replace(CASE, id=1, number="47-1", text=FLAT, facts=replace(CASE.facts, place=PLACE)), danger)


@pytest.fixture(name="web", scope="module")
def fixture_web(tmp_path_factory: pytest.TempPathFactory, desk: MemoryDesk) -> FlaskClient:
    folder: Path = tmp_path_factory.mktemp("desk")
    set_password(folder / "desk.passwords", NAME, PASSWORD)
    config = coordinator_config(folder / "no-node.sock", folder / "desk.passwords")
    return create_app(config, Client(folder / "no-node.sock"), desk).test_client()


def post(web: FlaskClient, path: str, **fields: str) -> TestResponse:
    return web.post(path, data=fields, headers={"Origin": HOME})


def take_up(desk: MemoryDesk, case_id: int) -> None:
    if not desk.case(case_id).seen_by:
        desk.take_up(case_id, NAME, token=f"take up {case_id}")


def again(web: FlaskClient, page: TestResponse) -> TestResponse:
    """Log in on the page that a form got for an answer, with all that stands in it."""
    back = page.text.split('name="back" value="')[1].split('"')[0]
    kept = page.text.split("readonly>")[1].split("</textarea>")[0] if "readonly>" in page.text else ""
    return post(web, "/desk/login", name=NAME, password=PASSWORD, back=back, typed=kept)


@pytest.mark.parametrize(
    ("path", "field", "typed", "back"),
    [
        ("/desk/melding/1/antwoord", "text", "Er komt een auto", "/desk/melding/1"),
        ("/desk/papier", "codes", CODES, "/desk/papier"),
        ("/desk/berichten/nieuw", "headline", "Stroom uit", "/desk/berichten"),
    ],
)
def test_what_was_typed_comes_back_with_the_way_to_where_it_was(
    web: FlaskClient, path: str, field: str, typed: str, back: str
) -> None:
    web.delete_cookie("desk", path="/desk")
    page = post(web, path, token="old", **{field: typed})
    assert (page.status_code, f"readonly>{typed}</textarea>" in page.text) == (403, True)
    told = again(web, page).text
    assert f"readonly>{typed}</textarea>" in told
    assert f'<a class="button" href="{back}">' in told


def test_a_press_without_words_leads_to_the_case_after_logging_in(web: FlaskClient) -> None:
    web.delete_cookie("desk", path="/desk")
    page = post(web, "/desk/melding/1/oppakken", token="old")
    assert again(web, page).headers["Location"] == "/desk/melding/1"


@pytest.mark.parametrize("back", ["https://elders.example/", "//elders", "/desk/melding/1/afsluiten", "/desk/logout"])
def test_one_goes_on_to_a_page_of_the_desk_only(web: FlaskClient, back: str) -> None:
    told = post(web, "/desk/login", name=NAME, password=PASSWORD, back=back)
    assert told.headers["Location"] == "/desk/"


def test_a_form_from_before_logging_in_again_keeps_its_words(web: FlaskClient, desk: MemoryDesk) -> None:
    """After a power cut a person logs in on one tab and sends on the other what stood there."""
    log_in(web)
    take_up(desk, 1)
    token = token_of(web.get("/desk/melding/1"), "antwoord")
    web.delete_cookie("desk", path="/desk")
    log_in(web)
    acts = len(desk.acts)
    told = post(web, "/desk/melding/1/antwoord", token=token, function="FIRE_CREW", text="Kom <b>nu</b>")
    assert (told.status_code, len(desk.acts)) == (403, acts)
    assert "readonly>Kom &lt;b&gt;nu&lt;/b&gt;</textarea>" in told.text
    assert '<a class="button" href="/desk/melding/1">' in told.text


def test_photos_that_came_too_late_lead_to_the_login(web: FlaskClient) -> None:
    web.delete_cookie("desk", path="/desk")
    photo = FileStorage(io.BytesIO(bytes(1_000_000)), "foto.png")
    boundary, body = encode_multipart({"token": "old", "photo": photo})  # in memory, as a browser does
    kind = f"multipart/form-data; boundary={boundary}"
    told = web.post("/desk/papier", data=body, headers={"Origin": HOME}, content_type=kind)
    assert (told.status_code, told.headers["Location"]) == (303, "/desk/login")


# --- what a person reads --------------------------------------------------------------------------------------------


def test_words_from_right_to_left_stand_in_their_own_order(web: FlaskClient) -> None:
    """Else "12 B" is torn apart: 12 at the left end and B at the right."""
    log_in(web)
    assert f'<span class="text" dir="auto">{FLAT}</span>' in web.get("/desk/").text
    case = web.get("/desk/melding/1").text
    assert f'<blockquote dir="auto">{FLAT}</blockquote>' in case


def test_a_life_in_danger_is_passed_on_before_it_is_answered(web: FlaskClient, desk: MemoryDesk) -> None:
    log_in(web)
    for case_id, order in ((1, ["Antwoord", "Doorgeven"]), (2, ["Doorgeven", "Antwoord"])):
        take_up(desk, case_id)
        page = web.get(f"/desk/melding/{case_id}").text
        acts = {name: page.index(f"<summary>{name}</summary>") for name in order}
        assert sorted(order, key=acts.__getitem__) == order
        assert ("<details open><summary>Doorgeven" in page) is (case_id == 2)
