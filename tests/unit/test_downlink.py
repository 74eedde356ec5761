"""What integrators may send into the mesh: the firmware's forms and pauses, so much air, never ours or before ours."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.bridge.downlink import HOUR_MS, OURS_WAIT_S, Downlink
from steunpunt.bridge.requests import NotSent, Wanted
from steunpunt.model import RadioPrepared
from steunpunt.protocol.airtime import time_on_air_ms
from steunpunt.values import replace
from steunpunt.wire import BROADCAST, mesh_pb2, mqtt_pb2, node_name, portnums_pb2, set_sender

GATEWAY = 0xA1B2C3D4
JSON_TOPIC, ENVELOPE_TOPIC = "msh/EU_868/2/json/mqtt/", "msh/EU_868/2/e/LongFast/nodered"
RADIO = RadioPrepared(GATEWAY, ("", "serial", "fire"), "LONG_FAST", "2.7.26")
Port = portnums_pb2.PortNum


@pytest.fixture
def downlink() -> Downlink:
    return made()


def made(air_s: int = 36, preset: str = "LONG_FAST") -> Downlink:
    downlink = Downlink("msh/EU_868", "serial", 3, air_s)
    downlink.prepared(RadioPrepared(GATEWAY, RADIO.channel_names, preset, ""))
    return downlink


def text(words: object = "hallo", **fields: object) -> bytes:
    return json.dumps({"from": GATEWAY, "type": "sendtext", "payload": words} | fields).encode()


def position(**payload: object) -> bytes:
    return json.dumps({"from": GATEWAY, "type": "sendposition", "payload": payload}).encode()


def envelope(port: int = Port.TEXT_MESSAGE_APP, payload: bytes = b"hallo", **fields: Any) -> bytes:
    packet = mesh_pb2.MeshPacket(decoded=mesh_pb2.Data(payload=payload), to=BROADCAST, id=99, want_ack=True)
    packet.decoded.portnum = Port.ValueType(port)
    set_sender(packet, fields.pop("sender", GATEWAY))
    outer = {name: fields.pop(name) for name in ("channel_id", "gateway_id") if name in fields}
    for name, value in fields.items():
        setattr(packet, name, value)
    return mqtt_pb2.ServiceEnvelope(
        packet=packet, **{"channel_id": "LongFast", "gateway_id": "nodered"} | outer
    ).SerializeToString()


def read(downlink: Downlink, payload: bytes, topic: str = JSON_TOPIC) -> mesh_pb2.MeshPacket:
    wanted = downlink.read(topic, payload)
    assert wanted is not None
    return wanted.packet


def refusal(downlink: Downlink, payload: bytes, topic: str = JSON_TOPIC) -> str:
    with pytest.raises(NotSent) as caught:
        downlink.read(topic, payload)
    return caught.value.code


# --- JSON --------------------------------------------------------------------------------------------------------


def test_a_text_goes_to_everybody_on_the_primary_channel(downlink: Downlink) -> None:
    packet = read(downlink, text("héllo"))
    assert packet == mesh_pb2.MeshPacket(
        to=BROADCAST,
        channel=0,
        hop_limit=3,
        priority=mesh_pb2.MeshPacket.Priority.BACKGROUND,
        decoded=mesh_pb2.Data(portnum=Port.TEXT_MESSAGE_APP, payload="héllo".encode()),
    )


def test_the_optional_keys_are_followed(downlink: Downlink) -> None:
    packet = read(downlink, text(channel=2, to=0x11223344, hopLimit=0, sender="!00000001"))
    assert (packet.channel, packet.to, packet.hop_limit, packet.want_ack) == (2, 0x11223344, 0, False)
    assert read(downlink, text(to=4294967295.0)).to == BROADCAST


def test_a_position(downlink: Downlink) -> None:
    packet = read(downlink, position(latitude_i=508500000, longitude_i=-57000000, altitude=49, time=7, more="x"))
    assert packet.decoded.portnum == Port.POSITION_APP
    assert mesh_pb2.Position.FromString(packet.decoded.payload) == mesh_pb2.Position(
        latitude_i=508500000, longitude_i=-57000000, altitude=49, time=7
    )


def test_our_own_uplink_is_no_request(downlink: Downlink) -> None:
    assert downlink.read(JSON_TOPIC, text(sender=node_name(GATEWAY))) is None
    assert downlink.read(ENVELOPE_TOPIC, envelope(gateway_id=node_name(GATEWAY))) is None
    assert downlink.counts["echoes"] == 2


def test_what_another_radio_of_the_site_published_is_no_request(downlink: Downlink) -> None:
    siblings: set[str] = set()
    first, second = (Downlink("msh/EU_868", "serial", 3, 36, siblings) for _ in range(2))
    first.prepared(RADIO)
    second.prepared(replace(RADIO, node_num=0x55, radio="hill"))
    for payload, topic in ((text(sender="!00000055"), JSON_TOPIC), (envelope(gateway_id="!00000055"), ENVELOPE_TOPIC)):
        assert first.read(topic, payload) is None
        assert downlink.read(topic, payload) is not None, "to a radio of another site it is one"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "bad_json"),
        (b"\xff\xfe{", "bad_json"),
        (b"[1]", "bad_json"),
        (b"[" * 4000, "bad_json"),
        (b'{"a":' * 1300 + b"1", "bad_json"),
        (b'{"from": NaN}', "bad_json"),
        (b'{"from": ' + b"9" * 4000 + b"}", "bad_from"),
        (b"{}", "bad_from"),
        (text(**{"from": str(GATEWAY)}), "bad_from"),
        (text(**{"from": True}), "bad_from"),
        (text(**{"from": GATEWAY + 1}), "wrong_from"),
        (text(type="sendposition"), "bad_payload"),
        (text(type="reboot"), "unknown_type"),
        (text(type=["sendtext"]), "unknown_type"),
        (text({"text": "x"}), "bad_payload"),
        (text(None), "bad_payload"),
        (text(""), "bad_payload"),
        (text("\ud800"), "bad_payload"),
        (text(channel=3), "unknown_channel"),
        (text(channel=-1), "bad_channel"),
        (text(channel=1), "own_channel"),
        (text(channel="0"), "bad_channel"),
        (text(to=2**32), "bad_to"),
        (text(to=1.5), "bad_to"),
        (text(to="^all"), "bad_to"),
        (text(hopLimit=8), "bad_hop_limit"),
        (text(hopLimit=None), "bad_hop_limit"),
        (position(), "bad_latitude_i"),
        (position(latitude_i=1), "bad_longitude_i"),
        (position(latitude_i=900000001, longitude_i=1), "bad_latitude_i"),
        (position(latitude_i=1, longitude_i=1, time=-1), "bad_time"),
        (position(latitude_i=1, longitude_i=1, altitude={}), "bad_altitude"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_firmware_would_have_guessed_at_is_refused(downlink: Downlink, payload: bytes, code: str) -> None:
    assert refusal(downlink, payload) == code


def test_a_refusal_repeats_nothing_of_the_message(downlink: Downlink) -> None:
    for payload in (text("geheim", to="geheim"), text("geheim" * 60), text(type="geheim")):
        with pytest.raises(NotSent) as caught:
            admitted(downlink, payload)
        assert "geheim" not in str(caught.value)


# --- envelopes ---------------------------------------------------------------------------------------------------


def test_an_envelope_becomes_a_packet_of_this_radio(downlink: Downlink) -> None:
    packet = read(downlink, envelope(channel_id="fire", hop_limit=2), ENVELOPE_TOPIC)
    assert (packet.channel, packet.hop_limit, packet.id, packet.want_ack) == (2, 2, 0, False)
    assert packet.decoded == mesh_pb2.Data(portnum=Port.TEXT_MESSAGE_APP, payload=b"hallo")
    assert read(downlink, envelope(sender=0), ENVELOPE_TOPIC).hop_limit == 3
    direct = read(downlink, envelope(channel_id="PKI", to=5), ENVELOPE_TOPIC)
    assert (direct.channel, direct.to) == (0, 5)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\xff\xff", "bad_envelope"),
        (b"", "bad_envelope"),
        (mqtt_pb2.ServiceEnvelope(channel_id="LongFast", gateway_id="x").SerializeToString(), "bad_envelope"),
        (envelope(channel_id=""), "bad_envelope"),
        (envelope(gateway_id=""), "bad_envelope"),
        (envelope(encrypted=b"zzz"), "encrypted"),
        (envelope(sender=GATEWAY + 1), "wrong_from"),
        (envelope(Port.PRIVATE_APP), "port_not_allowed"),
        (envelope(Port.ADMIN_APP), "port_not_allowed"),
        (envelope(Port.ROUTING_APP), "port_not_allowed"),
        (envelope(Port.REMOTE_HARDWARE_APP), "port_not_allowed"),
        (envelope(3000), "port_not_allowed"),
        (envelope(hop_limit=8), "bad_hop_limit"),
        (envelope(hop_start=8), "bad_hop_limit"),
        (envelope(channel_id="serial"), "own_channel"),
        (envelope(channel_id="PKI"), "unknown_channel"),
        (envelope(channel_id="other"), "unknown_channel"),
        (envelope(payload=b""), "bad_payload"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_envelope_that_is_not_for_this_radio_is_refused(downlink: Downlink, payload: bytes, code: str) -> None:
    assert refusal(downlink, payload, ENVELOPE_TOPIC) == code


def test_without_a_radio_nothing_is_sent() -> None:
    assert refusal(Downlink("msh/EU_868", "serial", 3, 36), text()) == "no_radio"


# --- pauses and air ----------------------------------------------------------------------------------------------


def admitted(
    downlink: Downlink, payload: bytes, now_ms: int = 0, *, ours_waits: bool = False, room_ms: float = HOUR_MS
) -> float:
    wanted = downlink.read(JSON_TOPIC, payload)
    assert wanted is not None
    has_room = lambda air_ms: air_ms <= room_ms  # noqa: E731
    return downlink.charge(wanted, now_ms, ours_waits=ours_waits, site_has_room=has_room).air_ms


def test_pauses_are_kept_per_kind(downlink: Downlink) -> None:
    admitted(downlink, text(), 1_000)
    admitted(downlink, position(latitude_i=1, longitude_i=1), 1_000)
    for payload, at_ms, wait_s in ((text(), 2_500, 1), (position(latitude_i=1, longitude_i=1), 10_999, 1)):
        with pytest.raises(NotSent) as caught:
            admitted(downlink, payload, at_ms)
        assert (caught.value.code, caught.value.retry_after_s) == ("too_fast", wait_s)
    admitted(downlink, text(), 3_000)
    admitted(downlink, position(latitude_i=1, longitude_i=1), 11_000)


def test_nothing_goes_before_the_sites_own_messages(downlink: Downlink) -> None:
    with pytest.raises(NotSent) as caught:
        admitted(downlink, text(), ours_waits=True)
    assert (caught.value.code, caught.value.retry_after_s) == ("help_first", OURS_WAIT_S)
    assert downlink.used_ms(0) == 0
    admitted(downlink, text())


def test_nothing_goes_when_the_site_itself_was_on_the_air_much(downlink: Downlink) -> None:
    needs_ms = time_on_air_ms("LONG_FAST", 16 + 4 + 5 + 2)
    with pytest.raises(NotSent) as caught:
        admitted(downlink, text(), room_ms=needs_ms - 1)
    assert (caught.value.code, caught.value.retry_after_s) == ("site_airtime_spent", OURS_WAIT_S)
    assert downlink.used_ms(0) == 0
    assert admitted(downlink, text(), room_ms=needs_ms) == needs_ms, "nor does what was refused begin a pause"


def test_the_air_of_a_text_is_that_of_its_whole_packet(downlink: Downlink) -> None:
    # 16 of the header, 2 + 2 of port and length, 5 of text, 2 of the firmware's bitfield; 12 more under public keys.
    assert admitted(downlink, text()) == time_on_air_ms("LONG_FAST", 16 + 4 + 5 + 2)
    assert admitted(downlink, text(to=5), 2_000) == time_on_air_ms("LONG_FAST", 16 + 4 + 5 + 2 + 12)


@pytest.mark.parametrize(("fields", "bytes_max"), [({}, 232), ({"to": 5}, 220), ({"to": 5, "channel": 2}, 232)])
def test_the_longest_text_is_the_firmwares(downlink: Downlink, fields: dict[str, object], bytes_max: int) -> None:
    with pytest.raises(NotSent, match=f"at most {bytes_max} fit") as caught:
        admitted(downlink, text("x" * (bytes_max + 1), **fields))
    assert caught.value.code == "too_long"
    admitted(downlink, text("x" * bytes_max, **fields))


def test_an_hours_air_is_a_rolling_one() -> None:
    downlink = made(air_s=1)
    one_ms = admitted(downlink, text(), 5_000)
    admitted(downlink, text(), 10_000)
    assert 2 * one_ms < 1_000 < 3 * one_ms
    with pytest.raises(NotSent) as caught:
        admitted(downlink, text(), 20_000)
    assert (caught.value.code, caught.value.retry_after_s) == ("airtime_spent", (5_000 + HOUR_MS - 20_000) // 1000)
    assert downlink.used_ms(20_000) == 2 * one_ms
    admitted(downlink, text(), 5_000 + HOUR_MS)
    assert downlink.used_ms(10_000 + 2 * HOUR_MS) == 0


def test_what_the_radio_refused_is_given_back(downlink: Downlink) -> None:
    wanted = downlink.read(JSON_TOPIC, text())
    assert isinstance(wanted, Wanted)
    charge = downlink.charge(wanted, 0, ours_waits=False, site_has_room=lambda _: True)
    downlink.give_back(charge)
    downlink.give_back(charge)
    assert downlink.used_ms(0) == 0


def test_a_packet_that_no_hour_could_hold_says_so() -> None:
    downlink = made(air_s=1, preset="LONG_SLOW")
    with pytest.raises(NotSent) as caught:
        admitted(downlink, text("x" * 50))
    assert (caught.value.code, caught.value.retry_after_s) == ("airtime_spent", 3600)


def test_without_a_preset_the_air_cannot_be_limited() -> None:
    with pytest.raises(NotSent) as caught:
        admitted(made(preset=""), text())
    assert caught.value.code == "airtime_unknown"


# --- anything at all ---------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["from", "type", "payload", "channel", "to", "hopLimit", "sender", "x"])
TOPICS = st.sampled_from([JSON_TOPIC, ENVELOPE_TOPIC, "msh/EU_868/2/json/mqtt", "msh/EU_868/2/e/+/#", ""])


def judge(payload: bytes, topic: str) -> None:
    """Whatever comes in: a packet that fits the air and is not ours, or a refusal with a code and a reason."""
    downlink = made()
    try:
        wanted = downlink.read(topic, payload)
        if wanted is not None:
            downlink.charge(wanted, 0, ours_waits=False, site_has_room=lambda _: True)
    except NotSent:
        return
    if wanted is not None:
        assert wanted.packet.decoded.portnum not in (Port.PRIVATE_APP, Port.ADMIN_APP)
        assert wanted.packet.channel != 1
        assert wanted.packet.hop_limit <= 7


@given(st.binary(max_size=600), TOPICS)
def test_no_bytes_raise(payload: bytes, topic: str) -> None:
    judge(payload, topic)


@given(st.dictionaries(KEYS, VALUES), st.booleans())
def test_no_json_raises(body: dict[str, Any], ours: bool) -> None:  # noqa: FBT001  Hypothesis gives it by position
    judge(json.dumps(body | ({"from": GATEWAY, "type": "sendtext"} if ours else {})).encode(), JSON_TOPIC)


@given(st.dictionaries(st.sampled_from(["latitude_i", "longitude_i", "altitude", "time"]), VALUES))
def test_no_position_raises(body: dict[str, Any]) -> None:
    judge(json.dumps({"from": GATEWAY, "type": "sendposition", "payload": body}).encode(), JSON_TOPIC)


@given(
    st.integers(0, 511), st.binary(max_size=260), st.integers(0, 2**32 - 1), st.sampled_from(["LongFast", "PKI", "x"])
)
def test_no_envelope_raises(port: int, payload: bytes, to: int, channel: str) -> None:
    judge(envelope(port, payload, to=to, channel_id=channel), ENVELOPE_TOPIC)
