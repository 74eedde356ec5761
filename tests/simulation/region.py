"""A whole region in one process and in virtual time: real engines, real ledgers, real keys, a wire that misbehaves.

All that is random comes from one seed. The wire loses, doubles, delays and so reorders; links and internet come and go;
sites crash before a commit, between commit and effects, and between effects, and come back with what is on their disk.
"""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from steunpunt.ledger import outgoing
from steunpunt.model import (
    ConfirmFrame,
    Effect,
    Event,
    FrameHeard,
    LinkName,
    ReplyTo,
    SendEnded,
    SendFrame,
    SendOutcome,
    TicketState,
)
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import parse_piece
from tests.fakes.region_keys import COORDINATOR
from tests.fakes.sites import (
    BRIDGE_DOWN,
    BRIDGE_UP,
    BROKER_UP,
    MESH_DOWN,
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    seeded,
)

BEACON_TRUTH_MS = 60_000


class Crash(BaseException):
    """The power of one process goes away, just before its commit."""


@dataclass
class Weather:
    """How the wire and the machines behave; shares of one."""

    lost: float = 0.0
    doubled: float = 0.0
    refused: float = 0.0
    crash: float = 0.0
    delay_ms_max: int = 3_000


@dataclass
class Machine:
    """One site, what reaches it, and what it is joined to."""

    name: int
    site: KioskSite | CoordinatorSite
    running: bool = True
    life: int = 0
    radio: bool = True
    internet: bool = True
    inbox: list[Event] = field(default_factory=list)
    waiting: list[FrameHeard] = field(default_factory=list)
    """What the broker keeps for it (QoS 1)."""
    unconfirmed: dict[int, FrameHeard] = field(default_factory=dict)
    taken: set[tuple[bytes, int]] = field(default_factory=set)
    """Pieces that a radio took, or a broker while the region answered: what "on its way" rests on."""
    beacon_ms: int | None = None


class Region:
    """The sites and the wire between them. ``run`` is the only thing that moves time."""

    def __init__(self, folder: Path, seed: int, kiosks: tuple[int, ...] = (47,), buttons: tuple[str, ...] = ()) -> None:
        self.rng: random.Random = seeded(seed)
        self.clock = Clock()
        self.weather = Weather()
        self.sent: Counter[tuple[int, LinkName, Kind]] = Counter()
        self.crashes: Counter[str] = Counter()
        self.answers: dict[object, dict[str, object]] = {}
        self._states: dict[int, dict[str, TicketState]] = {}
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._handles = itertools.count(1)
        self.center = CoordinatorSite(folder / "coordinator", self.clock, self.rng)
        self.kiosks = {
            site: KioskSite(folder / f"kiosk{site}", self.clock, self.rng, site, dict.fromkeys(buttons, 30))
            for site in kiosks
        }
        self.machines = {site: Machine(site, kiosk) for site, kiosk in self.kiosks.items()}
        self.machines[COORDINATOR] = Machine(COORDINATOR, self.center)
        for machine in self.machines.values():
            self._report_links(machine)

    # --- time ---------------------------------------------------------------------------------------------------

    def after(self, ms: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.clock.boot_ms + round(ms), next(self._order), act))

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let ``seconds`` pass, or less when ``until`` comes true at a turn; returns whether it did."""
        end_ms = self.clock.boot_ms + round(seconds * 1000)
        while not until():
            at_ms = self._next_ms()
            if at_ms is None or at_ms > end_ms:
                self.clock.boot_ms = end_ms
                return until()
            self.clock.boot_ms = max(at_ms, self.clock.boot_ms)
            while self._agenda and self._agenda[0][0] <= self.clock.boot_ms:
                heapq.heappop(self._agenda)[2]()
            for machine in self.machines.values():
                self._step(machine)
            self._check_changes()
        return True

    def _next_ms(self) -> int | None:
        times = [self._agenda[0][0]] if self._agenda else []
        for machine in self.machines.values():
            due_ms = machine.site.due_ms() if machine.running else None
            times += [due_ms] if due_ms is not None else []
        return min(times, default=None)

    # --- a machine's turn ---------------------------------------------------------------------------------------

    def _step(self, machine: Machine) -> None:
        due_ms = machine.site.due_ms() if machine.running else None
        if not machine.running or not (machine.inbox or (due_ms is not None and due_ms <= self.clock.boot_ms)):
            return
        events, machine.inbox = machine.inbox, []
        crash = self.rng.random() < self.weather.crash
        point = self.rng.choice(["before the commit", "after the commit", "between effects"]) if crash else ""
        try:
            effects = machine.site.turn(*events, stop=self._crash if point == "before the commit" else lambda: None)
        except Crash:
            effects = []
        if point == "between effects" and len(effects) > 1:
            effects = effects[: self.rng.randrange(1, len(effects))]
        if point != "after the commit":
            for effect in effects:
                self._perform(machine, effect)
        if point:
            self.crashes[point] += 1
            self.power_off(machine.name, self.rng.uniform(1, 60))

    @staticmethod
    def _crash() -> None:
        raise Crash

    def power_off(self, name: int, seconds: float) -> None:
        """Kill a site's process now and start it again after ``seconds``."""
        machine = self.machines[name]
        machine.running = False
        machine.life += 1
        machine.inbox.clear()
        machine.waiting[:0] = machine.unconfirmed.values()
        machine.unconfirmed.clear()
        machine.site.ledger.close()
        self.after(seconds * 1000, lambda: self._power_on(machine))

    def _power_on(self, machine: Machine) -> None:
        machine.site.open()
        machine.running = True
        self._report_links(machine)

    def _report_links(self, machine: Machine) -> None:
        bridge = BRIDGE_UP if machine.internet else BRIDGE_DOWN
        machine.inbox += [BROKER_UP, MESH_UP if machine.radio else MESH_DOWN, bridge]
        self._deliver_waiting(machine)

    def put(self, name: int, event: Event) -> None:
        """Give an event to a site as its panel or screen would; lost when the site is off."""
        if self.machines[name].running:
            self.machines[name].inbox.append(event)

    # --- roads --------------------------------------------------------------------------------------------------

    def set_internet(self, name: int, *, up: bool) -> None:
        machine = self.machines[name]
        machine.internet = up
        self.put(name, BRIDGE_UP if up else BRIDGE_DOWN)
        for other in self.machines.values():
            self._deliver_waiting(other)

    def set_radio(self, name: int, *, up: bool) -> None:
        self.machines[name].radio = up
        self.put(name, MESH_UP if up else MESH_DOWN)

    def _perform(self, machine: Machine, effect: Effect) -> None:
        match effect:
            case SendFrame(link=LinkName.MESH):
                self._send_mesh(machine, effect)
            case SendFrame():
                self._send_broker(machine, effect)
            case ConfirmFrame(handle):
                machine.unconfirmed.pop(handle, None)
            case ReplyTo(reply, body):
                self.answers[reply] = body
            case _:
                pass

    def _send_mesh(self, machine: Machine, frame: SendFrame) -> None:
        self.sent[machine.name, LinkName.MESH, kind_of(frame.payload)] += 1
        outcome = SendOutcome.TAKEN
        if not machine.radio or self.rng.random() < self.weather.refused:
            outcome = self.rng.choice([SendOutcome.REFUSED, SendOutcome.UNKNOWN])
        self._end(machine, frame, outcome)
        if machine.radio and (outcome is SendOutcome.TAKEN or (outcome is SendOutcome.UNKNOWN and self._heads())):
            for other in self.machines.values():
                if other is not machine:
                    self._air(other, frame.payload)

    def _heads(self) -> bool:
        return self.rng.random() < 0.5

    def _air(self, other: Machine, payload: bytes) -> None:
        for _ in range(self._copies()):
            self.after(self._delay_ms(), partial(self._hear_mesh, other, payload))

    def _hear_mesh(self, other: Machine, payload: bytes) -> None:
        if other.running and other.radio:
            other.inbox.append(FrameHeard(LinkName.MESH, payload, sender=1))

    def _copies(self) -> int:
        if self.rng.random() < self.weather.lost:
            return 0
        return 2 if self.rng.random() < self.weather.doubled else 1

    def _delay_ms(self) -> float:
        return self.rng.uniform(50, self.weather.delay_ms_max)

    def _send_broker(self, machine: Machine, frame: SendFrame) -> None:
        """A local broker always takes it; what becomes of it then is the bridge's affair."""
        kind = kind_of(frame.payload)
        self.sent[machine.name, LinkName.BROKER, kind] += 1
        self._end(machine, frame, SendOutcome.TAKEN)
        if machine.name != COORDINATOR:
            targets = [self.machines[COORDINATOR]]
        elif frame.carrier is None:
            targets = [m for m in self.machines.values() if m is not machine]
        else:
            targets = [self.machines[frame.carrier]]
        for other in targets:
            for _ in range(self._copies()):
                self.after(self._delay_ms(), partial(self._arrive, machine, other, frame, kind))

    def _arrive(self, machine: Machine, other: Machine, frame: SendFrame, kind: Kind) -> None:
        joined = machine.internet and other.internet
        if kind is Kind.BEACON:  # QoS 0: now or never
            if joined and other.running:
                other.inbox.append(FrameHeard(LinkName.BROKER, frame.payload, carrier=None))
                other.beacon_ms = self.clock.boot_ms
            return
        other.waiting.append(FrameHeard(LinkName.BROKER, frame.payload, carrier=frame.carrier))
        self._deliver_waiting(other)

    def _deliver_waiting(self, machine: Machine) -> None:
        """Hand over what the broker kept; at a coordinator it stays kept until confirmed."""
        if not (machine.running and machine.internet):
            return
        for frame in machine.waiting:
            handle = next(self._handles)
            given = FrameHeard(LinkName.BROKER, frame.payload, carrier=frame.carrier, confirm=handle)
            machine.unconfirmed[handle] = given
            machine.inbox.append(given)
        machine.waiting.clear()

    def _end(self, machine: Machine, frame: SendFrame, outcome: SendOutcome) -> None:
        life = machine.life

        def arrive() -> None:
            if machine.life != life:
                return
            fresh = machine.beacon_ms is not None and self.clock.boot_ms - machine.beacon_ms <= BEACON_TRUTH_MS
            proof = outcome is SendOutcome.TAKEN and (frame.link is LinkName.MESH or (fresh and machine.internet))
            if proof and kind_of(frame.payload) is Kind.PIECE:
                piece = parse_piece(frame.payload).piece
                machine.taken.add((piece.eid, piece.n))
            machine.inbox.append(SendEnded(frame.link, frame.attempt_id, outcome))

        self.after(self.rng.uniform(20, 900), arrive)

    # --- truth --------------------------------------------------------------------------------------------------

    def _check_changes(self) -> None:
        for name, kiosk in self.kiosks.items():
            if self.machines[name].running and (states := states_of(kiosk)) != self._states.get(name):
                self._states[name] = states
                self.check_truth()

    def check_truth(self) -> None:
        """Fail when any ticket says more than has happened by what is on the coordinator's disk."""
        known = {case.number: case for case in self.center.desk.cases()}
        for name, kiosk in self.kiosks.items():
            if not self.machines[name].running:
                continue
            for number, state in states_of(kiosk).items():
                case = known.get(number)
                if state is TicketState.ON_ITS_WAY:
                    eid, n, _ = outgoing.request_of(kiosk.ledger.connection, int(number.split("-")[1]))
                    assert (eid, n) in self.machines[name].taken, f"{number}: on its way, but nothing took it"
                if state >= TicketState.RECEIVED:
                    assert case is not None, f"{number}: {state.name}, but the coordinator has no case"
                    kinds = {event.kind for event in case.events}
                    needed = {TicketState.SEEN: "seen", TicketState.ANSWERED: "answer", TicketState.CLOSED: "closed"}
                    assert state not in needed or needed[state] in kinds, f"{number}: {state.name}, but only {kinds}"


def states_of(kiosk: KioskSite) -> dict[str, TicketState]:
    """Return each ticket's state as a screen would read it."""
    rows = kiosk.ledger.connection.exec_driver_sql("SELECT counter, state FROM tickets").all()
    return {f"{kiosk.site}-{row.counter}": TicketState(row.state) for row in rows}
