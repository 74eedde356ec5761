"""Packets of the site's own radio for the uplink, as the firmware published them when it sent them. Pure.

A radio does not hand its client what that client or it itself put on the air. Its NodeInfo is made from what it told in
the handshake; what an integrator had sent is known here.
"""

from google.protobuf.message import DecodeError

from steunpunt.model import RadioPrepared
from steunpunt.wire import BROADCAST, mesh_pb2, portnums_pb2, set_sender

NODE_INFO_S = 10_800
"""The firmware says who it is every three hours, unless its settings say otherwise."""
_Port = portnums_pb2.PortNum
_NEVER_PKI = frozenset({_Port.POSITION_APP, _Port.TRACEROUTE_APP})
"""Of what integrators may send: what goes to one node under the channel's key all the same."""


def node_info(radio: RadioPrepared, packet_id: int, hop_limit: int, at_s: int) -> bytes:
    """Return a radio's NodeInfo as a packet of its own; empty when it did not say who it is.

    ``at_s``: Unix seconds, 0 while the time is not known.
    """
    if not radio.owner:
        return b""
    packet = mesh_pb2.MeshPacket(to=BROADCAST, hop_limit=hop_limit, priority=mesh_pb2.MeshPacket.Priority.BACKGROUND)
    packet.decoded.portnum, packet.decoded.payload = _Port.NODEINFO_APP, radio.owner
    return _sent(packet, radio.node_num, packet_id, at_s)


def sent(packet: bytes, node_num: int, packet_id: int, at_s: int) -> bytes:
    """Return what an integrator had sent, as its radio sent it; empty for bytes that are no packet."""
    try:
        return _sent(mesh_pb2.MeshPacket.FromString(packet), node_num, packet_id, at_s)
    except DecodeError:
        return b""


def _sent(packet: mesh_pb2.MeshPacket, node_num: int, packet_id: int, at_s: int) -> bytes:
    packet.id, packet.rx_time, packet.hop_start = packet_id, at_s, packet.hop_limit
    packet.pki_encrypted = packet.to != BROADCAST and packet.decoded.portnum not in _NEVER_PKI
    set_sender(packet, node_num)
    return bytes(packet.SerializeToString())
