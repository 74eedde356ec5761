"""Reads a folder of information pages, and chooses which of them a reader gets.

The folder has a folder per language with a file per page, ``nl/water.md``, and perhaps ``images``. The same page has
the same file name in each language. A file that cannot be shown stops no other: its line is among the problems.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from steunpunt_ui.content import ContentError
from steunpunt_ui.content.front import Front, split
from steunpunt_ui.content.markdown import Body, render
from steunpunt_ui.content.postcodes import FILE as POSTCODES
from steunpunt_ui.content.postcodes import read_postcodes
from steunpunt_ui.languages import DEFAULT_LANGUAGE, LANGUAGES

PAGES_PER_LANGUAGE_MAX: Final = 40
PAGE_KIB_MAX: Final = 16
PICTURES_MAX: Final = 40
PICTURE_KIB_MAX: Final = 200
LOOK_AGAIN_S: Final = 2.0
"""How long a folder is believed before its files are looked at again."""
_PICTURES = "images"
_SECOND_LANGUAGE = "en"
Key = tuple[str, str]
"""Language and name of a page."""
Mark = tuple[tuple[str, int, int], ...]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InfoPage:
    """One page in one language."""

    language: str
    slug: str
    front: Front
    body: Body


@dataclass(frozen=True, slots=True)
class Shelf:
    """All pages of a folder that can be shown, and a line for each file that cannot."""

    pages: Mapping[Key, InfoPage]
    pictures: Mapping[str, Path]
    problems: tuple[str, ...]
    postcodes: dict[str, str] = field(default_factory=dict)

    def choose(self, slug: str, language: str, *, unapproved_too: bool) -> InfoPage | None:
        """Return a page in the reader's language, else in the one that the reader likeliest knows; None without."""
        found = (self.pages.get((code, slug)) for code in languages_tried(language))
        return next((page for page in found if page is not None and (unapproved_too or page.front.approved)), None)

    def listed(self, language: str, *, unapproved_too: bool) -> list[InfoPage]:
        """Return each page once, in the order that the pages themselves say."""
        slugs = {slug for _, slug in self.pages}
        found = [self.choose(slug, language, unapproved_too=unapproved_too) for slug in slugs]
        return sorted((page for page in found if page is not None), key=lambda page: (page.front.order, page.slug))

    def has_any(self, *, unapproved_too: bool) -> bool:
        """Whether there is a page to show."""
        return any(unapproved_too or page.front.approved for page in self.pages.values())

    def languages_of(self, slug: str, *, unapproved_too: bool) -> list[str]:
        """Return the languages in which a page may be shown, in the order of the screens."""
        pages = {code: self.pages.get((code, slug)) for code in LANGUAGES}
        return [code for code, page in pages.items() if page is not None and (unapproved_too or page.front.approved)]


EMPTY: Final = Shelf({}, {}, ())


def languages_tried(language: str) -> list[str]:
    """Return the reader's language, then English for who reads no Dutch, Dutch, and the others."""
    return list(dict.fromkeys([language, _SECOND_LANGUAGE, DEFAULT_LANGUAGE, *LANGUAGES]))


def read(folder: Path, words: Mapping[str, str]) -> Shelf:
    """Read a folder; ``words`` are what may stand in braces. Raises nothing: what is wrong is in ``problems``."""
    reading = _Reading(folder, words)
    reading.run()
    return Shelf(reading.pages, reading.pictures, tuple(sorted(reading.problems)), reading.postcodes)


class Library:
    """A folder of pages, read again when its files change: an editor sees a change at the next look."""

    def __init__(self, place: Callable[[], Path], words: Mapping[str, str], monotonic_s: Callable[[], float]) -> None:
        """``place``: where the folder is now; asked at each look."""
        self._place = place
        self._words = words
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._shelf: Shelf | None = None
        self._mark: Mark = ()
        self._looked_s = 0.0

    def shelf(self) -> Shelf:
        """Return the pages as they are on disk, at most LOOK_AGAIN_S old."""
        with self._lock:
            now_s = self._monotonic_s()
            if self._shelf is None or now_s - self._looked_s >= LOOK_AGAIN_S:
                folder = self._place()
                mark = mark_of(folder)
                if self._shelf is None or mark != self._mark:
                    self._shelf = read(folder, self._words)
                    for problem in self._shelf.problems:
                        _log.warning("%s", problem)
                self._mark, self._looked_s = mark, now_s
            return self._shelf


def mark_of(folder: Path) -> Mark:
    """Return what changes when a file does: name, time and size of each."""
    found = []
    pages = [path for name in (*LANGUAGES, _PICTURES) for path in sorted((folder / name).glob("*"))]
    for path in [*pages, folder / POSTCODES]:
        try:
            told = path.stat()
        except OSError:
            continue  # gone since it was listed; the next look sees the rest
        found.append((str(path), told.st_mtime_ns, told.st_size))
    return tuple(found)


class _Reading:
    """One reading of a folder."""

    def __init__(self, folder: Path, words: Mapping[str, str]) -> None:
        self._folder = folder
        self._words = words
        self.pages: dict[Key, InfoPage] = {}
        self.pictures: dict[str, Path] = {}
        self.problems: list[str] = []
        self.postcodes: dict[str, str] = {}

    def run(self) -> None:
        """Read all there is."""
        try:
            folders = [path for path in sorted(self._folder.iterdir()) if path.is_dir() and not _hidden(path)]
        except OSError as error:
            mend = "correct kiosk.content, or leave it out for the pages that come along"
            self.problems.append(f"{self._folder}: cannot be read ({error.strerror}); {mend}")
            return
        for folder in folders:
            if folder.name == _PICTURES:
                self._take_pictures(folder)
            elif folder.name in LANGUAGES:
                self._take_pages(folder)
            else:
                known = ", ".join([*LANGUAGES, _PICTURES])
                self.problems.append(f"{folder}: not a language of the screens; a folder is called {known}")
        self._follow_links()
        self.postcodes, problems = read_postcodes(self._folder)
        self.problems += problems

    def _take_pages(self, folder: Path) -> None:
        for path in self._files(folder, PAGES_PER_LANGUAGE_MAX):
            try:
                page = self._page(path)
            except ContentError as error:
                self.problems.append(f"{path}:{error}")
                continue
            self.pages[page.language, page.slug] = page

    def _take_pictures(self, folder: Path) -> None:
        for path in self._files(folder, PICTURES_MAX):
            size_kib = path.stat().st_size // 1024
            if size_kib >= PICTURE_KIB_MAX:
                mend = f"make it smaller than {PICTURE_KIB_MAX} KiB: phones load it over this point's Wi-Fi"
                self.problems.append(f"{path}: {size_kib} KiB; {mend}")
            else:
                self.pictures[path.name] = path

    def _files(self, folder: Path, most: int) -> list[Path]:
        try:
            paths = [path for path in sorted(folder.iterdir()) if path.is_file() and not _hidden(path)]
        except OSError as error:
            self.problems.append(f"{folder}: cannot be read ({error.strerror}); let everybody read it: chmod a+rx")
            return []
        if len(paths) > most:
            self.problems.append(f"{folder}: {len(paths)} files, and {most} at most are read; delete some")
        return paths[:most]

    def _page(self, path: Path) -> InfoPage:
        slug = path.name.removesuffix(".md")
        if slug == path.name or not slug.replace("-", "").isalnum() or slug != slug.lower() or not slug.isascii():
            raise ContentError(1, "a page's file is called of a-z, 0-9 and -, with .md behind; rename it")
        front, lines, first = split(_text_of(path))
        body = render(lines, first, self._words)
        if front.approved and body.blanks:
            blank, line = body.blanks[0]
            mend = "fill it in, here or in the config, or empty approved_by and approved_on"
            raise ContentError(line, f"an approved page still has the blank “{blank}”; {mend}")
        return InfoPage(path.parent.name, slug, front, body)

    def _follow_links(self) -> None:
        """Take away the pages that lead to nothing, and then those that lead to these."""
        while True:
            slugs = {slug for _, slug in self.pages}
            lost = {key: found for key, page in self.pages.items() if (found := self._lost(page, slugs))}
            for key, problem in lost.items():
                self.problems.append(problem)
                del self.pages[key]
            if not lost:
                return

    def _lost(self, page: InfoPage, slugs: set[str]) -> str:
        """Return the problem with the first thing that a page leads to and that is not there; "" when all is."""
        lost = [(f"the page {name}.md", line) for name, line in page.body.links if name not in slugs]
        lost += [(f"images/{name}", line) for name, line in page.body.pictures if name not in self.pictures]
        if not lost:
            return ""
        path = self._folder / page.language / f"{page.slug}.md"
        return f"{path}:{lost[0][1]}: {lost[0][0]} is not there or has a problem; correct the name or add the file"


def _hidden(path: Path) -> bool:
    """Whether it is no file of ours: what editors leave beside the one that is being edited."""
    return path.name.startswith((".", "#")) or path.name.endswith("~")


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(PAGE_KIB_MAX * 1024 + 1)
    except OSError as error:
        raise ContentError(1, f"cannot be read ({error.strerror}); let everybody read it: chmod a+r") from error
    if len(raw) > PAGE_KIB_MAX * 1024:
        raise ContentError(1, f"longer than {PAGE_KIB_MAX} KiB; write less, or make two pages")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ContentError(line, "not UTF-8 text; save it as UTF-8") from error
