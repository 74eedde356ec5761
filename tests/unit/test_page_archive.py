"""An archive of pages: what is signed comes out as it went in; nothing else comes out at all."""

import hashlib
import zlib
from collections.abc import Iterable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.protocol.pagearchive import (
    ARCHIVE_BYTES_MAX,
    FILE_BYTES_MAX,
    FILES_MAX,
    UNPACKED_BYTES_MAX,
    ArchiveError,
    believed,
    pack,
    unpacked,
)
from tests.fakes.region_keys import OFFLINE

ROOT_PUBLIC = OFFLINE.public_key().public_bytes_raw()
FILES = {"nl/water.md": b"Drink genoeg.", "en/water.md": b"Drink.", "images/pot.png": b"\x89PNG", "postcodes.csv": b""}
MADE_S = 1_770_000_000
BODY = 116


def signed(body: bytes, serial: int = 7) -> bytes:
    """Return an archive with this body, whatever is in it, as the region itself would sign it."""
    head = b"SPPAGES1" + serial.to_bytes(4, "big") + MADE_S.to_bytes(8, "big") + hashlib.sha256(body).digest()
    return head + OFFLINE.sign(b"steunpunt pages v1" + head) + body


def entries(files: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(bytes([len(name)]) + name + len(text).to_bytes(4, "big") + text for name, text in files)


def test_what_is_packed_comes_out_as_it_was() -> None:
    data = pack(FILES, 7, MADE_S, OFFLINE.sign)
    found = believed(data, ROOT_PUBLIC)
    assert (found.serial, found.made_s, found.files) == (7, MADE_S, FILES)
    assert data == signed(zlib.compress(entries((n.encode(), FILES[n]) for n in sorted(FILES)), 9))


def test_only_the_regions_root_is_believed() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(ArchiveError, match="did not sign"):
        believed(pack(FILES, 7, MADE_S, other.sign), ROOT_PUBLIC)


def test_no_byte_can_be_changed_and_none_taken_away() -> None:
    data = pack({"nl/water.md": b"Drink genoeg."}, 7, MADE_S, OFFLINE.sign)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        for wrong in (changed, data[:at]):
            with pytest.raises(ArchiveError):
                believed(wrong, ROOT_PUBLIC)
    with pytest.raises(ArchiveError):
        believed(data + b"\0", ROOT_PUBLIC)


@given(st.binary(max_size=400))
def test_whatever_comes_is_refused_in_one_way(data: bytes) -> None:
    for wrong in (data, b"SPPAGES1" + data, signed(data), signed(zlib.compress(data))):
        with pytest.raises(ArchiveError):
            believed(wrong, ROOT_PUBLIC)


ELSEWHERE = ("../site.toml", "/etc/passwd", "nl/../../x.md", "nl/water.md/x", ".archive", "current", "images/../x.png")
STRANGE = ("nl/.md", "NL/water.md", "nl/water.html", "images/x.svg", "nl/a\nb.md", "nl\\water.md", "", "nl/water.md\0")


@pytest.mark.parametrize("name", [*ELSEWHERE, *STRANGE, "nl/" + "x" * 61])
def test_a_file_can_lie_nowhere_but_among_the_pages(name: str) -> None:
    with pytest.raises(ArchiveError, match="no place among the pages"):
        believed(signed(zlib.compress(entries([(name.encode(), b"x")]))), ROOT_PUBLIC)
    with pytest.raises(ArchiveError, match="no place among the pages"):
        pack({name: b"x"}, 7, MADE_S, OFFLINE.sign)


def test_what_would_fill_the_disk_is_refused_though_it_is_signed() -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    assert len(bomb) < ARCHIVE_BYTES_MAX
    for body in (
        bomb,
        zlib.compress(entries((b"nl/a%d.md" % n, b"") for n in range(FILES_MAX + 1))),
        zlib.compress(entries([(b"nl/a.md", bytes(FILE_BYTES_MAX + 1))])),
        zlib.compress(entries((b"nl/a%d.md" % n, bytes(FILE_BYTES_MAX)) for n in range(9))),
        zlib.compress(entries([(b"nl/a.md", b"x"), (b"nl/a.md", b"y")])),
        zlib.compress(b"\x07nl/a.md\xff\xff\xff\xff"),
        zlib.compress(b"\x07nl/a.md\0"),
        zlib.compress(b""),
        zlib.compress(entries([(b"nl/a.md", b"x")])) + b"more",
    ):
        with pytest.raises(ArchiveError):
            believed(signed(body), ROOT_PUBLIC)
    with pytest.raises(ArchiveError, match="copy it again"):
        unpacked(signed(bytes(ARCHIVE_BYTES_MAX)))
    with pytest.raises(ArchiveError, match="cannot be"):
        believed(signed(zlib.compress(entries([(b"nl/a.md", b"x")])), serial=0), ROOT_PUBLIC)


def test_what_no_site_would_take_is_not_packed() -> None:
    noise = b"".join(hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(16_000))
    pictures = {f"images/p{n}.png": noise[:FILE_BYTES_MAX][n:] for n in range(3)}
    for files, told in (
        ({}, "0 files"),
        (pictures, "make pictures smaller"),
        ({"images/p.png": noise * 3}, "at most"),
        ({f"nl/a{n}.md": bytes(FILE_BYTES_MAX) for n in range(9)}, f"{UNPACKED_BYTES_MAX >> 20} MiB"),
    ):
        with pytest.raises(ArchiveError, match=told):
            pack(files, 7, MADE_S, OFFLINE.sign)
    for serial, made_s in ((0, MADE_S), (1 << 32, MADE_S), (7, -1)):
        with pytest.raises(ArchiveError, match="cannot be"):
            pack(FILES, serial, made_s, OFFLINE.sign)
