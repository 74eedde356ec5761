"""The outbox, by walking its timer: nothing is given up, the urgent goes first, and a dead road is left in time."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import PACKET_BYTES_MAX, SENDING_LINKS, Category, Lane, LinkName
from steunpunt.protocol.keys import keys_at
from steunpunt.protocol.pieces import SealedPiece, batch_bytes, seal_message
from steunpunt.relay import outbox
from steunpunt.relay.outbox import (
    BEACON_FRESH_MS_MAX,
    Choice,
    Roads,
    Waiting,
    body_parts,
    choose,
    hops_more,
    lane_for,
    links_for,
    next_due_ms,
    refused_wait_ms,
    says_hello,
    unicast,
    wait_ms,
)
from steunpunt.values import replace

HOUR_MS = 3_600_000
MESH, BROKER = LinkName.MESH, LinkName.BROKER
ROOM = {MESH: 1, BROKER: 8}
MESH_ONLY = Roads(mesh_up=True, broker_up=False, bridge_up=False, beacon_age_ms=None)
BOTH = Roads(mesh_up=True, broker_up=True, bridge_up=True, beacon_age_ms=0)
BROKER_ONLY = replace(BOTH, mesh_up=False)
FAILOVER_MS_MAX = 90_000
ATTEMPT_MS = 1_000
FIRMWARE_GIVES_UP_MS = 26_000

lanes = st.sampled_from([Lane.LIFE_THREAT, Lane.URGENT, Lane.OTHER])
jitters = st.floats(0, 1)
roads_known = st.builds(
    Roads,
    mesh_up=st.booleans(),
    broker_up=st.booleans(),
    bridge_up=st.booleans(),
    beacon_age_ms=st.none() | st.integers(0, 10 * BEACON_FRESH_MS_MAX),
)
queues = st.lists(
    st.builds(
        Waiting,
        message_id=st.integers(1, 40),
        lane=lanes,
        created_ms=st.integers(0, 1000),
        mesh_tries=st.integers(0, 9),
        mesh_next_ms=st.integers(0, 2000),
        broker_tries=st.integers(0, 9),
        broker_next_ms=st.integers(0, 2000),
        eid=st.sampled_from([b"one", b"two"]),
        body_bytes=st.integers(11, 600),
    ),
    max_size=12,
    unique_by=lambda message: message.message_id,
)


def new(lane: Lane = Lane.URGENT, created_ms: int = 0, message_id: int = 1) -> Waiting:
    return Waiting(message_id, lane, created_ms, 0, 0, 0, 0, eid=bytes([message_id]))


def tried(message: Waiting, link: LinkName, now_ms: int, jitter: float) -> Waiting:
    """Note a try as the kiosk's engine does."""
    if link is MESH:
        tries = message.mesh_tries + 1
        next_ms = now_ms + wait_ms(link, message.lane, tries, jitter)
        return replace(message, mesh_tries=tries, mesh_next_ms=next_ms)
    tries = message.broker_tries + 1
    next_ms = now_ms + wait_ms(link, message.lane, tries, jitter)
    return replace(message, broker_tries=tries, broker_next_ms=next_ms)


def walk(
    message: Waiting, roads_at: Callable[[int], Roads], until_ms: int, *, look_again_ms: int | None = None
) -> list[tuple[int, LinkName]]:
    """Follow one message that nobody receipts from timer to timer; returns each try.

    As in the engine, the end of an attempt is a reason to look again too.
    """
    now_ms, tries = message.created_ms, list[tuple[int, LinkName]]()
    while now_ms <= until_ms:
        chosen = choose([message], roads_at(now_ms), now_ms, ROOM).choices
        for choice in chosen:
            tries.append((now_ms, choice.link))
            message = tried(message, choice.link, now_ms, jitter=0.5)
        due_ms = next_due_ms([message], roads_at(now_ms))
        ended_ms = now_ms + ATTEMPT_MS if chosen else None
        dues = [due for due in (due_ms, ended_ms, look_again_ms) if due is not None and due > now_ms]
        if not dues:
            return tries
        now_ms = min(dues)
    return tries


def gaps(tries: list[tuple[int, LinkName]], link: LinkName) -> list[int]:
    times = [at for at, over in tries if over is link]
    return [late - early for early, late in itertools.pairwise(times)]


@pytest.mark.parametrize(
    ("lane", "link", "most_ms"),
    [
        (Lane.LIFE_THREAT, MESH, outbox.MESH_LIFE_WAIT_MS_MAX),
        (Lane.URGENT, MESH, outbox.MESH_WAIT_MS_MAX),
        (Lane.OTHER, MESH, outbox.MESH_WAIT_MS_MAX),
        (Lane.LIFE_THREAT, BROKER, outbox.BROKER_WAIT_MS_MAX),
        (Lane.OTHER, BROKER, outbox.BROKER_WAIT_MS_MAX),
    ],
)
def test_two_days_without_receipt_and_never_given_up(lane: Lane, link: LinkName, most_ms: int) -> None:
    until_ms = 48 * HOUR_MS
    tries = walk(new(lane), lambda _: MESH_ONLY if link is MESH else BROKER_ONLY, until_ms)
    waits = gaps(tries, link)
    assert tries[0] == (0, link), "the first try is at once"
    assert tries[-1][0] > until_ms - 1.4 * most_ms, "and the last one just before the end"
    assert waits == sorted(waits), "the waits grow"
    assert waits[-1] == round(most_ms * 1.2), "up to their bound, with half the jitter"


@given(lanes, st.sampled_from(SENDING_LINKS), st.integers(1, 10_000), jitters, jitters)
def test_waits_have_bounds(lane: Lane, link: LinkName, tries: int, one: float, other: float) -> None:
    wait = wait_ms(link, lane, tries, one)
    most = {MESH: outbox.MESH_WAIT_MS_MAX, BROKER: outbox.BROKER_WAIT_MS_MAX}[link]
    assert wait_ms(link, lane, 1, 0) <= wait <= 1.4 * most
    assert wait_ms(link, lane, tries, 0) <= wait, "jitter only lengthens"
    assert wait <= wait_ms(link, lane, tries + 1, one)
    assert wait_ms(link, Lane.LIFE_THREAT, tries, one) <= wait_ms(link, Lane.OTHER, tries, one)
    refused = refused_wait_ms(link, lane, tries, other)
    assert outbox.REFUSED_WAIT_MS <= refused <= wait_ms(link, lane, tries, other)
    assert refused <= refused_wait_ms(link, lane, tries + 1, other)


def test_a_retry_never_overtakes_the_radio() -> None:
    assert min(wait_ms(MESH, lane, 1, 0) for lane in Lane) > FIRMWARE_GIVES_UP_MS


def test_jitter_takes_sites_apart() -> None:
    assert wait_ms(MESH, Lane.LIFE_THREAT, 1, 1) - wait_ms(MESH, Lane.LIFE_THREAT, 1, 0) == 12_000


# --- order --------------------------------------------------------------------------------------------------------


@given(queues, roads_known, st.integers(0, 2500), st.integers(0, 4), st.integers(0, 4))
def test_what_is_chosen_is_due_allowed_and_in_order(
    queue: list[Waiting], roads: Roads, now_ms: int, mesh_room: int, broker_room: int
) -> None:
    room = {MESH: mesh_room, BROKER: broker_room}
    choices = choose(queue, roads, now_ms, room).choices
    by_id = {message.message_id: message for message in queue}
    assert len(set(choices)) == len(choices)
    company = {message_id for choice in choices for message_id in choice.company}
    for link in SENDING_LINKS:
        chosen = [by_id[choice.message_id] for choice in choices if choice.link is link]
        passed_over = [
            message
            for message in queue
            if link in links_for(message, roads) and outbox.due_ms(message, link) <= now_ms and message not in chosen
            if link is BROKER or message.message_id not in company
        ]
        assert len(chosen) <= room[link]
        assert all(link in links_for(m, roads) and outbox.due_ms(m, link) <= now_ms for m in chosen)
        ranks = [(m.lane, m.created_ms) for m in chosen]
        assert ranks == sorted(ranks)
        if passed_over:
            assert len(chosen) == room[link], "nothing that is due waits while there is room"
            assert not ranks or max(ranks) <= min((m.lane, m.created_ms) for m in passed_over)


def test_lanes_go_before_age() -> None:
    queue = [new(Lane.OTHER, 0, 1), new(Lane.URGENT, 50, 2), new(Lane.LIFE_THREAT, 99, 3), new(Lane.URGENT, 40, 4)]
    order = [choice.message_id for choice in choose(queue, MESH_ONLY, 100, {MESH: 9}).choices]
    assert order == [3, 4, 2, 1]
    assert choose(queue, MESH_ONLY, 100, {MESH: 1}).choices == (Choice(3, MESH),)
    assert choose(queue, MESH_ONLY, 100, {}).choices == ()


@given(queues, roads_known, st.integers(0, 2500))
def test_the_timer_never_sleeps_through_what_is_due(queue: list[Waiting], roads: Roads, now_ms: int) -> None:
    due_ms = next_due_ms(queue, roads)
    everything = {MESH: 99, BROKER: 99}
    if due_ms is None:
        assert choose(queue, roads, 10**12, everything).choices == ()
    else:
        assert choose(queue, roads, due_ms, everything).choices
        assert choose(queue, roads, due_ms - 1, everything).choices == ()
    assert bool(choose(queue, roads, now_ms, everything).choices) is (due_ms is not None and due_ms <= now_ms)


@pytest.mark.parametrize(
    ("category", "life_threat", "lane"),
    [
        (Category.MEDICAL, True, Lane.LIFE_THREAT),
        (Category.OTHER, True, Lane.LIFE_THREAT),
        (Category.MEDICAL, False, Lane.URGENT),
        (Category.FIRE, False, Lane.URGENT),
        (Category.POLICE, False, Lane.URGENT),
        (Category.BUTTON, False, Lane.URGENT),
        (Category.SUPPLIES, False, Lane.OTHER),
        (Category.MISSING, False, Lane.OTHER),
        (Category.OTHER, False, Lane.OTHER),
    ],
)
def test_lanes_of_requests(category: Category, life_threat: bool, lane: Lane) -> None:  # noqa: FBT001
    assert lane_for(category, life_threat=life_threat) is lane


# --- roads --------------------------------------------------------------------------------------------------------


@given(roads_known)
def test_the_region_answers_only_with_a_fresh_beacon_and_every_hop_up(roads: Roads) -> None:
    age_ms = roads.beacon_age_ms
    fresh = age_ms is not None and age_ms <= BEACON_FRESH_MS_MAX
    assert roads.region_answers is (roads.broker_up and roads.bridge_up and fresh)


@given(lanes, roads_known, st.integers(0, 5))
def test_a_life_threat_goes_over_all_there_is(lane: Lane, roads: Roads, tries: int) -> None:
    links = links_for(replace(new(lane), broker_tries=tries), roads)
    broker = roads.region_answers
    both = lane is Lane.LIFE_THREAT or tries >= outbox.BROKER_TRIES_BEFORE_MESH
    assert (BROKER in links) is broker
    assert (MESH in links) is (roads.mesh_up and (both or not broker))
    assert bool(links) is (roads.mesh_up or broker), "a road that is there is used"


@pytest.mark.parametrize(("age_ms", "answers"), [(None, False), (0, True), (60_000, True), (60_001, False)])
def test_a_beacon_is_fresh_for_a_minute(age_ms: int | None, answers: bool) -> None:  # noqa: FBT001
    assert replace(BOTH, beacon_age_ms=age_ms).region_answers is answers


def test_a_life_threat_leaves_on_both_links_at_once() -> None:
    assert walk(new(Lane.LIFE_THREAT), lambda _: BOTH, 5_000) == [(0, BROKER), (0, MESH)]
    assert walk(new(Lane.URGENT), lambda _: BOTH, 5_000) == [(0, BROKER)]


def test_after_two_tries_the_broker_is_not_waited_for() -> None:
    tries = walk(new(), lambda _: BOTH, HOUR_MS)
    first_mesh_ms = next(at for at, link in tries if link is MESH)
    assert [link for _, link in tries][:3] == [BROKER, BROKER, MESH]
    assert first_mesh_ms <= 2 * 1.4 * outbox.BROKER_FIRST_WAIT_MS
    assert gaps(tries, BROKER)[-1] <= 1.4 * outbox.BROKER_WAIT_MS_MAX, "the broker is tried all the same"


@given(created_ms=st.integers(0, 120_000), last_beacon_ms=st.integers(0, 120_000), lane=lanes)
def test_the_mesh_takes_over_within_90_seconds_of_the_last_beacon(
    created_ms: int, last_beacon_ms: int, lane: Lane
) -> None:
    def roads_at(now_ms: int) -> Roads:
        return replace(BOTH, beacon_age_ms=max(0, now_ms - last_beacon_ms))

    # The engine sets its timer to the moment at which the beacon is no longer fresh.
    stale_ms = last_beacon_ms + BEACON_FRESH_MS_MAX + 1
    tries = walk(new(lane, created_ms), roads_at, 10 * HOUR_MS, look_again_ms=stale_ms)
    first_mesh_ms = next(at for at, link in tries if link is MESH)
    assert first_mesh_ms - max(created_ms, last_beacon_ms) <= FAILOVER_MS_MAX
    assert all(at <= stale_ms for at, link in tries if link is BROKER), "nothing goes into a void"


def test_the_broker_is_used_again_soon_after_it_comes_back() -> None:
    back_ms = 5 * HOUR_MS

    def roads_at(now_ms: int) -> Roads:
        return BOTH if now_ms >= back_ms else MESH_ONLY

    tries = walk(new(), roads_at, 6 * HOUR_MS, look_again_ms=back_ms)
    assert next(at for at, link in tries if link is BROKER) == back_ms


# --- hello --------------------------------------------------------------------------------------------------------


def test_hello_rides_along_until_the_epoch_is_receipted_and_when_nobody_answers() -> None:
    assert all(says_hello(receipted=False, tries=tries) for tries in range(1, 20))
    assert [tries for tries in range(1, 13) if says_hello(receipted=True, tries=tries)] == [4, 8, 12]


# --- company, fragments, airtime ----------------------------------------------------------------------------------


def packed(queue: list[Waiting], choice: Choice) -> list[SealedPiece]:
    """Return what goes into the packet of a choice on the mesh."""
    by_id = {message.message_id: message for message in queue}
    first = by_id[choice.message_id]
    if first.fragmented:
        assert not choice.company
        start, end = body_parts(first.body_bytes)[first.next_fragment or 0]
        return [SealedPiece(1, first.eid, 0, bytes(end - start), 0x01)]
    return [SealedPiece(1, first.eid, 0, bytes(by_id[m].body_bytes)) for m in (choice.message_id, *choice.company)]


def remaining_wait(message: Waiting, now_ms: int) -> float:
    """Return which part of its wait for a token a message still has before it; 0: due, 1: not even tried."""
    left_ms = max(message.mesh_next_ms - now_ms, 0)
    if not (left_ms and message.mesh_tries):
        return float(left_ms > 0)
    return left_ms / wait_ms(MESH, message.lane, message.mesh_tries, 0.0)


def test_a_life_threat_without_receipt_rides_along_once_it_has_waited_half_and_after_what_is_due() -> None:
    tried = replace(new(Lane.LIFE_THREAT, 1, 1), eid=b"abc", body_bytes=30, receipted_epoch=True, mesh_tries=1)
    waits = replace(tried, mesh_next_ms=100_000)
    due = [replace(tried, message_id=i, created_ms=i) for i in range(2, 7)]
    half_ms = 100_000 - wait_ms(MESH, Lane.LIFE_THREAT, 1, 0.0) // 2
    assert choose([waits, due[0]], MESH_ONLY, half_ms - 1, {MESH: 1}).choices == (Choice(2, MESH),)
    assert choose([waits, due[0]], MESH_ONLY, half_ms, {MESH: 1}).choices == (Choice(2, MESH, (1,)),)
    assert choose([waits, *due], MESH_ONLY, half_ms, {MESH: 1}).choices == (Choice(2, MESH, (3, 4)),)


def test_a_new_life_threat_goes_without_those_that_went_unheard() -> None:
    tried = replace(new(Lane.LIFE_THREAT, 1, 1), eid=b"abc", body_bytes=30, receipted_epoch=True, mesh_tries=1)
    fresh = [replace(tried, message_id=i, created_ms=i, mesh_tries=0) for i in (2, 3)]
    chosen = choose([tried, *fresh], MESH_ONLY, 1_000, {MESH: 3}).choices
    assert chosen == (Choice(1, MESH), Choice(2, MESH, (3,)))


def test_what_some_tries_did_not_bring_goes_over_more_radios_a_life_threat_sooner() -> None:
    def more(lane: Lane) -> list[int]:
        return [hops_more(lane, tries) for tries in range(6)]

    assert more(Lane.LIFE_THREAT) == [0, 0, 2, 2, 2, 2]
    assert more(Lane.URGENT) == [0, 0, 0, 0, 2, 2]


def test_a_life_threat_goes_to_all_at_once_and_then_in_turn_to_one_and_to_all() -> None:
    def ways(lane: Lane) -> list[bool]:
        return [unicast(replace(new(lane), mesh_tries=tries)) for tries in range(6)]

    assert ways(Lane.LIFE_THREAT) == [False, True, False, True, False, True]
    assert ways(Lane.URGENT) == [True, True, False, False, False, False]


@given(queues, st.integers(0, 2500))
def test_every_packet_fits_and_holds_messages_of_one_epoch_that_are_due_or_have_waited_half(
    queue: list[Waiting], now_ms: int
) -> None:
    by_id = {message.message_id: message for message in queue}
    for choice in choose(queue, MESH_ONLY, now_ms, {MESH: 3}).choices:
        members = [by_id[message_id] for message_id in (choice.message_id, *choice.company)]
        hello = says_hello(receipted=members[0].receipted_epoch, tries=members[0].mesh_tries + 1)
        size = batch_bytes(packed(queue, choice), hello=hello)
        assert size <= PACKET_BYTES_MAX
        assert choice.company or size == members[0].packet_bytes(), "what the budget is asked for is what goes"
        assert len({message.eid for message in members}) == 1
        assert members[0].mesh_next_ms <= now_ms
        assert all(remaining_wait(message, now_ms) <= 0.5 for message in members[1:])
        assert len({message.lane is Lane.LIFE_THREAT for message in members}) == 1


def test_four_short_requests_share_a_packet_and_a_life_threat_does_not_wait_for_them() -> None:
    small = [replace(new(Lane.URGENT, i, i), eid=b"abc", body_bytes=40, receipted_epoch=True) for i in range(1, 6)]
    assert choose(small, MESH_ONLY, 100, {MESH: 1}).choices == (Choice(1, MESH, (2, 3, 4)),)
    threat = replace(small[0], message_id=9, lane=Lane.LIFE_THREAT)
    assert choose([*small, threat], MESH_ONLY, 100, {MESH: 1}).choices == (Choice(9, MESH),)


@given(st.integers(1, 2688))
def test_bodies_are_cut_where_sealing_cut_them(plain_bytes: int) -> None:
    keys = keys_at(bytes(32), 7)
    sealed = seal_message(47, b"eid", 7, keys, bytes(plain_bytes))
    bodies = b"".join(piece.body for piece in sealed)
    assert [bodies[start:end] for start, end in body_parts(len(bodies))] == [piece.body for piece in sealed]


def test_a_long_message_goes_whole_then_one_fragment_probes_and_a_want_is_answered() -> None:
    long = replace(new(), body_bytes=5 * 176)
    assert [replace(long, mesh_tries=tries).round() for tries in range(5)] == [0b11111, 1, 1, 1, 0b11111]
    asked = replace(long, mesh_tries=2, missing=0b10010)
    assert asked.round() == 0b10010
    assert asked.next_fragment == 1
    assert replace(asked, unsent=0b10000).next_fragment == 4
    assert replace(asked, missing=0b1000000).round() == 1, "a WANT for fragments that do not exist asks for nothing"


def test_without_airtime_only_what_fits_goes() -> None:
    queue = [new(Lane.OTHER, 0, 1), new(Lane.URGENT, 0, 2), new(Lane.LIFE_THREAT, 0, 3)]
    chosen = choose(queue, MESH_ONLY, 0, {MESH: 9}, lambda lane, _: lane is Lane.LIFE_THREAT)
    assert [choice.message_id for choice in chosen.choices] == [3]
    assert chosen.waits_for_air == (Lane.URGENT, queue[1].packet_bytes())


def test_a_life_threat_is_never_sent_to_one_radio_only() -> None:
    assert not outbox.unicast(new(Lane.LIFE_THREAT))
    assert [outbox.unicast(replace(new(), mesh_tries=tries)) for tries in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("tries", "heard", "most"), [(0, None, None), (0, 0, 1), (0, 2, 3), (1, 0, None), (5, 2, None)]
)
def test_only_a_first_try_is_cut_short_and_only_when_the_way_is_known(
    tries: int, heard: int | None, most: int | None
) -> None:
    assert outbox.hops_max(replace(new(), mesh_tries=tries), heard) == most
