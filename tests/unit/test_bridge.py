"""The bridge writes what the firmware's own MQTT wrote, field by field, and survives any packet."""

import json
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.bridge.uplink import NAMES_MAX, Translator
from steunpunt.model import RadioPrepared
from steunpunt.wire import config_pb2, mesh_pb2, mqtt_pb2, portnums_pb2, telemetry_pb2

GATEWAY, SENDER, ASKER = 0xA1B2C3D4, 0x11223344, 0x55667788
Port = portnums_pb2.PortNum


@pytest.fixture
def translator() -> Translator:
    made = Translator("msh/EU_868")
    made.prepared(RadioPrepared(GATEWAY, ("", "serial", "a+b/#"), "LONG_FAST", "2.7.26"))
    return made


def packet(port: int, payload: bytes | Message, **fields: float) -> mesh_pb2.MeshPacket:
    raw = payload if isinstance(payload, bytes) else payload.SerializeToString()
    made = mesh_pb2.MeshPacket(decoded=mesh_pb2.Data(payload=raw), id=77, to=0xFFFFFFFF)
    made.decoded.portnum = Port.ValueType(port)
    for name, value in fields.items():
        setattr(made, name, value)
    setattr(made, "from", SENDER)
    return made


def as_json(translator: Translator, made: mesh_pb2.MeshPacket) -> Any:
    messages = dict(translator.translate(made.SerializeToString(), GATEWAY))
    return json.loads(next(body for topic, body in messages.items() if "/json/" in topic))


def payload_of(translator: Translator, port: int, payload: bytes | Message) -> object:
    return as_json(translator, packet(port, payload)).get("payload")


def test_text_goes_to_both_topics_with_the_whole_envelope(translator: Translator) -> None:
    made = packet(
        Port.TEXT_MESSAGE_APP,
        "hé".encode(),
        rx_time=1700000000,
        rx_rssi=-90,
        rx_snr=6.5,
        hop_start=3,
        hop_limit=1,
    )
    messages = translator.translate(made.SerializeToString(), GATEWAY)
    assert [topic for topic, _ in messages] == [
        "msh/EU_868/2/e/LongFast/!a1b2c3d4",
        "msh/EU_868/2/json/LongFast/!a1b2c3d4",
    ]
    envelope = mqtt_pb2.ServiceEnvelope.FromString(messages[0][1])
    assert (envelope.packet, envelope.channel_id, envelope.gateway_id) == (made, "LongFast", "!a1b2c3d4")
    assert messages[1][1].decode() == (
        '{"channel":0,"from":287454020,"hop_start":3,"hops_away":2,"id":77,"payload":{"text":"hé"},"rssi":-90,'
        '"sender":"!a1b2c3d4","snr":6.5,"timestamp":1700000000,"to":4294967295,"type":"text"}'
    )


def test_signal_and_hops_are_absent_when_not_measured(translator: Translator) -> None:
    body = as_json(translator, packet(Port.TEXT_MESSAGE_APP, b"x", hop_start=2, hop_limit=3))
    assert {"rssi", "snr", "hops_away", "hop_start"} & set(body) == set()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"pump": 1}', {"pump": 1}),
        (b"42", 42),
        (b" true ", True),
        (b"[1.5]", [1.5]),
        (b"1e999", None),
        (b"007", {"text": "007"}),
        (b"NaN", {"text": "NaN"}),
        (b'"open', {"text": '"open'}),
        (b"", {"text": ""}),
        (b"stop\0here", {"text": "stop"}),
        (b"\xff", {"text": "\ufffd"}),
    ],
)
def test_text_that_parses_as_json_is_inserted_parsed(translator: Translator, text: bytes, told: object) -> None:
    assert payload_of(translator, Port.TEXT_MESSAGE_APP, text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b'{"pump": True, "alarm": Null}', {"pump": True, "alarm": None}),
        (b"[None]", {"text": "[None]"}),
        (b"[FALSE,nuLL]", [False, None]),
        (b'["tab\there"]', ["tab\there"]),
        (b'"True story"', "True story"),
        (b'["line\nbreak"]', {"text": '["line\nbreak"]'}),
        (b"[NaN]", {"text": "[NaN]"}),
        (b"True story", {"text": "True story"}),
        (b"[Truest]", {"text": "[Truest]"}),
    ],
)
def test_the_firmwares_parser_took_words_in_any_case_and_tabs(
    translator: Translator, text: bytes, told: object
) -> None:
    assert payload_of(translator, Port.TEXT_MESSAGE_APP, text) == told


def test_what_came_over_mqtt_before_goes_there_no_more(translator: Translator) -> None:
    made = packet(Port.TEXT_MESSAGE_APP, b"x", via_mqtt=True)
    assert translator.translate(made.SerializeToString(), GATEWAY) == []
    assert translator.counts["via_mqtt"] == 1


@pytest.mark.parametrize(
    ("fields", "bitfields", "told"),
    [
        ({"hop_start": 0, "hop_limit": 0}, [0], (0, 0)),
        ({"hop_start": 0, "hop_limit": 0}, [], (None, None)),
        ({"hop_start": 0, "hop_limit": 3}, [0], (None, None)),
        ({"hop_start": 3, "hop_limit": 3}, [], (0, 3)),
    ],
)
def test_no_hops_are_told_by_a_sender_known_to_count_them(
    translator: Translator, fields: dict[str, int], bitfields: list[int], told: object
) -> None:
    made = packet(Port.TEXT_MESSAGE_APP, b"x", **fields)
    for bitfield in bitfields:
        made.decoded.bitfield = bitfield
    body = as_json(translator, made)
    assert (body.get("hops_away"), body.get("hop_start")) == told


@pytest.mark.parametrize("port", [Port.NODEINFO_APP, Port.WAYPOINT_APP])
def test_a_name_cut_within_a_letter_is_told_as_far_as_it_goes(translator: Translator, port: int) -> None:
    """Firmware cut names at bytes, and its own decoder did not look whether they are UTF-8."""
    number, key = (3, "shortname") if port == Port.NODEINFO_APP else (6, "name")
    body = payload_of(translator, port, bytes([number << 3 | 2, 4]) + b"AB\xf0\x9f")
    assert isinstance(body, dict)
    assert body[key] == "AB\ufffd"


def test_position_names_only_what_is_set(translator: Translator) -> None:
    full = mesh_pb2.Position(
        latitude_i=508500000, longitude_i=57000000, altitude=49, time=5, PDOP=120, precision_bits=32
    )
    assert payload_of(translator, Port.POSITION_APP, full) == {
        "latitude_i": 508500000, "longitude_i": 57000000, "altitude": 49, "time": 5, "PDOP": 120, "precision_bits": 32,
    }  # fmt: skip
    assert payload_of(translator, Port.POSITION_APP, b"") == {"latitude_i": 0, "longitude_i": 0}


def test_nodeinfo(translator: Translator) -> None:
    user = mesh_pb2.User(id="!11223344", long_name="Kerkplein", short_name="KP")
    user.hw_model = mesh_pb2.HardwareModel.HELTEC_V3
    user.role = config_pb2.Config.DeviceConfig.Role.ROUTER
    assert payload_of(translator, Port.NODEINFO_APP, user) == {
        "id": "!11223344", "longname": "Kerkplein", "shortname": "KP", "hardware": 43, "role": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("telemetry", "told"),
    [
        (
            {"device_metrics": {"battery_level": 0, "voltage": 4.0}},
            {
                "battery_level": 0,
                "voltage": 4.0,
                "channel_utilization": 0.0,
                "air_util_tx": 0.0,
                "uptime_seconds": 0,
            },
        ),
        (
            {"device_metrics": {"uptime_seconds": 9}},
            {"voltage": 0.0, "channel_utilization": 0.0, "air_util_tx": 0.0, "uptime_seconds": 9},
        ),
        ({"environment_metrics": {"temperature": 0.0, "iaq": 3}}, {"temperature": 0.0, "iaq": 3}),
        ({"environment_metrics": {"temperature": float("nan")}}, {"temperature": None}),
        (
            {"power_metrics": {"ch1_voltage": 5.0, "ch3_current": 0.5}},
            {"voltage_ch1": 5.0, "current_ch3": 0.5},
        ),
        ({"air_quality_metrics": {"pm25_standard": 7, "pm10_environmental": 8}}, {"pm25": 7, "pm10_e": 8}),
        (
            {"air_quality_metrics": {"co2": 612, "co2_temperature": 21.5, "co2_humidity": 40.0, "form_humidity": 0.0}},
            {"co2": 612, "co2_temperature": 21.5, "co2_humidity": 40, "form_humidity": 0},
        ),
        ({"local_stats": {"num_packets_tx": 4}}, {}),
    ],
)
def test_telemetry(translator: Translator, telemetry: dict[str, Any], told: object) -> None:
    assert payload_of(translator, Port.TELEMETRY_APP, telemetry_pb2.Telemetry(**telemetry)) == told


def test_neighborinfo_and_waypoint(translator: Translator) -> None:
    info = mesh_pb2.NeighborInfo(node_id=1, last_sent_by_id=2, node_broadcast_interval_secs=3)
    info.neighbors.add(node_id=9, snr=-7.75)
    assert payload_of(translator, Port.NEIGHBORINFO_APP, info) == {
        "node_id": 1, "last_sent_by_id": 2, "node_broadcast_interval_secs": 3, "neighbors_count": 1,
        "neighbors": [{"node_id": 9, "snr": -7}],
    }  # fmt: skip
    told = payload_of(translator, Port.WAYPOINT_APP, mesh_pb2.Waypoint(id=4, name="put", latitude_i=1))
    assert told == {
        "id": 4, "name": "put", "description": "", "expire": 0, "locked_to": 0, "latitude_i": 1, "longitude_i": 0,
    }  # fmt: skip


def test_traceroute_tells_only_the_answer_by_long_names(translator: Translator) -> None:
    user = mesh_pb2.User(long_name="Kerkplein")
    translator.translate(packet(Port.NODEINFO_APP, user).SerializeToString(), GATEWAY)
    route = mesh_pb2.RouteDiscovery(route=[5], snr_towards=[-26, 10], snr_back=[3])
    asked = packet(Port.TRACEROUTE_APP, route)
    assert as_json(translator, asked)["type"] == ""
    answer = packet(Port.TRACEROUTE_APP, route)
    answer.decoded.request_id, answer.to = 6, ASKER
    body = as_json(translator, answer)
    assert body["type"] == "traceroute"
    assert body["payload"] == {
        "route": ["Unknown", "Unknown", "Kerkplein"], "route_back": ["Kerkplein", "Unknown"],
        "snr_towards": [-6.5, 2.5], "snr_back": [0.75],
    }  # fmt: skip


def test_an_unknown_port_has_an_empty_type_and_no_payload(translator: Translator) -> None:
    body = as_json(translator, packet(Port.ROUTING_APP, b"\x18\x00"))
    assert (body["type"], "payload" in body) == ("", False)


def test_our_own_port_never_appears(translator: Translator) -> None:
    assert translator.translate(packet(Port.PRIVATE_APP, b"help").SerializeToString(), GATEWAY) == []
    assert translator.counts["own_port"] == 1


def test_an_undecoded_packet_goes_only_to_the_envelope_topic(translator: Translator) -> None:
    secret = mesh_pb2.MeshPacket(encrypted=b"zzz", channel=0, to=GATEWAY)
    assert [topic for topic, _ in translator.translate(secret.SerializeToString(), GATEWAY)] == [
        "msh/EU_868/2/e/PKI/!a1b2c3d4"
    ]
    secret.channel, secret.to = 99, 0xFFFFFFFF
    assert [topic for topic, _ in translator.translate(secret.SerializeToString(), GATEWAY)] == [
        "msh/EU_868/2/e/Unknown/!a1b2c3d4"
    ]


@pytest.mark.parametrize(
    ("preset", "index", "name"),
    [
        ("LONG_MODERATE", 0, "LongMod"), ("", 0, "Custom"), ("SHORT_FAST", 1, "serial"), ("SHORT_FAST", 2, "a_b__"),
        ("SHORT_FAST", 7, "ShortFast"),
    ],
)  # fmt: skip
def test_the_topic_names_the_channel(translator: Translator, preset: str, index: int, name: str) -> None:
    translator.prepared(RadioPrepared(GATEWAY, ("", "serial", "a+b/#"), preset, ""))
    made = packet(Port.TEXT_MESSAGE_APP, b"x", channel=index)
    assert translator.translate(made.SerializeToString(), GATEWAY)[0][0] == f"msh/EU_868/2/e/{name}/!a1b2c3d4"


def test_the_names_remembered_are_bounded(translator: Translator) -> None:
    for num in range(1, NAMES_MAX + 10):
        made = packet(Port.NODEINFO_APP, mesh_pb2.User(long_name=str(num)))
        setattr(made, "from", num)
        translator.translate(made.SerializeToString(), GATEWAY)
    route = packet(Port.TRACEROUTE_APP, mesh_pb2.RouteDiscovery(route=[NAMES_MAX]))
    route.decoded.request_id, route.to = 1, 1
    assert as_json(translator, route)["payload"]["route"][:2] == ["Unknown", str(NAMES_MAX)]


PORTS = st.sampled_from([*Port.values(), 3000])


@given(port=PORTS, payload=st.binary(max_size=300), channel=st.integers(0, 2**32 - 1), request=st.integers(0, 1))
def test_no_payload_raises(port: int, payload: bytes, channel: int, request: int) -> None:
    translator = Translator("msh/EU_868")
    made = packet(port, payload, channel=channel)
    made.decoded.request_id = request
    for topic, body in translator.translate(made.SerializeToString(), GATEWAY):
        assert not set("+#\0") & set(topic)
        if "/json/" in topic:
            json.loads(body, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


@given(st.binary(max_size=700))
def test_no_bytes_raise(raw: bytes) -> None:
    translator = Translator("msh/EU_868")
    assert len(translator.translate(raw, GATEWAY)) <= 2


@given(st.text(alphabet='[]{}":,0eE-.tfn\\ud ', max_size=480))
def test_no_text_raises(text: str) -> None:
    translator = Translator("msh/EU_868")
    as_json(translator, packet(Port.TEXT_MESSAGE_APP, text.encode()))


def test_deep_nesting_and_long_packets_are_harmless(translator: Translator) -> None:
    assert payload_of(translator, Port.TEXT_MESSAGE_APP, b"[" * 230 + b"]" * 230) is not None
    assert translator.translate(packet(Port.TEXT_MESSAGE_APP, b"x" * 600).SerializeToString(), GATEWAY) == []
    assert translator.counts["too_long"] == 1
