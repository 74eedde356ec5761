"""Both ends of the road in the rig's own process: real engines over the ledgers that real nodes left behind.

A kiosk's ledger is judged by what it is for: every request in it is handed to a coordinator, and must make one case
there with its words unchanged.
"""

import contextlib
import functools
import queue
import random
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from steunpunt import keyfiles
from steunpunt.config import Radio
from steunpunt.engine.accepting import form_key
from steunpunt.engine.coordinator import CoordinatorEngine
from steunpunt.engine.kiosk import KioskEngine
from steunpunt.ledger import outgoing
from steunpunt.ledger.clock import boot_time_ms
from steunpunt.ledger.desk import Desk
from steunpunt.ledger.store import engine_for
from steunpunt.links.mesh import MeshLink
from steunpunt.model import Effect, Event, LinkName
from tests.fakes.region_keys import COORDINATOR
from tests.fakes.sites import MESH_DOWN, MESH_UP, Clock, CoordinatorSite, KioskSite, ended, frames, heard, new_ledger

SITE_ID = 47
ROUNDS_MAX = 400
"""Turns of handing over and waiting; a message that is not receipted by then counts as lost."""
LOOK_S = 0.02
QUICK = 20
"""How much faster a coordinator's clock runs while it listens on the air: it gathers receipts for 1.5 s."""

Words = Counter[tuple[str, str]]
"""How often each (ticket number, text) is there."""


ENGINES_MAX = 8
_one_engine = staticmethod(functools.lru_cache(ENGINES_MAX)(engine_for))
"""One per path: thousands of ledgers lie at the same place one after the other, and each query is compiled once."""


class QuickClock(Clock):
    """Boot time that can be moved by hand, and runs ``speed`` times as fast as the machine's."""

    def __init__(self, speed: int = 1) -> None:
        super().__init__(boot_time_ms())
        self._began_ms, self._speed = self.boot_ms, speed

    def read(self) -> int:
        return self.boot_ms + (boot_time_ms() - self._began_ms) * self._speed


class KioskEnd(KioskSite):
    """A kiosk's engine over ``ledger.db`` in a folder with a real ``site.keys``."""

    _engine_for = _one_engine

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        super().__init__(folder, clock or QuickClock(), random.Random(), SITE_ID)

    def _start(self) -> None:
        self.keys = keyfiles.read_site(self.path.parent / "site.keys")
        self.form_key = form_key(self.ledger, self.entropy)
        self.engine = KioskEngine(self.ledger, self.keys, COORDINATOR, {}, self.form_key, self.entropy)

    def waiting(self) -> int:
        return outgoing.queue_figures(self.ledger.connection)[0]


class CoordinatorEnd(CoordinatorSite):
    """A coordinator's engine over ``ledger.db`` in a folder with its real keys."""

    _engine_for = _one_engine

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        super().__init__(folder, clock or QuickClock(), random.Random())

    def _start(self) -> None:
        folder = self.path.parent
        key = keyfiles.read_ledger_key(folder / "ledger.key")
        keys = keyfiles.read_coordinator(folder / "coordinator.keys")
        self.engine = CoordinatorEngine(self.ledger, keys, key, 1, self.entropy)
        self.desk = Desk(self.path, key, self.rng.randbytes, self.clock.read, engine=self._statements)


def fresh_coordinator(keys: Path, folder: Path) -> Path:
    """Make a coordinator's folder with an empty ledger."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("coordinator.keys", "ledger.key"):
        shutil.copy2(keys / name, folder / name)
    new_ledger(folder / "ledger.db")
    return folder


@contextlib.contextmanager
def kiosk_end(folder: Path, clock: Clock | None = None) -> Iterator[KioskEnd]:
    end = KioskEnd(folder, clock)
    try:
        yield end
    finally:
        end.ledger.close()


@contextlib.contextmanager
def coordinator_end(folder: Path, clock: Clock | None = None) -> Iterator[CoordinatorEnd]:
    end = CoordinatorEnd(folder, clock)
    try:
        yield end
    finally:
        end.ledger.close()


def deliver(kiosk: KioskEnd, center: CoordinatorEnd, rounds_max: int = ROUNDS_MAX) -> int:
    """Hand all that waits from end to end over a mesh that loses nothing; returns how many are left without receipt."""
    inbox: list[Event] = [MESH_UP]
    center.turn(MESH_UP)
    for _ in range(rounds_max):
        while inbox:
            inbox = _hand_over(kiosk, center, inbox)
        kiosk.clock.advance_s(2)
        center.clock.advance_s(2)  # receipts wait for company
        inbox = [heard(frame.payload) for frame in frames(center.turn(), LinkName.MESH)]
        if not inbox:
            if not kiosk.waiting():
                break
            kiosk.clock.advance_s(60)
            inbox = _hand_over(kiosk, center, [])
    kiosk.turn(MESH_DOWN)  # so that a later request does not leave by itself
    return kiosk.waiting()


def _hand_over(kiosk: KioskEnd, center: CoordinatorEnd, events: list[Event]) -> list[Event]:
    """One turn of the kiosk; what it sends, the coordinator hears. Returns what the kiosk hears of it."""
    back: list[Event] = []
    for frame in frames(kiosk.turn(*events), LinkName.MESH):
        back.append(ended(frame))
        told = center.turn(heard(frame.payload))
        back += [heard(answer.payload) for answer in frames(told, LinkName.MESH)]
    return back


def cases(center: CoordinatorEnd) -> Words:
    """Return what the desk shows."""
    return Counter((case.number, case.text) for case in center.desk.cases())


def check_integrity(path: Path) -> str:
    """Return what SQLite says of a ledger: "ok", or what is broken; foreign keys too."""
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True)
    try:
        words = "; ".join(str(row[0]) for row in connection.execute("PRAGMA integrity_check"))
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        return words if not broken else f"{words}; {len(broken)} broken references"
    finally:
        connection.close()


class OnAir:
    """Drives a coordinator's engine over a virtual radio in real time, one ledger after the other."""

    def __init__(self, port: int) -> None:
        self._inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._link = MeshLink(Radio(kind="tcp", port=port, channel="serial"), self._inbox.put)
        self._link.start()

    @contextlib.contextmanager
    def listening(self, folder: Path) -> Iterator[None]:
        """Let the coordinator of this folder hear and answer, in a thread of its own."""
        stopping = threading.Event()
        failures: list[BaseException] = []

        def serve() -> None:
            try:
                with coordinator_end(folder, QuickClock(QUICK)) as center:
                    center.turn(MESH_UP)
                    while not stopping.is_set():
                        self._send(center.turn(*self._take()))
            except Exception as error:  # noqa: BLE001  raised again below, in the rig's own thread
                failures.append(error)

        thread = threading.Thread(target=serve, name="coordinator on the air")
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()
        for failure in failures:
            raise failure

    def _take(self) -> list[Event]:
        with contextlib.suppress(queue.Empty):
            return [self._inbox.get(timeout=LOOK_S)]
        return []

    def _send(self, effects: list[Effect]) -> None:
        for frame in frames(effects, LinkName.MESH):
            self._link.send(frame)

    def stop(self) -> None:
        self._link.stop(5)
