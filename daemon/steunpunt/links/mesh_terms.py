"""What a mesh session is told, learns and ends with, and readable texts to and from people with handhelds."""

from dataclasses import dataclass, field
from enum import Enum

from msgspec import Struct

from steunpunt.model import MAIN_RADIO, SendFrame, TextHeard
from steunpunt.radiosettings import WantedSettings
from steunpunt.wire import BROADCAST, HOP_LIMIT_MAX, mesh_pb2, portnums_pb2

PRIORITY_RELIABLE = 70
_TEXT_APP = portnums_pb2.PortNum.TEXT_MESSAGE_APP


class Kind(Enum):
    """What the caller has to do after a failure."""

    LOST = "lost"
    """Connect again, soon."""
    REBOOTED = "rebooted"
    """Begin a new session on the same connection if that still lives."""
    MISCONFIGURED = "misconfigured"
    """A person has to mend something; look again now and then."""


class Failure(Struct, frozen=True):
    """Why a session ended: one line for a technician."""

    kind: Kind
    reason: str


class Wanted(Struct, frozen=True):
    """What the config says of the radio; ``where`` is its address or device path."""

    where: str
    channel: str
    hop_limit: int
    emergency_channel: str | None = None
    """Where plain words go; ``None`` is the primary channel."""
    node: int | None = None
    mend_channel: str = ""
    """The command that gives the radio its channel."""
    settings: WantedSettings | None = None
    """What the radio is compared with; ``None`` compares nothing."""
    radio: str = MAIN_RADIO
    """The radio's name in the config."""
    not_compared: tuple[str, ...] = ()
    """Why a setting cannot be compared; stands among the drift."""


@dataclass(slots=True)
class Learned:
    """What the handshake told."""

    node_num: int | None = None
    firmware: str = ""
    preset: str = ""
    channels: dict[int, str] = field(default_factory=dict)
    long_names: dict[int, str] = field(default_factory=dict)
    uplinks: set[int] = field(default_factory=set)
    """Indexes of the channels that are to go to MQTT."""
    owner: bytes = b""
    """The radio's own User."""

    def index_named(self, name: str | None) -> int | None:
        """Return the channel of plain words: the primary one for ``None``; ``None`` when there is none of that name."""
        if name is None:
            return 0
        return next((index for index, channel in sorted(self.channels.items()) if channel == name), None)

    def channel_names(self) -> tuple[str, ...]:
        """Return the names of the radio's channels by index."""
        return tuple(self.channels.get(index, "") for index in range(max(self.channels, default=-1) + 1))

    def index_of(self, name: str) -> int | None:
        """Return the secondary channel with this name; the primary one only when there is no other."""
        found = [index for index, channel in sorted(self.channels.items()) if channel == name]
        return next((index for index in found if index), found[0] if found else None)


def readable(packet: mesh_pb2.MeshPacket, channel: int | None, own_num: int | None, radio: str) -> TextHeard | None:
    """Return what somebody says to all on the emergency channel; None for any other packet."""
    data, sender = packet.decoded, getattr(packet, "from")
    if data.portnum != _TEXT_APP or packet.channel != channel or packet.to != BROADCAST or sender == own_num:
        return None
    return TextHeard(data.payload.decode("utf-8", "replace"), sender, radio)


def hops_of(packet: mesh_pb2.MeshPacket) -> int | None:
    """Return over how many radios a packet came; None where its header does not say."""
    if not packet.hop_start or packet.hop_limit > packet.hop_start:
        return None
    return packet.hop_start - packet.hop_limit


def hop_limit(effect: SendFrame, most: int) -> int:
    """Return a packet's hop limit; ``most``: what the radio is set to. Never unset: that means no relay at all.

    What answers a packet that came over more than that goes back as far, but then without the margin of one.
    """
    if effect.hops_max is not None:
        return min(effect.hops_max, max(most, effect.hops_max - 1), HOP_LIMIT_MAX)
    return min(most + effect.hops_more, HOP_LIMIT_MAX)


def in_plain_words(text: str, packet_id: int, channel: int, hop_limit: int) -> mesh_pb2.MeshPacket:
    """Return the packet of a readable text to all who hear the emergency channel."""
    return mesh_pb2.MeshPacket(
        to=BROADCAST,
        channel=channel,
        id=packet_id,
        hop_limit=hop_limit,
        want_ack=True,
        priority=mesh_pb2.MeshPacket.Priority.ValueType(PRIORITY_RELIABLE),
        decoded=mesh_pb2.Data(portnum=_TEXT_APP, payload=text.encode()),
    )
