"""The sites' brokers and the bridges between them: they keep, repeat, delay and sometimes lose packets.

A site publishes to its own broker, which confirms at once. A bridge carries it on while both ends have internet and
are on the same side of a partition; until then the broker keeps it. What arrives is kept until the node confirms it.
Beacons and other packets with no carrier are QoS 0: now or never.
"""

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from steunpunt.model import BridgeChanged, Event, FrameHeard, LinkName, Role, SendEnded, SendFrame, SendOutcome
from steunpunt.sim.region.weather import Weather
from steunpunt.sim.timeline import Timeline
from steunpunt.values import replace

QUEUE_MAX = 1_000
"""Packets that a broker keeps for one neighbour; further ones are lost, as in mosquitto."""
_PUBACK_MS = (20.0, 900.0)
_DELAY_MS_MIN = 20.0


@dataclass(eq=False)
class Post:
    """One site's own broker, as far as the region sees it."""

    site: int
    role: Role
    emit: Callable[[Event], None]
    present: bool = False
    """Whether the node is connected."""
    life: int = 0
    """Which life of the node this is: PUBACKs for an earlier one are lost with it."""
    runs: bool = True
    internet: bool = True
    side: int = 0
    """Which side of a partition it is on."""
    bridge_up: bool = False
    out: dict["Post", deque[FrameHeard]] = field(default_factory=dict)
    waiting: deque[FrameHeard] = field(default_factory=lambda: deque(maxlen=QUEUE_MAX))
    unconfirmed: dict[int, FrameHeard] = field(default_factory=dict)

    def joins(self, other: "Post") -> bool:
        """Return whether a bridge between the two stands."""
        online = self.runs and other.runs and self.internet and other.internet
        return online and self.side == other.side


class Brokers:
    """All posts of a region."""

    def __init__(self, timeline: Timeline, weather: Weather, rng: random.Random) -> None:
        self._timeline = timeline
        self._weather = weather
        self._rng = rng
        self._posts: list[Post] = []
        self._handles = itertools.count(1)

    def add(self, post: Post) -> None:
        """Put a site's broker into the region."""
        self._posts.append(post)
        self.look()

    def remove(self, post: Post) -> None:
        """Take a site's broker away for good."""
        self._posts.remove(post)
        self.look()

    # --- bridges

    def look(self) -> None:
        """Tell the nodes of bridges that came or went, and carry on what could not go before."""
        for post in self._posts:
            up = any(post.joins(other) for other in self._others(post))
            if up != post.bridge_up:
                post.bridge_up = up
                if post.present:
                    post.emit(BridgeChanged(up))
            for other, frames in post.out.items():
                while frames and post.joins(other):
                    self._carry(post, other, frames.popleft())

    def _others(self, post: Post) -> Iterable[Post]:
        """Return whom a post is bridged to: kiosks to coordinators, coordinators to all."""
        far = (other for other in self._posts if other is not post)
        return (other for other in far if Role.COORDINATOR in (post.role, other.role))

    def wipe(self, post: Post) -> None:
        """Let a broker lose all it keeps, PUBACKed or not."""
        for frames in post.out.values():
            frames.clear()
        post.waiting.clear()
        post.unconfirmed.clear()

    # --- the nodes

    def arrive(self, post: Post) -> None:
        """A node connects: what it did not confirm comes again."""
        post.present = True
        post.waiting.extendleft(reversed(post.unconfirmed.values()))
        post.unconfirmed.clear()
        self._deliver(post)

    @staticmethod
    def leave(post: Post) -> None:
        """A node is gone."""
        post.present = False
        post.life += 1

    def confirm(self, post: Post, handle: int) -> None:
        """A node has committed a packet."""
        post.unconfirmed.pop(handle, None)

    def publish(self, post: Post, frame: SendFrame) -> bool:
        """Take a packet from a node, which hears of it in a while; returns whether the broker took it."""
        if not post.runs:
            post.emit(SendEnded(frame.link, frame.attempt_id, SendOutcome.REFUSED, "no broker"))
            return False
        self._timeline.schedule(self._rng.uniform(*_PUBACK_MS), partial(self._puback, post, post.life, frame))
        heard = FrameHeard(LinkName.BROKER, frame.payload, carrier=frame.carrier)
        for other in self._readers(post, frame.carrier):
            if self._rng.random() < self._weather.wiped:
                continue
            if post.joins(other):
                self._carry(post, other, heard)
            elif frame.carrier is not None:
                post.out.setdefault(other, deque(maxlen=QUEUE_MAX)).append(heard)
        return True

    @staticmethod
    def _puback(post: Post, life: int, frame: SendFrame) -> None:
        if post.present and post.life == life:
            outcome = SendOutcome.TAKEN if post.runs else SendOutcome.UNKNOWN
            post.emit(SendEnded(frame.link, frame.attempt_id, outcome))

    def _readers(self, post: Post, carrier: int | None) -> list[Post]:
        """Return who subscribes to the topic: coordinators to each ``up``, kiosks to their ``down`` and to all."""
        if post.role is Role.KIOSK:
            return [other for other in self._posts if other.role is Role.COORDINATOR]
        kiosks = [other for other in self._posts if other.role is Role.KIOSK]
        return [other for other in kiosks if carrier in (None, other.site)]

    # --- the way

    def _carry(self, post: Post, other: Post, heard: FrameHeard) -> None:
        copies = 2 if heard.carrier is not None and self._rng.random() < self._weather.doubled else 1
        for _ in range(copies):
            delay_ms = self._rng.uniform(_DELAY_MS_MIN, max(self._weather.delay_ms_max, _DELAY_MS_MIN))
            self._timeline.schedule(delay_ms, partial(self._come, post, other, heard))

    def _come(self, post: Post, other: Post, heard: FrameHeard) -> None:
        if heard.carrier is None:
            if other.present and post.joins(other):
                other.emit(heard)
        elif post.joins(other):
            other.waiting.append(heard)
            self._deliver(other)
        else:
            post.out.setdefault(other, deque(maxlen=QUEUE_MAX)).append(heard)

    def _deliver(self, post: Post) -> None:
        while post.present and post.runs and post.waiting:
            handle = next(self._handles)
            given = replace(post.waiting.popleft(), confirm=handle)
            post.unconfirmed[handle] = given
            post.emit(given)
