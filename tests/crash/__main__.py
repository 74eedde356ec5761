"""`make crash`: what the project says of kills, power cuts and broken disks, tried out on this machine."""

import argparse
import logging
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.crash import clock_jumps, coordinator_kills, damage, disk_errors, kiosk_kills, power_cuts, strace
from tests.crash.place import Region
from tests.crash.report import Outcome, tell
from tests.crash.strace import Point, thinned

POINTS_OF = {"start": 0.2, "kiosk": 0.6, "coordinator": 0.2}
"""How the points are spread: the kiosk's first start, a running kiosk, a coordinator."""
SOCKET_PATH_BYTES_MAX = 107
"""Linux takes no longer path for a Unix socket, and each run has one in its folder."""
PATH_BYTES_BELOW = 45
PRIVATE = "STEUNPUNT_CRASH_MOUNTS"
MEMORY = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it

Part = Callable[[Region, Path, argparse.Namespace, random.Random], list[Outcome]]


def _choose(part: str, options: argparse.Namespace, rng: random.Random) -> kiosk_kills.Choose:
    """Return what chooses a part's share of the points: in a drawn order, so that an early end leaves out no call."""

    def choose(points: list[Point]) -> list[Point]:
        chosen = thinned(points, max(1, round(options.points * POINTS_OF[part])))
        rng.shuffle(chosen)
        index, of = options.share
        return chosen[index - 1 :: of]

    return choose


def _start(region: Region, folder: Path, options: argparse.Namespace, rng: random.Random) -> list[Outcome]:
    choose = _choose("start", options, rng)
    return kiosk_kills.measure(region, folder, kiosk_kills.FIRST, choose, options.minutes)


def _kiosk(region: Region, folder: Path, options: argparse.Namespace, rng: random.Random) -> list[Outcome]:
    choose = _choose("kiosk", options, rng)
    return kiosk_kills.measure(region, folder, kiosk_kills.RUNNING, choose, options.minutes)


def _coordinator(region: Region, folder: Path, options: argparse.Namespace, rng: random.Random) -> list[Outcome]:
    return coordinator_kills.measure(region, folder, _choose("coordinator", options, rng), options.minutes)


def _cuts(region: Region, folder: Path, options: argparse.Namespace, rng: random.Random) -> list[Outcome]:
    return power_cuts.measure(region, folder, options.cuts, options.controls, options.minutes, rng.randint)


def _disk(region: Region, folder: Path, options: argparse.Namespace, _rng: random.Random) -> list[Outcome]:
    return disk_errors.measure(region, folder, options.disk_runs, options.minutes)


def _damage(region: Region, folder: Path, options: argparse.Namespace, rng: random.Random) -> list[Outcome]:
    # Thousands of ledgers, and no disk is tried: in memory, where there is such a place.
    with tempfile.TemporaryDirectory(prefix="crash-", dir=MEMORY if MEMORY.is_dir() else folder.parent) as name:
        return damage.measure(region, Path(name) / "d", options.flips, options.minutes, rng)


def _clocks(region: Region, folder: Path, options: argparse.Namespace, rng: random.Random) -> list[Outcome]:
    return clock_jumps.measure(region, folder, options.jumps, rng)


PARTS: dict[str, Part] = {
    "start": _start,
    "kiosk": _kiosk,
    "coordinator": _coordinator,
    "cuts": _cuts,
    "disk": _disk,
    "damage": _damage,
    "clocks": _clocks,
}
NEED_STRACE = {"start", "kiosk", "coordinator", "disk"}


def _share(text: str) -> tuple[int, int]:
    index, _, of = text.partition("/")
    if not 1 <= int(index) <= int(of):
        raise ValueError(text)
    return int(index), int(of)


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    options.add_argument("--only", choices=PARTS, action="append", help="try this part; repeat for more")
    options.add_argument("--points", type=int, default=330, help="kill points (default 330)")
    options.add_argument("--cuts", type=int, default=100, help="power cuts (default 100)")
    options.add_argument("--controls", type=int, default=10, help="power cuts of the control run (default 10)")
    options.add_argument("--disk-runs", type=int, default=45, help="runs with a disk that refuses (default 45)")
    options.add_argument("--flips", type=int, default=2_000, help="flipped bits (default 2000)")
    options.add_argument("--jumps", type=int, default=200, help="jumps of each clock (default 200)")
    options.add_argument("--minutes", type=float, default=30, help="most minutes for each part (default 30)")
    options.add_argument("--share", type=_share, default=(1, 1), help="of the points, the I-th of N shares: I/N")
    options.add_argument("--seed", type=int, help="makes the drawn places repeatable")
    return options.parse_args()


def try_parts(parts: list[str], options: argparse.Namespace, folder: Path, rng: random.Random) -> list[Outcome]:
    """Try the parts one after the other."""
    region = Region.make(folder / "r")
    outcomes = []
    for part in parts:
        if part in NEED_STRACE and (reason := strace.missing()):
            outcomes.append(Outcome(part, skipped=reason))
            continue
        tell(f"{part} begins")
        outcomes += PARTS[part](region, folder / part, options, rng)
    return outcomes


def main() -> int:
    """Try out, print, and return 1 when anything speaks against the node."""
    options = _options()
    # However this is ended: what was started ends, and what was mounted is unmounted, on the way out.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    logging.getLogger().addHandler(
        logging.NullHandler()
    )  # engines in here may say what the runs provoke; it is counted
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    tell(f"seed {seed}; Linux {platform.release()}, {platform.machine()}, Python {platform.python_version()}")
    cache = Path(".cache")
    cache.mkdir(exist_ok=True)
    # Here and not in /tmp: that may be memory, and this is about disks.
    with tempfile.TemporaryDirectory(prefix="crash-", dir=cache) as name:
        folder = Path(name).resolve()
        if len(bytes(folder)) + PATH_BYTES_BELOW > SOCKET_PATH_BYTES_MAX:
            print(f"{folder}: too long a path for a socket; put the project into a shorter one", file=sys.stderr)
            return 1
        outcomes = try_parts(options.only or list(PARTS), options, folder, random.Random(seed))
    tell("done")
    for outcome in outcomes:
        print(outcome.line())
        for fault in outcome.faults:
            print(f"         {fault}")
    return 1 if any(outcome.faults for outcome in outcomes) else 0


def _mount_privately() -> None:
    """Begin anew where this process's mounts are its own: however it ends, the kernel takes them away."""
    unshare = shutil.which("unshare")
    if os.geteuid() == 0 and unshare is not None and PRIVATE not in os.environ:
        command = [unshare, "--mount", "--", sys.executable, "-m", "tests.crash", *sys.argv[1:]]
        os.execve(unshare, command, os.environ | {PRIVATE: "1"})  # noqa: S606  ourselves, in another namespace


if __name__ == "__main__":
    _mount_privately()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped; everything that was started has ended")
