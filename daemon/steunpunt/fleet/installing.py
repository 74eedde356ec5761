"""Putting a bundle's files in place on a device, each its owner's."""

import grp
import os
import pwd
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from steunpunt.fleet.building import BROKER, BROKER_DATA, ETC
from steunpunt.fleet.sealing import BundleError, files_in, open_archive, unpack

OWNERS = {
    f"{ETC}/site.keys": ("steunpunt", "steunpunt"),
    f"{ETC}/coordinator.keys": ("steunpunt", "steunpunt"),
    f"{ETC}/channel.key": ("steunpunt", "steunpunt"),
    f"{ETC}/staff.pin": ("steunpunt", "steunpunt"),
    f"{ETC}/broker.password": ("steunpunt", "steunpunt"),
    f"{ETC}/ledger.key": ("steunpunt", "steunpunt-desk"),
    f"{ETC}/site-key.pem": ("mosquitto", "mosquitto"),
    f"{ETC}/region-key.pem": ("mosquitto", "mosquitto"),
    f"{BROKER}/passwords": ("mosquitto", "mosquitto"),
    f"{BROKER}/acl": ("mosquitto", "mosquitto"),
    f"{BROKER}/acl-region": ("mosquitto", "mosquitto"),
    BROKER_DATA.lstrip("/"): ("mosquitto", "mosquitto"),
}
"""Who needs what; all else is root's. systemd-tmpfiles says the same of /etc/steunpunt at each start."""


def install(bundle: Path, code: str, root: Path) -> list[Path]:
    """Open a bundle and write its files below ``root``; returns their paths.

    With root ``/`` the files get their owners. BundleError when the code is wrong, a file cannot be written, or a user
    is missing: then the program is not installed yet.
    """
    _, archive = open_archive(bundle, code)
    device = root.resolve() == Path("/")
    if device:
        missing = sorted({user for owners in OWNERS.values() for user in owners if not _known(user)})
        if missing or os.geteuid() != 0:
            who = f"there is no user or group {', '.join(missing)} here" if missing else "this is not root"
            raise BundleError(f"{who}; install the program first, and type this with sudo")
    paths = unpack(files_in(archive), root)
    data = root / BROKER_DATA.lstrip("/")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if device:
        for path, (user, group) in _owned(root, [*paths, data]):
            shutil.chown(path, user, group)
    return paths


def _known(name: str) -> bool:

    users = {entry.pw_name for entry in pwd.getpwall()}
    return name in users or name in {entry.gr_name for entry in grp.getgrall()}


def _owned(root: Path, paths: Iterable[Path]) -> Iterator[tuple[Path, tuple[str, str]]]:
    for path in paths:
        owners = OWNERS.get(path.relative_to(root).as_posix())
        if owners is not None:
            yield path, owners
