"""`make bench-air`, the mesh: a region's requests against the same texts as plain broadcasts, on the same air.

Real engines, ledgers and keys; no site has internet. All chance comes from seeds: two runs print the same figures.
"""

import argparse
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from steunpunt.model import Category
from steunpunt.sim.air import Air
from steunpunt.sim.region import terrain
from steunpunt.sim.region.maps import SIDE_KM, Options, kiosks_of, laid_out
from steunpunt.sim.region.people import Citizen
from steunpunt.sim.region.radio import SiteRadio
from steunpunt.sim.region.simulate import share
from steunpunt.sim.region.storm import Town
from steunpunt.sim.region.texts import HELP_TEXTS
from steunpunt.sim.region.trace import Trace
from steunpunt.sim.region.world import Plan, World
from steunpunt.sim.timeline import Timeline
from tests.bench.figures import Figure
from tests.bench.growth_plot import plot

PER_HOUR = 186.0
SITES = 30
LIFE_THREATS = 0.15
HOUR_S = 3600.0
GRACE_S = 900.0
"""After the last request this long is given for its arrival."""
LOADS = (1.0, 2.0, 3.0, 4.0, 6.0)
GROWTH = (10, 30, 100, 300)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody comes to a site: when, to which, and whether it is a matter of life and death."""

    at_s: float
    site: int
    life_threat: bool
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run's requests."""

    asked: int
    arrived: int
    transmissions: int
    airtime_s: float
    waits_s: tuple[float, ...]
    life_waits_s: tuple[float, ...]

    @property
    def undelivered(self) -> float:
        return (self.asked - self.arrived) / self.asked

    @property
    def each(self) -> float:
        return self.transmissions / self.asked


def arrivals(options: Options) -> list[Arrival]:
    """Draw who comes, from the seed."""
    rng, found, at_s = random.Random(f"{options.seed} arrivals"), list[Arrival](), 0.0
    while (at_s := at_s + rng.expovariate(options.per_hour) * HOUR_S) < options.hours * HOUR_S:
        text = f"{HELP_TEXTS[len(found) % len(HELP_TEXTS)][:66].rstrip()} {len(found)}"
        site = rng.choice(kiosks_of(options))
        found.append(Arrival(at_s, site, rng.random() < LIFE_THREATS, text))
    return found


def as_typed(arrival: Arrival) -> bytes:
    """Return what a person would type today into a Meshtastic app."""
    first = "MEDISCH LEVENSGEVAAR" if arrival.life_threat else "MEDISCH"
    return f"{first} 3 personen bel 0612345678 {arrival.text}".encode()


def bare_flooding(options: Options, *, signs: bool = False) -> Outcome:
    """Broadcast each text once, from the same places at the same moments."""
    timeline = Timeline()
    air = Air(timeline, random.Random(f"{options.seed} air"), preset="LONG_FAST")
    nums = range(1, options.sites + 1)
    radios = {n: SiteRadio(n, air, random.Random(f"{options.seed} radio {n}"), signs=signs) for n in nums}
    places = terrain.reachable(random.Random(f"{options.seed} map"), list(radios), SIDE_KM)
    terrain.spread_out(air, places, random.Random(f"{options.seed} hills"))
    heard: set[int] = set()
    radios[1].to_client = lambda frame, _snr: heard.add(frame.id)
    for radio in radios.values():
        radio.switch(on=True)
    come = arrivals(options)
    for arrival in come:
        radio = radios[2 + kiosks_of(options).index(arrival.site)]
        timeline.schedule(arrival.at_s * 1000, partial(_send, radio, as_typed(arrival)))
    timeline.advance((options.hours * HOUR_S + GRACE_S) * 1000)
    airtime_s = sum(radio.mesh.counters["airtime_ms"] for radio in radios.values()) / 1000
    return Outcome(len(come), len(heard), air.counters["transmissions"], airtime_s, (), ())


def _send(radio: SiteRadio, payload: bytes) -> None:
    radio.send(payload)


def steunpunt(options: Options, *, lanes: bool = True, signs: bool = False) -> Outcome:
    """Let the same people ask at kiosks without internet. Without ``lanes`` nobody is more urgent than another."""
    plan = Plan(kiosks_of(options), without_broker=frozenset(kiosks_of(options)), signs=signs)
    with tempfile.TemporaryDirectory() as folder:
        town = laid_out(World(options.seed, plan, Path(folder), Trace()))
        come = arrivals(options)
        for arrival in come:
            town.citizens.append(_citizen(town, arrival, lanes=lanes))
            town.world.after(arrival.at_s * 1000, town.citizens[-1].ask)
        town.world.run(options.hours * HOUR_S + GRACE_S)
        outcome = _outcome(town, come)
        town.world.close()
    return outcome


def _citizen(town: Town, arrival: Arrival, *, lanes: bool) -> Citizen:
    chance = town.world.chance(f"citizen {arrival.at_s}")
    citizen = Citizen(town.world, f"kiosk {arrival.site}", chance, text=arrival.text)
    citizen.life_threat = arrival.life_threat and lanes
    citizen.category = Category.MEDICAL if lanes else Category.SUPPLIES
    return citizen


def _outcome(town: Town, come: list[Arrival]) -> Outcome:
    world, record = town.world, town.world.watch.record
    waits: list[tuple[float, bool]] = []
    arrived = 0
    for citizen, arrival in zip(town.citizens, come, strict=True):
        there_ms = record.cases.get(citizen.at) if citizen.has_ticket and citizen.at else None
        arrived += there_ms is not None
        waits.append(((there_ms or world.now_ms) / 1000 - arrival.at_s, arrival.life_threat))
    airtime_s = sum(site.mesh.radio.mesh.counters["airtime_ms"] for site in world.sites.values()) / 1000
    return Outcome(
        len(come),
        arrived,
        world.air.counters["transmissions"],
        airtime_s,
        tuple(wait for wait, _ in waits),
        tuple(wait for wait, life_threat in waits if life_threat),
    )


# --- figures ------------------------------------------------------------------------------------------------------


def against_flooding(options: Options, seeds: range, tell: Callable[[str], None], *, signs: bool) -> list[Figure]:
    """Compare what does not arrive, and what it costs."""
    firmware = "2.8, signed" if signs else "2.7"
    ours, bare = [], []
    for seed in seeds:
        one = replace(options, seed=seed)
        ours.append(steunpunt(one, signs=signs))
        bare.append(bare_flooding(one, signs=signs))
        tell(
            f"firmware {firmware}, seed {seed}: {ours[-1].asked} requests; not arrived {ours[-1].undelivered:.1%}, "
            f"bare {bare[-1].undelivered:.1%}; transmissions each {ours[-1].each:.1f}, bare {bare[-1].each:.1f}"
        )
    lost = [sum(o.asked - o.arrived for o in ours) / sum(o.asked for o in ours)]
    lost_bare = [sum(o.asked - o.arrived for o in bare) / sum(o.asked for o in bare)]
    return [
        Figure(f"not arrived / bare flooding ({firmware})", lost, lost_bare, "", at_most=0.10),
        Figure(
            f"transmissions / bare flooding ({firmware})",
            [o.each for o in ours],
            [o.each for o in bare],
            "",
            at_most=1.5,
        ),
        Figure(f"airtime / bare flooding ({firmware})", [o.airtime_s for o in ours], [o.airtime_s for o in bare], "s"),
    ]


def _each(outcomes: list[Outcome]) -> list[float]:
    return [outcome.each for outcome in outcomes]


def overloaded(options: Options, seeds: range, tell: Callable[[str], None]) -> list[Figure]:
    """Find the load that carries most, double it, and see what still arrives and how long life threats wait."""
    good: dict[float, float] = {}
    for load in LOADS:
        done = steunpunt(replace(options, per_hour=PER_HOUR * load, seed=seeds[0]))
        good[load] = done.arrived / options.hours
        tell(
            f"{PER_HOUR * load:.0f} requests/h: {good[load]:.0f}/h arrive, p95 {share(list(done.waits_s), 0.95):.0f} s"
        )
    peak = max(good, key=lambda load: good[load])
    goods, lives, fifos = [], [], []
    for seed in seeds:
        double = replace(options, per_hour=2 * peak * PER_HOUR, seed=seed)
        done, fifo = steunpunt(double), steunpunt(double, lanes=False)
        goods.append(done.arrived / options.hours)
        lives.append(share(list(done.life_waits_s), 0.95))
        fifos.append(share(list(fifo.life_waits_s), 0.95))
        tell(f"twice {peak * PER_HOUR:.0f}/h, seed {seed}: {goods[-1]:.0f}/h, life threats' p95 {lives[-1]:.0f} s")
    return [
        Figure("goodput at twice the load / its peak", goods, [good[peak]] * len(goods), "/h", at_least=0.9),
        Figure("life threats' p95 at that load / all in one line", lives, fifos, "s", at_most=0.3),
    ]


def idle(options: Options, tell: Callable[[str], None]) -> list[Figure]:
    """Nobody comes: what the region says all the same, in sum, of the time that there is."""
    hours = 12.0
    done = steunpunt(replace(options, hours=hours, per_hour=1e-9))
    tell(f"{options.sites} sites, no internet, no requests for {hours:g} h: {done.airtime_s:.0f} s on the air")
    return [Figure("idle traffic / the channel", [done.airtime_s], [hours * HOUR_S], "s", at_most=0.02)]


def growth(options: Options, tell: Callable[[str], None], picture: Path | None) -> None:
    """Print how a region of more and more sites fares, with the same people and with more of them."""
    rows: dict[str, list[tuple[int, float]]] = {"186 requests/h": [], "6.2 requests/h a site": []}
    tell(f"{'sites':>6} {'requests/h':>10} {'arrived':>8} {'median':>8} {'p95':>8} {'transmissions each':>19}")
    for sites in GROWTH:
        for name, per_hour in zip(rows, (PER_HOUR, 6.2 * sites), strict=True):
            done = steunpunt(replace(options, sites=sites, per_hour=per_hour))
            waits = list(done.waits_s)
            rows[name].append((sites, 1 - done.undelivered))
            tell(
                f"{sites:>6} {per_hour:>10.0f} {1 - done.undelivered:>8.1%} {share(waits, 0.5):>6.0f} s "
                f"{share(waits, 0.95):>6.0f} s {done.each:>19.1f}"
            )
    if picture is not None:
        picture.write_text(plot(rows), encoding="utf-8")


PARTS = ("flooding", "signed", "overload", "idle", "growth")


def measure(parts: list[str], seeds: range, hours: float, tell: Callable[[str], None], picture: Path | None) -> None:
    """Measure the parts asked for and print each figure as soon as it is there."""
    options = Options(seed=seeds[0], sites=SITES, hours=hours, per_hour=PER_HOUR, storm=False)
    figures: list[Figure] = []
    if "flooding" in parts:
        figures += against_flooding(options, seeds, tell, signs=False)
    if "signed" in parts:
        figures += against_flooding(options, seeds, tell, signs=True)
    if "overload" in parts:
        figures += overloaded(replace(options, hours=hours / 2), seeds, tell)
    if "idle" in parts:
        figures += idle(options, tell)
    for figure in figures:
        print(figure.line())
    if "growth" in parts:
        growth(replace(options, hours=hours / 2), tell, picture)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.bench.mesh_sim", description=__doc__)
    options.add_argument("--only", choices=PARTS, action="append", help="measure this part; repeat for more")
    options.add_argument("--seeds", type=int, default=3, help="maps and arrivals (default 3)")
    options.add_argument("--hours", type=float, default=2.0, help="how long people come (default 2)")
    options.add_argument("--picture", type=Path, help="write the growth curve to this SVG file")
    given = options.parse_args()
    measure(
        given.only or list(PARTS), range(1, given.seeds + 1), given.hours, partial(print, flush=True), given.picture
    )


if __name__ == "__main__":
    main()
