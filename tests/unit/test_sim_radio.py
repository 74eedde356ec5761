"""A virtual radio's client protocol, message by message, by walking the timeline."""

import random
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.sim import RadioSpec
from steunpunt.sim.air import Air, Link
from steunpunt.sim.radio import TO_CLIENT_QUEUE_MAX, VirtualRadio
from steunpunt.sim.settings import user
from steunpunt.sim.timeline import Timeline
from steunpunt.wire import (
    BROADCAST,
    admin_pb2,
    mesh_pb2,
    module_config_pb2,
    portnums_pb2,
    sender,
    telemetry_pb2,
)

Port = portnums_pb2.PortNum
KEY = bytes(range(32))
PRIMARY_AND_OURS = (("", b"\x01"), ("serial", KEY))
A, B, C = 0xA1, 0xB1, 0xC1


def spec(name: str, num: int, channels: tuple[tuple[str, bytes], ...] = PRIMARY_AND_OURS) -> RadioSpec:
    """A radio that says nothing of its own accord."""
    return RadioSpec(
        name,
        node_num=num,
        channels=channels,
        nodeinfo_interval_s=0,
        telemetry_interval_s=0,
        position_interval_s=0,
        position=(52.1, 5.2, 3),
    )


class Set:
    """Radios on one air, each with a client that has done its handshake."""

    def __init__(self, *specs: RadioSpec, met: bool = True, seed: int = 1) -> None:
        rng = random.Random(seed)
        self.air = Air(Timeline(), rng, preset="LONG_FAST")
        self.radios = {s.node_num: VirtualRadio(s, self.air, rng) for s in specs}
        for radio in self.radios.values():
            radio.start()
            for other in specs:
                if met and other.node_num != radio.num:
                    radio.settings.node(other.node_num).user.CopyFrom(user(other))
            self.tell(radio.num, mesh_pb2.ToRadio(want_config_id=7))
            assert self.read(radio.num)[-1].config_complete_id == 7

    def tell(self, num: int, message: mesh_pb2.ToRadio) -> None:
        assert self.radios[num].from_client(message.SerializeToString())

    def read(self, num: int) -> list[mesh_pb2.FromRadio]:
        return list(drain(self.radios[num]))

    def send(self, num: int, packet: mesh_pb2.MeshPacket) -> mesh_pb2.QueueStatus:
        """Hand over a packet and give the status that comes back at once."""
        self.tell(num, mesh_pb2.ToRadio(packet=packet))
        first = next(drain(self.radios[num]))
        assert first.HasField("queueStatus")
        return first.queueStatus

    def run(self, for_ms: float = 60_000) -> None:
        self.air.advance(self.air.timeline.now_ms + for_ms)

    def packets(self, num: int) -> list[mesh_pb2.MeshPacket]:
        return [message.packet for message in self.read(num) if message.HasField("packet")]


def drain(radio: VirtualRadio) -> Iterator[mesh_pb2.FromRadio]:
    while (raw := radio.to_client()) is not None:
        yield mesh_pb2.FromRadio.FromString(raw)


def packet(  # noqa: PLR0913 - a packet has these
    to: int = BROADCAST,
    payload: bytes = b"hello",
    *,
    channel: int = 1,
    packet_id: int = 1234,
    hop_limit: int = 3,
    want_ack: bool = False,
    port: "portnums_pb2.PortNum.ValueType" = Port.PRIVATE_APP,
) -> mesh_pb2.MeshPacket:
    made = mesh_pb2.MeshPacket(to=to, id=packet_id, channel=channel, hop_limit=hop_limit, want_ack=want_ack)
    made.decoded.payload = payload
    made.decoded.portnum = port
    return made


def routing(got: mesh_pb2.MeshPacket) -> tuple[int, int, bytes, int]:
    assert got.decoded.portnum == Port.ROUTING_APP
    return sender(got), got.to, got.decoded.payload, got.decoded.request_id


# --- handshake


def test_the_handshake_comes_in_the_order_of_the_firmware() -> None:
    radios = Set(spec("a", A), spec("b", B))
    radios.tell(A, mesh_pb2.ToRadio(want_config_id=99))
    messages = radios.read(A)
    assert all(message.id == 0 for message in messages)
    kinds = [str(message.WhichOneof("payload_variant")) for message in messages]
    assert kinds == [
        "my_info",
        "deviceuiConfig",
        "node_info",
        "metadata",
        *["channel"] * 8,
        *["config"] * 10,
        *["moduleConfig"] * 16,
        "node_info",
        "fileInfo",
        "config_complete_id",
    ]
    assert messages[0].my_info.my_node_num == A
    assert messages[2].node_info.num == A
    assert messages[2].node_info.is_favorite
    assert messages[-1].config_complete_id == 99
    configs = [m.config.WhichOneof("payload_variant") for m in messages if m.HasField("config")]
    names = "device position power network display lora bluetooth security sessionkey device_ui"
    assert configs == names.split()
    modules = [m.moduleConfig.WhichOneof("payload_variant") for m in messages if m.HasField("moduleConfig")]
    assert (modules[0], modules[12], modules[13:]) == ("mqtt", "paxcounter", [None] * 3)


def test_69420_leaves_out_the_others_and_69421_gives_only_nodes() -> None:
    radios = Set(spec("a", A), spec("b", B))
    radios.tell(A, mesh_pb2.ToRadio(want_config_id=69420))
    assert [m.node_info.num for m in radios.read(A) if m.HasField("node_info")] == [A]
    radios.tell(A, mesh_pb2.ToRadio(want_config_id=69421))
    messages = radios.read(A)
    assert [m.node_info.num for m in messages] == [A, B, 0]
    assert messages[-1].config_complete_id == 69421


def test_nothing_is_said_before_the_client_asks_and_then_all_of_it_after_the_config() -> None:
    radios = Set(spec("a", A), spec("b", B))
    radios.radios[A].client_gone()
    radios.send(B, packet(packet_id=5))
    radios.tell(A, mesh_pb2.ToRadio(packet=packet(packet_id=6)))
    radios.run()
    assert radios.read(A) == []
    radios.tell(A, mesh_pb2.ToRadio(want_config_id=1))
    tail = [str(m.WhichOneof("payload_variant")) for m in radios.read(A)][-3:]
    assert tail == ["config_complete_id", "queueStatus", "packet"]


@given(st.binary(max_size=600))
def test_no_bytes_of_a_client_bring_a_radio_down(payload: bytes) -> None:
    radio = Set(spec("a", A)).radios[A]
    radio.from_client(payload)
    radio.from_client(mesh_pb2.ToRadio(want_config_id=3).SerializeToString())
    assert any(message.config_complete_id == 3 for message in drain(radio))


# --- queue status


def test_a_heartbeat_is_answered_with_the_state_of_the_queue() -> None:
    radios = Set(spec("a", A))
    radios.tell(A, mesh_pb2.ToRadio(heartbeat=mesh_pb2.Heartbeat()))
    (answer,) = radios.read(A)
    status = answer.queueStatus
    assert (status.res, status.free, status.maxlen, status.mesh_packet_id) == (0, 16, 16, 0)


def test_an_accepted_packet_gets_its_status_and_one_only() -> None:
    radios = Set(spec("a", A))
    status = radios.send(A, packet())
    assert (status.res, status.free, status.maxlen, status.mesh_packet_id) == (0, 15, 16, 1234)
    radios.run()
    assert radios.read(A) == []


def test_simulated_firmware_gives_a_second_status_when_the_transmission_starts() -> None:
    told = RadioSpec("a", node_num=A, channels=PRIMARY_AND_OURS, telemetry_interval_s=0, status_at_send=True)
    radios = Set(told)
    radios.send(A, packet())
    radios.run(1_000)
    (second,) = radios.read(A)
    assert (second.queueStatus.res, second.queueStatus.free, second.queueStatus.mesh_packet_id) == (
        0,
        16,
        1234,
    )


def test_only_two_statuses_are_kept() -> None:
    radios = Set(spec("a", A))
    for packet_id in range(1, 6):
        radios.tell(A, mesh_pb2.ToRadio(packet=packet(packet_id=packet_id)))
    assert [m.queueStatus.mesh_packet_id for m in radios.read(A)] == [4, 5]


def test_a_full_queue_refuses_with_32_and_no_nak() -> None:
    radios = Set(spec("a", A))
    statuses = [radios.send(A, packet(packet_id=packet_id)) for packet_id in range(1, 18)]
    assert [status.res for status in statuses] == [0] * 16 + [32]
    assert statuses[-1].free == 0
    assert radios.read(A) == []


def test_a_repeated_id_is_ignored_without_a_status() -> None:
    radios = Set(spec("a", A), spec("b", B))
    radios.send(A, packet())
    radios.tell(A, mesh_pb2.ToRadio(packet=packet(payload=b"other")))
    radios.run()
    assert radios.read(A) == []
    assert [got.decoded.payload for got in radios.packets(B)] == [b"hello"]


def test_an_id_of_0_is_replaced_and_told_in_the_status() -> None:
    radios = Set(spec("a", A), spec("b", B))
    status = radios.send(A, packet(packet_id=0))
    assert status.mesh_packet_id != 0
    radios.run()
    assert radios.packets(B)[0].id == status.mesh_packet_id


# --- broadcast and unicast


def test_a_broadcast_on_our_channel_arrives_intact() -> None:
    radios = Set(spec("a", A), spec("b", B, (("", b"\x01"), ("other", b"\x02"), ("serial", KEY))))
    payload = bytes(range(231))
    assert radios.send(A, packet(payload=payload, want_ack=True)).res == 0
    radios.run()
    (got,) = radios.packets(B)
    assert (sender(got), got.to, got.id, got.decoded.payload) == (A, BROADCAST, 1234, payload)
    assert got.channel == 2  # the receiver's own number for the channel
    assert not got.want_ack
    assert not got.pki_encrypted
    assert (got.hop_start, got.hop_limit, got.rx_snr, got.rx_rssi, got.rx_time) == (3, 3, 6.0, -99, 0)


def test_a_broadcast_that_wants_an_ack_gets_the_implicit_one() -> None:
    radios = Set(spec("a", A), spec("b", B))
    radios.send(A, packet(want_ack=True))
    radios.run()
    (ack,) = radios.packets(A)
    assert routing(ack) == (A, A, b"\x18\x00", 1234)
    assert (ack.priority, ack.hop_start, ack.rx_snr, ack.rx_rssi) == (120, 0, 0.0, 0)


def test_an_unheard_broadcast_that_wants_an_ack_ends_in_max_retransmit() -> None:
    radios = Set(spec("a", A))
    radios.send(A, packet(want_ack=True))
    radios.run()
    (nak,) = radios.packets(A)
    assert routing(nak) == (A, A, b"\x18\x05", 1234)


def test_unicast_on_the_serial_channel_needs_no_pki_and_is_acked_by_its_addressee() -> None:
    radios = Set(spec("a", A), spec("b", B), spec("c", C), met=False)
    assert radios.send(A, packet(B, bytes(231), want_ack=True)).res == 0
    radios.run()
    (got,) = radios.packets(B)
    assert (got.channel, got.pki_encrypted, got.want_ack) == (1, False, True)
    assert (B, A, b"\x18\x00", 1234) in [routing(ack) for ack in radios.packets(A)]
    assert radios.packets(C) == []  # unicast never reaches a third client


def test_a_relayed_unicast_gives_the_implicit_ack_and_then_the_real_one() -> None:
    radios = Set(spec("a", A), spec("b", B), spec("c", C))
    radios.air.set_link(A, C, Link(audible=False))
    radios.air.set_link(C, A, Link(audible=False))
    radios.send(A, packet(C, want_ack=True))
    radios.run()
    assert [routing(ack)[0] for ack in radios.packets(A)] == [A, C]
    assert len(radios.packets(C)) == 1


def test_unicast_elsewhere_is_pki() -> None:
    radios = Set(spec("a", A), spec("b", B))
    assert radios.send(A, packet(B, bytes(219), channel=0, want_ack=True)).res == 0
    radios.run()
    (got,) = radios.packets(B)
    assert (got.channel, got.pki_encrypted, len(got.public_key)) == (0, True, 32)
    assert routing(radios.packets(A)[-1]) == (B, A, b"\x18\x00", 1234)


def test_pki_without_the_key_is_refused_until_a_nodeinfo_was_heard() -> None:
    radios = Set(spec("a", A), spec("b", B), met=False)
    assert radios.send(A, packet(B, channel=0)).res == 39
    assert routing(radios.packets(A)[0]) == (A, A, b"\x18\x27", 1234)
    for num in (A, B):
        radios.tell(num, mesh_pb2.ToRadio(heartbeat=mesh_pb2.Heartbeat(nonce=1)))
        radios.run()
    assert radios.send(A, packet(B, channel=0, packet_id=5)).res == 0
    radios.run()
    assert [got.decoded.payload for got in radios.packets(B) if got.pki_encrypted] == [b"hello"]


def test_the_same_channel_name_with_another_key_is_another_channel() -> None:
    radios = Set(spec("a", A), spec("b", B, (("", b"\x01"), ("serial", KEY[::-1]))))
    radios.send(A, packet(B, want_ack=True))
    radios.run()
    assert [got.WhichOneof("payload_variant") for got in radios.packets(B)] == ["encrypted"]
    assert (B, A, b"\x18\x06", 1234) in [routing(nak) for nak in radios.packets(A)]  # NO_CHANNEL


def test_a_text_to_one_node_outside_pki_is_refused_by_its_addressee() -> None:
    radios = Set(spec("a", A), spec("b", B))
    radios.send(A, packet(B, port=Port.TEXT_MESSAGE_APP, want_ack=True))
    radios.run()
    assert not any(got.HasField("decoded") for got in radios.packets(B))


@pytest.mark.parametrize(("want_ack", "end_hears"), [(False, 0), (True, 1)])
def test_an_unset_hop_limit_means_no_relay_unless_an_ack_is_wanted(*, want_ack: bool, end_hears: int) -> None:
    radios = Set(spec("a", A), spec("b", B), spec("c", C))
    radios.air.set_link(A, C, Link(audible=False))
    radios.air.set_link(C, A, Link(audible=False))
    radios.send(A, packet(hop_limit=0, want_ack=want_ack))
    radios.run()
    assert len(radios.packets(B)) == 1
    assert len(radios.packets(C)) == end_hears


# --- refusals


@pytest.mark.parametrize(
    ("refused", "res"),
    [
        (packet(payload=bytes(232)), 7),
        (packet(payload=bytes(233), port=Port.TEXT_MESSAGE_APP), 7),
        (packet(B, bytes(220), channel=0), 7),
        (packet(channel=2), 6),
        (packet(channel=9), 6),
    ],
)
def test_what_does_not_fit_is_refused_with_status_and_nak(refused: mesh_pb2.MeshPacket, res: int) -> None:
    radios = Set(spec("a", A), spec("b", B))
    assert radios.send(A, refused).res == res
    (nak,) = radios.packets(A)
    assert routing(nak) == (A, A, bytes([0x18, res]), 1234)
    radios.run()
    assert radios.packets(B) == []


def test_the_longest_text_fits() -> None:
    radios = Set(spec("a", A), spec("b", B))
    assert radios.send(A, packet(payload=bytes(232), port=Port.TEXT_MESSAGE_APP)).res == 0


def test_more_than_ten_percent_of_an_hour_is_refused_until_the_hour_has_passed() -> None:
    radios = Set(spec("a", A))
    statuses = []
    for packet_id in range(1, 400):
        statuses.append(radios.send(A, packet(payload=bytes(100), packet_id=packet_id, hop_limit=0)).res)
        radios.run(3_000)
        if statuses[-1]:
            break
    assert statuses[-1] == 9
    assert 300 <= len(statuses) <= 310  # 360 s of air at 1174 ms each
    radios.tell(A, mesh_pb2.ToRadio(packet=packet(packet_id=1001)))
    kinds = [str(m.WhichOneof("payload_variant")) for m in radios.read(A)]
    assert kinds == ["queueStatus", "clientNotification", "clientNotification", "packet", "packet"]
    radios.run(3_600_000)
    assert radios.send(A, packet(packet_id=1002)).res == 0


# --- packets kept for the client


def test_32_packets_are_kept_in_order_while_nobody_is_connected() -> None:
    radios = Set(spec("a", A), spec("b", B))
    radios.radios[B].client_gone()
    for packet_id in range(1, 41):
        radios.send(A, packet(packet_id=packet_id, hop_limit=0))
        radios.run(3_000)
    radios.tell(B, mesh_pb2.ToRadio(want_config_id=1))
    assert [got.id for got in radios.packets(B)] == list(range(1, TO_CLIENT_QUEUE_MAX + 1))
    assert radios.radios[B].counters["to_client_dropped"] == 8


def test_a_text_evicts_the_oldest_of_a_full_queue() -> None:
    radios = Set(spec("a", A), spec("b", B))
    for packet_id in range(1, 33):
        radios.send(A, packet(packet_id=packet_id, hop_limit=0))
        radios.run(3_000)
    radios.send(A, packet(packet_id=99, hop_limit=0, channel=0, port=Port.TEXT_MESSAGE_APP))
    radios.run(3_000)
    assert [got.id for got in radios.packets(B)] == [*range(2, 33), 99]


# --- admin


def admin(radios: Set, num: int, message: admin_pb2.AdminMessage, packet_id: int) -> mesh_pb2.MeshPacket:
    """Send an admin message to the own radio and give the one packet that answers it."""
    request = packet(
        num, message.SerializeToString(), channel=0, packet_id=packet_id, want_ack=True, port=Port.ADMIN_APP
    )
    request.decoded.want_response = True
    assert radios.send(num, request).res == 0
    (answer,) = radios.packets(num)
    assert answer.decoded.request_id == packet_id
    return answer


def _note_time(radios: Set, times: list[float]) -> None:
    times.append(radios.air.timeline.now_ms)


def test_owner_and_module_config_reboot_after_seven_seconds_with_settings_kept() -> None:
    for message in (
        admin_pb2.AdminMessage(set_owner=mesh_pb2.User(long_name="Bob")),
        admin_pb2.AdminMessage(
            set_module_config=module_config_pb2.ModuleConfig(
                mqtt=module_config_pb2.ModuleConfig.MQTTConfig(enabled=False)
            )
        ),
    ):
        radios = Set(spec("a", A))
        gone: list[float] = []
        radios.radios[A].on_reboot = partial(_note_time, radios, gone)
        admin(radios, A, message, 1)
        radios.run(7_010)
        assert gone == [7_000]
        assert not radios.radios[A].is_up
        radios.run(50)
        assert radios.radios[A].is_up
        assert radios.radios[A].settings.reboots == 1
        assert radios.radios[A].settings.owner.long_name == (message.set_owner.long_name or "a")


def test_an_unknown_admin_message_is_a_bad_request() -> None:
    radios = Set(spec("a", A))
    answer = admin(radios, A, admin_pb2.AdminMessage(enter_dfu_mode_request=True), 1)
    assert routing(answer)[2] == b"\x18\x20"


def test_rx_time_starts_when_a_client_sets_the_clock() -> None:
    radios = Set(spec("a", A), spec("b", B))
    admin(radios, B, admin_pb2.AdminMessage(set_time_only=1_800_000_000), 1)
    radios.run(10_000)
    radios.send(A, packet())
    radios.run(5_000)
    assert 1_800_000_010 <= radios.packets(B)[0].rx_time <= 1_800_000_015


# --- what radios say of their own accord


def test_radios_announce_themselves_and_learn_from_it() -> None:
    talker = RadioSpec("a", node_num=A, long_name="Kiosk A", position=(52.1, 5.2, 3), battery_percent=55)
    radios = Set(talker, spec("b", B), met=False)
    radios.run(120_000)
    node = radios.radios[B].settings.nodes[A]
    assert (node.user.long_name, node.user.id) == ("Kiosk A", "!000000a1")
    assert (node.position.latitude_i, node.position.longitude_i) == (521000000, 52000000)
    assert node.device_metrics.battery_level == 55
    assert node.device_metrics.air_util_tx > 0
    ports = {got.decoded.portnum for got in radios.packets(B)}
    assert ports == {Port.NODEINFO_APP, Port.POSITION_APP, Port.TELEMETRY_APP}
    own = [got for got in radios.packets(A) if sender(got) == A]
    told = [telemetry_pb2.Telemetry.FromString(got.decoded.payload).WhichOneof("variant") for got in own]
    assert told == ["device_metrics", "local_stats"]  # once only: never in the way


def test_a_request_is_answered_with_a_reply_instead_of_an_ack() -> None:
    radios = Set(spec("a", A), spec("b", B))
    request = packet(B, channel=0, want_ack=True, port=Port.TELEMETRY_APP, payload=b"")
    request.decoded.want_response = True
    radios.send(A, request)
    radios.run()
    (reply,) = radios.packets(A)
    assert (sender(reply), reply.decoded.portnum, reply.decoded.request_id) == (B, Port.TELEMETRY_APP, 1234)
    assert telemetry_pb2.Telemetry.FromString(reply.decoded.payload).device_metrics.battery_level == 90
