"""How soon a site puts its next packet on the mesh, when the air is full: less of the same air for all, but fairly.

A message that waits longer and longer slows only itself down. When more people come than the air carries, new messages
come too, each with its first try at once, and the more is sent the less arrives. So the site as a whole slows down, by
two signs: tries that have to be made again, and how much of the last minute its radio found the channel taken. The
second holds back those near the region too, whose own tries are heard but which drown what comes from afar. A gap
doubles and halves, as TCP does with its window (additive steps would take hours here). What waits meanwhile goes
together, in fuller packets: the head that a packet costs is shared.

A life threat's first try knows no gap; what must go again of life threats has a short one of its own, which all of a
site's life threats share.
"""

from collections.abc import Callable

from steunpunt.model import Lane
from steunpunt.relay.outbox import ALL_MISSING, Waiting
from steunpunt.values import replace

GAP_MS_MIN = 15_000
GAP_MS_MAX = 600_000
LIFE_GAP_MS_MAX = 90_000
"""For life threats that must go again."""
CHANNEL_FULL = 0.30
"""Share of a minute with traffic, own and heard, above which a site takes the air for full. On simulated maps of thirty
sites it is 0.1 where all arrives (186 requests an hour), 0.3 with four times that and 0.4 with eight times."""
CHANNEL_FREE = 0.25
CHANNEL_WORD_MS_MAX = 300_000
"""So long a radio's word on the channel counts. Firmware tells its client each 60 s, but leaves out a time at which
packets wait for that client: five in a row left out means that it tells no more (firmware that does not know it,
telemetry switched off, another radio)."""
_JITTER = 0.4


class _Gap:
    """A length of time that doubles and halves, between ``GAP_MS_MIN`` and a limit, and is gone below."""

    def __init__(self, ms_max: int) -> None:
        self.ms = 0
        self._ms_max = ms_max

    def widen(self) -> None:
        self.ms = min(max(self.ms * 2, GAP_MS_MIN), self._ms_max)

    def narrow(self) -> None:
        self.ms = self.ms // 2 if self.ms > GAP_MS_MIN else 0


class Pace:
    """One site's gaps on the mesh, in memory: a restart begins without any. Ledger milliseconds."""

    def __init__(self) -> None:
        self._unheard, self._full = _Gap(GAP_MS_MAX), _Gap(GAP_MS_MAX)
        self._life = _Gap(LIFE_GAP_MS_MAX)
        self._free_ms = self._full_free_ms = self._life_free_ms = 0
        self._told_ms = -CHANNEL_WORD_MS_MAX

    def sent(self, now_ms: int, jitter: Callable[[], float], *, again: bool, life_threat: bool = False) -> None:
        """Note a packet; ``again``: an earlier try of what it holds was taken by a radio and not receipted.

        ``jitter`` gives chance in 0 … 1, asked for only where there is a gap; it only lengthens.
        """
        unheard = self._life if life_threat else self._unheard
        if again:
            unheard.widen()
        full_ms = 0 if life_threat or self._word_over(now_ms) else self._full.ms
        if not (unheard.ms or full_ms):
            return
        lengthened = 1 + _JITTER * jitter()
        if life_threat:
            self._life_free_ms = now_ms + round(unheard.ms * lengthened)
            return
        self._free_ms = now_ms + round(unheard.ms * lengthened)
        self._full_free_ms = now_ms + round(full_ms * lengthened)

    def heard(self, now_ms: int, *, life_threat: bool = False) -> None:
        """Note that the region receipted something that had gone by radio."""
        if life_threat:
            self._life.narrow()
            self._life_free_ms = _sooner(self._life_free_ms, now_ms, gap=bool(self._life.ms))
            return
        self._unheard.narrow()
        self._free_ms = _sooner(self._free_ms, now_ms, gap=bool(self._unheard.ms))
        self._full_free_ms = _sooner(self._full_free_ms, now_ms, gap=bool(self._full.ms))

    def channel(self, now_ms: int, share: float) -> None:
        """Note how much of its last minute the radio found the channel taken, 0 … 1; radios tell it once a minute."""
        if self._word_over(now_ms):
            self._full = _Gap(GAP_MS_MAX)
            self._full_free_ms = min(self._full_free_ms, now_ms)
        self._told_ms = now_ms
        if share > CHANNEL_FULL:
            self._full.widen()
        elif share < CHANNEL_FREE:
            self._full.narrow()

    def _word_over(self, now_ms: int) -> bool:
        return now_ms >= self._told_ms + CHANNEL_WORD_MS_MAX

    def _general_free_ms(self) -> int:
        """Return from when what is no life threat may go: a full channel holds it only as long as the word counts."""
        return max(self._free_ms, min(self._full_free_ms, self._told_ms + CHANNEL_WORD_MS_MAX))

    def held(self, waiting: list[Waiting], now_ms: int) -> list[Waiting]:
        """Return the messages as the outbox should see them: none is due before its gap is over.

        The fragments that are left of a try under way follow at once, and so do those that the region asked for. While
        a life threat waits for its gap, what is less urgent waits too.
        """
        if max(self._general_free_ms(), self._life_free_ms) <= now_ms:
            return waiting
        overdue = any(_shares_life_gap(message) and message.mesh_next_ms <= now_ms for message in waiting)
        behind_ms = self._life_free_ms if overdue else 0
        return [self._not_before(message, behind_ms) for message in waiting]

    def _not_before(self, message: Waiting, behind_ms: int) -> Waiting:
        if _shares_life_gap(message):
            free_ms = self._life_free_ms
        elif message.lane is Lane.LIFE_THREAT:
            return message
        else:
            free_ms = behind_ms if at_once(message) else max(behind_ms, self._general_free_ms())
        return message if message.mesh_next_ms >= free_ms else replace(message, mesh_next_ms=free_ms)


def at_once(message: Waiting) -> bool:
    """Return whether it is the rest of what goes already, or what the region asked for."""
    return bool(message.unsent) or message.missing != ALL_MISSING


def _shares_life_gap(message: Waiting) -> bool:
    return message.lane is Lane.LIFE_THREAT and message.mesh_tries > 0 and not at_once(message)


def _sooner(free_ms: int, now_ms: int, *, gap: bool) -> int:
    """Return when a gap is over of which half of the rest is given back; all of it where no gap is left."""
    return now_ms + max(free_ms - now_ms, 0) // 2 if gap else now_ms
