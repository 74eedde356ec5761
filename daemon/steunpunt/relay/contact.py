"""What the edges of one button's contact mean: a press, holding it, or a contact that is broken. Pure.

==========  ========================================================================================
sign        when
==========  ========================================================================================
PRESSED     it closes, but for a contact that chatters
HELD        it is still closed ``hold_s`` after a press
STUCK       it is still closed STUCK_S after it closed, also one that was closed at the start
CHATTERS    it closed more than CLOSINGS_MAX times in CHATTER_S; no press of it counts until it is calm
MENDED      a stuck one opens; one that chattered was still for CALM_S
==========  ========================================================================================

A contact that breaks costs no help: its first press counted. It must not fill ledger and air, and somebody must hear
of it.
"""

from collections import deque
from enum import StrEnum

STUCK_S = 60.0
CHATTER_S = 10.0
CLOSINGS_MAX = 12
"""People who press in fear press often; nobody presses twelve times in ten seconds."""
CALM_S = 30.0


class Sign(StrEnum):
    """What a contact says."""

    PRESSED = "pressed"
    HELD = "held"
    STUCK = "stuck"
    CHATTERS = "chatters"
    MENDED = "mended"


class Contact:
    """One contact; times in seconds of any clock that does not go back."""

    def __init__(self, hold_s: float, now_s: float, *, closed: bool) -> None:
        """``hold_s`` 0: holding says nothing; ``closed``: as it is at the start, which is no press."""
        self._hold_s = hold_s
        self._closed_s = now_s if closed else None
        self._held = True
        """Nothing more is said of holding it: it was said, or it was no press."""
        self._closings: deque[float] = deque(maxlen=CLOSINGS_MAX + 1)
        self._edge_s = now_s
        self.fault: Sign | None = None

    def closes(self, now_s: float) -> list[Sign]:
        """Take a closing edge."""
        self._edge_s = now_s
        if self._closed_s is not None:
            return []
        self._closed_s = now_s
        self._closings.append(now_s)
        if self.fault is Sign.CHATTERS:
            return []
        if len(self._closings) > CLOSINGS_MAX and now_s - self._closings[0] <= CHATTER_S:
            self.fault, self._held = Sign.CHATTERS, True
            return [Sign.CHATTERS]
        self._held = not self._hold_s
        return [Sign.PRESSED]

    def opens(self, now_s: float) -> list[Sign]:
        """Take an opening edge."""
        self._edge_s = now_s
        self._closed_s, self._held = None, True
        if self.fault is not Sign.STUCK:
            return []
        self.fault = None
        return [Sign.MENDED]

    def due_s(self) -> float | None:
        """Return when :meth:`look` has something to say; None: not before another edge."""
        if self._closed_s is not None and self.fault is not Sign.STUCK:
            return self._closed_s + (STUCK_S if self._held else self._hold_s)
        return self._edge_s + CALM_S if self.fault is Sign.CHATTERS else None

    def look(self, now_s: float) -> list[Sign]:
        """Return what time alone says."""
        if self._closed_s is not None and self.fault is not Sign.STUCK and now_s - self._closed_s >= STUCK_S:
            self.fault, self._held = Sign.STUCK, True
            return [Sign.STUCK]
        if self._closed_s is not None and not self._held and now_s - self._closed_s >= self._hold_s:
            self._held = True
            return [Sign.HELD]
        if self.fault is Sign.CHATTERS and self._closed_s is None and now_s - self._edge_s >= CALM_S:
            self.fault = None
            self._closings.clear()
            return [Sign.MENDED]
        return []
