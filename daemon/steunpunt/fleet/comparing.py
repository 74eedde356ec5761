"""What may not be the same at two sites of a region, and what must be."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from steunpunt.config import Config
from steunpunt.configwords import line_of
from steunpunt.fleet.merging import apart, asked, position_of
from steunpunt.fleet.regionfile import Region, SiteFile, Table
from steunpunt.model import COORDINATOR_ID_MAX, Role

KM_PER_DEGREE = 111.2
"""Of latitude."""
KM_APART_MAX = 300
"""From a site to the one nearest to it; the Netherlands are some 300 km long."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in one file."""

    path: Path
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words}"


@dataclass(frozen=True, slots=True)
class CheckedSite:
    """A site's file with what it becomes: the tables of the whole config, and the config as it holds on the device."""

    file: SiteFile
    table: Table
    config: Config


def between(
    region: Region, files: Sequence[SiteFile], sites: Sequence[CheckedSite], phrase_book: str
) -> Iterator[Problem]:
    """Yield what is wrong between files that are each right by themselves."""
    yield from _same_ids(files)
    yield from _alike(sites, "site.name", "give each site a name of its own")
    for key in ("node", "long_name", "short_name"):
        yield from _alike(sites, f"radio.{key}", "each radio stands at one site; correct one of them")
    for key in ("region", "preset", "channel"):
        yield from _unlike(sites, f"radio.{key}")
    yield from _far_away(files)
    yield from _coordinators(region, files)
    said = region.file.region.phrase_book
    if phrase_book and said not in (None, phrase_book):
        mend = f'this program has "{phrase_book}"; install the same version at all sites, or write that'
        yield Problem(region.path, line_of(region.text, "region.phrase_book"), f"key `region.phrase_book`: {mend}")


def _same_ids(files: Sequence[SiteFile]) -> Iterator[Problem]:
    first: dict[int, SiteFile] = {}
    taken = {site.id for site in files}
    for site in files:
        other = first.setdefault(site.id, site)
        if other is not site and site.id:
            top = max(taken) + 1
            free = (
                top
                if site.role is Role.KIOSK
                else next((n for n in range(1, COORDINATOR_ID_MAX + 1) if n not in taken), 0)
            )
            mend = f"two devices would count the same ticket numbers; write one never used, such as id = {free}"
            line = line_of(site.text, "site.id")
            yield Problem(site.path, line, f"key `site.id`: {site.id} is also that of {other.path.name}; {mend}")


def _said(site: CheckedSite, key: str) -> Hashable:
    section, _, name = key.partition(".")
    return cast("Hashable", getattr(getattr(site.config, section), name))


def _alike(sites: Sequence[CheckedSite], key: str, mend: str) -> Iterator[Problem]:
    """Find what two sites may not have in common."""
    first: dict[Hashable, CheckedSite] = {}
    for site in sites:
        value = _said(site, key)
        other = first.setdefault(value, site)
        if value is not None and other is not site and not _follows(key, site, other):
            line = line_of(site.file.text, key)
            words = f"key `{key}`: {value} is also that of {other.file.path.name}; {mend}"
            yield Problem(site.file.path, line, words)


def _follows(key: str, site: CheckedSite, other: CheckedSite) -> bool:
    """Whether the radio is called so because the site is, and that is told of the site."""
    of_site = {"radio.long_name": "site.name", "radio.short_name": "site.id"}.get(key)
    return of_site is not None and _said(site, of_site) == _said(other, of_site)


def _unlike(sites: Sequence[CheckedSite], key: str) -> Iterator[Problem]:
    """Find what must be the same at all sites with a radio: the fewer are taken to be wrong."""
    groups: dict[Hashable, list[CheckedSite]] = defaultdict(list)
    for site in sites:
        if site.config.radio.kind != "none":
            groups[_said(site, key)].append(site)
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    for value, odd in ranked[1:]:
        for site in odd:
            words = f"key `{key}`: {value}, and the others have {ranked[0][0]}; radios so set do not hear each other"
            yield Problem(site.file.path, line_of(site.file.text, key), f"{words}; write it under [every.radio] only")


def _far_away(files: Sequence[SiteFile]) -> Iterator[Problem]:
    """Find a site that stands nowhere near the others: its latitude and longitude changed places, as a rule."""
    placed = [(site, at) for site in files if (at := position_of(site)) is not None]
    for site, place in placed:
        nearest = min((apart(place, other) for there, other in placed if there is not site), default=0.0)
        if nearest * KM_PER_DEGREE > KM_APART_MAX:
            words = f"key `radio.position`: {nearest * KM_PER_DEGREE:,.0f} km from the nearest other site"
            mend = "correct it: in the Netherlands latitude is about 51 to 53, and longitude about 4 to 7"
            yield Problem(site.path, line_of(site.text, "radio.position"), f"{words}; {mend}")


def _coordinators(region: Region, files: Sequence[SiteFile]) -> Iterator[Problem]:
    known = [one.id for one in region.file.coordinator]
    for index, number in enumerate(known):
        key = f"coordinator[{index}].id"
        if number in known[:index]:
            words = f"key `coordinator.id`: {number} is listed twice; each has its own"
            yield Problem(region.path, line_of(region.text, key), words)
        elif number not in {site.id for site in files}:
            words = f"key `coordinator.id`: no file in {region.sites.name}/ is of coordinator {number}; add one"
            yield Problem(region.path, line_of(region.text, key), words)
    for site in files:
        key = "site.id" if site.role is Role.COORDINATOR else "region.coordinator"
        number = asked(region, site)
        if number not in known:
            listed = ", ".join(str(one) for one in sorted(known))
            words = f"key `{key}`: {region.path.name} knows no coordinator {number}, only {listed}; add it there"
            yield Problem(site.path, line_of(site.text, key), f"{words}, or write one of these")
