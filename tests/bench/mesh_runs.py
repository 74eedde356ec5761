"""One run on the simulated mesh: a region's requests by our sites, or the same texts as plain broadcasts.

Real engines, ledgers and keys; no site has internet. All chance comes from the seed: a run repeats itself.
"""

import random
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from steunpunt.model import Category, FrameError
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.sim.air import Air, Frame
from steunpunt.sim.region import terrain
from steunpunt.sim.region.maps import SIDE_KM, Options, kiosks_of, laid_out
from steunpunt.sim.region.people import Citizen
from steunpunt.sim.region.radio import SiteRadio, is_text, payload_of
from steunpunt.sim.region.storm import Town
from steunpunt.sim.region.texts import HELP_TEXTS
from steunpunt.sim.region.trace import Trace
from steunpunt.sim.region.world import Plan, World
from steunpunt.sim.timeline import Timeline
from steunpunt.wire import BROADCAST

LIFE_THREATS = 0.15
HOUR_S = 3600.0
HEARTBEAT_BYTES = (28, 60)
"""A heartbeat's packet, without and with hello: nothing else of ours is as short."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody comes to a site: when, to which, and whether it is a matter of life and death."""

    at_s: float
    site: int
    life_threat: bool
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of one request: when it was asked, and when it was at a coordinator; None: not by the end."""

    at_s: float
    life_threat: bool
    there_s: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run."""

    requests: tuple[Asked, ...]
    end_s: float
    transmissions: Counter[str]
    """By kind of packet."""
    airtime_s: float

    @property
    def asked(self) -> int:
        return len(self.requests)

    @property
    def arrived(self) -> int:
        return sum(one.there_s is not None for one in self.requests)

    @property
    def each(self) -> float:
        """Transmissions for a request, of all kinds and all radios."""
        return self.transmissions.total() / max(self.asked, 1)

    def waits_s(self, *, life: bool = False, within: tuple[float, float] = (0.0, float("inf"))) -> list[float]:
        """Return how long those waited that were asked within a time; who is not there waited until the end."""
        return [
            (self.end_s if one.there_s is None else one.there_s) - one.at_s
            for one in self.requests
            if within[0] <= one.at_s < within[1] and (one.life_threat or not life)
        ]

    def arrive_per_hour(self, within: tuple[float, float]) -> float:
        """Return how many arrived in a time, whenever they were asked."""
        count = sum(one.there_s is not None and within[0] <= one.there_s < within[1] for one in self.requests)
        return count / (within[1] - within[0]) * HOUR_S


def kind_told(frame: Frame) -> str:
    """Name what a transmission carries."""
    if is_text(frame.data):
        return "plain words"
    payload = payload_of(frame.data)
    try:
        kind = kind_of(payload)
    except FrameError:
        return "acks of radios"
    if kind is Kind.PIECE and len(payload) in HEARTBEAT_BYTES:
        return "heartbeats"
    if kind not in {Kind.PIECE, Kind.TOKENS}:
        return "others"
    way = "to all" if frame.to == BROADCAST else "to one"
    return f"{'requests' if kind is Kind.PIECE else 'receipts'} {way}"


def arrivals(options: Options) -> list[Arrival]:
    """Draw who comes, from the seed."""
    rng, found, at_s = random.Random(f"{options.seed} arrivals"), list[Arrival](), 0.0
    while (at_s := at_s + rng.expovariate(options.per_hour) * HOUR_S) < options.hours * HOUR_S:
        text = f"{HELP_TEXTS[len(found) % len(HELP_TEXTS)][:66].rstrip()} {len(found)}"
        site = rng.choice(kiosks_of(options))
        found.append(Arrival(at_s, site, rng.random() < LIFE_THREATS, text))
    return found


def as_typed(arrival: Arrival) -> str:
    """Return what a person would type today into a Meshtastic app."""
    first = "MEDISCH LEVENSGEVAAR" if arrival.life_threat else "MEDISCH"
    return f"{first} 3 personen bel 0612345678 {arrival.text}"


def bare_flooding(options: Options, grace_s: float, *, signs: bool = False) -> Outcome:
    """Broadcast each text once, from the same places at the same moments."""
    timeline = Timeline()
    air = Air(timeline, random.Random(f"{options.seed} air"), preset="LONG_FAST")
    sent: Counter[str] = Counter()
    air.look = lambda _frame: sent.update(["requests to all"])
    nums = range(1, options.sites + 1)
    radios = {n: SiteRadio(n, air, random.Random(f"{options.seed} radio {n}"), signs=signs) for n in nums}
    places = terrain.reachable(random.Random(f"{options.seed} map"), list(radios), SIDE_KM)
    terrain.spread_out(air, places, random.Random(f"{options.seed} hills"))
    heard: dict[str, float] = {}
    radios[1].to_client = lambda frame, _snr: _note(heard, frame, timeline.now_ms)
    for radio in radios.values():
        radio.switch(on=True)
    come = arrivals(options)
    for arrival in come:
        radio = radios[2 + kiosks_of(options).index(arrival.site)]
        timeline.schedule(arrival.at_s * 1000, partial(_send, radio, as_typed(arrival)))
    end_s = options.hours * HOUR_S + grace_s
    timeline.advance(end_s * 1000)
    airtime_s = sum(radio.mesh.counters["airtime_ms"] for radio in radios.values()) / 1000
    asked = tuple(Asked(one.at_s, one.life_threat, heard.get(as_typed(one))) for one in come)
    return Outcome(asked, end_s, sent, airtime_s)


def _note(heard: dict[str, float], frame: Frame, now_ms: float) -> None:
    heard.setdefault(payload_of(frame.data).decode(), now_ms / 1000)


def _send(radio: SiteRadio, text: str) -> None:
    radio.send(text.encode())


def steunpunt(options: Options, grace_s: float, *, lanes: bool = True, signs: bool = False) -> Outcome:
    """Let the same people ask at kiosks without internet. Without ``lanes`` nobody is more urgent than another."""
    plan = Plan(kiosks_of(options), without_broker=frozenset(kiosks_of(options)), signs=signs)
    sent: Counter[str] = Counter()
    end_s = options.hours * HOUR_S + grace_s
    with tempfile.TemporaryDirectory() as folder:
        town = laid_out(World(options.seed, plan, Path(folder), Trace()))
        town.world.air.look = lambda frame: sent.update([kind_told(frame)])
        come = arrivals(options)
        for arrival in come:
            town.citizens.append(_citizen(town, arrival, lanes=lanes))
            town.world.after(arrival.at_s * 1000, town.citizens[-1].ask)
        town.world.run(end_s)
        airtime_s = sum(site.mesh.radio.mesh.counters["airtime_ms"] for site in town.world.sites.values()) / 1000
        outcome = Outcome(_asked(town, come), end_s, sent, airtime_s)
        town.world.close()
    return outcome


def _citizen(town: Town, arrival: Arrival, *, lanes: bool) -> Citizen:
    chance = town.world.chance(f"citizen {arrival.at_s}")
    citizen = Citizen(town.world, f"kiosk {arrival.site}", chance, text=arrival.text)
    citizen.life_threat = arrival.life_threat and lanes
    citizen.category = Category.MEDICAL if lanes else Category.SUPPLIES
    return citizen


def _asked(town: Town, come: list[Arrival]) -> tuple[Asked, ...]:
    found = []
    for citizen, arrival in zip(town.citizens, come, strict=True):
        there_ms = town.world.watch.record.cases.get(citizen.at) if citizen.has_ticket and citizen.at else None
        found.append(Asked(arrival.at_s, arrival.life_threat, None if there_ms is None else there_ms / 1000))
    return tuple(found)
