"""What a radio writes into a traceroute that it relays, answers or gets back; pure.

On the way there each relay appends its number to ``route`` and all append their SNR to
``snr_towards``; on the way back the same with ``route_back`` and ``snr_back``. Who relayed
without being able to read it leaves a gap, which the next one fills with "unknown".
"""

from google.protobuf.message import DecodeError

from steunpunt.wire import BROADCAST, mesh_pb2, portnums_pb2

ROUTE_MAX = 8
SNR_UNKNOWN = -128
"""Stands for an SNR that nobody wrote down, in quarters of a dB."""
_UNKNOWN_NODE = BROADCAST


def pass_on(data: mesh_pb2.Data, num: int, snr_db: float, hops_used: int, *, arrived: bool) -> mesh_pb2.Data | None:
    """Return what the radio ``num`` makes of a traceroute's Data; None if it is no traceroute.

    ``hops_used`` is how many radios relayed it before; one that ``arrived`` adds its SNR only.
    """
    if data.portnum != portnums_pb2.PortNum.TRACEROUTE_APP:
        return None
    try:
        found = mesh_pb2.RouteDiscovery.FromString(data.payload)
    except DecodeError:
        return None
    back = bool(data.request_id)
    route, snrs = (found.route_back, found.snr_back) if back else (found.route, found.snr_towards)
    while len(route) < min(hops_used, ROUTE_MAX):
        route.append(_UNKNOWN_NODE)
    while len(snrs) < len(route):
        snrs.append(SNR_UNKNOWN)
    if len(route) < ROUTE_MAX:
        snrs.append(round(snr_db * 4))
        if not arrived:
            route.append(num)
    written = mesh_pb2.Data()
    written.CopyFrom(data)
    written.payload = found.SerializeToString()
    return written
