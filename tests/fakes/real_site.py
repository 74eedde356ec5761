"""A whole kiosk without its screens: virtual radios, a real mosquitto and the node as a process of its own."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from steunpunt import keymaking
from steunpunt.config import Config, load
from steunpunt.control import Body, Client, ControlError
from steunpunt.sim import RadioSpec, VirtualRadios
from tests.fakes.brokers import Mosquitto

CHANNEL_KEY = bytes(range(16))
SITE_ID = 47
HELP_TEXT = "vierkante watermeloen"
OURS, OTHER = 0xA1B2C3D4, 0x11223344
Wait = Callable[..., None]

_TOML = """\
[site]
role = "kiosk"
id = 47
name = "Buurthuis"
place = "Kerkplein 1"

[region]
name = "Zuid"
coordinator_name = "Kazerne"
fallback_address = "Weg 1"

[keys]
file = "site.keys"

[radio]
kind = "tcp"
port = {radio}

[broker]
port = {broker}
password_file = "broker/node.password"
{more}
[ledger]
path = "ledger.db"

[control]
socket = "node.sock"

[panel]
pins = "mock"

[[panel.button]]
name = "help"
button_pin = 17
lamp_pin = 27
"""


class RealSite:
    """See the module; each part can be taken away and given back."""

    def __init__(self, folder: Path, ports: tuple[int, int], more: str, wait_until: Wait) -> None:
        """``ports`` are the radio's and the broker's; ``more`` stands below ``[broker]``."""
        self.folder, self._wait_until = folder, wait_until
        folder.mkdir(parents=True, exist_ok=True)
        keymaking.make_region(folder / "region.keys", "Zuid")
        keymaking.make_coordinator(folder / "region.keys", 1, folder / "coordinator", ["localhost"])
        keymaking.make_site(folder / "region.keys", SITE_ID, folder)
        path = folder / "site.toml"
        path.write_text(_TOML.format(radio=ports[0], broker=ports[1], more=more), "utf-8")
        self.config: Config = load(path)
        self.broker = Mosquitto(self.config, folder / "broker", wait_until)
        self.broker.write()
        channels = (("", b"\x01"), ("serial", CHANNEL_KEY))
        self.radios = VirtualRadios(
            [
                RadioSpec("own", ports[0], OURS, channels, "Buurthuis", nodeinfo_interval_s=0, telemetry_interval_s=0),
                RadioSpec("other", 0, OTHER, channels, "Ander", nodeinfo_interval_s=0, telemetry_interval_s=0),
            ],
            speed=20,
            seed=1,
        )
        self.node: subprocess.Popen[bytes] | None = None

    def start_node(self) -> None:
        """Start the node and wait until it answers."""
        command = [sys.executable, "-m", "steunpunt", "node", str(self.folder / "site.toml")]
        with (self.folder / "node.log").open("ab") as log:
            self.node = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until(lambda: self.status() is not None, 30, "the node answers")

    def stop_node(self) -> None:
        if self.node is not None:
            self.node.terminate()
            self.node.wait(15)
            self.node = None

    @property
    def log(self) -> str:
        return (self.folder / "node.log").read_text("utf-8", "replace")

    @property
    def rss_mib(self) -> float:
        assert self.node is not None
        return float(psutil.Process(self.node.pid).memory_info().rss) / 2**20

    def ask(self, op: str, **fields: object) -> Body:
        client = Client(self.folder / "node.sock")
        try:
            return client.call(op, **fields)
        finally:
            client.close()

    def status(self) -> Body | None:
        with contextlib.suppress(ControlError):
            return self.ask("status")
        return None

    def up(self, link: str) -> bool:
        status = self.status()
        return status is not None and bool(status["links"][link]["up"])

    def reason(self, link: str) -> str:
        status = self.status()
        return "" if status is None else str(status["links"][link]["reason"])

    def counter(self, name: str) -> int:
        status = self.status()
        return 0 if status is None else int(status["counters"].get(name, 0))

    def ask_for_help(self) -> str:
        """Send a help form as the screens do, and return the ticket's number."""
        token = self.ask("form_token")["token"]
        form = {"category": "SUPPLIES", "life_threat": False, "people": 1, "text": HELP_TEXT, "callback": ""}
        return str(self.ask("submit", token=token, language="nl", **form)["number"])


@contextmanager
def real_site(folder: Path, free_port: Callable[[], int], wait_until: Wait, more: str = "") -> Iterator[RealSite]:
    site = RealSite(folder, (free_port(), free_port()), more, wait_until)
    with site.radios:
        try:
            site.broker.start()
            site.start_node()
            wait_until(lambda: site.up("mesh") and site.up("broker"), 20, "both links are up")
            yield site
        finally:
            site.stop_node()
            site.broker.kill()


def last_json(heard: list[tuple[str, bytes]], topic: str) -> Body:
    """Return the last JSON object that came on a topic, {} when none did."""
    found = [payload for where, payload in heard if where == topic]
    body: Body = json.loads(found[-1]) if found else {}
    return body
