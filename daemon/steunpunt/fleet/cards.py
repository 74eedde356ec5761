"""The cards that were ever made, in the region's folder of keys: one folder for each site and generation.

``card.toml`` in it says whose it is, and holds the code of the card's bundle. A card is made once and kept, so that a
bundle made anew brings the same keys and passwords.
"""

import re
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from steunpunt import keychanges, keyfiles, keymaking
from steunpunt.fleet.regionfile import Region
from steunpunt.fleet.sealing import draw_code
from steunpunt.model import KeyFileError, Role, SteunpuntError
from steunpunt.protocol.authority import revoked_by

REGION_FILE, CARD_FILE = "region.keys", "card.toml"


class FleetError(SteunpuntError, ValueError):
    """Something that a region's devices must not have; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Card:
    """One issue of a site's keys."""

    folder: Path
    site: int
    generation: int
    name: str
    place: str
    code: str


def region_keys(region: Region) -> Path:
    """Return the region's own key file."""
    return region.keys / REGION_FILE


def ensure_region(region: Region) -> bool:
    """Make the region's keys when there are none; says whether it did. FleetError when they are of another region."""
    path = region_keys(region)
    if not path.exists():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            mend = keyfiles.write_mend(error)
            raise FleetError(f"{path.parent}: cannot be made ({error.strerror}); {mend}") from error
        keymaking.make_region(path, region.file.region.name)
        return True
    named = keyfiles.read_region(path).get("region")
    if named != region.file.region.name:
        mend = f'write name = "{named}", or give this region a folder of keys of its own'
        raise FleetError(f"{path}: the keys are of {named!r}, not of {region.file.region.name!r}; {mend}")
    return False


def revoked(region: Region) -> dict[int, int]:
    """Return for each site the highest generation that was revoked."""
    path = region_keys(region)
    table = keyfiles.read_region(path)
    return revoked_by(keyfiles.notices_in(path, table, "notices", keymaking.root_public(path, table)))


def folder_of(region: Region, role: Role, site: int, generation: int) -> Path:
    """Return where a card's keys lie."""
    name = f"coordinator-{site}" if role is Role.COORDINATOR else f"site-{site}-{generation}"
    return region.keys / name


def cards(region: Region) -> Iterator[Card]:
    """Give every card that was ever made."""
    for path in sorted(region.keys.glob(f"*/{CARD_FILE}")):
        yield read_card(path.parent)


def read_card(folder: Path) -> Card:
    """Read a card's own file; FleetError when it is broken."""
    path = folder / CARD_FILE
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        numbers = (int(table["site"]), int(table["generation"]))
        return Card(folder, *numbers, str(table["name"]), str(table["place"]), str(table["code"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FleetError(f"{path}: is broken ({error}); put back a copy of the folder of keys") from error


def ids_used(region: Region) -> set[int]:
    """Return every id that a card was ever made for: a fresh card must not count the same tickets again."""
    made = {card.site for card in cards(region)} if region.keys.is_dir() else set()
    named = {int(found[1]) for path in region.keys.glob("site-*") if (found := re.match(r"site-(\d+)-", path.name))}
    return made | named


def write_card(card: Card) -> Card:
    """Write a card's own file beside its keys."""
    table = {
        "site": card.site,
        "generation": card.generation,
        "name": card.name,
        "place": card.place,
        "code": card.code,
    }
    keyfiles.write(card.folder / CARD_FILE, table, replace=True)
    return card


def issue(region: Region, role: Role, site: int, name: str, place: str, generation: int) -> Card:
    """Return the card of a site, made when there is none.

    FleetError when the id was another point's, when its keys were revoked, or its folder holds another's keys.
    """
    folder = folder_of(region, role, site, generation)
    if not (folder / CARD_FILE).exists():
        return _make(region, role, Card(folder, site, generation, name, place, draw_code()))
    card = read_card(folder)
    if name != card.name and place != card.place:
        mend = "write an id that was never used; if it is the same device, correct name and place in that file"
        raise FleetError(f"{folder / CARD_FILE}: id {site} was given to {card.name}, {card.place}; {mend}")
    _check(region, role, card)
    return card


def _make(region: Region, role: Role, card: Card) -> Card:
    if role is Role.COORDINATOR:
        coordinator = region.coordinator(card.site)
        hosts = list(coordinator.hosts) if coordinator is not None else []
        keymaking.make_coordinator(region_keys(region), card.site, card.folder, hosts)
    else:
        keymaking.make_site(region_keys(region), card.site, card.folder, card.generation)
    return write_card(card)


def _check(region: Region, role: Role, card: Card) -> None:
    """Refuse a folder that was copied from another site's, and a card that does not know its coordinator."""
    if role is Role.COORDINATOR:
        found = _coordinator_of(region, card)
    else:
        keys = keyfiles.read_site(card.folder / "site.keys")
        found = keys.site
        unknown = {one.id for one in region.file.coordinator} - {one.coordinator for one in keys.coordinators}
        if unknown:
            which = ", ".join(str(number) for number in sorted(unknown))
            mend = f"delete {card.folder} and build again: the point gets the same key"
            raise KeyFileError(f"{card.folder / 'site.keys'}: made before coordinator {which}; {mend}")
    if found != card.site:
        raise FleetError(f"{card.folder}: the keys in it are of {found}; two sites may not have one key; delete it")


def _coordinator_of(region: Region, card: Card) -> int:
    """Return whose a coordinator's kept keys are, brought to what the region's root has said since.

    Refuses keys that were changed since: a bundle with the old ones would undo the change.
    """
    path = card.folder / "coordinator.keys"
    table = keyfiles.read_region(region_keys(region))
    keys = keyfiles.read_coordinator(path)
    private = keyfiles.decoded(region_keys(region), table, "region_private", 32)
    known = [one for one in table.get("coordinator", []) if one["id"] == keys.coordinator]
    if keys.region_private != private or keyfiles.identity_table(keys.identity) not in known:
        mend = f"type: steunpunt keys import {path} FILE, with each .change file that `steunpunt keys rotate` made"
        raise KeyFileError(f"{path}: the region's keys were changed since; {mend}")
    said = keyfiles.notices_in(region_keys(region), table, "notices", keys.root_public)
    if set(said) - set(keys.notices):
        with tempfile.TemporaryDirectory() as name:
            keyfiles.write_notices(Path(name) / "notices", said)
            keychanges.take_in(path, Path(name) / "notices")
    return keys.coordinator
