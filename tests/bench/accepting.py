"""Accepted requests against raw SQLite commits, on the same disk with the same settings."""

import os
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from steunpunt import keyfiles, keymaking
from steunpunt.engine.accepting import STOCK_MAX, form_key
from steunpunt.engine.kiosk import KioskEngine
from steunpunt.facts import Facts
from steunpunt.ledger.store import Ledger, engine_for, prepare
from steunpunt.model import Category, Event, HelpSubmitted, ReplyTo
from steunpunt.node.inbox import BATCH_MAX
from steunpunt.node.loop import system_entropy
from steunpunt.protocol import forms
from tests.bench.figures import Figure
from tests.bench.texts import varied

RAW_COMMITS = 500
RAW_ROW_BYTES = 150
BURSTS = 4
"""Bursts per round, each of a whole stock; it is filled again in between, off the clock."""
SUSTAINED = 192
SITE = 47


@dataclass(frozen=True, slots=True)
class Accepting:
    """A kiosk's engine on a ledger of its own, as the node sets it up."""

    ledger: Ledger
    engine: KioskEngine
    key: bytes
    texts: Iterator[str]

    def form(self) -> HelpSubmitted:
        now_s = self.ledger.clock.now_ms() // 1000
        token = forms.issue(self.key, now_s, os.urandom(forms.RANDOM_BYTES))
        return HelpSubmitted(
            token,
            Category.MEDICAL,
            life_threat=False,
            text=next(self.texts),
            language="nl",
            facts=Facts(people=1, callback="0612345678"),
            reply=self,
        )

    def turn(self, batch: list[HelpSubmitted]) -> None:
        """Do what the node's loop does with a batch."""
        events: list[Event] = list(batch)
        with self.ledger.transaction() as connection:
            effects = self.engine.turn(connection, events, self.ledger.clock.now_ms())
        self.engine.committed()
        answers = [effect.body for effect in effects if isinstance(effect, ReplyTo)]
        if len(answers) != len(batch) or not all(answer["ok"] for answer in answers):
            raise RuntimeError(f"not all of {len(batch)} forms were accepted")

    def fill_stock(self) -> None:
        while not self.engine.stock.full():
            self.engine.stock.refill()


@contextmanager
def accepting(folder: Path) -> Iterator[Accepting]:
    folder.mkdir(parents=True)
    keymaking.make_region(folder / "region.keys", "Bench")
    keymaking.make_coordinator(folder / "region.keys", 1, folder / "coordinator", ["127.0.0.1"])
    keymaking.make_site(folder / "region.keys", SITE, folder / "site")
    prepare(folder / "ledger.db")
    ledger = Ledger(folder / "ledger.db").open()
    try:
        entropy = system_entropy()
        key = form_key(ledger, entropy)
        engine = KioskEngine(ledger, keyfiles.read_site(folder / "site" / "site.keys"), 1, {}, key, entropy)
        yield Accepting(ledger, engine, key, varied())
    finally:
        ledger.close()


def raw_commits(path: Path) -> float:
    """Return commits per second of one small row each, on a connection set up as the ledger's."""
    path.touch()
    borrowed = engine_for(path).raw_connection()
    connection = borrowed.driver_connection
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError("the ledger is not in SQLite")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        began = time.perf_counter()
        for _ in range(RAW_COMMITS):
            _commit_one(connection)
        return RAW_COMMITS / (time.perf_counter() - began)
    finally:
        borrowed.close()


def _commit_one(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO rows (body) VALUES (?)", (os.urandom(RAW_ROW_BYTES),))
    connection.execute("COMMIT")


def burst(kiosk: Accepting, batch: int) -> float:
    """Return requests per second of bursts that the stock covers."""
    spent = 0.0
    for _ in range(BURSTS):
        kiosk.fill_stock()
        forms_given = [kiosk.form() for _ in range(STOCK_MAX)]
        spent += _turns(kiosk, forms_given, batch)
    return BURSTS * STOCK_MAX / spent


def sustained(kiosk: Accepting) -> float:
    """Return requests per second with an empty stock: each secret is stretched while the clock runs, on two threads.

    One refills, as in the node; the other is the loop, which stretches for itself when there is nothing to take.
    """
    stock = kiosk.engine.stock
    while stock._ready:
        stock.take()
    stopping = threading.Event()

    def refill() -> None:
        while not stopping.is_set():
            if stock.full():
                stopping.wait(0.001)
            else:
                stock.refill()

    helper = threading.Thread(target=refill)
    given = [kiosk.form() for _ in range(SUSTAINED)]
    helper.start()
    try:
        return SUSTAINED / _turns(kiosk, given, BATCH_MAX)
    finally:
        stopping.set()
        helper.join()


def _turns(kiosk: Accepting, given: list[HelpSubmitted], batch: int) -> float:
    """Return the seconds that it took."""
    began = time.perf_counter()
    for first in range(0, len(given), batch):
        kiosk.turn(given[first : first + batch])
    return time.perf_counter() - began


def measure(folder: Path, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure raw commits on both sides of each round: half of the pair before, half after."""
    found: dict[str, list[float]] = {name: [] for name in ("single", "batched", "sustained")}
    raw: list[float] = []
    with accepting(folder) as kiosk:
        burst(kiosk, 1)  # once before it counts: statements compiled, pages of the ledger there
        for number in range(rounds):
            before = raw_commits(folder / "raw.db")
            steps = [("single", 1), ("batched", BATCH_MAX)]
            for name, batch in steps if number % 2 == 0 else reversed(steps):
                found[name].append(burst(kiosk, batch))
            found["sustained"].append(sustained(kiosk))
            raw.append(statistics.mean((before, raw_commits(folder / "raw.db"))))
        tell(f"accepting: {rounds} rounds done, {kiosk.engine.counts['accepted']} requests in the ledger")
    base = "raw commits"
    return [
        Figure(f"accepted, one per transaction / {base}", found["single"], raw, "/s", at_least=0.3),
        Figure(f"accepted, {BATCH_MAX} per transaction / {base}", found["batched"], raw, "/s", at_least=0.3),
        Figure(f"accepted on, stock empty, two threads / {base}", found["sustained"], raw, "/s"),
    ]
