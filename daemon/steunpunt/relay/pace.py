"""How soon a site puts its next packet on the mesh, when packets go unheard: less of the same air for all, but fairly.

A message that waits longer and longer slows only itself down. When more people come than the air carries, new messages
come too, each with its first try at once, and the more is sent the less arrives. So the site as a whole slows down:
each try that has to be made again doubles the gap between its packets, each receipt halves it, as TCP does with its
window (additive steps would take hours here). What waits meanwhile goes together, in fuller packets: the head that a
packet costs is shared.

Life threats know no gap. Nor does a site at all of whose messages the first try was heard.
"""

from collections.abc import Callable

from steunpunt.model import Lane
from steunpunt.relay.outbox import ALL_MISSING, Waiting
from steunpunt.values import replace

GAP_MS_MIN = 15_000
GAP_MS_MAX = 600_000
_JITTER = 0.4


class Pace:
    """One site's gap on the mesh, in memory: a restart begins without one. Ledger milliseconds."""

    def __init__(self) -> None:
        self._gap_ms = 0
        self._free_ms = 0

    def sent(self, now_ms: int, jitter: Callable[[], float], *, again: bool) -> None:
        """Note a packet below life threats; ``again``: an earlier try of what it holds was not receipted.

        ``jitter`` gives chance in 0 … 1, asked for only where there is a gap; it only lengthens.
        """
        if again:
            self._gap_ms = min(max(self._gap_ms * 2, GAP_MS_MIN), GAP_MS_MAX)
        if self._gap_ms:
            self._free_ms = now_ms + round(self._gap_ms * (1 + _JITTER * jitter()))

    def heard(self, now_ms: int) -> None:
        """Note that the region receipted something that had gone by radio."""
        self._gap_ms = self._gap_ms // 2 if self._gap_ms > GAP_MS_MIN else 0
        rest_ms = max(self._free_ms - now_ms, 0) if self._gap_ms else 0
        self._free_ms = now_ms + rest_ms // 2

    def held(self, waiting: list[Waiting], now_ms: int) -> list[Waiting]:
        """Return the messages as the outbox should see them: none below life threats is due before the gap is over.

        The fragments that are left of a try under way follow at once, and so do those that the region asked for.
        """
        if self._free_ms <= now_ms:
            return waiting
        return [
            message
            if at_once(message) or message.mesh_next_ms >= self._free_ms
            else replace(message, mesh_next_ms=self._free_ms)
            for message in waiting
        ]


def at_once(message: Waiting) -> bool:
    """Return whether a message knows no gap."""
    return message.lane is Lane.LIFE_THREAT or bool(message.unsent) or message.missing != ALL_MISSING
