"""A spare for a site whose device was stolen or broke: its keys revoked, new ones prepared, everybody to be told named.

A fresh ledger counts tickets from 1 again, so the spare gets an id that was never used; only with the old ledger in
hand may it keep the id, with the next generation of keys.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from steunpunt import keychanges, keyfiles
from steunpunt.configwords import line_of
from steunpunt.fleet.cards import Card, FleetError, cards, ids_used, issue, region_keys, revoked
from steunpunt.fleet.checking import Fleet
from steunpunt.fleet.comparing import CheckedSite
from steunpunt.fleet.regionfile import Region
from steunpunt.fleet.sealing import read_head
from steunpunt.model import SITE_ID_MAX, Role

_NODE = re.compile(r"![0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Replaced:
    """What was done, and what is left for a person."""

    old: Card
    site: int
    """The spare's id."""
    notice: Path
    """Told to each coordinator: the old card no longer counts."""
    file: Path
    """The site's file, changed."""


def replace(fleet: Fleet, site: int, out: Path, *, keep_ledger: bool = False, node: str | None = None) -> Replaced:
    """Revoke a point's card and change its file to that of a spare; `build` then makes the bundle.

    ``node``: the spare's radio. FleetError or KeyFileError when the site is no point, never had a card, or a file
    cannot be written. Typed again after that it goes on.
    """
    region, found = _point(fleet, site)
    if node is not None and not _NODE.fullmatch(node):
        raise FleetError(f"radio {node!r}: write ! and eight of 0-9 a-f, as `steunpunt radio show` does")
    made = [card for card in cards(region) if card.site == site and (card.folder / "site.keys").exists()]
    if not made:
        raise FleetError(f"site {site} never had a card; `steunpunt fleet build` makes its first")
    old = max(made, key=lambda card: card.generation)
    notice = out / f"{site}-{old.generation}.notice"
    if revoked(region).get(site, 0) < old.generation:
        keychanges.revoke(region_keys(region), site, old.generation, notice)
    for bundle in out.glob("*.bundle"):
        head = read_head(bundle)
        if head.site == site and head.generation <= old.generation:
            bundle.unlink()  # nobody must flash it again
    (region.keys / "sheets" / f"{site}.html").unlink(missing_ok=True)  # nor print it; `build` makes the spare's
    number = site if keep_ledger else _free_id(fleet, region)
    path = _rewrite(found.file.path, found.file.text, number, node)
    if keep_ledger:
        who = found.config.site
        issue(region, Role.KIOSK, site, who.name, who.place, old.generation + 1)
    return Replaced(old, number, notice, path)


def _point(fleet: Fleet, site: int) -> tuple[Region, CheckedSite]:
    found = next((one for one in fleet.sites if one.config.site.id == site), None)
    if fleet.region is None or found is None:
        raise FleetError(f"site {site}: no file in the sites' folder is of it")
    if found.config.site.role is Role.COORDINATOR:
        mend = "type `steunpunt keys rotate`, see docs/operation.md"
        raise FleetError(f"site {site} is a coordinator, whose keys are the region's; {mend}")
    return fleet.region, found


def _free_id(fleet: Fleet, region: Region) -> int:
    taken = ids_used(region) | {site.id for site in fleet.files}
    number = max(taken) + 1
    if number > SITE_ID_MAX:
        number = next((free for free in range(16, SITE_ID_MAX) if free not in taken), 0)
    return number


def _rewrite(path: Path, text: str, number: int, node: str | None) -> Path:
    """Change id and radio in a site's file, and nothing else of it; a name that begins with the id follows."""
    lines = text.splitlines()
    at = line_of(text, "site.id") - 1
    old = re.sub(r"\D+", "", lines[at].partition("#")[0])
    lines[at] = re.sub(r"=\s*[\d_]+", f"= {number}", lines[at], count=1)
    if node is not None:
        _set_node(lines, line_of(text, "radio.node") - 1, node)
    named = path.name.removeprefix(old)
    target = path.with_name(f"{number}{named}" if path.name.startswith(old) and not named[:1].isdigit() else path.name)
    keyfiles.write_text(target, "\n".join(lines) + "\n", keyfiles.EVERYBODY)
    if target != path:
        path.unlink()
    return target


def _set_node(lines: list[str], at: int, node: str) -> None:
    if re.match(r"\s*node\s*=", lines[at]):
        lines[at] = f'node = "{node}"'
    elif re.match(r"\s*\[radio\]", lines[at]):
        lines.insert(at + 1, f'node = "{node}"')
    else:
        lines += ["", "[radio]", f'node = "{node}"']
