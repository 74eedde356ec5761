"""The coordinator's replies: where the site was last heard, then the other road, ever more patiently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import SENDING_LINKS, Lane, LinkName
from steunpunt.relay.outbox import HOPS_MORE, LIFE_TRIES_USUAL, TRIES_USUAL
from steunpunt.relay.replies import (
    FAR_HOPS,
    FIRST_WAIT_MS,
    OLD_ROAD_MS,
    SITES_MAX,
    WAIT_MS_MAX,
    Reach,
    Road,
    SiteRoads,
    Ways,
    hops_max,
    more_for_afar,
    reply_radio,
    reply_road,
    wait_ms,
)

MESH, BROKER = LinkName.MESH, LinkName.BROKER
ALL_UP = frozenset(SENDING_LINKS)
heard_ms = st.none() | st.integers(0, 10**9)


def links(roads: SiteRoads, tries: int) -> list[LinkName]:
    return [road.link for one in range(tries) if (road := reply_road(roads, one, ALL_UP)) is not None]


def test_the_freshest_road_first_then_in_turn() -> None:
    by_broker = SiteRoads(mesh_ms=100, broker_ms=200, carrier=47)
    by_mesh = SiteRoads(mesh_ms=300, broker_ms=200, carrier=47)
    assert links(by_broker, 4) == [BROKER, MESH, BROKER, MESH]
    assert links(by_mesh, 4) == [MESH, BROKER, MESH, BROKER]


@given(
    heard_ms,
    heard_ms,
    st.none() | st.integers(16, 0xFFFF),
    st.integers(0, 50),
    st.frozensets(st.sampled_from(SENDING_LINKS)),
)
def test_a_reply_takes_a_road_that_is_up_and_on_which_the_site_was_heard(
    mesh_ms: int | None, broker_ms: int | None, carrier: int | None, tries: int, up: frozenset[LinkName]
) -> None:
    usable = {MESH} if mesh_ms is not None else set[LinkName]()
    if broker_ms is not None and carrier is not None:
        usable |= {BROKER}
    usable &= up
    roads = SiteRoads(mesh_ms, broker_ms, carrier)
    taken = [reply_road(roads, tries + more, up) for more in range(2)]
    assert {road.link for road in taken if road is not None} == usable, "two tries take every road there is"


def test_gateways_come_after_a_sites_own_roads_and_take_turns() -> None:
    roads = SiteRoads(mesh_ms=100, broker_ms=50, carrier=47, gateways=((300, 52), (200, 51)))
    taken = [reply_road(roads, tries, ALL_UP) for tries in range(5)]
    assert taken == [Road(MESH), Road(BROKER, 47), Road(BROKER, 52), Road(BROKER, 51), Road(MESH)]
    assert [roads.wait_like(road) for road in taken[1:3] if road] == [BROKER, MESH]


def test_a_road_on_which_a_site_was_not_heard_for_long_comes_after_its_gateways() -> None:
    roads = SiteRoads(mesh_ms=100, broker_ms=None, carrier=None, gateways=((101 + OLD_ROAD_MS, 52),))
    assert [reply_road(roads, tries, ALL_UP) for tries in range(2)] == [Road(BROKER, 52), Road(MESH)]


def test_a_site_that_was_never_heard_cannot_be_told() -> None:
    assert reply_road(SiteRoads(None, None, None), 0, ALL_UP) is None


def test_two_tries_by_the_radio_that_heard_it_last_then_by_each_other_one() -> None:
    up = ("main", "hill", "tower")
    assert [reply_radio("hill", tries, up) for tries in range(7)] == [
        "hill", "hill", "main", "main", "tower", "tower", "hill",
    ]  # fmt: skip
    assert [reply_radio("hill", tries, ("main", "tower")) for tries in range(3)] == ["main", "main", "tower"]
    assert [reply_radio(last, 0, up) for last in (None, "sold")] == ["main", "main"]


@given(st.sampled_from(SENDING_LINKS), st.integers(1, 100_000), st.floats(0, 1))
def test_waits_grow_up_to_their_bound(link: LinkName, tries: int, jitter: float) -> None:
    wait = wait_ms(link, tries, jitter)
    assert FIRST_WAIT_MS[link] <= wait <= 1.4 * WAIT_MS_MAX
    assert wait <= wait_ms(link, tries + 1, jitter)
    assert wait_ms(link, 60, jitter) >= WAIT_MS_MAX


@pytest.mark.parametrize(("heard", "most"), [([], None), ([0], 1), ([2, 0, 1], 3), ([2, None], None), ([None], None)])
def test_receipts_go_as_far_as_the_farthest_of_their_messages_came_and_one_radio_further(
    heard: list[int | None], most: int | None
) -> None:
    assert hops_max(heard) == most


def test_what_goes_to_a_site_goes_one_radio_further_than_it_was_heard_then_any_way_then_over_more() -> None:
    ways = Ways()
    ways.note(47, 1)
    reached = [ways.reach([(47, Lane.URGENT, tries)]) for tries in range(TRIES_USUAL + 1)]
    assert reached == [Reach(2), *[Reach()] * (TRIES_USUAL - 1), Reach(None, HOPS_MORE)]
    reached = [ways.reach([(47, Lane.LIFE_THREAT, tries)]) for tries in range(LIFE_TRIES_USUAL + 1)]
    assert reached == [Reach(2), *[Reach()] * (LIFE_TRIES_USUAL - 1), Reach(None, HOPS_MORE)]


def test_a_packet_for_several_sites_goes_as_far_as_the_one_that_needs_most() -> None:
    ways = Ways()
    for site, hops in ((47, 0), (48, 3), (49, None)):
        ways.note(site, hops)
    assert ways.reach([(47, Lane.OTHER, 0), (48, Lane.OTHER, 0)]) == Reach(4)
    assert ways.reach([(47, Lane.OTHER, 0), (49, Lane.OTHER, 0)]) == Reach(), "49 does not say how far it is"
    assert ways.reach([(47, Lane.OTHER, 0), (48, Lane.OTHER, 1)]) == Reach()
    assert ways.reach([(47, Lane.OTHER, 0), (48, Lane.LIFE_THREAT, 2)]) == Reach(None, HOPS_MORE)
    assert Ways().reach([(47, Lane.OTHER, 0)]) == Reach(), "after a restart"


def test_where_other_coordinators_listen_nothing_is_cut_short() -> None:
    ways = Ways(overheard=True)
    ways.note(47, 1)
    assert [ways.reach([(47, Lane.OTHER, tries)]) for tries in (0, TRIES_USUAL)] == [Reach(), Reach(None, HOPS_MORE)]


def test_what_a_site_misses_goes_over_more_radios_unless_the_site_is_near() -> None:
    ways = Ways()
    ways.note(47, FAR_HOPS - 1)
    ways.note(48, FAR_HOPS)
    assert [ways.more_for(site) for site in (47, 48, 49)] == [0, HOPS_MORE, HOPS_MORE]
    assert [more_for_afar(hops) for hops in (None, FAR_HOPS - 1, FAR_HOPS)] == [0, 0, HOPS_MORE]


def test_of_ever_more_sites_the_one_not_heard_for_longest_is_forgotten() -> None:
    ways = Ways()
    for site in range(SITES_MAX):
        ways.note(site, 1)
    ways.note(0, 1)
    ways.note(SITES_MAX, 1)
    known = [ways.reach([(site, Lane.OTHER, 0)]).hops_max for site in (0, 1, SITES_MAX)]
    assert known == [2, None, 2]
