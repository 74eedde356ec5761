"""All that is wrong with a region's files, at once: each with file, line, key and the mend. Opens no key."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from steunpunt.config import Config, contradictions
from steunpunt.configerrors import SITE_WORDS, Mistake, Words, mistake_of, struct_of
from steunpunt.configfile import parse, read
from steunpunt.configparts import absolute
from steunpunt.configwords import line_of, plain
from steunpunt.fleet.comparing import CheckedSite, Problem, between
from steunpunt.fleet.merging import ON_DEVICE, layers_of, whole
from steunpunt.fleet.regionfile import (
    WORDS,
    Layer,
    Region,
    RegionFile,
    SiteFile,
    Table,
    misnamed,
    path_of,
    read_site,
    site_paths,
)
from steunpunt.model import ConfigError

MISTAKES_MAX = 50
"""Mistakes of one file; who has made more begins with these."""
StructT = TypeVar("StructT", bound=msgspec.Struct)


@dataclass(slots=True)
class Fleet:
    """A region, its sites, and what is wrong with them; ``sites`` holds those that are right by themselves."""

    region: Region | None = None
    files: list[SiteFile] = field(default_factory=list)
    sites: list[CheckedSite] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def check(path: Path, *, phrase_book: str = "") -> Fleet:
    """Read a region file and all its sites' files; ConfigError when region file or folder cannot be read at all.

    With mistakes in the region file the sites' files are not looked at: all of them would be wrong.
    ``phrase_book``: the mark of this program's phrase book; "" compares none.
    """
    region, problems = _region(path)
    fleet, derived = Fleet(region, problems=problems), list[Problem]()
    if region is None:
        return fleet
    paths = site_paths(region)
    fleet.problems += _folders(region)
    for site_path in paths:
        try:
            fleet.files.append(read_site(site_path))
        except ConfigError as error:
            fleet.problems.append(_unreadable(site_path, error))
    for site in fleet.files:
        table, problems, follow = _site(region, site, fleet.files)
        fleet.problems += problems
        derived += follow
        if not problems and not follow:
            config = absolute(msgspec.convert(table, Config), Path(ON_DEVICE))
            fleet.sites.append(CheckedSite(site, table, config))
    fleet.problems += between(region, fleet.files, fleet.sites, phrase_book)
    # Mistakes in the region's defaults are found once per site.
    fleet.problems = sorted(set(fleet.problems or derived))
    return fleet


def _folders(region: Region) -> Iterator[Problem]:
    """Give what is wrong with the folders that the region file names."""
    for path in misnamed(region):
        yield Problem(path, 1, "this file does not count; give it a name that ends in .toml, or move it elsewhere")
    if region.content is not None and not region.content.is_dir():
        line = line_of(region.text, "region.content")
        words = f"key `region.content`: there is no folder {region.content}; make it, or leave the key out"
        yield Problem(region.path, line, words)


def _unreadable(path: Path, error: ConfigError) -> Problem:
    said = str(error).removeprefix(f"{path}:")
    number, colon, words = said.partition(": ")
    return Problem(path, int(number), words) if colon and number.isdigit() else Problem(path, 1, said.strip())


def _mistakes(root: type[StructT], table: Table, words: Words) -> tuple[StructT | None, list[Mistake]]:
    """Decode tables into ``root`` and find all that is wrong in form; the struct then has examples in these places.

    ``table`` is changed so.
    """
    found: list[Mistake] = []
    while len(found) < MISTAKES_MAX:
        try:
            return msgspec.convert(table, root), found
        except msgspec.ValidationError as error:
            found.append(mistake_of(root, str(error), words))
            _mend(root, table, found[-1], words)
    return None, found


def _region(path: Path) -> tuple[Region | None, list[Problem]]:
    text = read(path)
    file, mistakes = _mistakes(RegionFile, parse(path, text), WORDS)
    if mistakes or file is None:
        return None, [Problem(path, line_of(text, mistake.at), mistake.words) for mistake in mistakes]
    return Region(path, text, file), []


# --- one site -----------------------------------------------------------------------------------------------------


def _site(region: Region, site: SiteFile, sites: Sequence[SiteFile]) -> tuple[Table, list[Problem], list[Problem]]:
    """Return a site's tables, its own mistakes, and those that follow from a mistake that another file is told of."""
    layers = layers_of(region, site, sites)
    table = whole(layers)
    config, mistakes = _mistakes(Config, table, SITE_WORDS)
    problems, follow = list[Problem](), list[Problem]()
    for mistake in mistakes:
        (follow if _follows(layers, mistake) else problems).append(_placed(region, layers, mistake))
    doubtful = {mistake.key.partition(".")[0].partition("[")[0] for mistake in mistakes}
    for key, words in contradictions(config) if config is not None else ():
        # What stands in for a mistake may contradict what is right.
        if "site" not in doubtful and key.partition(".")[0].partition("[")[0] not in doubtful:
            mistake = Mistake(key, key, words, "value")
            (follow if _follows(layers, mistake) else problems).append(_placed(region, layers, mistake))
    return table, problems, follow


def _follows(layers: Sequence[Layer], mistake: Mistake) -> bool:
    """Whether nobody wrote it here: it was made of what another file says, such as the names of the points."""
    section = mistake.at.partition("[")[0]
    made = section in {"point", "other_coordinator"} and not any(layer.has(section) for layer in layers[1:])
    return made and mistake.kind == "value"


def _placed(region: Region, layers: Sequence[Layer], mistake: Mistake) -> Problem:
    """Say in which file a mistake stands: the highest layer that says anything of it, else the site's own file."""
    if mistake.key == "region.fallback_address" and mistake.kind == "missing":  # once for all, and not at each site
        return Problem(region.path, line_of(region.text, mistake.key), mistake.words)
    said = [layer for layer in layers[1:] if mistake.kind != "missing" and layer.has(mistake.at)]
    layer = said[-1] if said else layers[-1]
    words = mistake.words.replace(f"`{mistake.key}`", f"`{layer.prefix}{mistake.key}`")
    return Problem(layer.path, layer.line(mistake.at), words)


def _mend(root: type[msgspec.Struct], table: Table, mistake: Mistake, words: Words) -> None:
    """Put an example in the place of a mistake, so that the next one is found; take out what is unknown."""
    *steps, (name, index) = path_of(mistake.key)
    here: Any = table
    for step, at in steps:
        here = here[step] if at is None else here[step][at]
    if mistake.kind == "unknown":
        del here[name]
    elif index is not None:
        here[name][index] = _stand_in(root, mistake.key, words)
    else:
        here[name] = _stand_in(root, mistake.key, words)


def _stand_in(root: type[msgspec.Struct], key: str, words: Words) -> object:
    """Return a value that the file may have there: the example, or of a section what it must have."""
    text = words.examples[plain(key)]
    if not text.startswith("a section"):
        return tomllib.loads(text)[plain(key).rpartition(".")[2]]
    struct = struct_of(root, key)
    made = {
        one.name: _stand_in(root, f"{key}.{one.name}", words) for one in msgspec.structs.fields(struct) if one.required
    }
    return [made] if "[[" in text and not key.endswith("]") else made
