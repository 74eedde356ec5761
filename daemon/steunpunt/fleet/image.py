"""A Raspberry Pi OS image: where its boot partition lies, and a copy of that with a site's files in it.

The partition is FAT, which mtools reads and writes without mounting and without root. The image is never changed.
"""

import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steunpunt.fleet.cards import FleetError

SECTOR_BYTES = 512
COPY_BYTES = 4 << 20
MTOOLS_S_MAX = 300
EPOCH_S = 1_767_225_600
"""1 January 2026: every file carries it, so that the same files give the same partition."""
_FAT_TYPES = {0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E}
_TABLE, _ENTRY, _SIGNATURE = 446, 16, b"\x55\xaa"


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition's place in its image, in bytes."""

    start: int
    size: int


def boot_partition(image: Path) -> Partition:
    """Return the first FAT partition of an image with a DOS partition table; FleetError when there is none."""
    try:
        with image.open("rb") as file:
            head = file.read(SECTOR_BYTES)
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise FleetError(f"{image}: cannot be read ({error.strerror}); give the path of an image") from error
    if head[-2:] != _SIGNATURE or len(head) != SECTOR_BYTES:
        mend = "unpack it first: unxz" if image.suffix in {".xz", ".gz", ".zip"} else "download it anew"
        raise FleetError(f"{image}: is no image of a disk; {mend}")
    for at in range(_TABLE, _TABLE + 4 * _ENTRY, _ENTRY):
        kind, first, sectors = head[at + 4], *struct.unpack_from("<II", head, at + 8)
        if kind in _FAT_TYPES:
            found = Partition(first * SECTOR_BYTES, sectors * SECTOR_BYTES)
            if found.start + found.size > size:
                raise FleetError(f"{image}: ends before its boot partition does; download it anew")
            return found
    raise FleetError(f"{image}: has no FAT boot partition; take Raspberry Pi OS for this board")


class BootPartition:
    """A copy of an image's boot partition in a folder, to be filled."""

    def __init__(self, image: Path, folder: Path) -> None:
        """``folder`` must have room for the partition; :meth:`copy` makes the file in it."""
        self.image, self.place = image, boot_partition(image)
        self.path = folder / "boot.img"

    def copy(self) -> None:
        """Take the partition out of the image."""
        with self.image.open("rb") as source, self.path.open("wb") as out:
            source.seek(self.place.start)
            left = self.place.size
            while left:
                chunk = source.read(min(left, COPY_BYTES))
                out.write(chunk)
                left -= len(chunk)

    def read(self, name: str) -> str | None:
        """Return a text file of the partition; None when it is not there."""
        done = self._mtools("mtype", f"::{name}", check=False)
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None

    def names(self, folder: str = "") -> set[str]:
        """Return what is in a folder of the partition."""
        done = self._mtools("mdir", "-b", f"::{folder}", check=False)
        return {line.rstrip("/").rpartition("/")[2] for line in done.stdout.decode("utf-8", "replace").splitlines()}

    def put(self, texts: Mapping[str, bytes], files: Mapping[str, Path], scratch: Path) -> None:
        """Write contents and copies of files, by their place in the partition; FleetError when there is no room."""
        staged = scratch / "staged"
        for name, data in texts.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for name, source in files.items():
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
        for path in (staged, *staged.rglob("*")):
            os.utime(path, (EPOCH_S, EPOCH_S))
        for path in sorted(staged.iterdir()):
            self._mtools("mcopy", "-s", "-o", "-m", "-Q", str(path), "::")
        shutil.rmtree(staged)

    def _mtools(self, program: str, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        found = shutil.which(program)
        if found is None:
            raise FleetError(f"{program} is not installed; type: sudo apt-get install mtools")
        done = subprocess.run(  # noqa: S603  mtools, with paths of ours
            [found, "-i", str(self.path), *arguments],
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=MTOOLS_S_MAX,
            env={**os.environ, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        )
        if check and done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            mend = "carry fewer packages" if "full" in said[-1].lower() else "is the image whole?"
            raise FleetError(f"{self.image}: its boot partition cannot be filled ({said[-1]}); {mend}")
        return done
