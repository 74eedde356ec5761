"""A small image like Raspberry Pi OS: a DOS partition table, a FAT boot partition, a Linux one. Made with mtools."""

import os
import struct
import subprocess
from pathlib import Path

SECTOR = 512
BOOT_START, BOOT_SECTORS = 8192, 16_384
ROOT_SECTORS = 8192
CMDLINE = "console=tty1 root=PARTUUID=1234-02 rootfstype=ext4 fsck.repair=yes rootwait quiet\n"


def pi_image(path: Path, *, cloud_init: bool = True, issue: str = "Raspberry Pi reference 2025-10-01\n") -> Path:
    """Write an image of 16 MiB whose second partition is random bytes; ``cloud_init``: as from October 2025 on."""
    boot = path.with_suffix(".boot")
    boot.write_bytes(b"")
    os.truncate(boot, BOOT_SECTORS * SECTOR)
    _run("mformat", "-i", str(boot), "-T", str(BOOT_SECTORS), "-h", "16", "-s", "32", "-v", "bootfs", "::")
    files = {"cmdline.txt": CMDLINE, "config.txt": "arm_64bit=1\n", "issue.txt": issue}
    files |= {"user-data": "#cloud-config\n", "meta-data": "instance-id: none\n"} if cloud_init else {}
    for name, text in files.items():
        source = path.with_name(name)
        source.write_text(text, "utf-8")
        _run("mcopy", "-i", str(boot), str(source), f"::{name}")
        source.unlink()
    root_start = BOOT_START + BOOT_SECTORS
    table = _entry(0x0C, BOOT_START, BOOT_SECTORS) + _entry(0x83, root_start, ROOT_SECTORS) + bytes(32)
    with path.open("wb") as out:
        out.write(bytes(446) + table + b"\x55\xaa")
        out.seek(BOOT_START * SECTOR)
        out.write(boot.read_bytes())
        out.write(os.urandom(ROOT_SECTORS * SECTOR))
    boot.unlink()
    return path


def read_boot(image: Path, name: str) -> bytes:
    """Return a file of an image's boot partition."""
    done = _run("mtype", "-i", f"{image}@@{BOOT_START * SECTOR}", f"::{name}")
    return done.stdout


def root_of(image: Path) -> bytes:
    """Return all but the boot partition."""
    data = image.read_bytes()
    return data[: BOOT_START * SECTOR] + data[(BOOT_START + BOOT_SECTORS) * SECTOR :]


def _entry(kind: int, start: int, sectors: int) -> bytes:
    return bytes(4) + bytes([kind]) + bytes(3) + struct.pack("<II", start, sectors)


def _run(*words: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(words, check=True, capture_output=True, env={**os.environ, "MTOOLS_SKIP_CHECK": "1"})
