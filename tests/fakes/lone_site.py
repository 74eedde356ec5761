"""A kiosk alone: keys and config made for it, its node and web as real processes, and nothing around it."""

import contextlib
import html
import http.client
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from steunpunt import keymaking
from steunpunt.control import Body, Client, ControlError

START_S_MAX = 30.0
STOP_S_MAX = 15.0
PAGE_S_MAX = 15.0
SITE_ID = 47
Wait = Callable[..., None]

_TOML = """\
[site]
role = "kiosk"
id = {site_id}
name = "Buurthuis De Regenboog"
place = "Kerkplein 1, Maastricht"

[region]
name = "Proef"
coordinator = 1
coordinator_name = "Brandweerkazerne Noord"
fallback_address = "Willem Alexanderweg 1, Maastricht"

[keys]
file = "site.keys"

[radio]
kind = "tcp"
port = {radio_port}

[broker]
enabled = {broker}
port = {broker_port}
password_file = "broker.password"

[ledger]
path = "data/ledger.db"

[control]
socket = "node.sock"

[web]
port = {web_port}

[panel]
pins = "{pins}"
buzzer_pin = 22

[[panel.button]]
name = "help"
button_pin = 17
lamp_pin = 27
cancel_s = 60
"""


def steunpunt(*arguments: object) -> list[str]:
    """The command line as a technician types it, with this Python."""
    return [sys.executable, "-m", "steunpunt", *(str(argument) for argument in arguments)]


def run(*arguments: object, prefix: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [*prefix, *steunpunt(*arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=START_S_MAX, check=False)


def one_line_of(done: subprocess.CompletedProcess[str]) -> str:
    """The error of a command that failed as every command should: one line on standard error, exit code 1."""
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line[:11]) == (1, "steunpunt: "), done.stderr
    return line


@dataclass(frozen=True)
class Reply:
    """One answer of a site's screens."""

    status: int
    location: str
    text: str

    @property
    def words(self) -> str:
        """The page as a reader sees it, in one line."""
        seen = re.sub(r'<div id="stale".*?</div></div>', "", self.text, flags=re.DOTALL)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", seen)).split())

    def hidden(self, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', self.text)
        assert found, f"no hidden field {name} in: {self.words}"
        return html.unescape(found[1])


def page(port: int, path: str, fields: dict[str, str] | None = None) -> Reply:
    """Get a page, or send a form from a page of that same address."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PAGE_S_MAX)
    try:
        headers = {"Origin": f"http://127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}
        body = None if fields is None else urllib.parse.urlencode(fields, errors="surrogateescape")
        connection.request("GET" if fields is None else "POST", path, body, headers)
        response = connection.getresponse()
        return Reply(response.status, response.headers.get("Location") or "", response.read().decode())
    finally:
        connection.close()


class LoneSite:
    """See the module. The ports of radio and broker are free: nothing listens there until the test lets it."""

    def __init__(self, folder: Path, free_port: Callable[[], int], wait_until: Wait) -> None:
        self.folder, self.wait_until = folder, wait_until
        self.radio_port, self.broker_port, self.web_port = free_port(), free_port(), free_port()
        self.config = folder / "site.toml"
        self.region_keys = folder / "region.keys"
        self.ledger = folder / "data" / "ledger.db"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def make(self, *, pins: str = "mock", broker: bool = True) -> None:
        """Make its keys and config."""
        self.folder.mkdir(parents=True, exist_ok=True)
        keymaking.make_region(self.region_keys, "Proef")
        keymaking.make_coordinator(self.region_keys, 1, self.folder / "coordinator", ["127.0.0.1"])
        keymaking.make_site(self.region_keys, SITE_ID, self.folder)
        self.write(pins=pins, broker=broker)

    def write(self, *, pins: str = "mock", broker: bool = True, site_id: int = SITE_ID) -> None:
        """Write its config."""
        ports = {"radio_port": self.radio_port, "broker_port": self.broker_port, "web_port": self.web_port}
        text = _TOML.format(**ports, pins=pins, broker=str(broker).lower(), site_id=site_id)
        self.config.write_text(text, "utf-8")

    def switch_radio_on(self) -> None:
        """Let a virtual radio with the region's channel listen where the node looks for one."""
        radio = ["--radio", f"a:{self.radio_port}", "--channel-keys", str(self.region_keys)]
        self.spawn("radio", steunpunt("virtual-radio", *radio))

    def spawn(self, name: str, command: list[str]) -> None:
        """Start a process, its output in ``name.log``."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def start(self, *parts: str) -> None:
        """Start ``node`` or ``web`` and wait until it answers."""
        ready = {"node": self.node_answers, "web": self.web_answers}
        for part in parts:
            python, *rest = steunpunt(part, self.config)
            self.spawn(part, [python, *(["-OO"] if part == "node" else []), *rest])  # the node as its unit starts it
            self.wait_until(self._or_ended(part, ready[part]), START_S_MAX, f"{part} answers")

    def _or_ended(self, part: str, ready: Callable[[], bool]) -> Callable[[], bool]:
        def look() -> bool:
            assert self.processes[part].poll() is None, self.log(part)
            return ready()

        return look

    def node_answers(self) -> bool:
        """Whether the node answers and knows of each link how it is."""
        with contextlib.suppress(ControlError):
            return all(link["reason"] != "not started yet" for link in self.ask("status")["links"].values())
        return False

    def web_answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self.get("/nl/").status == 200
        return False

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")

    def ask(self, op: str, **fields: object) -> Body:
        client = Client(self.folder / "node.sock", timeout_s=10)
        try:
            return client.call(op, **fields)
        finally:
            client.close()

    def get(self, path: str) -> Reply:
        return page(self.web_port, path)

    def post(self, path: str, **fields: str) -> Reply:
        return page(self.web_port, path, fields)

    def stop(self) -> None:
        """End what was started here, by its own process id."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
