"""A region in which nothing happens: what its signs of life by radio take of the channel."""

from pathlib import Path

from steunpunt.model import LinkName, SendFrame
from steunpunt.protocol.heartbeat import mesh_interval_s
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.sim.region.maps import Options, map_town
from steunpunt.sim.region.trace import Trace
from steunpunt.sim.region.world import SimSite, World

SITES = 30
SETTLED_S = 4 * 3600
"""After a start each point says hello, which an idle region has behind it."""
MEASURED_S = 5 * 3600
CHANNEL_SHARE_MAX = 0.02


def airtime_ms(world: World) -> int:
    """Return what all radios have sent together, relays included."""
    return sum(site.mesh.radio.mesh.counters["airtime_ms"] for site in world.sites.values())


def test_thirty_idle_sites_without_brokers_take_at_most_two_percent_of_the_channel(tmp_path: Path) -> None:
    town = map_town(Options(sites=SITES, seed=8), tmp_path, Trace())
    world, sent = town.world, list[Kind]()

    def note(_site: SimSite, frame: SendFrame) -> None:
        if frame.link is LinkName.MESH:
            sent.append(kind_of(frame.payload))

    for name in world.sites:
        world.set_internet(name, up=False)
    world.run(SETTLED_S)
    world.on_send, before_ms = note, airtime_ms(world)
    world.run(MEASURED_S)
    share = (airtime_ms(world) - before_ms) / (MEASURED_S * 1000)
    beats = (SITES - 1) * MEASURED_S / mesh_interval_s(SITES)
    print(f"{sent.count(Kind.PIECE)} signs of life; all transmissions in sum {share:.2%} of the channel")
    assert beats / 2 < sent.count(Kind.PIECE) <= beats + SITES
    assert set(sent) == {Kind.PIECE, Kind.TOKENS}
    assert share <= CHANNEL_SHARE_MAX
    world.close()
