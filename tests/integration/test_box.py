"""The kazernebox of a real node without web and screen: slips over kill -9, paper that runs out, and its button."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steunpunt.model import LampMode, TicketState
from tests.fakes.box_station import BoxStation
from tests.fakes.printers import FakePrinter

Wait = Callable[..., None]


@pytest.fixture
def paper() -> Iterator[FakePrinter]:
    made = FakePrinter()
    yield made
    made.close()


@pytest.fixture
def station(tmp_path: Path, paper: FakePrinter, free_port: Callable[[], int], wait_until: Wait) -> Iterator[BoxStation]:
    made = BoxStation(tmp_path, free_port(), paper.port, wait_until)
    made.start()
    yield made
    made.kill()


@pytest.mark.processes
def test_each_life_threat_is_printed_once_over_kills_and_an_empty_roll(
    station: BoxStation, paper: FakePrinter, wait_until: Wait
) -> None:
    paper.paper_out = True
    numbers = [station.life_threat(f"Kanarie {index}") for index in range(2)]
    wait_until(lambda: "papier" in station.box()["printer"]["reason"], 20, "the empty roll is told of")
    station.kill()
    station.start()
    paper.paper_out = False
    wait_until(lambda: len(paper.slips) == 2, 30, "what was missed is printed")
    wait_until(lambda: station.box()["printer"]["waiting"] == 0, 20, "and its marks are kept")

    paper.silent_after = True  # it prints, and the node dies before it hears so
    numbers.append(station.life_threat("Kanarie 2"))
    wait_until(lambda: len(paper.slips) == 3, 30, "the third is printed")
    station.kill()
    paper.silent_after = False
    station.start()
    wait_until(lambda: len(paper.slips) == 4, 30, "it is printed again")
    wait_until(lambda: station.box()["printer"]["waiting"] == 0, 20, "and nothing is left")
    station.kill()
    station.start()
    wait_until(lambda: station.box().get("printer", {}).get("ready"), 30, "the printer is found again")

    texts = paper.texts()
    assert [[number in text.splitlines() for text in texts].count(True) for number in numbers] == [1, 1, 2]
    assert ["MOGELIJK DUBBEL" in text for text in texts] == [False, False, False, True]
    assert all(f"«Kanarie {index}»" in text for index, text in enumerate(texts[:3]))


@pytest.mark.processes
def test_the_button_of_a_node_alone_means_seen(station: BoxStation, paper: FakePrinter, wait_until: Wait) -> None:
    station.life_threat("Kanarie")
    wait_until(lambda: station.ask("panel", name="take")["lamp"] == LampMode.BLINKING, 20, "the lamp flashes")
    wait_until(lambda: station.box()["printer"] | {"reason": ""} == READY, 30, "the slip is out")

    def taken() -> bool:
        station.ask("panel", name="take", action="press")
        return station.cases()[0].state is TicketState.SEEN

    wait_until(taken, 20, "a press counts once the slip has lain there for a moment", 0.5)
    assert station.cases()[0].seen_by == "Knop in de kazerne"
    wait_until(lambda: station.ask("panel", name="take")["lamp"] == LampMode.STEADY, 20, "the lamp burns")
    assert station.box()["life_threats"] == 1
    assert len(paper.slips) == 1


READY = {"ready": True, "reason": "", "paper_low": False, "waiting": 0}
