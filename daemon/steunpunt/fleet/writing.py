"""Writing an image to a card or a file: only what differs, then all of it read back.

What is there already is not written again: a card that was pulled out in the middle is finished by the same command.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from steunpunt.fleet.cards import FleetError
from steunpunt.fleet.image import Partition

CHUNK_BYTES = 4 << 20
SYNC_BYTES = 64 << 20
"""So much may wait in memory before it must be on the card: the bar tells the truth."""
_BLKGETSIZE64, _BLKFLSBUF = 0x80081272, 0x1261
Step = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Source:
    """An image, with another boot partition in the place of its own."""

    image: Path
    boot: Path
    place: Partition

    @property
    def size(self) -> int:
        """Bytes of the image."""
        return self.image.stat().st_size

    def chunks(self) -> Iterator[bytes]:
        """Give the image from its begin to its end."""
        end = self.place.start + self.place.size
        with self.image.open("rb") as image, self.boot.open("rb") as boot:
            yield from _pieces(image.read, self.place.start)
            yield from _pieces(boot.read, self.place.size)
            image.seek(end)
            yield from _pieces(image.read, self.size - end)


def _pieces(read: Callable[[int], bytes], size: int) -> Iterator[bytes]:
    while size:
        chunk = read(min(size, CHUNK_BYTES))
        if not chunk:
            raise FleetError("the image became shorter while it was read; start again")
        size -= len(chunk)
        yield chunk


@dataclass(frozen=True, slots=True)
class Written:
    """What a run did."""

    size: int
    written: int
    """Bytes that differed and were written; the rest was there already."""
    digest: str
    """SHA-256 of what was read back."""


def write(source: Source, target: Path, step: Step = lambda _: None) -> Written:
    """Write an image to a device or file that :func:`refuse` let pass, and read it back; FleetError when it differs.

    ``step`` is told the bytes that are done, of twice the image's size.
    """
    descriptor = _opened(target, source.size)
    try:
        if os.fstat(descriptor).st_size != source.size and not _is_device(target):
            os.ftruncate(descriptor, source.size)
        wanted, written = _write(source, descriptor, step)
        _forget_cache(descriptor, device=_is_device(target))
        found = _digest(descriptor, source.size, step)
    except OSError as error:
        mend = "is it still in? type the command again to go on"
        raise FleetError(f"{target}: {(error.strerror or 'error').lower()}; {mend}") from error
    finally:
        os.close(descriptor)
    if found != wanted:
        raise FleetError(f"{target}: what is read back is not what was written; throw this card away and take another")
    return Written(source.size, written, found)


def _opened(target: Path, size: int) -> int:
    """Open for reading and writing; a device exclusively, so that nobody mounts it meanwhile."""
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_EXCL if _is_device(target) else os.O_CREAT)
    try:
        descriptor = os.open(target, flags, 0o600)
    except OSError as error:
        mend = "unmount it, and run as root" if _is_device(target) else "choose a folder that is yours"
        raise FleetError(f"{target}: cannot be written ({(error.strerror or 'error').lower()}); {mend}") from error
    room = size_of(descriptor) if _is_device(target) else size
    if room < size:
        os.close(descriptor)
        raise FleetError(f"{target}: has {room >> 20} MiB, the image {size >> 20} MiB; take a larger card")
    return descriptor


def _is_device(target: Path) -> bool:
    return target.exists() and stat.S_ISBLK(target.stat().st_mode)


def size_of(descriptor: int) -> int:
    """Return the bytes of a block device."""
    return int.from_bytes(fcntl.ioctl(descriptor, _BLKGETSIZE64, bytes(8)), "little")


def _write(source: Source, descriptor: int, step: Step) -> tuple[str, int]:
    digest, at, written, waiting = hashlib.sha256(), 0, 0, 0
    for chunk in source.chunks():
        digest.update(chunk)
        if os.pread(descriptor, len(chunk), at) != chunk:
            _put(descriptor, chunk, at)
            written += len(chunk)
            waiting += len(chunk)
        at += len(chunk)
        if waiting >= SYNC_BYTES:
            os.fsync(descriptor)
            waiting = 0
        step(len(chunk))
    os.fsync(descriptor)
    return digest.hexdigest(), written


def _put(descriptor: int, data: bytes, at: int) -> None:
    while data:
        done = os.pwrite(descriptor, data, at)
        data, at = data[done:], at + done


def _forget_cache(descriptor: int, *, device: bool) -> None:
    """Have the kernel forget what it knows: what is read next comes from the card."""
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    if device:
        fcntl.ioctl(descriptor, _BLKFLSBUF, 0)


def _digest(descriptor: int, size: int, step: Step) -> str:
    digest, at = hashlib.sha256(), 0
    while at < size:
        chunk = os.pread(descriptor, min(CHUNK_BYTES, size - at), at)
        if not chunk:
            break
        digest.update(chunk)
        at += len(chunk)
        step(len(chunk))
    return digest.hexdigest()


# --- what must not be overwritten ---------------------------------------------------------------------------------


def refuse(target: Path, image: Path, *, sys_block: Path = Path("/sys/block"), proc: Path = Path("/proc")) -> None:
    """Raise FleetError for what must not be overwritten: the image, a disk in use, a partition, no disk at all."""
    if not target.exists():
        # A file there would lie in this computer's memory, and be taken for a card.
        if target.absolute().is_relative_to("/dev"):
            raise FleetError(f"{target}: no such disk; put the card in, and look with lsblk what it is called")
        return
    if target.samefile(image):
        raise FleetError(f"{target}: is the image itself; name another file or the card's device")
    mode = target.stat().st_mode
    if stat.S_ISREG(mode):
        return
    if not stat.S_ISBLK(mode):
        raise FleetError(f"{target}: is no disk and no file; look with lsblk for the card, such as /dev/sdb")
    number = target.stat().st_rdev
    refuse_device(f"{os.major(number)}:{os.minor(number)}", target, sys_block=sys_block, proc=proc)


def refuse_device(number: str, target: Path, *, sys_block: Path, proc: Path) -> None:
    """Raise FleetError for a block device, by its ``major:minor``, that is in use or is a part of a disk."""
    disk = next((path for path in sys_block.iterdir() if _text(path / "dev") == number), None)
    if disk is None:
        raise FleetError(f"{target}: is a partition or no disk; name the whole disk, such as /dev/sdb or /dev/mmcblk0")
    parts = [disk, *(path.parent for path in disk.glob("*/partition"))]
    numbers = {_text(part / "dev") for part in parts}
    mounts = [line.split() for line in _text(proc / "self" / "mountinfo").splitlines()]
    places = sorted(words[4] for words in mounts if len(words) > 4 and words[2] in numbers)  # noqa: PLR2004  see proc(5)
    if places:
        what = "this computer's own disk" if "/" in places else f"mounted at {', '.join(places)}"
        mend = "take another one" if "/" in places else f"type: sudo umount {' '.join(places)}"
        raise FleetError(f"{target}: is {what}; {mend}")
    names = {f"/dev/{part.name}" for part in parts}
    swaps = [line.split()[0] for line in _text(proc / "swaps").splitlines()[1:] if line.split()]
    holders = sorted(holder.name for part in parts for holder in _listed(part / "holders"))
    if names & set(swaps) or holders:
        by = ", ".join([*holders, *sorted(names & set(swaps))])
        raise FleetError(f"{target}: is in use by this computer ({by}); take another one")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def describe(target: Path, *, sys_block: Path = Path("/sys/block")) -> str:
    """Return what a person needs to see that it is the right card: its size, maker and model."""
    if not _is_device(target):
        return f"the file {target}"
    disk = sys_block / target.resolve().name
    sectors = _text(disk / "size") or "0"
    words = [_text(disk / "device" / name) for name in ("vendor", "model", "name")]
    told = " ".join(word for word in words if word) or "no name"
    return f"{target}, {int(sectors) * 512 / 1e9:.1f} GB, {told}"
