"""Each port's JSON, byte for byte, written out by hand from the firmware's MeshPacketSerializer (2.7).

Its JSON writer puts keys in the map's order, without spaces, numbers to 15 digits, slashes escaped.
"""

from typing import Any

import pytest
from google.protobuf.message import Message

from steunpunt.bridge.uplink import Translator
from steunpunt.model import RadioPrepared
from steunpunt.wire import mesh_pb2, paxcount_pb2, portnums_pb2, remote_hardware_pb2, set_sender, telemetry_pb2

GATEWAY, SENDER, ASKER = 0xA1B2C3D4, 0x11223344, 0x55667788
Port = portnums_pb2.PortNum
NAMES = ((GATEWAY, "Buurthuis"), (SENDER, "Kerkplein"), (ASKER, "Kazerne/Noord"))
HEAD = '"channel":1,"from":287454020,"id":77,'
TAIL = '"sender":"!a1b2c3d4","timestamp":1700000000,"to":4294967295,"type":'


@pytest.fixture
def translator() -> Translator:
    made = Translator("msh/EU_868")
    made.prepared(RadioPrepared(GATEWAY, ("", "serial"), "LONG_FAST", "2.7.26", long_names=NAMES))
    return made


def told(translator: Translator, port: int, payload: bytes | Message, **fields: Any) -> str:
    raw = payload if isinstance(payload, bytes) else payload.SerializeToString()
    packet = mesh_pb2.MeshPacket(id=77, to=0xFFFFFFFF, channel=1, rx_time=1_700_000_000)
    packet.decoded.portnum = Port.ValueType(port)
    packet.decoded.payload = raw
    packet.decoded.request_id = fields.pop("request_id", 0)
    for name, value in fields.items():
        setattr(packet, name, value)
    set_sender(packet, SENDER)
    messages = dict(translator.translate(packet.SerializeToString(), GATEWAY))
    return messages["msh/EU_868/2/json/serial/!a1b2c3d4"].decode()


def whole(payload: str, kind: str) -> str:
    return f'{{{HEAD}"payload":{payload},{TAIL}"{kind}"}}'


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("Pomp 3/4 uit", r'{"text":"Pomp 3\/4 uit"}'),
        ('zij zei "ja"\n\t\\', r'{"text":"zij zei \"ja\"\n\t\\"}'),
        ("é\x7f€", '{"text":"é\\u007f€"}'),
        ("\x01", '{"text":"\\u0001"}'),
        ('{"b": 1.50, "a": [true, null, "x/y"]}', r'{"a":[true,null,"x\/y"],"b":1.5}'),
        ("12", "12"),
        ("12.0", "12"),
        ("-0.1", "-0.1"),
        ("0.1234567890123456789", "0.123456789012346"),
        ("12345678901234567890", "1.23456789012346e+19"),
        ("TRUE", "true"),
        ("Null", "null"),
        (" False ", "false"),
        ('"kort"', '"kort"'),
        ("1,5", '{"text":"1,5"}'),
        ("[1,]", '{"text":"[1,]"}'),
    ],
)
def test_text(translator: Translator, text: str, payload: str) -> None:
    assert told(translator, Port.TEXT_MESSAGE_APP, text.encode()) == whole(payload, "text")


def test_the_envelope_with_signal_and_hops(translator: Translator) -> None:
    body = told(translator, Port.TEXT_MESSAGE_APP, b"x", rx_rssi=-90, rx_snr=6.1, hop_start=5, hop_limit=3)
    assert body == (
        '{"channel":1,"from":287454020,"hop_start":5,"hops_away":2,"id":77,"payload":{"text":"x"},"rssi":-90,'
        '"sender":"!a1b2c3d4","snr":6.09999990463257,"timestamp":1700000000,"to":4294967295,"type":"text"}'
    )


def test_position(translator: Translator) -> None:
    position = mesh_pb2.Position(
        latitude_i=508500000, longitude_i=-57000000, altitude=-3, time=1700000001, timestamp=1700000002, PDOP=120,
        HDOP=130, VDOP=140, ground_speed=4, ground_track=18000000, sats_in_view=9, precision_bits=32,
    )  # fmt: skip
    payload = (
        '{"HDOP":130,"PDOP":120,"VDOP":140,"altitude":-3,"ground_speed":4,"ground_track":18000000,'
        '"latitude_i":508500000,"longitude_i":-57000000,"precision_bits":32,"sats_in_view":9,"time":1700000001,'
        '"timestamp":1700000002}'
    )
    assert told(translator, Port.POSITION_APP, position) == whole(payload, "position")


def test_nodeinfo(translator: Translator) -> None:
    user = mesh_pb2.User(id="!11223344", long_name="Kerk/plein", short_name="KP", hw_model=43, role=2)  # type: ignore[arg-type]
    payload = r'{"hardware":43,"id":"!11223344","longname":"Kerk\/plein","role":2,"shortname":"KP"}'
    assert told(translator, Port.NODEINFO_APP, user) == whole(payload, "nodeinfo")


ENVIRONMENT = {
    "temperature": 21.5, "relative_humidity": 40.25, "barometric_pressure": 1013.25, "gas_resistance": 0.0,
    "voltage": 3.5, "current": -1.5, "lux": 100.0, "white_lux": 200.0, "iaq": 7, "distance": 12.5, "wind_speed": 2.5,
    "wind_direction": 270, "wind_gust": 4.5, "wind_lull": 0.5, "radiation": 0.125, "ir_lux": 1.5, "uv_lux": 2.5,
    "weight": 70.5, "rainfall_1h": 0.25, "rainfall_24h": 8.5, "soil_moisture": 33, "soil_temperature": 9.5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("telemetry", "payload"),
    [
        (
            {"device_metrics": {"battery_level": 101, "voltage": 4.1, "channel_utilization": 1.5, "air_util_tx": 0.25,
                                "uptime_seconds": 90}},
            (
                '{"air_util_tx":0.25,"battery_level":101,"channel_utilization":1.5,"uptime_seconds":90,'
                '"voltage":4.09999990463257}'
            ),
        ),
        ({"device_metrics": {}}, '{"air_util_tx":0,"channel_utilization":0,"uptime_seconds":0,"voltage":0}'),
        (
            {"environment_metrics": ENVIRONMENT},
            (
                '{"barometric_pressure":1013.25,"current":-1.5,"distance":12.5,"gas_resistance":0,"iaq":7,"ir_lux":1.5,'
                '"lux":100,"radiation":0.125,"rainfall_1h":0.25,"rainfall_24h":8.5,"relative_humidity":40.25,'
                '"soil_moisture":33,"soil_temperature":9.5,"temperature":21.5,"uv_lux":2.5,"voltage":3.5,"weight":70.5,'
                '"white_lux":200,"wind_direction":270,"wind_gust":4.5,"wind_lull":0.5,"wind_speed":2.5}'
            ),
        ),
        (
            {"air_quality_metrics": {"pm10_standard": 1, "pm25_standard": 2, "pm100_standard": 3,
                                     "pm10_environmental": 4, "pm25_environmental": 5, "pm100_environmental": 6}},
            '{"pm10":1,"pm100":3,"pm100_e":6,"pm10_e":4,"pm25":2,"pm25_e":5}',
        ),
        (
            {"power_metrics": {"ch1_voltage": 5.0, "ch1_current": 0.5, "ch2_voltage": 6.5, "ch2_current": 0.0,
                               "ch3_voltage": 7.5, "ch3_current": -0.5}},
            '{"current_ch1":0.5,"current_ch2":0,"current_ch3":-0.5,"voltage_ch1":5,"voltage_ch2":6.5,"voltage_ch3":7.5}',
        ),
        ({"local_stats": {"num_packets_tx": 4}}, "{}"),
    ],
    ids=["device", "device without battery", "environment", "air quality", "power", "local stats"],
)  # fmt: skip
def test_telemetry(translator: Translator, telemetry: dict[str, Any], payload: str) -> None:
    made = telemetry_pb2.Telemetry(time=5, **telemetry)
    assert told(translator, Port.TELEMETRY_APP, made) == whole(payload, "telemetry")


def test_neighborinfo(translator: Translator) -> None:
    info = mesh_pb2.NeighborInfo(node_id=1, last_sent_by_id=2, node_broadcast_interval_secs=900)
    info.neighbors.add(node_id=9, snr=-7.75)
    info.neighbors.add(node_id=8, snr=3.25)
    payload = (
        '{"last_sent_by_id":2,"neighbors":[{"node_id":9,"snr":-7},{"node_id":8,"snr":3}],"neighbors_count":2,'
        '"node_broadcast_interval_secs":900,"node_id":1}'
    )
    assert told(translator, Port.NEIGHBORINFO_APP, info) == whole(payload, "neighborinfo")


def test_traceroute_names_the_nodes_that_the_radio_knows(translator: Translator) -> None:
    route = mesh_pb2.RouteDiscovery(route=[GATEWAY, 5], route_back=[5], snr_towards=[-26, 10, 12], snr_back=[3, -1])
    answer = told(translator, Port.TRACEROUTE_APP, route, request_id=6, to=ASKER)
    payload = (
        r'{"route":["Kazerne\/Noord","Buurthuis","Unknown","Kerkplein"],'
        r'"route_back":["Kerkplein","Unknown","Kazerne\/Noord"],"snr_back":[0.75,-0.25],"snr_towards":[-6.5,2.5,3]}'
    )
    assert answer == whole(payload, "traceroute").replace("4294967295", str(ASKER))
    assert told(translator, Port.TRACEROUTE_APP, route) == f'{{{HEAD}{TAIL}""}}'


def test_waypoint(translator: Translator) -> None:
    waypoint = mesh_pb2.Waypoint(
        id=4, name="put", description="bij de brug", expire=9, locked_to=7, latitude_i=-1, longitude_i=2, icon=128
    )
    payload = (
        '{"description":"bij de brug","expire":9,"id":4,"latitude_i":-1,"locked_to":7,"longitude_i":2,"name":"put"}'
    )
    assert told(translator, Port.WAYPOINT_APP, waypoint) == whole(payload, "waypoint")


def test_detection_sensor(translator: Translator) -> None:
    body = told(translator, Port.DETECTION_SENSOR_APP, b"true\0rest")
    assert body == whole('{"text":"true"}', "detection")


def test_paxcounter(translator: Translator) -> None:
    count = paxcount_pb2.Paxcount(wifi=12, ble=0, uptime=4_000_000_000)
    payload = '{"ble_count":0,"uptime":4000000000,"wifi_count":12}'
    assert told(translator, Port.PAXCOUNTER_APP, count) == whole(payload, "paxcounter")


def test_remote_hardware_tells_what_pins_say(translator: Translator) -> None:
    kinds = remote_hardware_pb2.HardwareMessage.Type
    changed = remote_hardware_pb2.HardwareMessage(type=kinds.GPIOS_CHANGED, gpio_mask=6, gpio_value=2)
    assert told(translator, Port.REMOTE_HARDWARE_APP, changed) == whole('{"gpio_value":2}', "gpios_changed")
    reply = remote_hardware_pb2.HardwareMessage(type=kinds.READ_GPIOS_REPLY, gpio_mask=6, gpio_value=2)
    assert told(translator, Port.REMOTE_HARDWARE_APP, reply) == whole(
        '{"gpio_mask":6,"gpio_value":2}', "gpios_read_reply"
    )
    order = remote_hardware_pb2.HardwareMessage(type=kinds.WRITE_GPIOS, gpio_mask=6, gpio_value=2)
    assert told(translator, Port.REMOTE_HARDWARE_APP, order) == f'{{{HEAD}{TAIL}""}}'


@pytest.mark.parametrize(
    ("port", "kind"),
    [
        (Port.POSITION_APP, "position"), (Port.NODEINFO_APP, "nodeinfo"), (Port.TELEMETRY_APP, "telemetry"),
        (Port.WAYPOINT_APP, "waypoint"), (Port.NEIGHBORINFO_APP, "neighborinfo"), (Port.PAXCOUNTER_APP, "paxcounter"),
        (Port.REMOTE_HARDWARE_APP, ""), (Port.ROUTING_APP, ""), (3000, ""),
    ],
)  # fmt: skip
def test_a_payload_that_cannot_be_read_leaves_the_type_alone(translator: Translator, port: int, kind: str) -> None:
    assert told(translator, port, b"\xff\xff\xff") == f'{{{HEAD}{TAIL}"{kind}"}}'
