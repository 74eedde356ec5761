"""The demo: its check passes and can fail, its world page does what it says, and it leaves no process behind."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask.testing import FlaskClient

from steunpunt.demo.check import Check, CheckFailed
from steunpunt.demo.ports import free_port
from steunpunt.demo.region import COORDINATOR, KIOSKS, STAFF_PIN, Region
from steunpunt.demo.world import World, WorldServer, create_app

pytestmark = [pytest.mark.processes, pytest.mark.broker]

HERE = "http://127.0.0.1"
MARK = "STEUNPUNT_DEMO_RUN"
CHECK_S_MAX = 300
SEEN_S_MAX = 30.0
HUNG_S_MAX = 40.0
"""Two connections without an answer, and the polite part of the restart."""
WaitUntil = Callable[..., None]


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    region = Region(tmp_path_factory.mktemp("demo") / "region", speed=20)
    region.prepare()
    try:
        region.start()
        yield region
    finally:
        region.stop()


@pytest.fixture
def world(region: Region) -> FlaskClient:
    """Give the page with everything whole and running."""
    for name in KIOSKS:
        region.restore_internet(name)
    for name in region.sites:
        region.radio("plug", name)
        region.power_on(name)
    return create_app(World(region)).test_client()


def do(world: FlaskClient, site: str, what: str, origin: str | None = HERE) -> int:
    headers = {"Origin": origin} if origin else {}
    return world.post("/do", data={"site": site, "do": what}, base_url=HERE, headers=headers).status_code


def state(world: FlaskClient) -> dict[str, Any]:
    found = world.get("/state", base_url=HERE).get_json()
    assert isinstance(found, dict)
    return found


def words(world: FlaskClient, key: str) -> str:
    return str(state(world)[key]["text"])


def look(world: FlaskClient, key: str) -> str:
    return str(state(world)[key]["look"])


# --- the world page -------------------------------------------------------------------------------------------------


def test_the_page_shows_every_mark_without_javascript(world: FlaskClient, region: Region) -> None:
    page = world.get("/", base_url=HERE).get_data(as_text=True)
    shown = set(re.findall(r'data-key="([^"]+)"', page))
    assert shown == set(state(world))
    for name, site in region.sites.items():
        assert site.url in page
        for what in ("power_off", "unplug"):
            form = rf'name="site" value="{name}"><button name="do" value="{what}"'
            assert re.search(form, page), (name, what)
    assert '<meta http-equiv="refresh"' in page


def test_the_station_has_one_name(world: FlaskClient, region: Region) -> None:
    page = world.get("/", base_url=HERE).get_data(as_text=True)
    station = region.sites[COORDINATOR].ask("status")["coordinator_name"]
    assert station in page
    assert region.sites[COORDINATOR].title == station


def test_a_cut_cable_is_seen_by_the_kiosk_itself(world: FlaskClient, region: Region, wait_until: WaitUntil) -> None:
    wait_until(lambda: look(world, "kiosk-a.region") == "good", 60, "kiosk A hears the region over the internet")
    assert do(world, "kiosk-a", "cut") == 303
    assert words(world, "kiosk-a.internet") == "kabel doorgeknipt"
    wait_until(lambda: look(world, "kiosk-a.region") == "bad", SEEN_S_MAX, "kiosk A misses the region")
    assert look(world, "kiosk-b.internet") == "good"
    assert do(world, "kiosk-a", "restore") == 303
    wait_until(lambda: region.sites["kiosk-a"].ask("status")["region"]["fresh"], 60, "it hears it again")


def test_an_unplugged_radio_is_gone_for_its_node(world: FlaskClient, wait_until: WaitUntil) -> None:
    wait_until(lambda: look(world, "kiosk-b.mesh") == "good", SEEN_S_MAX, "the node has its radio")
    assert do(world, "kiosk-b", "unplug") == 303
    assert words(world, "kiosk-b.radio") == "losgetrokken"
    assert look(world, "air.kiosk-b.coordinator") == "off"
    wait_until(lambda: look(world, "kiosk-b.mesh") == "bad", SEEN_S_MAX, "the node misses its radio")
    assert do(world, "kiosk-b", "plug") == 303
    wait_until(lambda: look(world, "kiosk-b.mesh") == "good", SEEN_S_MAX, "the node has its radio again")


def test_no_power_means_no_process_no_radio_and_no_answer(
    world: FlaskClient, region: Region, wait_until: WaitUntil
) -> None:
    site = region.sites["kiosk-a"]
    before = [process.pid for process in site.processes.values()]
    assert do(world, "kiosk-a", "power_off") == 303
    assert [pid for pid in before if psutil.pid_exists(pid)] == []
    marks = state(world)
    assert marks["kiosk-a.power"]["text"] == "uit"
    assert marks["kiosk-a.radio"]["text"] == "zonder stroom"
    for key in ("node", "lamp", "buzzer", "mesh", "broker", "region", "queue", "call"):
        assert marks[f"kiosk-a.{key}"] == {"text": "geen antwoord", "look": "unknown", "do": ""}, key
    assert marks["kiosk-a.press.do"]["look"] == "disabled"
    assert do(world, "kiosk-a", "press") == 303
    assert "geeft geen antwoord" in words(world, "problem")
    assert do(world, "kiosk-a", "power_on") == 303
    wait_until(lambda: look(world, "kiosk-a.node") == "good", SEEN_S_MAX, "the node answers again")
    wait_until(lambda: look(world, "kiosk-a.mesh") == "good", SEEN_S_MAX, "with its radio")
    assert words(world, "problem") == ""


def test_a_process_that_ended_is_not_shown_as_running(world: FlaskClient, region: Region) -> None:
    region.kill_part("kiosk-b", "node")
    marks = state(world)
    assert marks["kiosk-b.power"] == {"text": "aan, maar gestopt: de node", "look": "bad", "do": ""}
    assert marks["kiosk-b.lamp"]["text"] == "geen antwoord"


def test_a_radio_that_was_unplugged_stays_so_through_a_power_cut(world: FlaskClient, region: Region) -> None:
    assert do(world, "kiosk-b", "unplug") == 303
    region.power_off("kiosk-b")
    region.power_on("kiosk-b")
    assert words(world, "kiosk-b.radio") == "losgetrokken"
    region.power_off("kiosk-b")
    assert do(world, "kiosk-b", "plug") == 303
    assert words(world, "kiosk-b.radio") == "zonder stroom"
    region.power_on("kiosk-b")
    assert words(world, "kiosk-b.radio") == "aan"


def test_the_coordinator_loses_its_power_too(world: FlaskClient, wait_until: WaitUntil) -> None:
    assert do(world, COORDINATOR, "power_off") == 303
    assert look(world, "coordinator.house") == "off"
    assert do(world, COORDINATOR, "power_on") == 303
    wait_until(lambda: look(world, "coordinator.node") == "good", SEEN_S_MAX, "the coordinator answers again")


def test_the_pressed_button_shows_its_lamp(world: FlaskClient, region: Region, wait_until: WaitUntil) -> None:
    assert words(world, "kiosk-b.call") == "geen oproep"
    assert look(world, "kiosk-b.lamp") == "off"
    assert do(world, "kiosk-b", "press") == 303
    wait_until(lambda: look(world, "kiosk-b.lamp") == "blinking", SEEN_S_MAX, "the lamp blinks")
    # The lamp answers the finger at once, the node a turn later.
    wait_until(
        lambda: re.fullmatch(r"vraagt over \d+ s om hulp", words(world, "kiosk-b.call")),
        SEEN_S_MAX,
        "and the page tells",
    )
    region.sites["kiosk-b"].ask("cancel_call", name="help")
    wait_until(lambda: words(world, "kiosk-b.lamp") == "uit", SEEN_S_MAX, "staff cancelled: the lamp is off")


def test_a_life_threat_is_a_slip_at_the_station_and_its_button_takes_it_up(
    world: FlaskClient, region: Region, wait_until: WaitUntil
) -> None:
    kiosk = region.sites["kiosk-a"]
    form = {"category": "MEDICAL", "life_threat": True, "text": "Kanarie", "people": 1, "callback": ""}
    number = kiosk.ask("submit", token=kiosk.ask("form_token")["token"], language="nl", **form)["number"]
    wait_until(lambda: number in words(world, "coordinator.slip0"), SEEN_S_MAX, "the slip is out")
    assert look(world, "coordinator.lamp") == "blinking"

    def taken() -> bool:
        assert do(world, COORDINATOR, "press") == 303
        return bool(kiosk.ask("ticket", number=number)["state"] == "SEEN")

    wait_until(taken, SEEN_S_MAX, "a press counts once the slip has lain there for a moment", 0.5)


def test_a_broker_that_hangs_is_restarted_as_on_a_device(
    world: FlaskClient, region: Region, wait_until: WaitUntil
) -> None:
    """Stopped in the middle it accepts connections and answers none, as mosquitto 2.0.11 when its bridge spins."""
    site = region.sites["kiosk-b"]
    hung = site.processes["broker"]
    region.kill_part("kiosk-b", "node")
    hung.send_signal(signal.SIGSTOP)
    region.start_part("kiosk-b", "node")
    wait_until(lambda: site.processes["broker"] is not hung, HUNG_S_MAX, "another broker")
    assert hung.poll() is not None
    wait_until(lambda: look(world, "kiosk-b.broker") == "good", SEEN_S_MAX, "the node has its broker again")
    assert not site.restart_request.exists()


def test_a_site_without_power_gets_no_broker_for_an_old_request(world: FlaskClient, region: Region) -> None:
    site = region.sites["kiosk-b"]
    assert do(world, "kiosk-b", "power_off") == 303
    site.restart_request.touch()
    region.restart_hung_brokers()
    assert not site.powered
    before = site.processes["broker"]
    region.power_on("kiosk-b")
    broker = site.processes["broker"]
    region.restart_hung_brokers()
    assert before is not broker is site.processes["broker"], "what was asked before the cut holds no longer"


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:9", "https://elsewhere.example"])
def test_a_form_from_elsewhere_does_nothing(world: FlaskClient, region: Region, origin: str | None) -> None:
    assert do(world, "kiosk-a", "power_off", origin) == 403
    assert region.sites["kiosk-a"].powered


def test_staff_come_in_with_the_pin_that_the_page_names(world: FlaskClient, region: Region) -> None:
    assert f"pincode {STAFF_PIN}" in world.get("/", base_url=HERE).get_data(as_text=True)
    for name in KIOSKS:
        assert region.sites[name].ask("staff_login", pin=STAFF_PIN, road="screen")["session"]
        web = http.client.HTTPConnection("127.0.0.1", region.sites[name].web_port, timeout=10)
        with contextlib.closing(web):
            web.request("GET", "/nl/")
            assert "/staf/" in web.getresponse().read().decode()


def test_another_name_for_this_computer_is_refused(world: FlaskClient) -> None:
    evil = "http://rebound.example"
    reply = world.post("/do", data={"site": "kiosk-a", "do": "power_off"}, base_url=evil, headers={"Origin": evil})
    assert reply.status_code == 400


@pytest.mark.parametrize(("site", "what"), [(COORDINATOR, "cut"), ("kiosk-a", "stop"), ("kiosk-c", "cut"), ("", "")])
def test_what_there_is_not_cannot_be_done(world: FlaskClient, site: str, what: str) -> None:
    assert do(world, site, what) == 400


# --- the check ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("world")
def test_the_check_fails_for_a_case_too_many(region: Region) -> None:
    server = WorldServer(World(region), free_port())
    server.start()
    kiosk, said = region.sites["kiosk-b"], list[str]()

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("\n3"):
            token = kiosk.ask("form_token")["token"]
            kiosk.ask("submit", token=token, category="OTHER", life_threat=False, people=0, text="", callback="")

    try:
        with pytest.raises(CheckFailed, match=r"cases at the desk: .*48-\d+"):
            Check(region, server.url, say).run()
    finally:
        server.stop()
    assert "answer read" in said[-1]


def start_demo(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-m", "steunpunt", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: mark},
    )
    return process, mark


def marked(mark: str) -> list[str]:
    """List the processes that a demo started and that still live."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == mark:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_the_check_passes_and_leaves_nothing(tmp_path: Path) -> None:
    process, mark = start_demo("--check", "--folder", str(tmp_path / "demo"))
    out, err = process.communicate(timeout=CHECK_S_MAX)
    assert process.returncode == 0, out + err
    assert "Good: 47-1, 47-2, 47-3 each arrived exactly once" in out
    assert "came over internet" in out
    assert "came over radio" in out
    assert re.search(r"fail-over +received [\d.]+ s after the cut", out)
    assert "power off" in out
    assert marked(mark) == []


def read_line(process: subprocess.Popen[str], start: str) -> str:
    assert process.stdout
    for line in process.stdout:
        if line.strip().startswith(start):
            return line
    pytest.fail(f"the demo ended without saying {start!r}: {process.stderr.read() if process.stderr else ''}")


@pytest.mark.parametrize(("said", "number"), [("Starting", signal.SIGINT), ("Ctrl-C stops everything", signal.SIGTERM)])
def test_a_signal_ends_all_of_it(said: str, number: signal.Signals) -> None:
    process, mark = start_demo()
    folder = Path(read_line(process, "Starting").split()[-1])
    if said != "Starting":
        read_line(process, said)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, ""), out
    assert "All processes are stopped." in out
    assert marked(mark) == []
    assert not folder.exists()


def test_a_demo_that_is_killed_takes_its_processes_along(tmp_path: Path, wait_until: WaitUntil) -> None:
    process, mark = start_demo("--folder", str(tmp_path / "demo"))
    read_line(process, "Ctrl-C stops everything")
    assert len(marked(mark)) >= 11  # itself, its warden, the radios, and three processes of each site
    process.kill()
    process.communicate(timeout=10)
    wait_until(lambda: not marked(mark), 15, "every process to end")


def test_a_folder_with_too_long_a_path_is_one_line(tmp_path: Path) -> None:
    process, _ = start_demo("--check", "--folder", str(tmp_path / ("d" * 100)))
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.count("\n") == 1, out + err
    assert "choose a shorter one" in err
