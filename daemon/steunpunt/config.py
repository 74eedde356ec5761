"""The site's config file: one TOML file gives a device its role.

``load(path)`` decodes it into frozen structs; an unknown key, a wrong type or a value out of range
is a :class:`~steunpunt.model.ConfigError` that names file, line, key, what was expected and what to write.
Relative paths in the file count from the file's own folder.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from steunpunt.configerrors import example, explain
from steunpunt.configfile import parse, read
from steunpunt.configparts import (
    ChannelName,
    CoordinatorId,
    DevicePath,
    FileName,
    FirmwareVersion,
    HostName,
    IpAddress,
    Name,
    NodeName,
    Port,
    RadioName,
    Section,
    ShortName,
    SiteId,
    SlugName,
    TopicName,
    absolute,
)
from steunpunt.configwords import line_of, plain
from steunpunt.jobconfig import Housekeeping, housekeeping_problems
from steunpunt.model import COORDINATOR_ID_MAX, MAIN_RADIO, ConfigError, Role
from steunpunt.panelconfig import Panel, panel_problems, pins_of
from steunpunt.powerconfig import Power, power_problems
from steunpunt.printerconfig import Printer, printer_problems
from steunpunt.screenconfig import Screen, screen_problems
from steunpunt.staffconfig import Retention, Staff

READER_USER = "reader"
"""The broker's user for integrators, who may write nothing."""
INTEGRATOR_USER = "integrator"
"""The broker's user who may also publish for the mesh; exists only where ``[broker.downlink]`` is on."""
IDLE_ANSWER_S_MIN = 10
"""Seconds that a person has at least to say that somebody is still there."""
RADIOS_MAX = 8
"""Radios of one coordinator."""
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  compared with, not bound to


class Site(Section, frozen=True, kw_only=True):
    """Who this device is."""

    role: Role
    id: SiteId
    name: Name
    place: Name
    """Street and town of this point, as a stranger would look for it."""


class Region(Section, frozen=True, kw_only=True):
    """The region this site belongs to and the coordinator it addresses."""

    name: Name
    coordinator: CoordinatorId = 1
    coordinator_name: Name
    """The fire station as people call it, such as ``Brandweerkazerne Noord``."""
    fallback_address: Name
    """Where a runner goes when nothing else works; shown on every screen of a waiting request."""
    sites: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 30
    """How many sites share the channel: the more, the more seldom a kiosk gives a sign of life by radio."""


class Keys(Section, frozen=True, kw_only=True):
    """Where the secrets lie."""

    file: FileName


class Position(Section, frozen=True, kw_only=True):
    """Where the radio stands: it tells others and asks no GPS. Degrees of WGS 84, metres above the sea."""

    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    altitude_m: Annotated[int, msgspec.Meta(ge=-500, le=9000)] | None = None


class Radio(Section, frozen=True, kw_only=True):
    """The Meshtastic radio: ``tcp`` (meshtasticd or a virtual radio), ``serial``, or ``none``."""

    kind: Literal["tcp", "serial", "none"]
    host: HostName = "127.0.0.1"
    port: Port = 4403
    path: DevicePath = ""
    """Serial device, by path: cheap USB chips all report the same serial number."""
    node: NodeName | None = None
    """The node number that must answer, such as ``!a1b2c3d4``."""
    channel: ChannelName = "serial"
    """Name of the private channel; a secondary channel named ``serial`` is exempt from PKI."""
    emergency_channel: ChannelName | None = None
    """Channel of the readable fall-back, which people with handhelds hear; ``None`` is the primary one."""
    hop_limit: Annotated[int, msgspec.Meta(ge=1, le=7)] = 3
    region: Literal["EU_868", "EU_433"] = "EU_868"
    preset: Literal[
        "SHORT_FAST", "SHORT_SLOW", "MEDIUM_FAST", "MEDIUM_SLOW", "LONG_FAST", "LONG_MODERATE", "LONG_SLOW"
    ] = "LONG_FAST"
    """The modem preset; those of 500 kHz do not fit in the European bands."""
    role: Literal["CLIENT", "CLIENT_BASE"] = "CLIENT"
    long_name: RadioName | None = None
    """The radio's name for others on the mesh, at most 39 bytes; ``None`` leaves it as it is."""
    short_name: ShortName | None = None
    """The same in at most 4 bytes."""
    channel_key_file: FileName | None = None
    """The private channel's key (``steunpunt keys``); ``None`` leaves the radio's key as it is."""
    firmware: FirmwareVersion | None = None
    """The version that the region chose; ``None``: any that is not refused."""
    position: Position | None = None


class ExtraRadio(Radio, frozen=True, kw_only=True):
    """One more radio of a coordinator, such as on another hill; with all the keys of ``[radio]``."""

    name: SlugName
    """What status, metrics and ledger call it."""


class Bridge(Section, frozen=True, kw_only=True):
    """How the local mosquitto reaches the region's broker (for ``steunpunt broker-config``)."""

    host: HostName
    port: Port = 8883
    ca_file: FileName
    certificate_file: FileName
    key_file: FileName


class RegionListener(Section, frozen=True, kw_only=True):
    """The region's TLS listener at a coordinator's broker (for ``steunpunt broker-config``)."""

    host: HostName = "0.0.0.0"  # noqa: S104  the region's sites come from outside; client certificates are required
    port: Port = 8883
    ca_file: FileName
    certificate_file: FileName
    key_file: FileName
    barred: tuple[SiteId, ...] = ()
    """Sites whose card was stolen: their certificate opens nothing any more."""


class Downlink(Section, frozen=True, kw_only=True):
    """What integrators may send into the mesh over MQTT; without this section nothing."""

    airtime_s_per_hour_max: Annotated[int, msgspec.Meta(ge=1, le=180)] = 36
    """Seconds that this radio may transmit for integrators in any hour; 36 s are one percent of it."""


class HomeAssistant(Section, frozen=True, kw_only=True):
    """Tell Home Assistant of this site by its MQTT discovery; without this section not."""

    discovery_prefix: TopicName = "homeassistant"


class Broker(Section, frozen=True, kw_only=True):
    """The local MQTT broker."""

    enabled: bool = True
    host: HostName = "127.0.0.1"
    port: Port = 1883
    username: str = "steunpunt"
    password_file: FileName | None = None
    mesh_root: TopicName = "msh/EU_868"
    downlink: Downlink | None = None
    homeassistant: HomeAssistant | None = None
    bridge: Bridge | None = None
    region_listener: RegionListener | None = None


class Relay(Section, frozen=True, kw_only=True):
    """How requests are carried."""

    fallback_min: Annotated[int, msgspec.Meta(ge=0, le=120)] = 5
    """Minutes without receipt after which a life threat also goes on the air in plain words; 0: never."""


class Ledger(Section, frozen=True, kw_only=True):
    """Where the durable store lies."""

    path: FileName
    key_file: FileName | None = None
    """The key that content at a coordinator is kept under; node and desk both read it."""


class Control(Section, frozen=True, kw_only=True):
    """The node's Unix socket."""

    socket: FileName


class Web(Section, frozen=True, kw_only=True):
    """The web process."""

    host: HostName = "127.0.0.1"
    port: Port = 8080
    hotspot_address: IpAddress | None = None
    """This device's address on the point's own wifi (``config/hotspot/``); kiosk only. None: no phones are served."""
    desk_passwords_file: FileName | None = None
    """Names and scrypt hashes of the desk's people (``steunpunt keys desk-password``); coordinator only."""


class Kiosk(Section, frozen=True, kw_only=True):
    """What a kiosk shows beside its own pages."""

    content: FileName | None = None
    """Folder of the information pages; ``None``: those that come along with the program."""
    broadcaster: Name | None = None
    """The broadcaster that tells this region what is going on, with its frequency, as its pages name it."""
    demo: bool = False
    """Whether nobody asks for real help here: then pages that no authority has approved are shown too."""
    idle_warning_s: Annotated[int, msgspec.Meta(ge=10, le=600)] = 60
    """Seconds without a touch until the point's own screen asks whether somebody is still there."""
    idle_wipe_s: Annotated[int, msgspec.Meta(ge=20, le=1200)] = 120
    """Seconds without a touch until that screen goes back to its first page; ``IDLE_ANSWER_S_MIN`` more at least."""


class Point(Section, frozen=True, kw_only=True):
    """One of the region's points, as the desk shows it."""

    id: SiteId
    name: Name
    place: Name
    coordinator: CoordinatorId | None = None
    """The coordinator that it addresses; ``None``: this one."""


class OtherCoordinator(Section, frozen=True, kw_only=True):
    """Another coordinator of the region: all keep every request, the addressed one answers."""

    id: CoordinatorId
    name: Name


class Config(Section, frozen=True, kw_only=True):
    """A whole config file."""

    site: Site
    region: Region
    keys: Keys
    radio: Radio
    broker: Broker
    ledger: Ledger
    control: Control
    web: Web = Web()
    kiosk: Kiosk = Kiosk()
    screen: Screen = Screen()
    relay: Relay = Relay()
    panel: Panel | None = None
    power: Power | None = None
    staff: Staff | None = None
    retention: Retention = Retention()
    printer: Printer | None = None
    housekeeping: Housekeeping = Housekeeping()
    point: tuple[Point, ...] = ()
    """The region's points by name, for the desk; a case of a point that is not listed shows its number."""
    other_coordinator: tuple[OtherCoordinator, ...] = ()
    extra_radio: tuple[ExtraRadio, ...] = ()

    @property
    def radios(self) -> dict[str, Radio]:
        """The site's radios by name, the one in ``[radio]`` first; empty when it has none."""
        main = {} if self.radio.kind == "none" else {MAIN_RADIO: self.radio}
        return main | {extra.name: extra for extra in self.extra_radio}


def load(path: Path) -> Config:
    """Read and check a site's config file; raises ConfigError with the place and the mend."""
    text = read(path)
    config = _decode(path, text)
    for key, problem in contradictions(config):
        raise ConfigError(f"{path}:{line_of(text, key)}: {problem}")
    return absolute(config, path.resolve().parent)


def _decode(path: Path, text: str) -> Config:
    try:
        return msgspec.convert(parse(path, text), Config)
    except msgspec.ValidationError as error:
        raise ConfigError(explain(Config, path, text, str(error))) from error


def contradictions(config: Config) -> list[tuple[str, str]]:
    """Return what is wrong between keys that are each well-formed, each with the key it is about."""
    problems = (
        _site_problems,
        _web_problems,
        _point_problems,
        _radio_problems,
        _link_problems,
        _panel_problems,
        _section_problems,
    )
    return [*(found for about in problems for found in about(config)), *screen_problems(config.screen, config.web.port)]


def _site_problems(config: Config) -> Iterator[tuple[str, str]]:
    site = config.site
    if site.role is Role.KIOSK and site.id <= COORDINATOR_ID_MAX:
        yield "site.id", "site.id 1 to 15 is kept for coordinators; give this kiosk an id of 16 or higher"
    if site.role is not Role.COORDINATOR:
        return
    if site.id > COORDINATOR_ID_MAX:
        yield (
            "site.id",
            f"site.id is {site.id}; a coordinator's id is 1 to {COORDINATOR_ID_MAX}; choose one of these",
        )
    if site.id != config.region.coordinator:
        yield (
            "region.coordinator",
            f"region.coordinator differs from site.id; write coordinator = {site.id}",
        )
    if config.ledger.key_file is None:
        mend = "`steunpunt keys coordinator` makes it beside the coordinator's keys"
        yield "ledger.key_file", f"ledger.key_file is missing; {mend}; name it here"
    if config.web.desk_passwords_file is None:
        mend = "make it with `steunpunt keys desk-password`"
        yield "web.desk_passwords_file", f"web.desk_passwords_file is missing; {mend} and name it here"


def _web_problems(config: Config) -> Iterator[tuple[str, str]]:
    least_s = config.kiosk.idle_warning_s + IDLE_ANSWER_S_MIN
    if config.kiosk.idle_wipe_s < least_s:
        mend = f"leave time to answer the warning; write {least_s} or more"
        yield "kiosk.idle_wipe_s", f"kiosk.idle_wipe_s is {config.kiosk.idle_wipe_s}; {mend}"
    address = config.web.hotspot_address
    if address is None:
        return
    if not _is_private(address):
        mend = 'write the wifi\'s own, such as hotspot_address = "10.42.0.1"'
        yield "web.hotspot_address", f"web.hotspot_address: {address} is no address of a wifi of our own; {mend}"
    elif config.web.host in (*_ANYWHERE, address):
        mend = 'leave web.host at "127.0.0.1"'
        yield "web.host", f"web.host would serve the wifi a second time; {mend}"


def _is_private(address: str) -> bool:
    try:
        found = IPv4Address(address)
    except ValueError:
        return False
    return found.is_private and not found.is_loopback and not found.is_unspecified


def _point_problems(config: Config) -> Iterator[tuple[str, str]]:
    ids = [point.id for point in config.point]
    for index, number in enumerate(ids):
        if number <= COORDINATOR_ID_MAX:
            yield (
                f"point[{index}].id",
                f"point: id {number} is a coordinator's; write the kiosk's site.id, 16 or higher",
            )
        if number in ids[:index]:
            yield f"point[{index}].id", f"point: id {number} is listed twice; each point has its own"
    others = [other.id for other in config.other_coordinator]
    for index, point in enumerate(config.point):
        if point.coordinator is not None and point.coordinator not in {config.site.id, *others}:
            mend = f"list {point.coordinator} with its name in a section [[other_coordinator]]"
            yield f"point[{index}].coordinator", f"point: coordinator {point.coordinator} is not known here; {mend}"
    for index, number in enumerate(others):
        if number == config.region.coordinator:
            yield f"other_coordinator[{index}].id", f"other_coordinator: id {number} is this region.coordinator itself"
        if number in others[:index]:
            yield f"other_coordinator[{index}].id", f"other_coordinator: id {number} is listed twice; delete one"


_RADIO_BYTES_MAX = {"channel": 11, "emergency_channel": 11, "long_name": 39, "short_name": 4}
"""The firmware counts bytes."""


def _radio_problems(config: Config) -> Iterator[tuple[str, str]]:
    extra = {f"extra_radio[{index}]": radio for index, radio in enumerate(config.extra_radio)}
    for section, radio in {"radio": config.radio, **extra}.items():
        for key, most in _RADIO_BYTES_MAX.items():
            size = len((getattr(radio, key) or "").encode())
            if size > most:
                mend = f"a radio takes {most}; write less, é counts as two"
                yield f"{section}.{key}", f"{plain(section)}.{key} has {size} bytes and {mend}"
        if radio.emergency_channel == radio.channel:
            # People with handhelds do not have the private channel's key: nobody would read the plain words.
            mend = "name the channel that people with handhelds hear, or leave it out"
            both = f"{plain(section)}.emergency_channel is the private {plain(section)}.channel"
            yield f"{section}.emergency_channel", f"{both}, {radio.channel}; {mend}"
        if radio.kind == "serial" and not radio.path:
            missing = f'{plain(section)}.path is missing for kind = "serial"; add {example("radio.path")}'
            yield f"{section}.path", missing
    if extra:
        yield from _extra_radio_problems(config)


def _extra_radio_problems(config: Config) -> Iterator[tuple[str, str]]:
    if config.site.role is not Role.COORDINATOR:
        yield "extra_radio[0].name", "extra_radio: a kiosk has one radio; delete these sections"
    if config.radio.kind == "none":
        yield "radio.kind", "radio.kind is none, but there is an extra_radio; write that one under [radio]"
    names, places = [MAIN_RADIO], [_place_of(config.radio)]
    for index, radio in enumerate(config.extra_radio):
        section, place = f"extra_radio[{index}]", _place_of(radio)
        if index >= RADIOS_MAX - 1:
            yield f"{section}.name", f"extra_radio: a coordinator has at most {RADIOS_MAX} radios in all; delete one"
        if radio.kind == "none":
            yield f"{section}.kind", "extra_radio.kind is none; write what radio it is, or delete the section"
        if radio.name in names:
            yield f"{section}.name", f"extra_radio: the name {radio.name} is taken; choose another one"
        if place in places:
            yield f"{section}.kind", f"extra_radio: two radios are at {place}; each section has a radio of its own"
        names.append(radio.name)
        places.append(place)


def _place_of(radio: Radio) -> str:
    host = "127.0.0.1" if radio.host == "localhost" else radio.host
    return radio.path if radio.kind == "serial" else f"{host}:{radio.port}"


def _link_problems(config: Config) -> Iterator[tuple[str, str]]:
    if config.radio.kind == "none" and not config.broker.enabled:
        yield (
            "radio.kind",
            "radio.kind is none and broker.enabled is false: no road is left; enable one of them",
        )
    name = config.broker.username
    if name in (READER_USER, INTEGRATOR_USER):
        yield "broker.username", f'broker.username {name} is kept for integrators; write username = "steunpunt"'
    for (key, host, port), (other, other_host, other_port) in combinations(_listeners(config), 2):
        if port == other_port and (host == other_host or {host, other_host} & set(_ANYWHERE)):
            yield key, f"{key} and {other} are both {port}; give one of them another port"


def _listeners(config: Config) -> list[tuple[str, str, int]]:
    """Return what listens on this device: the key of its port, its address, the port."""
    broker, listener = config.broker, config.broker.region_listener
    found = [("web.port", config.web.host, config.web.port)]
    if config.web.hotspot_address is not None and config.web.hotspot_address != config.web.host:
        found.append(("web.port", config.web.hotspot_address, config.web.port))
    if listener is not None:
        found.append(("broker.region_listener.port", listener.host, listener.port))
    if broker.enabled:
        found.append(("broker.port", broker.host, broker.port))
    return [(key, "127.0.0.1" if host == "localhost" else host, port) for key, host, port in found]


def _panel_problems(config: Config) -> Iterator[tuple[str, str]]:
    if config.panel is not None:
        yield from panel_problems(config.panel)


def _section_problems(config: Config) -> Iterator[tuple[str, str]]:
    coordinator = config.site.role is Role.COORDINATOR
    if config.power is not None:
        yield from power_problems(config.power, pins_of(config.panel))
    if config.printer is not None:
        yield from printer_problems(config.printer, coordinator=coordinator)
    yield from housekeeping_problems(config.housekeeping, coordinator=coordinator)
