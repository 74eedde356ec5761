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

from steunpunt.ledger.store import prepare
from steunpunt.ledger.wal import damaged_log_of
from steunpunt.model import SteunpuntError, TicketState
from tests.crash.ends import (
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
from tests.crash.report import Outcome, tell
from tests.fakes.sites import new_ledger

REQUESTS, RECEIPTED = 8, 3
SECTOR_BYTES = 512
STOPS = (
    SteunpuntError,
    sa.exc.SQLAlchemyError,
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


def make_sample(region: Region, folder: Path) -> Sample:
    """Let people ask, and the coordinator have some of it; the kiosk's write-ahead log stays beside its ledger."""
    kiosk_folder, center = folder / "kiosk", fresh_coordinator(region.coordinator, folder / "center")
    region.kiosk(kiosk_folder)
    new_ledger(kiosk_folder / "ledger.db")
    copy = folder / "copy"
    copy.mkdir()
    with kiosk_end(kiosk_folder) as kiosk, coordinator_end(center) as desk:
        wal = kiosk_folder / "ledger.db-wal"
        asked, steps = Words(), list[tuple[int, int]]()
        for number in range(REQUESTS):
            if number == RECEIPTED:
                deliver(kiosk, desk)
            words = f"bericht {number} hulpvraag ééń"
            asked[str(kiosk.ask(words)["number"]), words] += 1
            steps.append((wal.stat().st_size, number + 1))
        for name in ("site.keys", "ledger.db", "ledger.db-wal"):
            shutil.copy2(kiosk_folder / name, copy / name)
    return Sample(copy, kiosk_folder, center, asked, steps)


# --- single bits -------------------------------------------------------------------------------------------------


def flip(path: Path, rng: random.Random) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


@dataclass
class Tally:
    """What became of the ledgers: each counts once."""

    seen: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self.seen.most_common())


def flip_kiosks(sample: Sample, folder: Path, part: Path, flips: int, rng: random.Random) -> Tally:
    """Flip a bit in one file of a kiosk's folder, and hand over what it has to a copy of its coordinator."""
    tally = Tally()
    for number in range(flips):
        kiosk, center = _fresh(part.parent, folder / "k"), _fresh(sample.center, folder / "c")
        flip(kiosk / part.name, rng)
        tally.seen[_try_kiosk(sample, kiosk, center, tally.faults)] += 1
        _progress(part.name, number, flips, tally)
    return tally


def _try_kiosk(sample: Sample, kiosk: Path, center: Path, faults: list[str]) -> str:
    stopped, states = "", dict[str, TicketState]()
    try:
        prepare(kiosk / "ledger.db")  # as each start of a node does
        with kiosk_end(kiosk) as end, coordinator_end(center) as desk:
            deliver(end, desk)
            states = _states(end)
    except STOPS as error:
        stopped = type(error).__name__
    with coordinator_end(center) as desk:
        found = cases(desk)
    faults += [f"words that nobody wrote: {key}" for key in found if key not in sample.wanted]
    if stopped or damaged_log_of(kiosk / "ledger.db").exists() or check(kiosk / "ledger.db") != "ok":
        return "noticed"
    if found == sample.wanted and len(states) == REQUESTS:
        return "harmless"
    arrived = {number for number, _ in found}
    if any(state >= TicketState.RECEIVED and number not in arrived for number, state in states.items()):
        return "a ticket says received and is not"
    return "not delivered and never said to be" if len(states) == REQUESTS else "tickets gone"


def _states(end: KioskEnd) -> dict[str, TicketState]:
    rows = end.ledger.connection.exec_driver_sql("SELECT counter, state FROM tickets").all()
    return {f"{end.site}-{row.counter}": TicketState(row.state) for row in rows}


def check(path: Path) -> str:
    """Return what SQLite's own check says, in words also where it cannot even begin."""
    try:
        return check_integrity(path)
    except sqlite3.Error as error:
        return str(error)


def flip_desks(sample: Sample, folder: Path, flips: int, rng: random.Random) -> Tally:
    """Flip a bit of a coordinator's ledger, and look at its desk."""
    with coordinator_end(sample.center) as desk:
        whole = cases(desk)
    tally = Tally()
    for number in range(flips):
        center = _fresh(sample.center, folder / "c")
        flip(center / "ledger.db", rng)
        tally.seen[_try_desk(whole, center, tally.faults)] += 1
        _progress("coordinator", number, flips, tally)
    return tally


def _try_desk(whole: Words, center: Path, faults: list[str]) -> str:
    try:
        with coordinator_end(center) as desk:
            found = cases(desk)
    except STOPS:
        return "noticed"
    texts = {text for _, text in whole}
    faults += [f"words that nobody wrote: {key}" for key in found if key[1] not in texts]
    if found == whole:
        return "harmless"
    if check(center / "ledger.db") != "ok":
        return "noticed"
    return "a number or case changed unnoticed"


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
        if found != REQUESTS:
            faults.append(f"checkpoint torn at {end}: {found} of {REQUESTS} tickets")
    return len(ends), faults


def _figures(tally: Tally) -> str:
    return f"{sum(tally.seen.values())} flips: {tally.line()}"


def measure(region: Region, folder: Path, flips: int, rng: random.Random) -> list[Outcome]:
    """Flip ``flips`` bits in all, and tear each write that there is."""
    sample = make_sample(region, folder / "sample")
    places = {"ledger.db": (sample.closed, flips * 2 // 5), "ledger.db-wal": (sample.kiosk, flips // 5)}
    kiosks = {part: flip_kiosks(sample, folder, place / part, share, rng) for part, (place, share) in places.items()}
    desks = flip_desks(sample, folder, flips - sum(share for _, share in places.values()), rng)
    logs, torn_logs = tear_logs(sample, folder)
    checkpoints, torn_checkpoints = tear_checkpoints(sample, folder)
    told = f"{logs} torn logs and {checkpoints} torn checkpoints, nothing that was committed is missing"
    return [
        *(Outcome(f"bit flips, a kiosk's {part}", _figures(tally), tally.faults) for part, tally in kiosks.items()),
        Outcome(
            "bit flips, a coordinator's ledger.db", f"{sum(desks.seen.values())} flips: {desks.line()}", desks.faults
        ),
        Outcome("torn writes", told, torn_logs + torn_checkpoints),
    ]
