"""Pages that the region sends: what counts, what never does, and who is told."""

import base64
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from steunpunt import keyfiles, pagestore
from steunpunt.control import Body
from steunpunt.fleet.pagepacking import MISTAKES_MAX, pack
from steunpunt.jobfacts import PagesHeard
from steunpunt.ledger.upkeep import Stopped
from steunpunt.model import LinkChanged, LinkName, SteunpuntError
from steunpunt.node.pages import SETTLE_MS
from steunpunt.protocol.pagearchive import pack as packed
from steunpunt_ui.content.place import Place, folder_of, own_folder
from tests.fakes.page_sites import PagesRegion, PagesSite, write_pages


@pytest.fixture
def region(tmp_path: Path) -> PagesRegion:
    return PagesRegion(tmp_path / "safe")


@pytest.fixture
def point(region: PagesRegion, tmp_path: Path) -> PagesSite:
    return PagesSite(region.config(47, tmp_path / "pages", tmp_path / "stick"))


def signed(region: PagesRegion, files: dict[str, bytes], serial: int) -> bytes:
    """Return what the region could sign, but `pages pack` would not make."""
    root = keyfiles.decoded(region.keys, keyfiles.read_region(region.keys), "offline_root", 32)
    return packed(files, serial, 0, Ed25519PrivateKey.from_private_bytes(root).sign)


def ask(site: PagesSite, data: bytes) -> Body:
    """Hand an archive over as `pages install` does, and have the job run."""
    for at in range(0, len(data), 100):
        part = base64.b64encode(data[at : at + 100]).decode()
        assert site.pages.asked({"data": part, "part": at // 100, "last": at + 100 >= len(data)})["ok"]
    assert (site.woken, site.pages.wanted) == (1, True)
    site.job()
    return site.pages.asked({})


def test_the_newest_of_the_region_counts_and_an_old_one_never_again(region: PagesRegion, point: PagesSite) -> None:
    first, second = region.pack(water="een"), region.pack(water="twee")
    assert (point.hear(first), point.shown(), point.pages.status()) == ("", "een", {"serial": 1})
    assert (point.hear(second), point.shown()) == ("", "twee")
    assert (point.hear(first), point.shown()) == ("", "twee")
    again = PagesSite(point.config)
    assert (again.hear(first), again.shown(), again.pages.status()) == ("", "twee", {"serial": 2})
    assert set(again.published) == set(point.published) == {b""}, "the point's own broker forgets what is held"
    assert "number 1 is older than number 2" in ask(point, first)["message"]


def test_nothing_but_the_regions_own_words_take_the_pages_away(
    region: PagesRegion, point: PagesSite, tmp_path: Path
) -> None:
    point.hear(region.pack(water="een"))
    stranger = PagesRegion(tmp_path / "other")
    stranger.pack(water="nee")
    good = region.pack(water="twee")
    for wrong, told in (
        (stranger.pack(water="nee"), "broker: this region's offline root did not sign"),
        (good[:-5], "broker: the archive is cut off or damaged"),
        (b"x" * 200, "broker: this is no archive of pages"),
        (signed(region, {"nl/water.md": b"anders"}, 1), "broker: other pages have number 1 too"),
    ):
        point.published.clear()
        assert point.hear(wrong).startswith(told)
        assert point.job().startswith(told), "it is told until something good comes"
        assert (point.shown(), point.published) == ("een", [])
    assert (point.hear(good), point.shown()) == ("", "twee")


def test_a_page_that_cannot_be_shown_here_stops_the_whole_archive(region: PagesRegion, point: PagesSite) -> None:
    point.hear(region.pack(water="een"))
    assert point.hear(signed(region, {"nl/water.md": b"no front"}, 9)) == (
        "broker: number 9: nl/water.md:1: a page begins with a line ---; write it, then the keys title, summary, icon, "
        "order, approved_by, approved_on, language_reviewed"
    )
    assert "an approved page still has the blank" in point.hear(region.pack(water="{broadcaster?naam}"))
    assert "there is no page in it" in point.hear(signed(region, {"postcodes.csv": b"6211;Maastricht\n"}, 10))
    assert point.shown() == "een"
    assert sorted(path.name for path in point.store.iterdir()) == ["0000000001.1", "current"]


@contextmanager
def no_room() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_without_room_on_the_disk_the_old_pages_stay_and_the_next_run_tries_again(
    region: PagesRegion, point: PagesSite
) -> None:
    point.hear(region.pack(water="een"))
    second = region.pack(water="twee")
    with no_room():
        assert "the pages cannot be written (File too large)" in point.hear(second)
    assert point.shown() == "een"
    assert sorted(path.name for path in point.store.iterdir()) == ["0000000001.1", "current"]
    assert (point.job(), point.shown()) == ("", "twee")


def test_a_stick_brings_pages_and_what_is_wrong_on_it_is_told(
    region: PagesRegion, point: PagesSite, tmp_path: Path
) -> None:
    assert (point.job(), point.shown()) == ("", ""), "no stick is no trouble"
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "1.pages").write_bytes(region.pack(water="een"))
    (stick / "2.pages").write_bytes(region.pack(water="twee"))
    (stick / "3.pages").write_bytes(region.pack(water="drie")[:200])
    (stick / "4.pages").symlink_to(region.keys)
    (stick / "nl").mkdir()
    found = point.job()
    assert "3.pages: the archive is cut off" in found
    assert "4.pages: cannot be read" in found
    assert point.shown() == "twee"
    (stick / "3.pages").unlink()
    (stick / "4.pages").unlink()
    assert (point.job(), point.shown()) == ("", "twee")


def test_a_technician_is_told_what_became_of_the_archive(region: PagesRegion, point: PagesSite) -> None:
    assert point.pages.asked({})["error"] == "bad_request"
    assert point.pages.asked({"data": "*"})["error"] == "bad_request"
    part = {"data": base64.b64encode(bytes(300_000)).decode(), "part": 1}
    assert [point.pages.asked(part).get("error") for _ in range(2)] == [None, "too_long"]
    archive = region.pack(water="een")
    assert ask(point, archive) == {"ok": True, "serial": 1, "already": False}
    point.woken = 0
    assert ask(point, archive) == {"ok": True, "serial": 1, "already": True}
    point.woken = 0
    told = ask(point, archive[:-1])
    assert (told["error"], told["message"]) == ("pages_refused", "the archive is cut off or damaged; copy it again")
    assert point.job() == "", "a person was told; the job has nothing to complain of"


def test_pages_that_were_damaged_are_mended_or_the_points_own_are_shown(
    region: PagesRegion, point: PagesSite, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(point.config)
    assert place() == own_folder(point.config)
    point.hear(region.pack(water="een"))
    held = pagestore.current(point.store)
    assert held is not None
    assert place() == held.folder
    (held.folder / "nl/water.md").write_text("iets anders")
    assert place() == folder_of(point.config) == own_folder(point.config)
    assert "action=pages_damaged" in caplog.text
    assert (point.job(), point.shown()) == ("", "een")
    mended = place()
    assert mended == folder_of(point.config) != held.folder
    for name in ("nl/water.md", ".archive"):
        (mended / name).unlink()
    assert point.job().startswith("number 1 of the region's pages is damaged: ")
    assert place() == own_folder(point.config)


def test_a_node_that_stops_does_not_wait_for_all_archives(region: PagesRegion, point: PagesSite) -> None:
    point.pages.heard(PagesHeard(region.pack(water="een")), 0)
    with pytest.raises(Stopped):
        point.pages.job(lambda: True)
    assert (point.shown(), point.job(), point.shown()) == ("", "", "een")


# --- the coordinator ----------------------------------------------------------------------------------------------

UP, DOWN = (LinkChanged(LinkName.BROKER, up=up, reason="") for up in (True, False))


def test_a_coordinator_gives_its_broker_what_it_holds_and_never_anything_older(
    region: PagesRegion, tmp_path: Path
) -> None:
    desk = PagesSite(region.config(1, tmp_path / "pages"))
    first, second = region.pack(water="een"), region.pack(water="twee")
    assert ask(desk, first)["serial"] == 1
    desk.pages.look(0)
    assert desk.published == [], "the broker is not there"
    desk.pages.heard(UP, 1_000)
    assert desk.pages.due_ms == 1_000 + SETTLE_MS
    desk.pages.look(SETTLE_MS)
    assert desk.published == [], "it may tell first what it keeps"
    desk.pages.look(1_000 + SETTLE_MS)
    assert desk.published == [first]
    desk.pages.heard(DOWN, 20_000)
    desk.pages.heard(UP, 30_000)
    assert desk.hear(first) == "nothing to do"
    desk.pages.look(60_000)
    assert desk.published == [first], "the broker has it still"
    assert desk.hear(second) == ""
    desk.pages.look(60_000)
    assert (desk.published, desk.shown()) == ([first], "twee"), "another coordinator's, which is newer, counts here too"
    desk.pages.heard(DOWN, 70_000)
    desk.pages.heard(UP, 80_000)
    desk.pages.heard(UP, 80_000)
    assert desk.hear(first) == ""
    desk.pages.look(100_000)
    assert desk.published == [first, second], "a broker that fell back is brought up again"
    desk.pages.look(200_000)
    assert desk.published == [first, second]


def test_a_coordinator_leaves_alone_what_says_that_it_is_newer(region: PagesRegion, tmp_path: Path) -> None:
    desk = PagesSite(region.config(1, tmp_path / "pages"))
    ask(desk, region.pack(water="een"))
    desk.pages.heard(UP, 0)
    second = region.pack(water="twee")
    with no_room():
        assert "cannot be written" in desk.hear(second)
    desk.pages.look(60_000)
    assert desk.published == []


# --- making one ---------------------------------------------------------------------------------------------------


def test_pages_with_mistakes_or_without_approval_are_not_packed(region: PagesRegion, tmp_path: Path) -> None:
    for number in range(MISTAKES_MAX + 2):
        (tmp_path / "wrong" / f"x{number}").mkdir(parents=True)
    with pytest.raises(SteunpuntError, match=r"(?s)not a language.*and 2 more; is this the folder of pages\?"):
        pack(region.keys, tmp_path / "wrong", tmp_path / "x.pages")
    folder = write_pages(tmp_path / "content", water="Drink. [eten](eten.md)")
    with pytest.raises(SteunpuntError, match=r"the page eten\.md is not there"):
        pack(region.keys, folder, tmp_path / "x.pages")
    page = write_pages(folder, water="Drink.") / "nl/water.md"
    (folder / "notes.txt").write_text("not a page, and not in it")
    approved = page.read_text("utf-8")
    page.write_text(approved.replace("approved_by: GGD\napproved_on: 2026-03-31", "approved_by:\napproved_on:"))
    with pytest.raises(SteunpuntError, match="no page is approved"):
        pack(region.keys, folder, tmp_path / "x.pages")
    made = pack(region.keys, folder, tmp_path / "x.pages", unapproved=True)
    assert (made.serial, made.pages, made.approved) == (1, 1, 0)
    page.write_text(approved)
    assert pack(region.keys, folder, tmp_path / "x.pages").serial == 2
    with pytest.raises(SteunpuntError, match="cannot be written"):
        pack(region.keys, folder, tmp_path / "none/x.pages")
    assert pack(region.keys, folder, tmp_path / "x.pages").serial == 4, "a number is never given out twice"
