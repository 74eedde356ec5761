"""News in a simulated region: what the desk announces, and what each kiosk's screen makes of it."""

from steunpunt.engine.news import NewsView, Shown
from steunpunt.ledger import announcements
from steunpunt.ledger.announcements import Draft
from steunpunt.model import BellRung, SenderFunction
from steunpunt.protocol import vault
from steunpunt.protocol.announcements import Announcement, MessageType, Severity, Urgency
from steunpunt.sim.region.machine import CoordinatorMachine, KioskMachine
from steunpunt.sim.region.world import World

EXPIRES_MIN = 24 * 60


def announce(world: World, coordinator: str, text: str, *, about: int | None = None) -> int:
    """Let the desk say something, or cancel what it said before; returns the announcement's id."""
    machine = world.sites[coordinator].machine
    if not isinstance(machine, CoordinatorMachine):
        raise TypeError(f"{coordinator} announces nothing")
    said = Announcement(
        type=MessageType.ALERT if about is None else MessageType.CANCEL,
        function=SenderFunction.FIRE_CREW,
        replaces=None if about is None else 0,
        urgency=Urgency.IMMEDIATE,
        severity=Severity.EXTREME,
        expires_min=EXPIRES_MIN,
        text=text,
    )
    world.watch.record.news.add(text)
    by = announcements.close_by(machine.ledger_key, machine.rng.randbytes(vault.NONCE_BYTES), "Anna")
    with machine.ledger.transaction() as connection:
        made = announcements.add(connection, Draft(said, by, f"form {text}", about), machine.now_ms())
    world.put(coordinator, BellRung())
    return made


def shown(machine: KioskMachine) -> dict[str, NewsView]:
    """Return what a kiosk's screen would show, by its text."""
    views = machine.engine.news.views(machine.ledger.connection, machine.now_ms())
    return {view.announcement.text: view for view in views}


def holds(machine: KioskMachine, text: str, *, as_: Shown) -> bool:
    """Return whether a running kiosk shows this text so."""
    view = shown(machine).get(text) if machine.running else None
    return view is not None and view.shown is as_
