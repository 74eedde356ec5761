"""From an image, a site's bundle and packages to a card that becomes the site."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from steunpunt.fleet import writing
from steunpunt.fleet.building import build
from steunpunt.fleet.cards import FleetError
from steunpunt.fleet.checking import Fleet
from steunpunt.fleet.firstboot import FirstBoot, contents, package_files, packages_in, public_key
from steunpunt.fleet.image import BootPartition, boot_partition

_FIRMWARE_MARK = "issue.txt"


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes on which card."""

    fleet: Fleet
    site: int
    image: Path
    packages: Path
    target: Path
    ssh_key: Path | None = None


def examine(plan: Plan) -> str:
    """Return what the target is, for a person to see; FleetError for what must not or cannot be written."""
    boot_partition(plan.image)
    writing.refuse(plan.target, plan.image)
    packages_in(plan.packages)
    if plan.ssh_key is not None:
        public_key(plan.ssh_key)
    return writing.describe(plan.target)


def steps(plan: Plan) -> int:
    """Return the bytes that a run goes through: each is written or compared, then read back."""
    return 2 * plan.image.stat().st_size


def flash(plan: Plan, step: writing.Step = lambda _: None) -> writing.Written:
    """Write the card and read it back. FleetError when something is missing, or what is read back differs."""
    examine(plan)
    with _prepared(plan) as source:
        return writing.write(source, plan.target, step)


@contextmanager
def _prepared(plan: Plan) -> Iterator[writing.Source]:
    """Give the image with a boot partition that holds all that the device needs."""
    with tempfile.TemporaryDirectory(prefix="steunpunt-flash-") as name:
        folder = Path(name)
        boot = BootPartition(plan.image, folder)
        boot.copy()
        names = boot.names()
        if "cmdline.txt" not in names:
            raise FleetError(f"{plan.image}: has no cmdline.txt on its boot partition; take Raspberry Pi OS")
        cloud_init = "user-data" in names
        # Until Debian 11 the partition was mounted at /boot itself.
        mount = "/boot" if _older(boot.read(_FIRMWARE_MARK) or "") else "/boot/firmware"
        what = _first_boot(plan)
        files = contents(what, cloud_init=cloud_init, mount=mount, cmdline=boot.read("cmdline.txt") or "")
        boot.put(files, package_files(what), folder)
        yield writing.Source(plan.image, boot.path, boot.place)


def _older(issue: str) -> bool:
    """Whether an image is of Debian 11 or earlier: issue.txt begins ``Raspberry Pi reference 2023-05-03``."""
    words = issue.split()
    dates = [word for word in words if word[:2] == "20" and word.count("-") == 2]  # noqa: PLR2004  a date
    return bool(dates) and min(dates) < "2023-10-10"  # the first image of Debian 12


def _first_boot(plan: Plan) -> FirstBoot:
    if plan.fleet.region is None:
        raise FleetError("the region has mistakes; `steunpunt fleet check` tells them")
    # Kept with the keys: an unchanged site gives the same bytes, and a second run finds them on the card.
    (built,) = build(plan.fleet, plan.fleet.region.keys / "bundles", [plan.site])
    key = public_key(plan.ssh_key) if plan.ssh_key is not None else ""
    return FirstBoot(plan.site, built.bundle.read_bytes(), built.card.code, packages_in(plan.packages), key)
