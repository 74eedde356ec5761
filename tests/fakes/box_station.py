"""A fire station with a kazernebox: a real coordinator's node, and a point whose messages come on paper."""

import contextlib
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from steunpunt import keyfiles, keymaking
from steunpunt.config import load
from steunpunt.control import Body, Client, ControlError
from steunpunt.engine.accepting import form_key
from steunpunt.engine.kiosk import KioskEngine
from steunpunt.ledger.desk import Case, Desk
from steunpunt.ledger.migrate import migrate
from steunpunt.model import Category
from tests.fakes.sites import MESH_DOWN, MESH_UP, Clock, KioskSite, ended, frames

SITE_ID = 47
_TOML = """\
[site]
role = "coordinator"
id = 1
name = "Kazerne"
place = "Dorpsweg 1"

[region]
name = "Zuid"
coordinator_name = "Kazerne"
fallback_address = "Dorpsweg 1"

[keys]
file = "coordinator.keys"

[radio]
kind = "none"

[broker]
port = {broker}

[ledger]
path = "ledger.db"
key_file = "ledger.key"

[control]
socket = "node.sock"

[web]
desk_passwords_file = "desk.passwords"

[panel]
pins = "mock"
buzzer_pin = 22

[[panel.button]]
name = "take"
button_pin = 17
lamp_pin = 27

[printer]
kind = "network"
host = "127.0.0.1"
port = {printer}

[[point]]
id = 47
name = "De Regenboog"
place = "Kerkplein 1"
"""


class _Point(KioskSite):
    """A kiosk of the region whose keys lie in a file."""

    def __init__(self, folder: Path, key_file: Path) -> None:
        self._key_file = key_file
        super().__init__(folder, Clock(), random.Random(3), SITE_ID)

    def _start(self) -> None:
        self.keys = keyfiles.read_site(self._key_file)
        self.form_key = form_key(self.ledger, self.entropy)
        self.engine = KioskEngine(self.ledger, self.keys, 1, {}, self.form_key, self.entropy)


class BoxStation:
    """See the module; its node can be killed and started again."""

    def __init__(self, folder: Path, broker_port: int, printer_port: int, wait_until: Callable[..., None]) -> None:
        self.folder, self._wait_until = folder / "coordinator", wait_until
        keymaking.make_region(folder / "region.keys", "Zuid")
        keymaking.make_coordinator(folder / "region.keys", 1, self.folder, ["localhost"])
        keymaking.make_site(folder / "region.keys", SITE_ID, folder / "site")
        self._path = self.folder / "site.toml"
        self._path.write_text(_TOML.format(broker=broker_port, printer=printer_port), "utf-8")
        (self.folder / "desk.passwords").touch(0o600)
        migrate(self.folder / "ledger.db")
        self._point = _Point(folder / "point", folder / "site" / "site.keys")
        self._node: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the node and wait until it answers."""
        command = [sys.executable, "-m", "steunpunt", "node", str(self._path)]
        with (self.folder / "node.log").open("ab") as log:
            self._node = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_until(lambda: self.status() is not None, 60, "the node answers")

    def kill(self) -> None:
        """Take its power away: SIGKILL."""
        if self._node is not None:
            self._node.kill()
            self._node.wait(15)
            self._node = None

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

    def box(self) -> Body:
        """Return what the node says of its box; empty while it does not answer."""
        return (self.status() or {}).get("box") or {}

    def life_threat(self, text: str) -> str:
        """A citizen asks at the point, and a runner brings it here; return the number."""
        number = str(self._point.ask(text, category=Category.MEDICAL, life_threat=True)["number"])
        packets, waiting = [], frames(self._point.turn(MESH_UP))
        while waiting:
            packets.append(waiting[0].payload.hex())
            waiting = frames(self._point.turn(ended(waiting[0])))
        self._point.turn(MESH_DOWN)
        self.ask("paper", packets=packets[-1:])
        return number

    def cases(self) -> list[Case]:
        return Desk.open(load(self._path)).cases()
