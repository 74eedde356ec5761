"""Simulated time: a heap of things that will happen, in milliseconds."""

import heapq
import itertools
from collections.abc import Callable


class Timer:
    """One thing that will happen; ``cancel`` makes that it won't."""

    __slots__ = ("_action", "at_ms")

    def __init__(self, at_ms: float, action: Callable[[], None]) -> None:
        self.at_ms = at_ms
        self._action: Callable[[], None] | None = action

    @property
    def waits(self) -> bool:
        """Whether it still has to happen."""
        return self._action is not None

    def cancel(self) -> None:
        """Forget it; harmless when it has happened already."""
        self._action = None

    def happen(self) -> None:
        """Run it, once."""
        action, self._action = self._action, None
        if action is not None:
            action()


class Timeline:
    """Events in order of simulated time; equal times in order of scheduling.

    Knows no clock: whoever drives it calls ``advance`` with the time that it is,
    real and scaled (the server) or virtual (a test, a simulation).
    """

    def __init__(self, now_ms: float = 0.0) -> None:
        self.now_ms = now_ms
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def schedule(self, delay_ms: float, action: Callable[[], None]) -> Timer:
        """Let ``action`` happen ``delay_ms`` from now; never in the past."""
        timer = Timer(self.now_ms + max(delay_ms, 0.0), action)
        heapq.heappush(self._heap, (timer.at_ms, next(self._order), timer))
        return timer

    def next_event_ms(self) -> float | None:
        """When something happens next; None if nothing will."""
        while self._heap and not self._heap[0][2].waits:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def advance(self, now_ms: float) -> None:
        """Let everything happen that is due by ``now_ms``, each at its own time."""
        while (due_ms := self.next_event_ms()) is not None and due_ms <= now_ms:
            timer = heapq.heappop(self._heap)[2]
            self.now_ms = due_ms
            timer.happen()
        self.now_ms = max(self.now_ms, now_ms)
