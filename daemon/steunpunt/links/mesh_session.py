"""One connection to a radio by the Meshtastic client protocol, without I/O, clock or chance.

Bytes and the time go in; bytes, events and at most one :class:`Failure` come out. The caller owns the
transport and the waiting: after each call it sends :meth:`Session.take_output`, hands on
:meth:`Session.take_events`, and calls :meth:`Session.handle_timer` at :meth:`Session.next_timer`.

    greeting -> handshake -> ready -> failed

A session never comes back from ``failed``: the next connection gets a new one.
"""

from collections import Counter, deque
from collections.abc import Callable

from google.protobuf.message import DecodeError

from steunpunt.links import mesh_words
from steunpunt.links.mesh_queue import ASK_S, TransmitQueue
from steunpunt.links.mesh_terms import (
    PRIORITY_RELIABLE,
    Failure,
    Kind,
    Learned,
    Wanted,
    hop_limit,
    hops_of,
    in_plain_words,
    readable,
)
from steunpunt.links.mesh_time import RadioTime
from steunpunt.model import (
    PACKET_BYTES_MAX,
    Event,
    FrameHeard,
    Lane,
    LinkName,
    PacketHeard,
    RadioPrepared,
    RadioUsed,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from steunpunt.radiosettings import RadioState, differences, firmware_problem
from steunpunt.values import replace
from steunpunt.wire import (
    BROADCAST,
    FRAME_BYTES_MAX,
    FrameReader,
    channel_pb2,
    config_pb2,
    encode_frame,
    mesh_pb2,
    node_name,
    portnums_pb2,
)

WAKE = b"\xc3" * 32
"""Wakes a sleeping serial console; harmless on TCP."""
HANDSHAKE_SILENCE_S = 10.0
"""Longest silence during the handshake, in seconds."""
REASK_S = 1.0
"""A radio that still starts up loses the question; it is asked again until its first answer."""
HANDSHAKE_S = 60.0
"""Longest handshake: a full node list at 115200 baud takes a few seconds."""
HEARTBEAT_S = 60.0
"""A radio closes after 15 minutes of silence; once a minute also finds a dead one soon."""
ANSWER_S = 10.0
"""Anything the radio says within this many seconds answers a heartbeat."""
STATUS_ABSENT_S = 30.0
"""A radio that says other things but no QueueStatus for so long after a heartbeat is of no use to us."""
STALL_S = 1.0
"""Half a frame this old was console log that looked like one."""
HELD_PACKETS_MAX = 64
"""Packets that came before the handshake was over and wait for the channel names."""
OWN_IDS_MAX = 64
"""Packet ids of ours that a routing answer may still name."""
CHANNELS_MAX = 8
NAMES_MAX = 512
"""Names taken from the radio's list of nodes."""
PRIORITY_DEFAULT = 64

_PRIVATE_APP = portnums_pb2.PortNum.PRIVATE_APP
_ROUTING_APP = portnums_pb2.PortNum.ROUTING_APP
_TELEMETRY_APP = portnums_pb2.PortNum.TELEMETRY_APP
_DISABLED = 0
_PAD = b"\xff"
"""No tag, and no varint ends with it."""


class Session:
    """The client's side of one connection; see the module."""

    def __init__(self, wanted: Wanted, config_id: int, draw_id: Callable[[], int], now: float) -> None:
        """``config_id`` and ``draw_id()`` are random and not 0; the session speaks first."""
        self._wanted, self._config_id, self._draw_id = wanted, config_id, draw_id
        self._parsed: deque[mesh_pb2.FromRadio] = deque()
        self._reader = FrameReader(accepts=self._parse)
        self._padding = False
        self._queue = TransmitQueue()
        self._time = RadioTime()
        self._learned = Learned()
        self._state = RadioState()
        self._held: deque[bytes] = deque(maxlen=HELD_PACKETS_MAX)
        self._own_ids: deque[int] = deque(maxlen=OWN_IDS_MAX)
        self._output = bytearray()
        self._events: list[Event] = []
        self._channel_index = 0
        self._emergency: int | None = 0
        self.counts: Counter[str] = Counter()
        self.failure: Failure | None = None
        self.ready = False
        self._handshake_by = now + HANDSHAKE_S
        self._answer_by: float | None = now + HANDSHAKE_SILENCE_S
        self._heartbeat_at = self._ask_at = self._stalled_at = self._status_by = float("inf")
        self._ask_config(now)

    @property
    def where(self) -> str:
        """The radio's address or device path."""
        return self._wanted.where

    # --- what goes out

    def take_output(self) -> bytes:
        """Return the bytes to send, once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def take_events(self) -> list[Event]:
        """Return what happened, in order, once."""
        events, self._events = self._events, []
        return events

    def take_counts(self) -> dict[str, int]:
        """Return what was counted since the last call."""
        counts = {name: amount for name, amount in self.counts.items() if amount}
        self.counts.clear()
        return counts

    def next_timer(self) -> float:
        """Return when :meth:`handle_timer` is due; infinity once failed."""
        if self.failure is not None:
            return float("inf")
        handshake_by = float("inf") if self.ready else self._handshake_by
        answer_by = float("inf") if self._answer_by is None else self._answer_by
        own = min(handshake_by, answer_by, self._heartbeat_at, self._stalled_at, self._reask_at, self._status_by)
        return min(own, self._queue.timer(), self._ask_at, self._time.due)

    # --- what comes in

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the radio."""
        self._reader.feed(data)
        self._stalled_at = now + STALL_S if self._reader.pending_bytes else float("inf")
        self._understand(now)

    def send(self, effect: SendFrame, now: float) -> None:
        """Queue one frame; its SendEnded comes as an event."""
        if not self.ready:
            self._refuse(effect, "link down")
        elif effect.text and self._emergency is None:
            self._refuse(effect, f'the radio has no channel "{self._wanted.emergency_channel}"; mend emergency_channel')
        elif not effect.packet and not effect.text and not 0 < len(effect.payload) <= PACKET_BYTES_MAX:
            self._refuse(effect, f"payload of {len(effect.payload)} bytes; 1 to {PACKET_BYTES_MAX} fit")
        else:
            for ended in self._queue.offer(effect):
                self._end(ended)
            self._pump(now)

    def trust(self, wall_less_clock_s: float | None, now: float) -> None:
        """Take by how many seconds the wall clock is ahead of ``now``; None: nobody vouches for it."""
        self._time.trust(wall_less_clock_s, now)

    def handle_timer(self, now: float) -> None:
        """Do what is due at ``now``; harmless when nothing is."""
        if self.failure is not None:
            return
        if now >= self._stalled_at:
            self._unstick(now)
        if self._answer_by is not None and now >= self._answer_by:
            self._fail(Kind.LOST, self._silence())
        elif not self.ready and now >= self._handshake_by:
            where = self._wanted.where
            self._fail(Kind.LOST, f"the radio at {where} does not finish its handshake; restart the radio")
        elif now >= self._status_by:
            what = f"tells nothing of its queue for {STATUS_ABSENT_S:g} s"
            self._fail(Kind.LOST, f"the radio at {self._wanted.where} {what}; restart the radio")
        elif now >= self._reask_at:
            self._ask_config(now)
        elif self.ready:
            self._ready_timers(now)

    def goodbye(self) -> None:
        """Tell the radio that nobody will listen any more."""
        self._say(mesh_pb2.ToRadio(disconnect=True))

    def close(self, kind: Kind, reason: str) -> None:
        """End the session because the connection ended; a failure known earlier stands."""
        self._fail(kind, reason)

    # --- the handshake

    def _ask_config(self, now: float) -> None:
        self._output += WAKE
        self._say(mesh_pb2.ToRadio(want_config_id=self._config_id))
        self._reask_at = now + REASK_S

    def _parse(self, payload: bytes) -> bool:
        """Say whether bytes between a frame's header and its end are a message; keep it parsed."""
        if self._padding and payload.endswith(_PAD):
            return False
        try:
            message = mesh_pb2.FromRadio.FromString(payload)
        except DecodeError:
            self.counts["frames_refused"] += 1
            return False
        self._parsed.append(message)
        return True

    def _understand(self, now: float) -> None:
        while self._parsed:
            message = self._parsed.popleft()
            if self.failure is not None:
                continue
            self._answer_by = None if self.ready else now + HANDSHAKE_SILENCE_S
            self._dispatch(message, now)
        if self.failure is None:
            self._pump(now)

    def _dispatch(self, message: mesh_pb2.FromRadio, now: float) -> None:
        kind = message.WhichOneof("payload_variant")
        if not self.ready:
            self._state.take(message)
        if kind in ("metadata", "channel", "node_info", "config"):
            self._learn(kind, message)
        elif kind == "packet":
            self._packet(message.packet)
        elif kind == "queueStatus":
            self._queue_status(message.queueStatus, now)
        elif kind == "my_info":
            self._learned.node_num = message.my_info.my_node_num
            self._reask_at = float("inf")
        elif kind == "config_complete_id" and message.config_complete_id == self._config_id:
            self._complete(now)
        elif kind == "rebooted" and message.rebooted:
            self._fail(Kind.REBOOTED, f"the radio at {self._wanted.where} rebooted; asking it again")

    def _learn(self, kind: str, message: mesh_pb2.FromRadio) -> None:
        """Take over what the radio says of itself and of the nodes it knows."""
        if kind == "metadata":
            self._learned.firmware = message.metadata.firmware_version
        elif kind == "channel":
            self._learn_channel(message.channel)
        elif kind == "node_info":
            self._learn_name(message.node_info)
        elif message.config.WhichOneof("payload_variant") == "lora":
            self._learned.preset = _preset_name(message.config.lora)

    def _learn_channel(self, channel: channel_pb2.Channel) -> None:
        if 0 <= channel.index < CHANNELS_MAX and channel.role != _DISABLED:
            self._learned.channels[channel.index] = channel.settings.name
            if channel.settings.uplink_enabled:
                self._learned.uplinks.add(channel.index)

    def _learn_name(self, info: mesh_pb2.NodeInfo) -> None:
        if info.HasField("user") and len(self._learned.long_names) < NAMES_MAX:
            self._learned.long_names[info.num] = info.user.long_name
        if info.num == self._learned.node_num:
            self._learned.owner = info.user.SerializeToString()

    def _complete(self, now: float) -> None:
        """Compare the radio with the config; become ready or fail with what to mend."""
        if self.ready:
            return
        learned, wanted = self._learned, self._wanted
        if learned.node_num is None:
            self._fail(Kind.LOST, f"the radio at {wanted.where} did not say who it is; restart the radio")
            return
        name = node_name(learned.node_num)
        index = learned.index_of(wanted.channel)
        if wanted.node is not None and wanted.node != learned.node_num:
            expected = node_name(wanted.node)
            reason = f"the radio at {wanted.where} is {name}, not {expected}; plug in that one or mend radio.node"
            self._fail(Kind.MISCONFIGURED, reason)
        elif learned.firmware and (problem := firmware_problem(learned.firmware)):
            self._fail(Kind.MISCONFIGURED, f"radio {name} is refused: {problem}")
        elif index is None:
            reason = f'radio {name} has no channel "{wanted.channel}"; run {wanted.mend_channel}'
            self._fail(Kind.MISCONFIGURED, reason)
        else:
            self._channel_index, self.ready = index, True
            self._emergency = learned.index_named(wanted.emergency_channel)
            self._answer_by, self._heartbeat_at = None, now + HEARTBEAT_S
            self._announce(learned.node_num)
            self._time.ready(now)
            self._tell_time(now)

    def _announce(self, node_num: int) -> None:
        learned = self._learned
        names = learned.channel_names()
        drift = self._drift()
        self._state = RadioState()  # the comparison is made; it need not stay in memory
        known = tuple(learned.long_names.items())
        prepared = RadioPrepared(node_num, names, learned.preset, learned.firmware, drift, known, self._wanted.radio)
        self._events.append(replace(prepared, owner=learned.owner, uplinks=frozenset(learned.uplinks)))
        self._events += [PacketHeard(packet, node_num) for packet in self._held]
        self._held.clear()

    def _drift(self) -> tuple[str, ...]:
        wanted = self._wanted.settings
        if wanted is None:
            return ()
        untold = () if self._learned.firmware else ("firmware: the radio did not tell its version",)
        found = tuple(str(difference) for difference in differences(self._state, wanted))
        return untold + found + self._wanted.not_compared

    # --- packets

    def _packet(self, packet: mesh_pb2.MeshPacket) -> None:
        """Hand a packet on: ours to the engine, everything else to the bridge."""
        self.counts["packets_heard"] += 1
        decoded = packet.WhichOneof("payload_variant") == "decoded"
        if decoded and packet.decoded.portnum == _PRIVATE_APP:
            self._frame(packet)
            return
        if decoded:
            heard = readable(packet, self._emergency, self._learned.node_num, self._wanted.radio)
            self._events += [heard] if heard is not None and self.ready else []
        if decoded and packet.decoded.portnum == _TELEMETRY_APP and getattr(packet, "from") == self._learned.node_num:
            self._own_telemetry(packet)
        if decoded and packet.decoded.portnum == _ROUTING_APP:
            self._routing(packet.decoded)
        serialized = packet.SerializeToString()
        if self.ready and self._learned.node_num is not None:
            self._events.append(PacketHeard(serialized, self._learned.node_num))
        else:
            self.counts["packets_dropped"] += len(self._held) == HELD_PACKETS_MAX
            self._held.append(serialized)

    def _frame(self, packet: mesh_pb2.MeshPacket) -> None:
        sender = getattr(packet, "from")
        if sender == self._learned.node_num or not packet.decoded.payload:
            self.counts["frames_dropped"] += 1
            return
        self.counts["frames_heard"] += 1
        # A relayed or locally made packet carries no signal figures; 0 dB with 0 dBm is "not measured".
        snr_db = packet.rx_snr if packet.rx_snr or packet.rx_rssi else None
        payload, radio = packet.decoded.payload, self._wanted.radio
        heard = FrameHeard(LinkName.MESH, payload, sender=sender, packet_id=packet.id, snr_db=snr_db, radio=radio)
        self._events.append(replace(heard, hops=hops_of(packet)))

    def _own_telemetry(self, packet: mesh_pb2.MeshPacket) -> None:
        """Hand on how much of the last hour this radio sent, relaying included, and how full its channel is."""
        try:
            if (use := mesh_words.use_of_air(packet)) is not None:
                share, channel = use
                self._events.append(RadioUsed(share, self._wanted.radio, channel))
        except DecodeError:
            self.counts["frames_refused"] += 1

    def _routing(self, data: mesh_pb2.Data) -> None:
        """Count what the mesh says of our own packets; none of it is delivery."""
        if data.request_id not in self._own_ids:
            return
        try:
            self.counts[mesh_words.routing_word(data.payload)] += 1
        except DecodeError:
            self.counts["frames_refused"] += 1

    def _queue_status(self, status: mesh_pb2.QueueStatus, now: float) -> None:
        self._status_by = float("inf")
        ended = self._queue.status(status.mesh_packet_id, status.res, status.free, now)
        if ended is not None:
            self._end(ended)

    # --- sending

    def _pump(self, now: float) -> None:
        """Give the radio its next packet if it may have one; ask it for room if it has none."""
        effect = self._queue.next_frame(now) if self.ready else None
        if effect is not None:
            packet_id = self._draw_id()
            self._own_ids.append(packet_id)
            self._say(mesh_pb2.ToRadio(packet=self._mesh_packet(effect, packet_id)))
            self._queue.sent(effect, packet_id, now)
        if not self._queue.must_ask:
            self._ask_at = float("inf")
        elif self._ask_at == float("inf"):
            self._ask_at = now + ASK_S

    def _mesh_packet(self, effect: SendFrame, packet_id: int) -> mesh_pb2.MeshPacket:
        if effect.packet:
            packet = mesh_pb2.MeshPacket.FromString(effect.packet)
            packet.id = packet_id
            return packet
        if effect.text:
            return in_plain_words(effect.text, packet_id, self._emergency or 0, self._wanted.hop_limit)
        urgent = effect.lane is Lane.LIFE_THREAT
        return mesh_pb2.MeshPacket(
            to=BROADCAST if effect.destination is None else effect.destination,
            channel=self._channel_index,
            id=packet_id,
            hop_limit=hop_limit(effect, self._wanted.hop_limit),
            want_ack=effect.want_ack,
            priority=mesh_pb2.MeshPacket.Priority.ValueType(PRIORITY_RELIABLE if urgent else PRIORITY_DEFAULT),
            decoded=mesh_pb2.Data(portnum=_PRIVATE_APP, payload=effect.payload, request_id=effect.answers or 0),
        )

    def _ready_timers(self, now: float) -> None:
        ended = self._queue.expire(now)
        if ended is not None:
            self._end(ended)
            self._heartbeat(now)  # is it this packet, or is the radio gone?
        if now >= self._heartbeat_at or now >= self._ask_at:
            self._heartbeat(now)
        self._tell_time(now)
        self._pump(now)

    def _tell_time(self, now: float) -> None:
        """Tell the radio what time it is, when that is due and known."""
        if now >= self._time.due and self._learned.node_num is not None:
            told = self._time.tell(self._learned.node_num, self._draw_id(), now)
            if told is not None:
                self.counts["clock_told"] += 1
                self._say(mesh_pb2.ToRadio(packet=told))

    def _heartbeat(self, now: float) -> None:
        self.counts["heartbeats"] += 1
        self._say(mesh_pb2.ToRadio(heartbeat=mesh_pb2.Heartbeat()))
        self._heartbeat_at = now + HEARTBEAT_S
        if self._ask_at <= now:
            self._ask_at = now + ASK_S
        if self._answer_by is None:
            self._answer_by = now + ANSWER_S
        self._status_by = min(self._status_by, now + STATUS_ABSENT_S)

    def _unstick(self, now: float) -> None:
        """Give up on half a frame: what lies inside it may be whole ones.

        Padding completes the false frame; a message that needs it to be complete is refused.
        """
        self.counts["stalls"] += 1
        self._stalled_at = float("inf")
        self._padding = True
        self._reader.feed(_PAD * FRAME_BYTES_MAX)
        self._reader.reset()
        self._padding = False
        self._understand(now)

    # --- endings

    def _silence(self) -> str:
        where, limit_s = self._wanted.where, ANSWER_S if self.ready else HANDSHAKE_SILENCE_S
        return f"the radio at {where} is silent for {limit_s:g} s; restart the radio"

    def _fail(self, kind: Kind, reason: str) -> None:
        if self.failure is not None:
            return
        self.failure = Failure(kind, reason)
        self.ready = False
        self.counts["packets_dropped"] += len(self._held)
        for ended in self._queue.close():
            self._end(ended)

    def _refuse(self, effect: SendFrame, detail: str) -> None:
        self._end(SendEnded(LinkName.MESH, effect.attempt_id, SendOutcome.REFUSED, detail, radio=effect.radio))

    def _end(self, ended: SendEnded) -> None:
        self.counts[f"send_{ended.outcome}"] += 1
        self._events.append(ended)

    def _say(self, message: mesh_pb2.ToRadio) -> None:
        self._output += encode_frame(message.SerializeToString())


def _preset_name(lora: config_pb2.Config.LoRaConfig) -> str:
    """Return the modem preset by the firmware's name; empty for settings of one's own."""
    presets = config_pb2.Config.LoRaConfig.ModemPreset
    if not lora.use_preset or lora.modem_preset not in presets.values():
        return ""
    return str(presets.Name(lora.modem_preset))
