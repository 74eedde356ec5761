"""The help button's calls: wait for staff to cancel, then become a request; more presses join the same case.

Buttons are known by name. A call is committed at the first press, so it survives a power cut in its waiting time.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from steunpunt.engine.accepting import Acceptor
from steunpunt.engine.common import Entropy
from steunpunt.ledger import outgoing
from steunpunt.model import Effect, LampMode, SetLamp, SoundBuzzer, SupplementCode, TicketState
from steunpunt.relay.states import lamp_for

BUZZ_S = 3.0
HELD_S = 0.5
"""Each of the three sounds that say that holding was understood, in seconds."""
TELL_AGAIN_MS = 60_000
"""At most one "pressed again" per call in this time: presses are free, air is not."""


@dataclass(slots=True)
class CallView:
    """One button as screens show it."""

    name: str
    lamp: LampMode | None = None
    """None: not set yet since the start."""
    counter: int | None = None
    pending_until_ms: int | None = None
    presses: int = 0


class Calls:
    """The calls of all buttons of a site."""

    def __init__(self, buttons: dict[str, int], acceptor: Acceptor, entropy: Entropy) -> None:
        """``buttons``: name to cancel window in seconds."""
        self._cancel_ms = {name: seconds * 1000 for name, seconds in buttons.items()}
        self._acceptor = acceptor
        self._entropy = entropy
        self._next_ms: int | None = None
        self.views = {name: CallView(name) for name in buttons}
        """What screens may show: as of the last commit."""
        self._coming = self.views

    def press(self, connection: sa.Connection, name: str, now_ms: int) -> list[Effect]:
        """Note a press: the buzzer for staff here, and a new call or one more press of the open one."""
        if name not in self._cancel_ms:
            return []
        call = self._open(connection).get(name)
        if call is None:
            outgoing.add_call(connection, name, now_ms)
        else:
            outgoing.change_call(connection, call[0].id, presses=call[0].presses + 1)
        return [SoundBuzzer(name, BUZZ_S)]

    def hold(self, connection: sa.Connection, name: str, now_ms: int) -> list[Effect]:
        """A button is held down: a life is in danger. Its call leaves at once, or the one that left is raised."""
        if name not in self._cancel_ms:
            return []
        call = self._open(connection).get(name)
        if call is None:  # cancelled while the finger was still on it: that is a new call
            outgoing.add_call(connection, name, now_ms)
            call = self._open(connection)[name]
        token = self._entropy.token(32)
        if call[0].counter is None:
            counter = self._acceptor.call(connection, token, now_ms, life_threat=True)
            outgoing.change_call(connection, call[0].id, counter=counter, presses_told=1, told_ms=now_ms)
        else:
            self._acceptor.raise_call(connection, call[0].counter, token, now_ms)
        return [SoundBuzzer(name, HELD_S, times=3)]

    def cancel(self, connection: sa.Connection, name: str) -> bool:
        """Cancel a pending call; False when there is none (any more)."""
        call = self._open(connection).get(name)
        if call is None or call[0].counter is not None:
            return False
        outgoing.change_call(connection, call[0].id, cancelled=True)
        return True

    def due(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Do what time or a new state asks for: send, tell of more presses, set the lamps."""
        if not self._cancel_ms:
            return []
        calls = self._open(connection)
        for name, (call, _) in calls.items():
            self._advance(connection, name, call, now_ms)
        return self._show(self._open(connection) if calls else calls)

    def committed(self) -> None:
        """Show what the last turn kept."""
        self.views = self._coming

    def rolled_back(self) -> None:
        """Show nothing of the last turn; what was due in it still is."""
        self._coming = self.views
        self._next_ms = 0 if self._cancel_ms else None

    def next_due_ms(self) -> int | None:
        """Return when :meth:`due` has something to do."""
        return self._next_ms

    def _open(self, connection: sa.Connection) -> dict[str, tuple[outgoing.Call, TicketState | None]]:
        return {call.button: (call, state) for call, state in outgoing.open_calls(connection)}

    def _advance(self, connection: sa.Connection, name: str, call: outgoing.Call, now_ms: int) -> None:
        if call.counter is None:
            if now_ms >= call.pressed_ms + self._cancel_ms.get(name, 0):
                counter = self._acceptor.call(connection, self._entropy.token(32), now_ms)
                outgoing.change_call(connection, call.id, counter=counter, presses_told=1, told_ms=now_ms)
        elif call.presses > call.presses_told and now_ms >= call.told_ms + TELL_AGAIN_MS:
            code = SupplementCode.PRESSED_AGAIN
            self._acceptor.add(connection, call.counter, code, self._entropy.token(32), now_ms, presses=call.presses)
            outgoing.change_call(connection, call.id, presses_told=call.presses, told_ms=now_ms)

    def _show(self, calls: dict[str, tuple[outgoing.Call, TicketState | None]]) -> list[Effect]:
        """Set lamps and views by what the ledger holds; returns the lamps that change."""
        effects: list[Effect] = []
        dues = []
        coming = {}
        for name, view in self.views.items():
            call, state = calls.get(name, (None, None))
            pending_ms = None
            if call is not None and call.counter is None:
                pending_ms = call.pressed_ms + self._cancel_ms[name]
                dues.append(pending_ms)
            elif call is not None and call.presses > call.presses_told:
                dues.append(call.told_ms + TELL_AGAIN_MS)
            lamp = lamp_for((state or TicketState.KEPT) if call else None)
            if lamp is not view.lamp:
                effects.append(SetLamp(name, lamp))
            counter, presses = (call.counter, call.presses) if call else (None, 0)
            coming[name] = CallView(name, lamp, counter, pending_ms, presses)
        self._coming = coming
        self._next_ms = min(dues, default=None)
        return effects
