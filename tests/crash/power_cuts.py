"""Power cuts: a kiosk's ledger on an ext4 file system of its own, which is shut down in the midst of requests.

EXT4_IOC_SHUTDOWN without flushing the journal drops all that was not forced to the disk, as a power cut does. Then the
node is killed, the file system mounted again, and the tickets that people were shown are looked for. The same with
``synchronous=NORMAL`` must lose some: a rig that never finds a loss proves nothing.
"""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from steunpunt.ledger.store import prepare
from tests.conftest import wait_until
from tests.crash.ends import Words, cases, check_integrity, coordinator_end, deliver, fresh_coordinator, kiosk_end
from tests.crash.kiosk_kills import compare
from tests.crash.place import Citizens, Region, Site
from tests.crash.report import Outcome, in_time, tell

EXT4_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2
DISK_BYTES = 48 * 1024 * 1024
ACCEPTED_PER_CUT = (1, 40)
"""The power goes when a number of tickets between these was shown, another one at each cut."""
CUTS_PER_LEDGER = 25
"""Then a new disk, so that a ledger stays within what one handing over takes."""
CUT_S_MAX = 180.0
PEOPLE = 3


Draw = Callable[[int, int], int]
"""Returns a number between two, both included."""


class NoDisk(Exception):
    """Such a disk cannot be had here; the text says why."""


class Disk:
    """An ext4 file system in a file."""

    def __init__(self, folder: Path) -> None:
        self._image, self.folder = folder / "disk.img", folder / "disk"

    def make(self) -> None:
        if os.geteuid():
            raise NoDisk("only root may mount a disk and shut it down; run this as root")
        self.folder.mkdir(parents=True)
        with self._image.open("wb") as image:
            image.truncate(DISK_BYTES)
        _run("mkfs.ext4", "-q", "-F", str(self._image))

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount it; the loop device goes away with the mount."""
        _run("mount", "-t", "ext4", "-o", "loop", str(self._image), str(self.folder))
        try:
            yield
        finally:
            wait_until(self._unmount, CUT_S_MAX, f"{self.folder} is unmounted")

    def _unmount(self) -> bool:
        return not subprocess.run(["umount", str(self.folder)], capture_output=True, check=False).returncode  # noqa: S607  where root's PATH has it

    def cut(self) -> None:
        """Take the power away: what is not on the disk by now never will be."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        finally:
            os.close(descriptor)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoDisk(f"{command[0]}: {done.stderr.strip() or done.returncode}")


@dataclass
class Tally:
    """What the cuts of one kind of node came to."""

    cuts: int = 0
    shown: int = 0
    lost: int = 0
    faults: list[str] = field(default_factory=list)


def cut_often(region: Region, folder: Path, cuts: int, module: str, minutes: float, draw: Draw) -> Tally:
    """Cut the power ``cuts`` times, on a few disks one after the other."""
    tally = Tally()
    for first in in_time(range(0, cuts, CUTS_PER_LEDGER), minutes):
        part = folder / f"{module.rpartition('.')[2]}{first}"
        disk = Disk(part)
        disk.make()
        _on_one_disk(region, disk, min(CUTS_PER_LEDGER, cuts - first), module, draw, tally)
        shutil.rmtree(part)
        tell(f"power cuts, {module}: {tally.cuts} cuts, {tally.shown} tickets shown, {tally.lost} lost")
    return tally


def _on_one_disk(region: Region, disk: Disk, cuts: int, module: str, draw: Draw, tally: Tally) -> None:
    kept, citizens = Citizens("all"), Citizens("")
    for number in range(cuts):
        with disk.mounted():
            kiosk = region.kiosk(disk.folder)
            if not number:
                prepare(kiosk.ledger)
            lost = _missing(kiosk, citizens)
            tally.lost += len(lost)
            kept.typed |= citizens.typed
            kept.tickets |= {token: ticket for token, ticket in citizens.tickets.items() if ticket[0] not in lost}
            citizens = Citizens(f"cut{number}")
            _one_cut(kiosk, disk, module, citizens, draw(*ACCEPTED_PER_CUT))
            tally.cuts += 1
            tally.shown += len(citizens.tickets)
    with disk.mounted():
        kiosk = region.kiosk(disk.folder)
        lost = _missing(kiosk, citizens)
        tally.lost += len(lost)
        kept.typed |= citizens.typed
        kept.tickets |= {token: ticket for token, ticket in citizens.tickets.items() if ticket[0] not in lost}
        tally.faults += _judge(region, kiosk, kept)


def _one_cut(kiosk: Site, disk: Disk, module: str, citizens: Citizens, shown: int) -> None:
    """Let people ask, and take the power away when so many tickets were shown."""
    enough = threading.Event()
    with kiosk.node(module=module) as process:
        if not kiosk.await_ready(process):
            raise RuntimeError(f"the node does not start: {kiosk.log[-300:]}")
        crowd = threading.Thread(target=citizens.ask, args=(kiosk, 1_000, PEOPLE, enough))
        crowd.start()
        try:
            wait_until(lambda: len(citizens.tickets) >= shown or not crowd.is_alive(), CUT_S_MAX, "tickets", 0.001)
        finally:
            enough.set()
            disk.cut()
            process.kill()
            crowd.join()


def _missing(kiosk: Site, citizens: Citizens) -> set[str]:
    """Return the numbers that people were shown and the ledger does not have, or has for another form."""
    words = check_integrity(kiosk.ledger)
    if words != "ok":
        raise RuntimeError(f"integrity after a cut: {words}")
    connection = sqlite3.connect(f"file:{kiosk.ledger}?mode=rw", uri=True)
    try:
        there = {f"47-{counter}" for (counter,) in connection.execute("SELECT counter FROM tickets")}
    finally:
        connection.close()
    return {number for number, _ in citizens.tickets.values()} - there


def _judge(region: Region, kiosk: Site, kept: Citizens) -> list[str]:
    """Hand all over at the end: each ticket is one case; forms that nobody has a ticket for may be there, once."""
    center = fresh_coordinator(region.coordinator, kiosk.folder.parent / "coordinator")
    with kiosk_end(kiosk.folder) as end, coordinator_end(center) as desk:
        left = deliver(end, desk)
        found = cases(desk)
    wanted, known = kept.words(), set(kept.typed.values())
    unshown = Words({key: 1 for key, count in (found - wanted).items() if count == 1 and key[1] in known})
    faults = [f"lost: {left} without receipt"] if left else []
    return faults + compare(found - unshown, wanted)


def measure(region: Region, folder: Path, cuts: int, controls: int, minutes: float, draw: Draw) -> list[Outcome]:
    """Cut the power of the node as it is, and of one that does not wait for its disk."""
    name = "power cuts, synchronous=FULL"
    try:
        full = cut_often(region, folder, cuts, "steunpunt", minutes, draw)
        weak = Tally() if not controls else cut_often(region, folder, controls, "tests.crash.weak_node", minutes, draw)
    except NoDisk as reason:
        return [Outcome(name, skipped=str(reason))]
    faults = full.faults + ([f"{full.lost} tickets lost"] if full.lost else [])
    told = f"{full.cuts} cuts, {full.shown} tickets shown, {full.lost} lost"
    control = Outcome(
        "power cuts, control run with synchronous=NORMAL (must lose)",
        f"{weak.cuts} cuts, {weak.shown} tickets shown, {weak.lost} lost",
        [] if weak.lost else ["nothing was lost: the rig has no teeth"],
    )
    return [Outcome(name, told, faults), control] if controls else [Outcome(name, told, faults)]
