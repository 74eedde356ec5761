"""What a site's radio must be set to, and how a radio differs from that. Pure.

A :class:`RadioState` is filled from the messages of a handshake. :func:`differences` compares it with the
:class:`WantedSettings` of the config; the node does so at each connection, and ``steunpunt radio`` also asks
:func:`admin_messages` for what would mend it: one transaction that holds the sections that differ and no other.
A section is written as the radio told it, with only our own settings changed in it.

A channel's key is never shown; two keys are compared by eye through their fingerprints.
"""

import hashlib
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.descriptor import EnumDescriptor
from msgspec import Struct

from steunpunt import config
from steunpunt.model import SteunpuntError
from steunpunt.wire import admin_pb2, channel_pb2, config_pb2, mesh_pb2, module_config_pb2

FIRMWARE_MIN = (2, 6, 12)
"""Older firmware makes keys that can be guessed and takes foreign ones for known nodes."""
CHANNELS_MAX = 8
FINGERPRINT_BYTES = 4
_DEGREE = 10_000_000
"""The firmware counts degrees in units of 1e-7."""

SectionT = TypeVar("SectionT", config_pb2.Config, module_config_pb2.ModuleConfig)
_Lora = config_pb2.Config.LoRaConfig
_Role = channel_pb2.Channel.Role
_CONFIGS, _MODULES = ("lora", "device", "bluetooth", "position"), ("mqtt",)
TRANSACTION = ("channel", "owner", "fixed_position", "mqtt", "bluetooth", "device", "lora")
"""The parts that may have to be written, in that order."""


class RadioSettingsError(SteunpuntError, ValueError):
    """A radio that cannot be brought to what the config says without a person's choice."""


@dataclass(frozen=True, slots=True)
class WantedSettings:
    """What the config says; ``None`` leaves a setting as it is on the radio."""

    region: str
    preset: str
    hop_limit: int
    role: str
    channel: str
    channel_key: bytes | None = field(default=None, repr=False)
    long_name: str | None = None
    short_name: str | None = None
    position: config.Position | None = None
    firmware: str | None = None


def wanted_settings(radio: config.Radio, channel_key: bytes | None) -> WantedSettings:
    """Return what this config section asks of a radio; ``channel_key`` is what its ``channel_key_file`` holds."""
    return WantedSettings(
        region=radio.region,
        preset=radio.preset,
        hop_limit=radio.hop_limit,
        role=radio.role,
        channel=radio.channel,
        channel_key=channel_key,
        long_name=radio.long_name,
        short_name=radio.short_name,
        position=radio.position,
        firmware=radio.firmware,
    )


class RadioState:
    """What a radio told of itself in one handshake."""

    def __init__(self) -> None:
        self.node_num: int | None = None
        self.firmware = ""
        self.channels: dict[int, channel_pb2.Channel] = {}
        self.node = mesh_pb2.NodeInfo()
        self.config = {name: config_pb2.Config() for name in _CONFIGS}
        self.modules = {name: module_config_pb2.ModuleConfig() for name in _MODULES}
        self._told: set[str] = set()

    def take(self, message: mesh_pb2.FromRadio) -> None:
        """Take one message of the handshake; one that tells nothing of the settings is passed over."""
        kind = message.WhichOneof("payload_variant")
        if kind == "my_info":
            self.node_num = message.my_info.my_node_num
        elif kind == "metadata":
            self.firmware = message.metadata.firmware_version
        elif kind == "node_info" and message.node_info.num == self.node_num:
            self.node = message.node_info
            self._told.add("owner")
        elif kind == "channel" and 0 <= message.channel.index < CHANNELS_MAX:
            self.channels[message.channel.index] = message.channel
        elif kind == "config":
            self._keep(message.config, self.config)
        elif kind == "moduleConfig":
            self._keep(message.moduleConfig, self.modules)

    def _keep(self, section: SectionT, known: dict[str, SectionT]) -> None:
        name = section.WhichOneof("payload_variant")
        if name in known:
            known[name] = section
            self._told.add(name)

    def tells(self, part: str) -> bool:
        """Whether the handshake held this part; on a noisy serial line one can be lost."""
        if part == "channel":
            return len(self.channels) == CHANNELS_MAX
        if part == "firmware":
            return bool(self.firmware)
        if part == "fixed_position":
            return {"owner", "position"} <= self._told
        return part in self._told

    def private_channel(self, name: str) -> channel_pb2.Channel | None:
        """Return the channel in use with this name: a secondary one before the primary one."""
        found = [channel for channel in self._in_use() if channel.settings.name == name]
        return next((channel for channel in found if channel.index), found[0] if found else None)

    def _in_use(self) -> list[channel_pb2.Channel]:
        channels = (self.channels[index] for index in sorted(self.channels))
        return [channel for channel in channels if channel.role != _Role.DISABLED]

    @property
    def lora(self) -> config_pb2.Config.LoRaConfig:
        """The radio's own settings."""
        return self.config["lora"].lora

    @property
    def user(self) -> mesh_pb2.User:
        """The radio's owner: its names for others."""
        return self.node.user


def firmware_problem(version: str) -> str:
    """Say why a firmware version is refused, or ""; one that the radio did not tell is refused, too."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})", version)
    if found is not None and tuple(map(int, found.groups())) >= FIRMWARE_MIN:
        return ""
    least = ".".join(map(str, FIRMWARE_MIN))
    return (
        f"its firmware is {version or 'unknown'}, and before {least} others can read or take over a radio "
        f"(CVE-2025-52464, CVE-2025-55293, CVE-2025-52883); put {least} or newer on it"
    )


def fingerprint(key: bytes) -> str:
    """Return what may be shown of a channel's key: enough to see that two are the same."""
    if len(key) <= 1:
        return "the key that everybody knows" if any(key) else "no key"
    digest = hashlib.sha256(b"steunpunt channel key" + key).digest()
    return f"fingerprint {digest[:FINGERPRINT_BYTES].hex()}"


# --- the settings ----------------------------------------------------------------------------------------------------


class Difference(Struct, frozen=True):
    """One setting that is not as the config says, in words for a technician."""

    setting: str
    part: str
    now: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.setting}: is {self.now}, config says {self.wanted}"


class _Setting(Struct, frozen=True):
    """How one setting is read in words, what it should read, and how it is changed in a copy of the state."""

    name: str
    part: str
    now: Callable[[RadioState, WantedSettings], str]
    wanted: Callable[[WantedSettings], str | None]
    write: Callable[[RadioState, WantedSettings], None]


def _preset(state: RadioState, _: WantedSettings) -> str:
    return (
        _named(_Lora.ModemPreset.DESCRIPTOR, state.lora.modem_preset)
        if state.lora.use_preset
        else "settings of its own"
    )


def _write_preset(state: RadioState, wanted: WantedSettings) -> None:
    state.lora.use_preset = True
    state.lora.modem_preset = _Lora.ModemPreset.Value(wanted.preset)


def _write_region(state: RadioState, wanted: WantedSettings) -> None:
    state.lora.region = _Lora.RegionCode.Value(wanted.region)


def _write_role(state: RadioState, wanted: WantedSettings) -> None:
    state.config["device"].device.role = config_pb2.Config.DeviceConfig.Role.Value(wanted.role)


def _write_hop_limit(state: RadioState, wanted: WantedSettings) -> None:
    state.lora.hop_limit = wanted.hop_limit


def _transmits(state: RadioState, _: WantedSettings) -> None:
    state.lora.tx_enabled = True


def _keeps_duty_cycle(state: RadioState, _: WantedSettings) -> None:
    state.lora.override_duty_cycle = False


def _write_long_name(state: RadioState, wanted: WantedSettings) -> None:
    state.user.long_name = wanted.long_name or ""


def _write_short_name(state: RadioState, wanted: WantedSettings) -> None:
    state.user.short_name = wanted.short_name or ""


def _firmware(state: RadioState, _: WantedSettings) -> str:
    """Return the version without the hash of its sources, which the firmware tells behind a fourth point."""
    return ".".join(state.firmware.split(".")[:3])


def _refuse_firmware(state: RadioState, wanted: WantedSettings) -> None:
    raise RadioSettingsError(
        f"the radio's firmware is {_firmware(state, wanted)}, and the config pins {wanted.firmware}; put that on the "
        "radio first, or change radio.firmware"
    )


def _mqtt_off(state: RadioState, _: WantedSettings) -> None:
    state.modules["mqtt"].mqtt.enabled = False


def _bluetooth_off(state: RadioState, _: WantedSettings) -> None:
    state.config["bluetooth"].bluetooth.enabled = False


def _channel(state: RadioState, wanted: WantedSettings) -> str:
    found = state.private_channel(wanted.channel)
    if found is None:
        return "missing"
    return "secondary" if found.index else "the primary channel"


def _channel_key(state: RadioState, wanted: WantedSettings) -> str:
    found = state.private_channel(wanted.channel)
    return "no key" if found is None else fingerprint(found.settings.psk)


def _wanted_channel_key(wanted: WantedSettings) -> str | None:
    return None if wanted.channel_key is None else fingerprint(wanted.channel_key)


def _write_channel(state: RadioState, wanted: WantedSettings) -> None:
    """Give the private channel its name and key; a new one takes the first secondary place that is free."""
    channel, name = state.private_channel(wanted.channel), f'channel "{wanted.channel}"'
    if channel is not None and not channel.index:
        raise RadioSettingsError(
            f"{name} is the radio's primary channel, and it must be a secondary one; first give the primary "
            'channel another name: meshtastic --ch-index 0 --ch-set name ""'
        )
    if channel is None and wanted.channel_key is None:
        raise RadioSettingsError(f"the radio has no {name}; name its key in the config: radio.channel_key_file")
    if channel is None:
        free = (c for i, c in sorted(state.channels.items()) if i and c.role == _Role.DISABLED)
        channel = next(free, None)
        if channel is None:
            raise RadioSettingsError(f"all channels of the radio are in use; remove one to make room for {name}")
        channel.CopyFrom(channel_pb2.Channel(index=channel.index, role=_Role.SECONDARY))
        channel.settings.name = wanted.channel
    if wanted.channel_key is not None:
        channel.settings.psk = wanted.channel_key


def _position(state: RadioState, wanted: WantedSettings) -> str:
    at = state.node.position
    if not (state.node.HasField("position") and state.config["position"].position.fixed_position):
        return "not fixed"
    shown = wanted.position is None or wanted.position.altitude_m is not None
    return _place(at.latitude_i, at.longitude_i, at.altitude if shown and at.HasField("altitude") else None)


def _wanted_position(wanted: WantedSettings) -> str | None:
    position = wanted.position
    return None if position is None else _place(*_units(position), position.altitude_m)


def _write_position(state: RadioState, wanted: WantedSettings) -> None:
    position = wanted.position
    if position is None:
        return
    latitude, longitude = _units(position)
    state.node.position.CopyFrom(mesh_pb2.Position(latitude_i=latitude, longitude_i=longitude))
    if position.altitude_m is not None:
        state.node.position.altitude = position.altitude_m


def _units(position: config.Position) -> tuple[int, int]:
    return round(position.latitude * _DEGREE), round(position.longitude * _DEGREE)


def _place(latitude_i: int, longitude_i: int, altitude_m: int | None) -> str:
    height = "" if altitude_m is None else f", {altitude_m} m"
    return f"fixed at {latitude_i / _DEGREE:.7f}, {longitude_i / _DEGREE:.7f}{height}"


def _named(enum: EnumDescriptor, value: int) -> str:
    found = enum.values_by_number.get(value)
    return f"number {value}" if found is None else str(found.name)


def _on(value: bool) -> str:  # noqa: FBT001  it is the value
    return "on" if value else "off"


_SETTINGS = (
    _Setting("firmware", "firmware", _firmware, lambda w: w.firmware, _refuse_firmware),
    _Setting(
        "region",
        "lora",
        lambda s, _: _named(_Lora.RegionCode.DESCRIPTOR, s.lora.region),
        lambda w: w.region,
        _write_region,
    ),
    _Setting("preset", "lora", _preset, lambda w: w.preset, _write_preset),
    _Setting("hop limit", "lora", lambda s, _: str(s.lora.hop_limit), lambda w: str(w.hop_limit), _write_hop_limit),
    _Setting("transmitter", "lora", lambda s, _: _on(s.lora.tx_enabled), lambda _: "on", _transmits),
    _Setting(
        "duty cycle",
        "lora",
        lambda s, _: "ignored" if s.lora.override_duty_cycle else "kept",
        lambda _: "kept",
        _keeps_duty_cycle,
    ),
    _Setting(
        "role",
        "device",
        lambda s, _: _named(config_pb2.Config.DeviceConfig.Role.DESCRIPTOR, s.config["device"].device.role),
        lambda w: w.role,
        _write_role,
    ),
    _Setting("long name", "owner", lambda s, _: s.user.long_name, lambda w: w.long_name, _write_long_name),
    _Setting("short name", "owner", lambda s, _: s.user.short_name, lambda w: w.short_name, _write_short_name),
    _Setting("private channel", "channel", _channel, lambda _: "secondary", _write_channel),
    _Setting("channel key", "channel", _channel_key, _wanted_channel_key, _write_channel),
    _Setting("position", "fixed_position", _position, _wanted_position, _write_position),
    _Setting("MQTT", "mqtt", lambda s, _: _on(s.modules["mqtt"].mqtt.enabled), lambda _: "off", _mqtt_off),
    _Setting(
        "Bluetooth",
        "bluetooth",
        lambda s, _: _on(s.config["bluetooth"].bluetooth.enabled),
        lambda _: "off",
        _bluetooth_off,
    ),
)


def settings_of(state: RadioState, wanted: WantedSettings) -> list[tuple[str, str]]:
    """Return every setting we can write, by name, as it is on the radio; also those that the config leaves alone."""
    return [(setting.name, setting.now(state, wanted)) for setting in _SETTINGS if setting.part in TRANSACTION]


def wishes(wanted: WantedSettings) -> list[tuple[str, str]]:
    """Return what the config asks of a radio, by name; a key as its fingerprint."""
    return [(setting.name, goal) for setting in _SETTINGS if (goal := setting.wanted(wanted)) is not None]


def differences(state: RadioState, wanted: WantedSettings) -> list[Difference]:
    """Return what is not as wanted. A part that the radio did not tell is not compared."""
    found = []
    for setting in _SETTINGS:
        now, goal = setting.now(state, wanted), setting.wanted(wanted)
        if goal is not None and now != goal and state.tells(setting.part):
            found.append(Difference(setting.name, setting.part, now, goal))
    return found


def untold_parts(state: RadioState) -> list[str]:
    """Return the parts that the handshake did not hold; nobody may write these."""
    return [part for part in TRANSACTION if not state.tells(part)]


def admin_messages(state: RadioState, wanted: WantedSettings) -> list[admin_pb2.AdminMessage]:
    """Return one transaction that mends every difference, or nothing when there is none.

    Raises RadioSettingsError when a person has to choose first.
    """
    found = {difference.setting: difference.part for difference in differences(state, wanted)}
    if not found:
        return []
    aim = deepcopy(state)
    for setting in _SETTINGS:
        if setting.name in found:
            setting.write(aim, wanted)
    parts = [part for part in TRANSACTION if part in found.values()]
    return [
        admin_pb2.AdminMessage(begin_edit_settings=True),
        *(_message(part, aim, wanted) for part in parts),
        admin_pb2.AdminMessage(commit_edit_settings=True),
    ]


def _message(part: str, aim: RadioState, wanted: WantedSettings) -> admin_pb2.AdminMessage:
    if part == "channel":
        return admin_pb2.AdminMessage(set_channel=aim.private_channel(wanted.channel))
    if part == "owner":
        return admin_pb2.AdminMessage(set_owner=aim.user)
    if part == "fixed_position":
        return admin_pb2.AdminMessage(set_fixed_position=aim.node.position)
    if part in _MODULES:
        return admin_pb2.AdminMessage(set_module_config=aim.modules[part])
    return admin_pb2.AdminMessage(set_config=aim.config[part])
