"""A real coordinator with two radios, each within earshot of another kiosk; one is pulled out in the middle."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from steunpunt import keyfiles, keymaking
from steunpunt.control import Body, Client, ControlError
from steunpunt.ledger.desk import Desk
from steunpunt.sim import RadioSpec, VirtualRadios

Wait = Callable[..., None]
KEY = bytes(range(16))
SPEED = 20
SOON_S = 60
NEAR, FAR = 47, 48
_SITE = """
[site]
role = "{role}"
id = {id}
name = "{id}"
place = "Kerkplein 1"
[region]
name = "Zuid"
coordinator_name = "Kazerne"
fallback_address = "Weg 1"
[keys]
file = "{keys}"
[radio]
kind = "tcp"
port = {port}
[broker]
enabled = false
[control]
socket = "node.sock"
[ledger]
path = "ledger.db"
"""
_MORE = """
key_file = "ledger.key"
[web]
desk_passwords_file = "desk.passwords"
[[extra_radio]]
name = "hill"
kind = "tcp"
port = {port}
"""


class Place:
    """One site's node, as a process of its own."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.path = folder / "site.toml"
        self.path.write_text(text, "utf-8")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "node.log").open("ab") as log:
            command = [sys.executable, "-m", "steunpunt", "node", str(self.path)]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(15)

    def ask(self, op: str, **fields: object) -> Body:
        with contextlib.closing(Client(self.folder / "node.sock")) as client:
            return client.call(op, **fields)

    def status(self) -> Body:
        with contextlib.suppress(ControlError):
            return self.ask("status")
        return {}

    def up(self) -> bool:
        status = self.status()
        return bool(status) and bool(status["links"]["mesh"]["up"])

    def ask_for_help(self, text: str) -> str:
        token = self.ask("form_token")["token"]
        form = {"category": "SUPPLIES", "life_threat": False, "people": 1, "text": text, "callback": ""}
        return str(self.ask("submit", token=token, language="nl", **form)["number"])

    def state(self, number: str) -> str:
        return str(self.ask("ticket", number=number)["state"])


class TwoRadios:
    """The region of the tests: near its own radio, far the one on the hill; neither hears the other's."""

    def __init__(self, folder: Path, radios: VirtualRadios) -> None:
        self.radios = radios
        region = folder / "region.keys"
        keymaking.make_region(region, "Zuid")
        keymaking.make_coordinator(region, 1, folder / "center", ["localhost"])
        self.kiosks = {number: self._kiosk(folder, region, number) for number in (NEAR, FAR)}
        text = _SITE.format(role="coordinator", id=1, keys="coordinator.keys", port=radios.port("main"))
        self.center = Place(folder / "center", text + _MORE.format(port=radios.port("hill")))
        ledger_key = keyfiles.read_ledger_key(folder / "center" / "ledger.key")
        self.desk = Desk(folder / "center" / "ledger.db", ledger_key)

    def _kiosk(self, folder: Path, region: Path, number: int) -> Place:
        keymaking.make_site(region, number, folder / str(number))
        text = _SITE.format(role="kiosk", id=number, keys="site.keys", port=self.radios.port(str(number)))
        return Place(folder / str(number), text)

    def radios_up(self) -> dict[str, bool]:
        return {name: radio["up"] for name, radio in self.center.status().get("radios", {}).items()}

    def texts(self) -> list[str]:
        return sorted(case.text for case in self.desk.cases())

    def take_up(self, text: str) -> None:
        (case,) = [case for case in self.desk.cases() if case.text == text]
        self.desk.take_up(case.id, "Jansen", token=text)
        self.center.ask("bell")


@pytest.fixture
def region(tmp_path: Path, wait_until: Wait) -> Iterator[TwoRadios]:
    channels = (("", b"\x01"), ("serial", KEY))
    names = ("main", "hill", str(NEAR), str(FAR))
    specs = [RadioSpec(name, channels=channels, nodeinfo_interval_s=0, telemetry_interval_s=0) for name in names]
    with VirtualRadios(specs, speed=SPEED, seed=1) as radios, ExitStack() as stack:
        apart = [("main", str(FAR)), ("hill", str(NEAR)), (str(NEAR), str(FAR)), ("main", "hill")]
        for one, other in apart:
            radios.set_link(one, other, audible=False)
        made = TwoRadios(tmp_path, radios)
        for place in (made.center, *made.kiosks.values()):
            stack.callback(place.stop)
            place.start()
        wait_until(lambda: made.radios_up() == {"main": True, "hill": True}, 60, "both radios serve")
        wait_until(lambda: all(kiosk.up() for kiosk in made.kiosks.values()), 60, "the kiosks' radios serve")
        yield made


@pytest.mark.processes
def test_two_radios_hear_different_kiosks_and_one_is_pulled_in_the_middle(region: TwoRadios, wait_until: Wait) -> None:
    near, far = region.kiosks[NEAR], region.kiosks[FAR]
    numbers = {NEAR: near.ask_for_help("dichtbij"), FAR: far.ask_for_help("ver weg")}
    for number, kiosk in region.kiosks.items():
        wait_until(lambda k=kiosk, n=numbers[number]: k.state(n) == "RECEIVED", SOON_S, "a receipt")
    assert region.texts() == ["dichtbij", "ver weg"]

    region.radios.unplug("hill")
    wait_until(lambda: region.radios_up() == {"main": True, "hill": False}, 20, "it is missed")
    status = region.center.status()
    assert status["links"]["mesh"]["up"], "one radio is a road"
    told = subprocess.run(
        [sys.executable, "-m", "steunpunt", "status", str(region.center.path)],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert told.returncode == 1
    assert "  DOWN mesh hill: " in told.stdout
    assert "  up   mesh main: " in told.stdout
    assert 'steunpunt_radio_up{radio="hill"} 0' in region.center.ask("metrics")["text"]

    region.take_up("dichtbij")
    wait_until(lambda: near.state(numbers[NEAR]) == "SEEN", SOON_S, "the other radio's kiosk goes on")
    more = near.ask_for_help("nog iets")
    wait_until(lambda: near.state(more) == "RECEIVED", SOON_S, "a receipt while one radio is gone")

    region.radios.plug("hill")
    wait_until(lambda: region.radios_up() == {"main": True, "hill": True}, 20, "it is back")
    again = far.ask_for_help("weer te horen")
    wait_until(lambda: far.state(again) == "RECEIVED", SOON_S, "a receipt by the radio that is back")
    region.take_up("ver weg")
    wait_until(lambda: far.state(numbers[FAR]) == "SEEN", SOON_S, "a reply by that radio")
    assert region.texts() == ["dichtbij", "nog iets", "ver weg", "weer te horen"]


@pytest.mark.processes
def test_each_radio_is_set_and_shown_by_its_name(region: TwoRadios) -> None:
    region.center.stop()

    def show(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "steunpunt", "radio", "show", str(region.center.path), "--radio", name]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    for name in ("main", "hill"):
        shown = show(name)
        assert shown.returncode == 0, shown.stderr
        assert f"long name        {name}" in shown.stdout
    refused = show("tower")
    assert refused.stderr.endswith("no radio is called 'tower'; the radios here are: main, hill\n")
