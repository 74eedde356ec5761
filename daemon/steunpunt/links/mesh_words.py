"""What a radio says beside packets for us: how much it was on the air, and what became of what we sent."""

from steunpunt.wire import mesh_pb2, telemetry_pb2

PERCENT_MAX = 100


def made_here(packet: mesh_pb2.MeshPacket) -> bool:
    """Return whether the radio itself made a packet, instead of hearing it from somebody who signs with its number.

    What came by air has a signal strength, and all else but the radio's own says how it came.
    """
    internal = packet.transport_mechanism == mesh_pb2.MeshPacket.TransportMechanism.TRANSPORT_INTERNAL
    return internal and not packet.via_mqtt and not packet.rx_rssi and not packet.rx_snr


def use_of_air(packet: mesh_pb2.MeshPacket) -> tuple[float, float | None] | None:
    """Return what the radio's own telemetry tells of the air, or None where it tells nothing.

    That is ``air_util_tx`` as a share of the last hour, and ``channel_utilization`` as one of the last minute (None
    where absent or absurd). DecodeError for bytes that are none.
    """
    telemetry = telemetry_pb2.Telemetry.FromString(packet.decoded.payload)
    if not made_here(packet):
        return None
    if telemetry.device_metrics.HasField("air_util_tx"):
        metrics = telemetry.device_metrics
        taken = metrics.channel_utilization if metrics.HasField("channel_utilization") else None
        sent = metrics.air_util_tx
    elif telemetry.HasField("local_stats"):
        sent, taken = telemetry.local_stats.air_util_tx, telemetry.local_stats.channel_utilization
    else:
        return None
    share = _share(sent)
    return None if share is None else (share, None if taken is None else _share(taken))


def _share(percent: float) -> float | None:
    return percent / 100 if 0 <= percent <= PERCENT_MAX else None  # "not a number" is not within either


def routing_word(payload: bytes) -> str:
    """Return the counter for a ROUTING_APP payload about a packet of ours; DecodeError for bytes that are none."""
    error = mesh_pb2.Routing.FromString(payload).error_reason
    if error == mesh_pb2.Routing.NONE:
        return "acks_heard"
    known = mesh_pb2.Routing.Error.values()
    return f"nak_{mesh_pb2.Routing.Error.Name(error).lower()}" if error in known else "nak_unknown"
