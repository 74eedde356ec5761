"""The region file: what all sites of a region share, and how a site's short file becomes its whole config.

A site's config is made of four layers, each over the one before: what follows from the region (keys, certificates,
the points that a desk names), ``[every]``, then ``[kiosks]`` or ``[coordinators]``, and the site's own file. Files that
a layer names lie on the device, in ``/etc/steunpunt``; only those of ``[region]`` lie beside the region file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from steunpunt.configerrors import Words
from steunpunt.configfile import parse, read
from steunpunt.configparts import (
    CoordinatorId,
    FileName,
    FirmwareVersion,
    HostName,
    Name,
    Port,
    Section,
)
from steunpunt.configwords import FORM_OF_HOST, FORM_OF_NAME, FORMS, line_of
from steunpunt.model import COORDINATOR_ID_MAX, ConfigError, Role

SITES_MAX = 1000
"""Site files in one region, as ``region.sites`` of the config allows."""
_MISNAMED = (".toml", ".txt", ".tml", ".tom")
Table = dict[str, Any]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
BookMark = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}\Z")]


class Shared(Section, frozen=True, kw_only=True):
    """What the region is called, and where its files are: paths count from the region file."""

    name: Name
    fallback_address: Name | None = None
    """Where a runner goes when nothing works; a coordinator may name another place."""
    keys: FileName = "keys"
    """Folder with ``region.keys`` and the keys of all sites: offline, as they are secret."""
    sites: FileName = "sites"
    """Folder with one short file per site."""
    content: FileName | None = None
    """Folder of the region's information pages; ``None``: those that come along."""
    phrase_book: BookMark | None = None
    """Which phrase book all sites must have; `steunpunt fleet check` prints that of this program."""


class FirmwareFile(Section, frozen=True, kw_only=True):
    """The firmware's file for one kind of radio."""

    board: Name
    sha256: Digest


class Firmware(Section, frozen=True, kw_only=True):
    """The Meshtastic firmware that all radios of the region have."""

    version: FirmwareVersion
    file: tuple[FirmwareFile, ...] = ()


class FleetCoordinator(Section, frozen=True, kw_only=True):
    """One coordinator, as the points know it."""

    id: CoordinatorId
    name: Name
    """As people call the fire station."""
    hosts: Annotated[tuple[HostName, ...], msgspec.Meta(min_length=1, max_length=8)]
    """Names and addresses of its broker; points call the first."""
    port: Port = 8883
    fallback_address: Name | None = None


class RegionFile(Section, frozen=True, kw_only=True):
    """A whole region file."""

    region: Shared
    firmware: Firmware | None = None
    coordinator: Annotated[tuple[FleetCoordinator, ...], msgspec.Meta(min_length=1)]
    every: Table = msgspec.field(default_factory=dict)
    """Keys of the config that hold for all sites."""
    kiosks: Table = msgspec.field(default_factory=dict)
    """Keys of the config that hold for all points."""
    coordinators: Table = msgspec.field(default_factory=dict)
    """Keys of the config that hold for all coordinators."""


WORDS = Words(
    {
        "region": "a section [region]",
        "region.name": 'name = "Zuid-Limburg"',
        "region.fallback_address": 'fallback_address = "Willem Alexanderweg 1, Maastricht"',
        "region.keys": 'keys = "keys"',
        "region.sites": 'sites = "sites"',
        "region.content": 'content = "content"',
        "region.phrase_book": 'phrase_book = "0a1b2c3d"',
        "firmware": "a section [firmware]",
        "firmware.version": 'version = "2.7.26"',
        "firmware.file": "a section [[firmware.file]]",
        "firmware.file.board": 'board = "RAK4631"',
        "firmware.file.sha256": f'sha256 = "{"0a1b2c3d" * 8}"',
        "coordinator": "a section [[coordinator]]",
        "coordinator.id": "id = 1",
        "coordinator.name": 'name = "Brandweerkazerne Noord"',
        "coordinator.hosts": 'hosts = ["kazerne.example.org"]',
        "coordinator.port": "port = 8883",
        "coordinator.fallback_address": 'fallback_address = "Weg 1, Maastricht"',
        "every": "a section [every.radio]",
        "kiosks": "a section [kiosks.web]",
        "coordinators": "a section [coordinators.web]",
    },
    {
        **dict.fromkeys(
            ("region.name", "region.fallback_address", "coordinator.name", "coordinator.fallback_address"), FORM_OF_NAME
        ),
        "firmware.file.board": FORM_OF_NAME,
        "coordinator.hosts": FORM_OF_HOST,
        "region.phrase_book": "eight of 0-9 a-f",
        "firmware.version": FORMS["radio.firmware"],
        "firmware.file.sha256": "64 of 0-9 a-f",
    },
)


@dataclass(frozen=True, slots=True)
class Region:
    """A region file that was read, with its place."""

    path: Path
    text: str
    file: RegionFile

    def beside(self, name: str) -> Path:
        """Return a path that the region file names, made absolute."""
        return self.path.resolve().parent / name

    @property
    def keys(self) -> Path:
        """The folder of keys."""
        return self.beside(self.file.region.keys)

    @property
    def sites(self) -> Path:
        """The folder of the sites' files."""
        return self.beside(self.file.region.sites)

    @property
    def content(self) -> Path | None:
        """The folder of the region's own information pages."""
        return None if self.file.region.content is None else self.beside(self.file.region.content)

    def coordinator(self, number: int) -> FleetCoordinator | None:
        """Return the coordinator with this id."""
        return next((one for one in self.file.coordinator if one.id == number), None)


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A site's short file: its text and tables as they are, nothing of it checked but id, name, place and role."""

    path: Path
    text: str
    table: Table

    def said(self, key: str) -> object:
        """Return what ``site.<key>`` says, or None."""
        site = self.table.get("site")
        return site.get(key) if isinstance(site, dict) else None

    @property
    def id(self) -> int:
        """The site's id; 0 when there is none that could be one."""
        number = self.said("id")
        return number if isinstance(number, int) and not isinstance(number, bool) else 0

    @property
    def role(self) -> Role:
        """The role: what the file says, else what the id says."""
        said = self.said("role")
        if said in list(Role):
            return Role(str(said))
        return Role.COORDINATOR if 1 <= self.id <= COORDINATOR_ID_MAX else Role.KIOSK


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a site's config and the file it comes from; ``prefix`` is the section that it stands in there."""

    table: Table
    path: Path
    text: str
    prefix: str = ""

    def line(self, key: str) -> int:
        """Return the line of a key of the config in this file."""
        return line_of(self.text, f"{self.prefix}{key}")

    def has(self, key: str) -> bool:
        """Whether this layer says anything of a dotted key, ``a.b[1].c``."""
        here: object = self.table
        for name, index in path_of(key):
            if not isinstance(here, dict) or name not in here:
                return False
            here = here[name]
            if index is not None:
                if not isinstance(here, list) or index >= len(here):
                    return False
                here = here[index]
        return True


def path_of(key: str) -> list[tuple[str, int | None]]:
    """Take a dotted key apart: ``panel.button[1].name`` into names, each with its index."""
    parts = []
    for part in key.split(".") if key else []:
        name, bracket, index = part.partition("[")
        parts.append((name, int(index.rstrip("]")) if bracket else None))
    return parts


def site_paths(region: Region) -> list[Path]:
    """Return the sites' files in the order of their names; ConfigError when the folder is not there, or too full."""
    folder = region.sites
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except OSError as error:
        mend = "make it, with a file like config/fleet/sites/47-regenboog.toml for each site"
        raise ConfigError(f"{folder}: cannot be read ({error.strerror}); {mend}") from error
    if not paths:
        raise ConfigError(f"{folder}: no site's file is in it; add one per site, each ending in .toml")
    if len(paths) > SITES_MAX:
        raise ConfigError(f"{folder}: {len(paths)} files; a region has at most {SITES_MAX} sites")
    return paths


def misnamed(region: Region) -> list[Path]:
    """Return files beside the sites' that were meant as such and do not count: an editor added ``.txt``, for one."""
    names = (path for path in region.sites.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in names if path.suffix.lower() in _MISNAMED and path.suffix != ".toml")


def read_site(path: Path) -> SiteFile:
    """Read a site's short file; ConfigError names the line that is no TOML."""
    text = read(path)
    return SiteFile(path, text, parse(path, text))
