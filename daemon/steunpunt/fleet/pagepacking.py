"""What ``steunpunt pages …`` does: make an archive of a folder of pages, and hand one to a running node."""

import base64
import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from steunpunt import keyfiles, pagestore
from steunpunt.config import load
from steunpunt.control import Body, Client, NotKnownYet, Refused
from steunpunt.model import ConfigError, Role
from steunpunt.protocol.pagearchive import NAME, ArchiveError
from steunpunt.protocol.pagearchive import pack as packed
from steunpunt_ui.content.shelf import Shelf, read

SERIAL_KEY = "pages_serial"
"""In the region's key file: the number of the last archive."""
PART_BYTES = 16_384
"""Of an archive, what fits as base64 into one line of the control socket."""
INSTALL_S_MAX = 180.0
"""A node that checks its ledger meanwhile does that first."""
MISTAKES_MAX = 20
"""Mistakes that are told at once."""
_BLANK = "…"


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive that was made."""

    serial: int
    pages: int
    approved: int


def pack(region_path: Path, folder: Path, out: Path, *, unapproved: bool = False) -> Packed:
    """Make an archive of a folder of pages, with the next number; ArchiveError or KeyFileError when that cannot be.

    ``unapproved``: also when no authority has approved any of them.
    """
    region = keyfiles.read_region(region_path)
    root = Ed25519PrivateKey.from_private_bytes(keyfiles.decoded(region_path, region, "offline_root", 32))
    shelf = _proved(folder, unapproved=unapproved)
    files = {name: _content(folder / name) for name in _names(folder)}
    serial = _last_serial(region_path, region) + 1
    data = packed(files, serial, int(time.time()), root.sign)
    keyfiles.write(region_path, {**region, SERIAL_KEY: serial}, replace=True)  # a number is never given out twice
    try:
        out.write_bytes(data)
    except OSError as error:
        mend = keyfiles.write_mend(error)
        raise ArchiveError(f"{out}: cannot be written ({error.strerror}); {mend}") from error
    approved = sum(page.front.approved for page in shelf.pages.values())
    return Packed(serial, len(shelf.pages), approved)


def _proved(folder: Path, *, unapproved: bool) -> Shelf:
    """Read the pages as a site does whose config leaves nothing open; ArchiveError with all mistakes."""
    words = dict.fromkeys(("point", "place", "region", "station", "address", "broadcaster"), _BLANK)
    shelf = read(folder, words)
    if shelf.problems:
        more = len(shelf.problems) - MISTAKES_MAX
        rest = [f"and {more} more; is this the folder of pages?"] if more > 0 else []
        raise ArchiveError("\n".join([*shelf.problems[:MISTAKES_MAX], *rest]))
    if not shelf.pages:
        raise ArchiveError(f"{folder}: there is no page in it; name the folder with nl/, en/ and so on")
    if not unapproved and not shelf.has_any(unapproved_too=False):
        mend = "fill in approved_by, approved_on and language_reviewed, or for an exercise add --unapproved"
        raise ArchiveError(f"{folder}: no page is approved, so a point would show none; {mend}")
    return shelf


def _names(folder: Path) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if NAME.fullmatch(name))


def _content(path: Path) -> bytes:
    try:
        return pagestore.read_bounded(path)
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read ({error.strerror}); is it a plain file?") from error


def _last_serial(path: Path, region: Body) -> int:
    serial = region.get(SERIAL_KEY, 0)
    if not isinstance(serial, int) or isinstance(serial, bool) or serial < 0:
        raise ArchiveError(f"{path}: `{SERIAL_KEY}` is no number; write that of the last archive")
    return serial


def hand_over(config_path: Path, file: Path, *, region: bool) -> str:
    """Give an archive to a running node and return what it made of it; SteunpuntError with the mend when it refused.

    ``region``: at a coordinator, for all points; else at a point, for itself.
    """
    config = load(config_path)
    if (config.site.role is Role.COORDINATOR) is not region:
        role, other = config.site.role, "install" if region else "publish"
        raise ConfigError(f"{config_path}: this is a {role}; type `steunpunt pages {other}`")
    if config.housekeeping.pages_folder is None:
        mend = 'write pages_folder = "/var/lib/steunpunt-pages" under [housekeeping] and restart the node'
        raise ConfigError(f"{config_path}: this site takes no pages; {mend}")
    data = _content(file)
    with contextlib.closing(Client(config.control.socket)) as client:
        for at in range(0, max(len(data), 1), PART_BYTES):
            part = base64.b64encode(data[at : at + PART_BYTES]).decode()
            client.call("pages", part=at // PART_BYTES, data=part, last=at + PART_BYTES >= len(data))
        told = _outcome(client)
    known = "was there already" if told["already"] else "is shown from now on" if not region else "is kept here"
    spread = "; points with internet get it within a minute" if region else ""
    return f"number {told['serial']} {known}{spread}"


def _outcome(client: Client) -> Body:
    """Wait for the node's word on what it was given."""
    deadline_s = time.monotonic() + INSTALL_S_MAX
    while True:
        try:
            return client.call("pages")
        except NotKnownYet:
            if time.monotonic() > deadline_s:
                raise
        except Refused as error:
            if error.code == "pages_refused":
                raise ArchiveError(f"{error}; the old pages stay") from error
            raise
