"""A whole region in one process and in virtual time: real engines over real ledgers with real keys, on a simulated air.

All chance comes from one seed, in streams of their own per use: one more packet somewhere does not change the weather
elsewhere. :meth:`World.run` is the only thing that moves time. An engine is to this module just
``turn(connection, events, now_ms) -> effects``.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from steunpunt.engine.common import Neighbours
from steunpunt.engine.kiosk import KioskSettings
from steunpunt.model import (
    BridgeChanged,
    ConfirmFrame,
    Effect,
    Event,
    FrameHeard,
    HelpSubmitted,
    LedgerError,
    LinkChanged,
    LinkName,
    RadioPrepared,
    RadioUsed,
    ReplyTo,
    SendEnded,
    SendFrame,
    SendOutcome,
    SupplementSubmitted,
)
from steunpunt.protocol.keys import keys_at
from steunpunt.sim.air import Air
from steunpunt.sim.region.brokers import Brokers, Post
from steunpunt.sim.region.disk import Disk
from steunpunt.sim.region.keys import RegionKeys
from steunpunt.sim.region.machine import CoordinatorMachine, KioskMachine, Machine
from steunpunt.sim.region.radio import MeshRoad, SiteRadio
from steunpunt.sim.region.trace import Trace
from steunpunt.sim.region.watch import Watch
from steunpunt.sim.region.weather import Weather
from steunpunt.sim.timeline import Timeline, Timer

EVENTS_PER_TURN_MAX = 64
"""As the node's inbox gives them."""
KEEP_AGAIN_MS = 2_000.0
"""As the node: how long it waits before it tries a ledger that refused once more."""
AIR_TOLD_MS = 60_000.0
"""How often a radio tells its node what it has sent (air_util_tx)."""
BEACON_TRUTH_MS = 60_000.0
SEALED_LOOKED_AT = 8
"""Message keys of each epoch that are looked for on a stolen disk."""
_LATENCY_MS = (1.0, 20.0)
_BACK_AFTER_MS = (1_000.0, 60_000.0)


class PowerCut(BaseException):
    """The power of one process goes away just before its commit."""


class Strike(Enum):
    """Where in a turn the power goes away."""

    BEFORE_COMMIT = "before the commit"
    AFTER_COMMIT = "after the commit"
    BETWEEN_EFFECTS = "between effects"


@dataclass(frozen=True, slots=True)
class Plan:
    """Which sites there are and what they have."""

    kiosks: tuple[int, ...]
    coordinators: tuple[int, ...] = (1,)
    addressed: Mapping[int, int] = field(default_factory=dict)
    """Kiosk -> the coordinator that it addresses; the first one where it is not listed."""
    buttons: frozenset[int] = frozenset()
    without_radio: frozenset[int] = frozenset()
    without_broker: frozenset[int] = frozenset()
    preset: str = "LONG_FAST"
    signs: bool = False
    """Whether radios run firmware 2.8, which signs broadcasts."""
    fallback_min: int = 0
    """After so many minutes without receipt kiosks say life threats in plain words; 0: never."""

    def coordinator_of(self, kiosk: int) -> int:
        """Return the coordinator that a kiosk addresses."""
        return self.addressed.get(kiosk, self.coordinators[0])

    def neighbours(self, coordinator: int) -> Neighbours:
        """Return who else coordinates, as one coordinator's config says it."""
        addressed = {kiosk: self.coordinator_of(kiosk) for kiosk in self.kiosks}
        return Neighbours(coordinator, frozenset(self.coordinators) - {coordinator}, addressed)


@dataclass(eq=False)
class SimSite:
    """A site's machine, what joins it to the others, and what waits for its next turn."""

    machine: Machine
    mesh: MeshRoad
    post: Post
    has_radio: bool = True
    has_broker: bool = True
    inbox: list[Event] = field(default_factory=list)
    timer: Timer | None = None
    flights: dict[tuple[LinkName, int], SendFrame] = field(default_factory=dict)
    """What was handed to a link and has not ended."""
    beacon_ms: float | None = None
    """When a beacon last came in over the broker."""


class World:
    """The sites and all between them."""

    def __init__(self, seed: int, plan: Plan, folder: Path, trace: Trace | None = None) -> None:
        """``folder`` is for the few things that live outside ledgers."""
        self.seed = seed
        self.plan = plan
        self.folder = folder
        self.timeline = Timeline()
        self.weather = Weather()
        self.trace = trace or Trace()
        self.watch = Watch()
        self.counts: Counter[str] = Counter()
        self.answers: dict[object, dict[str, Any]] = {}
        self.on_send: Callable[[SimSite, SendFrame], object] = lambda _site, _frame: None
        """Sees each packet that a site hands to a link."""
        self.rng = self.chance("world")
        self.keys = RegionKeys(self.chance("keys"), plan.coordinators)
        self.air = Air(self.timeline, self.chance("air"), preset=plan.preset)
        self.brokers = Brokers(self.timeline, self.weather, self.chance("brokers"))
        self.sites: dict[str, SimSite] = {}
        for number in plan.coordinators:
            self.add_coordinator(number)
        for number in plan.kiosks:
            self.add_kiosk(number)

    def chance(self, use: str) -> random.Random:
        """Return a stream of chance of its own."""
        return random.Random(f"{self.seed} {use}")

    @property
    def now_ms(self) -> float:
        """Simulated milliseconds since the beginning."""
        return self.timeline.now_ms

    # --- sites

    def add_kiosk(self, number: int, name: str = "", image: bytes | None = None) -> SimSite:
        """Put a kiosk into the region and switch it on; ``image``: a copy of another one's card."""
        name = name or f"kiosk {number}"
        machine = KioskMachine(
            name,
            self.keys.of_site(number),
            Disk(image),
            self.timeline,
            self.chance(name),
            coordinator=self.plan.coordinator_of(number),
            settings=KioskSettings(len(self.plan.kiosks) + len(self.plan.coordinators), name, self.plan.fallback_min),
            buttons={"help": 30} if number in self.plan.buttons else {},
        )
        return self._add(machine)

    def add_coordinator(self, number: int) -> SimSite:
        """Put a coordinator into the region and switch it on."""
        name = f"coordinator {number}"
        machine = CoordinatorMachine(
            name,
            self.keys.of_coordinator(number),
            Disk(),
            self.timeline,
            self.chance(name),
            neighbours=self.plan.neighbours(number),
            ledger_key=self.keys.ledger_keys[number],
            folder=self.folder,
        )
        return self._add(machine)

    def _add(self, machine: Machine) -> SimSite:
        name = machine.name
        radio = SiteRadio(len(self.sites) + 1, self.air, self.chance(f"radio of {name}"), signs=self.plan.signs)
        road = MeshRoad(radio, self.weather, self.chance(f"cable of {name}"), lambda event: self._arrive(site, event))
        post = Post(machine.site, machine.role, lambda event: self._arrive(site, event))
        has_radio = machine.site not in self.plan.without_radio
        has_broker = machine.site not in self.plan.without_broker
        site = SimSite(machine, road, post, has_radio, has_broker)
        radio.on_transmit = lambda: self.watch.transmitted(name, radio.mesh.sent_percent())
        self.sites[name] = site
        post.runs = has_broker
        self.brokers.add(post)
        self.power_on(name, booted=True)
        self.after(self.rng.uniform(0, AIR_TOLD_MS), lambda: self._tell_air(site))
        return site

    def _tell_air(self, site: SimSite) -> None:
        """Let a radio tell what it has sent; one that has sent nothing says nothing."""
        mesh = site.mesh.radio.mesh
        share = mesh.sent_percent() / 100
        if share and site.mesh.up:
            self._arrive(site, RadioUsed(share, channel=mesh.channel_percent() / 100))
        self.after(AIR_TOLD_MS, lambda: self._tell_air(site))

    def kiosks(self) -> list[KioskMachine]:
        """Return the kiosks' machines."""
        return [site.machine for site in self.sites.values() if isinstance(site.machine, KioskMachine)]

    def coordinators(self) -> list[CoordinatorMachine]:
        """Return the coordinators' machines."""
        return [site.machine for site in self.sites.values() if isinstance(site.machine, CoordinatorMachine)]

    def sealing_keys(self, site: int) -> list[bytes]:
        """Return what may never reach a disk: the start of each of a site's epochs, and the keys that seal in it."""
        coordinator = self.keys.of_coordinator(self.plan.coordinators[0])
        known = {
            (machine.keys.generation, row.e_pub)
            for machine in self.kiosks()
            if machine.site == site
            for row in machine.ledger.connection.exec_driver_sql("SELECT e_pub FROM epochs ORDER BY eid")
        }
        found = []
        for generation, e_pub in sorted(known):
            epoch_key = coordinator.epoch_key(site, generation, e_pub)
            found += [epoch_key, *(keys_at(epoch_key, n).enc for n in range(SEALED_LOOKED_AT))]
        return found

    def close(self) -> None:
        """Give all memory back."""
        for site in self.sites.values():
            if site.machine.running:
                site.machine.power_off()
            site.machine.disk.close()

    # --- time

    def after(self, ms: float, act: Callable[[], None]) -> None:
        """Let something happen ``ms`` from now."""
        self.timeline.schedule(ms, act)

    def run(self, seconds: float, until: Callable[[], bool] | None = None, look_every_s: float = 5.0) -> bool:
        """Let ``seconds`` pass, or less when ``until`` comes true; returns whether it did."""
        end_ms = self.now_ms + seconds * 1000
        if until is None:
            self.timeline.advance(end_ms)
            return False
        while not until():
            if self.now_ms >= end_ms:
                return False
            self.timeline.advance(min(self.now_ms + look_every_s * 1000, end_ms))
        return True

    # --- power

    def power_on(self, name: str, *, booted: bool) -> None:
        """Start a site's node; ``booted``: its whole machine, and so its radio too."""
        site = self.sites[name]
        self.trace.note(self.now_ms, name, "boots" if booted else "starts")
        site.machine.power_on(booted=booted)
        site.mesh.radio.switch(on=site.has_radio)
        site.inbox.clear()
        self._arrive(site, LinkChanged(LinkName.BROKER, up=site.post.runs, reason=""))
        self._arrive(site, LinkChanged(LinkName.MESH, up=site.mesh.up, reason=""))
        self._arrive(site, RadioPrepared(site.mesh.radio.num, (), self.plan.preset, ""))
        self._arrive(site, BridgeChanged(site.post.bridge_up))
        self.brokers.arrive(site.post)
        site.mesh.arrive()

    def power_off(self, name: str, *, whole: bool) -> None:
        """Kill a site's node; ``whole``: its machine and radio lose power too."""
        site = self.sites[name]
        if not site.machine.running:
            return
        self.trace.note(self.now_ms, name, "loses power" if whole else "is killed")
        site.machine.power_off()
        site.mesh.leave()
        self.brokers.leave(site.post)
        site.beacon_ms = None
        site.inbox.clear()
        site.flights.clear()
        if site.timer is not None:
            site.timer.cancel()
        if whole:
            site.mesh.radio.switch(on=False)

    def power_cut(self, name: str, back_after_ms: float, *, whole: bool = True) -> None:
        """Kill a site now and start it again later."""
        if not self.sites[name].machine.running:
            return
        self.power_off(name, whole=whole)
        self.after(back_after_ms, lambda: self._back(name, booted=whole))

    def _back(self, name: str, *, booted: bool) -> None:
        if not self.sites[name].machine.running:
            self.power_on(name, booted=booted)

    def swap_disk(self, name: str, image: bytes, *, whole: bool = True) -> None:
        """Kill a site, put an older copy of its ledger in, and start it again; ``whole``: its machine reboots too."""
        site = self.sites[name]
        self.power_off(name, whole=whole)
        site.machine.disk.close()
        site.machine.disk = Disk(image)
        self.watch.put_back(name)
        self.power_on(name, booted=whole)

    # --- links

    def set_internet(self, name: str, *, up: bool) -> None:
        """Join a site to the region's brokers, or cut it off."""
        self.sites[name].post.internet = up
        self.brokers.look()

    def set_side(self, name: str, side: int) -> None:
        """Put a site on one side of a partition."""
        self.sites[name].post.side = side
        self.brokers.look()

    def set_broker(self, name: str, *, up: bool) -> None:
        """Start or stop a site's own broker."""
        site = self.sites[name]
        site.post.runs = up and site.has_broker
        if site.machine.running:
            self._arrive(site, LinkChanged(LinkName.BROKER, up=site.post.runs, reason=""))
        self.brokers.look()
        if site.post.runs and site.machine.running:
            self.brokers.arrive(site.post)

    def set_cable(self, name: str, *, up: bool) -> None:
        """Plug a site's radio in, or out; the radio has power of its own and stays on."""
        site = self.sites[name]
        if site.mesh.plugged == up:
            return
        site.mesh.plugged = up
        if not site.machine.running:
            return
        self._arrive(site, LinkChanged(LinkName.MESH, up=site.mesh.up, reason="" if up else "unplugged"))
        if up:
            site.mesh.arrive()
        else:
            site.mesh.close()

    # --- turns

    def put(self, name: str, event: Event) -> None:
        """Give an event to a site as its panel or screen would; lost when the site is off."""
        self._arrive(self.sites[name], event)

    def _arrive(self, site: SimSite, event: Event) -> None:
        if not site.machine.running:
            return
        if isinstance(event, FrameHeard) and event.link is LinkName.BROKER and event.carrier is None:
            site.beacon_ms = self.now_ms
        if isinstance(event, SendEnded):
            self._ended(site, event)
        site.inbox.append(event)
        self._wake(site, self.rng.uniform(*_LATENCY_MS))

    def _ended(self, site: SimSite, event: SendEnded) -> None:
        """Note what "on its way" may rest on: a radio, or a broker while the region answers there."""
        frame = site.flights.pop((event.link, event.attempt_id), None)
        if event.outcome is not SendOutcome.TAKEN:
            return
        fresh = site.beacon_ms is not None and self.now_ms - site.beacon_ms <= BEACON_TRUTH_MS
        if frame is not None and (event.link is LinkName.MESH or (fresh and site.post.bridge_up)):
            self.watch.took(frame)

    def _wake(self, site: SimSite, in_ms: float) -> None:
        at_ms = self.now_ms + in_ms
        if site.timer is not None and site.timer.waits:
            if site.timer.at_ms <= at_ms:
                return
            site.timer.cancel()
        site.timer = self.timeline.schedule(in_ms, lambda: self._turn(site))

    def _turn(self, site: SimSite) -> None:
        machine = site.machine
        if not machine.running:
            return
        events, site.inbox = site.inbox[:EVENTS_PER_TURN_MAX], site.inbox[EVENTS_PER_TURN_MAX:]
        strike = self._strike()
        names = ",".join(_told(event) for event in events)
        self.trace.note(self.now_ms, machine.name, f"turn {names}", b"".join(map(_payload, events)))
        try:
            effects = machine.turn(events, self._before_commit(strike))
        except PowerCut:
            effects = []
        except LedgerError:
            self._not_kept(site, events)
            return
        else:
            self.watch.turned(machine, self.now_ms)
        for effect in self._done_of(effects, strike):
            self._perform(site, effect)
        if strike is None:
            self._plan(site)
        else:
            self.counts[f"struck {strike.value}"] += 1
            self.power_cut(machine.name, self.rng.uniform(*_BACK_AFTER_MS), whole=self.rng.random() < 0.5)  # noqa: PLR2004

    def _plan(self, site: SimSite) -> None:
        due_ms = 0.0 if site.inbox else site.machine.due_in_ms()
        if due_ms is not None:
            self._wake(site, max(due_ms, 1.0))

    def _strike(self) -> Strike | None:
        return self.rng.choice(list(Strike)) if self.rng.random() < self.weather.crash else None

    def _before_commit(self, strike: Strike | None) -> Callable[[], None]:
        if strike is Strike.BEFORE_COMMIT:
            return _cut_power
        return _fill_disk if self.rng.random() < self.weather.disk_full else _let_be

    def _done_of(self, effects: list[Effect], strike: Strike | None) -> list[Effect]:
        if strike is Strike.AFTER_COMMIT:
            return []
        if strike is Strike.BETWEEN_EFFECTS and effects:
            return effects[: self.rng.randrange(len(effects))]
        return effects

    def _not_kept(self, site: SimSite, events: list[Event]) -> None:
        """The disk refused: forms are refused visibly, all else is taken again."""
        self.counts["disk refused"] += 1
        for event in events:
            if isinstance(event, HelpSubmitted | SupplementSubmitted) and event.reply is not None:
                self.answers[event.reply] = {"ok": False, "error": "cannot_keep"}
        again = [event for event in events if not isinstance(event, HelpSubmitted | SupplementSubmitted)]
        site.inbox[:0] = again
        self._wake(site, KEEP_AGAIN_MS)

    # --- effects

    def _perform(self, site: SimSite, effect: Effect) -> None:
        self.trace.note(self.now_ms, site.machine.name, _told(effect), _payload(effect))
        match effect:
            case SendFrame():
                self._send(site, effect)
            case ConfirmFrame(handle):
                self.brokers.confirm(site.post, handle)
            case ReplyTo(reply, body):
                self.watch.shown(site.machine, body)
                self.answers[reply] = body
            case _:  # lamps and buzzers
                self.counts["panel"] += 1

    def _send(self, site: SimSite, frame: SendFrame) -> None:
        self.watch.sends(site.machine, frame)
        self.on_send(site, frame)
        site.flights[frame.link, frame.attempt_id] = frame
        self.counts[f"sent over {frame.link}"] += 1
        if frame.link is LinkName.MESH:
            site.mesh.send(frame)
        else:
            self.brokers.publish(site.post, frame)


def _told(step: Event | Effect) -> str:
    """Name an event or effect for the trace, without what a person wrote."""
    link = getattr(step, "link", None)
    return f"{type(step).__name__}({link})" if link is not None else type(step).__name__


def _payload(step: Event | Effect) -> bytes:
    return step.payload if isinstance(step, FrameHeard | SendFrame) else b""


def _cut_power() -> None:
    raise PowerCut


def _fill_disk() -> None:
    raise LedgerError("the simulated disk is full; wait")


def _let_be() -> None:
    """Nothing goes wrong."""
