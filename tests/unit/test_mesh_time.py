"""The radio's clock: told over the cable from a clock that is believed, again each hour, and never from any other."""

import pytest

from steunpunt.links.mesh_session import ANSWER_S
from steunpunt.links.mesh_time import AGAIN_S
from steunpunt.wire import admin_pb2, mesh_pb2, portnums_pb2
from tests.unit.test_mesh_session import NODE, PEER, Walk, handshake, incoming

WALL_LESS_CLOCK_S = 1_800_000_000.0


@pytest.fixture
def walk() -> Walk:
    """A session that has asked for the radio's config."""
    begun = Walk()
    begun.said()
    return begun


def told(walk: Walk) -> list[int]:
    """Return the times that the radio was told just now, each in a message to itself that wants nothing back."""
    times = []
    for packet in walk.sent():
        if packet.decoded.portnum == portnums_pb2.PortNum.ADMIN_APP:
            assert (packet.to, getattr(packet, "from"), packet.want_ack, packet.decoded.want_response) == (
                NODE, 0, False, False)  # fmt: skip
            assert packet.id
            times.append(admin_pb2.AdminMessage.FromString(packet.decoded.payload).set_time_only)
    return times


def lively(walk: Walk, seconds: float) -> list[int]:
    """Let time pass with a radio that answers each heartbeat; return the times that it was told."""
    times: list[int] = []
    for _ in range(round(seconds / ANSWER_S * 2)):
        walk.pass_time(walk.now + ANSWER_S / 2)
        walk.status(0)
        times += told(walk)
    assert walk.session.failure is None
    return times


def test_it_is_told_at_the_end_of_the_handshake(walk: Walk) -> None:
    walk.session.trust(WALL_LESS_CLOCK_S, walk.now)
    assert told(walk) == [], "nothing before the radio said who it is"
    walk.hear(*handshake())
    assert told(walk) == [1_800_001_000]


def test_a_clock_that_nobody_vouches_for_is_never_told(walk: Walk) -> None:
    walk.hear(*handshake())
    walk.pass_time(walk.now + 30)
    walk.session.trust(None, walk.now)
    walk.session.handle_timer(walk.now)
    assert told(walk) == []


def test_it_is_told_when_trust_comes_and_not_after_it_went(walk: Walk) -> None:
    walk.hear(*handshake())
    walk.now += 5
    walk.session.trust(WALL_LESS_CLOCK_S, walk.now)
    assert walk.session.next_timer() == walk.now
    walk.session.handle_timer(walk.now)
    assert told(walk) == [1_800_001_005]
    walk.session.trust(None, walk.now)
    assert lively(walk, AGAIN_S + 60) == []
    walk.session.trust(WALL_LESS_CLOCK_S + 3, walk.now)
    walk.session.handle_timer(walk.now)
    assert told(walk) == [round(walk.now + WALL_LESS_CLOCK_S + 3)]


def test_it_is_told_again_each_hour_by_the_latest_look(walk: Walk) -> None:
    walk.session.trust(WALL_LESS_CLOCK_S, walk.now)
    walk.hear(*handshake())
    first = walk.now
    assert len(told(walk)) == 1
    walk.session.trust(WALL_LESS_CLOCK_S + 0.6, walk.now)
    times = lively(walk, 2 * AGAIN_S + 60)
    assert times == [round(first + hour * AGAIN_S + WALL_LESS_CLOCK_S + 0.6) for hour in (1, 2)]


def test_it_costs_no_packet_its_status(walk: Walk) -> None:
    """The radio reports on what it was told too: that is not the word on our packet."""
    walk.session.trust(WALL_LESS_CLOCK_S, walk.now)
    walk.hear(*handshake())
    clock = walk.sent()[0]
    walk.send(1)
    ours = walk.sent()[0]
    walk.events()
    walk.status(clock.id, res=35)
    assert walk.events() == []
    walk.status(ours.id)
    assert [event.attempt_id for event in walk.events() if hasattr(event, "attempt_id")] == [1]


def test_the_radios_own_word_on_it_goes_to_nobody(walk: Walk) -> None:
    walk.session.trust(WALL_LESS_CLOCK_S, walk.now)
    walk.hear(*handshake())
    walk.events()
    walk.hear(incoming(portnums_pb2.PortNum.TEXT_MESSAGE_APP, b"hello", PEER))
    heard = mesh_pb2.MeshPacket.FromString(walk.events()[-1].packet)  # type: ignore[union-attr]
    assert heard.decoded.payload == b"hello"
    assert walk.session.take_counts()["clock_told"] == 1
