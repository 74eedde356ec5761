"""A coordinator's node killed between a piece's arrival, its commit, its receipt and its PUBACK.

A real mosquitto stands between; the kiosk is an engine in the rig's process, over a ledger of its own. What it has a
receipt for must be a case in the ledger that the killed node left behind; in the end each request is one case.
"""

import contextlib
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from steunpunt.config import Broker
from steunpunt.links.topics import ROOT
from steunpunt.model import Effect, Event, LinkName, Role
from tests.conftest import wait_until
from tests.crash import strace
from tests.crash.ends import (
    SITE_ID,
    KioskEnd,
    Words,
    cases,
    check_integrity,
    coordinator_end,
    fresh_coordinator,
    kiosk_end,
)
from tests.crash.kiosk_kills import Choose, Tally, compare
from tests.crash.place import Region, Site, stop_politely
from tests.crash.report import Outcome, in_time, tell
from tests.crash.strace import Point
from tests.fakes.broker_clients import Tool, tool
from tests.fakes.brokers import Mosquitto, mosquitto, site_config
from tests.fakes.sites import BRIDGE_UP, BROKER_UP, answer_in, ended, frames, heard, help_form, new_ledger

REQUESTS, AT_ONCE = 8, 2
ROAD_S_MAX = 20.0
LOOK_S = 0.01
LATE_S = 0.1
"""How long the broker may take to pass on what a killed node still sent."""
RETRY_S = 150.0

_TOML = """\
[site]
role = "coordinator"
id = 1
name = "Coordinatiepunt Noord"
place = "Willem Alexanderweg 1, Maastricht"

[region]
name = "Proef"
coordinator = 1
coordinator_name = "Brandweerkazerne Noord"
fallback_address = "Willem Alexanderweg 1, Maastricht"

[keys]
file = "coordinator.keys"

[radio]
kind = "none"

[broker]
port = {port}
password_file = "{password_file}"

[ledger]
path = "ledger.db"
key_file = "ledger.key"

[control]
socket = "{socket}"

[web]
desk_passwords_file = "desk.passwords"
"""


@dataclass
class Road:
    """The kiosk's end: its engine, and a client that publishes and hears as its broker's bridge would."""

    kiosk: KioskEnd
    client: Tool
    read: int = 0

    def look(self) -> list[Event]:
        """Return what came over the broker since the last look."""
        new = self.client.heard[self.read :]
        self.read += len(new)
        return [heard(payload, LinkName.BROKER) for _, payload in new]

    def turn(self, *events: Event) -> list[Effect]:
        """Let the kiosk take events, publish what it sends, and tell it that the broker took it."""
        told: list[Event] = list(events)
        effects: list[Effect] = []
        while told:
            effects += (now := self.kiosk.turn(*told))
            sent = frames(now, LinkName.BROKER)
            for frame in sent:
                self.client.publish(f"{ROOT}/up/{SITE_ID}", frame.payload)
            told = [ended(frame) for frame in sent]
        return effects

    def ask(self, words: str) -> str:
        """Ask for help; returns the ticket's number."""
        return str(answer_in(self.turn(help_form(self.kiosk.token(), words)))["number"])

    def carry(self, going_on: Callable[[], bool]) -> None:
        """Carry until nothing waits, or no longer ``going_on``."""
        pause = threading.Event()
        for _ in range(int(ROAD_S_MAX / LOOK_S)):
            if not self.kiosk.waiting() or not going_on():
                return
            self.turn(*self.look(), BRIDGE_UP)
            pause.wait(LOOK_S)


@dataclass
class Scene:
    """The coordinator, whose ledger goes on from run to run as its incarnation must; its broker; and the kiosk."""

    site: Site
    road: Road


def _site(region: Region, folder: Path, broker: Mosquitto) -> Site:
    fresh_coordinator(region.coordinator, folder)
    port, socket = broker.config.broker.port, folder / "node.sock"
    text = _TOML.format(port=port, password_file=broker.password_file, socket=socket)
    (folder / "site.toml").write_text(text, "utf-8")
    return Site(folder)


@contextlib.contextmanager
def scene(region: Region, folder: Path, port: int) -> Iterator[Scene]:
    place = folder / "kiosk"
    place.mkdir(parents=True)
    shutil.copy2(region.folder / "kiosk" / "site.keys", place / "site.keys")
    new_ledger(place / "ledger.db")
    config = site_config(Role.COORDINATOR, 1, Broker(port=port))
    with mosquitto(config, folder / "broker", wait_until) as broker:
        acl = broker.folder / "files" / "acl"
        # As the bridge's own listener lets a site publish; here a plain account stands for it.
        acl.write_text(acl.read_text("utf-8") + f"\nuser reader\ntopic readwrite {ROOT}/#\n", "utf-8")
        broker.stop()
        broker.start()
        with tool(port, "reader") as client, kiosk_end(place) as kiosk:
            client.subscribe(f"{ROOT}/down/{SITE_ID}", f"{ROOT}/down/all")
            road = Road(kiosk, client)
            road.turn(BROKER_UP, BRIDGE_UP)
            yield Scene(_site(region, folder / "desk", broker), road)


def ask_all(made: Scene, mark: str, process: subprocess.Popen[bytes]) -> Words:
    """Ask some at a time and carry, as long as the node lives; returns what was asked."""
    asked = Words()
    for first in range(0, REQUESTS, AT_ONCE):
        for number in range(first, first + AT_ONCE):
            words = f"{mark} {number} hulpvraag ééń"
            asked[made.road.ask(words), words] += 1
        made.road.carry(lambda: process.poll() is None)
    return asked


def receipted(kiosk: KioskEnd) -> set[tuple[bytes, int]]:
    rows = kiosk.ledger.connection.exec_driver_sql("SELECT eid, n FROM messages WHERE receipted_ms IS NOT NULL").all()
    return {(row.eid, row.n) for row in rows}


def in_ledger(path: Path) -> set[tuple[bytes, int]]:
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True)
    try:
        return {(eid, n) for eid, n in connection.execute("SELECT eid, n FROM cases")}
    finally:
        connection.close()


@dataclass
class Run:
    """What one run left behind."""

    mark: str
    asked: Words
    log: Path
    exit_code: int


def watched(made: Scene, name: str, *inject: str) -> Run:
    site, log = made.site, made.site.folder / "strace.log"
    with site.node(strace.prefix(log, *inject)) as process:
        asked = ask_all(made, name, process) if site.await_ready(process) else Words()
        if process.poll() is None:
            stop_politely(process)
        exit_code = process.wait()
    threading.Event().wait(LATE_S)
    made.road.turn(*made.road.look())
    return Run(name, asked, log, exit_code)


def judge(made: Scene, run: Run) -> list[str]:
    """Hold the ledger against the receipts, start the node again plainly, and carry what waits."""
    ledger = made.site.ledger
    unkept = receipted(made.road.kiosk) - in_ledger(ledger)
    found = [f"receipt without a case: {len(unkept)}"] if unkept else []
    with made.site.node() as process:
        if not made.site.await_ready(process):
            return [f"it does not start again: {made.site.log[-300:]}"]
        made.road.kiosk.clock.advance_s(RETRY_S)
        made.road.carry(lambda: process.poll() is None)
        stop_politely(process)
    found += [f"lost: {made.road.kiosk.waiting()} without receipt"] if made.road.kiosk.waiting() else []
    words = check_integrity(ledger)
    found += [f"integrity: {words}"] if words != "ok" else []
    with coordinator_end(made.site.folder) as center:
        mine = Words({key: count for key, count in cases(center).items() if key[1].split()[0] == run.mark})
        return found + compare(mine, run.asked)


def strike(made: Scene, points: list[Point], minutes: float) -> Tally:
    tally = Tally()
    for number, point in enumerate(in_time(points, minutes)):
        run = watched(made, f"c{number}", point.inject)
        faults = judge(made, run)
        if strace.struck(run.log, point):
            tally.struck[point.call] += 1
            tally.tickets += sum(run.asked.values())
        else:
            tally.missed += 1
        tally.faults += [f"coordinator, {point.call} {point.when}: {fault}" for fault in faults]
        if number % 25 == 24:
            tell(f"coordinator: {number + 1} of {len(points)} points, {len(tally.faults)} faults")
    return tally


def measure(region: Region, folder: Path, choose: Choose, minutes: float) -> list[Outcome]:
    """Kill a coordinator's node at the points that ``choose`` returns."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    with scene(region, folder, port) as made:
        run = watched(made, "census")
        faults = judge(made, run)
        if faults or run.exit_code:
            raise RuntimeError(f"a run that nothing stopped went wrong (exit {run.exit_code}): {faults}")
        counted = strace.census(run.log)
        tell(f"coordinator: calls of a whole run, {len(counted.points)} points")
        print("\n".join(counted.lines()), flush=True)
        tally = strike(made, choose(counted.points), minutes)
    return [Outcome("SIGKILL, coordinator", f"{tally.line()}; {tally.tickets} requests on their way", tally.faults)]
