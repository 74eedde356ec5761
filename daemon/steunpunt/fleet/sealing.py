"""A site's bundle: its files in one, sealed under a code that stands on the site's sheet and nowhere else near it.

The file: the mark, a line of JSON that everybody may read (which site, which card), then the files as a tar archive
under AES-256-GCM (NIST SP 800-38D), its key made of code and salt by scrypt (RFC 7914). Mark and line
are authenticated. Each sealing draws a salt of its own, so each key seals once and its nonce may be constant. The code
has 80 random bits: nobody guesses it, and it fits on a label.
"""

import hashlib
import io
import os
import secrets
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from steunpunt.model import SteunpuntError

MARK = b"steunpunt bundle 1\n"
BUNDLE_BYTES_MAX = 64 << 20
HEAD_BYTES_MAX = 4096
CODE_CHARS = 16
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V"})
_SALT_BYTES = 16
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1, "maxmem": 128 << 20, "dklen": 32}
_NONCE = bytes(12)


class BundleError(SteunpuntError, ValueError):
    """A bundle that cannot be made, opened or written; the message says what to do."""


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What everybody may read of a bundle."""

    site: int
    name: str
    role: str
    generation: int
    digest: str
    """SHA-256 of what is in it: two bundles with the same one hold the same."""
    salt: str


@dataclass(frozen=True, slots=True)
class File:
    """One file of a bundle; ``path`` counts from the device's root."""

    path: str
    data: bytes
    mode: int = 0o644


# --- the code -----------------------------------------------------------------------------------------------------


def draw_code() -> str:
    """Return a new code, ``XXXX-XXXX-XXXX-XXXX``."""
    return _grouped("".join(secrets.choice(_ALPHABET) for _ in range(CODE_CHARS)))


def tidy_code(typed: str) -> str:
    """Return a code as it was printed from what a person typed; BundleError when it cannot be one."""
    chars = "".join(char for char in typed.upper() if char.isalnum()).translate(_LOOKALIKES)
    if len(chars) != CODE_CHARS or any(char not in _ALPHABET for char in chars):
        raise BundleError(f"a code has {CODE_CHARS} letters and digits; type the one on the site's sheet")
    return _grouped(chars)


def _grouped(chars: str) -> str:
    return "-".join(chars[at : at + 4] for at in range(0, CODE_CHARS, 4))


# --- sealing ------------------------------------------------------------------------------------------------------


def pack(files: Sequence[File]) -> bytes:
    """Return the files as one archive: the same files give the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(files, key=lambda one: one.path):
            entry = tarfile.TarInfo(file.path)
            entry.size, entry.mode = len(file.data), file.mode
            archive.addfile(entry, io.BytesIO(file.data))
    if len(out.getvalue()) > BUNDLE_BYTES_MAX:
        raise BundleError(f"more than {BUNDLE_BYTES_MAX >> 20} MiB for one site; make its pictures smaller")
    return out.getvalue()


def seal(archive: bytes, code: str, *, site: int, name: str, role: str, generation: int) -> bytes:
    """Return the bundle's bytes."""
    salt = os.urandom(_SALT_BYTES)
    digest = hashlib.sha256(archive).hexdigest()
    head = Head(site=site, name=name, role=role, generation=generation, digest=digest, salt=salt.hex())
    front = MARK + msgspec.json.encode(head) + b"\n"
    return front + AESGCM(_key(code, salt)).encrypt(_NONCE, archive, front)


def read_head(path: Path) -> Head:
    """Return what everybody may read of a bundle; BundleError when it is none."""
    return _split(path, _read(path))[0]


def open_archive(path: Path, code: str) -> tuple[Head, bytes]:
    """Return a bundle's head and archive; BundleError when the code is not its own or anything in it changed."""
    head, front, sealed = _split(path, _read(path))
    try:
        archive = AESGCM(_key(code, bytes.fromhex(head.salt))).decrypt(_NONCE, sealed, front)
    except InvalidTag as error:
        mend = f"type the code on the sheet of site {head.site}, or take the bundle from where it was made"
        raise BundleError(f"{path}: the code is not this bundle's, or a part of it changed; {mend}") from error
    return head, archive


def _key(code: str, salt: bytes) -> bytes:
    return hashlib.scrypt(tidy_code(code).encode(), salt=salt, **_SCRYPT)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(BUNDLE_BYTES_MAX + HEAD_BYTES_MAX)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); make it with `steunpunt fleet build`") from error
    if not data.startswith(MARK):
        raise BundleError(f"{path}: is no bundle; take what `steunpunt fleet build` made")
    return data


def _split(path: Path, data: bytes) -> tuple[Head, bytes, bytes]:
    end = data.find(b"\n", len(MARK), len(MARK) + HEAD_BYTES_MAX) + 1
    try:
        head = msgspec.json.decode(data[len(MARK) : end], type=Head)
        bytes.fromhex(head.salt)
    except ValueError as error:
        raise BundleError(f"{path}: its first lines are broken; copy it again from where it was made") from error
    return head, data[:end], data[end:]


# --- unpacking ----------------------------------------------------------------------------------------------------


def files_in(archive: bytes) -> list[File]:
    """Return the files of an archive; BundleError for one that would leave the folder it is unpacked in."""
    files = []
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as opened:
        for entry in opened:
            parts = PurePosixPath(entry.name).parts
            stream = opened.extractfile(entry) if entry.isreg() else None
            if stream is None or not parts or parts[0] == "/" or ".." in parts:
                raise BundleError(f"{entry.name!r} in the bundle is no file of a site; make the bundle anew")
            files.append(File(entry.name, stream.read(), entry.mode & 0o777))
    return files


def unpack(files: Sequence[File], root: Path) -> list[Path]:
    """Write a bundle's files below ``root``, each whole or not at all, over what is there; returns their paths."""
    written = []
    for file in files:
        path = root / file.path
        beside = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.unlink(missing_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode)
            with os.fdopen(descriptor, "wb") as out:
                os.fchmod(out.fileno(), file.mode)
                out.write(file.data)
                out.flush()
                os.fsync(out.fileno())
            beside.replace(path)
        except OSError as error:
            raise BundleError(f"{path}: cannot be written ({error.strerror}); run as root, or name a folder") from error
        written.append(path)
    return written
