"""Sites without links: real engines over real ledgers, a clock that tests move, and seeded randomness.

A site here plays the node's part: one transaction for the events, then the effects, which the test gets in its hands.
"""

import functools
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from steunpunt.engine.accepting import form_key
from steunpunt.engine.box import BoxSettings
from steunpunt.engine.common import Entropy, Neighbours
from steunpunt.engine.coordinator import CoordinatorEngine
from steunpunt.engine.kiosk import KioskEngine
from steunpunt.facts import Facts
from steunpunt.ledger import tables
from steunpunt.ledger.desk import Case, Desk
from steunpunt.ledger.migrate import migrate
from steunpunt.ledger.outgoing import Ticket
from steunpunt.ledger.outgoing import ticket as read_ticket
from steunpunt.ledger.store import Ledger, engine_for
from steunpunt.model import (
    BridgeChanged,
    Category,
    Effect,
    Event,
    FrameHeard,
    HelpSubmitted,
    LinkChanged,
    LinkName,
    ReplyTo,
    SendEnded,
    SendFrame,
    SendOutcome,
    SupplementCode,
    SupplementSubmitted,
    parse_ticket_number,
)
from steunpunt.protocol import forms
from steunpunt.protocol.keys import CoordinatorIdentity
from steunpunt.values import replace
from tests.fakes.region_keys import COORDINATOR, ONE, coordinator_keys, site_keys

LEDGER_KEY = bytes(range(160, 192))
MESH_UP = LinkChanged(LinkName.MESH, up=True, reason="")
MESH_DOWN = LinkChanged(LinkName.MESH, up=False, reason="unplugged")
BROKER_UP = LinkChanged(LinkName.BROKER, up=True, reason="")
BROKER_DOWN = LinkChanged(LinkName.BROKER, up=False, reason="no broker")
BRIDGE_UP = BridgeChanged(up=True)
BRIDGE_DOWN = BridgeChanged(up=False)


class Clock:
    """The machine's time since it was switched on, moved by hand."""

    def __init__(self, boot_ms: int = 5_000_000) -> None:
        self.boot_ms = boot_ms

    def read(self) -> int:
        return self.boot_ms

    def advance_s(self, seconds: float) -> None:
        self.boot_ms += round(seconds * 1000)


def noise(characters: int, seed: int = 1) -> str:
    """Return a text that no method makes much shorter, for tests of long packets."""
    rng = random.Random(seed)
    return "".join(chr(rng.randrange(0x4E00, 0x9FA0)) for _ in range(characters))


UNSHORTENED = "".join(map(chr, random.Random(3).choices(range(0x4E00, 0x9FA0), k=2_000)))
"""2,000 characters by chance, of 20,000: no method makes them fit sixteen packets."""


def seeded(seed: int) -> random.Random:
    return random.Random(seed)


@functools.cache
def _migrated() -> bytes:
    """Return an empty ledger; made once, for Alembic takes its time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        migrate(path)
        return path.read_bytes()


def new_ledger(path: Path) -> Path:
    """Put an empty, migrated ledger at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_migrated())
    return path


class _Site:
    """A site's ledger; the engine over it is made anew at each open, as at each start of a node."""

    def __init__(self, folder: Path, clock: Clock, rng: random.Random) -> None:
        self.clock = clock
        self.rng = rng
        self.entropy = Entropy(rng.randbytes, rng.random)
        self.path = folder / "ledger.db"
        if not self.path.exists():
            new_ledger(self.path)
        self._statements = self._engine_for(self.path)
        self.open()

    _engine_for = staticmethod(engine_for)

    def open(self) -> None:
        self.ledger = Ledger(self.path, read_boot_ms=self.clock.read, engine=self._statements).open()
        with self.ledger.transaction() as connection:
            self.ledger.touch(connection)
        self._start()

    def _start(self) -> None:
        raise NotImplementedError

    @property
    def _turning(self) -> KioskEngine | CoordinatorEngine:
        raise NotImplementedError

    def restart(self) -> None:
        """Kill the process and start it again: all that is not committed is gone."""
        self.ledger.close()
        self.open()

    def turn(self, *events: Event, stop: Callable[[], None] = lambda: None) -> list[Effect]:
        """Commit what follows from the events and return the effects; ``stop`` runs just before the commit."""
        try:
            with self.ledger.transaction() as connection:
                effects = self._turning.turn(connection, list(events), self.now_ms())
                stop()
        except BaseException:
            self._turning.rolled_back()
            raise
        self._turning.committed()
        return effects

    def now_ms(self) -> int:
        return self.ledger.clock.now_ms()

    def due_ms(self) -> int | None:
        """Return when the engine wants its next turn, on the machine's clock."""
        due_ms = self._turning.next_due_ms()
        return None if due_ms is None else due_ms - self.ledger.clock.offset_ms

    def rows(self, table: sa.Table) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.ledger.connection.execute(sa.select(table))]

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        return {table.name: self.rows(table) for table in tables.metadata.sorted_tables}


class KioskSite(_Site):
    """A kiosk, with the forms that its screen would send."""

    coordinators: tuple[CoordinatorIdentity, ...] = ONE
    generation = 1
    """Of its card; a new one counts from the next start."""

    def __init__(
        self, folder: Path, clock: Clock, rng: random.Random, site: int = 47, buttons: dict[str, int] | None = None
    ) -> None:
        self.site = site
        self.buttons = buttons or {}
        super().__init__(folder, clock, rng)

    def _start(self) -> None:
        self.keys = site_keys(self.site, self.generation, coordinators=self.coordinators)
        self.form_key = form_key(self.ledger, self.entropy)
        self.engine = KioskEngine(self.ledger, self.keys, COORDINATOR, self.buttons, self.form_key, self.entropy)

    @property
    def _turning(self) -> KioskEngine:
        return self.engine

    def token(self) -> str:
        return forms.issue(self.form_key, self.now_ms() // 1000, self.rng.randbytes(forms.RANDOM_BYTES))

    def ask(self, text: str = "Wij hebben water nodig", **fields: Any) -> dict[str, object]:
        """Send a help form and return the answer; what follows besides is dropped, as in a crash after the commit."""
        return answer_in(self.turn(help_form(self.token(), text, **fields)))

    def ticket(self, number: object) -> Ticket:
        found = read_ticket(self.ledger.connection, counter_of(number))
        assert found is not None
        return found


class CoordinatorSite(_Site):
    """A coordinator, with its desk; after another key file was put in place, ``restart`` begins with it."""

    keys = coordinator_keys()
    incarnation = 1
    neighbours: Neighbours | None = None
    box = BoxSettings()

    def _start(self) -> None:
        self.engine = CoordinatorEngine(
            self.ledger, self.keys, LEDGER_KEY, self.incarnation, self.entropy, self.neighbours
        )
        self.engine.use_box(self.box)
        self.desk = Desk(self.path, LEDGER_KEY, self.rng.randbytes, self.clock.read)

    @property
    def _turning(self) -> CoordinatorEngine:
        return self.engine

    def only_case(self) -> Case:
        (case,) = self.desk.cases()
        return case


def help_form(token: str, text: str = "Wij hebben water nodig", **fields: Any) -> HelpSubmitted:
    """A form as the page sends it; ``fields`` are the form's own or those of its facts."""
    own = set(HelpSubmitted.__struct_fields__)
    facts = Facts(**{"people": 3} | {name: value for name, value in fields.items() if name not in own})
    form = HelpSubmitted(token, Category.SUPPLIES, life_threat=False, text=text, language="nl", facts=facts)
    own_fields: dict[str, Any] = {"reply": object()} | {name: fields[name] for name in fields if name in own}
    return replace(form, **own_fields)


def more_form(
    token: str, number: object, code: SupplementCode = SupplementCode.WORSE, text: str = "", reply: object = "reply"
) -> SupplementSubmitted:
    return SupplementSubmitted(token, str(number), code, text, reply)


def answer_in(effects: list[Effect]) -> dict[str, object]:
    """Return the one answer among the effects."""
    (answer,) = [effect.body for effect in effects if isinstance(effect, ReplyTo)]
    return answer


def frames(effects: list[Effect], link: LinkName | None = None) -> list[SendFrame]:
    return [e for e in effects if isinstance(e, SendFrame) and link in {None, e.link}]


def ended(frame: SendFrame, outcome: SendOutcome = SendOutcome.TAKEN) -> SendEnded:
    return SendEnded(frame.link, frame.attempt_id, outcome)


def heard(
    payload: bytes, link: LinkName = LinkName.MESH, carrier: int | None = None, confirm: int | None = None
) -> FrameHeard:
    return FrameHeard(link, payload, carrier=carrier, confirm=confirm)


def counter_of(number: object) -> int:
    parsed = parse_ticket_number(str(number))
    assert parsed is not None
    return parsed[1]
