"""One radio's airtime: asked before each packet, written with each attempt, read again after a restart."""

import sqlalchemy as sa

from steunpunt.ledger import airtime
from steunpunt.ledger.store import Ledger
from steunpunt.model import GuestSending, Lane, SendFrame
from steunpunt.protocol.airtime import PRESETS, private_app_lora_bytes, time_on_air_ms
from steunpunt.relay.airbudget import HOUR_MS, AirBudget

DEFAULT_PRESET = "LONG_FAST"
"""Until the radio has told its own."""
FORGET_EVERY = 32
"""Transmissions between two sweeps of what is older than an hour."""


class AirLog:
    """See the module. The loop alone calls here, inside its transaction."""

    def __init__(self, ledger: Ledger, radio: str = "main") -> None:
        self._ledger = ledger
        self._radio = radio
        self._preset = DEFAULT_PRESET
        self._budget: AirBudget | None = None
        self._told: tuple[float, int] | None = None
        self._entries: dict[int, tuple[int, int, float]] = {}
        self._count = 0

    def prepared(self, preset: str) -> None:
        """Learn the radio's modem preset; one we do not know counts as the default."""
        self._preset = preset if preset in PRESETS else DEFAULT_PRESET

    def read(self, connection: sa.Connection, share: float, now_ms: int) -> None:
        """Take the radio's own ``air_util_tx`` as a share of the hour."""
        self._told = (share, now_ms)
        self._open(connection, now_ms).read(share, now_ms)

    def air_ms(self, payload_bytes: int) -> float:
        """Return the milliseconds on air of a packet of ours with this radio's preset."""
        return time_on_air_ms(self._preset, private_app_lora_bytes(payload_bytes))

    def fits(self, connection: sa.Connection, lane: Lane, payload_bytes: int, now_ms: int) -> bool:
        """Return whether a packet of this lane may go on the air now."""
        return self._open(connection, now_ms).fits(lane, self.air_ms(payload_bytes), now_ms)

    def fits_from_ms(self, connection: sa.Connection, lane: Lane, payload_bytes: int, now_ms: int) -> int:
        """Return when to ask again."""
        return self._open(connection, now_ms).fits_from_ms(lane, self.air_ms(payload_bytes), now_ms)

    def fits_share(self, connection: sa.Connection, share_max: float, payload_bytes: int, now_ms: int) -> bool:
        """Return whether this log stays within a share of the hour with one more packet."""
        used_ms = self._open(connection, now_ms).used_ms(now_ms)
        return used_ms + self.air_ms(payload_bytes) <= share_max * HOUR_MS

    def spend(self, connection: sa.Connection, attempt_id: int, payload_bytes: int, now_ms: int) -> None:
        """Write an attempt's airtime before it is made."""
        self._spend(connection, attempt_id, self.air_ms(payload_bytes), now_ms)

    def guest_fits(self, connection: sa.Connection, air_ms: float, now_ms: int) -> bool:
        """Return whether an integrator's packet may go on the air now: they have the lowest lane."""
        return self._open(connection, now_ms).fits(Lane.HOUSEKEEPING, air_ms, now_ms)

    def guest(self, connection: sa.Connection, event: GuestSending, now_ms: int) -> SendFrame:
        """Write the airtime of an integrator's packet; returns its frame."""
        self._spend(connection, event.frame.attempt_id, event.air_ms, now_ms)
        return event.frame

    def _spend(self, connection: sa.Connection, attempt_id: int, air_ms: float, now_ms: int) -> None:
        self._open(connection, now_ms).spend(now_ms, air_ms)
        entry = airtime.add(connection, self._radio, now_ms, air_ms)
        self._entries[attempt_id] = (entry, now_ms, air_ms)
        self._count += 1
        if self._count % FORGET_EVERY == 0:
            airtime.forget_old(connection, now_ms)

    def ended(self, connection: sa.Connection, attempt_id: int, *, refused: bool) -> None:
        """Note the end of an attempt; one that the radio refused cost nothing."""
        spent = self._entries.pop(attempt_id, None)
        if spent is None or not refused:
            return
        entry, at_ms, air_ms = spent
        airtime.remove(connection, entry)
        if self._budget is not None:
            self._budget.give_back(at_ms, air_ms)

    def used_ms(self, connection: sa.Connection, now_ms: int) -> float:
        """Return what counts as used of the last hour, for screens."""
        return self._open(connection, now_ms).used_ms(now_ms)

    def rolled_back(self) -> None:
        """Forget what the disk did not keep: the log is read anew."""
        self._budget = None
        self._entries.clear()

    def _open(self, connection: sa.Connection, now_ms: int) -> AirBudget:
        if self._budget is None:
            self._budget = AirBudget(airtime.log_of(connection, self._radio), now_ms)
            if self._told is not None:
                self._budget.read(*self._told)
        return self._budget
