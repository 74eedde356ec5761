"""Where a site keeps the pages that came in an archive: a folder per archive, and a link to the one that counts.

    pages/0000000007.1/nl/water.md …     the files, for everybody to read: they are shown to everybody
    pages/0000000007.1/.archive          the archive that they came in
    pages/current -> 0000000007.1

The node alone writes here; the web process reads. Files and folder are forced to the disk before the link is renamed
over the old one: after a power cut the old pages count, or the new ones. The folder before stays for who is reading it.
"""

import contextlib
import errno
import os
import re
import shutil
from pathlib import Path

from msgspec import Struct

from steunpunt.durable import sync
from steunpunt.protocol.pagearchive import ARCHIVE_BYTES_MAX, Archive, ArchiveError, unpacked

CURRENT, ARCHIVE = "current", ".archive"
_NEW, _NEW_LINK = ".new", ".current.new"
_NAME = re.compile(r"(\d{10})\.(\d{1,4})", re.ASCII)
FOLDERS_MAX = 64
"""More folders than this were not made by us."""
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644


class Held(Struct, frozen=True):
    """Pages that are kept, whole and unchanged since they came."""

    folder: Path
    archive: Archive
    data: bytes
    """The archive as it came, to be passed on."""


def current(store: Path) -> Held | None:
    """Return the pages that count; None when there are none, or not a byte less or other than came."""
    folder = current_folder(store)
    if folder is None:
        return None
    try:
        data = read_bounded(folder / ARCHIVE)
        archive = unpacked(data)
        same = all(read_bounded(folder / name) == content for name, content in archive.files.items())
    except (OSError, ArchiveError):
        return None
    return Held(folder, archive, data) if same and archive.serial == serial_of(folder) else None


def current_folder(store: Path) -> Path | None:
    """Return where the link leads, whatever is there; None without a link, or to a name that we never give."""
    try:
        name = str((store / CURRENT).readlink())
    except OSError:
        return None
    return store / name if _NAME.fullmatch(name) else None


def serial_of(folder: Path) -> int:
    """Return the serial that a folder's name says; 0 for any other."""
    match = _NAME.fullmatch(folder.name)
    return int(match[1]) if match else 0


def floor(store: Path) -> int:
    """Return the highest serial that ever counted here and left a trace: none below it counts again."""
    linked = current_folder(store)
    return max((serial_of(path) for path in (*_folders(store), *([linked] if linked else []))), default=0)


def read_bounded(path: Path) -> bytes:
    """Read a plain file of at most ARCHIVE_BYTES_MAX bytes; OSError for a link, a pipe, or more."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(ARCHIVE_BYTES_MAX + 1)
    if len(data) > ARCHIVE_BYTES_MAX:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return data


def stage(store: Path, archive: Archive, data: bytes) -> Path:
    """Write the files beside those that count, and return where; ArchiveError when the disk refuses."""
    new = store / _NEW
    try:
        store.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        discard(new)
        folders = {new, *(new / Path(name).parent for name in archive.files)}
        for folder in sorted(folders):
            folder.mkdir()
            folder.chmod(_FOLDER_MODE)
        for name, content in {**archive.files, ARCHIVE: data}.items():
            _write(new / name, content)
        for folder in folders:
            sync(folder)
    except OSError as error:
        discard(new)
        raise ArchiveError(f"{store}: the pages cannot be written ({error.strerror}); {_mend(error)}") from error
    return new


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        os.fchmod(file.fileno(), _FILE_MODE)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def switch(store: Path, staged: Path, serial: int) -> Path:
    """Make staged pages those that count, and forget all but the ones before; ArchiveError when the disk refuses."""
    before, there = current_folder(store), {path.name for path in _folders(store)}
    name = next(f"{serial:010}.{n}" for n in range(1, FOLDERS_MAX + 2) if f"{serial:010}.{n}" not in there)
    link = store / _NEW_LINK
    try:
        staged.rename(store / name)
        sync(store)
        link.unlink(missing_ok=True)
        link.symlink_to(name)
        link.rename(store / CURRENT)
        sync(store)
    except OSError as error:
        raise ArchiveError(f"{store}: the pages cannot be changed over ({error.strerror}); {_mend(error)}") from error
    for path in _folders(store):
        if path.name != name and path != before:
            discard(path)
    return store / name


def discard(folder: Path) -> None:
    """Take a folder of ours away, as far as it goes."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder, ignore_errors=True)


def _folders(store: Path) -> list[Path]:
    try:
        with os.scandir(store) as entries:
            found = [Path(entry.path) for entry in entries if _NAME.fullmatch(entry.name)]
    except OSError:
        return []
    return sorted(found)[:FOLDERS_MAX]


def _mend(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free some of it"
    if error.errno == errno.EROFS:
        return "the disk is read-only: is the card worn out?"
    return "is the folder there, and the node's? systemd-tmpfiles --create makes it"
