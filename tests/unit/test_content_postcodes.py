"""The municipality's list of postcodes: read, looked up, and what is said of a line that is wrong."""

from pathlib import Path

import pytest

from steunpunt_ui.content.postcodes import FILE, POSTCODES_MAX, place_of, read_postcodes
from steunpunt_ui.content.shelf import read

LIST = "# ours\n6211 AB;Centrum\n6211;Maastricht\n\n6212ab ; Sint Pieter\n"


def test_the_nearest_line_names_the_place(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(LIST, "utf-8")
    found, problems = read_postcodes(tmp_path)
    assert problems == []
    assert [place_of(found, code) for code in ("6211AB", "6211AC", "6211", "6212AB")] == [
        "Centrum",
        "Maastricht",
        "Maastricht",
        "Sint Pieter",
    ]
    assert (place_of(found, "6212AC"), place_of(found, "1000AA"), place_of(found, "")) == ("", "", None)


def test_without_a_list_nothing_is_known_and_nothing_asked(tmp_path: Path) -> None:
    assert read_postcodes(tmp_path) == ({}, [])
    assert place_of({}, "6211AB") is None


@pytest.mark.parametrize("line", ["6211", "6211;", "62;Maastricht", f"6211;{'x' * 41}", "plaats;6211"])
def test_a_line_that_is_wrong_is_named_and_stops_no_other(tmp_path: Path, line: str) -> None:
    (tmp_path / FILE).write_text(f"{line}\n6229;Heer\n", "utf-8")
    shelf = read(tmp_path, {})
    assert shelf.postcodes == {"6229": "Heer"}
    assert shelf.problems == (f"{tmp_path / FILE}:1: write a postcode and a place, such as 6211;Maastricht",)


@pytest.mark.parametrize(
    ("raw", "told"),
    [(b"6211;Maastri\xe9ht\n", "not UTF-8 text"), (b"6211;M\n" * (POSTCODES_MAX + 1), "at most 20000 lines")],
)
def test_a_file_that_cannot_be_used_is_told_as_one(tmp_path: Path, raw: bytes, told: str) -> None:
    (tmp_path / FILE).write_bytes(raw)
    found, [problem] = read_postcodes(tmp_path)
    assert found == {}
    assert told in problem
