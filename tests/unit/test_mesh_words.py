"""The radio's own word on its airtime, how far packets go, and what anybody may have sent in its name."""

import math

import pytest

from steunpunt.model import FrameHeard, LinkName, RadioUsed, SendFrame
from steunpunt.wire import mesh_pb2, telemetry_pb2
from tests.unit.test_mesh_session import NODE, PEER, Port, Walk, incoming, ready

__all__ = ["ready"]
Transport = mesh_pb2.MeshPacket.TransportMechanism


def device(percent: float) -> telemetry_pb2.Telemetry:
    return telemetry_pb2.Telemetry(device_metrics=telemetry_pb2.DeviceMetrics(air_util_tx=percent))


def made_here(telemetry: telemetry_pb2.Telemetry | bytes) -> mesh_pb2.FromRadio:
    """Give a packet as a radio hands its own telemetry to its client: it came by no air, so nothing was measured."""
    raw = telemetry if isinstance(telemetry, bytes) else telemetry.SerializeToString()
    message = incoming(Port.TELEMETRY_APP, raw, sender=NODE)
    for name in ("rx_rssi", "rx_snr"):
        message.packet.ClearField(name)
    return message


def used(walk: Walk) -> list[float]:
    return [event.share for event in walk.events() if isinstance(event, RadioUsed)]


def test_the_radios_telemetry_tells_what_it_sent_as_a_share_of_the_hour(ready: Walk) -> None:
    ready.hear(made_here(device(2.5)))
    ready.hear(made_here(telemetry_pb2.Telemetry(local_stats=telemetry_pb2.LocalStats(air_util_tx=10))))
    assert used(ready) == pytest.approx([0.025, 0.1])


def test_the_radios_telemetry_tells_how_full_the_channel_is(ready: Walk) -> None:
    told = telemetry_pb2.DeviceMetrics(air_util_tx=1, channel_utilization=31.5)
    ready.hear(made_here(telemetry_pb2.Telemetry(device_metrics=told)))
    ready.hear(made_here(device(1)))
    told.channel_utilization = math.nan
    ready.hear(made_here(telemetry_pb2.Telemetry(device_metrics=told)))
    channels = [event.channel for event in ready.events() if isinstance(event, RadioUsed)]
    assert channels == [pytest.approx(0.315), None, None]


def test_a_radio_that_has_sent_nothing_says_so_and_one_that_does_not_know_says_nothing(ready: Walk) -> None:
    ready.hear(made_here(device(0)))
    assert used(ready) == [0.0]
    ready.hear(made_here(telemetry_pb2.Telemetry(device_metrics=telemetry_pb2.DeviceMetrics(voltage=4.1))))
    ready.hear(made_here(telemetry_pb2.Telemetry(environment_metrics=telemetry_pb2.EnvironmentMetrics(temperature=9))))
    assert used(ready) == []


@pytest.mark.parametrize("percent", [math.nan, math.inf, -math.inf, -0.1, 100.5])
def test_a_share_that_cannot_be_is_no_word(ready: Walk, percent: float) -> None:
    ready.hear(made_here(device(percent)))
    assert used(ready) == []


def test_what_another_node_sent_says_nothing_of_this_radio(ready: Walk) -> None:
    raw = device(9).SerializeToString()
    ready.hear(incoming(Port.TELEMETRY_APP, raw, sender=PEER))
    assert used(ready) == []


def test_nobody_silences_a_site_by_telemetry_in_its_radios_name(ready: Walk) -> None:
    """One forged packet of 100 % would close the site's budget for half an hour, life threats included."""
    by_air = incoming(Port.TELEMETRY_APP, device(100).SerializeToString(), sender=NODE)
    by_mqtt, by_lora, by_udp = (made_here(device(100)) for _ in range(3))
    by_mqtt.packet.via_mqtt = True
    by_lora.packet.transport_mechanism = Transport.TRANSPORT_LORA
    by_udp.packet.transport_mechanism = Transport.TRANSPORT_MULTICAST_UDP
    ready.hear(by_air, by_mqtt, by_lora, by_udp)
    assert used(ready) == []


def test_telemetry_that_cannot_be_read_is_counted(ready: Walk) -> None:
    ready.hear(made_here(b"\xff"))
    assert used(ready) == []
    assert ready.session.take_counts()["frames_refused"] == 1


# --- how far a packet came and may go


@pytest.mark.parametrize(
    ("start", "limit", "hops"),
    [(3, 3, 0), (3, 1, 2), (7, 0, 7), (0, 0, None), (0, 3, None), (2, 3, None)],
)
def test_a_packet_tells_over_how_many_radios_it_came(ready: Walk, start: int, limit: int, hops: int | None) -> None:
    message = incoming(Port.PRIVATE_APP, b"sealed")
    message.packet.hop_start, message.packet.hop_limit = start, limit
    ready.hear(message)
    assert [event.hops for event in ready.events() if isinstance(event, FrameHeard)] == [hops]


@pytest.mark.parametrize(
    ("hops_max", "hops_more", "limit"),
    [(None, 0, 4), (2, 0, 2), (4, 0, 4), (5, 0, 4), (6, 0, 5), (9, 0, 7), (None, 2, 6), (None, 9, 7), (2, 2, 2)],
)
def test_a_packet_goes_as_far_as_the_radio_is_set_to_unless_the_other_end_is_further_away(
    ready: Walk, hops_max: int | None, hops_more: int, limit: int
) -> None:
    ready.session.send(SendFrame(LinkName.MESH, 1, b"sealed", hops_max=hops_max, hops_more=hops_more), ready.now)
    assert [packet.hop_limit for packet in ready.sent()] == [limit]
