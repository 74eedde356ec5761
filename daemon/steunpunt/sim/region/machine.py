"""One site's machine: its disk, its power, and the node's process on it, played in virtual time.

A turn is what the node does: events in, one transaction, and after the commit the effects. What is not committed when
the power goes is gone; what is committed and not yet done is never done, or done again.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from steunpunt.engine.accepting import form_key
from steunpunt.engine.common import Entropy, Neighbours
from steunpunt.engine.coordinator import CoordinatorEngine
from steunpunt.engine.kiosk import KioskEngine, KioskSettings
from steunpunt.ledger.desk import Desk
from steunpunt.ledger.incarnation import Keeper
from steunpunt.ledger.store import Ledger
from steunpunt.model import Effect, Event, Role
from steunpunt.protocol import forms
from steunpunt.protocol.keys import CoordinatorKeys, SiteKeys
from steunpunt.sim.region.disk import NAME, Disk
from steunpunt.sim.timeline import Timeline

DESK_POLL_MS = 30_000
"""As the node's: a coordinator looks for the desk's acts at least this often."""
_BOOT_MS_MAX = 90_000


class Machine(ABC):
    """A site's machine, off until :meth:`power_on`."""

    role: Role

    def __init__(self, name: str, site: int, disk: Disk, timeline: Timeline, rng: random.Random) -> None:
        self.name = name
        self.site = site
        self.disk = disk
        self.rng = rng
        self.entropy = Entropy(rng.randbytes, rng.random)
        self.running = False
        self.life = 0
        """Which run of the node's process this is."""
        self._timeline = timeline
        self._boots = 0
        self._switched_on_ms = 0.0

    # --- power

    def power_on(self, *, booted: bool) -> None:
        """Start the node's process; ``booted``: the machine itself was off too, so its clock begins anew."""
        if booted or not self._boots:
            self._boots += 1
            self._switched_on_ms = self._timeline.now_ms - self.rng.uniform(5_000, _BOOT_MS_MAX)
        self.ledger = Ledger(
            NAME, read_boot_ms=self.boot_ms, read_boot_name=self.boot_name, engine=self.disk.engine
        ).open()
        with self.ledger.transaction() as connection:
            self.ledger.touch(connection)
        self._start()
        self.running = True
        self.life += 1

    def power_off(self) -> None:
        """Kill the node's process where it stands."""
        self.running = False
        self.ledger.close()

    def boot_ms(self) -> int:
        """Return milliseconds since the machine was switched on."""
        return int(self._timeline.now_ms - self._switched_on_ms)

    def boot_name(self) -> bytes:
        """Return a name of this boot."""
        return f"{self.name}, boot {self._boots}".encode()

    # --- the node's turn

    @abstractmethod
    def _start(self) -> None:
        """Make the engine over the open ledger."""

    @property
    @abstractmethod
    def engine(self) -> KioskEngine | CoordinatorEngine:
        """The engine of this life."""

    def turn(self, events: list[Event], before_commit: Callable[[], None]) -> list[Effect]:
        """Commit what follows from the events and return the effects; ``before_commit`` may raise instead."""
        try:
            with self.ledger.transaction() as connection:
                effects = self.engine.turn(connection, events, self.now_ms())
                before_commit()
        except BaseException:
            self.engine.rolled_back()
            raise
        self.engine.committed()
        return effects

    def now_ms(self) -> int:
        """Return ledger time."""
        return self.ledger.clock.now_ms()

    def due_in_ms(self) -> float | None:
        """Return how long until the engine wants a turn without an event; None: not before the next one."""
        due_ms = self.engine.next_due_ms()
        return None if due_ms is None else max(due_ms - self.now_ms(), 0)


class KioskMachine(Machine):
    """A kiosk."""

    role = Role.KIOSK

    def __init__(  # noqa: PLR0913  a machine and what makes it a kiosk
        self,
        name: str,
        keys: SiteKeys,
        disk: Disk,
        timeline: Timeline,
        rng: random.Random,
        *,
        coordinator: int,
        settings: KioskSettings,
        buttons: dict[str, int],
    ) -> None:
        super().__init__(name, keys.site, disk, timeline, rng)
        self.keys = keys
        self.buttons = buttons
        self._coordinator = coordinator
        self._settings = settings

    def _start(self) -> None:
        self._form_key = form_key(self.ledger, self.entropy)
        self._engine = KioskEngine(
            self.ledger, self.keys, self._coordinator, self.buttons, self._form_key, self.entropy, self._settings
        )

    @property
    def engine(self) -> KioskEngine:
        """The engine of this life."""
        return self._engine

    def form_token(self) -> str:
        """Return a fresh form's token, as the page that shows the form would get it."""
        return forms.issue(self._form_key, self.now_ms() // 1000, self.rng.randbytes(forms.RANDOM_BYTES))


class CoordinatorMachine(Machine):
    """A coordinator with its desk."""

    role = Role.COORDINATOR

    def __init__(  # noqa: PLR0913  a machine and what makes it a coordinator
        self,
        name: str,
        keys: CoordinatorKeys,
        disk: Disk,
        timeline: Timeline,
        rng: random.Random,
        *,
        neighbours: Neighbours,
        ledger_key: bytes,
        folder: Path,
    ) -> None:
        """``folder`` keeps the incarnation's file, which outlives the ledger."""
        super().__init__(name, keys.coordinator, disk, timeline, rng)
        self.keys = keys
        self.neighbours = neighbours
        self.ledger_key = ledger_key
        self._outside = folder / f"coordinator{keys.coordinator}.incarnation"

    def _start(self) -> None:
        self._keeper = Keeper(self.ledger, self._outside)
        self._engine = CoordinatorEngine(
            self.ledger,
            self.keys,
            self.ledger_key,
            self._keeper.begin(),
            self.entropy,
            self.neighbours,
            self._keeper,
        )
        self.desk = Desk(
            NAME,
            self.ledger_key,
            self.rng.randbytes,
            read_boot_ms=self.boot_ms,
            read_boot_name=self.boot_name,
            engine=self.disk.engine,
        )

    @property
    def engine(self) -> CoordinatorEngine:
        """The engine of this life."""
        return self._engine

    def turn(self, events: list[Event], before_commit: Callable[[], None]) -> list[Effect]:
        """As any machine's; the incarnation is marked after it, where the node does so."""
        effects = super().turn(events, before_commit)
        self._keeper.mark_due(self.now_ms())
        return effects

    def due_in_ms(self) -> float:
        """Return how long until the engine wants a turn, or the desk must be looked at."""
        due_ms = super().due_in_ms()
        return DESK_POLL_MS if due_ms is None else min(due_ms, DESK_POLL_MS)
