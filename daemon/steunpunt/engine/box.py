"""The kazernebox: which slip to print next, when to sound, how the lamp burns, and what its button means.

Everything is decided here, over the ledger; the printer's thread and the panel only do it. A slip is marked before it
goes to the printer and after it came out (:mod:`steunpunt.ledger.slips`), so each is printed once, and one of which a
crash or a silent printer left it unknown is printed again with a word that it may be double.

The button takes up the case of the slip that came out last, and no other: while a slip is being printed, and for
SETTLE_MS after it, a press is refused, for who presses may have read the one before.
"""

import logging
from collections.abc import Callable, Mapping

import sqlalchemy as sa
from msgspec import Struct
from msgspec import field as structs_field

from steunpunt.boxfacts import PrinterChanged, PrintSlip, SlipEnded, SlipOutcome
from steunpunt.engine.common import Counts
from steunpunt.engine.sliptext import Paper, slip_lines, worth_paper
from steunpunt.ledger import slips
from steunpunt.ledger.slips import Slip, SlipState
from steunpunt.model import Effect, LampMode, SetLamp, SoundBuzzer
from steunpunt.protocol import vault
from steunpunt.relay.alarm import Danger, box_lamp, dangers_due_ms, printer_due_ms

LOOK_MS = 250
"""Between two looks at the ledger, however many turns there are."""
SETTLE_MS = 3_000
TRIES_MAX = 3
"""How often a slip goes to a printer that never says what came of it."""
AGAIN_MS = 30_000
"""Between two such tries."""
DANGER_S, TAKEN_S, NO_S, PRINTER_S = 4.0, 0.6, 0.15, 0.4
"""Length of the buzzer's sounds, in seconds: life threat, "taken", "no" (three times), printer."""
_log = logging.getLogger(__name__)


class BoxSettings(Struct, frozen=True):
    """What a site has of a box."""

    buttons: tuple[str, ...] = ()
    """Names of the panel's buttons; each is "Ik pak dit op"."""
    printer: bool = False
    taken_by: str = ""
    """Whose name stands at the desk after a press."""
    width_chars: int = 42
    points: Mapping[int, str] = structs_field(default_factory=dict)


class BoxView(Struct, frozen=True):
    """What screens may show: as of the last commit."""

    printer_ready: bool = False
    printer_reason: str = ""
    paper_low: bool = False
    waiting: int = 0
    dangers: int = 0
    lamp: LampMode = LampMode.OFF


class Box:
    """See the module. All methods run in the node's turn."""

    def __init__(
        self,
        settings: BoxSettings,
        ledger_key: bytes,
        token: Callable[[int], bytes],
        counts: Counts,
        certain_ms: int,
    ) -> None:
        self._settings, self._ledger_key, self._token, self._counts = settings, ledger_key, token, counts
        self._certain_ms = certain_ms
        self._on = bool(settings.buttons) or settings.printer
        self._recovered = False
        self._flying: int | None = None
        """Id of the slip that the printer has now, and of the last commit: a rollback goes back to it."""
        self._flown: int | None = None
        self._printer = PrinterChanged(ready=False)
        self._broken_ms: int | None = None
        self._looked_ms: int | None = None
        self._again_ms = 0
        self._dangers: list[Danger] = []
        self._lamp: LampMode | None = None
        self._sounded_ms: int | None = None
        self._printer_sounded_ms: int | None = None
        self.due_ms: int | None = 0 if self._on else None
        self.view = self._coming = BoxView()

    # --- events -------------------------------------------------------------------------------------------------

    def pressed(self, connection: sa.Connection, name: str, now_ms: int) -> list[Effect]:
        """Take up the case of the slip that came out last; the buzzer says whether it was done."""
        if name not in self._settings.buttons:
            return []
        self._looked_ms = None
        last = slips.last_printed(connection)
        if last is not None and self._flying is None and now_ms - last[1] >= SETTLE_MS:
            nonce, by = self._token(vault.NONCE_BYTES), self._settings.taken_by
            number = slips.take_up(connection, self._ledger_key, nonce, last[0], by, now_ms)
            if number is not None:
                _log.info("action=taken_by_button number=%s", number)
                self._counts["box_taken"] += 1
                return [SoundBuzzer(name, TAKEN_S)]
        self._counts["box_refused"] += 1
        return [SoundBuzzer(name, NO_S, times=3)]

    def heard(self, connection: sa.Connection, event: PrinterChanged | SlipEnded, now_ms: int) -> None:
        """Note what the printer says."""
        self._looked_ms = None
        if isinstance(event, PrinterChanged):
            self._changed(event, now_ms)
        else:
            self._ended(connection, event, now_ms)

    def _changed(self, event: PrinterChanged, now_ms: int) -> None:
        if event.ready:
            self._broken_ms = self._printer_sounded_ms = None
        elif self._broken_ms is None:
            self._broken_ms = now_ms
        if event != self._printer:
            _log.log(logging.INFO if event.ready else logging.ERROR, "action=printer ready=%s", event.ready)
        self._printer = event

    def _ended(self, connection: sa.Connection, event: SlipEnded, now_ms: int) -> None:
        if event.slip_id == self._flying:
            self._flying = None
        if event.outcome is SlipOutcome.PRINTED:
            self._counts["slips_printed"] += 1
            slips.note(connection, event.slip_id, SlipState.PRINTED, now_ms)
        elif event.outcome is SlipOutcome.NOT_PRINTED:
            slips.note(connection, event.slip_id, SlipState.WAITING)
            self._again_ms = now_ms + LOOK_MS
        elif slips.tries_of(connection, event.slip_id) >= TRIES_MAX:
            # It may well have come out each time; what it told stands at the desk, where it goes on sounding.
            self._counts["slips_given_up"] += 1
            slips.note(connection, event.slip_id, SlipState.NOT_NEEDED, doubtful=True)
        else:
            self._counts["slips_doubtful"] += 1
            slips.note(connection, event.slip_id, SlipState.WAITING, doubtful=True)
            self._again_ms = now_ms + AGAIN_MS

    # --- the turn -----------------------------------------------------------------------------------------------

    def turn(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Do what is due: print, sound, set the lamp."""
        if not self._on:
            return []
        if self._looked_ms is not None and 0 <= now_ms - self._looked_ms < LOOK_MS:
            self.due_ms = min(self.due_ms or now_ms + LOOK_MS, self._looked_ms + LOOK_MS)
            return []
        self._looked_ms = now_ms
        effects = self._print(connection, now_ms) if self._settings.printer else []
        self._dangers = slips.dangers(connection)
        effects += self._show()
        effects += self._sound(now_ms)
        self._plan(connection, now_ms)
        return effects

    def _print(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        if not self._recovered:
            slips.recover(connection)
            self._recovered = True
        slips.queue_new(connection, now_ms)
        if self._flying is not None or not self._printer.ready or now_ms < self._again_ms:
            return []
        while (slip := slips.next_waiting(connection)) is not None:
            effect = self._hand(connection, slip, now_ms)
            if effect is not None:
                return [effect]
        return []

    def _hand(self, connection: sa.Connection, slip: Slip, now_ms: int) -> PrintSlip | None:
        """Mark a slip as handed over; None where paper would be wasted on it."""
        told = slips.told(connection, self._ledger_key, slip, now_ms, self._certain_ms)
        if told is None or (slip.event_id and (told.event is None or not worth_paper(told.event.content))):
            slips.note(connection, slip.id, SlipState.NOT_NEEDED)
            return None
        slips.hand(connection, slip)
        self._flying = slip.id
        return PrintSlip(slip.id, slip_lines(told, Paper(self._settings.width_chars, self._settings.points)))

    def _show(self) -> list[Effect]:
        lamp = box_lamp(self._dangers)
        if lamp is self._lamp:
            return []
        self._lamp = lamp
        return [SetLamp(name, lamp) for name in self._settings.buttons]

    def _sound(self, now_ms: int) -> list[Effect]:
        if not self._settings.buttons:
            return []
        horn = self._settings.buttons[0]
        due_ms = dangers_due_ms(self._dangers, self._sounded_ms)
        if due_ms is not None and due_ms <= now_ms:
            self._sounded_ms = now_ms
            return [SoundBuzzer(horn, DANGER_S)]
        due_ms = self._printer_due_ms()
        if due_ms is not None and due_ms <= now_ms:
            self._printer_sounded_ms = now_ms
            return [SoundBuzzer(horn, PRINTER_S, times=2)]
        return []

    def _printer_due_ms(self) -> int | None:
        return printer_due_ms(self._broken_ms, self._printer_sounded_ms) if self._settings.printer else None

    def _plan(self, connection: sa.Connection, now_ms: int) -> None:
        """Say when to look again without an event, and what screens may show."""
        waiting = slips.waiting(connection) if self._settings.printer else 0
        dues = [dangers_due_ms(self._dangers, self._sounded_ms), self._printer_due_ms()]
        if not self._settings.buttons:
            dues = []
        if waiting and self._flying is None and self._printer.ready:
            dues.append(max(self._again_ms, now_ms + LOOK_MS))
        self.due_ms = min((due_ms for due_ms in dues if due_ms is not None), default=None)
        printer = self._printer
        lamp = self._lamp or LampMode.OFF
        self._coming = BoxView(printer.ready, printer.reason, printer.paper_low, waiting, len(self._dangers), lamp)

    def committed(self) -> None:
        """Show what the last turn kept."""
        self._flown, self.view = self._flying, self._coming

    def rolled_back(self) -> None:
        """Forget what the disk did not keep: the next turn looks, marks and shows anew."""
        self._flying, self._coming = self._flown, self.view
        self._looked_ms = self._lamp = None
        self._recovered = False if self._flying is None else self._recovered
        self.due_ms = 0 if self._on else None
