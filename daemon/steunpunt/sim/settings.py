"""What a virtual radio is set to, and the messages a client gets when it connects."""

import hashlib
from copy import deepcopy
from functools import reduce
from operator import xor

from steunpunt.sim.spec import CHANNELS_MAX, RadioSpec
from steunpunt.wire import channel_pb2, config_pb2, mesh_pb2, module_config_pb2, node_name, telemetry_pb2

HOP_LIMIT_MAX = 7
NODES_MAX = 200
"""Nodes remembered; the one heard longest ago makes room."""

_CONFIG_ONLY, _NODES_ONLY = 69420, 69421
_DEFAULT_KEY = bytes.fromhex("d4f1bb3a20290759f0bcffabcf4e6901")
_PRESET_NAMES = {
    "LONG_FAST": "LongFast",
    "LONG_MODERATE": "LongMod",
    "LONG_SLOW": "LongSlow",
    "LONG_TURBO": "LongTurbo",
    "MEDIUM_FAST": "MediumFast",
    "MEDIUM_SLOW": "MediumSlow",
    "SHORT_FAST": "ShortFast",
    "SHORT_SLOW": "ShortSlow",
    "SHORT_TURBO": "ShortTurbo",
}
_EU_868_POWER_DBM = 27
_MIN_APP_VERSION = 30_200

SavedSettings = tuple[
    list[channel_pb2.Channel],
    dict[str, config_pb2.Config],
    dict[str, module_config_pb2.ModuleConfig],
    mesh_pb2.User,
    mesh_pb2.Position | None,
]
CONFIG_SECTIONS = tuple(field.name for field in config_pb2.Config.DESCRIPTOR.fields)
MODULE_SECTIONS = tuple(field.name for field in module_config_pb2.ModuleConfig.DESCRIPTOR.fields)
_NAMED_MODULES = 13
"""The firmware fills in the first 13 modules and sends the others without content."""


def public_key(num: int) -> bytes:
    """Stand in for a node's X25519 key; nothing here is encrypted."""
    return hashlib.sha256(b"virtual radio %d" % num).digest()


class Settings:
    """Channels, config, owner and node list of one radio; survives a reboot."""

    def __init__(self, spec: RadioSpec, preset: str) -> None:
        self.num = spec.node_num
        self.firmware = spec.firmware
        self.ignores = spec.ignores
        self.reboots = 0
        self._make(spec, preset)

    def _make(self, spec: RadioSpec, preset: str) -> None:
        self.canned_messages = self.ringtone = ""
        self.position = _position(spec)
        self.channels = [channel_pb2.Channel(index=index) for index in range(CHANNELS_MAX)]
        for index, (name, psk) in enumerate(spec.channels):
            channel = self.channels[index]
            channel.role = channel_pb2.Channel.Role.SECONDARY if index else channel_pb2.Channel.Role.PRIMARY
            channel.settings.name = name
            channel.settings.psk = psk
        self.config = {name: config_pb2.Config() for name in CONFIG_SECTIONS}
        self.modules = {name: module_config_pb2.ModuleConfig() for name in MODULE_SECTIONS}
        self.nodes: dict[int, mesh_pb2.NodeInfo] = {}
        self._fill_in(spec, preset)

    def _fill_in(self, spec: RadioSpec, preset: str) -> None:
        for name, section in self.config.items():
            getattr(section, name).SetInParent()
        for name in MODULE_SECTIONS[:_NAMED_MODULES]:
            getattr(self.modules[name], name).SetInParent()
        lora = self.config["lora"].lora
        lora.use_preset = True
        lora.modem_preset = config_pb2.Config.LoRaConfig.ModemPreset.Value(preset)
        lora.region = config_pb2.Config.LoRaConfig.RegionCode.EU_868
        lora.hop_limit = 3
        lora.tx_enabled = True
        lora.tx_power = _EU_868_POWER_DBM
        device = self.config["device"].device
        device.node_info_broadcast_secs = round(spec.nodeinfo_interval_s)
        self.config["position"].position.position_broadcast_secs = round(spec.position_interval_s)
        self.config["security"].security.public_key = public_key(self.num)
        self.modules["telemetry"].telemetry.device_update_interval = round(spec.telemetry_interval_s)
        me = mesh_pb2.NodeInfo(num=self.num, is_favorite=True)
        me.user.CopyFrom(user(spec))
        if self.position is not None:
            me.position.CopyFrom(self.position)
        self.nodes[self.num] = me

    def factory_reset(self) -> None:
        """Become as it left the factory: one open channel, no region, a name from its number, knowing nobody."""
        tail = f"{self.num & 0xFFFF:04x}"
        self._make(RadioSpec(tail, node_num=self.num, long_name=f"Meshtastic {tail}"), "LONG_FAST")
        lora = self.config["lora"].lora
        lora.region = config_pb2.Config.LoRaConfig.RegionCode.UNSET
        lora.tx_power = 0

    def saved(self) -> SavedSettings:
        """Copy what a client can set, as it lies in the radio's flash."""
        return deepcopy((self.channels, self.config, self.modules, self.owner, self.position))

    def restore(self, saved: SavedSettings) -> None:
        """Take back what was set since :meth:`saved`: it never came to the flash."""
        self.channels, self.config, self.modules, owner, self.position = saved
        me = self.nodes[self.num]
        me.user.CopyFrom(owner)
        me.ClearField("position")
        if self.position is not None:
            me.position.CopyFrom(self.position)

    @property
    def owner(self) -> mesh_pb2.User:
        """The radio's own name and key, as others see it."""
        return self.nodes[self.num].user

    @property
    def hop_limit(self) -> int:
        """Hops a packet gets when nothing else is said; 1 to 7, 3 if unset."""
        return min(self.config["lora"].lora.hop_limit or 3, HOP_LIMIT_MAX)

    @property
    def transmits(self) -> bool:
        """Whether the transmitter may be used: never before the region is set."""
        lora = self.config["lora"].lora
        return bool(lora.tx_enabled) and lora.region != config_pb2.Config.LoRaConfig.RegionCode.UNSET

    def node(self, num: int) -> mesh_pb2.NodeInfo:
        """Find or add a node; the one heard longest ago makes room for a new one."""
        if num not in self.nodes:
            if len(self.nodes) >= NODES_MAX:
                others = (n for n in self.nodes.values() if n.num != self.num)
                del self.nodes[min(others, key=lambda n: int(n.last_heard)).num]
            self.nodes[num] = mesh_pb2.NodeInfo(num=num)
        return self.nodes[num]

    def knows_key(self, num: int) -> bool:
        """Whether a NodeInfo with that node's public key was ever heard."""
        return num in self.nodes and bool(self.nodes[num].user.public_key)

    # --- channels

    def channel(self, index: int) -> channel_pb2.Channel | None:
        """Give a channel that is in use; None for a disabled one or a wrong index."""
        if not 0 <= index < CHANNELS_MAX:
            return None
        channel = self.channels[index]
        return None if channel.role == channel_pb2.Channel.Role.DISABLED else channel

    def channel_name(self, index: int) -> str:
        """Name of a channel; an unnamed one is called after the preset."""
        preset = config_pb2.Config.LoRaConfig.ModemPreset.Name(self.config["lora"].lora.modem_preset)
        return str(self.channels[index].settings.name) or _PRESET_NAMES.get(preset, "Custom")

    def channel_key(self, index: int) -> bytes:
        """The full key of a channel: one byte is an index of the well-known key."""
        psk = bytes(self.channels[index].settings.psk)
        if len(psk) != 1:
            return psk
        return _DEFAULT_KEY[:-1] + bytes([(_DEFAULT_KEY[-1] + psk[0] - 1) % 256]) if psk[0] else b""

    def channel_hash(self, index: int) -> int:
        """The byte that names a channel on the air: all bytes of name and key, XORed."""
        return reduce(xor, self.channel_name(index).encode() + self.channel_key(index), 0)

    def channel_for(self, channel_hash: int, key: bytes) -> int | None:
        """Find the channel that decrypts a packet; None if this radio has none."""
        for index in range(CHANNELS_MAX):
            if self.channel(index) is None or self.channel_hash(index) != channel_hash:
                continue
            if self.channel_key(index) == key:
                return index
        return None

    # --- what a client gets when it asks for the configuration

    def handshake(self, nonce: int) -> list[mesh_pb2.FromRadio]:
        """All messages up to config_complete_id, in the firmware's order."""
        me = self.nodes[self.num]
        others = [mesh_pb2.FromRadio(node_info=n) for n in self.nodes.values() if n.num != self.num]
        done = mesh_pb2.FromRadio(config_complete_id=nonce)
        if nonce == _NODES_ONLY:
            return [mesh_pb2.FromRadio(node_info=me), *others, done]
        messages = [
            mesh_pb2.FromRadio(my_info=self._my_info()),
            mesh_pb2.FromRadio(deviceuiConfig=self.config["device_ui"].device_ui),
            mesh_pb2.FromRadio(node_info=me),
            mesh_pb2.FromRadio(metadata=self.metadata()),
            *(mesh_pb2.FromRadio(channel=channel) for channel in self.channels),
            *(mesh_pb2.FromRadio(config=section) for section in self.config.values()),
            *(mesh_pb2.FromRadio(moduleConfig=section) for section in self.modules.values()),
        ]
        files = mesh_pb2.FileInfo(file_name="/prefs/config.proto", size_bytes=self._config_bytes())
        return [
            *messages,
            *([] if nonce == _CONFIG_ONLY else others),
            mesh_pb2.FromRadio(fileInfo=files),
            done,
        ]

    def metadata(self) -> mesh_pb2.DeviceMetadata:
        """Firmware version and what the hardware can do."""
        return mesh_pb2.DeviceMetadata(
            firmware_version=self.firmware,
            device_state_version=24,
            hw_model=mesh_pb2.HardwareModel.PORTDUINO,
            role=self.config["device"].device.role,
            hasPKC=True,
        )

    def _my_info(self) -> mesh_pb2.MyNodeInfo:
        return mesh_pb2.MyNodeInfo(
            my_node_num=self.num,
            reboot_count=self.reboots,
            min_app_version=_MIN_APP_VERSION,
            device_id=public_key(self.num)[:16],
            pio_env="native",
            nodedb_count=len(self.nodes),
        )

    def _config_bytes(self) -> int:
        return sum(section.ByteSize() for section in self.config.values())


def user(spec: RadioSpec) -> mesh_pb2.User:
    """A radio's owner as its NodeInfo tells it."""
    return mesh_pb2.User(
        id=node_name(spec.node_num),
        long_name=spec.long_name,
        short_name=spec.short_name,
        macaddr=b"\x02\x00" + spec.node_num.to_bytes(4, "big"),
        hw_model=mesh_pb2.HardwareModel.PORTDUINO,
        public_key=public_key(spec.node_num),
    )


def device_metrics(battery_percent: int, uptime_ms: float) -> telemetry_pb2.DeviceMetrics:
    """Battery and uptime, as the firmware's device telemetry tells them."""
    return telemetry_pb2.DeviceMetrics(
        battery_level=battery_percent,
        voltage=round(3.3 + 0.9 * min(battery_percent, 100) / 100, 2),
        uptime_seconds=int(uptime_ms / 1000),
    )


def _position(spec: RadioSpec) -> mesh_pb2.Position | None:
    if spec.position is None:
        return None
    latitude, longitude, altitude_m = spec.position
    return mesh_pb2.Position(
        latitude_i=round(latitude * 1e7),
        longitude_i=round(longitude * 1e7),
        altitude=altitude_m,
        location_source=mesh_pb2.Position.LocSource.LOC_MANUAL,
        precision_bits=32,
    )
