"""What a seed draws: a small region, its people, and a storm over it; then calm, in which all must arrive."""

import random
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from steunpunt.ledger.desk import Case
from steunpunt.ledger.incoming import Piece
from steunpunt.model import Lane, SupplementCode, TicketState
from steunpunt.sim.region import terrain
from steunpunt.sim.region.hostile import Attacker
from steunpunt.sim.region.machine import CoordinatorMachine, KioskMachine
from steunpunt.sim.region.people import Citizen, DeskPerson, Presser
from steunpunt.sim.region.trace import Trace
from steunpunt.sim.region.watch import (
    Violation,
    check_agreement,
    check_all_arrived,
    check_nonces,
    check_unreadable,
    tickets_of,
)
from steunpunt.sim.region.world import Plan, World

STORM_S = 600.0
CALM_S = 4 * 3600.0
CALM_LOSS = 0.03
SOME = 0.3
"""A share of what may be or happen, here and there."""


class Waits(NamedTuple):
    """Seconds from accepted to received."""

    life: list[float]
    """Of life threats."""
    other: list[float]


@dataclass
class Town:
    """A world with its people."""

    world: World
    rng: random.Random
    citizens: list[Citizen] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    """Who is in earshot of whom, or"""
    places: dict[int, terrain.Place] = field(default_factory=dict)
    """where the radios stand, in km."""

    def join(self, loss: float) -> None:
        """Let the radios hear each other as drawn; on drawn pairs this share of packets is lost."""
        if self.places:
            terrain.spread_out(self.world.air, self.places, self.world.chance("hills"))
        else:
            terrain.join(self.world.air, self.pairs, loss, self.world.chance("snr"))

    def waits_s(self) -> "Waits":
        """Return how long each request took from the kiosk's ledger to a coordinator's.

        One that is not there yet counts as long as it has waited: else the more are lost, the better it looks.
        """
        record = self.world.watch.record
        waits = Waits([], [])
        for at, asked_ms in record.asked.items():
            wait_s = (record.cases.get(at, self.world.now_ms) - asked_ms) / 1000
            (waits.life if record.lanes[at] == Lane.LIFE_THREAT else waits.other).append(wait_s)
        return waits

    def people_done(self) -> bool:
        """Return whether all hold a ticket, all are closed for good, and the kiosks have said that they know."""
        world = self.world
        if not all(site.machine.running for site in world.sites.values()):
            return False
        if world.watch.record.mistakes or not all(citizen.has_ticket for citizen in self.citizens):
            return False
        tickets = {asked.at for kiosk in world.kiosks() for asked in tickets_of(kiosk)}
        shown = world.watch.record.shown
        if any(shown[at] is not TicketState.CLOSED for at in tickets) or not _all_receipted(world):
            return False
        cases = {Piece(*at) for m in world.coordinators() for at in m.disk.read("SELECT site, eid, n FROM cases")}
        if tickets - cases:
            return False
        return all(_replies_held(machine, tickets) for machine in world.coordinators())


def _replies_held(machine: CoordinatorMachine, tickets: Container[Piece]) -> bool:
    """Return whether kiosks hold all that they were told of their tickets; a ticket may be gone with its card."""
    waiting = machine.disk.read(
        "SELECT c.site, c.eid, c.n FROM replies r JOIN cases c ON c.id = r.case_id WHERE r.delivered_ms IS NULL"
    )
    return not any(Piece(*at) in tickets for at in waiting)


def _all_receipted(world: World) -> bool:
    query = "SELECT count(*) FROM messages WHERE receipted_ms IS NULL"
    return not any(kiosk.disk.read(query)[0][0] for kiosk in world.kiosks())


def small_town(  # noqa: PLR0913, PLR0917  a seed's region, and what a case wants of it
    seed: int,
    folder: Path,
    trace: Trace | None = None,
    kiosks: int = 0,
    coordinators: tuple[int, ...] = (1,),
    without_radio: frozenset[int] = frozenset(),
    without_broker: frozenset[int] = frozenset(),
) -> Town:
    """Draw a region of two or three kiosks and a coordinator; each kiosk has a road to it in good weather."""
    rng = random.Random(f"{seed} plan")
    numbers = tuple(range(47, 47 + (kiosks or rng.choice([2, 2, 3]))))
    lacks = ["", "", "", "no radio", "no broker"] if not kiosks else [""]
    lonely = {number: rng.choice(lacks) for number in numbers}
    plan = Plan(
        numbers,
        coordinators,
        buttons=frozenset(number for number in numbers if rng.random() < SOME),
        without_radio=without_radio | {kiosk for kiosk, lack in lonely.items() if lack == "no radio"},
        without_broker=without_broker | {kiosk for kiosk, lack in lonely.items() if lack == "no broker"},
    )
    world = World(seed, plan, folder, trace)
    town = Town(world, rng)
    with_radio = [site.mesh.radio.num for site in world.sites.values() if site.has_radio]
    town.pairs = terrain.web(rng, with_radio, hops_max=rng.choice([1, 2]))
    town.join(rng.choice([0.0, 0.1, 0.3, 0.5]))
    return town


def fill(town: Town) -> None:
    """Let people come: three who ask, one who adds to it, some who press, and one at the desk."""
    world, rng = town.world, town.rng
    kiosks = [kiosk.name for kiosk in world.kiosks()]
    for i in range(3):
        citizen = Citizen(world, rng.choice(kiosks), world.chance(f"citizen {i}"), life_threat=i == 0)
        town.citizens.append(citizen)
        world.after(rng.uniform(0, STORM_S * 900), citizen.ask)
    adds = rng.choice(town.citizens)
    world.after(STORM_S * 950, lambda: adds.add(SupplementCode.WORSE, f"Het wordt erger {rng.randrange(1_000_000)}"))
    for number in world.plan.buttons:
        presser = Presser(world, f"kiosk {number}", world.chance(f"button {number}"))
        world.after(rng.uniform(0, STORM_S * 500), partial(presser.press, rng.randrange(1, 4)))
    for machine in world.coordinators():
        DeskPerson(world, machine.name, world.chance(f"desk of {machine.name}")).look()


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


def blow(town: Town) -> None:
    """Begin a storm: cables, brokers, internet and power come and go; until :func:`calm`."""
    world, rng = town.world, town.rng
    weather = world.weather
    weather.lost_on_cable = rng.choice([0.0, 0.1])
    weather.doubled = rng.choice([0.0, 0.2])
    weather.refused = rng.choice([0.0, 0.2])
    weather.wiped = rng.choice([0.0, 0.1])
    weather.crash = rng.choice([0.0, 0.02, 0.1])
    weather.disk_full = rng.choice([0.0, 0.0, 0.05])
    weather.delay_ms_max = rng.choice([500.0, 5_000.0, 20_000.0])
    for name in list(world.sites):
        for switch in (world.set_internet, world.set_cable, world.set_broker):
            flap(town, partial(switch, name), rng.randrange(3))
        if rng.random() < SOME:
            world.after(rng.uniform(0, STORM_S * 800), partial(world.power_cut, name, rng.uniform(1_000, 200_000)))
        if rng.random() < 0.2:  # noqa: PLR2004
            world.after(rng.uniform(0, STORM_S * 800), partial(world.brokers.wipe, world.sites[name].post))
    if rng.random() < 0.2:  # noqa: PLR2004
        world.after(rng.uniform(0, STORM_S * 400), partial(world.set_side, rng.choice(list(world.sites)), 1))
    if rng.random() < SOME:
        Attacker(town.world, world.chance("attacker")).begin(STORM_S)


def flap(town: Town, switch: Callable[..., None], times: int) -> None:
    """Let something go down and come up again this many times during a storm."""
    for _ in range(times):
        at_ms = town.rng.uniform(0, STORM_S * 800)
        town.world.after(at_ms, lambda: switch(up=False))
        town.world.after(at_ms + town.rng.uniform(1_000, STORM_S * 200), lambda: switch(up=True))


def calm(town: Town) -> None:
    """End the storm: everything works again but for what the air itself loses."""
    world = town.world
    world.weather.calm_down()
    for name in list(world.sites):
        world.set_internet(name, up=True)
        world.set_side(name, 0)
        world.set_cable(name, up=True)
        world.set_broker(name, up=True)
        if not world.sites[name].machine.running:
            world.power_on(name, booted=True)
    town.join(CALM_LOSS)


def settle(town: Town, seconds: float = CALM_S) -> None:
    """Run in calm until all is done; Violation when it is not within ``seconds``."""
    if not town.world.run(seconds, until=town.people_done, look_every_s=20.0):
        raise Violation(f"not done after {seconds / 3600:g} hours of calm: {told(town)}")


def told(town: Town) -> str:
    """Say how far everybody is."""
    states = {
        kiosk.name: [asked.state.name for asked in tickets_of(kiosk)] for kiosk in town.world.kiosks() if kiosk.running
    }
    ticketed = sum(citizen.has_ticket for citizen in town.citizens)
    cases: list[Case] = [
        case for machine in town.world.coordinators() if machine.running for case in machine.desk.cases()
    ]
    held = sum(event.delivered is False for case in cases for event in case.events)
    return f"{ticketed} of {len(town.citizens)} have a ticket; {states}; {len(cases)} cases, {held} replies not held"


def finish(town: Town) -> Town:
    """End a case: calm, until all is done, and a look at everything."""
    calm(town)
    settle(town)
    judge(town)
    return town


def judge(town: Town) -> None:
    """Look at everything once more at the end: cases, words, answers, and what a thief would read."""
    world = town.world
    kiosks, coordinators = world.kiosks(), world.coordinators()
    check_all_arrived(world.watch, kiosks, coordinators)
    check_agreement(world.watch, kiosks, coordinators)
    judge_words(town)
    judge_disks(town)


def judge_words(town: Town) -> None:
    """Look whether each request reads at the desk as it was written, and each answer as it was given."""
    world = town.world
    kiosks, coordinators = world.kiosks(), world.coordinators()
    cases = {case.text: case for machine in coordinators for case in machine.desk.cases()}
    holders = {asked.at: kiosk for kiosk in kiosks for asked in tickets_of(kiosk)}
    for citizen in town.citizens:
        if citizen.at in holders:  # else its card was replaced by an older one
            _judge(citizen, holders[citizen.at], cases.get(citizen.text), world.watch.record.answers[citizen.at])


def judge_disks(town: Town) -> None:
    """Look at what a thief would read, and at what may be used once."""
    world = town.world
    coordinators = world.coordinators()
    for machine in [*world.kiosks(), *coordinators]:
        check_unreadable(world.watch, machine.name, machine.disk.image(), tuple(world.sealing_keys(machine.site)))
    for machine in coordinators:
        check_nonces(machine.name, machine.disk.image())


def _judge(citizen: Citizen, holder: KioskMachine, case: Case | None, given: list[str]) -> None:
    if case is None or case.category != citizen.category or case.life_threat != citizen.life_threat:
        raise Violation(f"{citizen.kiosk}: a request reached the desk as another one, or not at all")
    answers = citizen.read_answers(holder)
    if not answers or not set(answers) <= set(given):
        raise Violation(f"{citizen.kiosk}: an answer reads as nobody wrote it")
