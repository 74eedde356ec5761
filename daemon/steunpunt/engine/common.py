"""What both roles' engines share."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct
from msgspec import field as structs_field

from steunpunt.model import BridgeChanged, LinkChanged, LinkName
from steunpunt.relay.outbox import Roads


class Entropy(Struct, frozen=True):
    """Randomness handed in: ``token(n)`` gives n unpredictable bytes, ``unit()`` a number in 0 … 1."""

    token: Callable[[int], bytes]
    unit: Callable[[], float]


class Neighbours(Struct, frozen=True):
    """Who else coordinates in this region."""

    own: int
    others: frozenset[int] = frozenset()
    addressed: Mapping[int, int] = structs_field(default_factory=dict)
    """Site -> the coordinator that it addresses; this one where it is not listed."""

    def of(self, site: int) -> int:
        """Return the coordinator that a site addresses."""
        return self.addressed.get(site, self.own)


@dataclass(slots=True)
class LinkView:
    """What is known of one link, for screens and decisions."""

    up: bool = False
    reason: str = "not started yet"
    since_ms: int = 0

    def change(self, up: bool, reason: str, now_ms: int) -> None:  # noqa: FBT001  as the event says it
        """Take over what was reported; since when it is so counts from the last change between up and down."""
        if self.up != up:
            self.since_ms = now_ms
        self.up, self.reason = up, reason

    def status(self, now_ms: int) -> dict[str, Any]:
        """Return it as the control socket tells it."""
        return {"up": self.up, "reason": self.reason, "since_s": (now_ms - self.since_ms) // 1000}


@dataclass(slots=True)
class Links:
    """The links as last reported, and the region's last beacon.

    The mesh is up while any of the site's radios is.
    """

    mesh: LinkView = field(default_factory=LinkView)
    radios: dict[str, LinkView] = field(default_factory=dict)
    """Each radio that has reported, by its name in the config."""
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
        if event.link is LinkName.MESH:
            self.radios.setdefault(event.radio, LinkView()).change(event.up, event.reason, now_ms)
            up = any(radio.up for radio in self.radios.values())
            self.mesh.change(up, self._mesh_reason(), now_ms)
            return
        self.broker.change(event.up, event.reason, now_ms)
        if not event.up:
            self.bridge_up = False

    def radios_up(self) -> tuple[str, ...]:
        """Return the names of the radios that serve."""
        return tuple(name for name, radio in self.radios.items() if radio.up)

    def _mesh_reason(self) -> str:
        """Return the one radio's reason, or each with its name."""
        if len(self.radios) == 1:
            return next(iter(self.radios.values())).reason
        return " | ".join(f"{name}: {radio.reason}" for name, radio in self.radios.items())

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
