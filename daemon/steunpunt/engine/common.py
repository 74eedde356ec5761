"""What both roles' engines share."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from steunpunt.model import BridgeChanged, LinkChanged, LinkName
from steunpunt.relay.outbox import Roads


@dataclass(frozen=True, slots=True)
class Entropy:
    """Randomness handed in: ``token(n)`` gives n unpredictable bytes, ``unit()`` a number in 0 … 1."""

    token: Callable[[int], bytes]
    unit: Callable[[], float]


@dataclass(slots=True)
class LinkView:
    """What is known of one link, for screens and decisions."""

    up: bool = False
    reason: str = "not started yet"
    since_ms: int = 0


@dataclass(slots=True)
class Links:
    """The links as last reported, and the region's last beacon."""

    mesh: LinkView = field(default_factory=LinkView)
    broker: LinkView = field(default_factory=LinkView)
    bridge_up: bool = False
    beacon_ms: int | None = None

    def view(self, link: LinkName) -> LinkView:
        """Return the view of one link."""
        return self.mesh if link is LinkName.MESH else self.broker

    def note(self, event: LinkChanged | BridgeChanged, now_ms: int) -> None:
        """Take over what a link reported."""
        if isinstance(event, BridgeChanged):
            self.bridge_up = event.up
            return
        view = self.view(event.link)
        if view.up != event.up:
            view.since_ms = now_ms
        view.up, view.reason = event.up, event.reason
        if event.link is LinkName.BROKER and not event.up:
            self.bridge_up = False

    def roads(self, now_ms: int) -> Roads:
        """Return the relay's view of the links."""
        age_ms = None if self.beacon_ms is None else now_ms - self.beacon_ms
        return Roads(self.mesh.up, self.broker.up, self.bridge_up, age_ms)


@dataclass(slots=True)
class Flights:
    """Attempts handed to a link and not yet ended. In memory only: after a crash they are simply made again."""

    _next_id: int = 1
    _flying: dict[int, tuple[LinkName, object]] = field(default_factory=dict)
    _begun: list[int] = field(default_factory=list)

    def begin(self, link: LinkName, what: object) -> int:
        """Return a new attempt's id."""
        attempt_id = self._next_id
        self._next_id += 1
        self._flying[attempt_id] = (link, what)
        self._begun.append(attempt_id)
        return attempt_id

    def committed(self) -> None:
        """Note that the attempts begun in this turn are handed to their links."""
        self._begun.clear()

    def rolled_back(self) -> None:
        """Forget the attempts begun in this turn: their effects are not done."""
        for attempt_id in self._begun:
            self._flying.pop(attempt_id, None)
        self._begun.clear()

    def end(self, attempt_id: int) -> object | None:
        """Return what the attempt carried, None when it is not known (any more)."""
        entry = self._flying.pop(attempt_id, None)
        return None if entry is None else entry[1]

    def count(self, link: LinkName) -> int:
        """Return how many attempts are under way on a link."""
        return sum(where is link for where, _ in self._flying.values())

    def flying(self, link: LinkName) -> set[object]:
        """Return what is under way on a link."""
        return {what for where, what in self._flying.values() if where is link}


Counts = Counter[str]
