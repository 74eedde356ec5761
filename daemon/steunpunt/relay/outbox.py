"""Which message goes next on which link, and when again.

Roads: a piece goes over the broker link while the region answers there, over the mesh otherwise, over both at once
for a
life threat. A message without receipt is never given up; the waits grow, with jitter, so that sites which lost each
other at the same moment do not come back in step. Jitter only lengthens: the first wait on the mesh is longer than the
26 s after which LongFast firmware gives up on a packet of its own, so a retry never overtakes the radio.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from steunpunt.model import Category, Lane, LinkName

BEACON_FRESH_MS_MAX = 60_000
"""The region answers over the broker when its last beacon is at most this old."""
BROKER_TRIES_BEFORE_MESH = 2
MESH_FIRST_WAIT_MS = 30_000
MESH_WAIT_MS_MAX = 900_000
MESH_LIFE_WAIT_MS_MAX = 180_000
BROKER_FIRST_WAIT_MS = 10_000
BROKER_WAIT_MS_MAX = 120_000
REFUSED_WAIT_MS = 5_000
_GROWTH = 1.7
_JITTER = 0.4
_HELLO_AGAIN_TRIES = 3


@dataclass(frozen=True, slots=True)
class Roads:
    """What this site knows of its links now."""

    mesh_up: bool
    broker_up: bool
    bridge_up: bool
    beacon_age_ms: int | None

    @property
    def region_answers(self) -> bool:
        """Return whether the region answers over the broker link: its beacon, not a PUBACK, says so."""
        fresh = self.beacon_age_ms is not None and self.beacon_age_ms <= BEACON_FRESH_MS_MAX
        return self.broker_up and self.bridge_up and fresh


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message without receipt, as the outbox sees it."""

    message_id: int
    lane: Lane
    created_ms: int
    mesh_tries: int
    mesh_next_ms: int
    broker_tries: int
    broker_next_ms: int


@dataclass(frozen=True, slots=True)
class Choice:
    """Send this message on this link now."""

    message_id: int
    link: LinkName


def lane_for(category: Category, *, life_threat: bool) -> Lane:
    """Return the lane of a help request of this kind."""
    if life_threat:
        return Lane.LIFE_THREAT
    urgent = (Category.MEDICAL, Category.FIRE, Category.POLICE, Category.BUTTON)
    return Lane.URGENT if category in urgent else Lane.OTHER


def links_for(message: Waiting, roads: Roads) -> tuple[LinkName, ...]:
    """Return the links that this message should use as things stand."""
    links = []
    broker = roads.region_answers
    if broker:
        links.append(LinkName.BROKER)
    unheard = message.broker_tries >= BROKER_TRIES_BEFORE_MESH
    if roads.mesh_up and (not broker or unheard or message.lane is Lane.LIFE_THREAT):
        links.append(LinkName.MESH)
    return tuple(links)


def due_ms(message: Waiting, link: LinkName) -> int:
    """Return when this message may next go on this link."""
    return message.mesh_next_ms if link is LinkName.MESH else message.broker_next_ms


def choose(waiting: Iterable[Waiting], roads: Roads, now_ms: int, room: dict[LinkName, int]) -> list[Choice]:
    """Return what to send now, by lane and then age, at most ``room[link]`` per link."""
    left = dict(room)
    choices = []
    for message in sorted(waiting, key=lambda m: (m.lane, m.created_ms, m.message_id)):
        for link in links_for(message, roads):
            if left.get(link, 0) > 0 and due_ms(message, link) <= now_ms:
                left[link] -= 1
                choices.append(Choice(message.message_id, link))
    return choices


def next_due_ms(waiting: Iterable[Waiting], roads: Roads) -> int | None:
    """Return the earliest moment at which :func:`choose` could choose something, None for never as things stand."""
    return min((due_ms(m, link) for m in waiting for link in links_for(m, roads)), default=None)


def wait_ms(link: LinkName, lane: Lane, tries: int, jitter: float) -> int:
    """Return how long to wait for a token after try number ``tries`` (1 …); ``jitter`` is in 0 … 1."""
    first, most = (
        (MESH_FIRST_WAIT_MS, MESH_LIFE_WAIT_MS_MAX if lane is Lane.LIFE_THREAT else MESH_WAIT_MS_MAX)
        if link is LinkName.MESH
        else (BROKER_FIRST_WAIT_MS, BROKER_WAIT_MS_MAX)
    )
    grown = min(first * _GROWTH ** min(tries - 1, 40), most)
    return round(grown * (1 + _JITTER * jitter))


def refused_wait_ms(link: LinkName, lane: Lane, tries: int, jitter: float) -> int:
    """Return how long to wait after a try that no next hop took: short at first, for it cost no air we know of."""
    return min(round(REFUSED_WAIT_MS * 2.0 ** min(tries - 1, 20)), wait_ms(link, lane, tries, jitter))


def says_hello(*, receipted: bool, tries: int) -> bool:
    """Return whether e_pub rides along: until the epoch is receipted, and again when nobody answers for long.

    The second case heals a coordinator that lost its ledger and with it the epoch.
    """
    return not receipted or tries > _HELLO_AGAIN_TRIES
