"""Engines of a few sites joined by air and brokers, in virtual time: who hears whom is the test's to say.

Nothing is lost unless a test says what; a test cuts what it wants cut. Each radio's number is its site's id; a packet
on the air reaches all radios in reach, a unicast only its addressee. The brokers keep nothing for who is offline.
"""

import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from steunpunt.model import (
    COORDINATOR_ID_MAX,
    ConfirmFrame,
    Effect,
    Event,
    FrameHeard,
    Lane,
    LinkName,
    ReplyTo,
    SendFrame,
)
from steunpunt.node.pending import Pending
from steunpunt.protocol.packets import Kind, kind_of
from tests.fakes.sites import (
    BRIDGE_DOWN,
    BRIDGE_UP,
    BROKER_DOWN,
    BROKER_UP,
    MESH_DOWN,
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    ended,
)

AIR_MS, BROKER_MS = 800, 60


@dataclass
class Station:
    """One site, and what it is joined to."""

    site: KioskSite | CoordinatorSite
    radio: bool = True
    internet: bool = True
    running: bool = True
    inbox: list[Event] = field(default_factory=list)


class Ether:
    """See the module."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.stations: dict[int, Station] = {}
        self.deaf: set[tuple[int, int]] = set()
        """(who, whom): pairs of which the first does not hear the second's radio."""
        self.sent: list[tuple[float, int, SendFrame]] = []
        """(second, site, frame), beacons over the broker left out."""
        self.confirmed: list[int] = []
        self.drop: Callable[[int, SendFrame], bool] = lambda _site, _frame: False
        """What of the broker's packets gets lost after the PUBACK."""
        self.lost: Callable[[int, SendFrame], bool] = lambda _whom, _frame: False
        """What does not reach whom on the air."""
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._start_ms = clock.boot_ms

    def add(self, number: int, site: KioskSite | CoordinatorSite, *, radio: bool = True, internet: bool = True) -> None:
        self.stations[number] = Station(site, radio, internet)
        self._report(number)

    def set(self, number: int, *, radio: bool | None = None, internet: bool | None = None) -> None:
        station = self.stations[number]
        station.radio = station.radio if radio is None else radio
        station.internet = station.internet if internet is None else internet
        self._report(number)

    def apart(self, numbers: Iterable[int]) -> None:
        """None of these hears another of them."""
        self.deaf |= set(itertools.permutations(numbers, 2))

    def off(self, number: int) -> None:
        """Take a site's power away; what waits for it in memory is gone."""
        station = self.stations[number]
        station.running = False
        station.inbox.clear()
        station.site.ledger.close()

    def on(self, number: int) -> None:
        station = self.stations[number]
        station.site.open()
        station.running = True
        self._report(number)

    def _report(self, number: int) -> None:
        station = self.stations[number]
        station.inbox += [MESH_UP if station.radio else MESH_DOWN, BROKER_UP if station.internet else BROKER_DOWN]
        station.inbox.append(BRIDGE_UP if station.internet else BRIDGE_DOWN)

    def put(self, number: int, *events: Event) -> None:
        self.stations[number].inbox += events

    def packets(self, number: int | None, link: LinkName, *kinds: Kind) -> list[SendFrame]:
        """Return what one site, or all, sent over a link, their own heartbeats left out."""
        return [
            frame
            for _, site, frame in self.sent
            if number in {None, site} and frame.link is link and (not kinds or kind_of(frame.payload) in kinds)
            if frame.lane is not Lane.HOUSEKEEPING
        ]

    def heartbeats(self, link: LinkName) -> list[SendFrame]:
        """Return the heartbeats that sites sent over a link."""
        return [frame for _, _, frame in self.sent if frame.link is link and frame.lane is Lane.HOUSEKEEPING]

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; True when ``until`` came true."""
        end_ms = self.clock.boot_ms + round(seconds * 1000)
        while not until():
            at_ms = self._next_ms()
            if at_ms is None or at_ms > end_ms:
                self.clock.boot_ms = end_ms
                return until()
            self.clock.boot_ms = max(self.clock.boot_ms, at_ms)
            while self._agenda and self._agenda[0][0] <= self.clock.boot_ms:
                heapq.heappop(self._agenda)[2]()
            for number in self.stations:
                self._turn(number)
        return True

    def _next_ms(self) -> int | None:
        times = [self._agenda[0][0]] if self._agenda else []
        for station in self.stations.values():
            if station.inbox:
                return self.clock.boot_ms
            due_ms = station.site.due_ms() if station.running else None
            times += [] if due_ms is None else [due_ms]
        return min(times, default=None)

    def _turn(self, number: int) -> None:
        station = self.stations[number]
        if not station.running:
            station.inbox.clear()
            return
        due_ms = station.site.due_ms()
        if station.inbox or (due_ms is not None and due_ms <= self.clock.boot_ms):
            events, station.inbox = station.inbox, []
            for effect in station.site.turn(*events):
                self._perform(number, effect)

    def _perform(self, number: int, effect: Effect) -> None:
        if isinstance(effect, ConfirmFrame):
            self.confirmed.append(effect.confirm)
        if isinstance(effect, ReplyTo) and isinstance(effect.reply, Pending):
            effect.reply.answer(effect.body)
        if not isinstance(effect, SendFrame):
            return
        if effect.link is LinkName.MESH or kind_of(effect.payload) is not Kind.BEACON:
            self.sent.append(((self.clock.boot_ms - self._start_ms) / 1000, number, effect))
        (self._on_air if effect.link is LinkName.MESH else self._to_broker)(number, effect)

    def _after(self, ms: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.clock.boot_ms + ms, next(self._order), act))

    def _on_air(self, number: int, frame: SendFrame) -> None:
        self._after(AIR_MS, partial(self.put, number, ended(frame)))
        heard = FrameHeard(LinkName.MESH, frame.payload, sender=number, packet_id=next(self._order))
        for other in self.stations:
            if other != number and (other, number) not in self.deaf and frame.destination in {None, other}:
                if self.lost(other, frame):
                    continue
                self._after(AIR_MS, partial(self._hear_air, other, heard))

    def _hear_air(self, other: int, heard: FrameHeard) -> None:
        if self.stations[other].radio:
            self.put(other, heard)

    def _to_broker(self, number: int, frame: SendFrame) -> None:
        self._after(BROKER_MS, partial(self.put, number, ended(frame)))
        if self.drop(number, frame):
            return
        for other in self._readers(number, frame.carrier):
            heard = FrameHeard(LinkName.BROKER, frame.payload, carrier=frame.carrier)
            self._after(BROKER_MS, partial(self._hear_broker, number, other, heard))

    def _readers(self, number: int, carrier: int | None) -> list[int]:
        coordinators = [other for other in self.stations if other <= COORDINATOR_ID_MAX and other != number]
        if number > COORDINATOR_ID_MAX:
            return coordinators
        return [*coordinators, *(other for other in self.stations if other == carrier or carrier is None)]

    def _hear_broker(self, number: int, other: int, heard: FrameHeard) -> None:
        if self.stations[number].internet and self.stations[other].internet:
            self.put(other, heard)
