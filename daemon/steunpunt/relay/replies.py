"""The coordinator's side: which road a reply takes, and when it is sent again.

A reply (seen, passed on, closed, an answer) is sent until the kiosk says that it holds it. It goes where the site was
last heard; an unacknowledged one takes the other road at the next try.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from steunpunt.model import LinkName

TOKEN_GATHER_MS = 1_500
"""Receipts for the mesh wait this long for company: five more cost less than a second packet."""
ECHO_MS_MAX = 30_000
"""A piece heard over the mesh within this of a receipt over the broker earns no second receipt on the air."""
FIRST_WAIT_MS = {LinkName.BROKER: 8_000, LinkName.MESH: 40_000}
WAIT_MS_MAX = 1_800_000
TRIES_PER_RADIO = 2
_GROWTH = 2.0


@dataclass(frozen=True, slots=True)
class SiteRoads:
    """When a site was last heard on each link, in ledger ms."""

    mesh_ms: int | None
    broker_ms: int | None
    carrier: int | None
    radio: str | None = None
    """Name of the radio that heard it last."""


def reply_link(roads: SiteRoads, tries: int, up: frozenset[LinkName]) -> LinkName | None:
    """Return the link for try number ``tries`` (0 …): the freshest first, then in turn; None when none is up."""
    heard = []
    if roads.broker_ms is not None and roads.carrier is not None:
        heard.append((roads.broker_ms, LinkName.BROKER))
    if roads.mesh_ms is not None:
        heard.append((roads.mesh_ms, LinkName.MESH))
    links = [link for _, link in sorted(heard, reverse=True) if link in up]
    return links[tries % len(links)] if links else None


def reply_radio(last: str | None, tries: int, up: Sequence[str]) -> str:
    """Return the radio for try number ``tries`` (0 …) over the mesh; ``up`` has at least one name.

    Two tries go by the radio that heard the site last, two by the next one that serves, and so on: a second radio
    costs air where the site may not even be in earshot.
    """
    in_turn = sorted(up, key=lambda name: name != last)
    return in_turn[tries // TRIES_PER_RADIO % len(in_turn)]


def wait_ms(link: LinkName, tries: int, jitter: float) -> int:
    """Return how long to wait for the kiosk's acknowledgement after try ``tries`` (1 …)."""
    grown = min(FIRST_WAIT_MS[link] * _GROWTH ** min(tries - 1, 20), WAIT_MS_MAX)
    return round(grown * (1 + 0.4 * jitter))
