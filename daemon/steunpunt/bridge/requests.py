"""Reads what an integrator wants sent into the mesh: the firmware's JSON, or its ServiceEnvelope. Pure.

Two forms, as firmware up to 2.7 took them:

- JSON on ``<root>/2/json/mqtt/…``: ``{"from": <gateway>, "type": "sendtext", "payload": "…"}``, or ``sendposition``
  with an object; optional ``channel``, ``to``, ``hopLimit``. With the gateway as ``sender``: our own uplink, ignored.
- a protobuf envelope on ``<root>/2/e/<channel>/<any>``; a ``gateway_id`` that is the gateway: our own uplink, ignored.

Stricter than the firmware where it guessed or kept silent: what it cut, defaulted or dropped is refused with a reason.
Nothing of what is in a payload is quoted in a refusal.
"""

import json
from collections.abc import Collection

from google.protobuf.message import DecodeError
from msgspec import Struct

from steunpunt.bridge.channels import PKI, channel_title
from steunpunt.model import RadioPrepared, SteunpuntError
from steunpunt.wire import BROADCAST, HOP_LIMIT_MAX, mesh_pb2, mqtt_pb2, node_name, portnums_pb2, sender

PRIORITY_BACKGROUND = 10
"""The radio, too, sends everything of ours before this."""
_PORT = portnums_pb2.PortNum
_ALLOWED_PORTS = frozenset(
    {
        _PORT.TEXT_MESSAGE_APP,
        _PORT.POSITION_APP,
        _PORT.WAYPOINT_APP,
        _PORT.TELEMETRY_APP,
        _PORT.TRACEROUTE_APP,
        _PORT.DETECTION_SENSOR_APP,
    }
)
"""What an envelope may carry: no admin, no routing, no remote hardware, and never our own port."""
_NAMES = {
    _PORT.TEXT_MESSAGE_APP: "text",
    _PORT.POSITION_APP: "position",
    _PORT.WAYPOINT_APP: "waypoint",
    _PORT.TELEMETRY_APP: "telemetry",
    _PORT.TRACEROUTE_APP: "traceroute",
    _PORT.DETECTION_SENSOR_APP: "detection",
}
_CODES = {"hopLimit": "hop_limit"}
_INT32, _UINT32 = (-(2**31), 2**31 - 1), (0, 2**32 - 1)
_POSITION_RANGES = {
    "latitude_i": (-900_000_000, 900_000_000),
    "longitude_i": (-1_800_000_000, 1_800_000_000),
    "altitude": _INT32,
    "time": _UINT32,
}


class NotSent(SteunpuntError, ValueError):
    """What an integrator asked for is not sent: ``code`` for a program, the message for a person."""

    def __init__(self, code: str, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


class Gateway(Struct, frozen=True):
    """The radio that would send, and the site's own channel on it, which is not for integrators."""

    radio: RadioPrepared
    own_channel: str
    hop_limit: int
    siblings: Collection[str] = ()
    """Names of all the site's radios: what one of them published is no request to another."""

    @property
    def num(self) -> int:
        """Return the radio's node number."""
        return self.radio.node_num

    def published(self, sender_name: object) -> bool:
        """Return whether one of this site's radios published it."""
        return sender_name == node_name(self.num) or (isinstance(sender_name, str) and sender_name in self.siblings)


class Wanted(Struct, frozen=True):
    """One packet to send, and what it is called."""

    packet: mesh_pb2.MeshPacket
    kind: str


def read_json(payload: bytes, gateway: Gateway) -> Wanted | None:
    """Return what JSON asks for, None when it is our own uplink; raises NotSent."""
    body = json_object(payload)
    if gateway.published(body.get("sender")):
        return None
    if _number(body, "from", *_UINT32) != gateway.num:
        raise NotSent("wrong_from", f"`from` must be this gateway's number, {gateway.num}")
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in _JSON_READERS:
        raise NotSent("unknown_type", f"`type` must be one of {', '.join(_JSON_READERS)}")
    packet = mesh_pb2.MeshPacket(
        to=_optional(body, "to", BROADCAST, _UINT32),
        channel=_channel(_optional(body, "channel", 0, _UINT32), gateway),
        hop_limit=_optional(body, "hopLimit", gateway.hop_limit, (0, HOP_LIMIT_MAX)),
        decoded=_JSON_READERS[kind](body.get("payload")),
    )
    return _wanted(packet)


def read_envelope(payload: bytes, gateway: Gateway) -> Wanted | None:
    """Return what a ServiceEnvelope asks for, None when it is our own uplink; raises NotSent."""
    try:
        envelope = mqtt_pb2.ServiceEnvelope.FromString(payload)
    except DecodeError:
        raise NotSent("bad_envelope", "the payload is not a ServiceEnvelope") from None
    if gateway.published(envelope.gateway_id):
        return None
    if not (envelope.HasField("packet") and envelope.channel_id and envelope.gateway_id):
        raise NotSent("bad_envelope", "a ServiceEnvelope must have packet, channel_id and gateway_id")
    given = envelope.packet
    if given.WhichOneof("payload_variant") != "decoded":
        raise NotSent("encrypted", "only a decoded packet can be sent; this radio encrypts it")
    if sender(given) not in (0, gateway.num):
        raise NotSent("wrong_from", f"`from` must be this gateway's number, {gateway.num}: it speaks for no other node")
    if given.decoded.portnum not in _ALLOWED_PORTS:
        raise NotSent("port_not_allowed", f"port {given.decoded.portnum} is not for integrators")
    if max(given.hop_limit, given.hop_start) > HOP_LIMIT_MAX:
        raise NotSent("bad_hop_limit", f"hop_limit and hop_start are at most {HOP_LIMIT_MAX}")
    packet = mesh_pb2.MeshPacket(
        to=given.to or BROADCAST,
        channel=_channel_named(envelope.channel_id, given.to, gateway),
        hop_limit=given.hop_limit or gateway.hop_limit,
        decoded=mesh_pb2.Data(
            portnum=given.decoded.portnum,
            payload=given.decoded.payload,
            want_response=given.decoded.want_response,
            reply_id=given.decoded.reply_id,
            emoji=given.decoded.emoji,
        ),
    )
    return _wanted(packet)


def _wanted(packet: mesh_pb2.MeshPacket) -> Wanted:
    if not packet.decoded.payload:
        raise NotSent("bad_payload", "there is nothing to send: the payload is empty")
    packet.priority = mesh_pb2.MeshPacket.Priority.ValueType(PRIORITY_BACKGROUND)
    return Wanted(packet, _NAMES[packet.decoded.portnum])


def json_object(payload: bytes) -> dict[str, object]:
    """Return the JSON object that an integrator wrote; raises NotSent for anything else."""
    try:
        body: object = json.loads(payload.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotSent("bad_json", "the payload is not JSON in UTF-8") from None
    if not isinstance(body, dict):
        raise NotSent("bad_json", "the payload must be one JSON object")
    return body


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _number(body: dict[str, object], key: str, lowest: int, highest: int) -> int:
    """Return a whole number; as in the firmware, 3.0 is one and true is none."""
    value = body.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        code = f"bad_{_CODES.get(key, key)}"
        raise NotSent(code, f"`{key}` must be a whole number from {lowest} to {highest}")
    return value


def _optional(body: dict[str, object], key: str, default: int, between: tuple[int, int]) -> int:
    return _number(body, key, *between) if key in body else default


def _channel(index: int, gateway: Gateway) -> int:
    names = gateway.radio.channel_names
    if index >= len(names):
        raise NotSent("unknown_channel", f"`channel` must be below {len(names)}, the number of this radio's channels")
    if names[index] == gateway.own_channel:
        raise NotSent("own_channel", f"channel {index} is the site's own and not for integrators")
    return index


def _channel_named(channel_id: str, to: int, gateway: Gateway) -> int:
    """Return the index of a channel by the name that the uplink calls it; PKI is the primary one, to one node."""
    if channel_id == PKI and to not in (0, BROADCAST):
        return _channel(0, gateway)
    for index in range(len(gateway.radio.channel_names)):
        if channel_title(gateway.radio, index) == channel_id:
            return _channel(index, gateway)
    raise NotSent("unknown_channel", "`channel_id` must be the name of one of this radio's channels")


def _text(text: object) -> mesh_pb2.Data:
    if not isinstance(text, str):
        raise NotSent("bad_payload", "`payload` of sendtext must be a text")
    try:
        return mesh_pb2.Data(portnum=_PORT.TEXT_MESSAGE_APP, payload=text.encode("utf-8"))
    except UnicodeEncodeError:
        raise NotSent("bad_payload", "the text has half a surrogate pair, which is not UTF-8") from None


def _position(body: object) -> mesh_pb2.Data:
    """Return a position; both coordinates must be there, or it would say 0° 0°."""
    if not isinstance(body, dict):
        raise NotSent("bad_payload", "`payload` of sendposition must be an object")
    position = mesh_pb2.Position()
    for key, between in _POSITION_RANGES.items():
        if key in body or key.endswith("_i"):
            setattr(position, key, _number(body, key, *between))
    return mesh_pb2.Data(portnum=_PORT.POSITION_APP, payload=position.SerializeToString())


_JSON_READERS = {"sendtext": _text, "sendposition": _position}
