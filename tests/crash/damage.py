"""Damaged ledgers: single bits that changed while nobody looked, and writes of which only a part reached the disk.

What must never happen is that words go to the desk, or come up there, that nobody wrote. SQLite keeps no checksums in
its pages, so a flipped bit may also take something away unnoticed: that is counted, and told as it is.
"""

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import sqlalchemy as sa
from alembic.util import CommandError

from steunpunt.ledger import store
from steunpunt.ledger.migrate import migrate
from steunpunt.ledger.wal import damaged_log_of
from steunpunt.model import SteunpuntError, TicketState
from tests.crash.ends import (
    SITE_ID,
    KioskEnd,
    Words,
    cases,
    check_integrity,
    coordinator_end,
    deliver,
    fresh_coordinator,
    kiosk_end,
)
from tests.crash.place import Region
from tests.crash.report import Outcome, in_time, tell
from tests.fakes.sites import new_ledger

FLIPPED, TORN = (48, 40), (8, 3)
"""Requests in a sample, and how many of them the coordinator has."""
SECTOR_BYTES = 512
ROUNDS_MAX = 40
"""A few do for what is whole; what is damaged is sent for ever."""
LAST_MAX = 2
"""See steunpunt.ledger.wal.cut_short: so many commits at the end of the log may be missing without a sign."""
STOPS = (
    SteunpuntError,
    sa.exc.SQLAlchemyError,
    sqlite3.Error,
    CommandError,
    msgspec.MsgspecError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
)
"""What a damaged row may raise: the process says so, or counts it as an event that failed, and shows nothing of it."""


@dataclass
class Sample:
    """Ledgers that belong together, and what is in them."""

    kiosk: Path
    """As a kill leaves it: all that was asked is in the write-ahead log."""
    closed: Path
    """As a stop leaves it, without a log."""
    center: Path
    wanted: Words
    steps: list[tuple[int, int]] = field(default_factory=list)
    """(bytes of the write-ahead log, tickets that its commits hold)."""

    @property
    def requests(self) -> int:
        return len(self.wanted)


def make_sample(region: Region, folder: Path, requests: int, receipted: int) -> Sample:
    """Let people ask, and the coordinator have some of it; the kiosk's write-ahead log stays beside its ledger."""
    kiosk_folder, center = folder / "kiosk", fresh_coordinator(region.coordinator, folder / "center")
    region.kiosk(kiosk_folder)
    new_ledger(kiosk_folder / "ledger.db")
    copy = folder / "copy"
    copy.mkdir()
    with kiosk_end(kiosk_folder) as kiosk, coordinator_end(center) as desk:
        wal = kiosk_folder / "ledger.db-wal"
        asked, steps = Words(), list[tuple[int, int]]()
        for number in range(requests):
            if number == receipted:
                deliver(kiosk, desk)
            words = f"bericht {number} hulpvraag ééń"
            asked[str(kiosk.ask(words)["number"]), words] += 1
            steps.append((wal.stat().st_size, number + 1))
        for name in ("site.keys", "ledger.db", "ledger.db-wal"):
            shutil.copy2(kiosk_folder / name, copy / name)
    return Sample(copy, kiosk_folder, center, asked, steps)


# --- single bits -------------------------------------------------------------------------------------------------


def flip(path: Path, rng: random.Random) -> None:
    """Change one bit of a file, in a byte that holds something: most of a young ledger is empty room."""
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data))
    while not data[at]:
        at = rng.randrange(len(data))
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


@dataclass
class Tally:
    """What became of the ledgers: each counts once."""

    seen: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        told = ", ".join(f"{count} {name}" for name, count in self.seen.most_common())
        return f"{sum(self.seen.values())} flips: {told}"


def flip_kiosks(sample: Sample, folder: Path, part: Path, flips: int, minutes: float, rng: random.Random) -> Tally:
    """Flip a bit in one file of a kiosk's folder, and hand over what it has to a copy of its coordinator."""
    tally = Tally()
    for number in in_time(range(flips), minutes):
        kiosk, center = _fresh(part.parent, folder / "k"), _fresh(sample.center, folder / "c")
        flip(kiosk / part.name, rng)
        tally.seen[_try_kiosk(sample, kiosk, center, tally.faults)] += 1
        _progress(part.name, number, flips, tally)
    return tally


def _try_kiosk(sample: Sample, kiosk: Path, center: Path, faults: list[str]) -> str:
    stopped, states = "", dict[str, TicketState]()
    try:
        _start(kiosk / "ledger.db")
        with kiosk_end(kiosk) as end, coordinator_end(center) as desk:
            deliver(end, desk, ROUNDS_MAX)
            states = _states(end)
    except STOPS as error:
        stopped = type(error).__name__
    with coordinator_end(center) as desk:
        found = cases(desk)
    faults += [f"words that nobody wrote: {key}" for key in found if key not in sample.wanted]
    if stopped or damaged_log_of(kiosk / "ledger.db").exists() or check(kiosk / "ledger.db") != "ok":
        return "noticed"
    if found == sample.wanted and len(states) == sample.requests:
        return "harmless"
    arrived = {number for number, _ in found}
    if any(state >= TicketState.RECEIVED and number not in arrived for number, state in states.items()):
        return "a ticket says received and is not"
    if len(states) == sample.requests:
        return "not delivered and never said to be"
    first_ones = {f"{SITE_ID}-{number + 1}" for number in range(len(states))}
    if set(states) == first_ones and len(states) >= sample.requests - LAST_MAX:
        return "the last commit gone, as after a power cut in its midst"
    return "tickets gone"


def _start(path: Path) -> None:
    """Look at a ledger as a node's start does, but migrate in this process: there are thousands."""
    if store._revision(path) != store.HEAD_REVISION:
        migrate(path)


def _states(end: KioskEnd) -> dict[str, TicketState]:
    rows = end.ledger.connection.exec_driver_sql("SELECT counter, state FROM tickets").all()
    return {f"{end.site}-{row.counter}": TicketState(row.state) for row in rows}


def check(path: Path) -> str:
    """Return what SQLite's own check says, in words also where it cannot even begin."""
    try:
        return check_integrity(path)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # its words quote what is damaged
        return str(error)


def flip_desks(sample: Sample, folder: Path, flips: int, minutes: float, rng: random.Random) -> Tally:
    """Flip a bit of a coordinator's ledger, look at its desk, and let a kiosk hand over what waits there."""
    with coordinator_end(sample.center) as desk:
        whole = cases(desk)
    tally = Tally()
    for number in in_time(range(flips), minutes):
        kiosk, center = _fresh(sample.closed, folder / "k"), _fresh(sample.center, folder / "c")
        flip(center / "ledger.db", rng)
        tally.seen[_try_desk(sample, whole, kiosk, center, tally.faults)] += 1
        _progress("coordinator", number, flips, tally)
    return tally


def _try_desk(sample: Sample, whole: Words, kiosk: Path, center: Path, faults: list[str]) -> str:
    try:
        with kiosk_end(kiosk) as end, coordinator_end(center) as desk:
            left = deliver(end, desk, ROUNDS_MAX)
            shown = desk.desk.cases()
    except SteunpuntError:  # said in words: the ledger cannot be used
        return "noticed"
    except STOPS:
        return "noticed" if check(center / "ledger.db") != "ok" else "stopped by a damaged row"
    texts = {text for _, text in sample.wanted}
    faults += [f"words that nobody wrote: {case.text!r}" for case in shown if case.text and case.text not in texts]
    damaged = sum(case.damaged for case in shown)
    found = Words((case.number, case.text) for case in shown if not case.damaged)
    if check(center / "ledger.db") != "ok":
        return "noticed"
    if left:
        return "not all taken in"
    if damaged and sum((sample.wanted - found).values()) == damaged:
        return "shown as damaged, and no other case"
    return "harmless" if found == sample.wanted and not damaged else _changed(found, whole)


def _changed(found: Words, whole: Words) -> str:
    """Say what became of the cases that were there before: those that came since are judged with them."""
    return "a number or case changed unnoticed" if whole - found else "a case that came since is gone or twice"


def _fresh(sample: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    return Path(shutil.copytree(sample, to))


def _progress(what: str, number: int, flips: int, tally: Tally) -> None:
    if number % 500 == 499:
        tell(f"bit flips, {what}: {number + 1} of {flips}: {tally.line()}")


# --- torn writes -------------------------------------------------------------------------------------------------


def tear_logs(sample: Sample, folder: Path) -> tuple[int, list[str]]:
    """End the write-ahead log at each sector, the rest missing or old: just the whole commits before it are there."""
    faults: list[str] = []
    whole = (sample.kiosk / "ledger.db-wal").read_bytes()
    torn = 0
    endings: tuple[Callable[[int], bytes], ...] = (lambda _: b"", bytes)
    for end in range(0, len(whole), SECTOR_BYTES):
        wanted = max((tickets for size, tickets in sample.steps if size <= end), default=0)
        for ending in endings:
            kiosk = _fresh(sample.kiosk, folder / "k")
            (kiosk / "ledger.db-wal").write_bytes(whole[:end] + ending(len(whole) - end))
            found = _tickets(kiosk)
            torn += 1
            if found != wanted:
                faults.append(f"log torn at {end}: {found} tickets, {wanted} were committed by then")
    return torn, faults


def _tickets(folder: Path) -> int | str:
    words = check(folder / "ledger.db")
    if words != "ok":
        return words
    with kiosk_end(folder) as kiosk:
        return int(kiosk.ledger.connection.exec_driver_sql("SELECT count(*) FROM tickets").scalar_one())


def tear_checkpoints(sample: Sample, folder: Path) -> tuple[int, list[str]]:
    """End a checkpoint at each sector, with the write-ahead log still there: nothing may be missing."""
    before = (sample.kiosk / "ledger.db").read_bytes()
    done = _fresh(sample.kiosk, folder / "done")
    connection = sqlite3.connect(done / "ledger.db", isolation_level=None)
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    after = (done / "ledger.db").read_bytes()
    connection.close()
    faults: list[str] = []
    ends = range(0, len(after) + 1, SECTOR_BYTES)
    for end in ends:
        kiosk = _fresh(sample.kiosk, folder / "k")
        (kiosk / "ledger.db").write_bytes(after[:end] + before[end:])
        found = _tickets(kiosk)
        if found != sample.requests:
            faults.append(f"checkpoint torn at {end}: {found} of {sample.requests} tickets")
    return len(ends), faults


def flip_all(region: Region, folder: Path, flips: int, minutes: float, rng: random.Random) -> list[Outcome]:
    """Flip ``flips`` bits in all, in the three kinds of file that there are."""
    sample = make_sample(region, folder / "sample", *FLIPPED)
    share, rest = flips * 2 // 5, flips - flips * 2 // 5 * 2
    desks = flip_desks(sample, folder, share, minutes * 0.4, rng)
    closed = flip_kiosks(sample, folder, sample.closed / "ledger.db", share, minutes * 0.4, rng)
    killed = flip_kiosks(sample, folder, sample.kiosk / "ledger.db-wal", rest, minutes * 0.2, rng)
    tallies = {"a kiosk's ledger.db": closed, "a kiosk's ledger.db-wal": killed, "a coordinator's ledger.db": desks}
    return [Outcome(f"bit flips, {name}", tally.line(), tally.faults) for name, tally in tallies.items()]


def tear_all(region: Region, folder: Path) -> Outcome:
    """Tear each write that there is."""
    sample = make_sample(region, folder / "torn", *TORN)
    logs, torn_logs = tear_logs(sample, folder)
    checkpoints, torn_checkpoints = tear_checkpoints(sample, folder)
    told = f"{logs} torn logs and {checkpoints} torn checkpoints, nothing that was committed is missing"
    return Outcome("torn writes", told, torn_logs + torn_checkpoints)


def measure(region: Region, folder: Path, flips: int, minutes: float, rng: random.Random) -> list[Outcome]:
    """Flip bits, and tear writes."""
    return [*flip_all(region, folder, flips, minutes, rng), tear_all(region, folder)]
