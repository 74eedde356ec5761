"""What a radio broadcasts on its own, and what it learns from others' broadcasts.

NodeInfo, position and device telemetry, each soon after power-on and then at its
interval, on the primary channel; a request for one of them is answered.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from google.protobuf.message import DecodeError

from steunpunt.sim.rtc import Quality
from steunpunt.sim.settings import Settings, device_metrics
from steunpunt.sim.spec import RadioSpec
from steunpunt.sim.timeline import Timeline, Timer
from steunpunt.wire import BROADCAST, mesh_pb2, portnums_pb2, sender, set_sender, telemetry_pb2

FIRST_AFTER_MS = (5_000.0, 30_000.0)
"""When after power-on each first broadcast falls, at random, in milliseconds."""

TELEMETRY_TO_CLIENT_MS = 60_000.0
"""How often the client is told the radio's own telemetry, in milliseconds."""

STATS_TO_CLIENT_MS = 900_000.0
"""How often the client is told what the radio counted, in milliseconds."""

_Port = portnums_pb2.PortNum
_Tell = Callable[[int], None]


class Sender(Protocol):
    """The radio, as far as it is needed here."""

    num: int
    spec: RadioSpec
    settings: Settings

    @property
    def uptime_ms(self) -> float:
        """Milliseconds since power-on."""

    @property
    def airtime_percents(self) -> tuple[float, float]:
        """Channel utilisation and own transmission."""

    @property
    def keeps_nothing(self) -> bool:
        """Whether no packet waits for the client."""

    @property
    def packet_counts(self) -> Counter[str]:
        """What was sent, heard and relayed."""

    def epoch_s(self, least: Quality = Quality.NET) -> int:
        """Wall clock, or 0 while nobody of that quality told it."""

    def set_clock(self, epoch_s: int, quality: Quality) -> None:
        """Take the time."""

    def new_id(self) -> int:
        """Make a fresh packet id."""

    def try_send(self, packet: mesh_pb2.MeshPacket) -> None:
        """Send unless the radio may not."""

    def keep_for_client(self, packet: mesh_pb2.MeshPacket) -> None:
        """Hand a packet to the client."""


class Announcer:
    """Broadcasts for one radio; silent until ``start``."""

    def __init__(self, radio: Sender, timeline: Timeline, rng: random.Random) -> None:
        self._radio = radio
        self._timeline = timeline
        self._rng = rng
        self._timers: dict[str, Timer] = {}
        self._stats_ms: float | None = None
        """Uptime at which the client was last told what was counted."""

    def start(self) -> None:
        """Begin with the first broadcasts."""
        spec = self._radio.spec
        for name, tell, interval_s in (
            ("nodeinfo", self.tell_nodeinfo, spec.nodeinfo_interval_s),
            ("position", self.tell_position, spec.position_interval_s),
            ("telemetry", self.tell_telemetry, spec.telemetry_interval_s),
        ):
            if interval_s > 0:
                self._repeat(name, tell, self._rng.uniform(*FIRST_AFTER_MS), interval_s * 1000)
        if spec.telemetry_interval_s > 0:
            self._repeat("client", self._telemetry_to_client, TELEMETRY_TO_CLIENT_MS, TELEMETRY_TO_CLIENT_MS)

    def stop(self) -> None:
        """Fall silent."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._stats_ms = None

    def learn(self, packet: mesh_pb2.MeshPacket) -> bool:
        """Note what a packet says about its sender; True if it was a request and got its reply."""
        node = self._radio.settings.node(sender(packet))
        node.snr, node.last_heard = packet.rx_snr, packet.rx_time
        node.hops_away = packet.hop_start - packet.hop_limit
        try:
            self._note(node, packet.decoded)
        except DecodeError:
            return False
        return self._reply(packet)

    def tell_nodeinfo(self, to: int) -> None:
        """Send the owner's name and key."""
        self._send(to, _Port.NODEINFO_APP, self._radio.settings.owner.SerializeToString())

    def tell_position(self, to: int) -> None:
        """Send the position, if there is one."""
        position = self._radio.settings.position
        if position is not None:
            position.time = self._radio.epoch_s(Quality.NTP)  # hearsay is not passed on
            self._send(to, _Port.POSITION_APP, position.SerializeToString())

    def tell_telemetry(self, to: int) -> None:
        """Send battery, airtime and uptime."""
        self._send(to, _Port.TELEMETRY_APP, self._telemetry())

    def _repeat(self, name: str, tell: _Tell, delay_ms: float, interval_ms: float) -> None:
        def now() -> None:
            tell(BROADCAST)
            self._repeat(name, tell, interval_ms, interval_ms)

        self._timers[name] = self._timeline.schedule(delay_ms, now)

    def _note(self, node: mesh_pb2.NodeInfo, data: mesh_pb2.Data) -> None:
        if data.portnum == _Port.NODEINFO_APP:
            node.user.CopyFrom(mesh_pb2.User.FromString(data.payload))
        elif data.portnum == _Port.POSITION_APP:
            node.position.CopyFrom(mesh_pb2.Position.FromString(data.payload))
            self._radio.set_clock(int(node.position.time), Quality.NET)
        elif data.portnum == _Port.TELEMETRY_APP:
            telemetry = telemetry_pb2.Telemetry.FromString(data.payload)
            if telemetry.HasField("device_metrics"):
                node.device_metrics.CopyFrom(telemetry.device_metrics)

    def _reply(self, packet: mesh_pb2.MeshPacket) -> bool:
        if not packet.decoded.want_response or packet.to != self._radio.num:
            return False
        settings, port = self._radio.settings, packet.decoded.portnum
        if port == _Port.NODEINFO_APP:
            payload = settings.owner.SerializeToString()
        elif port == _Port.TRACEROUTE_APP and not packet.decoded.request_id:
            payload = packet.decoded.payload  # the radio has written its part into it
        elif port == _Port.TELEMETRY_APP and (told := self._asked_telemetry(packet.decoded.payload)):
            payload = told
        elif port == _Port.POSITION_APP and settings.position is not None:
            payload = settings.position.SerializeToString()
        else:
            return False
        self._send(sender(packet), port, payload, request=packet)
        return True

    def _asked_telemetry(self, payload: bytes) -> bytes:
        """Return what a request for telemetry gets: the device's own, what it counted, or nothing: no sensors here."""
        asked = telemetry_pb2.Telemetry.FromString(payload).WhichOneof("variant")
        if asked == "local_stats":
            return self._local_stats()
        return self._telemetry() if asked in (None, "device_metrics") else b""

    def _telemetry(self) -> bytes:
        radio = self._radio
        metrics = device_metrics(radio.spec.battery_percent, radio.uptime_ms)
        metrics.channel_utilization, metrics.air_util_tx = radio.airtime_percents
        own = radio.settings.node(radio.num)
        own.device_metrics.CopyFrom(metrics)
        telemetry = telemetry_pb2.Telemetry(time=radio.epoch_s(), device_metrics=metrics)
        return bytes(telemetry.SerializeToString())

    def _local_stats(self) -> bytes:
        """Return what the radio counted since it was switched on, as it tells its client and who asks for it."""
        radio, counts, nodes = self._radio, self._radio.packet_counts, len(self._radio.settings.nodes)
        channel_percent, sent_percent = radio.airtime_percents
        stats = telemetry_pb2.LocalStats(
            uptime_seconds=int(radio.uptime_ms / 1000),
            channel_utilization=channel_percent,
            air_util_tx=sent_percent,
            num_packets_tx=counts["frames_sent"],
            num_packets_rx=counts["frames_heard"],
            num_online_nodes=nodes,
            num_total_nodes=nodes,
            num_rx_dupe=counts["duplicates"],
            num_tx_relay=counts["frames_relayed"],
            num_tx_relay_canceled=counts["relays_cancelled"],
        )
        return bytes(telemetry_pb2.Telemetry(time=radio.epoch_s(), local_stats=stats).SerializeToString())

    def _telemetry_to_client(self, _: int) -> None:
        radio = self._radio
        if not radio.keeps_nothing:  # never in the way of what came over the air
            return
        radio.keep_for_client(self._packet(BROADCAST, _Port.TELEMETRY_APP, self._telemetry()))
        if self._stats_ms is None or radio.uptime_ms - self._stats_ms >= STATS_TO_CLIENT_MS:
            self._stats_ms = radio.uptime_ms
            radio.keep_for_client(self._packet(BROADCAST, _Port.TELEMETRY_APP, self._local_stats()))

    def _packet(self, to: int, port: "portnums_pb2.PortNum.ValueType", payload: bytes) -> mesh_pb2.MeshPacket:
        packet = mesh_pb2.MeshPacket(to=to, id=self._radio.new_id())
        packet.hop_limit = self._radio.settings.hop_limit
        packet.priority = mesh_pb2.MeshPacket.Priority.BACKGROUND
        packet.decoded.portnum = port
        packet.decoded.payload = payload
        packet.rx_time = self._radio.epoch_s()
        set_sender(packet, self._radio.num)
        return packet

    def _send(
        self,
        to: int,
        port: "portnums_pb2.PortNum.ValueType",
        payload: bytes,
        request: mesh_pb2.MeshPacket | None = None,
    ) -> None:
        packet = self._packet(to, port, payload)
        if request is not None:
            packet.decoded.request_id = request.id
            packet.channel = request.channel
            packet.priority = mesh_pb2.MeshPacket.Priority.RESPONSE
        self._radio.try_send(packet)
