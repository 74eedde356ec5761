"""The coordinator's replies: where the site was last heard, then the other road, ever more patiently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import SENDING_LINKS, LinkName
from steunpunt.relay.replies import (
    FIRST_WAIT_MS,
    OLD_ROAD_MS,
    WAIT_MS_MAX,
    Road,
    SiteRoads,
    hops_max,
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
