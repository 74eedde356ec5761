"""What a radio says beside packets for us: how much it was on the air, and what became of what we sent."""

from steunpunt.wire import mesh_pb2, telemetry_pb2

PERCENT_MAX = 100


def made_here(packet: mesh_pb2.MeshPacket) -> bool:
    """Return whether the radio itself made a packet, instead of hearing it from somebody who signs with its number.

    What came by air has a signal strength, and all else but the radio's own says how it came.
    """
    internal = packet.transport_mechanism == mesh_pb2.MeshPacket.TransportMechanism.TRANSPORT_INTERNAL
    return internal and not packet.via_mqtt and not packet.rx_rssi and not packet.rx_snr


def share_of_air(packet: mesh_pb2.MeshPacket) -> float | None:
    """Return ``air_util_tx`` of the radio's own telemetry as a share of the last hour; None where it tells none.

    DecodeError for bytes that are none.
    """
    telemetry = telemetry_pb2.Telemetry.FromString(packet.decoded.payload)
    if not made_here(packet):
        return None
    if telemetry.device_metrics.HasField("air_util_tx"):
        percent = telemetry.device_metrics.air_util_tx
    elif telemetry.HasField("local_stats"):
        percent = telemetry.local_stats.air_util_tx
    else:
        return None
    return percent / 100 if 0 <= percent <= PERCENT_MAX else None  # "not a number" is not within either


def routing_word(payload: bytes) -> str:
    """Return the counter for a ROUTING_APP payload about a packet of ours; DecodeError for bytes that are none."""
    error = mesh_pb2.Routing.FromString(payload).error_reason
    if error == mesh_pb2.Routing.NONE:
        return "acks_heard"
    known = mesh_pb2.Routing.Error.values()
    return f"nak_{mesh_pb2.Routing.Error.Name(error).lower()}" if error in known else "nak_unknown"
