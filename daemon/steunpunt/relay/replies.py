"""The coordinator's side: which road a reply takes, and when it is sent again.

A reply (seen, passed on, closed, an answer) is sent until the kiosk says that it holds it. It goes where the site was
last heard; an unacknowledged one takes another road at the next try. A site's own broker and the mesh come before a
gateway, which spends a third party's air; but not when only a gateway has heard it for long.
"""

from collections.abc import Sequence

from msgspec import Struct

from steunpunt.model import Lane, LinkName
from steunpunt.relay.outbox import HOPS_MORE, hops_more

TOKEN_GATHER_MS = 1_500
"""Receipts for the mesh wait this long for company: five more cost less than a second packet."""
PROOF_GATHER_MS = 120_000
"""The receipt of a sign of life by which a site learns whether its news holds: all of a region may ask at once."""
BEAT_GATHER_MS = 1_800_000
"""That of any other: an idle region says little else."""
TOKEN_PACE_MS = 60_000
"""In a flood one packet with receipts goes in this time, unless it is for a life threat: what a flood carries costs
less than the flood itself. A kiosk's first wait for a token is longer than this."""
LIFE_PACE_MS = 30_000
"""The pace of those for life threats, all of which share a packet: in a flood each of them would take the air from the
next request."""
LIFE_APART_MS = 10_000
"""Packets with receipts of life threats are at least this far apart; a kiosk waits three times as long before it sends
a life threat again."""
TOKEN_BURST = 3
"""So many packets go ahead of their pace after a quiet time: somebody stands there and waits to read "received"."""
TOKEN_AGAIN_MS = 240_000
"""A receipt that went with others less long ago rides along once more where there is room: six bytes that may spare a
whole request."""
TOKENS_AGAIN_MAX = 8
ECHO_MS_MAX = 30_000
"""A piece heard over the mesh within this of a receipt over the broker earns no second receipt on the air."""
FIRST_WAIT_MS = {LinkName.BROKER: 8_000, LinkName.MESH: 40_000}
WAIT_MS_MAX = 1_800_000
TRIES_PER_RADIO = 2
HOPS_MARGIN = 1
"""A packet goes back over so many radios more than the one that it answers came by: ways differ from time to time."""
FAR_HOPS = 3
"""What came over so many radios, as many as Meshtastic's default, and came again, is answered over more."""
SITES_MAX = 1_024
"""Most sites of which it is remembered over how many radios they were heard; the one not heard for longest goes."""
OLD_ROAD_MS = 900_000
"""A road on which a site was last heard so much earlier than on another comes after that one."""
_GROWTH = 2.0


class SiteRoads(Struct, frozen=True):
    """When a site was last heard on each link, in ledger ms."""

    mesh_ms: int | None
    broker_ms: int | None
    carrier: int | None
    radio: str | None = None
    """Name of the radio that heard it last."""
    gateways: tuple[tuple[int, int], ...] = ()
    """(ledger ms, site) of those that carried its pieces."""

    def wait_like(self, road: "Road") -> LinkName:
        """Return the link whose waits a road has: behind a gateway lies the mesh."""
        return road.link if road.carrier == self.carrier else LinkName.MESH


class Road(Struct, frozen=True):
    """One way to a site: the mesh, or ``down/<carrier>``."""

    link: LinkName
    carrier: int | None = None


def reply_road(roads: SiteRoads, tries: int, up: frozenset[LinkName]) -> Road | None:
    """Return the road for try number ``tries`` (0 …): the best first, then in turn; None when none is up.

    Roads heard lately come before old ones, own ones before gateways, and then the freshest first.
    """
    found: list[tuple[int, bool, Road]] = []
    if roads.broker_ms is not None and roads.carrier is not None:
        found.append((roads.broker_ms, False, Road(LinkName.BROKER, roads.carrier)))
    if roads.mesh_ms is not None:
        found.append((roads.mesh_ms, False, Road(LinkName.MESH)))
    found += [(heard_ms, True, Road(LinkName.BROKER, gateway)) for heard_ms, gateway in roads.gateways]
    newest_ms = max((heard_ms for heard_ms, _, _ in found), default=0)
    ranked = sorted(found, key=lambda one: (newest_ms - one[0] > OLD_ROAD_MS, one[1], -one[0]))
    usable = [road for _, _, road in ranked if road.link in up]
    return usable[tries % len(usable)] if usable else None


def reply_radio(last: str | None, tries: int, up: Sequence[str]) -> str:
    """Return the radio for try number ``tries`` (0 …) over the mesh; ``up`` has at least one name.

    Two tries go by the radio that heard the site last, two by the next one that serves, and so on: a second radio
    costs air where the site may not even be in earshot.
    """
    in_turn = sorted(up, key=lambda name: name != last)
    return in_turn[tries // TRIES_PER_RADIO % len(in_turn)]


def hops_max(hops_heard: Sequence[int | None]) -> int | None:
    """Return how many radios may pass on a packet for sites that were heard over so many; None: any number."""
    known = [hops for hops in hops_heard if hops is not None]
    return max(known) + HOPS_MARGIN if known and len(known) == len(hops_heard) else None


class Reach(Struct, frozen=True):
    """How far a packet for sites goes; both as in :class:`steunpunt.model.SendFrame`."""

    hops_max: int | None = None
    hops_more: int = 0


class Ways:
    """Over how many radios each site was last heard: the guide for what goes there.

    In memory only: after a restart packets go as far as the radio is set to. It is outside of any seal: who forges it
    cuts first tries short or lets packets go over two radios more, and nothing else.
    """

    def __init__(self, *, overheard: bool = False) -> None:
        """``overheard``: other coordinators listen, so that nothing is cut short."""
        self._overheard = overheard
        self._hops: dict[int, int | None] = {}

    def note(self, site: int, hops: int | None) -> None:
        """Remember over how many radios an authentic packet of a site came; None where it does not say."""
        self._hops.pop(site, None)
        self._hops[site] = hops
        while len(self._hops) > SITES_MAX:
            del self._hops[next(iter(self._hops))]

    def reach(self, told: Sequence[tuple[int, Lane, int]]) -> Reach:
        """Return how far a packet goes that holds, for each of these, the site, the lane, and how often it was tried.

        First tries go one radio further than the site was heard, later ones any way, and those that many did not bring
        over more radios: like requests.
        """
        cut_short = not self._overheard and all(tries == 0 for _, _, tries in told)
        cut = hops_max([self._hops.get(site) for site, _, _ in told]) if cut_short else None
        return Reach(cut, max((hops_more(lane, tries) for _, lane, tries in told), default=0))

    def more_for(self, site: int) -> int:
        """Return over how many radios more a broadcast goes that this site is known to miss."""
        hops = self._hops.get(site)
        return HOPS_MORE if hops is None or hops >= FAR_HOPS else 0


def more_for_afar(hops: int | None) -> int:
    """Return over how many radios more a packet goes that asks who was heard over so many."""
    return HOPS_MORE if (hops or 0) >= FAR_HOPS else 0


def paced_from_ms(paced_ms: int, pace_ms: int) -> int:
    """Return from when the next packet with receipts may go; ``paced_ms``: when the pace of all so far is over."""
    return paced_ms - TOKEN_BURST * pace_ms


def paced_to_ms(paced_ms: int, now_ms: int, pace_ms: int) -> int:
    """Return when the pace is over after one more packet now: the generic cell rate algorithm (ITU-T I.371)."""
    return max(paced_ms, now_ms) + pace_ms


def wait_ms(link: LinkName, tries: int, jitter: float) -> int:
    """Return how long to wait for the kiosk's acknowledgement after try ``tries`` (1 …)."""
    grown = min(FIRST_WAIT_MS[link] * _GROWTH ** min(tries - 1, 20), WAIT_MS_MAX)
    return round(grown * (1 + 0.4 * jitter))
