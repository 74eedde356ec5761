"""The simulated air and the mesh on it, by walking the timeline."""

import random
from dataclasses import dataclass, field

import pytest

from steunpunt.sim.air import Air, Frame, Link
from steunpunt.sim.mesh import SEEN_MAX, TX_QUEUE_MAX, Mesh
from steunpunt.sim.timeline import Timeline
from steunpunt.values import replace
from steunpunt.wire import BROADCAST


def frame(
    sender: int,
    packet_id: int = 1,
    *,
    to: int = BROADCAST,
    hops: int = 3,
    want_ack: bool = False,
    size: int = 100,
) -> Frame:
    return Frame(
        sender=sender,
        to=to,
        id=packet_id,
        channel_hash=8,
        lock=b"",
        data=bytes(size),
        hop_limit=hops,
        hop_start=hops,
        want_ack=want_ack,
        relay_node=sender & 0xFF,
    )


@dataclass
class Recorder:
    """Stands where a radio would: keeps what its mesh tells it."""

    timeline: Timeline
    got: list[tuple[float, int, int]] = field(default_factory=list)
    events: list[tuple[str, float]] = field(default_factory=list)

    def heard(self, frame: Frame, snr_db: float, rssi_dbm: int) -> None:
        assert rssi_dbm == round(-105 + snr_db)
        self.got.append((self.timeline.now_ms, frame.id, frame.hop_limit))

    def onward(self, frame: Frame, snr_db: float) -> Frame:
        assert snr_db <= 20
        return frame

    def heard_again(self, frame: Frame) -> None:
        self.events.append((f"again {frame.id}", self.timeline.now_ms))

    def arrived_by_route(self, frame: Frame) -> None:
        self.events.append((f"arrived {frame.id}", self.timeline.now_ms))

    def relayed_by_others(self, frame: Frame) -> None:
        self.events.append((f"relayed {frame.id}", self.timeline.now_ms))

    def gave_up(self, frame: Frame) -> None:
        self.events.append((f"gave up {frame.id}", self.timeline.now_ms))

    def sending(self, frame: Frame) -> None:
        self.events.append((f"sending {frame.id}", self.timeline.now_ms))


class World:
    """Some radios, numbered from 1, all switched on."""

    def __init__(self, count: int, *, loss: float = 0.0, seed: int = 1, preset: str = "LONG_FAST") -> None:
        rng = random.Random(seed)
        self.timeline = Timeline()
        self.air = Air(self.timeline, rng, preset=preset, loss=loss)
        self.hosts = {num: Recorder(self.timeline) for num in range(1, count + 1)}
        self.mesh = {num: Mesh(num, self.air, rng, host) for num, host in self.hosts.items()}
        for mesh in self.mesh.values():
            mesh.start()

    def chain(self) -> "World":
        """Let each radio hear only its neighbours."""
        for one in self.mesh:
            for other in self.mesh:
                if abs(one - other) > 1:
                    self.air.set_link(one, other, Link(audible=False))
        return self

    def run(self, until_ms: float = 120_000) -> None:
        self.air.advance(until_ms)


def test_the_timeline_runs_in_order_of_time_then_of_scheduling() -> None:
    timeline, ran = Timeline(), []
    timeline.schedule(20, lambda: ran.append(("c", timeline.now_ms)))
    timeline.schedule(10, lambda: ran.append(("a", timeline.now_ms)))
    timeline.schedule(10, lambda: ran.append(("b", timeline.now_ms)))
    timeline.schedule(5, lambda: ran.append(("never", timeline.now_ms))).cancel()
    assert timeline.next_event_ms() == 10
    timeline.advance(15)
    assert (ran, timeline.now_ms) == ([("a", 10), ("b", 10)], 15)
    timeline.advance(30)
    assert ran[2:] == [("c", 20)]
    assert timeline.next_event_ms() is None


def test_a_packet_is_heard_after_its_time_on_air() -> None:
    world = World(2)
    done = []
    airtime_ms = world.air.transmit(1, frame(1), lambda: done.append(world.timeline.now_ms))
    world.run(airtime_ms - 1)
    assert world.hosts[2].got == []
    world.run(airtime_ms)
    assert world.hosts[2].got == [(airtime_ms, 1, 3)]
    assert world.hosts[1].got == []
    assert done == [airtime_ms]


def test_out_of_earshot_means_neither_heard_nor_busy() -> None:
    world = World(2)
    world.air.set_link(1, 2, Link(audible=False))
    world.air.transmit(1, frame(1), lambda: None)
    world.run(10)
    assert not world.air.busy(2)
    world.air.set_link(1, 2, Link())
    assert world.air.busy(2)
    assert not world.air.busy(1)


def test_a_radio_that_transmits_hears_nothing_meanwhile() -> None:
    world = World(2)
    world.air.transmit(1, frame(1, 1), lambda: None)
    world.run(10)
    world.air.transmit(2, frame(2, 2), lambda: None)
    world.run(5_000)
    assert world.air.counters["deaf"] == 2
    assert world.hosts[1].got == world.hosts[2].got == []


@pytest.mark.parametrize(("stronger_by_db", "survivors"), [(5.9, []), (6.0, [1])])
def test_two_packets_at_once_are_lost_unless_one_is_much_stronger(stronger_by_db: float, survivors: list[int]) -> None:
    world = World(3)
    world.air.set_link(1, 2, Link(audible=False))
    world.air.set_link(2, 1, Link(audible=False))
    world.air.set_link(1, 3, Link(snr_db=stronger_by_db))
    world.air.set_link(2, 3, Link(snr_db=0.0))
    world.air.transmit(1, frame(1, 1), lambda: None)
    world.run(100)
    world.air.transmit(2, frame(2, 2), lambda: None)
    world.run(2_500)
    assert [packet_id for _, packet_id, _ in world.hosts[3].got] == survivors
    assert world.air.counters["collided"] == 2 - len(survivors)


def test_a_link_loses_its_share() -> None:
    world = World(2, loss=0.3)
    for packet_id in range(1000):
        world.air.transmit(1, frame(1, packet_id, hops=0), lambda: None)
        world.run(world.timeline.now_ms + 2_000)
    assert 250 < world.air.counters["lost"] < 350
    assert world.air.counters["lost"] + world.air.counters["heard"] == 1000
    assert len(world.hosts[2].got) == world.air.counters["heard"]


def test_power_cut_in_the_middle_of_a_packet_breaks_it_off() -> None:
    world = World(2)
    world.mesh[1].send(frame(1), 64)
    while world.air.counters["transmissions"] == 0:
        world.run(world.timeline.next_event_ms() or 0)
    world.run(world.timeline.now_ms + 100)
    world.mesh[1].stop()
    world.run()
    assert world.hosts[2].got == []


def test_a_broadcast_walks_a_chain_hop_by_hop_and_no_further_than_its_limit() -> None:
    world = World(5).chain()
    world.mesh[1].send(frame(1, 7, hops=2), 64)
    world.run()
    assert {num: [(i, hops) for _, i, hops in host.got] for num, host in world.hosts.items()} == {
        1: [],
        2: [(7, 2)],
        3: [(7, 1)],
        4: [(7, 0)],
        5: [],
    }
    assert world.air.counters["transmissions"] == 3


def test_without_hops_nobody_relays() -> None:
    world = World(3).chain()
    world.mesh[1].send(frame(1, 7, hops=0), 64)
    world.run()
    assert (len(world.hosts[2].got), len(world.hosts[3].got)) == (1, 0)


@pytest.mark.parametrize("seed", range(20))
def test_a_chain_of_three_keeps_the_times_seen_on_firmware(seed: int) -> None:
    # Seen with 100 bytes: the middle after 1.5-1.9 s, the end after 4.0-6.9 s.
    world = World(3, seed=seed).chain()
    world.mesh[1].send(frame(1, 7, size=108), 64)
    world.run()
    assert 1_170 <= world.hosts[2].got[0][0] <= 1_900
    assert 2_800 <= world.hosts[3].got[0][0] <= 7_000


def test_who_hears_another_relay_cancels_its_own() -> None:
    cancelled = 0
    for seed in range(20):
        world = World(6, seed=seed)
        world.mesh[1].send(frame(1, 7), 64)
        world.run()
        assert all(len(world.hosts[num].got) == 1 for num in range(2, 7))
        assert 2 <= world.air.counters["transmissions"] <= 6
        cancelled += sum(mesh.counters["relays_cancelled"] for mesh in world.mesh.values())
    assert cancelled > 40  # of 100 relays that were planned


def test_the_same_id_is_sent_again_but_delivered_once() -> None:
    world = World(2)
    for _ in range(2):
        world.mesh[1].send(frame(1, 7, hops=0), 64)
        world.run(world.timeline.now_ms + 5_000)
    assert world.mesh[1].counters["frames_sent"] == 2
    assert len(world.hosts[2].got) == 1


def test_a_packet_is_forgotten_after_200_others() -> None:
    world = World(2)
    for packet_id in [*range(SEEN_MAX + 1), 0]:
        world.mesh[1].send(frame(1, packet_id, hops=0), 64)
        world.run(world.timeline.now_ms + 5_000)
    assert [i for _, i, _ in world.hosts[2].got].count(0) == 2


def test_an_absent_peer_means_three_transmissions_and_giving_up_after_22_seconds() -> None:
    world = World(1)
    world.mesh[1].send(frame(1, 7, to=99, want_ack=True, size=20), 70, reliable=True)
    world.run()
    events = world.hosts[1].events
    assert [name for name, _ in events] == ["sending 7", "sending 7", "sending 7", "gave up 7"]
    # Firmware was seen at 0.2, 7.4, 14.3 and 21.6 s.
    for (_, at_ms), seen_ms in zip(events, (200, 7_400, 14_300, 21_600), strict=True):
        assert at_ms == pytest.approx(seen_ms, abs=400)


def test_a_relay_heard_is_the_implicit_ack_and_ends_the_retries() -> None:
    world = World(2)
    world.mesh[1].send(frame(1, 7), 70, reliable=True)
    world.run()
    assert [name for name, _ in world.hosts[1].events] == ["sending 7", "relayed 7"]


def test_an_answer_ends_the_retries() -> None:
    world = World(1)
    world.mesh[1].send(frame(1, 7, to=99, want_ack=True), 70, reliable=True)
    world.run(3_000)
    world.mesh[1].answered(7)
    world.run()
    assert [name for name, _ in world.hosts[1].events] == ["sending 7"]


def test_a_repeat_to_its_addressee_asks_for_the_ack_again() -> None:
    world = World(2)
    world.mesh[1].send(frame(1, 7, to=2, want_ack=True), 70, reliable=True)
    world.run(30_000)
    assert [name for name, _ in world.hosts[2].events] == ["again 7", "again 7"]
    assert len(world.hosts[2].got) == 1


def test_the_queue_holds_16_and_gives_way_to_what_is_more_urgent() -> None:
    world = World(1)
    mesh = world.mesh[1]
    assert all(mesh.send(frame(1, i), 64) for i in range(TX_QUEUE_MAX))
    assert mesh.free == 0
    assert not mesh.send(frame(1, 50), 64)
    assert mesh.send(frame(1, 51), 70)
    world.run(100_000)
    sent = [int(name.split()[1]) for name, _ in world.hosts[1].events]
    assert sent == [51, *range(TX_QUEUE_MAX - 1)]
    assert mesh.counters["queue_refused"] == mesh.counters["queue_evicted"] == 1


def test_a_refused_packet_that_wants_an_ack_is_still_sent_by_its_retries() -> None:
    world = World(1)
    for packet_id in range(TX_QUEUE_MAX):
        world.mesh[1].send(frame(1, packet_id), 70)
    assert not world.mesh[1].send(frame(1, 50), 70, reliable=True)
    world.run()
    assert ("sending 50") in [name for name, _ in world.hosts[1].events]


def test_own_airtime_is_reckoned_over_an_hour_and_survives_a_restart() -> None:
    world = World(1)
    world.mesh[1].send(frame(1, 1, size=108), 64)
    world.run(10_000)
    expected = 100 * world.air.time_on_air_ms(frame(1, 1, size=108)) / 3_600_000
    assert world.mesh[1].sent_percent() == pytest.approx(expected)
    world.mesh[1].stop()
    world.mesh[1].start()
    assert world.mesh[1].sent_percent() == pytest.approx(expected)
    world.run(3_700_000)
    assert world.mesh[1].sent_percent() == 0


def test_the_same_seed_gives_the_same_world() -> None:
    def story(seed: int) -> list[list[tuple[float, int, int]]]:
        world = World(5, loss=0.2, seed=seed).chain()
        for packet_id in range(10):
            world.mesh[1].send(frame(1, packet_id), 64, reliable=True)
        world.run()
        return [host.got for host in world.hosts.values()]

    assert story(3) == story(3)
    assert story(3) != story(4)


# --- next hops ----------------------------------------------------------------------------------------------------


def answer(sender: int, to: int, packet_id: int, answers: int) -> Frame:
    return replace(frame(sender, packet_id, to=to, size=30), answers=answers)


def taught() -> World:
    """A chain of three with a fourth radio beside the middle one; 3 has answered 1, and 1 has answered 3."""
    world = World(4).chain()
    world.air.set_link(4, 3, Link(audible=False))
    world.air.set_link(3, 4, Link(audible=False))
    for one, other in ((2, 4), (4, 2), (1, 4), (4, 1)):
        world.air.set_link(one, other, Link())
    world.mesh[1].send(frame(1, 1), 64)
    world.run(60_000)
    world.mesh[3].send(answer(3, 1, 2, answers=1), 64)
    world.run(120_000)
    return world


def test_an_answer_teaches_the_next_hop_and_others_stay_silent() -> None:
    world = taught()
    sent = world.air.counters["transmissions"]
    relayed = world.mesh[4].counters["frames_relayed"]
    world.mesh[1].send(frame(1, 3, to=3), 64)
    world.run(180_000)
    assert [packet_id for _, packet_id, _ in world.hosts[3].got] == [1, 3]
    assert "arrived 3" not in [told for told, _ in world.hosts[2].events]
    assert world.mesh[4].counters["frames_relayed"] == relayed
    assert world.air.counters["transmissions"] >= sent + 2


def test_a_next_hop_that_is_gone_is_forgotten_and_everybody_is_asked() -> None:
    world = taught()
    world.mesh[2].stop()
    world.air.set_link(4, 3, Link())
    world.mesh[1].send(frame(1, 3, to=3), 64)
    world.run(240_000)
    assert [packet_id for _, packet_id, _ in world.hosts[3].got][-1] == 3
    assert world.mesh[4].counters["frames_relayed"] >= 1
