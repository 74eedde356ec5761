"""The region's information pages in one file, signed by the region's offline root. Pure.

    offset  bytes
    0       8      "SPPAGES1"
    8       4      serial, from 1 on: the highest counts
    12      8      when it was made, seconds since 1970 by the clock of who made it: for people, nothing rests on it
    20      32     SHA-256 of what comes behind the signature
    52      64     Ed25519 by the offline root over "steunpunt pages v1" and bytes 0 to 51
    116     …      deflate (RFC 1950) of the files: for each its name's length 1, name, length 4, bytes

Numbers are big-endian. A name is one of three kinds, so that a file can lie nowhere else and be nothing else; there
are no links, modes or owners to be had. Nothing is unpacked before signature and digest are right.
"""

import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from steunpunt.model import SteunpuntError
from steunpunt.protocol.packets import SIGNATURE_BYTES

ARCHIVE_BYTES_MAX = 512 * 1024
"""Longest archive: it goes to every point over its backup internet."""
UNPACKED_BYTES_MAX = 4 * 1024 * 1024
FILES_MAX = 400
FILE_BYTES_MAX = 512 * 1024
SERIAL_MAX = 0xFFFF_FFFF
MADE_S_MAX = 253_402_300_799
"""The end of the year 9999."""
NAME = re.compile(
    r"(?:[a-z]{2}/[a-z0-9][a-z0-9-]{0,59}\.md|images/[a-z0-9][a-z0-9-]{0,59}\.(?:png|jpg|webp)|postcodes\.csv)",
    re.ASCII,
)
"""Names of files that may be in it, as :mod:`steunpunt_ui.content.shelf` reads them."""
_MAGIC = b"SPPAGES1"
_LABEL = b"steunpunt pages v1"
_HEAD_BYTES = 52
_BODY = _HEAD_BYTES + SIGNATURE_BYTES


class ArchiveError(SteunpuntError, ValueError):
    """An archive of pages that cannot be made, or that is not to be believed."""


class Archive(Struct, frozen=True):
    """The head of an archive, and its files by name."""

    serial: int
    made_s: int
    digest: bytes
    """SHA-256 of the packed files: two archives with one digest are the same pages."""
    files: dict[str, bytes]


def pack(files: Mapping[str, bytes], serial: int, made_s: int, sign: Callable[[bytes], bytes]) -> bytes:
    """Return the archive of these files; ArchiveError with the mend for a name or size that no site would take."""
    _refuse(files)
    if not 0 < serial <= SERIAL_MAX or not 0 <= made_s <= MADE_S_MAX:
        raise ArchiveError(f"serial {serial}, made {made_s} s after 1970: one of them cannot be; is the clock right?")
    body = zlib.compress(b"".join(_entry(name, files[name]) for name in sorted(files)), 9)
    head = _MAGIC + serial.to_bytes(4, "big") + made_s.to_bytes(8, "big") + hashlib.sha256(body).digest()
    packed = head + sign(_LABEL + head) + body
    if len(packed) > ARCHIVE_BYTES_MAX:
        mend = f"at most {ARCHIVE_BYTES_MAX // 1024}; make pictures smaller, or leave some out"
        raise ArchiveError(f"the archive has {len(packed) // 1024} KiB; {mend}")
    return packed


def _refuse(files: Mapping[str, bytes]) -> None:
    strange = next((name for name in sorted(files) if not NAME.fullmatch(name)), None)
    if strange is not None:
        mend = "pages are called such as nl/water.md, pictures images/bucket.png, of a-z, 0-9 and -"
        raise ArchiveError(f"{strange[:80]!r} has no place among the pages; {mend}")
    long = next((name for name in sorted(files) if len(files[name]) > FILE_BYTES_MAX), None)
    if long is not None:
        raise ArchiveError(f"{long} has {len(files[long])} bytes; at most {FILE_BYTES_MAX} fit")
    size = sum(len(content) for content in files.values())
    if not 0 < len(files) <= FILES_MAX or size > UNPACKED_BYTES_MAX:
        limits = f"1 to {FILES_MAX} files and {UNPACKED_BYTES_MAX >> 20} MiB in all"
        raise ArchiveError(f"{len(files)} files of {size} bytes; {limits} fit")


def _entry(name: str, content: bytes) -> bytes:
    return bytes([len(name)]) + name.encode() + len(content).to_bytes(4, "big") + content


def believed(data: bytes, root_public: bytes) -> Archive:
    """Take an archive apart that the region's offline root signed; ArchiveError for any other."""
    from steunpunt.protocol.keys import verified  # noqa: PLC0415  who shows pages needs no cryptography

    _check_frame(data)
    signature = data[_HEAD_BYTES:_BODY]
    if not verified(root_public, signature, _LABEL + data[:_HEAD_BYTES]):
        raise ArchiveError("this region's offline root did not sign the archive; make it with this region's keys")
    return unpacked(data)


def unpacked(data: bytes) -> Archive:
    """Take an archive apart without asking who signed it; ArchiveError for one that is cut off, changed or too much."""
    _check_frame(data)
    body, digest = data[_BODY:], data[20:_HEAD_BYTES]
    if hashlib.sha256(body).digest() != digest:
        raise ArchiveError("the archive is cut off or damaged; copy it again")
    serial, made_s = int.from_bytes(data[8:12], "big"), int.from_bytes(data[12:20], "big")
    if not serial or made_s > MADE_S_MAX:
        raise ArchiveError(f"the archive has serial {serial}, made {made_s} s after 1970, which cannot be")
    files = dict(_files(_inflated(body)))
    _refuse(files)
    return Archive(serial, made_s, digest, files)


def _check_frame(data: bytes) -> None:
    if not data.startswith(_MAGIC):
        raise ArchiveError("this is no archive of pages; `steunpunt pages pack` makes one")
    if not _BODY < len(data) <= ARCHIVE_BYTES_MAX:
        raise ArchiveError(f"an archive of {len(data)} bytes; it has {_BODY + 1} to {ARCHIVE_BYTES_MAX}; copy it again")


def _inflated(body: bytes) -> bytes:
    most = UNPACKED_BYTES_MAX + FILES_MAX * 256  # with the names
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(body, most)
    except zlib.error as error:
        raise ArchiveError(f"the archive cannot be unpacked ({error}); make it again") from error
    if not inflater.eof or inflater.unused_data:
        raise ArchiveError(f"the archive does not end within {most} bytes; make it again with fewer pages")
    return found


def _files(packed: bytes) -> Iterator[tuple[str, bytes]]:
    at, seen = 0, set[bytes]()
    while at < len(packed):
        name_end = at + 1 + packed[at]
        name, start = packed[at + 1 : name_end], name_end + 4
        at = start + int.from_bytes(packed[name_end:start], "big")
        if at > len(packed) or start > len(packed):
            raise ArchiveError("a file in the archive goes on behind its end; make it again")
        if name in seen or len(seen) >= FILES_MAX:
            raise ArchiveError(f"the archive names a file twice, or more than {FILES_MAX}; make it again")
        seen.add(name)
        yield name.decode("ascii", "replace"), packed[start:at]
