"""The loop's inbox: callbacks of links, panel and control socket put events here and do nothing else."""

import queue

from steunpunt.jobfacts import PagesHeard
from steunpunt.model import (
    Asked,
    BellRung,
    ButtonPressed,
    CallCancelled,
    DownlinkHeard,
    Event,
    FrameHeard,
    HelpSubmitted,
    PacketHeard,
    PaperScanned,
    SupplementSubmitted,
    TextHeard,
)

EVENTS_MAX = 10_000
OTHERS_MAX = 2_000
"""Packets for the bridge are dropped above this, so that a flood of them never crowds out a request."""
BATCH_MAX = 64
"""Events taken in one turn, and so in one commit."""


AWAITED = (HelpSubmitted, SupplementSubmitted, PaperScanned, Asked)
"""Somebody at the control socket waits for what becomes of these."""
_ASKED_HERE = (*AWAITED, ButtonPressed, CallCancelled, BellRung)


def droppable(event: Event | None) -> bool:
    """Return whether an event may be dropped in need: it costs nothing, or its sender sends it again."""
    return isinstance(event, PacketHeard | DownlinkHeard | TextHeard | PagesHeard) or (
        isinstance(event, FrameHeard) and event.confirm is None
    )


class Inbox:
    """Bounded; ``put`` never blocks. What is dropped is counted."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self.dropped = 0

    def put(self, event: Event | None) -> None:
        """Add an event; None only wakes the loop. OverflowError: this form or press is not taken."""
        size = self._queue.qsize()
        if droppable(event) and size >= OTHERS_MAX:
            self.dropped += 1
            return
        if isinstance(event, _ASKED_HERE) and size >= EVENTS_MAX:
            self.dropped += 1
            raise OverflowError(f"{size} events wait for the node's loop; it does not turn")
        # The rest is few by its nature, and the ends of attempts must not get lost: a link would seem busy for ever.
        self._queue.put(event)

    def take(self, timeout_s: float | None) -> list[Event]:
        """Return the next events, at most BATCH_MAX; [] when none came in ``timeout_s`` (None: wait for ever)."""
        try:
            first = (
                self._queue.get(timeout=timeout_s) if timeout_s is None or timeout_s > 0 else self._queue.get_nowait()
            )
        except queue.Empty:
            return []
        events = [first]
        while len(events) < BATCH_MAX:
            try:
                events.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return [event for event in events if event is not None]
