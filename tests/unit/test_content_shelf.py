"""A folder of information pages: what is wrong stops only itself, who reads gets the likeliest language."""

import os
from pathlib import Path

import pytest

from steunpunt_ui.content.shelf import (
    LOOK_AGAIN_S,
    PAGE_KIB_MAX,
    PAGES_PER_LANGUAGE_MAX,
    PICTURE_KIB_MAX,
    PICTURES_MAX,
    Library,
    Shelf,
    languages_tried,
    read,
)

WORDS = {"point": "Buurthuis", "broadcaster": ""}
APPROVED = {"approved_by": "GGD", "approved_on": "2026-03-31", "language_reviewed": "2026-03-31"}


def write(folder: Path, name: str, body: str = "Drink genoeg.", **front: str) -> Path:
    keys = {"title": name, "summary": "Kort", "icon": "water", "order": "20"}
    keys |= dict.fromkeys(APPROVED, "") | front
    path = folder / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "".join(f"{key}: {value}".rstrip() + "\n" for key, value in keys.items())
    path.write_text(f"---\n{head}---\n\n{body}\n", "utf-8")
    return path


def names(shelf: Shelf) -> list[str]:
    return sorted("/".join(key) for key in shelf.pages)


def only_problem(folder: Path) -> str:
    (problem,) = read(folder, WORDS).problems
    return problem.removeprefix(f"{folder}")


# --- what is read -------------------------------------------------------------------------------------------------


def test_a_bad_page_is_told_with_its_line_and_the_others_are_shown(tmp_path: Path) -> None:
    write(tmp_path, "nl/water")
    write(tmp_path, "nl/eten", icon="taart")
    shelf = read(tmp_path, WORDS)
    assert names(shelf) == ["nl/water"]
    assert only_problem(tmp_path).startswith("/nl/eten.md:4: there is no icon taart; write one of ")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"---\ntitle: \xff\n---\n", "/nl/water.md:2: not UTF-8 text; save it as UTF-8"),
        (b"x" * (PAGE_KIB_MAX * 1024 + 1), f"/nl/water.md:1: longer than {PAGE_KIB_MAX} KiB; write less"),
        (b"", "/nl/water.md:1: a page begins with a line ---"),
        (b"\0" * 100, "/nl/water.md:1: a page begins with a line ---"),
    ],
)
def test_files_that_are_no_pages(tmp_path: Path, raw: bytes, told: str) -> None:
    path = write(tmp_path, "nl/water")
    path.write_bytes(raw)
    assert only_problem(tmp_path).startswith(told)


def test_the_byte_order_mark_of_an_editor_is_no_trouble(tmp_path: Path) -> None:
    path = write(tmp_path, "nl/water")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert names(read(tmp_path, WORDS)) == ["nl/water"]


@pytest.mark.parametrize("name", ["Water.md", "wa ter.md", "water.txt", "wäter.md", "-.md"])
def test_names_that_are_no_address(tmp_path: Path, name: str) -> None:
    write(tmp_path, "nl/water").rename(tmp_path / "nl" / name)
    assert only_problem(tmp_path).startswith(f"/nl/{name}:1: a page's file is called of a-z, 0-9 and -")


def test_what_editors_leave_beside_a_file_is_no_page(tmp_path: Path) -> None:
    write(tmp_path, "nl/water")
    for name in (".water.md.swp", "water.md~", "#water.md#"):
        (tmp_path / "nl" / name).write_text("half")
    (tmp_path / ".git").mkdir()
    (tmp_path / "README.md").write_text("Hoe dit werkt")
    assert read(tmp_path, WORDS).problems == ()


def test_a_folder_that_is_no_language_is_told(tmp_path: Path) -> None:
    write(tmp_path, "nl/water")
    write(tmp_path, "xx/water")
    assert only_problem(tmp_path).startswith("/xx: not a language of the screens; a folder is called nl, en, ")


def test_no_folder_at_all_says_which_key_to_correct(tmp_path: Path) -> None:
    shelf = read(tmp_path / "none", WORDS)
    assert shelf.pages == {}
    (problem,) = shelf.problems
    assert (
        problem == f"{tmp_path}/none: cannot be read (No such file or directory); correct kiosk.content, or leave "
        "it out for the pages that come along"
    )


def test_only_so_many_pages_and_pictures_are_read(tmp_path: Path) -> None:
    for number in range(PAGES_PER_LANGUAGE_MAX + 1):
        write(tmp_path, f"nl/p{number:02}")
    assert len(read(tmp_path, WORDS).pages) == PAGES_PER_LANGUAGE_MAX
    most = f"{PAGES_PER_LANGUAGE_MAX + 1} files, and {PAGES_PER_LANGUAGE_MAX} at most are read"
    assert only_problem(tmp_path).startswith(f"/nl: {most}")
    (tmp_path / "nl" / "p00.md").unlink()
    (tmp_path / "images").mkdir()
    for number in range(PICTURES_MAX + 1):
        (tmp_path / "images" / f"{number}.png").write_bytes(b"x")
    assert only_problem(tmp_path).startswith(f"/images: {PICTURES_MAX + 1} files")


def test_a_picture_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "nl/water", "![emmer](../images/emmer.png)")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "emmer.png").write_bytes(bytes(PICTURE_KIB_MAX * 1024))
    shelf = read(tmp_path, WORDS)
    assert shelf.pages == {}
    assert [problem.removeprefix(f"{tmp_path}/").partition(";")[0] for problem in shelf.problems] == [
        f"images/emmer.png: {PICTURE_KIB_MAX} KiB",
        "nl/water.md:11: images/emmer.png is not there or has a problem",
    ]


def test_a_link_to_nothing_takes_its_page_away_and_what_leads_to_that(tmp_path: Path) -> None:
    write(tmp_path, "nl/water", "Lees\n[eten](eten.md).")
    write(tmp_path, "nl/eten", "Lees [warmte](warmte.md).")
    write(tmp_path, "nl/radio", "Luister.")
    shelf = read(tmp_path, WORDS)
    assert names(shelf) == ["nl/radio"]
    assert len(shelf.problems) == 2
    assert "nl/water.md:12: the page eten.md is not there or has a problem" in shelf.problems[1]


def test_a_link_may_lead_to_a_page_in_another_language(tmp_path: Path) -> None:
    write(tmp_path, "fr/eau", "Lisez [radio](radio.md).") if "fr" in languages_tried("nl") else None
    write(tmp_path, "en/water", "Read [radio](radio.md).")
    write(tmp_path, "nl/radio")
    assert read(tmp_path, WORDS).problems == ()


def test_an_approved_page_has_no_blanks(tmp_path: Path) -> None:
    write(tmp_path, "nl/water", "Open: {?tijden}")
    assert names(read(tmp_path, WORDS)) == ["nl/water"]
    write(tmp_path, "nl/water", "Open: {?tijden}", **APPROVED)
    assert only_problem(tmp_path).startswith("/nl/water.md:11: an approved page still has the blank “tijden”; fill it")
    write(tmp_path, "nl/water", "Luister naar {broadcaster?de zender}.", **APPROVED)
    assert names(read(tmp_path, WORDS)) == []
    assert names(read(tmp_path, WORDS | {"broadcaster": "L1"})) == ["nl/water"]


# --- who gets which page ------------------------------------------------------------------------------------------


def test_a_reader_gets_the_own_language_then_english_then_dutch() -> None:
    assert languages_tried("nl")[:2] == ["nl", "en"]
    assert languages_tried("en")[:2] == ["en", "nl"]


def chosen(shelf: Shelf, language: str, *, too: bool) -> str | None:
    page = shelf.choose("water", language, unapproved_too=too)
    return None if page is None else page.language


def test_unapproved_pages_are_for_demonstrations_and_exercises(tmp_path: Path) -> None:
    write(tmp_path, "nl/water", **APPROVED)
    write(tmp_path, "en/water")
    shelf = read(tmp_path, WORDS)
    assert chosen(shelf, "en", too=False) == "nl"
    assert chosen(shelf, "en", too=True) == "en"
    assert shelf.languages_of("water", unapproved_too=False) == ["nl"]
    assert shelf.languages_of("water", unapproved_too=True) == ["nl", "en"]
    assert shelf.choose("eten", "nl", unapproved_too=True) is None


def test_the_list_has_each_page_once_in_the_order_of_the_pages(tmp_path: Path) -> None:
    write(tmp_path, "nl/water", order="30")
    write(tmp_path, "en/water", order="30")
    write(tmp_path, "nl/aa", order="40")
    write(tmp_path, "en/eten", order="5")
    shelf = read(tmp_path, WORDS)
    listed = shelf.listed("nl", unapproved_too=True)
    assert [(page.slug, page.language) for page in listed] == [("eten", "en"), ("water", "nl"), ("aa", "nl")]
    assert shelf.listed("nl", unapproved_too=False) == []
    assert shelf.has_any(unapproved_too=True)
    assert not shelf.has_any(unapproved_too=False)


# --- an editor sees changes ---------------------------------------------------------------------------------------


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def titles(library: Library) -> list[str]:
    return sorted(page.front.title for page in library.shelf().pages.values())


def test_a_changed_file_is_read_again_and_an_unchanged_folder_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    path = write(tmp_path, "nl/water")
    library = Library(lambda: tmp_path, WORDS, clock)
    first = library.shelf()
    clock.now_s += LOOK_AGAIN_S
    assert library.shelf() is first
    write(tmp_path, "nl/water", title="Drinkwater")
    write(tmp_path, "nl/eten")
    assert library.shelf() is first
    clock.now_s += LOOK_AGAIN_S
    assert titles(library) == ["Drinkwater", "nl/eten"]
    path.write_text("half geschreven")
    clock.now_s += LOOK_AGAIN_S
    assert titles(library) == ["nl/eten"]
    assert "water.md:1: a page begins with a line ---" in caplog.text
    path.unlink()
    clock.now_s += LOOK_AGAIN_S
    assert library.shelf().problems == ()


def test_the_same_size_at_another_time_is_a_change(tmp_path: Path) -> None:
    clock = Clock()
    path = write(tmp_path, "nl/water", title="Water")
    library = Library(lambda: tmp_path, WORDS, clock)
    assert titles(library) == ["Water"]
    before = path.stat().st_mtime_ns
    write(tmp_path, "nl/water", title="Vater")
    os.utime(path, ns=(before + 1, before + 1))
    clock.now_s += LOOK_AGAIN_S
    assert titles(library) == ["Vater"]
