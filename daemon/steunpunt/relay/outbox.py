"""Which message goes next on which link, and when again.

Roads: a piece goes over the broker link while the region answers there, over the mesh otherwise, over both at once
for a
life threat. A message without receipt is never given up; the waits grow, with jitter, so that sites which lost each
other at the same moment do not come back in step. Jitter only lengthens: the first wait on the mesh is longer than the
26 s after which LongFast firmware gives up on a packet of its own, so a retry never overtakes the radio.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from steunpunt.model import PACKET_BYTES_MAX, Category, Lane, LinkName
from steunpunt.protocol.pieces import (
    BATCH_HEAD_BYTES,
    BATCH_ITEM_HEAD_BYTES,
    CIPHERTEXT_BYTES_MAX,
    E_PUB_BYTES,
    FRAGMENT_OVERHEAD_BYTES,
    PIECE_OVERHEAD_BYTES,
    TAG_BYTES,
)
from steunpunt.relay.reassembly import fragments_to_send

BEACON_FRESH_MS_MAX = 60_000
"""The region answers over the broker when its last beacon is at most this old."""
BROKER_TRIES_BEFORE_MESH = 2
MESH_FIRST_WAIT_MS = 125_000
"""Longer than a coordinator's pace of receipts, and than a gateway's wait before it carries a piece once more."""
MESH_LIFE_FIRST_WAIT_MS = 30_000
MESH_WAIT_MS_MAX = 900_000
MESH_LIFE_WAIT_MS_MAX = 180_000
BROKER_FIRST_WAIT_MS = 10_000
BROKER_WAIT_MS_MAX = 120_000
REFUSED_WAIT_MS = 5_000
ALL_MISSING = 0xFFFF
_GROWTH = 1.7
_JITTER = 0.4
LIFE_PACKET_BYTES_MAX = 120
"""A longer packet is more easily lost where many talk at once: life threats share one only as far as this."""
_HELLO_AGAIN_TRIES = 4


class Roads(Struct, frozen=True):
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


class Waiting(Struct, frozen=True):
    """One message without receipt, as the outbox sees it."""

    message_id: int
    lane: Lane
    created_ms: int
    mesh_tries: int
    mesh_next_ms: int
    broker_tries: int
    broker_next_ms: int
    eid: bytes = b""
    n: int = 0
    receipted_epoch: bool = False
    body_bytes: int = 0
    """Ciphertext and tag, of all fragments together."""
    missing: int = ALL_MISSING
    """The bitmap of a WANT that no try has answered yet; ALL_MISSING for none."""
    unsent: int = 0
    """Bit i: fragment i is still to be sent in the mesh try under way."""

    @property
    def fragmented(self) -> bool:
        """Return whether it takes more than one piece."""
        return self.body_bytes > CIPHERTEXT_BYTES_MAX + TAG_BYTES

    @property
    def next_fragment(self) -> int | None:
        """Return the fragment that goes next on the mesh; None for a whole message."""
        if not self.fragmented:
            return None
        left = self.unsent or self.round()
        return (left & -left).bit_length() - 1

    def round(self) -> int:
        """Return the fragments that the next try on the mesh sends, as a bitmap."""
        last = len(body_parts(self.body_bytes)) - 1
        wanted = None if self.missing == ALL_MISSING else self.missing & (1 << last + 1) - 1
        return sum(1 << i for i in fragments_to_send(last, self.mesh_tries + 1, wanted or None))

    def packet_bytes(self) -> int:
        """Return how many bytes its next packet on the mesh has when it goes alone."""
        hello = E_PUB_BYTES if says_hello(receipted=self.receipted_epoch, tries=self.mesh_tries + 1) else 0
        fragment = self.next_fragment
        if fragment is None:
            return PIECE_OVERHEAD_BYTES - TAG_BYTES + self.body_bytes + hello
        start, end = body_parts(self.body_bytes)[fragment]
        return FRAGMENT_OVERHEAD_BYTES - TAG_BYTES + end - start + hello


def body_parts(body_bytes: int) -> list[tuple[int, int]]:
    """Return (start, end) of each fragment's body in the bodies of a message, kept one after the other.

    It is the cut of :func:`steunpunt.protocol.packets.split`, found again from the sum of the lengths.
    """
    count = -(-body_bytes // (CIPHERTEXT_BYTES_MAX + TAG_BYTES))
    size, longer = divmod(body_bytes - count * TAG_BYTES, count)
    ends = [(i + 1) * (size + TAG_BYTES) + min(i + 1, longer) for i in range(count)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


class Choice(Struct, frozen=True):
    """Send this message on this link now; ``company`` rides along in the same packet."""

    message_id: int
    link: LinkName
    company: tuple[int, ...] = ()


class Chosen(Struct, frozen=True):
    """What to send now, and the first message that only waits for airtime: its lane and packet bytes."""

    choices: tuple[Choice, ...]
    waits_for_air: tuple[Lane, int] | None = None


UNICAST_TRIES_MAX = 2
HOPS_MARGIN = 1
HOPS_MORE = 2
"""Over so many radios more goes what these many tries did not bring: of a life threat, of anything else."""
LIFE_TRIES_USUAL = 2
TRIES_USUAL = 4


def unicast(message: Waiting) -> bool:
    """Return whether the next try on the mesh may go to one radio only: the one that the region last spoke through.

    Only twice, for whoever else hears a broadcast may carry it too. A life threat goes to all at once; what then has to
    go again takes turns: along the way that is known each radio repeats it until the next one has it, on a third of the
    air, and where that way is broken all others get it the next time.
    """
    if message.lane is Lane.LIFE_THREAT:
        return message.mesh_tries % 2 == 1
    return message.mesh_tries < UNICAST_TRIES_MAX


def hops_max(message: Waiting, hops_heard: int | None) -> int | None:
    """Return how many radios may pass on the next try; None for as many as the radio is set to.

    ``hops_heard``: how many passed on what the region said last. That way back, and a little more, is what the first
    try gets; the air beyond it would be taken for nothing. Whatever goes again may take any way.
    """
    return None if hops_heard is None or message.mesh_tries else hops_heard + HOPS_MARGIN


def hops_more(lane: Lane, tries: int) -> int:
    """Return over how many radios more than usual a message may go that was tried so many times before.

    What two tries of a life threat did not bring, or four of anything else, may have to go around: where a flood loses
    the shortest way, the longer ones end at the usual limit, a radio short of the other end's.
    """
    usual = LIFE_TRIES_USUAL if lane is Lane.LIFE_THREAT else TRIES_USUAL
    return HOPS_MORE if tries >= usual else 0


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


def choose(
    waiting: Iterable[Waiting],
    roads: Roads,
    now_ms: int,
    room: dict[LinkName, int],
    fits: Callable[[Lane, int], bool] = lambda _lane, _bytes: True,
) -> Chosen:
    """Return what to send now, by lane and then age, at most ``room[link]`` packets per link.

    ``fits(lane, packet_bytes)`` says whether the airtime allows a packet on the mesh.
    """
    left = dict(room)
    choices: list[Choice] = []
    aboard: set[int] = set()
    waits_for_air = None
    ranked = sorted(waiting, key=lambda m: (m.lane, m.created_ms, m.message_id))
    for message in ranked:
        for link in links_for(message, roads):
            if left.get(link, 0) <= 0 or due_ms(message, link) > now_ms:
                continue
            if link is LinkName.MESH:
                if message.message_id in aboard:
                    continue
                if not fits(message.lane, message.packet_bytes()):
                    waits_for_air = waits_for_air or (message.lane, message.packet_bytes())
                    continue
                company = tuple(m.message_id for m in _company(message, ranked, roads, now_ms))
                aboard |= {message.message_id, *company}
                choices.append(Choice(message.message_id, link, company))
            else:
                choices.append(Choice(message.message_id, link))
            left[link] -= 1
    return Chosen(tuple(choices), waits_for_air)


def _company(first: Waiting, ranked: list[Waiting], roads: Roads, now_ms: int) -> list[Waiting]:
    """Return the messages of the same epoch that fit into the packet of ``first``, of those (nearly) due."""
    if first.fragmented:
        return []
    says = says_hello(receipted=first.receipted_epoch, tries=first.mesh_tries + 1)
    most = LIFE_PACKET_BYTES_MAX if first.lane is Lane.LIFE_THREAT else PACKET_BYTES_MAX
    left = most - BATCH_HEAD_BYTES - (E_PUB_BYTES if says else 0) - BATCH_ITEM_HEAD_BYTES - first.body_bytes
    company = []
    for other in sorted(ranked, key=lambda m: m.mesh_next_ms > now_ms):
        size = BATCH_ITEM_HEAD_BYTES + other.body_bytes
        if (
            other.message_id == first.message_id
            or other.eid != first.eid
            or other.fragmented
            or size > left
            or not _goes_along(other, now_ms)
            or not _share(first, other)
            or LinkName.MESH not in links_for(other, roads)
        ):
            continue
        left -= size
        company.append(other)
    return company


def _share(first: Waiting, other: Waiting) -> bool:
    """Return whether two messages may share a packet: life threats share with life threats only, new ones with new."""
    if first.lane is Lane.LIFE_THREAT or other.lane is Lane.LIFE_THREAT:
        return first.lane is other.lane and (first.mesh_tries == 0) is (other.mesh_tries == 0)
    return True


def _goes_along(message: Waiting, now_ms: int) -> bool:
    """Return whether a message goes in the company of another: when it is due, or has waited half of its wait.

    A token would mostly have come by then, and a try in company costs a third of one alone.
    """
    if message.mesh_next_ms <= now_ms:
        return True
    wait = wait_ms(LinkName.MESH, message.lane, message.mesh_tries, 0.0) if message.mesh_tries else 0
    return message.mesh_next_ms - now_ms <= wait // 2


def next_due_ms(waiting: Iterable[Waiting], roads: Roads) -> int | None:
    """Return the earliest moment at which :func:`choose` could choose something, None for never as things stand."""
    return min((due_ms(m, link) for m in waiting for link in links_for(m, roads)), default=None)


def wait_ms(link: LinkName, lane: Lane, tries: int, jitter: float) -> int:
    """Return how long to wait for a token after try number ``tries`` (1 …); ``jitter`` is in 0 … 1."""
    first, most = BROKER_FIRST_WAIT_MS, BROKER_WAIT_MS_MAX
    if link is LinkName.MESH:
        first, most = MESH_FIRST_WAIT_MS, MESH_WAIT_MS_MAX
        if lane is Lane.LIFE_THREAT:
            first, most = MESH_LIFE_FIRST_WAIT_MS, MESH_LIFE_WAIT_MS_MAX
    grown = min(first * _GROWTH ** min(tries - 1, 40), most)
    return round(grown * (1 + _JITTER * jitter))


def refused_wait_ms(link: LinkName, lane: Lane, tries: int, jitter: float) -> int:
    """Return how long to wait after a try that no next hop took: short at first, for it cost no air we know of."""
    return min(round(REFUSED_WAIT_MS * 2.0 ** min(tries - 1, 20)), wait_ms(link, lane, tries, jitter))


def says_hello(*, receipted: bool, tries: int) -> bool:
    """Return whether e_pub rides along: until the epoch is receipted, and each fourth time when nobody answers.

    The second case heals a coordinator that lost its ledger and with it the epoch, should its own question get lost.
    """
    return not receipted or tries % _HELLO_AGAIN_TRIES == 0
