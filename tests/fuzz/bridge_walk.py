"""Bytes for the bridge: what a hostile radio has heard, and what a hostile integrator publishes.

The first byte says which door the rest knocks at, and whether it stands inside a packet or a JSON object of ours.
"""

import json
from collections.abc import Callable

from steunpunt.bridge.downlink import Downlink
from steunpunt.bridge.requests import NotSent
from steunpunt.bridge.uplink import PACKET_BYTES_MAX, Translator
from steunpunt.model import RadioPrepared
from steunpunt.protocol.airtime import DATA_BYTES_MAX
from steunpunt.wire import HOP_LIMIT_MAX, mesh_pb2, portnums_pb2

GATEWAY = 0xA1B2C3D4
RADIO = RadioPrepared(GATEWAY, ("", "serial", "fire"), "LONG_FAST", "2.7.26")
OWN_CHANNEL = 1
ROOT = "msh/EU_868"
COUNTERS_MAX = 16
MESSAGE_BYTES_MAX = 16 * PACKET_BYTES_MAX
_PORTS = tuple(portnums_pb2.PortNum.values())
_CLOSED_PORTS = (portnums_pb2.PortNum.PRIVATE_APP, portnums_pb2.PortNum.ADMIN_APP)


def run(program: bytes) -> None:
    """Let one program knock; AssertionError when a rule does not hold, and whatever the bridge itself raises."""
    if program:
        _DOORS[program[0] % len(_DOORS)](program[1:])


def _packet(raw: bytes) -> None:
    translator = Translator(ROOT)
    translator.prepared(RADIO)
    for topic, payload in translator.translate(raw, GATEWAY):
        assert topic.startswith(f"{ROOT}/2/")
        assert not set("+#\0") & set(topic)
        assert len(payload) <= MESSAGE_BYTES_MAX
        if "/json/" in topic:
            json.loads(payload, parse_constant=_no_constant)
    assert len(translator.counts) <= COUNTERS_MAX


def _payload(raw: bytes) -> None:
    """A packet that is whole, with a payload that need not be."""
    packet = mesh_pb2.MeshPacket(to=GATEWAY, id=7, channel=raw[1] if len(raw) > 1 else 0)
    packet.decoded.portnum = _PORTS[raw[0] % len(_PORTS) if raw else 0]
    packet.decoded.request_id, packet.decoded.payload = 1, raw[2:]
    _packet(packet.SerializeToString())


def _no_constant(name: str) -> object:
    raise AssertionError(f"{name} is not JSON")


def _json(raw: bytes) -> None:
    _judge(f"{ROOT}/2/json/mqtt/", raw)


def _values(raw: bytes) -> None:
    """A request that is nearly right: its values are the program's."""
    for kind in ("sendtext", "sendposition"):
        _judge(f"{ROOT}/2/json/mqtt/", b'{"from":%d,"type":"%s","payload":%s}' % (GATEWAY, kind.encode(), raw))


def _envelope(raw: bytes) -> None:
    _judge(f"{ROOT}/2/e/LongFast/x", raw)


def _judge(topic: str, raw: bytes) -> None:
    downlink = Downlink(ROOT, "serial", 3, 36)
    downlink.prepared(RADIO)
    try:
        wanted = downlink.read(topic, raw)
        if wanted is None:
            return
        charge = downlink.charge(wanted, 0, ours_waits=False, site_has_room=lambda _: True)
    except NotSent as refusal:
        _fit_for_a_log(str(refusal))
        return
    packet = wanted.packet
    assert charge.air_ms > 0
    assert packet.decoded.portnum not in _CLOSED_PORTS
    assert packet.channel != OWN_CHANNEL
    assert packet.hop_limit <= HOP_LIMIT_MAX
    assert packet.decoded.ByteSize() <= DATA_BYTES_MAX


def _fit_for_a_log(words: str) -> None:
    assert words.isprintable()


_DOORS: tuple[Callable[[bytes], None], ...] = (_packet, _payload, _json, _values, _envelope)
