"""The client protocol's session, walked by hand: bytes and times in, bytes and events out."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.links.mesh_queue import ASK_S, GAP_S, STATUS_S, WAITING_MAX, TransmitQueue
from steunpunt.links.mesh_session import (
    ANSWER_S,
    HANDSHAKE_S,
    HANDSHAKE_SILENCE_S,
    HEARTBEAT_S,
    HELD_PACKETS_MAX,
    REASK_S,
    STALL_S,
    STATUS_ABSENT_S,
    WAKE,
    Session,
)
from steunpunt.links.mesh_terms import Failure, Kind, Wanted
from steunpunt.model import (
    Event,
    FrameHeard,
    Lane,
    LinkName,
    PacketHeard,
    RadioPrepared,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from steunpunt.wire import FrameReader, channel_pb2, encode_frame, mesh_pb2, portnums_pb2

CONFIG_ID, NODE, PEER = 4711, 0xA1B2C3D4, 0x11223344
WANTED = Wanted("127.0.0.1:4403", "serial", hop_limit=4, mend_channel="`meshtastic --ch-add serial`")
Port = portnums_pb2.PortNum
Variant = mesh_pb2.FromRadio


class Walk:
    """A session and a clock that the test moves."""

    def __init__(self, wanted: Wanted = WANTED) -> None:
        self.now = 1000.0
        ids = itertools.count(501)
        self.session = Session(wanted, CONFIG_ID, lambda: next(ids), self.now)
        self._reader = FrameReader()

    def hear(self, *messages: mesh_pb2.FromRadio) -> None:
        self.raw(b"".join(encode_frame(message.SerializeToString()) for message in messages))

    def raw(self, data: bytes) -> None:
        self.session.receive(data, self.now)

    def said(self) -> list[mesh_pb2.ToRadio]:
        return [mesh_pb2.ToRadio.FromString(part) for part in self._reader.feed(self.session.take_output())]

    def sent(self) -> list[mesh_pb2.MeshPacket]:
        return [message.packet for message in self.said() if message.HasField("packet")]

    def events(self) -> list[Event]:
        return self.session.take_events()

    def pass_time(self, until: float) -> None:
        """Walk from timer to timer, as the link does; a timer that stands still would never end."""
        for _ in range(1000):
            due = self.session.next_timer()
            if due > until:
                break
            self.now = max(self.now, due)
            self.session.handle_timer(self.now)
        else:
            pytest.fail("the session's timer does not move on")
        self.now = until

    def send(self, attempt: int, lane: Lane = Lane.OTHER, payload: bytes = b"sealed", **more: int) -> None:
        destination = more.get("destination")
        effect = SendFrame(LinkName.MESH, attempt, payload, lane, destination, want_ack=bool(more.get("want_ack")))
        self.session.send(effect, self.now)

    def status(self, packet_id: int, res: int = 0, free: int = 15) -> None:
        self.hear(Variant(queueStatus=mesh_pb2.QueueStatus(res=res, free=free, maxlen=16, mesh_packet_id=packet_id)))

    def failure(self) -> Failure:
        assert self.session.failure is not None
        return self.session.failure


def channel(index: int, name: str, *, enabled: bool = True) -> mesh_pb2.FromRadio:
    made = mesh_pb2.FromRadio()
    made.channel.index = index
    made.channel.settings.name = name
    role = channel_pb2.Channel.Role
    made.channel.role = (role.SECONDARY if index else role.PRIMARY) if enabled else role.DISABLED
    return made


def handshake(*channels: mesh_pb2.FromRadio) -> list[mesh_pb2.FromRadio]:
    lora = mesh_pb2.FromRadio()
    lora.config.lora.use_preset = True
    return [
        Variant(my_info=mesh_pb2.MyNodeInfo(my_node_num=NODE)),
        Variant(metadata=mesh_pb2.DeviceMetadata(firmware_version="2.7.26.abc")),
        *(channels or (channel(0, ""), channel(1, "serial"), channel(2, "", enabled=False))),
        lora,
        Variant(config_complete_id=CONFIG_ID),
    ]


def incoming(port: int, payload: bytes, sender: int = PEER, request_id: int = 0) -> mesh_pb2.FromRadio:
    made = mesh_pb2.FromRadio()
    made.packet.decoded.portnum = Port.ValueType(port)
    made.packet.decoded.payload = payload
    made.packet.decoded.request_id = request_id
    made.packet.id, made.packet.rx_snr, made.packet.rx_rssi = 9, 5.5, -80
    setattr(made.packet, "from", sender)
    return made


@pytest.fixture
def ready() -> Walk:
    walk = Walk()
    walk.said()
    walk.hear(*handshake())
    walk.events()
    return walk


def outcomes(events: list[Event]) -> list[tuple[int, SendOutcome]]:
    return [(event.attempt_id, event.outcome) for event in events if isinstance(event, SendEnded)]


# --- handshake


def test_it_wakes_the_radio_and_asks_for_its_config() -> None:
    output = Walk().session.take_output()
    assert output.startswith(WAKE)
    assert mesh_pb2.ToRadio.FromString(output[len(WAKE) + 4 :]).want_config_id == CONFIG_ID


def test_the_handshake_prepares_the_radio() -> None:
    walk = Walk()
    walk.hear(*handshake())
    assert walk.events() == [RadioPrepared(NODE, ("", "serial"), "LONG_FAST", "2.7.26.abc")]
    assert walk.session.ready


def test_the_bridge_learns_the_names_that_the_radio_knows() -> None:
    walk = Walk()
    known = [mesh_pb2.NodeInfo(num=num, user=mesh_pb2.User(long_name=name)) for num, name in ((NODE, "a"), (PEER, "b"))]
    nodes = [Variant(node_info=info) for info in [*known, mesh_pb2.NodeInfo(num=5)]]
    walk.hear(*nodes, *handshake(channel(0, ""), channel(1, "serial")))
    (prepared,) = [event for event in walk.events() if isinstance(event, RadioPrepared)]
    assert prepared.long_names == ((NODE, "a"), (PEER, "b"))


def test_another_config_complete_id_is_not_ours() -> None:
    walk = Walk()
    walk.hear(*handshake()[:-1], Variant(config_complete_id=CONFIG_ID + 1))
    assert not walk.session.ready


def test_a_missing_channel_is_said_with_what_to_run() -> None:
    walk = Walk()
    walk.hear(*handshake(channel(0, ""), channel(1, "serial", enabled=False), channel(2, "Serial")))
    assert walk.failure() == Failure(
        Kind.MISCONFIGURED, 'radio !a1b2c3d4 has no channel "serial"; run `meshtastic --ch-add serial`'
    )


def test_the_wrong_radio_is_refused() -> None:
    walk = Walk(Wanted("/dev/ttyX", "serial", 3, node=PEER))
    walk.hear(*handshake())
    assert walk.failure().kind is Kind.MISCONFIGURED
    assert "is !a1b2c3d4, not !11223344" in walk.failure().reason


def test_a_secondary_channel_wins_over_a_primary_of_the_same_name() -> None:
    walk = Walk()
    walk.hear(*handshake(channel(0, "serial"), channel(3, "serial")))
    walk.said()
    walk.send(1)
    assert walk.sent()[0].channel == 3


def test_silence_in_the_handshake_ends_the_session() -> None:
    walk = Walk()
    walk.hear(*handshake()[:1])
    walk.pass_time(walk.now + HANDSHAKE_SILENCE_S - 0.1)
    assert walk.session.failure is None
    walk.pass_time(walk.now + 0.2)
    assert (walk.failure().kind, "silent for 10 s" in walk.failure().reason) == (Kind.LOST, True)


def test_a_handshake_that_never_ends_is_ended() -> None:
    walk = Walk()
    start = walk.now
    while walk.session.failure is None:
        walk.hear(Variant(node_info=mesh_pb2.NodeInfo(num=5)))
        walk.pass_time(walk.now + 5)
    assert walk.now - start <= HANDSHAKE_S + 5
    assert "does not finish its handshake" in walk.failure().reason


@pytest.mark.parametrize("count", [0, 3])
def test_a_reboot_ends_the_session_at_any_moment(count: int) -> None:
    walk = Walk()
    walk.hear(*handshake()[:count], Variant(rebooted=True))
    assert walk.failure().kind is Kind.REBOOTED


# --- receiving


def test_packets_before_the_handshake_is_over_are_not_lost() -> None:
    walk = Walk()
    text = incoming(Port.TEXT_MESSAGE_APP, b"hello")
    walk.hear(*handshake()[:2], text, incoming(Port.PRIVATE_APP, b"sealed"), *handshake()[2:])
    frame, prepared, heard = walk.events()
    assert frame == FrameHeard(LinkName.MESH, b"sealed", sender=PEER, packet_id=9, snr_db=5.5)
    assert isinstance(prepared, RadioPrepared)
    assert heard == PacketHeard(text.packet.SerializeToString(), NODE)


def test_packets_that_wait_for_the_handshake_are_bounded() -> None:
    walk = Walk()
    for _ in range(HELD_PACKETS_MAX + 5):
        walk.hear(incoming(Port.TEXT_MESSAGE_APP, b"x"))
    walk.hear(*handshake())
    assert len(walk.events()) == 1 + HELD_PACKETS_MAX
    assert walk.session.take_counts()["packets_dropped"] == 5


def test_our_own_echo_and_empty_frames_are_dropped(ready: Walk) -> None:
    ready.hear(incoming(Port.PRIVATE_APP, b"sealed", sender=NODE), incoming(Port.PRIVATE_APP, b""))
    assert ready.events() == []
    assert ready.session.take_counts()["frames_dropped"] == 2


def test_a_frame_without_signal_figures_has_none(ready: Walk) -> None:
    message = incoming(Port.PRIVATE_APP, b"sealed")
    message.packet.rx_snr, message.packet.rx_rssi = 0, 0
    ready.hear(message)
    assert ready.events() == [FrameHeard(LinkName.MESH, b"sealed", sender=PEER, packet_id=9)]


def test_console_log_between_frames_is_passed_over(ready: Walk) -> None:
    frame = encode_frame(incoming(Port.PRIVATE_APP, b"sealed").SerializeToString())
    ready.raw(b"INFO | 12:00 boot\r\n\x94" + frame[:7])
    ready.raw(frame[7:] + b"\x94\xc3\xff\xff log " + frame)
    assert len(ready.events()) == 2


def test_a_frame_inside_half_a_frame_is_found_after_the_stall(ready: Walk) -> None:
    frame = encode_frame(incoming(Port.PRIVATE_APP, b"sealed").SerializeToString())
    ready.raw(b"\x94\xc3\x01\xf0 not a frame " + frame)
    assert ready.events() == []
    ready.pass_time(ready.now + STALL_S)
    assert [type(event) for event in ready.events()] == [FrameHeard]


def test_a_true_half_frame_is_not_completed_with_zeros(ready: Walk) -> None:
    message = incoming(Port.PRIVATE_APP, b"x" * 100)
    message.packet.ClearField("id")  # so that the payload ends the frame, and any bytes would fill it
    message.packet.ClearField("rx_snr")
    message.packet.ClearField("rx_rssi")
    ready.raw(encode_frame(message.SerializeToString())[:60])
    ready.pass_time(ready.now + STALL_S)
    ready.hear(incoming(Port.PRIVATE_APP, b"sealed"))
    assert [event.payload for event in ready.events() if isinstance(event, FrameHeard)] == [b"sealed"]


# --- sending


def test_a_packet_carries_what_the_firmware_needs(ready: Walk) -> None:
    ready.send(1, Lane.LIFE_THREAT)
    broadcast = ready.sent()[0]
    assert (broadcast.to, broadcast.channel, broadcast.hop_limit, broadcast.id) == (0xFFFFFFFF, 1, 4, 501)
    assert (broadcast.priority, broadcast.want_ack) == (70, False)
    assert (broadcast.decoded.portnum, broadcast.decoded.payload) == (Port.PRIVATE_APP, b"sealed")
    ready.status(501)
    ready.pass_time(ready.now + GAP_S)
    ready.send(2, Lane.OTHER, destination=PEER, want_ack=True)
    unicast = ready.sent()[0]
    assert (unicast.to, unicast.want_ack, unicast.priority, unicast.id) == (PEER, True, 64, 502)


def test_one_packet_is_outstanding_until_its_status(ready: Walk) -> None:
    ready.send(1)
    ready.send(2)
    assert [packet.id for packet in ready.sent()] == [501]
    ready.status(0)
    assert ready.sent() == []
    ready.status(501)
    assert ready.events() == [SendEnded(LinkName.MESH, 1, SendOutcome.TAKEN, packet_id=501)]
    ready.pass_time(ready.now + GAP_S / 2)
    assert ready.sent() == []
    ready.pass_time(ready.now + GAP_S)
    assert [packet.id for packet in ready.sent()] == [502]


def test_the_most_urgent_lane_goes_first(ready: Walk) -> None:
    ready.send(1, Lane.HOUSEKEEPING)
    for attempt, lane in ((2, Lane.ANNOUNCEMENT), (3, Lane.OTHER), (4, Lane.LIFE_THREAT), (5, Lane.OTHER)):
        ready.send(attempt, lane)
    for packet_id in range(501, 506):
        ready.status(packet_id)
        ready.pass_time(ready.now + GAP_S)
    assert [attempt for attempt, _ in outcomes(ready.events())] == [1, 4, 3, 5, 2]


@pytest.mark.parametrize(("res", "name"), [(6, "NO_CHANNEL"), (9, "DUTY_CYCLE_LIMIT"), (32, "queue full")])
def test_a_res_refuses_the_packet_and_names_it(ready: Walk, res: int, name: str) -> None:
    ready.send(1)
    ready.status(501, res=res)
    ended = ready.events()[0]
    assert isinstance(ended, SendEnded)
    assert (ended.outcome, ended.packet_id) == (SendOutcome.REFUSED, 501)
    assert f"res {res}" in ended.detail
    assert name in ended.detail


def test_without_a_status_the_packet_is_unknown_and_the_radio_is_asked(ready: Walk) -> None:
    ready.send(1)
    ready.send(2)
    ready.said()
    ready.pass_time(ready.now + STATUS_S)
    assert outcomes(ready.events()) == [(1, SendOutcome.UNKNOWN)]
    assert [message.WhichOneof("payload_variant") for message in ready.said()] == ["heartbeat"]
    ready.status(0, free=16)
    assert [packet.id for packet in ready.sent()] == [502]


def test_a_full_radio_is_asked_until_it_has_room(ready: Walk) -> None:
    ready.send(1)
    ready.send(2)
    ready.status(501, free=3)
    ready.said()
    for _ in range(3):
        ready.pass_time(ready.now + ASK_S)
        assert [message.WhichOneof("payload_variant") for message in ready.said()] == ["heartbeat"]
        ready.status(0, free=5)
        assert ready.sent() == []
    ready.status(0, free=9)
    assert [packet.id for packet in ready.sent()] == [502]
    ready.status(502)
    ready.said()
    ready.pass_time(ready.now + 50)
    assert ready.said() == []


def test_a_payload_that_does_not_fit_is_refused_at_once(ready: Walk) -> None:
    ready.send(1, payload=b"x" * 218)
    ready.send(2, payload=b"")
    ready.send(3, payload=b"x" * 217)
    assert outcomes(ready.events()) == [(1, SendOutcome.REFUSED), (2, SendOutcome.REFUSED)]
    assert len(ready.sent()) == 1


def test_before_the_handshake_a_send_is_refused() -> None:
    walk = Walk()
    walk.send(1)
    assert outcomes(walk.events()) == [(1, SendOutcome.REFUSED)]


def test_the_end_of_the_connection_ends_every_send_once(ready: Walk) -> None:
    for attempt in range(1, 4):
        ready.send(attempt)
    ready.session.close(Kind.LOST, "gone")
    ready.session.close(Kind.MISCONFIGURED, "never said")
    ready.send(4)
    refused = SendOutcome.REFUSED
    assert outcomes(ready.events()) == [(1, SendOutcome.UNKNOWN), (2, refused), (3, refused), (4, refused)]
    assert ready.failure() == Failure(Kind.LOST, "gone")
    assert ready.session.next_timer() == float("inf")


def test_a_full_queue_gives_up_its_lowest_lane() -> None:
    queue = TransmitQueue()
    for attempt in range(WAITING_MAX):
        assert queue.offer(SendFrame(LinkName.MESH, attempt, b"x", Lane.HOUSEKEEPING)) == []
    gave_way = queue.offer(SendFrame(LinkName.MESH, 900, b"x", Lane.LIFE_THREAT))
    assert [ended.attempt_id for ended in gave_way] == [WAITING_MAX - 1]
    assert len(queue) == WAITING_MAX


# --- acks, NAKs, heartbeats


def test_naks_of_our_own_packets_are_counted_by_name(ready: Walk) -> None:
    ready.send(1)
    for payload in (b"\x18\x05", b"\x18\x00", b"\x18\x7f", b"\xff"):
        ready.hear(incoming(Port.ROUTING_APP, payload, sender=NODE, request_id=501))
    ready.hear(incoming(Port.ROUTING_APP, b"\x18\x05", request_id=999))
    counts = ready.session.take_counts()
    assert (counts["nak_max_retransmit"], counts["acks_heard"], counts["nak_unknown"]) == (1, 1, 1)
    assert counts["frames_refused"] == 1
    assert outcomes(ready.events()) == []


def test_an_answered_heartbeat_keeps_the_link(ready: Walk) -> None:
    for _ in range(5):
        ready.pass_time(ready.now + HEARTBEAT_S)
        assert [message.WhichOneof("payload_variant") for message in ready.said()] == ["heartbeat"]
        ready.status(0, free=16)
    assert ready.session.failure is None


def test_an_unanswered_heartbeat_ends_the_link(ready: Walk) -> None:
    ready.pass_time(ready.now + HEARTBEAT_S + ANSWER_S - 0.1)
    assert ready.session.failure is None
    ready.pass_time(ready.now + 0.2)
    assert ready.failure().kind is Kind.LOST


def test_an_idle_session_wakes_once_a_minute(ready: Walk) -> None:
    wakes = 0
    end = ready.now + 600
    while (due := ready.session.next_timer()) <= end:
        ready.now = due
        ready.session.handle_timer(due)
        ready.status(0, free=16)
        wakes += 1
    assert wakes == 10


# --- anything


@given(st.lists(st.one_of(st.binary(max_size=600), st.floats(0, 30)), max_size=12), st.booleans())
def test_no_bytes_and_no_times_raise(steps: list[bytes | float], done: bool) -> None:  # noqa: FBT001
    walk = Walk()
    if done:
        walk.hear(*handshake())
    for attempt, step in enumerate(steps):
        if isinstance(step, bytes):
            walk.raw(step)
            walk.raw(encode_frame(step[:512]))
        else:
            walk.send(attempt)
            walk.pass_time(walk.now + step)
    walk.session.close(Kind.LOST, "end")
    sends = [attempt for attempt, step in enumerate(steps) if not isinstance(step, bytes)]
    assert sorted(attempt for attempt, _ in outcomes(walk.events())) == sends


def test_an_integrators_packet_goes_as_it_is_under_an_id_of_ours_and_last(ready: Walk) -> None:
    walk = ready
    foreign = mesh_pb2.MeshPacket(to=PEER, channel=2, hop_limit=1, id=9)
    foreign.decoded.portnum, foreign.decoded.payload = Port.TEXT_MESSAGE_APP, b"x" * 232
    walk.session.send(SendFrame(LinkName.MESH, 1, b"first", Lane.OTHER), walk.now)
    frame = SendFrame(LinkName.MESH, -1, b"", Lane.HOUSEKEEPING, packet=foreign.SerializeToString())
    walk.session.send(frame, walk.now)
    walk.session.send(SendFrame(LinkName.MESH, 2, b"second", Lane.OTHER), walk.now)
    sent = []
    for _ in range(3):
        (packet,) = walk.sent()
        sent.append(packet)
        walk.hear(Variant(queueStatus=mesh_pb2.QueueStatus(res=0, free=15, maxlen=16, mesh_packet_id=packet.id)))
        walk.pass_time(walk.now + GAP_S)
    assert [packet.decoded.payload for packet in sent] == [b"first", b"second", b"x" * 232]
    foreign.id = sent[2].id
    assert sent[2] == foreign
    ends = [(event.attempt_id, event.outcome) for event in walk.events() if isinstance(event, SendEnded)]
    assert ends == [(1, SendOutcome.TAKEN), (2, SendOutcome.TAKEN), (-1, SendOutcome.TAKEN)]


# --- a radio that starts up, and one without a word on its queue


def test_the_question_is_asked_again_until_the_first_answer() -> None:
    walk = Walk()
    walk.session.take_output()
    walk.pass_time(walk.now + 3.5 * REASK_S)
    assert [message.want_config_id for message in walk.said()] == [CONFIG_ID] * 3
    walk.hear(handshake()[0])
    walk.pass_time(walk.now + 5 * REASK_S)
    assert walk.said() == []
    walk.hear(*handshake()[1:])
    assert walk.session.ready


def test_a_radio_that_talks_but_never_of_its_queue_is_left(ready: Walk) -> None:
    ready.send(1)
    start = ready.now
    while ready.session.failure is None and ready.now < start + 200:
        ready.pass_time(ready.now + 4)
        ready.hear(incoming(Port.TEXT_MESSAGE_APP, b"hello"))
    assert "tells nothing of its queue" in ready.failure().reason
    assert ready.now - start <= STATUS_S + STATUS_ABSENT_S + 4
