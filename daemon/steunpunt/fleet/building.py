"""Making each site's bundle: its config, keys, certificates, radio plan, broker, wifi and pages, sealed."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import msgspec

from steunpunt import keyfiles
from steunpunt.brokerconfig import CONF_FILE, PASSWORD_FILE, SALT_BYTES, Account, Places, generate
from steunpunt.brokerfiles import PASSWORD_RANDOM_BYTES
from steunpunt.config import INTEGRATOR_USER, READER_USER, Config
from steunpunt.configparts import absolute
from steunpunt.fleet.cards import Card, FleetError, cards, ensure_region, ids_used, issue, revoked
from steunpunt.fleet.checking import Fleet
from steunpunt.fleet.comparing import CheckedSite
from steunpunt.fleet.merging import ON_DEVICE, slug
from steunpunt.fleet.regionfile import Region
from steunpunt.fleet.sealing import BundleError, File, pack, read_head, seal
from steunpunt.fleet.sheets import SheetFacts, sheet_text
from steunpunt.fleet.staffpin import HASH_FILE, staff_pin
from steunpunt.fleet.tomltext import toml_text
from steunpunt.model import Role
from steunpunt.radiosettings import wanted_settings, wishes

ETC, BROKER = "etc/steunpunt", "etc/mosquitto/steunpunt"
BROKER_DATA = "/var/lib/mosquitto/steunpunt"
CONTENT_BYTES_MAX = 16 << 20
NAME_CHARS_MAX = 74
"""Of a name, so that a word fits behind it."""
_SECRET, _SHARED = keyfiles.OWNER_ONLY, keyfiles.OWNER_AND_GROUP
_KEYS = {
    Role.KIOSK: ("site.keys", "channel.key", "site.pem", "site-key.pem", "region-ca.pem"),
    Role.COORDINATOR: (
        "coordinator.keys",
        "ledger.key",
        "channel.key",
        "region.pem",
        "region-key.pem",
        "region-ca.pem",
    ),
}
_MODES = {"ledger.key": _SHARED, "site.pem": 0o644, "region.pem": 0o644, "region-ca.pem": 0o644}
_HEAD = """\
Made by `steunpunt fleet build` from {region} and {site}:
change these, not this file.
"""
_MOSQUITTO_UNIT = f"""\
# So that mosquitto reads only our file.
[Service]
ExecStart=
ExecStart=/usr/sbin/mosquitto -c /{BROKER}/{CONF_FILE}
"""
_HOTSPOT = {
    "steunpunt-hotspot.nmconnection": ("etc/NetworkManager/system-connections/steunpunt-hotspot.nmconnection", 0o600),
    "portal.conf": ("etc/NetworkManager/dnsmasq-shared.d/portal.conf", 0o644),
    "web.conf": ("etc/systemd/system/steunpunt-web.service.d/hotspot.conf", 0o644),
}
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Built:
    """One site's bundle and sheet, and whether the bundle was written or is as it was."""

    site: CheckedSite
    card: Card
    bundle: Path
    sheet: Path
    written: bool


def build(fleet: Fleet, out: Path, only: Iterable[int] = ()) -> Iterator[Built]:
    """Make what is missing of a checked region's keys, and give each site's bundle; ``only`` picks sites.

    The coordinators come first: a point's card lists those that it may believe. A bundle whose content is as it was
    stays. Raises FleetError, KeyFileError or BundleError; what was made until then stays, and the next run goes on.
    """
    region = _region_of(fleet)
    wanted = set(only)
    ensure_region(region)
    sites = sorted(fleet.sites, key=lambda site: site.config.site.id)
    asked = [site for site in sites if not wanted or site.config.site.id in wanted]
    desks = [site for site in sites if site.config.site.role is Role.COORDINATOR]
    issued = {site.config.site.id: _card(region, site) for site in [*desks, *asked]}
    _refuse_same_keys(region)
    for site in asked:
        desk = site.config.site.role is Role.COORDINATOR
        yield _bundle(region, _with_past(region, site) if desk else site, issued[site.config.site.id], out)


def bundle_name(site: CheckedSite) -> str:
    """Return the file name of a site's bundle."""
    return f"{site.config.site.id}-{slug(site.config.site.name)}.bundle"


def _region_of(fleet: Fleet) -> Region:
    if fleet.region is None or fleet.problems:
        raise FleetError("the region has mistakes; `steunpunt fleet check` tells them")
    return fleet.region


def _card(region: Region, site: CheckedSite) -> Card:
    """Return a site's card, made when there is none; refuses an id that a fresh ledger would count again."""
    who = site.config.site
    if who.role is Role.COORDINATOR:
        return issue(region, who.role, who.id, who.name, who.place, 1)
    gone = revoked(region).get(who.id, 0)
    if gone and not _kept(region, who.id, gone):
        mend = f"write id = {max(ids_used(region)) + 1}, or type `steunpunt fleet replace` to keep it with its ledger"
        raise FleetError(
            f"{site.file.path}: the card of id {who.id} was revoked, and its ticket numbers are used; {mend}"
        )
    return issue(region, who.role, who.id, who.name, who.place, gone + 1)


def _kept(region: Region, site: int, gone: int) -> bool:
    """Whether a site goes on with a later card, beside its old ledger."""
    return any(card.site == site and card.generation > gone for card in cards(region))


def _with_past(region: Region, site: CheckedSite) -> CheckedSite:
    """Return a desk's config with the points that were: their cases keep a name, and stolen cards stay out."""
    listed = {entry["id"] for entry in site.table.get("point", [])}
    gone = {number: upto for number, upto in revoked(region).items() if not _kept(region, number, upto)}
    past = [
        {"id": card.site, "name": f"{card.name[:NAME_CHARS_MAX]} (oud)", "place": card.place}
        for card in cards(region)
        if card.site in gone and card.site not in listed
    ]
    table = deepcopy(site.table)
    table["point"] = [*table.get("point", []), *past]
    listener = table.get("broker", {}).get("region_listener")
    if listener is not None and gone:
        listener["barred"] = sorted({*listener.get("barred", []), *gone})
    return CheckedSite(site.file, table, absolute(msgspec.convert(table, Config), Path(ON_DEVICE)))


def _refuse_same_keys(region: Region) -> None:
    """Refuse two cards with one secret: copies of a folder, which would count and seal alike."""
    first: dict[bytes, Card] = {}
    for card in cards(region):
        path = card.folder / "site.keys"
        if path.exists():
            other = first.setdefault(keyfiles.read_site(path).secret, card)
            if other is not card:
                raise FleetError(f"{card.folder} and {other.folder} hold one key; delete the one that is a copy")


def _bundle(region: Region, site: CheckedSite, card: Card, out: Path) -> Built:
    who = site.config.site
    archive = pack(list(_files(region, site, card)))
    path, sheet = out / bundle_name(site), region.keys / "sheets" / f"{who.id}.html"
    fresh = not path.exists() or read_head(path).digest != hashlib.sha256(archive).hexdigest()
    try:
        if fresh:
            out.mkdir(parents=True, exist_ok=True)
            sealed = seal(archive, card.code, site=who.id, name=who.name, role=who.role, generation=card.generation)
            beside = path.with_name(f".{path.name}.new")
            beside.write_bytes(sealed)
            beside.replace(path)
        sheet.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{path}: cannot be written ({error.strerror}); {keyfiles.write_mend(error)}") from error
    pin = staff_pin(card.folder) if _has_staff_pin(site.config) else ""
    facts = SheetFacts(site.config, card.generation, card.code, path.name, region.file.firmware, pin)
    keyfiles.write_text(sheet, sheet_text(facts), _SECRET)
    return Built(site, card, path, sheet, fresh)


# --- what is in it ------------------------------------------------------------------------------------------------


def _files(region: Region, site: CheckedSite, card: Card) -> Iterator[File]:
    config = site.config
    head = _HEAD.format(region=region.path.name, site=site.file.path.name)
    yield _text(f"{ETC}/site.toml", toml_text(site.table, head))
    for name in _KEYS[config.site.role]:
        yield File(f"{ETC}/{name}", _read(card.folder / name), _MODES.get(name, _SECRET))
    if _has_staff_pin(config):
        staff_pin(card.folder)
        yield File(f"{ETC}/{HASH_FILE}", _read(card.folder / HASH_FILE), _SECRET)
    if config.radios:
        yield _text(f"{ETC}/radio-plan.txt", _radio_plan(config, card))
    if config.broker.enabled:
        yield from _broker(config, card)
    if config.web.hotspot_address is not None:
        for name, (path, mode) in _HOTSPOT.items():
            yield File(path, _read(hotspot_folder() / name), mode)
    if region.content is not None and config.site.role is Role.KIOSK:
        yield from _content(region.content)


def _has_staff_pin(config: Config) -> bool:
    """Whether a bundle brings the staff's PIN; one in another place is a person's to set."""
    return config.staff is not None and config.staff.pin_file == f"{ON_DEVICE}/{HASH_FILE}"


def _text(path: str, text: str, mode: int = 0o644) -> File:
    return File(path, text.encode(), mode)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        mend = "put back a copy of the folder of keys"
        raise FleetError(f"{path}: cannot be read ({error.strerror}); {mend}") from error


def _radio_plan(config: Config, card: Card) -> str:
    """Return what `steunpunt radio apply` will set, to be compared by eye; keys as fingerprints."""
    lines = ["# What this site's radio must be set to. `steunpunt radio plan` says what differs."]
    key = keyfiles.read_channel_key(card.folder / "channel.key")
    for name, radio in config.radios.items():
        lines += ["", f"[{name}] {radio.node or 'any radio'}"]
        lines += [f"{setting:<16} {goal}" for setting, goal in wishes(wanted_settings(radio, key))]
    return "\n".join(lines) + "\n"


def _broker(config: Config, card: Card) -> Iterator[File]:
    users = {config.broker.username: "broker.password", READER_USER: "reader.password"}
    if config.broker.downlink is not None:
        users[INTEGRATOR_USER] = "integrator.password"
    passwords = {user: _password(card.folder / name) for user, name in users.items()}
    accounts = {user: Account(password, _salt(password)) for user, password in passwords.items()}
    for name, text in generate(config, Places(f"/{BROKER}", BROKER_DATA), accounts).items():
        yield _text(f"{BROKER}/{name}", text, _SECRET if name == PASSWORD_FILE else 0o644)
    for user, name in users.items():
        folder = ETC if user == config.broker.username else BROKER
        yield _text(f"{folder}/{name}", f"{passwords[user]}\n", _SECRET)
    yield _text("etc/systemd/system/mosquitto.service.d/steunpunt.conf", _MOSQUITTO_UNIT)


def _password(path: Path) -> str:
    """Return a password of a card, drawn once and kept."""
    if not path.exists():
        keyfiles.write_text(path, secrets.token_urlsafe(PASSWORD_RANDOM_BYTES) + "\n", _SECRET)
    return _read(path).decode().strip()


def _salt(password: str) -> bytes:
    """Return a salt that follows from the password, which is long and random: the same bundle at each build."""
    return hashlib.sha256(b"steunpunt broker salt" + password.encode()).digest()[:SALT_BYTES]


def hotspot_folder() -> Path:
    """Return the folder of the wifi's files: packed with the program, or the project's."""
    here = Path(__file__).resolve()
    packed = here.parent / "hotspot"
    return packed if packed.is_dir() else here.parents[3] / "config" / "hotspot"


def _content(folder: Path) -> Iterator[File]:
    size = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part.startswith(".") for part in name.split("/")):
            data = _read(path)
            size += len(data)
            if size > CONTENT_BYTES_MAX:
                raise FleetError(f"{folder}: more than {CONTENT_BYTES_MAX >> 20} MiB of pages; make pictures smaller")
            yield File(f"{ETC}/content/{name}", data)
