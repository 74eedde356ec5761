"""Real engines over real ledgers and mesh links, on radios that fail: nothing unsent is lost, nothing comes twice."""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from steunpunt.links.mesh import MeshLink
from steunpunt.model import Event, FrameHeard, LinkName, SendEnded, SendFrame, SendOutcome, TicketState
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import parse_piece
from steunpunt.sim import Fault, VirtualRadios
from tests.fakes.mesh_links import tcp, two_radios
from tests.fakes.sites import Clock, CoordinatorSite, KioskSite, answer_in, help_form, seeded

SPEED = 50
STORM_FAULTS: tuple[tuple[Fault, dict[str, Any]], ...] = (
    (Fault.FIN, {}),
    (Fault.RST, {}),
    (Fault.REFUSE, {"seconds": 1}),
    (Fault.RES, {"code": 32, "times": 2}),
    (Fault.RES, {"code": 9}),
    (Fault.HALF_FRAME, {"times": 2}),
    (Fault.NAK, {"code": 5}),
    (Fault.EVICT, {}),
    (Fault.NOISE, {"times": 30}),
    (Fault.SILENT, {"seconds": 1}),
    (Fault.NO_STATUS, {"seconds": 1}),
    (Fault.REBOOT_AFTER, {"times": 20}),
)
Wait = Callable[..., None]


class Station:
    """A site's engine and ledger on a mesh link: the node's loop, turned by the test at many times the real speed."""

    def __init__(self, site: KioskSite | CoordinatorSite, clock: Clock, port: int) -> None:
        self.site, self.clock = site, clock
        self.inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.heard: list[FrameHeard] = []
        self.ended: list[SendEnded] = []
        self.link = MeshLink(tcp(port), self.inbox.put)
        self._turned_at = time.monotonic()

    def turn(self, *events: Event) -> dict[str, object]:
        """Take what came in, do what is due, and give the answer to a form if one was among the events."""
        now = time.monotonic()
        self.clock.advance_s((now - self._turned_at) * SPEED)
        self._turned_at = now
        came = [*events, *self._arrived()]
        due_ms = self.site.due_ms()
        if not came and (due_ms is None or self.clock.read() < due_ms):
            return {}
        effects = self.site.turn(*came)
        for effect in effects:
            if isinstance(effect, SendFrame) and effect.link is LinkName.MESH:
                self.link.send(effect)
        return answer_in(effects) if events else {}

    def _arrived(self) -> Iterator[Event]:
        while not self.inbox.empty():
            event = self.inbox.get()
            if isinstance(event, FrameHeard):
                self.heard.append(event)
            elif isinstance(event, SendEnded):
                self.ended.append(event)
            yield event


class Road:
    """A kiosk and a coordinator with a radio each, and only the air between them."""

    def __init__(self, folder: Path, radios: VirtualRadios) -> None:
        self.radios = radios
        clocks = Clock(), Clock()
        self.site = KioskSite(folder / "kiosk", clocks[0], seeded(1))
        self.desk = CoordinatorSite(folder / "desk", clocks[1], seeded(2))
        self.kiosk = Station(self.site, clocks[0], radios.port("kiosk"))
        self.center = Station(self.desk, clocks[1], radios.port("desk"))

    def turn(self) -> bool:
        self.kiosk.turn()
        self.center.turn()
        return True

    def serves(self) -> bool:
        """Turn, and return whether both radios are through their handshake: what fails before that fails there."""
        return self.turn() and self.site.engine.links.mesh.up and self.desk.engine.links.mesh.up

    def ask(self, words: str) -> str:
        return str(self.kiosk.turn(help_form(self.site.token(), words))["number"])

    def cases(self) -> list[str]:
        return sorted(case.text for case in self.desk.desk.cases())

    def state(self, number: str) -> TicketState:
        return TicketState(self.site.ticket(number).state)

    def pieces(self) -> list[tuple[int, bytes]]:
        """Packet id and piece of every request packet that the desk's radio handed over."""
        heard = [event for event in self.center.heard if kind_of(event.payload) is Kind.PIECE]
        return [(event.packet_id or 0, parse_piece(event.payload).piece.packet(0, None)) for event in heard]


@pytest.fixture
def road(tmp_path: Path) -> Iterator[Road]:
    with two_radios(SPEED, quiet=True) as radios, ExitStack() as stack:
        road = Road(tmp_path, radios)
        for station in (road.kiosk, road.center):
            station.link.start()
            stack.callback(station.link.stop, 5)
            stack.callback(station.site.ledger.close)
        yield road


def test_what_was_handed_over_without_an_answer_goes_again_under_a_new_packet_id(road: Road, wait_until: Wait) -> None:
    wait_until(road.serves, 20, "the links")
    road.radios.fault("kiosk", Fault.NO_STATUS)
    road.radios.fault("desk", Fault.RES, code=32, times=1000)  # or its receipt would settle it at once
    number = road.ask("Geen antwoord van de radio")
    wait_until(lambda: road.turn() and road.kiosk.ended, 20, "the attempt ends")
    assert road.kiosk.ended[0].outcome is SendOutcome.UNKNOWN
    assert road.kiosk.ended[0].packet_id == road.pieces()[0][0], "it was on the air, and nobody told us"
    road.radios.mend("kiosk")
    wait_until(lambda: road.turn() and len(road.pieces()) >= 2, 20, "the same piece again")
    (first_id, first), (second_id, second) = road.pieces()[:2]
    assert first == second
    assert first_id != second_id
    road.radios.mend("desk")
    wait_until(lambda: road.turn() and road.state(number) >= TicketState.RECEIVED, 30, "the receipt at the kiosk")
    assert road.cases() == ["Geen antwoord van de radio"]


def test_handed_over_and_never_on_the_air_goes_again(road: Road, wait_until: Wait) -> None:
    wait_until(road.serves, 20, "the links")
    road.radios.fault("kiosk", Fault.SILENT)
    number = road.ask("De radio viel stil")
    wait_until(lambda: road.turn() and road.radios.counters("kiosk").get("bytes_forgotten", 0) > 0, what="bytes lost")
    road.radios.fault("kiosk", Fault.FIN)
    wait_until(lambda: road.turn() and road.kiosk.ended, what="the attempt ends")
    assert (road.kiosk.ended[0].outcome, road.pieces()) == (SendOutcome.UNKNOWN, [])
    road.radios.mend("kiosk")
    wait_until(lambda: road.turn() and road.state(number) >= TicketState.RECEIVED, 30, "the receipt at the kiosk")
    assert road.cases() == ["De radio viel stil"]
    assert road.kiosk.ended[0].packet_id not in [packet_id for packet_id, _ in road.pieces()]


def test_requests_asked_while_both_radios_fail_in_every_way_become_one_case_each(road: Road, wait_until: Wait) -> None:
    started = time.monotonic()
    wait_until(road.serves, 20, "the links")
    numbers: list[str] = []
    words: list[str] = []
    for (fault, numbers_of), name in zip(STORM_FAULTS, cycle(("kiosk", "kiosk", "desk"))):
        road.radios.fault(name, fault, **numbers_of)
        words.append(f"Gevraagd tijdens {fault} bij {name} ({len(words)})")
        numbers.append(road.ask(words[-1]))
        calm_at = time.monotonic() + 1.5
        wait_until(lambda until=calm_at: road.turn() and time.monotonic() >= until, what="the storm goes on")
    for name in ("kiosk", "desk"):
        road.radios.mend(name)

    def all_received() -> bool:
        return road.turn() and all(road.state(number) >= TicketState.RECEIVED for number in numbers)

    wait_until(all_received, 120, "a receipt for each")
    assert road.cases() == sorted(words)
    outcomes = [ended.outcome for ended in road.kiosk.ended]
    told = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in SendOutcome)
    print(f"{len(words)} requests in {time.monotonic() - started:.0f} s; the kiosk's attempts: {told}")
