"""A whole region on a map, with people at all its sites and, if asked for, hours of trouble."""

import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from steunpunt.sim.region import storm, terrain
from steunpunt.sim.region.hostile import Attacker
from steunpunt.sim.region.people import Citizen, DeskPerson
from steunpunt.sim.region.storm import Town
from steunpunt.sim.region.texts import HELP_TEXTS
from steunpunt.sim.region.trace import Trace
from steunpunt.sim.region.world import Plan, World

FIRST_KIOSK = 16
SIDE_KM = 15.0
LIFE_THREATS = 0.15
"""Share of a region's requests that are life threats."""
_HOUR_MS = 3_600_000.0


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    case: str = "region"
    seed: int = 7
    sites: int = 30
    hours: float = 6.0
    per_hour: float = 60.0
    """Help requests in an hour, in the whole region."""
    storm: bool = True
    """Whether things go wrong in a region: power, cables, internet, disks."""


def region(options: Options, folder: Path, trace: Trace) -> Town:
    """Sites over 15 by 15 km around one coordinator, people at all of them, for some hours."""
    town = map_town(options, folder, trace)
    people(town, options)
    DeskPerson(town.world, "coordinator 1", town.world.chance("desk"), "Anna").look()
    if options.storm:
        _hours_of_trouble(town, options.hours)
    town.world.run(options.hours * 3600)
    return storm.finish(town)


def map_town(options: Options, folder: Path, trace: Trace) -> Town:
    """Lay out a region: each kiosk somewhere in the square, half of them with a broker."""
    kiosks = kiosks_of(options)
    rng = random.Random(f"{options.seed} brokers")
    mute = frozenset(kiosk for kiosk in kiosks if rng.random() < 0.5)  # noqa: PLR2004
    return laid_out(World(options.seed, Plan(kiosks, without_broker=mute), folder, trace))


def kiosks_of(options: Options) -> tuple[int, ...]:
    """Return the numbers of a region's kiosks: all sites but the coordinator."""
    return tuple(range(FIRST_KIOSK, FIRST_KIOSK + options.sites - 1))


def laid_out(world: World) -> Town:
    """Put the sites of a world on the map, the coordinator in the middle."""
    rng = random.Random(f"{world.seed} map")
    town = Town(world, rng)
    nums = [site.mesh.radio.num for site in town.world.sites.values()]
    town.places = terrain.reachable(rng, nums, SIDE_KM)
    town.join(0.0)
    return town


def people(town: Town, options: Options) -> None:
    """Let people come at random moments, to random kiosks."""
    world, rng = town.world, town.world.chance("people")
    kiosks = [kiosk.name for kiosk in world.kiosks()]
    at_ms, count = 0.0, 0
    while (at_ms := at_ms + rng.expovariate(options.per_hour) * _HOUR_MS) < options.hours * _HOUR_MS:
        text = f"{HELP_TEXTS[count % len(HELP_TEXTS)][:64].rstrip()} {count}"
        threat = rng.random() < LIFE_THREATS
        citizen = Citizen(world, rng.choice(kiosks), world.chance(f"citizen {count}"), life_threat=threat, text=text)
        town.citizens.append(citizen)
        world.after(at_ms, citizen.ask)
        count += 1


def _hours_of_trouble(town: Town, hours: float) -> None:
    """Each site loses power, its cable and its internet now and then; once the region is cut in two."""
    world, rng = town.world, town.world.chance("trouble")
    world.weather.crash = world.weather.disk_full = 0.0005
    world.weather.doubled = world.weather.refused = world.weather.lost_on_cable = 0.01
    world.weather.wiped = 0.01
    for name in list(world.sites):
        for trouble in (partial(world.power_cut, name, rng.uniform(5_000, 600_000)),):
            for _ in range(rng.randrange(3)):
                world.after(rng.uniform(0, hours * _HOUR_MS), trouble)
        for switch in (world.set_internet, world.set_cable):
            begin_ms = rng.uniform(0, hours * _HOUR_MS)
            world.after(begin_ms, partial(switch, name, up=False))
            world.after(begin_ms + rng.uniform(60_000, _HOUR_MS), partial(switch, name, up=True))
        if rng.random() < 0.3:  # noqa: PLR2004
            world.after(rng.uniform(0, hours * _HOUR_MS / 2), partial(world.set_side, name, 1))
            world.after(hours * _HOUR_MS * 0.75, partial(world.set_side, name, 0))
    world.after(hours * _HOUR_MS / 3, lambda: Attacker(world, world.chance("attacker")).begin(1_800.0))
