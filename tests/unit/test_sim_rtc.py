"""A virtual radio's clock: the better word wins, a client's holds for half a day, and hearsay is not passed on."""

import pytest

from steunpunt.sim import RadioSpec
from steunpunt.sim.rtc import AGAIN_MS, BUILD_EPOCH_S, EPOCH_S_MAX, Quality, Rtc
from steunpunt.wire import admin_pb2, mesh_pb2, portnums_pb2
from tests.unit.test_sim_radio import A, B, C, Set, admin, packet

NOW_S = 1_800_000_000
Port = portnums_pb2.PortNum


@pytest.mark.parametrize("wrong", [0, BUILD_EPOCH_S - 1, EPOCH_S_MAX + 1])
def test_a_time_that_cannot_be_is_ignored(wrong: int) -> None:
    clock = Rtc()
    assert not clock.set(wrong, Quality.GPS, 0)
    assert clock.epoch_s(5_000) == 0


def test_the_better_word_wins_and_a_client_corrects_drift_twice_a_day() -> None:
    clock = Rtc()
    assert clock.set(NOW_S, Quality.NET, 0)
    assert not clock.set(NOW_S + 9, Quality.NET, 1_000)
    assert clock.set(NOW_S + 5, Quality.NTP, 1_000)
    assert clock.epoch_s(11_000) == NOW_S + 15
    assert not clock.set(NOW_S, Quality.NET, 2_000)
    assert not clock.set(NOW_S, Quality.NTP, 1_000 + AGAIN_MS)
    assert clock.set(NOW_S, Quality.NTP, 1_001 + AGAIN_MS)


def test_what_only_the_mesh_told_is_no_time_for_others() -> None:
    clock = Rtc()
    clock.set(NOW_S, Quality.NET, 0)
    assert (clock.epoch_s(0), clock.epoch_s(0, Quality.NTP)) == (NOW_S, 0)


def test_a_position_sets_the_clocks_of_those_that_know_none() -> None:
    talker = RadioSpec("a", node_num=A, position=(52.1, 5.2, 3), position_interval_s=60)
    radios = Set(talker, RadioSpec("b", node_num=B), RadioSpec("c", node_num=C))
    admin(radios, A, admin_pb2.AdminMessage(set_time_only=NOW_S), 1)
    admin(radios, C, admin_pb2.AdminMessage(set_time_only=NOW_S + 5_000), 2)
    radios.run(100_000)
    assert NOW_S < radios.radios[B].epoch_s() <= NOW_S + 101
    assert radios.radios[C].epoch_s() > NOW_S + 5_000, "its own client knows better"
    assert radios.radios[B].epoch_s(Quality.NTP) == 0
    radios.radios[B].reboot()
    radios.run(1_000)
    assert radios.radios[B].epoch_s() == 0, "a radio forgets it with its power"


def test_what_a_radio_hands_over_of_its_own_is_stamped_too() -> None:
    radios = Set(RadioSpec("a", node_num=A, telemetry_interval_s=1_800))
    admin(radios, A, admin_pb2.AdminMessage(set_time_only=NOW_S), 1)
    radios.run(61_000)
    own = [got for got in radios.packets(A) if got.decoded.portnum == Port.TELEMETRY_APP]
    assert own
    assert all(NOW_S <= got.rx_time <= NOW_S + 62 for got in own)


# --- a transmitter that is off


@pytest.mark.parametrize("off", ["region", "tx_enabled"])
def test_without_a_region_nothing_is_sent_not_even_for_others(off: str) -> None:
    radios = Set(*(RadioSpec(name, node_num=num) for name, num in (("a", A), ("b", B))))
    lora = radios.radios[A].settings.config["lora"].lora
    setattr(lora, off, 0)
    assert radios.send(A, packet(channel=0)).res == 34
    radios.send(B, packet(channel=0, packet_id=99))
    radios.run()
    assert not any(got.id == 1234 for got in radios.packets(B))
    assert any(got.id == 99 for got in radios.packets(A)), "it hears"
    figures = radios.radios[A].figures()
    assert figures.get("frames_sent", 0) == 0
    assert figures["transmitter_off"] >= 2, "its own packet, and the one to relay"
    lora.region, lora.tx_enabled = lora.RegionCode.EU_868, True
    assert radios.send(A, packet(channel=0, packet_id=5)).res == 0


def test_a_packet_that_wanted_an_ack_ends_as_unheard() -> None:
    radios = Set(RadioSpec("a", node_num=A), RadioSpec("b", node_num=B))
    lora = radios.radios[A].settings.config["lora"].lora
    lora.region = lora.RegionCode.UNSET
    assert radios.send(A, packet(channel=0, want_ack=True)).res == 34
    radios.run()
    (nak,) = [got for got in radios.packets(A) if got.decoded.request_id == 1234]
    assert mesh_pb2.Routing.FromString(nak.decoded.payload).error_reason == mesh_pb2.Routing.Error.MAX_RETRANSMIT
