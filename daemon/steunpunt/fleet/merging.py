"""A site's whole config out of its layers. Pure."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from copy import deepcopy

from steunpunt.fleet.regionfile import Layer, Region, SiteFile, Table
from steunpunt.model import Role

ON_DEVICE = "/etc/steunpunt"
LEDGERS = {Role.KIOSK: "/var/lib/steunpunt/ledger.db", Role.COORDINATOR: "/var/lib/steunpunt-desk/ledger.db"}
PAGES_FOLDER = "/var/lib/steunpunt-pages"
SOCKET = "/run/steunpunt/node.sock"
LONG_NAME_BYTES_MAX = 39
LATITUDE_MAX, LONGITUDE_MAX = 90, 180
"""In degrees."""
NEAR_MAX = 3
"""Other points that a point's config names; its screen shows no more."""


def merged(below: Table, above: Table) -> Table:
    """Return one table over another: sections are merged, all else of ``above`` replaces what is below."""
    both = dict(below)
    for key, value in above.items():
        under = both.get(key)
        both[key] = merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return both


def layers_of(region: Region, site: SiteFile, sites: Sequence[SiteFile]) -> list[Layer]:
    """Return a site's layers, the lowest first; ``sites`` are all of the region."""
    said = _said(region, site)
    return [Layer(_made(region, site, sites, whole(said)), site.path, site.text), *said]


def _said(region: Region, site: SiteFile) -> list[Layer]:
    """Return the layers that people wrote."""
    kind = "coordinators" if site.role is Role.COORDINATOR else "kiosks"
    return [
        Layer(region.file.every, region.path, region.text, "every."),
        Layer(getattr(region.file, kind), region.path, region.text, f"{kind}."),
        Layer(site.table, site.path, site.text),
    ]


def whole(layers: Iterable[Layer]) -> Table:
    """Return the config's tables of these layers."""
    table: Table = {}
    for layer in layers:
        table = merged(table, layer.table)
    return deepcopy(table)  # who mends it must not mend the layers


def _section(table: Table, name: str) -> Table:
    found = table.get(name)
    return found if isinstance(found, dict) else {}


def _made(region: Region, site: SiteFile, sites: Sequence[SiteFile], said: Table) -> Table:
    """Return what follows from the region; ``said`` is what the other layers say."""
    table: Table = {
        "site": {"role": str(site.role)},
        "region": _region(region, site, sites, said),
        "keys": {"file": "coordinator.keys" if site.role is Role.COORDINATOR else "site.keys"},
        "radio": _radio(region, site, said),
        "broker": _broker(region, site, said),
        "ledger": {"path": LEDGERS[site.role]},
        "control": {"socket": SOCKET},
        "housekeeping": {"pages_folder": PAGES_FOLDER},
    }
    if site.role is Role.KIOSK:
        table["staff"] = {"pin_file": "staff.pin"}
        near = _near(site, sites)
        table |= {"point": near} if near else {}
        table |= {"kiosk": {"content": "content"}} if region.content is not None else {}
    if site.role is Role.COORDINATOR:
        table["ledger"]["key_file"] = "ledger.key"
        table["web"] = {"desk_passwords_file": "desk.passwords"}
        table["point"] = _points(region, site, sites)
        others = [{"id": one.id, "name": one.name} for one in region.file.coordinator if one.id != site.id]
        table |= {"other_coordinator": others} if others else {}
    return table


def asked(region: Region, site: SiteFile) -> int:
    """Return the coordinator that a site addresses."""
    return _asked(region, site, whole(_said(region, site)))


def _asked(region: Region, site: SiteFile, said: Table) -> int:
    """Return the coordinator that a site addresses: itself, the one it names, or the region's first."""
    if site.role is Role.COORDINATOR:
        return site.id
    named = _section(said, "region").get("coordinator")
    return named if isinstance(named, int) else region.file.coordinator[0].id


def _region(region: Region, site: SiteFile, sites: Sequence[SiteFile], said: Table) -> Table:
    number = _asked(region, site, said)
    coordinator = region.coordinator(number) or region.file.coordinator[0]  # of one that is not known, others tell
    table: Table = {
        "name": region.file.region.name,
        "coordinator": number,
        "coordinator_name": coordinator.name,
        "sites": max(1, len(sites)),
    }
    address = coordinator.fallback_address or region.file.region.fallback_address
    if address is not None:
        table["fallback_address"] = address
    return table


def _radio(region: Region, site: SiteFile, said: Table) -> Table:
    if _section(said, "radio").get("kind") == "none":
        return {}
    table: Table = {"channel_key_file": "channel.key", "short_name": short_name(site.id)}
    name = site.said("name")
    if isinstance(name, str) and name:
        table["long_name"] = name.encode()[:LONG_NAME_BYTES_MAX].decode(errors="ignore").strip()
    if region.file.firmware is not None:
        table["firmware"] = region.file.firmware.version
    return table


_SHORT_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_FOUR_DIGITS_MAX = 9_999


def short_name(site: int) -> str:
    """Return a radio's short name of at most 4 bytes, another one for each id: the id, or a letter and three digits."""
    if site <= _FOUR_DIGITS_MAX:
        return str(site)
    letter, rest = divmod(site - _FOUR_DIGITS_MAX - 1, len(_SHORT_DIGITS) ** 3)
    digits = ""
    for _ in range(3):
        rest, digit = divmod(rest, len(_SHORT_DIGITS))
        digits = _SHORT_DIGITS[digit] + digits
    return "ab"[letter] + digits


def _broker(region: Region, site: SiteFile, said: Table) -> Table:
    if _section(said, "broker").get("enabled") is False:
        return {}
    table: Table = {"password_file": "broker.password"}
    first = region.file.coordinator[0]
    if site.role is Role.COORDINATOR:
        own = {"ca_file": "region-ca.pem", "certificate_file": "region.pem", "key_file": "region-key.pem"}
        coordinator = region.coordinator(site.id)
        table["region_listener"] = own | ({"port": coordinator.port} if coordinator is not None else {})
        # One broker in the middle: a ring of bridges would carry each packet round and round.
        if site.id != first.id:
            table["bridge"] = own | {"host": first.hosts[0], "port": first.port}
        return table
    addressed = region.coordinator(_asked(region, site, said)) or first
    table["bridge"] = {
        "host": addressed.hosts[0],
        "port": addressed.port,
        "ca_file": "region-ca.pem",
        "certificate_file": "site.pem",
        "key_file": "site-key.pem",
    }
    return table


def _points(region: Region, desk: SiteFile, sites: Sequence[SiteFile]) -> list[Table]:
    """Return what this coordinator's desk calls each point."""
    points = []
    for site in sorted(sites, key=lambda one: one.id):
        name, place = site.said("name"), site.said("place")
        if site.role is not Role.KIOSK or not (site.id and isinstance(name, str) and isinstance(place, str)):
            continue
        number = asked(region, site)
        other = {"coordinator": number} if number != desk.id else {}
        points.append({"id": site.id, "name": name, "place": place, **other})
    return points


def _near(here: SiteFile, sites: Sequence[SiteFile]) -> list[Table]:
    """Return the points nearest to this one, as its closed screen names them; those whose place is known alone."""
    at = position_of(here)
    found = []
    for site in sites if at is not None else ():
        name, place, there = site.said("name"), site.said("place"), position_of(site)
        if site.role is not Role.KIOSK or site.id == here.id or there is None:
            continue
        if site.id and isinstance(name, str) and isinstance(place, str):
            found.append((apart(at or there, there), site.id, {"id": site.id, "name": name, "place": place}))
    return [point for _, _, point in sorted(found, key=lambda one: one[:2])[:NEAR_MAX]]


def position_of(site: SiteFile) -> tuple[float, float] | None:
    """Return latitude and longitude as the site's own file says them; None for what is none on earth, too."""
    said = _section(_section(site.table, "radio"), "position")
    latitude, longitude = said.get("latitude"), said.get("longitude")
    if not (isinstance(latitude, int | float) and isinstance(longitude, int | float)):
        return None
    on_earth = abs(latitude) <= LATITUDE_MAX and abs(longitude) <= LONGITUDE_MAX
    return (float(latitude), float(longitude)) if on_earth else None


def apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return how far apart two places are, in degrees of latitude: within a region the earth is flat."""
    east = (one[1] - other[1]) * math.cos(math.radians((one[0] + other[0]) / 2))
    return math.hypot(one[0] - other[0], east)


def slug(name: str) -> str:
    """Return a name as a file may be called: ``De Regenboog`` is ``de-regenboog``."""
    bare = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", bare.lower()).strip("-")[:40] or "site"
