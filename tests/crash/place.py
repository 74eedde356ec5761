"""A kiosk as a real process in a folder of its own: keys, config, its node, and the people who ask it for help."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from steunpunt import keymaking
from steunpunt.control import Body, Client, ControlError, NotKnownYet, Refused
from tests.conftest import wait_until
from tests.crash.ends import SITE_ID
from tests.crash.strace import DIES_WITH_PARENT

START_S_MAX = 180.0
"""Generous: under strace, on a machine that does much else, a start takes a minute."""
STOP_S_MAX = 120.0
ANSWER_S_MAX = 60.0
NOBODY_PORT = 9
"""Where a kiosk without a radio looks for one: nothing listens there."""
TRIES_MAX = 10
"""How often one form is sent to a disk that refuses, before the citizen gives up."""

_TOML = """\
[site]
role = "kiosk"
id = {site}
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
enabled = false

[ledger]
path = "ledger.db"

[control]
socket = "{socket}"
"""


@dataclass(frozen=True)
class Region:
    """The keys of a region, made once; a kiosk and a coordinator are copied from here."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Region":
        folder.mkdir(parents=True)
        keymaking.make_region(folder / "region.keys", "Proef")
        keymaking.make_coordinator(folder / "region.keys", 1, folder / "coordinator", ["127.0.0.1"])
        keymaking.make_site(folder / "region.keys", SITE_ID, folder / "kiosk")
        return cls(folder)

    @property
    def coordinator(self) -> Path:
        return self.folder / "coordinator"

    def kiosk(self, folder: Path, radio_port: int = NOBODY_PORT, template: Path | None = None) -> "Site":
        """Make a kiosk in a folder; with ``template``, over a copy of the ledger that lies there."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(self.folder / "kiosk" / "site.keys", folder / "site.keys")
        for part in ("ledger.db", "ledger.db-wal") if template else ():
            if template is not None and (template / part).exists():
                shutil.copy2(template / part, folder / part)
        text = _TOML.format(site=SITE_ID, radio_port=radio_port, socket=folder / "node.sock")
        (folder / "site.toml").write_text(text, "utf-8")
        return Site(folder)


@dataclass
class Site:
    """A site's folder and its node."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.db"

    @contextlib.contextmanager
    def node(
        self,
        prefix: list[str] | None = None,
        module: str = "steunpunt",
        environment: dict[str, str] | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run the node until the block ends, and then end it for certain."""
        before = list(DIES_WITH_PARENT) if prefix is None else prefix
        command = [*before, sys.executable, "-m", module, "node", str(self.folder / "site.toml")]
        with (self.folder / "node.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **(environment or {})})
        self.process = process
        try:
            yield process
        finally:
            for pid in (tracee(process), process.pid):
                if pid is not None and process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, 9)
            process.wait()

    def await_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the node answers; False when it ended before."""
        wait_until(lambda: process.poll() is not None or self.answers(), START_S_MAX, f"node: {self.log[-600:]}")
        return process.poll() is None

    def answers(self) -> bool:
        with contextlib.suppress(ControlError), self.client() as ask:
            return bool(ask("status")["ok"])
        return False

    @contextlib.contextmanager
    def client(self) -> Iterator[Callable[..., Body]]:
        client = Client(self.folder / "node.sock", ANSWER_S_MAX)
        try:
            yield client.call
        finally:
            client.close()

    @property
    def log(self) -> str:
        path = self.folder / "node.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""


def tracee(process: subprocess.Popen[bytes]) -> int | None:
    """Return the process that strace watches; None when there is none, or no strace."""
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    except OSError:
        return None
    return int(children[0]) if children else None


def stop_politely(process: subprocess.Popen[bytes]) -> None:
    """End a node as systemd does; TimeoutExpired when it does not end within STOP_S_MAX."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(tracee(process) or process.pid, 15)
    process.wait(STOP_S_MAX)


@dataclass
class Citizens:
    """Who asks for help: what each typed, and the tickets that were *shown*, noted only after the node's answer."""

    mark: str
    typed: dict[str, str] = field(default_factory=dict)
    """Words by form token."""
    tickets: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Number and secret half by form token."""
    refused: Counter[str] = field(default_factory=Counter)

    def ask(self, kiosk: Site, each: int, people: int = 2, until: threading.Event | None = None) -> None:
        """Let ``people`` ask ``each`` times at once, each over a connection of their own, until the node is gone."""
        stop = until or threading.Event()
        crowd = [threading.Thread(target=self._one, args=(kiosk, f"{who}", each, stop)) for who in range(people)]
        for person in crowd:
            person.start()
        for person in crowd:
            person.join()

    def _one(self, kiosk: Site, who: str, each: int, stop: threading.Event) -> None:
        with contextlib.suppress(ControlError), kiosk.client() as ask:
            for number in range(each):
                if stop.is_set():
                    return
                token = str(ask("form_token")["token"])
                self.typed[token] = f"{self.mark} {who}-{number} hulpvraag ééń"
                self.submit(ask, token)

    def submit(self, ask: Callable[..., Body], token: str) -> None:
        """Send a form, and again while the node says that it cannot keep it. Raises ControlError."""
        words = self.typed[token]
        for _ in range(TRIES_MAX):
            try:
                body = ask("submit", token=token, category="SUPPLIES", people=1, text=words, language="nl")
            except Refused as no:
                self.refused[no.code] += 1
                if no.code != "cannot_keep":
                    return
                continue
            except NotKnownYet:
                self.refused["not_known_yet"] += 1
                raise
            self.tickets[token] = (str(body["number"]), str(body["secret"]))
            return

    def ask_again(self, kiosk: Site) -> None:
        """Send each form without a ticket once more, as a page does after *not known yet*."""
        with kiosk.client() as ask:
            for token in sorted(set(self.typed) - set(self.tickets)):
                self.submit(ask, token)

    def faults(self, kiosk: Site) -> list[str]:
        """Look each ticket up with its secret half, and send its form again: it must be there, and be the same one."""
        found = []
        with kiosk.client() as ask:
            for token, (number, secret) in self.tickets.items():
                try:
                    shown = ask("ticket", number=number, secret=secret)
                    again = ask("submit", token=token, category="SUPPLIES", people=1, text=self.typed[token])
                except Refused as no:
                    found.append(f"lost: ticket {number} ({no.code})")
                    continue
                if (shown["number"], again["number"], again["secret"]) != (number, number, secret):
                    found.append(f"twice: the form of {number} now gives {again['number']}")
        numbers = Counter(number for number, _ in self.tickets.values())
        return found + [
            f"twice: number {number} given to {count} people" for number, count in numbers.items() if count > 1
        ]

    def words(self) -> Counter[tuple[str, str]]:
        """What must be at the desk, once each."""
        return Counter((number, self.typed[token]) for token, (number, _) in self.tickets.items())
