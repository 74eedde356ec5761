"""What a radio says beside packets for us: how much it was on the air, and what became of what we sent."""

from steunpunt.wire import mesh_pb2, telemetry_pb2


def shares_of_air(payload: bytes) -> list[float]:
    """Return each ``air_util_tx`` of a TELEMETRY_APP payload as a share of the last hour (0 … 1).

    DecodeError for bytes that are none.
    """
    telemetry = telemetry_pb2.Telemetry.FromString(payload)
    told = (telemetry.device_metrics.air_util_tx, telemetry.local_stats.air_util_tx)
    return [percent / 100 for percent in told if percent > 0]


def routing_word(payload: bytes) -> str:
    """Return the counter for a ROUTING_APP payload about a packet of ours; DecodeError for bytes that are none."""
    error = mesh_pb2.Routing.FromString(payload).error_reason
    if error == mesh_pb2.Routing.NONE:
        return "acks_heard"
    known = mesh_pb2.Routing.Error.values()
    return f"nak_{mesh_pb2.Routing.Error.Name(error).lower()}" if error in known else "nak_unknown"
