"""`python -m tests.bench.mesh_sim`: a region on the simulated mesh beside the same texts as plain broadcasts.

Figures stand twice: on the maps on which settings were tried out, and on maps that were not looked at while doing so.
Only the second count. All chance comes from seeds, so two runs print the same.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from functools import partial
from pathlib import Path

from steunpunt.sim.region.maps import Options
from steunpunt.sim.region.simulate import share
from tests.bench.figures import Figure, title
from tests.bench.growth_plot import plot
from tests.bench.mesh_runs import HOUR_S, Outcome, bare_flooding, steunpunt

PER_HOUR = 186.0
SITES = 30
TRIED = (1, 2, 3, 4)
"""Seeds of the maps, and of the arrivals, with which settings were tried out."""
FRESH = (31, 32, 33, 34)
GRACE_S = 900.0
"""After the last request this long is given for its arrival."""
LOADS = (4.0, 8.0, 12.0)
SETTLED_S = 900.0
"""Of an overload the first and the last quarter of an hour do not count: a queue that still grows looks short."""
GROWTH = (10, 30, 100, 300)
GROWTH_HOURS = 0.5
IDLE_HOURS = 12.0
IDLE_SEEDS = 3
PARTS = ("flooding", "signed", "idle", "overload", "growth")

Tell = Callable[[str], None]


class Bench:
    """Runs over the processes it was given, each run once."""

    def __init__(self, pool: Executor, tell: Tell) -> None:
        self._pool = pool
        self.tell = tell

    def ours(self, options: Options, **how: bool) -> "Future[Outcome]":
        return self._pool.submit(steunpunt, options, GRACE_S, **how)

    def bare(self, options: Options, **how: bool) -> "Future[Outcome]":
        return self._pool.submit(bare_flooding, options, GRACE_S, **how)


def region(seed: int, hours: float = 1.0, per_hour: float = PER_HOUR, sites: int = SITES) -> Options:
    return Options(seed=seed, sites=sites, hours=hours, per_hour=per_hour, storm=False)


def against_flooding(bench: Bench, seeds: Iterable[int], *, signs: bool) -> list[Figure]:
    """Compare what does not arrive, and what it costs."""
    runs = [(bench.ours(region(seed), signs=signs), bench.bare(region(seed), signs=signs), seed) for seed in seeds]
    ours, bare = [], []
    for one, other, seed in runs:
        ours.append(one.result())
        bare.append(other.result())
        bench.tell(
            f"  map {seed}: {ours[-1].asked} requests; not arrived {ours[-1].asked - ours[-1].arrived}, "
            f"bare {bare[-1].asked - bare[-1].arrived}; transmissions each {ours[-1].each:.1f}, "
            f"bare {bare[-1].each:.1f}"
        )
    bench.tell(f"  transmissions for a request: {of_kinds(ours)}")
    lost, lost_bare = (sum(one.asked - one.arrived for one in runs) for runs in (ours, bare))
    return [
        Figure("not arrived / bare flooding", [lost], [lost_bare], "of all maps", at_most=0.10),
        Figure("transmissions / bare flooding", _each(ours), _each(bare), "", at_most=1.5),
        Figure("airtime / bare flooding", [o.airtime_s for o in ours], [o.airtime_s for o in bare], "s"),
    ]


def of_kinds(outcomes: list[Outcome]) -> str:
    """Say how many transmissions of each kind a request took."""
    total: Counter[str] = Counter()
    for outcome in outcomes:
        total.update(outcome.transmissions)
    asked = sum(outcome.asked for outcome in outcomes)
    return ", ".join(f"{kind} {count / asked:.2f}" for kind, count in total.most_common())


def _each(outcomes: list[Outcome]) -> list[float]:
    return [outcome.each for outcome in outcomes]


def overloaded(bench: Bench, seeds: tuple[int, ...]) -> list[Figure]:
    """Find how much arrives at most, ask for twice that, and see what still arrives and how long life threats wait."""
    hours = 1.5
    within = (SETTLED_S, hours * HOUR_S - SETTLED_S)
    good: dict[float, float] = {}
    runs = {load: [bench.ours(region(seed, hours, PER_HOUR * load)) for seed in seeds] for load in LOADS}
    for load, futures in runs.items():
        outcomes = [future.result() for future in futures]
        good[load] = sum(one.arrive_per_hour(within) for one in outcomes) / len(outcomes)
        both = [wait for one in outcomes for wait in one.waits_s(within=within)]
        life = [wait for one in outcomes for wait in one.waits_s(life=True, within=within)]
        bench.tell(
            f"  {PER_HOUR * load:5.0f} requests/h: {good[load]:5.0f}/h arrive, 95 % within {share(both, 0.95):.0f} s, "
            f"life threats {share(life, 0.95):.0f} s"
        )
    peak = max(good.values())
    bench.tell(f"  the most that arrives is {peak:.0f}/h; twice that is asked now")
    goods, lives, fifos = [], [], []
    double = [region(seed, hours, 2 * peak) for seed in seeds]
    for laned, lined in [(bench.ours(one), bench.ours(one, lanes=False)) for one in double]:
        done, fifo = laned.result(), lined.result()
        goods.append(done.arrive_per_hour(within))
        lives.append(share(done.waits_s(life=True, within=within), 0.95))
        fifos.append(share(fifo.waits_s(life=True, within=within), 0.95))
    return [
        Figure("goodput at twice the load / its peak", goods, [peak] * len(goods), "/h", at_least=0.9),
        Figure("life threats' p95 at that load / all in one line", lives, fifos, "s", at_most=0.3),
    ]


def idle(bench: Bench, seeds: tuple[int, ...]) -> list[Figure]:
    """Nobody comes: what the region says all the same, in sum, of the time that there is."""
    runs = [bench.ours(region(seed, IDLE_HOURS, 1e-9)) for seed in seeds]
    airtimes_s = []
    for seed, future in zip(seeds, runs, strict=True):
        done = future.result()
        airtimes_s.append(done.airtime_s)
        told = ", ".join(f"{kind} {count}" for kind, count in done.transmissions.most_common())
        bench.tell(f"  map {seed}: {done.airtime_s:.0f} s on the air in {done.end_s / HOUR_S:g} h; {told}")
    span_s = IDLE_HOURS * HOUR_S + GRACE_S
    return [Figure("idle, in sum / the channel", airtimes_s, [span_s] * len(seeds), "s", at_most=0.02)]


def growth(bench: Bench, seed: int, picture: Path | None) -> None:
    """Print how a region of more and more sites fares, with the same people and with more of them."""
    rows: dict[str, list[tuple[int, float]]] = {"186 requests/h": [], "6.2 requests/h a site": []}
    bench.tell("| sites | requests/h | arrived | median | 95 % within | transmissions each |")
    bench.tell("| --- | --- | --- | --- | --- | --- |")
    runs = [
        (sites, name, per_hour, bench.ours(region(seed, GROWTH_HOURS, per_hour, sites)))
        for sites in GROWTH
        for name, per_hour in zip(rows, (PER_HOUR, 6.2 * sites), strict=True)
    ]
    for sites, name, per_hour, future in runs:
        done = future.result()
        part, waits = done.arrived / done.asked, done.waits_s()
        rows[name].append((sites, part))
        bench.tell(
            f"| {sites} | {per_hour:.0f} | {part:.1%} | {share(waits, 0.5):.0f} s | {share(waits, 0.95):.0f} s "
            f"| {done.each:.1f} |"
        )
        if picture is not None:
            picture.write_text(plot(rows), encoding="utf-8")


def measure(bench: Bench, parts: list[str], picture: Path | None) -> None:
    """Measure the parts asked for and print each figure as soon as it is there."""
    for what, seeds in (("maps tried out on", TRIED), ("fresh maps", FRESH)):
        for firmware, part in (("2.7", "flooding"), ("2.8, which signs broadcasts", "signed")):
            if part in parts:
                bench.tell(title(f"{SITES} sites, {PER_HOUR:g} requests/h, firmware {firmware}, {what}", len(seeds)))
                _print(against_flooding(bench, seeds, signs=part == "signed"))
        if "idle" in parts:
            bench.tell(title(f"{SITES} sites, nobody asks for {IDLE_HOURS:g} h from the start, {what}", IDLE_SEEDS))
            _print(idle(bench, seeds[:IDLE_SEEDS]))
    if "overload" in parts:
        bench.tell(title(f"{SITES} sites, more than the air carries, fresh maps", IDLE_SEEDS))
        _print(overloaded(bench, FRESH[:IDLE_SEEDS]))
    if "growth" in parts:
        bench.tell(f"\nGrowth, map {FRESH[0]}, people come for {GROWTH_HOURS * 60:g} minutes; the area is the same")
        growth(bench, FRESH[0], picture)


def _print(figures: list[Figure]) -> None:
    for figure in figures:
        print(figure.line(), flush=True)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.bench.mesh_sim", description=__doc__)
    options.add_argument("--only", choices=PARTS, action="append", help="measure this part; repeat for more")
    options.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 2), help="processes (default 2)")
    options.add_argument("--picture", type=Path, help="write the growth curve to this SVG file")
    given = options.parse_args()
    with ProcessPoolExecutor(given.jobs) as pool:
        measure(Bench(pool, partial(print, flush=True)), given.only or list(PARTS), given.picture)


if __name__ == "__main__":
    main()
