"""What can be simulated, by name: a seed's own small storm, a whole region, and the hard cases of the protocol.

Each case ends by itself; :class:`~steunpunt.sim.region.watch.Violation` tells what went wrong.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from steunpunt.model import FrameHeard, LinkName, SendFrame, SupplementCode
from steunpunt.sim.region import storm, terrain
from steunpunt.sim.region.hostile import Attacker
from steunpunt.sim.region.people import Citizen, DeskPerson
from steunpunt.sim.region.storm import Town
from steunpunt.sim.region.texts import HELP_TEXTS
from steunpunt.sim.region.thief import rob
from steunpunt.sim.region.trace import Trace
from steunpunt.sim.region.watch import Violation
from steunpunt.sim.region.world import Plan, World

FIRST_KIOSK = 16
SIDE_KM = 15.0
LIFE_THREATS = 0.15
"""Share of a region's requests that are life threats."""
_HOUR_MS = 3_600_000.0
CASE_S = 1_800.0


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


Case = Callable[[Options, Path, Trace], Town]


def small(options: Options, folder: Path, trace: Trace) -> Town:
    """Two or three kiosks and a coordinator in a storm of 15 minutes; all that can go wrong may."""
    town = storm.small_town(options.seed, folder, trace)
    storm.fill(town)
    storm.blow(town)
    town.world.run(storm.STORM_S)
    return _finish(town)


def _finish(town: Town) -> Town:
    storm.calm(town)
    storm.settle(town)
    storm.judge(town)
    return town


def region(options: Options, folder: Path, trace: Trace) -> Town:
    """Sites over 15 by 15 km around one coordinator, people at all of them, for some hours."""
    town = map_town(options, folder, trace)
    people(town, options)
    DeskPerson(town.world, "coordinator 1", town.world.chance("desk"), "Anna").look()
    if options.storm:
        _hours_of_trouble(town, options.hours)
    town.world.run(options.hours * 3600)
    return _finish(town)


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


# --- the hard cases of the protocol ------------------------------------------------------------------------------


def clones(options: Options, folder: Path, trace: Trace) -> Town:
    """Case 1: two live copies of one card; then yesterday's copy is put back."""
    town = storm.small_town(options.seed, folder, trace, kiosks=2)
    world, rng = town.world, town.rng
    name = "kiosk 47"
    yesterday = world.sites[name].machine.disk.image()
    come(town, [name, "kiosk 48"], 3, CASE_S / 3)
    world.run(CASE_S / 3)
    twin = world.add_kiosk(47, "kiosk 47, a copy", world.sites[name].machine.disk.image())
    town.pairs += [(twin.mesh.radio.num, site.mesh.radio.num) for site in world.sites.values() if site is not twin]
    town.join(rng.choice([0.0, 0.2]))
    come(town, [name, twin.machine.name], 4, CASE_S / 3)
    world.run(CASE_S / 3)
    world.swap_disk(name, yesterday)
    come(town, [name, twin.machine.name], 3, CASE_S / 3)
    world.run(CASE_S / 3)
    return _finish(town)


def come(town: Town, kiosks: list[str], count: int, within_s: float) -> None:
    """Let some people come from now on, and somebody be at each desk."""
    world, rng = town.world, town.rng
    if not town.citizens:
        for machine in world.coordinators():
            DeskPerson(world, machine.name, world.chance(f"desk of {machine.name}")).look()
    for _ in range(count):
        number = len(town.citizens)
        threat = number == 0
        citizen = Citizen(world, rng.choice(kiosks), world.chance(f"citizen {number}"), life_threat=threat)
        town.citizens.append(citizen)
        world.after(rng.uniform(0, within_s * 1000), citizen.ask)


def restored(options: Options, folder: Path, trace: Trace) -> Town:
    """Case 2: a coordinator is put back to yesterday after it receipted; half of the kiosks rebooted meanwhile."""
    town = storm.small_town(options.seed, folder, trace, kiosks=3)
    world, name = town.world, "coordinator 1"
    kiosks = [kiosk.name for kiosk in world.kiosks()]
    come(town, kiosks, 1, CASE_S / 6)
    world.run(CASE_S / 3)
    yesterday = world.sites[name].machine.disk.image()
    world.run(120)  # a copy younger than a minute is not told from the ledger itself
    come(town, kiosks, 5, CASE_S / 3)
    world.run(CASE_S)
    if not world.watch.record.receipted:
        raise Violation("nothing was receipted in time, so there is nothing to lose")
    world.power_off(name, whole=True)
    for kiosk in kiosks:
        if town.rng.random() < 0.5:  # noqa: PLR2004  half of them
            world.power_cut(kiosk, 30_000.0)
    world.run(60)
    world.swap_disk(name, yesterday)
    return _finish(town)


def killed(options: Options, folder: Path, trace: Trace) -> Town:
    """Case 5: a kiosk dies between sealing, commit and sending; three epochs nobody heard arrive in reverse."""
    town = storm.small_town(options.seed, folder, trace, kiosks=2)
    world, name = town.world, "kiosk 47"
    town.join(1.0)
    for site in list(world.sites):
        world.set_internet(site, up=False)
    epochs: list[SendFrame] = []
    world.on_send = lambda site, frame: epochs.append(frame) if site.machine.name == name else None
    world.weather.crash = 0.3
    for _ in range(3):
        come(town, [name], 1, 30.0)
        world.run(240)
        world.power_cut(name, 5_000, whole=town.rng.random() < 0.5)  # noqa: PLR2004
        world.run(30)
    world.weather.crash = 0.0
    world.run(120)
    for number, frame in enumerate(reversed(epochs)):
        event = FrameHeard(LinkName.MESH, frame.payload, sender=world.sites[name].mesh.radio.num)
        world.after(1_000.0 * number, partial(world.put, "coordinator 1", event))
    world.run(120)
    return _finish(town)


def hostile(options: Options, folder: Path, trace: Trace) -> Town:
    """Case 6: somebody replays, flips, cuts and makes up packets for half an hour, on every road."""
    town = storm.small_town(options.seed, folder, trace, kiosks=3)
    world = town.world
    attacker = Attacker(world, world.chance("attacker"))
    world.on_send = lambda _site, frame: attacker.overhear(frame.payload)
    attacker.begin(CASE_S)
    come(town, [kiosk.name for kiosk in world.kiosks()], 6, CASE_S)
    world.run(CASE_S)
    return _finish(town)


def thief(options: Options, folder: Path, trace: Trace) -> Town:
    """Case 7: a switched-off kiosk is stolen by somebody who recorded all packets."""
    town = storm.small_town(options.seed, folder, trace, kiosks=2)
    world = town.world
    recorded: list[bytes] = []
    world.on_send = lambda _site, frame: recorded.append(frame.payload)
    come(town, ["kiosk 47"], 4, CASE_S / 2)
    world.after(CASE_S * 900, lambda: town.citizens[0].add(SupplementCode.WORSE, "Het gaat slechter met mijn moeder"))
    world.run(CASE_S)
    machine = world.sites["kiosk 47"].machine
    opened = rob(world.keys.of_site(47), machine.disk, recorded)
    if opened:
        raise Violation(f"a stolen card and recorded air opened {opened} pieces")
    world.counts["recorded packets"] = len(recorded)
    return _finish(town)


CASES: dict[str, Case] = {
    "small": small,
    "region": region,
    "clones": clones,
    "restored": restored,
    "killed": killed,
    "hostile": hostile,
    "thief": thief,
}
