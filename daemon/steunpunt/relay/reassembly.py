"""Messages that come in fragments: what is there, when to ask for the rest, and how much is kept.

Only fragments that authenticate count here, so nobody but the sites themselves can fill these limits; fragments of
an unknown epoch are held under the limits of :mod:`steunpunt.relay.epochs`.

A coordinator asks (WANT) when no further fragment came for a while: later the more of them may still be under way, and
each time later again. It never asks for ever: a kiosk goes on by itself, and what it sends then starts the asking anew.
What makes room was not receipted, so the kiosk sends it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from steunpunt.model import Lane
from steunpunt.protocol.wants import BITMAP_MAX

HALF_SITE_MAX = 8
"""Most half-received messages kept of one site."""
HALF_SITE_BYTES_MAX = 16_384
HALF_ALL_MAX = 512
HALF_ALL_BYTES_MAX = 524_288
WANT_AFTER_MS = 15_000
"""Quiet after the last fragment before the first WANT: three hops and their jitter on LongFast."""
WANT_EACH_MS = 4_000
"""More for each fragment behind the last one heard: its time on air and the sender's gap between two."""
WANT_WAIT_MS = 60_000
WANT_WAIT_MS_MAX = 900_000
WANTS_MAX = 8
"""Most WANTs for a message without a new fragment in between."""
WANT_ANSWER_MS = 20_000
"""A kiosk answers WANTs for one message at most this often: one that is played back must not cost it its air."""
PROBES_BETWEEN_ALL = 3
"""Tries with one fragment only before all are sent again."""
_JITTER = 0.4


@dataclass(frozen=True, slots=True)
class Half:
    """A message of which some fragments are here."""

    site: int
    eid: bytes
    n: int
    last: int
    """Index of the last fragment, 1 to 15."""
    have: int
    """Bit i: fragment i is here."""
    size_bytes: int
    lane: Lane
    """By the first fragment; URGENT while that one is missing."""
    heard_ms: int
    """When its newest fragment came."""
    wants: int = 0
    """WANTs sent since then."""
    want_due_ms: int = 0
    """When to ask: :func:`want_wait_ms` after its newest fragment, or after the last WANT."""

    @property
    def key(self) -> tuple[int, bytes, int]:
        """Return what names the message."""
        return self.site, self.eid, self.n

    @property
    def missing(self) -> int:
        """Return the bitmap of the fragments that are not here: 0 when it is whole."""
        return ~self.have & BITMAP_MAX >> 15 - self.last

    @property
    def behind(self) -> int:
        """Return how many fragments follow the highest one that is here: they may still be under way."""
        return self.last + 1 - self.have.bit_length()


def want_wait_ms(half: Half, jitter: float) -> int:
    """Return how long to wait after a fragment, or after WANT number ``half.wants``; ``jitter`` is in 0 … 1."""
    if half.wants:
        wait_ms = min(WANT_WAIT_MS << half.wants - 1, WANT_WAIT_MS_MAX)
    else:
        wait_ms = WANT_AFTER_MS + WANT_EACH_MS * half.behind
    return round(wait_ms * (1 + _JITTER * jitter))


def wants_more(half: Half) -> bool:
    """Return whether to go on asking for a message: something is missing, and it was not asked often enough."""
    return bool(half.missing) and half.wants < WANTS_MAX


def choose_wants(halves: Iterable[Half], now_ms: int, room: int) -> list[Half]:
    """Return for which messages to send a WANT now: at most one a site and ``room`` in all, life threats first."""
    chosen: dict[int, Half] = {}
    for half in sorted(halves, key=lambda h: (h.lane, h.heard_ms, h.key)):
        due = wants_more(half) and half.want_due_ms <= now_ms
        if due and half.site not in chosen and len(chosen) < room:
            chosen[half.site] = half
    return list(chosen.values())


def next_want_ms(halves: Iterable[Half]) -> int | None:
    """Return the earliest moment at which :func:`choose_wants` could choose one."""
    return min((half.want_due_ms for half in halves if wants_more(half)), default=None)


def to_drop(halves: Iterable[Half]) -> list[Half]:
    """Return which half-received messages make room, so that the others fit the limits: to be dropped and counted.

    The least urgent lane goes first and in it the one that has been silent the longest: first within each site, so
    that one site's flood costs no other site anything, then over all.
    """
    keep: list[Half] = []
    drop: list[Half] = []
    sites: dict[int, tuple[int, int]] = {}
    count = size = 0
    for half in sorted(halves, key=lambda h: (h.lane, -h.heard_ms, h.key)):
        of_site, site_bytes = sites.get(half.site, (0, 0))
        fits_site = of_site < HALF_SITE_MAX and site_bytes + half.size_bytes <= HALF_SITE_BYTES_MAX
        if fits_site and count < HALF_ALL_MAX and size + half.size_bytes <= HALF_ALL_BYTES_MAX:
            keep.append(half)
            count, size = count + 1, size + half.size_bytes
            sites[half.site] = (of_site + 1, site_bytes + half.size_bytes)
        else:
            drop.append(half)
    return drop


# --- at a kiosk ---------------------------------------------------------------------------------------------------


def fragments_to_send(last: int, tries: int, wanted: int | None) -> tuple[int, ...]:
    """Return which fragments of an unreceipted message to send at try ``tries`` (1 …), 0 for a whole message.

    ``wanted`` is the bitmap of a WANT that was not answered yet. Without one, the first try sends all; later ones
    send the first fragment only, which earns the token or a WANT for what is missing; from time to time all again,
    for a coordinator that lost its ledger would ask for nearly all in any case.
    """
    if wanted is not None:
        return tuple(i for i in range(last + 1) if wanted >> i & 1)
    if (tries - 1) % (PROBES_BETWEEN_ALL + 1):
        return (0,)
    return tuple(range(last + 1))


def answers_want(answered_ms: int | None, now_ms: int) -> bool:
    """Return whether to act on a genuine WANT for a message, when the last one was answered at ``answered_ms``."""
    return answered_ms is None or now_ms - answered_ms >= WANT_ANSWER_MS
