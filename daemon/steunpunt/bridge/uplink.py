"""Uplink: the radio's packets as the firmware's own MQTT published them, for Home Assistant and the like.

Firmware up to 2.7 published each packet twice: as a protobuf envelope on ``<root>/2/e/<channel>/!<gateway>``
and as JSON on ``<root>/2/json/<channel>/!<gateway>``; 2.8 dropped the JSON. The fields, their names and their
conditions follow the firmware's serializer. Packets on our own port (PRIVATE_APP) never appear.
"""

import json
import math
import re
from collections import Counter, OrderedDict
from collections.abc import Callable

from google.protobuf.message import DecodeError, Message

from steunpunt.bridge.channels import PKI, channel_title
from steunpunt.bridge.letters import whole_letters
from steunpunt.model import RadioPrepared
from steunpunt.wire import (
    BROADCAST,
    mesh_pb2,
    mqtt_pb2,
    node_name,
    paxcount_pb2,
    portnums_pb2,
    remote_hardware_pb2,
    telemetry_pb2,
)

Json = dict[str, object]
PACKET_BYTES_MAX = 512
"""Longest packet looked at: the client protocol's frame holds no longer one."""
NAMES_MAX = 512
"""Long names remembered for routes, the least recently heard forgotten first."""
RADIOS_MAX = 16
"""Radios of the site remembered, by number: as many as it may have, and as many that were exchanged."""
UNKNOWN_CHANNEL = "Unknown"
"""Channel in the topic of a packet that this radio has no key for."""

_Port = portnums_pb2.PortNum
_Hardware = remote_hardware_pb2.HardwareMessage.Type
_TOPIC_TRAPS = str.maketrans(dict.fromkeys("+#/\0", "_"))

_ENVIRONMENT = (
    "temperature", "relative_humidity", "barometric_pressure", "gas_resistance", "voltage", "current", "lux",
    "white_lux", "iaq", "distance", "wind_speed", "wind_direction", "wind_gust", "wind_lull", "radiation", "ir_lux",
    "uv_lux", "weight", "rainfall_1h", "rainfall_24h", "soil_moisture", "soil_temperature",
)  # fmt: skip
_AIR_QUALITY = {
    "pm10_standard": "pm10",
    "pm25_standard": "pm25",
    "pm100_standard": "pm100",
    "pm10_environmental": "pm10_e",
    "pm25_environmental": "pm25_e",
    "pm100_environmental": "pm100_e",
} | {
    name: name
    for name in ("co2", "co2_temperature", "co2_humidity", "form_formaldehyde", "form_temperature", "form_humidity")
}
_POWER = {f"ch{n}_{kind}": f"{kind}_ch{n}" for n in (1, 2, 3) for kind in ("voltage", "current")}
_POSITION_IF_SET = (
    "time", "timestamp", "altitude", "ground_speed", "ground_track", "sats_in_view", "PDOP", "HDOP", "VDOP",
    "precision_bits",
)  # fmt: skip


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z]+', re.DOTALL)
_WORDS = frozenset({"true", "false", "null"})
_DIGITS_MAX = 15
"""Digits of a number that the firmware wrote."""


class Translator:
    """Turns packets that the radio handed over into MQTT messages.

    Never raises on what a packet contains: what cannot be read is counted in ``counts`` and dropped.
    """

    def __init__(self, mesh_root: str) -> None:
        """``mesh_root`` is the topic's beginning, such as ``msh/EU_868``."""
        self._root = mesh_root
        self._radios: dict[int, RadioPrepared] = {}
        self._names: OrderedDict[int, str] = OrderedDict()
        self.counts: Counter[str] = Counter()
        self._readers: dict[int, tuple[str, Callable[[mesh_pb2.MeshPacket], Json]]] = {
            _Port.TEXT_MESSAGE_APP: ("text", self._text),
            _Port.POSITION_APP: ("position", self._position),
            _Port.NODEINFO_APP: ("nodeinfo", self._nodeinfo),
            _Port.TELEMETRY_APP: ("telemetry", self._telemetry),
            _Port.NEIGHBORINFO_APP: ("neighborinfo", self._neighborinfo),
            _Port.TRACEROUTE_APP: ("traceroute", self._traceroute),
            _Port.WAYPOINT_APP: ("waypoint", self._waypoint),
            _Port.DETECTION_SENSOR_APP: ("detection", self._detection),
            _Port.PAXCOUNTER_APP: ("paxcounter", self._paxcounter),
            _Port.REMOTE_HARDWARE_APP: ("", self._remote_hardware),
        }

    def prepared(self, radio: RadioPrepared) -> None:
        """Learn the radio's channels, for a packet carries only the index, and the names of nodes it knows."""
        self._radios.pop(radio.node_num, None)
        self._radios[radio.node_num] = radio
        if len(self._radios) > RADIOS_MAX:  # a radio that was exchanged has another number
            del self._radios[next(iter(self._radios))]
        for num, name in radio.long_names:
            self._remember(num, name)

    def translate(self, packet: bytes, gateway: int) -> list[tuple[str, bytes]]:
        """Return (topic, payload) for one serialized MeshPacket that radio ``gateway`` handed over."""
        parsed = self._parse(packet)
        if parsed is None:
            return []
        if parsed.via_mqtt:  # some gateway published it before it went on the air: the firmware, too, broke this circle
            self.counts["via_mqtt"] += 1
            return []
        decoded = parsed.WhichOneof("payload_variant") == "decoded"
        if decoded and parsed.decoded.portnum == _Port.PRIVATE_APP:
            self.counts["own_port"] += 1
            return []
        channel = self._channel_of(parsed, gateway, decoded=decoded)
        if not self._is_uplinked(parsed, channel, gateway):
            self.counts["not_uplinked"] += 1
            return []
        tail = f"{channel.translate(_TOPIC_TRAPS)}/{node_name(gateway)}"
        envelope = mqtt_pb2.ServiceEnvelope(packet=parsed, channel_id=channel, gateway_id=node_name(gateway))
        messages = [(f"{self._root}/2/e/{tail}", envelope.SerializeToString())]
        if decoded:
            messages.append((f"{self._root}/2/json/{tail}", self._json(parsed, gateway)))
        self.counts["packets_translated"] += 1
        return messages

    def _parse(self, packet: bytes) -> mesh_pb2.MeshPacket | None:
        if len(packet) > PACKET_BYTES_MAX:
            self.counts["too_long"] += 1
            return None
        try:
            parsed = mesh_pb2.MeshPacket.FromString(packet)
        except DecodeError:
            parsed = None
        if parsed is None or parsed.WhichOneof("payload_variant") is None:
            self.counts["unreadable"] += 1
            return None
        return parsed

    def _is_uplinked(self, packet: mesh_pb2.MeshPacket, channel: str, gateway: int) -> bool:
        """Say whether the radio's settings let a packet go to MQTT.

        As in the firmware where a channel of the radio has uplink_enabled: those channels, and what is for one node
        alone. Where none has, nobody chose, and the broker is the site's own: everything goes.
        """
        radio = self._radios.get(gateway)
        if radio is None or not radio.uplinks or channel == PKI:
            return True
        return channel != UNKNOWN_CHANNEL and packet.channel in radio.uplinks

    def _channel_of(self, packet: mesh_pb2.MeshPacket, gateway: int, *, decoded: bool) -> str:
        if packet.pki_encrypted or (not decoded and packet.channel == 0 and packet.to != BROADCAST):
            return PKI
        if not decoded:  # the field then holds a hash of a channel this radio does not have
            return UNKNOWN_CHANNEL
        radio = self._radios.get(gateway)
        return UNKNOWN_CHANNEL if radio is None else channel_title(radio, packet.channel)

    def _json(self, packet: mesh_pb2.MeshPacket, gateway: int) -> bytes:
        body = self._envelope(packet, gateway)
        if packet.decoded.portnum in self._readers:
            body["type"], read = self._readers[packet.decoded.portnum]
            try:
                body |= read(packet)
            except DecodeError:
                self.counts["unreadable_payload"] += 1
        return _dump(body)

    @staticmethod
    def _envelope(packet: mesh_pb2.MeshPacket, gateway: int) -> Json:
        body: Json = {
            "id": packet.id,
            "timestamp": packet.rx_time,
            "to": packet.to,
            "from": getattr(packet, "from"),
            "channel": packet.channel,
            "type": "",
            "sender": node_name(gateway),
        }
        if packet.rx_rssi:
            body["rssi"] = packet.rx_rssi
        if packet.rx_snr:
            body["snr"] = _finite(packet.rx_snr)
        # Without a bitfield a hop_start of 0 may also be that of firmware before 2.3, which had none.
        counted = packet.hop_start or packet.decoded.HasField("bitfield")
        if counted and packet.hop_limit <= packet.hop_start:
            body["hops_away"] = packet.hop_start - packet.hop_limit
            body["hop_start"] = packet.hop_start
        return body

    # --- one reader per port; each returns what it adds to the JSON object

    def _text(self, packet: mesh_pb2.MeshPacket) -> Json:
        """A text that is itself JSON is inserted parsed: so did the firmware, and automations use it."""
        text = _c_string(packet.decoded.payload)
        try:
            parsed = _DECODER.decode(_TOKEN.sub(_strict, text))
            _dump({"payload": parsed})
        except (ValueError, RecursionError):
            return {"payload": {"text": text}}
        return {"payload": parsed}

    def _detection(self, packet: mesh_pb2.MeshPacket) -> Json:
        return {"payload": {"text": _c_string(packet.decoded.payload)}}

    def _position(self, packet: mesh_pb2.MeshPacket) -> Json:
        position = mesh_pb2.Position.FromString(packet.decoded.payload)
        body: Json = {"latitude_i": position.latitude_i, "longitude_i": position.longitude_i}
        body |= {name: value for name in _POSITION_IF_SET if (value := getattr(position, name))}
        return {"payload": body}

    def _nodeinfo(self, packet: mesh_pb2.MeshPacket) -> Json:
        user = whole_letters(mesh_pb2.User, packet.decoded.payload)
        self._remember(getattr(packet, "from"), user.long_name)
        return {
            "payload": {
                "id": user.id,
                "longname": user.long_name,
                "shortname": user.short_name,
                "hardware": user.hw_model,
                "role": user.role,
            }
        }

    def _remember(self, num: int, long_name: str) -> None:
        self._names[num] = long_name
        self._names.move_to_end(num)
        if len(self._names) > NAMES_MAX:
            self._names.popitem(last=False)

    def _telemetry(self, packet: mesh_pb2.MeshPacket) -> Json:
        telemetry = telemetry_pb2.Telemetry.FromString(packet.decoded.payload)
        kind = telemetry.WhichOneof("variant")
        if kind == "device_metrics":
            return {"payload": _device_metrics(telemetry.device_metrics)}
        if kind == "environment_metrics":
            names = {name: name for name in _ENVIRONMENT}
            return {"payload": _present(telemetry.environment_metrics, names)}
        if kind == "air_quality_metrics":
            return {"payload": _present(telemetry.air_quality_metrics, _AIR_QUALITY)}
        if kind == "power_metrics":
            return {"payload": _present(telemetry.power_metrics, _POWER)}
        return {"payload": {}}

    def _neighborinfo(self, packet: mesh_pb2.MeshPacket) -> Json:
        info = mesh_pb2.NeighborInfo.FromString(packet.decoded.payload)
        neighbors = [{"node_id": one.node_id, "snr": _whole(one.snr)} for one in info.neighbors]
        return {
            "payload": {
                "node_id": info.node_id,
                "node_broadcast_interval_secs": info.node_broadcast_interval_secs,
                "last_sent_by_id": info.last_sent_by_id,
                "neighbors_count": len(neighbors),
                "neighbors": neighbors,
            }
        }

    def _traceroute(self, packet: mesh_pb2.MeshPacket) -> Json:
        """Only the answer is told; its receiver asked, so the route runs from ``to`` to ``from``."""
        if not packet.decoded.request_id:
            return {"type": ""}
        route = mesh_pb2.RouteDiscovery.FromString(packet.decoded.payload)
        asker, answerer = packet.to, getattr(packet, "from")
        return {
            "payload": {
                "route": self._long_names([asker, *route.route, answerer]),
                "route_back": self._long_names([answerer, *route.route_back, asker]),
                "snr_towards": [_finite(snr / 4) for snr in route.snr_towards],
                "snr_back": [_finite(snr / 4) for snr in route.snr_back],
            }
        }

    def _paxcounter(self, packet: mesh_pb2.MeshPacket) -> Json:
        count = paxcount_pb2.Paxcount.FromString(packet.decoded.payload)
        return {"payload": {"wifi_count": count.wifi, "ble_count": count.ble, "uptime": count.uptime}}

    def _remote_hardware(self, packet: mesh_pb2.MeshPacket) -> Json:
        """Only what pins say is told, not what they are asked or told to do."""
        message = remote_hardware_pb2.HardwareMessage.FromString(packet.decoded.payload)
        if message.type == _Hardware.GPIOS_CHANGED:
            return {"type": "gpios_changed", "payload": {"gpio_value": message.gpio_value}}
        if message.type == _Hardware.READ_GPIOS_REPLY:
            told = {"gpio_value": message.gpio_value, "gpio_mask": message.gpio_mask}
            return {"type": "gpios_read_reply", "payload": told}
        return {}

    def _long_names(self, nums: list[int]) -> list[str]:
        return [self._names.get(num, "Unknown") for num in nums]

    def _waypoint(self, packet: mesh_pb2.MeshPacket) -> Json:
        waypoint = whole_letters(mesh_pb2.Waypoint, packet.decoded.payload)
        names = ("id", "name", "description", "expire", "locked_to", "latitude_i", "longitude_i")
        return {"payload": {name: getattr(waypoint, name) for name in names}}


def _device_metrics(metrics: telemetry_pb2.DeviceMetrics) -> Json:
    """Return all but the battery level always, as 0 when the radio did not say."""
    always = ("voltage", "channel_utilization", "air_util_tx", "uptime_seconds")
    level = _present(metrics, {"battery_level": "battery_level"})
    return level | {name: _finite(getattr(metrics, name)) for name in always}


def _present(message: Message, names: dict[str, str]) -> Json:
    """Return the fields that were set, under the firmware's names: a sensor that says 0 says something."""
    return {told: _finite(getattr(message, name)) for name, told in names.items() if message.HasField(name)}


def _dump(body: Json) -> bytes:
    """Write JSON byte for byte as the firmware did: keys in order, no spaces, UTF-8 as it is, each slash escaped."""
    text = _ENCODER.encode(body)
    return text.replace("/", "\\/").replace("\x7f", "\\u007f").encode("utf-8", "replace")


def _c_string(payload: bytes) -> str:
    """Read a payload as the firmware's C string: up to the first NUL."""
    return payload.partition(b"\0")[0].decode("utf-8", "replace")


def _strict(token: re.Match[str]) -> str:
    """Write a token as JSON has it: the firmware's parser knew words in any case, and tabs in strings."""
    found = token[0]
    if found.startswith('"'):
        return found.replace("\t", "\\t")
    return found.lower() if found.lower() in _WORDS else found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _float(digits: str) -> float | int | None:
    return _finite(float(digits))


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_float, parse_int=_float)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _finite(number: float) -> float | int | None:
    """Return a number as the firmware wrote it, to 15 digits; nothing for what JSON cannot hold."""
    if isinstance(number, int):
        return number
    if not math.isfinite(number):
        return None
    if number.is_integer() and abs(number) < 10**_DIGITS_MAX:
        return int(number)
    return float(f"{number:.{_DIGITS_MAX}g}")


def _whole(number: float) -> int | None:
    """Cut to a whole number as a C cast does; nothing for what is none."""
    return int(number) if math.isfinite(number) else None
