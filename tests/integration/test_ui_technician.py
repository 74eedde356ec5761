"""The technician's page: what is wrong first, in Dutch; plots, table and log without JavaScript; and empty states."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient

from steunpunt.control import Client
from steunpunt_ui.app import create_app
from steunpunt_ui.desk.passwords import set_password
from tests.fakes.fake_node import Body, FakeNode
from tests.fakes.memory_desk import MemoryDesk
from tests.fakes.ui_sites import NAME, PASSWORD, coordinator_config
from tests.unit.test_doctor_live import healthy

LOG = [
    {"age_s": 90, "level": "INFO", "name": "steunpunt.node.loop", "text": "action=started site=1 role=coordinator"},
    {"age_s": 60, "level": "WARNING", "name": "steunpunt.links.base", "text": "mesh: <b>is the cable in?</b>"},
    {"age_s": 30, "level": "ERROR", "name": "steunpunt.node.loop", "text": "action=cannot_keep reason='disk full'"},
]


def point(age_s: int, percent: int | None) -> Body:
    return {
        "age_s": age_s,
        "percent": percent,
        "hours_left": 81.5,
        "draw_w": None,
        "queue": None,
        "air_ms": 36_000,
        "snr_db": -3.5,
    }


@pytest.fixture(name="folder", scope="module")
def fixture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(name="control", scope="module")
def fixture_control(folder: Path) -> Iterator[Client]:
    client = Client(folder / "node.sock", 2)
    yield client
    client.close()


@pytest.fixture(name="node")
def fixture_node(folder: Path, control: Client) -> Iterator[FakeNode]:
    node = FakeNode(folder / "node.sock")
    node.status = healthy() | {"site": {"id": 1, "role": "coordinator", "name": "x", "place": "y"}}
    del node.status["queue"], node.status["test"]
    node.technician = {"version": "1.2", "trend": [point(1200, 98), point(600, 97), point(0, 97)], "log": LOG}
    yield node
    control.close()
    node.close()


@pytest.fixture(name="web", scope="module")
def fixture_web(folder: Path, control: Client) -> FlaskClient:
    """Give a browser of somebody who is logged in: once, for a password takes its time."""
    set_password(folder / "desk.passwords", NAME, PASSWORD)
    config = coordinator_config(folder / "node.sock", folder / "desk.passwords")
    config = msgspec.structs.replace(config, broker=msgspec.structs.replace(config.broker, bridge=None))
    web = create_app(config, control, MemoryDesk()).test_client()
    web.post("/desk/login", data={"name": NAME, "password": PASSWORD}, headers={"Origin": "http://localhost"})
    return web


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.usefixtures("node")
def test_nobody_sees_it_without_logging_in(tmp_path: Path) -> None:
    config = coordinator_config(tmp_path / "node.sock", tmp_path / "desk.passwords")
    stranger = create_app(config, Client(tmp_path / "node.sock"), MemoryDesk()).test_client()
    assert stranger.get("/desk/techniek").headers["Location"] == "/desk/login"


def test_what_is_wrong_comes_first_and_with_its_mend(web: FlaskClient, node: FakeNode) -> None:
    node.status |= {"can_keep": False, "clock": {"source": "none"}}
    page = web.get("/desk/techniek").text
    found = re.findall(r'<tr class="(\w+)"><td><b>.*?</b></td><th scope="row">(.*?)</th>', page)
    verdicts = [verdict for verdict, _ in found]
    assert verdicts == sorted(verdicts, key=["FAIL", "WARN", "PASS"].index)
    assert ("FAIL", "Register") in found
    told = words(page)
    assert "1 ding is fout" in told
    assert "✗ Fout Register kan niets bewaren maak de schijf vrij of vervang de kaart" in told
    assert "de tijd is niet bekend; de schermen zeggen dat" in told
    assert "✓ Goed Zendtijd 1,00 % van het laatste uur; de wet staat 10 % toe" in told


@pytest.mark.usefixtures("node")
def test_the_plots_hold_the_figures_and_the_table_the_same(web: FlaskClient) -> None:
    page = web.get("/desk/techniek").text
    drawn = [json.loads(html.unescape(raw)) for raw in re.findall(r'data-plot="([^"]+)"', page)]
    assert [plot["key"] for plot in drawn] == ["battery", "airtime", "signal"]
    assert (drawn[0]["values"], drawn[1]["values"], drawn[2]["values"]) == ([98, 97, 97], [36.0] * 3, [-3.5] * 3)
    assert {limit["label"] for limit in drawn[1]["limits"]} == {"grens wet", "grens vragen", "grens levenstekens"}
    assert "20 minuten geleden 98 % 81,5 u \N{EN DASH} 36 s -3,5 dB \N{EN DASH}" in words(page)


@pytest.mark.usefixtures("node")
def test_the_log_is_filtered_by_the_page_itself_and_never_run(web: FlaskClient) -> None:
    everything = web.get("/desk/techniek").text
    assert "<b>is the cable in?</b>" not in everything
    assert everything.index("disk full") < everything.index("is the cable in?") < everything.index("action=started")
    warnings = words(web.get("/desk/techniek?niveau=letop").text)
    assert ("cable" in warnings, "disk full" in warnings, "action=started" in warnings) == (True, True, False)
    assert "action=started" not in words(web.get("/desk/techniek?niveau=fout&zoek=CABLE").text)
    none = words(web.get("/desk/techniek?zoek=geit").text)
    assert "Geen regel past hierbij. Er zijn 3 regels; kies andere woorden." in none
    assert web.get("/desk/techniek?niveau=%3Cscript%3E&zoek=%22%3E%3Cscript%3E").status_code == 200


def test_a_node_that_just_started_has_empty_states_and_no_lines(web: FlaskClient, node: FakeNode) -> None:
    node.technician = {"version": "1.2", "trend": [], "log": []}
    told = words(web.get("/desk/techniek").text)
    assert "Nog geen metingen." in told
    assert "Nog geen regels." in told
    node.technician["trend"] = [point(0, None)]
    page = web.get("/desk/techniek").text
    assert "data-plot" not in page
    assert "Te weinig metingen voor een lijn." in words(page)


def test_a_dead_node_is_said_with_the_mend(web: FlaskClient) -> None:
    reply = web.get("/desk/techniek")
    assert reply.status_code == 200
    assert "✗ Fout Node draait niet sudo systemctl start steunpunt-node" in words(reply.text)


@pytest.mark.usefixtures("node")
def test_a_coordinator_is_offered_no_test_and_asks_nothing_of_the_internet(web: FlaskClient) -> None:
    page = web.get("/desk/techniek").text
    assert "/desk/techniek/" not in page
    for path in ("test", "gereed", "sleutelhouder"):
        assert web.get(f"/desk/techniek/{path}").status_code == 404
    assert re.findall(r'(?:src|href)="(https?:)?//', page) == []
