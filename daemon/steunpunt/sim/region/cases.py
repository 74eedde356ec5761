"""What can be simulated, by name: a seed's own small storm, a whole region, and the hard cases of the protocol.

Each case ends by itself; :class:`~steunpunt.sim.region.watch.Violation` tells what went wrong.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from steunpunt.model import FrameHeard, LinkName, SendFrame, SupplementCode
from steunpunt.sim.region import hard, storm
from steunpunt.sim.region.hard import CASE_S
from steunpunt.sim.region.hostile import Attacker
from steunpunt.sim.region.maps import Options, region
from steunpunt.sim.region.storm import Town
from steunpunt.sim.region.thief import rob
from steunpunt.sim.region.trace import Trace
from steunpunt.sim.region.watch import Violation

AWAY_S = 7_200.0
TRIES_MIN = 6
"""So often a request of :func:`away` is tried at least."""
Case = Callable[[Options, Path, Trace], Town]


def small(options: Options, folder: Path, trace: Trace) -> Town:
    """Two or three kiosks and a coordinator in a storm of 15 minutes; all that can go wrong may."""
    town = storm.small_town(options.seed, folder, trace)
    storm.fill(town)
    storm.blow(town)
    town.world.run(storm.STORM_S)
    return storm.finish(town)


# --- the hard cases of the protocol ------------------------------------------------------------------------------


def clones(options: Options, folder: Path, trace: Trace) -> Town:
    """Case 1: two live copies of one card; then yesterday's copy is put back."""
    town = storm.small_town(options.seed, folder, trace, kiosks=2)
    world, rng = town.world, town.rng
    name = "kiosk 47"
    yesterday = world.sites[name].machine.disk.image()
    storm.come(town, [name, "kiosk 48"], 3, CASE_S / 3)
    world.run(CASE_S / 3)
    twin = world.add_kiosk(47, "kiosk 47, a copy", world.sites[name].machine.disk.image())
    town.pairs += [(twin.mesh.radio.num, site.mesh.radio.num) for site in world.sites.values() if site is not twin]
    town.join(rng.choice([0.0, 0.2]))
    storm.come(town, [name, twin.machine.name], 4, CASE_S / 3)
    world.run(CASE_S / 3)
    world.swap_disk(name, yesterday)
    storm.come(town, [name, twin.machine.name], 3, CASE_S / 3)
    world.run(CASE_S / 3)
    return storm.finish(town)


def restored(options: Options, folder: Path, trace: Trace) -> Town:
    """Case 2: a coordinator is put back to yesterday after it receipted; half of the kiosks rebooted meanwhile."""
    town = storm.small_town(options.seed, folder, trace, kiosks=3)
    world, name = town.world, "coordinator 1"
    kiosks = [kiosk.name for kiosk in world.kiosks()]
    storm.come(town, kiosks, 1, CASE_S / 6)
    world.run(CASE_S / 3)
    yesterday = world.sites[name].machine.disk.image()
    world.run(town.rng.choice([0.0, 10.0, 120.0]))
    storm.come(town, kiosks, 5, CASE_S / 3)
    world.run(CASE_S)
    if not world.watch.record.receipted:
        raise Violation("nothing was receipted in time, so there is nothing to lose")
    world.power_off(name, whole=True)
    for kiosk in kiosks:
        if town.rng.random() < 0.5:  # noqa: PLR2004  half of them
            world.power_cut(kiosk, 30_000.0)
    world.run(60)
    world.swap_disk(name, yesterday)
    return storm.finish(town)


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
        storm.come(town, [name], 1, 30.0)
        world.run(240)
        world.power_cut(name, 5_000, whole=town.rng.random() < 0.5)  # noqa: PLR2004
        world.run(30)
    world.weather.crash = 0.0
    world.run(120)
    for number, frame in enumerate(reversed(epochs)):
        event = FrameHeard(LinkName.MESH, frame.payload, sender=world.sites[name].mesh.radio.num)
        world.after(1_000.0 * number, partial(world.put, "coordinator 1", event))
    world.run(120)
    return storm.finish(town)


def away(options: Options, folder: Path, trace: Trace) -> Town:
    """Nobody answers for hours: however often a request was tried, it is not given up."""
    town = storm.small_town(options.seed, folder, trace, kiosks=2)
    world = town.world
    world.run(60)
    world.power_off("coordinator 1", whole=True)
    storm.come(town, [kiosk.name for kiosk in world.kiosks()], 4, 60.0)
    world.run(AWAY_S)
    storm.finish(town)
    query = "SELECT min(mesh_tries + broker_tries) FROM messages WHERE is_request"
    if any((kiosk.disk.read(query)[0][0] or TRIES_MIN) < TRIES_MIN for kiosk in world.kiosks()):
        raise Violation("nothing was tried often, so it is not proved that often is not too often")
    return town


def hostile(options: Options, folder: Path, trace: Trace) -> Town:
    """Case 6: somebody replays, flips, cuts and makes up packets for half an hour, on every road."""
    town = storm.small_town(options.seed, folder, trace, kiosks=3)
    world = town.world
    attacker = Attacker(world, world.chance("attacker"))
    world.on_send = lambda _site, frame: attacker.overhear(frame.payload)
    attacker.begin(CASE_S)
    storm.come(town, [kiosk.name for kiosk in world.kiosks()], 6, CASE_S)
    world.run(CASE_S)
    return storm.finish(town)


def thief(options: Options, folder: Path, trace: Trace) -> Town:
    """Case 7: a switched-off kiosk is stolen by somebody who recorded all packets."""
    town = storm.small_town(options.seed, folder, trace, kiosks=2)
    world = town.world
    recorded: list[bytes] = []
    world.on_send = lambda _site, frame: recorded.append(frame.payload)
    storm.come(town, ["kiosk 47"], 4, CASE_S / 2)
    world.after(CASE_S * 900, lambda: town.citizens[0].add(SupplementCode.WORSE, "Het gaat slechter met mijn moeder"))
    world.run(CASE_S)
    machine = world.sites["kiosk 47"].machine
    opened = rob(world.keys.of_site(47), machine.disk, recorded)
    if opened:
        raise Violation(f"a stolen card and recorded air opened {opened} pieces")
    world.counts["recorded packets"] = len(recorded)
    return storm.finish(town)


CASES: dict[str, Case] = {
    "small": small,
    "region": region,
    "clones": clones,
    "restored": restored,
    "killed": killed,
    "away": away,
    "hostile": hostile,
    "thief": thief,
    "lagging": hard.lagging,
    "takeover": hard.takeover,
    "gateways": hard.gateways,
    "cancelled": hard.cancelled,
    "overload": hard.overload,
}
