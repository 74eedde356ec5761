"""Where archives of pages are unpacked: a power cut at any moment leaves the old pages or the new ones, whole."""

import os
import stat
from pathlib import Path

import pytest

from steunpunt import pagestore
from steunpunt.protocol.pagearchive import Archive, ArchiveError, pack, unpacked
from tests.fakes.region_keys import OFFLINE


def made(serial: int, text: bytes = b"") -> tuple[Archive, bytes]:
    files = {"nl/water.md": text or b"water %d" % serial, "images/pot.png": b"\x89PNG"}
    data = pack(files, serial, 1_770_000_000, OFFLINE.sign)
    return unpacked(data), data


def put(store: Path, serial: int) -> Path:
    archive, data = made(serial)
    return pagestore.switch(store, pagestore.stage(store, archive, data), serial)


def shown(store: Path) -> str:
    held = pagestore.current(store)
    return "" if held is None else (held.folder / "nl/water.md").read_text()


def test_the_newest_counts_and_the_one_before_stays(tmp_path: Path) -> None:
    store = tmp_path / "pages"
    assert (pagestore.current(store), pagestore.floor(store)) == (None, 0)
    for serial in (7, 8, 9):
        put(store, serial)
        assert shown(store) == f"water {serial}"
    assert sorted(path.name for path in store.iterdir()) == ["0000000008.1", "0000000009.1", "current"]
    assert pagestore.floor(store) == 9


def test_everybody_may_read_and_nobody_else_write_whatever_the_units_mask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        folder = put(tmp_path, 7)
    finally:
        os.umask(before)
    modes = {path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    files = dict.fromkeys(("nl/water.md", "images/pot.png", ".archive"), 0o644)
    assert modes == files | {"nl": 0o755, "images": 0o755}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_power_cut_at_any_step_leaves_the_old_pages_and_the_next_try_works(tmp_path: Path) -> None:
    put(tmp_path, 7)
    archive, data = made(8)
    staged = pagestore.stage(tmp_path, archive, data)
    (staged / "nl/water.md").write_bytes(b"half")
    assert shown(tmp_path) == "water 7"
    staged = pagestore.stage(tmp_path, archive, data)
    staged.rename(tmp_path / "0000000008.1")  # cut before the link
    assert (shown(tmp_path), pagestore.floor(tmp_path)) == ("water 7", 8)
    (tmp_path / ".current.new").symlink_to("0000000008.1")  # cut before the link's renaming
    assert shown(tmp_path) == "water 7"
    assert put(tmp_path, 8).name == "0000000008.2"
    assert shown(tmp_path) == "water 8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000000007.1", "0000000008.2", "current"]


@pytest.mark.parametrize("wrong", ["other words", "cut off", "gone", "a link", "no archive", "another number"])
def test_pages_that_are_not_as_they_came_do_not_count_but_their_number_stays(tmp_path: Path, wrong: str) -> None:
    folder = put(tmp_path, 7)
    page = folder / "nl/water.md"
    match wrong:
        case "other words":
            page.write_bytes(b"water 8")
        case "cut off":
            page.write_bytes(b"")
        case "gone":
            page.unlink()
        case "a link":
            (tmp_path / "elsewhere").write_bytes(page.read_bytes())
            page.unlink()
            page.symlink_to(tmp_path / "elsewhere")
        case "no archive":
            (folder / ".archive").write_bytes(b"\0" * 200)
        case _:
            (folder / ".archive").write_bytes(made(6, b"water 7")[1])
    assert pagestore.current(tmp_path) is None
    assert pagestore.floor(tmp_path) == 7


def test_a_link_of_somebody_else_leads_nowhere(tmp_path: Path) -> None:
    for target in ("/etc", "..", "0000000007.1/nl"):
        (tmp_path / "current").unlink(missing_ok=True)
        (tmp_path / "current").symlink_to(target)
        assert pagestore.current_folder(tmp_path) is None


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.pages")
    assert pagestore.read_bounded(tmp_path / "x.pages") == b""


def test_what_cannot_be_written_is_told_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    archive, data = made(7)
    with pytest.raises(ArchiveError, match="systemd-tmpfiles --create makes it"):
        pagestore.stage(tmp_path / "file", archive, data)
    with pytest.raises(ArchiveError, match="cannot be changed over"):
        pagestore.switch(tmp_path, tmp_path / ".new", 7)
