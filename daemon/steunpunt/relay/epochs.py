"""Epochs a coordinator does not know, and cards it should no longer trust.

A piece of an unknown epoch cannot be told from a forgery. It is held, a few of them, and the kiosk is asked for its
hello; but seldom, for an attacker can name as many epochs as there are numbers, and each question costs air.

Pieces sealed with a revoked generation of a site's secret are kept in quarantine, in view of the desk: they may be
the thief's, or the last words of the point before its card was stolen.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

HELD_SITE_MAX = 64
"""Most pieces of unknown epochs held of one site."""
HELD_ALL_MAX = 4_096
HELLO_AGAIN_MS = 300_000
"""A WANT-HELLO for one epoch is sent, and answered, at most this often."""
HELLO_SITE_MS = 60_000
"""Two WANT-HELLOs for epochs of one site are at least so far apart."""
HELLOS_HOUR_MAX = 30
"""Most WANT-HELLOs of a coordinator in any hour: some 13 s of LongFast's air, 0.4 % of the channel."""
EPOCHS_ASKED_MAX = 1_024
"""Most epochs remembered as asked for; the oldest are forgotten."""
GENERATION_MAX = 255
OLD_TRIED_MAX = 4
"""Most generations tried that no longer count: what they sealed is worth a look, not any effort."""
_HOUR_MS = 3_600_000


def may_hold(held_of_site: int, held_in_all: int) -> bool:
    """Return whether one more piece of an unknown epoch may be held."""
    return held_of_site < HELD_SITE_MAX and held_in_all < HELD_ALL_MAX


class HelloAsker:
    """Whether to ask for an epoch's hello now. In memory only: after a restart it may ask once more."""

    def __init__(self) -> None:
        self._epochs: dict[tuple[int, bytes], int] = {}
        self._sites: dict[int, int] = {}
        self._hour: deque[int] = deque()

    def ask(self, site: int, eid: bytes, now_ms: int) -> bool:
        """Return whether to send a WANT-HELLO, and note that it is sent."""
        while self._hour and now_ms - self._hour[0] >= _HOUR_MS:
            self._hour.popleft()
        too_many = len(self._hour) >= HELLOS_HOUR_MAX
        if too_many or self._soon(self._epochs.get((site, eid)), now_ms, HELLO_AGAIN_MS):
            return False
        if self._soon(self._sites.get(site), now_ms, HELLO_SITE_MS):
            return False
        self._epochs.pop((site, eid), None)  # so that the dict stays in the order of asking
        self._epochs[(site, eid)] = now_ms
        self._sites.pop(site, None)
        self._sites[site] = now_ms
        self._hour.append(now_ms)
        _forget_oldest(self._epochs)
        _forget_oldest(self._sites)
        return True

    @staticmethod
    def _soon(last_ms: int | None, now_ms: int, apart_ms: int) -> bool:
        return last_ms is not None and now_ms - last_ms < apart_ms


def _forget_oldest(asked: dict[Any, int]) -> None:
    while len(asked) > EPOCHS_ASKED_MAX:
        del asked[next(iter(asked))]


def answers_hello(answered_ms: int | None, now_ms: int) -> bool:
    """Return whether a kiosk answers a WANT-HELLO for an epoch of its own, last answered at ``answered_ms``.

    Nobody can sign a WANT-HELLO, so anybody in earshot can make a kiosk say hello this often and not more.
    """
    return answered_ms is None or now_ms - answered_ms >= HELLO_AGAIN_MS


# --- generations --------------------------------------------------------------------------------------------------


def trusted(heard: Iterable[int], listed: Iterable[int], revoked: int) -> tuple[int, ...]:
    """Return the generations of a site whose pieces count, the likeliest first.

    ``heard``: those that authentic pieces of the site came with; ``listed``: those in the coordinator's key file, for
    all sites; ``revoked``: the highest that the offline root revoked for this site, 0 for none. Counting are the
    newest and, until it is revoked, the one before it, for a card is not replaced in a moment; the next one, for a new
    card is made in the safe and heard of here first; and what is listed.
    """
    top = max([*heard, revoked, 1])
    window = (top, top + 1, top - 1)
    others = sorted({*listed}.difference(window), reverse=True)
    return tuple(g for g in (*window, *others) if revoked < g <= GENERATION_MAX)


def generations_to_try(heard: Iterable[int], listed: Iterable[int], revoked: int) -> tuple[int, ...]:
    """Return which generations may have sealed a site's new epoch: those that count, then OLD_TRIED_MAX that do not.

    Of these the revoked one comes first: it is the card that somebody may be using.
    """
    counting = trusted(heard := tuple(heard), listed, revoked)
    top = max([*heard, revoked, 1])
    older = (g for g in dict.fromkeys((revoked, *range(top, 0, -1))) if g and g not in counting)
    return counting + tuple(g for _, g in zip(range(OLD_TRIED_MAX), older, strict=False))


def quarantined(generation: int, heard: Iterable[int], listed: Iterable[int], revoked: int) -> bool:
    """Return whether what this generation of a site sealed goes into quarantine: in view of the desk, not receipted."""
    return generation not in trusted(heard, listed, revoked)
