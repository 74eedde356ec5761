"""The MQTT topics of one site. Pure.

Topics name the *carrier*, the site whose broker carries the packet; the origin is inside the sealed piece.
"""

import re

from msgspec import Struct

from steunpunt.model import SITE_ID_MAX, Role

ROOT = "steunpunt/v1"
PAGES = f"{ROOT}/pages"
"""The retained topic of the region's information pages, as one archive."""
BRIDGE_STATES = "$SYS/broker/connection/+/state"
"""Where mosquitto says, locally and retained, whether its bridges are connected."""
BRIDGES_MAX = 8
"""More bridges than this are not looked at: the node needs to know of one."""

_CARRIER = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_BRIDGE_STATE = re.compile(r"\$SYS/broker/connection/([^/]{1,200})/state")


class Topics(Struct, frozen=True):
    """What one site publishes and hears."""

    site_id: int
    role: Role
    overhears: bool = False
    """Whether a coordinator also hears what other coordinators say to the sites, and itself."""
    pages: bool = False
    """Whether the site takes the region's information pages."""

    @property
    def client_id(self) -> str:
        """The fixed MQTT client id: the broker's session hangs on it."""
        return f"steunpunt-{self.role}-{self.site_id}"

    @property
    def status(self) -> str:
        """The retained topic that says how the site is, as JSON."""
        return f"{ROOT}/{self.site_id}/status"

    @property
    def error(self) -> str:
        """The topic that says why something was not sent into the mesh."""
        return f"{ROOT}/{self.site_id}/error"

    @property
    def availability(self) -> str:
        """The retained topic that says ``online`` or, by the last will, ``offline``."""
        return f"{ROOT}/{self.site_id}/availability"

    def subscriptions(self) -> list[tuple[str, int]]:
        """Return topic filters with their QoS."""
        others = [(BRIDGE_STATES, 0), *([(PAGES, 0)] if self.pages else [])]
        if self.role is Role.COORDINATOR:
            overheard = [(f"{ROOT}/down/+", 0)] if self.overhears else []
            return [(f"{ROOT}/up/+", 1), *overheard, *others]
        return [(f"{ROOT}/down/{self.site_id}", 1), (f"{ROOT}/down/all", 1), *others]

    def outgoing(self, carrier: int | None) -> str:
        """Return where a packet goes: a kiosk's own ``up``, or ``down`` to one carrier or to all."""
        if self.role is Role.KIOSK:
            return f"{ROOT}/up/{self.site_id if carrier is None else carrier}"
        return f"{ROOT}/down/{'all' if carrier is None else carrier}"

    def is_ours(self, topic: str) -> bool:
        """Say whether a packet may come in on this topic."""
        if self.overhears and topic.startswith(f"{ROOT}/down/"):
            tail = topic.removeprefix(f"{ROOT}/down/")
            return tail == "all" or (_CARRIER.fullmatch(tail) is not None and int(tail) <= SITE_ID_MAX)
        tail = topic.removeprefix(f"{ROOT}/{'up' if self.role is Role.COORDINATOR else 'down'}/")
        if tail == topic:
            return False
        if self.role is Role.KIOSK:
            return tail in ("all", str(self.site_id))
        return _CARRIER.fullmatch(tail) is not None and int(tail) <= SITE_ID_MAX


class DownlinkTopics(Struct, frozen=True):
    """Where integrators publish what shall go into the mesh: the firmware's own topics below ``mesh_root``."""

    mesh_root: str

    @property
    def json(self) -> str:
        """The filter for JSON; it also takes the bare ``…/mqtt``."""
        return f"{self.mesh_root}/2/json/mqtt/#"

    @property
    def envelopes(self) -> str:
        """The filter for ServiceEnvelopes. Our own uplink matches it too, which the link drops unread."""
        return f"{self.mesh_root}/2/e/+/+"

    def matches(self, topic: str) -> bool:
        """Say whether a topic is one of these."""
        json, envelopes = self.json.removesuffix("/#"), self.envelopes.removesuffix("+/+")
        return topic == json or topic.startswith((f"{json}/", envelopes))

    def is_uplink(self, topic: str) -> bool:
        """Say whether a topic is one that the bridge publishes envelopes on."""
        return topic.startswith(self.envelopes.removesuffix("+/+"))


def carrier_of(topic: str) -> int | None:
    """Return the carrier named by a topic that :meth:`Topics.is_ours`; ``down/all`` names none."""
    tail = topic.rpartition("/")[2]
    return int(tail) if tail != "all" else None


def bridge_of(topic: str) -> str | None:
    """Return the bridge's name when the topic is mosquitto's word on a bridge."""
    match = _BRIDGE_STATE.fullmatch(topic)
    return match[1] if match else None


class BridgeStates:
    """Whether any of the local broker's bridges is connected."""

    def __init__(self) -> None:
        self._states: dict[str, bool] = {}

    @property
    def up(self) -> bool:
        """True when one bridge at least is connected."""
        return any(self._states.values())

    def take(self, name: str, *, up: bool) -> bool:
        """Take mosquitto's word on one bridge; return True when that is news for the node."""
        if name not in self._states and len(self._states) >= BRIDGES_MAX:
            return False
        before, first = self.up, not self._states
        self._states[name] = up
        return first or self.up != before

    def forget(self) -> bool:
        """Without the local broker nobody knows; return True when a bridge was up until now."""
        was_up = self.up
        self._states.clear()
        return was_up
