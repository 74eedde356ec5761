"""Packets as a radio makes them: for its client, for the air, and its own word on others. Pure."""

from steunpunt.sim.air import Frame
from steunpunt.sim.settings import public_key
from steunpunt.wire import mesh_pb2, node_name, portnums_pb2, set_sender

_Port = portnums_pb2.PortNum
_Priority = mesh_pb2.MeshPacket.Priority


def over_duty_cycle(minutes: int) -> str:
    """Say what the firmware says when its hour is full."""
    return f"Duty cycle limit exceeded. You can send again in {minutes} mins"


def routing(error: "mesh_pb2.Routing.Error.ValueType", request_id: int) -> mesh_pb2.Data:
    """Make the Data of an ack or a NAK."""
    payload = mesh_pb2.Routing(error_reason=error).SerializeToString()
    return mesh_pb2.Data(portnum=_Port.ROUTING_APP, payload=payload, request_id=request_id)


def received(frame: Frame, index: int, data: mesh_pb2.Data | bytes) -> mesh_pb2.MeshPacket:
    """Make the client's packet; bytes are what this radio could not read, and then ``index`` is the channel's hash."""
    packet = mesh_pb2.MeshPacket(
        to=frame.to,
        id=frame.id,
        channel=index,
        hop_limit=frame.hop_limit,
        hop_start=frame.hop_start,
        want_ack=frame.want_ack,
        relay_node=frame.relay_node,
        pki_encrypted=frame.pki,
        public_key=public_key(frame.sender) if frame.pki else b"",
        transport_mechanism=mesh_pb2.MeshPacket.TransportMechanism.TRANSPORT_LORA,
    )
    if isinstance(data, bytes):
        packet.encrypted = data
        packet.pki_encrypted, packet.public_key = False, b""
    else:
        packet.decoded.CopyFrom(data)
    set_sender(packet, frame.sender)
    return packet


def unanswered(packet: mesh_pb2.MeshPacket) -> "mesh_pb2.Routing.Error.ValueType | None":
    """Name what a request gets that no module answered; the admin module refuses whose key it was not given."""
    if not packet.decoded.want_response:
        return None
    if packet.decoded.portnum != _Port.ADMIN_APP:
        return mesh_pb2.Routing.Error.NO_RESPONSE
    denied = mesh_pb2.Routing.Error
    return denied.ADMIN_PUBLIC_KEY_UNAUTHORIZED if packet.pki_encrypted else denied.NOT_AUTHORIZED


def pki_lock(num: int) -> bytes:
    """Name what only one node can open."""
    return b"pki " + node_name(num).encode()


def priority_of(packet: mesh_pb2.MeshPacket) -> int:
    """Order in the transmit queue: what the client asked for, else the firmware's choice."""
    if packet.priority != _Priority.UNSET:
        return int(packet.priority)
    if packet.decoded.portnum in (_Port.TEXT_MESSAGE_APP, _Port.ADMIN_APP):
        return int(_Priority.HIGH)
    return int(_Priority.RELIABLE if packet.want_ack else _Priority.DEFAULT)
