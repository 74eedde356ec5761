"""What a virtual radio does with traceroutes, requests for telemetry, clients in a hurry, and what it cannot read."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from steunpunt.sim import RadioSpec
from steunpunt.sim.air import Frame, Link
from steunpunt.wire import BROADCAST, admin_pb2, mesh_pb2, portnums_pb2, sender, telemetry_pb2
from tests.unit.test_sim_radio import KEY, A, B, C, Set, admin, drain, packet, routing, spec

Port = portnums_pb2.PortNum


def chain(*middle_channels: tuple[str, bytes]) -> Set:
    """Three radios in a row; the one in the middle has the channels named, or the usual ones."""
    middle = spec("b", B, middle_channels) if middle_channels else spec("b", B)
    radios = Set(spec("a", A), middle, spec("c", C))
    for one, other, snr_db in ((A, B, 5.25), (B, C, -3.0)):
        radios.air.set_link(one, other, Link(snr_db=snr_db))
        radios.air.set_link(other, one, Link(snr_db=snr_db - 1))
    for one, other in ((A, C), (C, A)):
        radios.air.set_link(one, other, Link(audible=False))
    return radios


def trace(radios: Set) -> mesh_pb2.RouteDiscovery:
    request = packet(C, mesh_pb2.RouteDiscovery().SerializeToString(), port=Port.TRACEROUTE_APP, packet_id=77)
    request.decoded.want_response = True
    radios.send(A, request)
    radios.run()
    (answer,) = [got for got in radios.packets(A) if got.decoded.portnum == Port.TRACEROUTE_APP]
    assert (sender(answer), answer.decoded.request_id) == (C, 77)
    return mesh_pb2.RouteDiscovery.FromString(answer.decoded.payload)


def test_a_traceroute_tells_the_way_there_and_back_with_its_snr() -> None:
    route = trace(chain())
    assert (list(route.route), list(route.snr_towards)) == ([B], [21, -12])
    assert (list(route.route_back), list(route.snr_back)) == ([B], [-16, 17])


def test_who_relays_without_the_channel_is_unknown_in_a_traceroute() -> None:
    route = trace(chain(("elsewhere", b"\x02")))
    assert (list(route.route), list(route.snr_towards)) == ([BROADCAST], [-128, -12])
    assert (list(route.route_back), list(route.snr_back)) == ([BROADCAST], [-128, 17])


def test_what_a_radio_counted_is_told_its_client_every_quarter_and_who_asks() -> None:
    radios = Set(RadioSpec("a", node_num=A), spec("b", B))
    radios.run(20 * 60_000)
    told = [telemetry_pb2.Telemetry.FromString(got.decoded.payload) for got in radios.packets(A)
            if sender(got) == A and got.decoded.portnum == Port.TELEMETRY_APP]  # fmt: skip
    assert sum(one.HasField("local_stats") for one in told) == 1, "the rest would have been in the way"
    radios.run(15 * 60_000)
    (stats,) = [one.local_stats for one in (telemetry_pb2.Telemetry.FromString(got.decoded.payload)
                for got in radios.packets(A) if sender(got) == A) if one.HasField("local_stats")]  # fmt: skip
    figures = radios.radios[A].figures()
    assert 0 < stats.num_packets_tx <= figures["frames_sent"]
    assert (stats.num_total_nodes, stats.uptime_seconds > 900, stats.air_util_tx > 0) == (2, True, True)


@pytest.mark.parametrize(
    ("kind", "answered"), [("device_metrics", True), ("local_stats", True), ("environment_metrics", False)]
)
def test_telemetry_is_told_on_request_and_what_there_is_not_is_said(kind: str, answered: bool) -> None:  # noqa: FBT001
    radios = Set(spec("a", A), spec("b", B))
    asked = telemetry_pb2.Telemetry()
    getattr(asked, kind).SetInParent()
    request = packet(B, asked.SerializeToString(), port=Port.TELEMETRY_APP, packet_id=78)
    request.decoded.want_response = True
    radios.send(A, request)
    radios.run()
    answers = [got for got in radios.packets(A) if got.decoded.request_id == 78 and sender(got) == B]
    ports = [got.decoded.portnum for got in answers]
    if answered:
        assert ports == [Port.TELEMETRY_APP]
        told = telemetry_pb2.Telemetry.FromString(answers[0].decoded.payload)
        assert told.WhichOneof("variant") == kind
        assert told.device_metrics.battery_level == 90 or told.local_stats.num_total_nodes == 2
    else:
        assert [routing(got)[2] for got in answers] == [b"\x18\x08"]  # NO_RESPONSE


@pytest.mark.parametrize(
    ("port", "interval_s", "says"),
    [
        (Port.TEXT_MESSAGE_APP, 2, ""),
        (Port.POSITION_APP, 10, ""),
        (Port.WAYPOINT_APP, 10, ""),
        (Port.ALERT_APP, 10, ""),
        (Port.TELEMETRY_APP, 10, ""),
        (Port.TRACEROUTE_APP, 30, "TraceRoute can only be sent once every 30 seconds"),
    ],
)
def test_what_comes_too_soon_gets_res_0_and_is_dropped(
    port: "portnums_pb2.PortNum.ValueType", interval_s: float, says: str
) -> None:
    radios = Set(spec("a", A), spec("b", B))
    sent = radios.radios[A].counters
    for packet_id, pause_ms in ((1, interval_s * 900), (2, interval_s * 200), (3, 0)):
        status = radios.send(A, packet(payload=b"", port=port, packet_id=packet_id, hop_limit=0))
        assert (status.res, status.mesh_packet_id) == (0, packet_id)
        told = [message for message in drain(radios.radios[A]) if not message.HasField("packet")]
        assert [message.clientNotification.message for message in told] == ([says] if says and packet_id == 2 else [])
        radios.run(pause_ms)
    radios.run()
    assert [got.id for got in radios.packets(B) if got.decoded.portnum == port] == [1, 3]
    assert sent["client_too_soon"] == 1


class Ear:
    """Hears all that is on the air."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def hear(self, frame: Frame, snr_db: float, rssi_dbm: int) -> None:
        assert rssi_dbm < snr_db
        self.frames.append(frame)


def test_the_nak_of_a_hasty_text_goes_on_air_to_nobody() -> None:
    radios, ear = Set(spec("a", A), spec("b", B)), Ear()
    radios.air.join(C, ear)
    for packet_id in (1, 2):
        radios.send(A, packet(port=Port.TEXT_MESSAGE_APP, packet_id=packet_id, hop_limit=0))
    radios.run()
    naks = [(frame.to, mesh_pb2.Data.FromString(frame.data)) for frame in ear.frames if frame.id not in (1, 2)]
    assert {(to, data.request_id, data.payload) for to, data in naks} == {(0, 2, b"\x18\x26")}  # RATE_LIMIT_EXCEEDED
    assert [got.id for got in radios.packets(B)] == [1]
    assert radios.packets(A) == []


def test_the_limits_belong_to_the_connection_and_our_own_port_has_none() -> None:
    radios = Set(spec("a", A), spec("b", B))
    for packet_id in range(1, 4):
        radios.send(A, packet(port=Port.TEXT_MESSAGE_APP, packet_id=packet_id))
        radios.radios[A].client_gone()
        radios.tell(A, mesh_pb2.ToRadio(want_config_id=7))
        radios.read(A)
    for packet_id in range(4, 8):
        radios.send(A, packet(packet_id=packet_id))
    assert radios.radios[A].counters["client_too_soon"] == 0


def test_a_radio_without_the_channel_relays_and_delivers_what_it_cannot_read() -> None:
    stranger = spec("b", B, (("", b"\x01"),))
    radios = Set(spec("a", A), stranger, spec("c", C))
    radios.air.set_link(A, C, Link(audible=False))
    radios.air.set_link(C, A, Link(audible=False))
    radios.send(A, packet())
    radios.run()
    (sealed,) = radios.packets(B)
    assert (sender(sealed), sealed.id, sealed.WhichOneof("payload_variant")) == (A, 1234, "encrypted")
    assert (sealed.channel, opened(sealed, KEY).payload) == (radios.radios[A].settings.channel_hash(1), b"hello")
    assert radios.radios[B].counters["frames_unreadable"] == 1
    assert len(radios.packets(C)) == 1


def opened(got: mesh_pb2.MeshPacket, key: bytes) -> mesh_pb2.Data:
    """Decrypt as a client does that has the channel's key and its radio has not."""
    nonce = got.id.to_bytes(8, "little") + sender(got).to_bytes(4, "little") + bytes(4)
    decryptor = Cipher(algorithms.AES(key), modes.CTR(nonce)).decryptor()
    return mesh_pb2.Data.FromString(decryptor.update(got.encrypted) + decryptor.finalize())


def test_a_radio_told_to_shut_down_stays_off() -> None:
    radios = Set(spec("a", A))
    admin(radios, A, admin_pb2.AdminMessage(shutdown_seconds=5), 1)
    radios.run(4_990)
    assert radios.radios[A].is_up
    radios.run(60_000)
    assert not radios.radios[A].is_up


def test_admin_from_afar_is_refused_whose_key_was_not_given() -> None:
    radios = Set(spec("a", A), spec("b", B))
    asked = admin_pb2.AdminMessage(get_owner_request=True).SerializeToString()
    request = packet(B, asked, channel=0, port=Port.ADMIN_APP, packet_id=80, want_ack=True)
    request.decoded.want_response = True
    radios.send(A, request)
    radios.run()
    answers = [got for got in radios.packets(A) if got.decoded.request_id == 80 and sender(got) == B]
    errors = [mesh_pb2.Routing.FromString(got.decoded.payload).error_reason for got in answers]
    assert errors == [mesh_pb2.Routing.Error.ADMIN_PUBLIC_KEY_UNAUTHORIZED]
