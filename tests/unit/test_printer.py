"""The slip printer's thread against a printer on the network that answers, runs out of paper, hangs up and lies."""

import os
import pty
import queue
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from steunpunt import printer as printing
from steunpunt.boxfacts import PrinterChanged, PrintSlip, SlipEnded, SlipLine, SlipOutcome
from steunpunt.demo.paper import Paper
from steunpunt.model import Event
from steunpunt.printer import Encoder, SlipPrinter
from steunpunt.printerconfig import Printer
from tests.fakes.printers import FakePrinter

LINES = (
    SlipLine("LEVENSGEVAAR", bold=True),
    SlipLine("47-12", big=True, bold=True),
    SlipLine("Вода · café · één, 5 € «vraag»"),
)
WAIT_S = 20.0


class Running:
    """A printer's thread and what it says."""

    def __init__(self, config: Printer) -> None:
        self.said: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.thread = SlipPrinter(config, self.said.put, start_after_s=0)
        self.thread.start()

    def next(self) -> Event:
        return self.said.get(timeout=WAIT_S)

    def print(self, number: int = 1) -> SlipEnded:
        self.thread.print(PrintSlip(number, LINES))
        while not isinstance(event := self.next(), SlipEnded):
            pass
        return event

    def ready(self) -> PrinterChanged:
        """Return what it says once it says something new of the printer."""
        while not isinstance(event := self.next(), PrinterChanged):
            pass
        return event


@pytest.fixture
def paper() -> Iterator[FakePrinter]:
    made = FakePrinter()
    yield made
    made.close()


@pytest.fixture
def running(paper: FakePrinter, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr("steunpunt.printer.ANSWER_S_MAX", 0.3)
    monkeypatch.setattr("steunpunt.printer.CONFIRM_S_MAX", 0.3)
    monkeypatch.setattr("steunpunt.printer.LOOK_BROKEN_S", 0.3)
    monkeypatch.setattr("steunpunt.printer.LOOK_S", 0.3)
    made = Running(Printer(kind="network", host="127.0.0.1", port=paper.port))
    yield made
    made.thread.stop(5)


def test_a_slip_comes_out_as_it_was_written_and_is_confirmed(paper: FakePrinter, running: Running) -> None:
    assert running.ready() == PrinterChanged(ready=True)
    assert running.print(7) == SlipEnded(7, SlipOutcome.PRINTED)
    assert paper.slips == [LINES]


def test_out_of_paper_is_told_and_nothing_is_sent(paper: FakePrinter, running: Running) -> None:
    assert running.ready().ready
    paper.paper_out = True
    assert not (told := running.ready()).ready
    assert "papier" in told.reason
    assert running.print().outcome is SlipOutcome.NOT_PRINTED
    assert paper.slips == []
    paper.paper_out = False
    while not running.ready().ready:
        pass
    assert running.print().outcome is SlipOutcome.PRINTED
    assert len(paper.slips) == 1


def test_an_open_cover_and_paper_that_runs_low_are_told_apart(paper: FakePrinter, running: Running) -> None:
    assert running.ready() == PrinterChanged(ready=True)
    paper.paper_low = True
    assert running.ready() == PrinterChanged(ready=True, paper_low=True)
    paper.cover_open = True
    assert "klep" in running.ready().reason


def test_a_printer_that_is_gone_is_told(running: Running, paper: FakePrinter) -> None:
    assert running.ready().ready
    paper.close()
    assert "niet te bereiken" in running.ready().reason
    assert running.print().outcome is SlipOutcome.NOT_PRINTED


def test_a_slip_that_nobody_confirms_is_in_doubt(paper: FakePrinter, running: Running) -> None:
    assert running.ready().ready
    paper.silent_after = True
    assert running.print().outcome is SlipOutcome.UNKNOWN
    assert len(paper.slips) == 1


def test_a_printer_that_hangs_up_in_the_midst_leaves_doubt(paper: FakePrinter, running: Running) -> None:
    assert running.ready().ready
    paper.hang_up_at = 20
    assert running.print().outcome is SlipOutcome.UNKNOWN
    assert running.print().outcome is SlipOutcome.PRINTED


def test_a_printer_that_answers_nothing_must_be_told_of(paper: FakePrinter, running: Running) -> None:
    paper.mute = True
    assert "geen antwoord" in running.ready().reason
    trusting = Running(Printer(kind="network", host="127.0.0.1", port=paper.port, confirms=False))
    assert trusting.ready() == PrinterChanged(ready=True)
    assert trusting.print().outcome is SlipOutcome.PRINTED
    trusting.thread.stop(5)


def test_a_file_gets_slip_after_slip(tmp_path: Path) -> None:
    path = tmp_path / "slips.bin"
    running = Running(Printer(kind="file", path=str(path)))
    assert running.ready().ready
    assert [running.print(number).outcome for number in (1, 2)] == [SlipOutcome.PRINTED] * 2
    running.thread.stop(5)
    read = Paper()
    for byte in path.read_bytes():  # in parts of any length
        read.feed(bytes([byte]))
    assert read.slips == [LINES, LINES]
    assert path.stat().st_mode & 0o077 == 0, "what a citizen wrote stands in it"


def test_a_serial_printer_is_spoken_to_as_the_others_are() -> None:
    ours, theirs = pty.openpty()
    tty.setraw(ours)
    road = printing.open_road(Printer(kind="serial", path=os.ttyname(theirs), baud=9600))
    road.send(b"\x1b@47-12\n")
    assert os.read(ours, 64) == b"\x1b@47-12\n"
    os.write(ours, b"\x12")
    assert road.read(5) == b"\x12"
    with pytest.raises(TimeoutError):
        road.read(0.01)
    road.close()
    os.close(ours)
    os.close(theirs)


def test_a_profile_that_is_not_there_is_one_line() -> None:
    with pytest.raises(printing.PrinterError, match=r"printer\.profile nosuch bestaat niet"):
        Encoder("nosuch")
