"""One virtual radio: the client protocol on one side, the mesh on the other.

Copies what firmware 2.7.26 was seen to do: the order of the handshake, queue status,
implicit and real acks, refusals with their codes, the queue of 32 packets to the client
that drops all but text when it is full. Pure: no clock, no socket. The server calls
``from_client`` with what came in and ``to_client`` for what goes out.
"""

import random
from collections import Counter, deque
from collections.abc import Callable

from google.protobuf.message import DecodeError

from steunpunt.protocol.airtime import DATA_BYTES_MAX, PKI_BYTES
from steunpunt.sim.admin import Admin, Outcome
from steunpunt.sim.air import Air, Frame
from steunpunt.sim.announcer import Announcer
from steunpunt.sim.faults import Faults
from steunpunt.sim.mesh import DUTY_CYCLE_MAX_PERCENT, TX_QUEUE_MAX, Mesh
from steunpunt.sim.packets import over_duty_cycle, pki_lock, priority_of, received, routing, unanswered
from steunpunt.sim.ratelimits import RateLimits
from steunpunt.sim.rtc import Quality, Rtc
from steunpunt.sim.sealing import sealed
from steunpunt.sim.settings import HOP_LIMIT_MAX, Settings
from steunpunt.sim.spec import RadioSpec
from steunpunt.sim.timeline import Timer
from steunpunt.sim.traceroute import pass_on
from steunpunt.values import replace
from steunpunt.wire import BROADCAST, admin_pb2, mesh_pb2, portnums_pb2, set_sender

TO_CLIENT_QUEUE_MAX = 32
"""Packets kept for the client; when full, text evicts the oldest and all else is dropped."""

QUEUE_STATUSES_MAX = 2
"""Queue statuses kept for the client; a third one pushes out the oldest."""

CLIENT_IDS_REMEMBERED = 20
"""Packet ids of the client that are ignored, without a status, when they come again."""

BACK_AFTER_REBOOT_MS = 50.0

_RES_QUEUE_FULL = 32
_RES_DISABLED = 34
_HOP_MARGIN = 2
_UNENCRYPTED_UNICAST = "serial"
_NODEINFO_BY_HEARTBEAT_MS = 60_000.0

_Error = mesh_pb2.Routing.Error
_Port = portnums_pb2.PortNum
_Priority = mesh_pb2.MeshPacket.Priority
_NEVER_PKI = frozenset((_Port.ROUTING_APP, _Port.NODEINFO_APP, _Port.POSITION_APP, _Port.TRACEROUTE_APP))


class Refusal(Exception):
    """The radio does not send a packet; carries the routing error."""

    def __init__(self, error: "mesh_pb2.Routing.Error.ValueType", notice: str = "") -> None:
        super().__init__(notice)
        self.error = error
        self.notice = notice


class VirtualRadio:
    """A radio that is off until ``start``."""

    def __init__(self, spec: RadioSpec, air: Air, rng: random.Random) -> None:
        self.spec = spec
        self.num = spec.node_num
        self.is_up = False
        self.settings = Settings(spec, air.preset)
        self.counters: Counter[str] = Counter()
        self.faults = Faults(rng)
        self.on_reboot: Callable[[], None] = lambda: None
        self._air = air
        self._rng = rng
        self._mesh = Mesh(self.num, air, rng, self, lambda: self.settings.transmits)
        self._admin = Admin(self.settings, rng.randbytes(8))
        self._announcer = Announcer(self, air.timeline, rng)
        self._power_timer: Timer | None = None
        self._started_ms = 0.0
        self._rtc = Rtc()
        self._heartbeat_nodeinfo_ms: float | None = None
        self._limits = RateLimits()
        self._client_ids: deque[int] = deque(maxlen=CLIENT_IDS_REMEMBERED)
        self._statuses: deque[mesh_pb2.QueueStatus] = deque(maxlen=QUEUE_STATUSES_MAX)
        self._notices: deque[mesh_pb2.ClientNotification] = deque(maxlen=QUEUE_STATUSES_MAX)
        self._packets: deque[mesh_pb2.MeshPacket] = deque()
        self._handshake: deque[mesh_pb2.FromRadio] = deque()
        self._configured = False

    # --- power

    def start(self) -> None:
        """Switch on."""
        self.is_up = True
        self._started_ms = self._air.timeline.now_ms
        self._mesh.start()
        self._announcer.start()

    def stop(self) -> None:
        """Switch off: queues are lost, settings and node list stay."""
        self.is_up = False
        if self._power_timer is not None:
            self._power_timer.cancel()
        self._mesh.stop()
        self._announcer.stop()
        self._admin.forget_edit()
        self._packets.clear()
        self._statuses.clear()
        self._notices.clear()
        self._client_ids.clear()
        self._rtc = Rtc()
        self.client_gone()

    def reboot(self, after_ms: float = 0.0) -> None:
        """Go down after a while and come back 50 ms later, as firmware does."""
        if self.is_up:
            if self._power_timer is not None:
                self._power_timer.cancel()
            self._power_timer = self._air.timeline.schedule(after_ms, self._reboot_now)

    def _off(self, after_ms: float) -> None:
        """Switch off after a while, until somebody switches on again."""
        if self._power_timer is not None:
            self._power_timer.cancel()
        self._power_timer = self._air.timeline.schedule(after_ms, self.stop)

    def _reboot_now(self) -> None:
        self.stop()
        self.settings.reboots += 1
        self.on_reboot()
        self._power_timer = self._air.timeline.schedule(BACK_AFTER_REBOOT_MS, self.start)

    def figures(self) -> dict[str, int | float | bool]:
        """All counters of this radio, its mesh included."""
        return {
            **self._mesh.counters,
            **self.counters,
            "up": self.is_up,
            "air_util_tx_percent": round(self._mesh.sent_percent(), 3),
            "queue_free": self._mesh.free,
            "packets_kept_for_client": len(self._packets),
            "reboots": self.settings.reboots,
        }

    # --- the client's side

    def client_gone(self) -> None:
        """Forget the connection; packets stay for the next client."""
        self._handshake.clear()
        self._limits.reset()
        self._configured = False

    def from_client(self, payload: bytes) -> bool:
        """Handle one ToRadio message; False if the client asked to be disconnected."""
        try:
            message = mesh_pb2.ToRadio.FromString(payload)
        except DecodeError:
            self.counters["client_bad_messages"] += 1
            return True
        kind = message.WhichOneof("payload_variant")
        if kind == "want_config_id":
            self._handshake = deque(self.settings.handshake(message.want_config_id))
            self._configured = True
        elif kind == "packet":
            self._packet_from_client(message.packet)
        elif kind == "heartbeat":
            self._heartbeat(message.heartbeat.nonce)
        return bool(kind != "disconnect")

    def to_client(self) -> bytes | None:
        """Give the next FromRadio message, serialised; None when there is nothing to say."""
        if not self._configured:
            return None
        if self._handshake:
            return bytes(self._handshake.popleft().SerializeToString())
        if self._statuses:
            return bytes(mesh_pb2.FromRadio(queueStatus=self._statuses.popleft()).SerializeToString())
        if self._notices:
            notice = self._notices.popleft()
            return bytes(mesh_pb2.FromRadio(clientNotification=notice).SerializeToString())
        if self._packets:
            self.counters["packets_to_client"] += 1
            return bytes(mesh_pb2.FromRadio(packet=self._packets.popleft()).SerializeToString())
        return None

    @property
    def keeps_nothing(self) -> bool:
        """Whether no packet waits for the client."""
        return not self._packets

    def keep_for_client(self, packet: mesh_pb2.MeshPacket) -> None:
        """Put a packet in the queue to the client, with the firmware's rule for a full one."""
        if len(self._packets) >= TO_CLIENT_QUEUE_MAX:
            self.counters["to_client_dropped"] += 1
            if packet.decoded.portnum != _Port.TEXT_MESSAGE_APP:
                return
            self._packets.popleft()
        self._packets.append(packet)

    def _heartbeat(self, nonce: int) -> None:
        if nonce != 1:
            self._tell_status(0, 0)
            return
        last_ms, now_ms = self._heartbeat_nodeinfo_ms, self._air.timeline.now_ms
        if last_ms is None or now_ms - last_ms >= _NODEINFO_BY_HEARTBEAT_MS:
            self._heartbeat_nodeinfo_ms = now_ms
            self._announcer.tell_nodeinfo(BROADCAST)

    def _tell_status(self, res: int, packet_id: int) -> None:
        if self.faults.withholds_status:
            return
        free = 0 if res == _RES_QUEUE_FULL else self._mesh.free
        status = mesh_pb2.QueueStatus(res=res, free=free, maxlen=TX_QUEUE_MAX, mesh_packet_id=packet_id)
        self._statuses.append(status)

    def _packet_from_client(self, packet: mesh_pb2.MeshPacket) -> None:
        if packet.id and packet.id in self._client_ids:
            self.counters["client_repeats_ignored"] += 1
            return
        packet.id = packet.id or self.new_id()
        self._client_ids.append(packet.id)
        self.counters["packets_from_client"] += 1
        if not self._limits.allows(packet.decoded.portnum, self._air.timeline.now_ms):
            self._limit(packet)
            return
        set_sender(packet, self.num)
        try:
            res = self._to_self(packet) if packet.to == self.num else self._from_client_to_air(packet)
        except Refusal as refusal:
            res = int(refusal.error)
            self.counters[f"refused_{_Error.Name(refusal.error)}"] += 1
            self._refuse(packet, refusal)
        self._tell_status(res, packet.id)

    def _limit(self, packet: mesh_pb2.MeshPacket) -> None:
        """Drop a packet that came too soon; the NAK of a text goes out on the air, to nobody."""
        self.counters["client_too_soon"] += 1
        self._tell_status(0, packet.id)
        if packet.decoded.portnum == _Port.TRACEROUTE_APP:
            self._notify(packet.id, "TraceRoute can only be sent once every 30 seconds")
        elif packet.decoded.portnum == _Port.TEXT_MESSAGE_APP:
            nak = mesh_pb2.MeshPacket(to=0, id=self.new_id(), channel=packet.channel, priority=_Priority.ACK)
            nak.hop_limit = self.settings.hop_limit
            nak.decoded.CopyFrom(routing(_Error.RATE_LIMIT_EXCEEDED, packet.id))
            self.try_send(nak)

    def _from_client_to_air(self, packet: mesh_pb2.MeshPacket) -> int:
        """Send a packet of the client's, unless a fault decides otherwise."""
        res = self.faults.next_res()
        if res == _RES_QUEUE_FULL:
            return res
        if res:
            raise Refusal(_Error.ValueType(res), over_duty_cycle(51) if res == _Error.DUTY_CYCLE_LIMIT else "")
        if nak := self.faults.next_nak():
            self._tell_own_ack(packet.id, _Error.ValueType(nak))
            return 0
        return self.send(packet)

    def _refuse(self, packet: mesh_pb2.MeshPacket, refusal: Refusal) -> None:
        if refusal.notice:
            self._notify(packet.id, refusal.notice)
        self._tell_own_ack(packet.id, refusal.error)

    def _notify(self, packet_id: int, text: str) -> None:
        level = mesh_pb2.LogRecord.Level.WARNING
        self._notices.append(mesh_pb2.ClientNotification(reply_id=packet_id, level=level, message=text))

    def _to_self(self, packet: mesh_pb2.MeshPacket) -> int:
        outcome = Outcome()
        if packet.decoded.portnum == _Port.ADMIN_APP:
            outcome = self._administer(packet)
        if outcome.reply is not None:
            self._reply_to_self(packet, outcome.reply)
        elif packet.want_ack:
            self._tell_own_ack(packet.id, outcome.error)
        return 0

    def _administer(self, packet: mesh_pb2.MeshPacket) -> Outcome:
        try:
            outcome = self._admin.apply(admin_pb2.AdminMessage.FromString(packet.decoded.payload))
        except DecodeError:
            return Outcome(error=_Error.BAD_REQUEST)
        if outcome.epoch_s is not None:
            self.set_clock(outcome.epoch_s, Quality.NTP)
        if outcome.reboot_after_ms is not None:
            self.reboot(outcome.reboot_after_ms)
        if outcome.off_after_ms is not None:
            self._off(outcome.off_after_ms)
        return outcome

    def _reply_to_self(self, request: mesh_pb2.MeshPacket, reply: admin_pb2.AdminMessage) -> None:
        packet = mesh_pb2.MeshPacket(to=self.num, id=self.new_id(), priority=_Priority.RELIABLE)
        set_sender(packet, self.num)
        packet.decoded.portnum = _Port.ADMIN_APP
        packet.decoded.payload = reply.SerializeToString()
        packet.decoded.request_id = request.id
        packet.rx_time = self.epoch_s()
        self.keep_for_client(packet)

    def _tell_own_ack(self, request_id: int, error: "mesh_pb2.Routing.Error.ValueType") -> None:
        """Tell the client the radio's own word about its packet: implicit ack or NAK."""
        packet = mesh_pb2.MeshPacket(to=self.num, id=self.new_id(), priority=_Priority.ACK)
        set_sender(packet, self.num)
        packet.decoded.CopyFrom(routing(error, request_id))
        self.keep_for_client(packet)

    # --- sending

    def send(self, packet: mesh_pb2.MeshPacket) -> int:
        """Send a packet of our own; gives QueueStatus.res, 0 or 32. Raises Refusal."""
        if packet.WhichOneof("payload_variant") != "decoded":
            raise Refusal(_Error.BAD_REQUEST)
        if self.settings.channel(packet.channel) is None:
            raise Refusal(_Error.NO_CHANNEL)
        pki = self._wants_pki(packet)
        packet.decoded.bitfield = int(packet.decoded.want_response) << 1
        data = bytes(packet.decoded.SerializeToString())
        if pki and not self.settings.knows_key(packet.to):
            raise Refusal(_Error.PKI_SEND_FAIL_PUBLIC_KEY)
        if len(data) > DATA_BYTES_MAX - (PKI_BYTES if pki else 0):
            raise Refusal(_Error.TOO_LARGE)
        self._check_duty_cycle()
        frame = self._frame(packet, data, pki=pki)
        accepted = self._mesh.send(frame, priority_of(packet), reliable=packet.want_ack)
        if not self.settings.transmits:
            return _RES_DISABLED
        return 0 if accepted else _RES_QUEUE_FULL

    def try_send(self, packet: mesh_pb2.MeshPacket) -> None:
        """Send something of the radio's own accord; a refusal is only counted."""
        try:
            self.send(packet)
        except Refusal as refusal:
            self.counters[f"own_unsent_{_Error.Name(refusal.error)}"] += 1

    def new_id(self) -> int:
        """Pick a random packet id, never 0."""
        return self._rng.randrange(1, 1 << 32)

    def _wants_pki(self, packet: mesh_pb2.MeshPacket) -> bool:
        if packet.to == BROADCAST or packet.decoded.portnum in _NEVER_PKI:
            return False
        name = self.settings.channel_name(packet.channel)
        return bool(packet.pki_encrypted) or not (packet.channel and name == _UNENCRYPTED_UNICAST)

    def _check_duty_cycle(self) -> None:
        percent = self._mesh.sent_percent()
        if percent > DUTY_CYCLE_MAX_PERCENT and not self.settings.config["lora"].lora.override_duty_cycle:
            minutes = round(60 * (1 - DUTY_CYCLE_MAX_PERCENT / percent)) + 1
            raise Refusal(_Error.DUTY_CYCLE_LIMIT, over_duty_cycle(minutes))

    def _frame(self, packet: mesh_pb2.MeshPacket, data: bytes, *, pki: bool) -> Frame:
        hop_limit = min(packet.hop_limit, HOP_LIMIT_MAX)
        if packet.want_ack and not hop_limit:
            hop_limit = self.settings.hop_limit
        return Frame(
            sender=self.num,
            to=packet.to,
            id=packet.id,
            channel_hash=0 if pki else self.settings.channel_hash(packet.channel),
            lock=pki_lock(packet.to) if pki else self.settings.channel_key(packet.channel),
            data=data,
            hop_limit=hop_limit,
            hop_start=hop_limit,
            want_ack=packet.want_ack and packet.to != BROADCAST,
            relay_node=self.num & 0xFF,
            pki=pki,
            answers=0 if pki else packet.decoded.request_id,
        )

    # --- what the mesh tells

    def heard(self, frame: Frame, snr_db: float, rssi_dbm: int) -> None:
        """Take a packet from the mesh; only broadcasts and our own unicasts reach the client."""
        if frame.to not in (BROADCAST, self.num):
            return
        packet = self._open(frame)
        if packet is None:
            self.counters["frames_unreadable"] += 1
            if frame.want_ack:
                unknown_peer = frame.pki and not self.settings.knows_key(frame.sender)
                self._acknowledge(frame, 0, _Error.PKI_UNKNOWN_PUBKEY if unknown_peer else _Error.NO_CHANNEL)
            packet = received(frame, frame.channel_hash, sealed(frame))
            packet.rx_snr, packet.rx_rssi, packet.rx_time = snr_db, rssi_dbm, self.epoch_s()
            self.keep_for_client(packet)
            return
        traced = pass_on(packet.decoded, self.num, snr_db, frame.hops_used, arrived=frame.to == self.num)
        if traced is not None:
            packet.decoded.CopyFrom(traced)
        packet.rx_snr, packet.rx_rssi, packet.rx_time = snr_db, rssi_dbm, self.epoch_s()
        if frame.to == self.num and packet.decoded.request_id:
            self._mesh.answered(packet.decoded.request_id)
        replied = self._announcer.learn(packet)
        error = unanswered(packet) if frame.to == self.num and not replied else None
        if frame.want_ack and not replied and error in (None, _Error.NO_RESPONSE):
            self._acknowledge(frame, packet.channel, _Error.NONE)
        if error is not None:
            self._acknowledge(frame, packet.channel, error)
        self.keep_for_client(packet)

    def onward(self, frame: Frame, snr_db: float) -> Frame:
        """Write ourselves into a traceroute that we can read; leave all else as it is."""
        packet = None if frame.pki else self._open(frame)
        traced = packet and pass_on(packet.decoded, self.num, snr_db, frame.hops_used, arrived=False)
        return replace(frame, data=traced.SerializeToString()) if traced else frame

    def heard_again(self, frame: Frame) -> None:
        """Repeat the ack that the sender missed."""
        packet = self._open(frame)
        if packet is not None and frame.want_ack:
            self._acknowledge(frame, packet.channel, _Error.NONE)

    def arrived_by_route(self, frame: Frame) -> None:
        """Tell the last hop, and no further, that it arrived."""
        packet = self._open(frame)
        if packet is not None:
            self._acknowledge(frame, packet.channel, _Error.NONE, hops=0)

    def relayed_by_others(self, frame: Frame) -> None:
        """Tell the client the implicit ack."""
        self._tell_own_ack(frame.id, _Error.NONE)

    def gave_up(self, frame: Frame) -> None:
        """Tell the client that nobody was heard."""
        self._tell_own_ack(frame.id, _Error.MAX_RETRANSMIT)

    def sending(self, frame: Frame) -> None:
        """Give the second queue status, if this radio is set to copy the simulated firmware."""
        if self.spec.status_at_send and frame.sender == self.num:
            self._tell_status(0, frame.id)

    def _open(self, frame: Frame) -> mesh_pb2.MeshPacket | None:
        """Decrypt a packet; None if this radio has not what it takes."""
        if frame.pki:
            readable = frame.lock == pki_lock(self.num) and self.settings.knows_key(frame.sender)
            index = 0 if readable else None
        else:
            index = self.settings.channel_for(frame.channel_hash, frame.lock)
        data = mesh_pb2.Data.FromString(frame.data)
        legacy = frame.to == self.num and not frame.pki and data.portnum == _Port.TEXT_MESSAGE_APP
        return None if index is None or legacy else received(frame, index, data)

    def _acknowledge(
        self, frame: Frame, channel: int, error: "mesh_pb2.Routing.Error.ValueType", hops: int | None = None
    ) -> None:
        used = frame.hops_used
        if hops is None:
            hops = self.settings.hop_limit
            if used > hops or used + _HOP_MARGIN < hops:
                hops = used if used > hops else used + _HOP_MARGIN
        ack = mesh_pb2.MeshPacket(
            to=frame.sender,
            id=self.new_id(),
            channel=channel,
            hop_limit=hops,
            priority=_Priority.ACK,
            decoded=routing(error, frame.id),
        )
        self.try_send(ack)

    # --- time

    @property
    def uptime_ms(self) -> float:
        """Simulated milliseconds since power came on."""
        return self._air.timeline.now_ms - self._started_ms

    def set_clock(self, epoch_s: int, quality: Quality) -> None:
        """Take the time from a client or from the mesh, unless it is known better."""
        self.counters["clock_set"] += self._rtc.set(epoch_s, quality, self.uptime_ms)

    def epoch_s(self, least: Quality = Quality.NET) -> int:
        """Wall clock in Unix seconds; 0 until somebody of at least this quality set it."""
        return self._rtc.epoch_s(self.uptime_ms, least)

    @property
    def packet_counts(self) -> Counter[str]:
        """What the mesh side counted."""
        return self._mesh.counters

    @property
    def airtime_percents(self) -> tuple[float, float]:
        """Channel utilisation of the last minute and own transmission of the last hour, in percent."""
        return self._mesh.channel_percent(), self._mesh.sent_percent()
