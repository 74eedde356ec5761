"""What a region does with one request: it says no more on the air than it must, and it finds the other road in time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from steunpunt.model import LinkName, SendFrame
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.sim.region import storm, terrain
from steunpunt.sim.region.storm import Town, come
from steunpunt.sim.region.world import Plan, SimSite, World

CALM_S = 3 * 3600


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    world = World(1, Plan((47,)), tmp_path)
    made = Town(world, world.chance("test"))
    made.pairs = terrain.web(made.rng, [1, 2], hops_max=1)
    made.join(0.0)
    yield made
    world.close()


def on_air(town: Town) -> list[Kind]:
    """Return the kinds of the packets that go to a radio, as they go."""
    kinds: list[Kind] = []

    def note(_site: SimSite, frame: SendFrame) -> None:
        if frame.link is LinkName.MESH:
            kinds.append(kind_of(frame.payload))

    town.world.on_send = note
    return kinds


def test_once_all_is_said_and_held_the_air_is_quiet(town: Town) -> None:
    kinds = on_air(town)
    town.join(0.3)
    come(town, ["kiosk 47"], 1, 1.0)
    storm.settle(town, CALM_S)
    said = list(kinds)
    town.world.run(4 * 3600)
    assert kinds == said
    assert len(said) < 25


def test_a_region_that_falls_silent_costs_at_most_ninety_seconds_to_a_case(town: Town) -> None:
    kinds = on_air(town)
    town.world.run(60)
    # Nobody is told: only the beacons stop.
    town.world.sites["coordinator 1"].post.internet = False
    come(town, ["kiosk 47"], 1, 0.001)
    assert town.world.run(90, until=lambda: bool(town.world.watch.record.cases), look_every_s=1)
    assert Kind.PIECE in kinds
