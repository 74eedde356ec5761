"""The kazernebox: each life threat on one slip, a button for the last one, lamp and buzzer until people act."""

from pathlib import Path
from typing import Any

import pytest

from steunpunt.boxfacts import PrinterChanged, PrintSlip, SlipEnded, SlipOutcome
from steunpunt.engine.box import AGAIN_MS, LOOK_MS, SETTLE_MS, TRIES_MAX, BoxSettings
from steunpunt.engine.sliptext import Paper, age_words, slip_lines
from steunpunt.facts import Facts, Flag, Mark, Place
from steunpunt.ledger.caserows import CaseRow
from steunpunt.ledger.desk import PassedOn
from steunpunt.ledger.incoming import Content, Piece
from steunpunt.ledger.slips import Told
from steunpunt.model import (
    ButtonPressed,
    Category,
    Effect,
    Event,
    LampMode,
    Lane,
    LedgerError,
    SetLamp,
    SoundBuzzer,
    SupplementCode,
    TicketState,
)
from steunpunt.values import replace
from tests.fakes.sites import (
    MESH_DOWN,
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    ended,
    frames,
    heard,
    more_form,
    seeded,
)

READY = PrinterChanged(ready=True)
OUT = PrinterChanged(ready=False, reason="Het papier is op.")
PLACE = Place(postcode="6211AB", house_number=12, floor=2, access="achterdeur")
WHOLE = """\
LEVENSGEVAAR
47-1
6211 AB 12
verdieping 2 · achterdeur
Steunpunt: De Regenboog, Kerkplein 1
Wat: Medische hulp
Toestand: ademt niet
Hoeveel: 3 personen, gewond: 1
GEVAAR DAAR: gas
Gevraagd: 6 minuten voor deze bon
Bereikbaar: 0612345678
«Mijn man ligt op de trap»

Doorgegeven aan: .........................

Tijd: ....................................
Nog niemand gewaarschuwd? Geef dit door."""

_CONTENT = Content(
    category=Category.MEDICAL,
    life_threat=True,
    text="Hulp\x1b@\x10\x04\x01\x1dV\x00 nu\u202e!",
    language="nl",
    verify=b"",
    answer=b"",
)
_ROW = CaseRow(
    {"quarantined": False},
    Piece(47, b"", 0),
    Lane.LIFE_THREAT,
    TicketState.RECEIVED,
    None,
    _CONTENT,
    b"",
    damaged=False,
)
TOLD = Told("47-1", 47, _ROW, Facts(), 0, age_at_least=False, event=None, doubtful=False)


class Station:
    """A kiosk and a coordinator with a box; every slip that is handed over is noted."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.clock, rng = Clock(), seeded(5)
        self.kiosk = KioskSite(folder / "kiosk", self.clock, rng)
        self.center = CoordinatorSite(folder / "coordinator", self.clock, rng)
        every: dict[str, Any] = {"buttons": ("take",), "printer": True, "taken_by": "Knop in de kazerne"}
        every["points"] = {47: "De Regenboog, Kerkplein 1"}
        self.center.box = BoxSettings(**every | settings)
        self.center.restart()
        self.slips: list[PrintSlip] = []
        self.rest: list[Effect] = []

    def turn(self, *events: Event, after_s: float = 1.0) -> list[Effect]:
        """Let time pass and turn; return what the box does, slips noted."""
        self.clock.advance_s(after_s)
        effects: list[Effect] = list(self.center.turn(*events))
        effects = [e for e in effects if isinstance(e, PrintSlip | SetLamp | SoundBuzzer)]
        self.slips += [e for e in effects if isinstance(e, PrintSlip)]
        return effects

    def ask(self, text: str = "Help", *, threat: bool = True, late_s: float = 0.0, **fields: Any) -> str:
        """Let a citizen ask, and the coordinator hear of it; return the number."""
        fields = {"category": Category.MEDICAL, "life_threat": threat} | fields
        number = str(self.kiosk.ask(text, **fields)["number"])
        self.carry(late_s)
        return number

    def add(self, number: str, code: SupplementCode, text: str = "") -> None:
        self.kiosk.turn(more_form(self.kiosk.token(), number, code, text))
        self.carry()

    def carry(self, late_s: float = 0.0) -> None:
        """Take all that the kiosk has to send to the coordinator."""
        self.clock.advance_s(late_s)
        waiting = frames(self.kiosk.turn(MESH_UP))
        while waiting:
            self.turn(heard(waiting[0].payload), after_s=0)
            waiting = frames(self.kiosk.turn(ended(waiting[0])))
        self.kiosk.turn(MESH_DOWN)

    def printed(self) -> None:
        """The printer says that the last slip came out."""
        self.turn(SlipEnded(self.slips[-1].slip_id, SlipOutcome.PRINTED), after_s=0)

    def text(self, which: int = -1) -> str:
        return "\n".join(line.text for line in self.slips[which].lines)

    def press(self) -> list[SoundBuzzer]:
        return [e for e in self.turn(ButtonPressed("take")) if isinstance(e, SoundBuzzer)]


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path)


# --- slips ----------------------------------------------------------------------------------------------------------


def test_a_slip_tells_in_the_order_in_which_it_is_passed_on(station: Station) -> None:
    station.turn(READY)
    facts: dict[str, Any] = {
        "people": 3,
        "injured": 1,
        "flags": frozenset({Flag.NOT_BREATHING, Flag.GAS}),
        "place": PLACE,
    }
    station.ask("Mijn man ligt op de trap", late_s=400, callback="0612345678", **facts)
    station.turn()
    assert station.text() == WHOLE
    assert [line.text for line in station.slips[0].lines if line.big] == ["47-1", "6211 AB 12"]
    assert all(len(line.text) <= (21 if line.big else 42) for line in station.slips[0].lines)


def test_only_a_life_threat_is_printed_and_also_one_that_becomes_it_later(station: Station) -> None:
    station.turn(READY)
    number = station.ask(threat=False)
    station.turn()
    assert station.slips == []
    station.add(number, SupplementCode.LIFE_THREAT)
    station.turn()
    assert len(station.slips) == 1
    assert number in station.text()


def test_what_was_missed_while_the_printer_was_off_is_printed_once(station: Station) -> None:
    numbers = [station.ask() for _ in range(3)]
    station.turn(OUT)
    station.center.restart()
    station.turn(OUT, after_s=60)
    assert station.slips == []
    station.turn(READY)
    for _ in range(6):
        if station.slips:
            station.printed()
        station.turn()
    assert [number for slip in range(3) for number in numbers if f"\n{number}\n" in station.text(slip)] == numbers
    assert len(station.slips) == 3
    assert "DUBBEL" not in station.text(0)
    station.center.restart()
    station.turn(READY)
    station.turn()
    assert len(station.slips) == 3, "not again after a start"


def test_a_crash_before_the_printer_answered_prints_again_and_says_so(station: Station) -> None:
    station.turn(READY)
    station.ask()
    station.turn()
    assert len(station.slips) == 1
    station.center.restart()
    station.turn(READY)
    assert len(station.slips) == 2
    assert "MOGELIJK DUBBEL" in station.text()
    station.printed()
    station.center.restart()
    station.turn(READY)
    assert len(station.slips) == 2


def test_a_slip_is_handed_over_only_with_its_mark_on_the_disk(station: Station) -> None:
    station.turn(READY)
    station.ask()

    def fail() -> None:
        raise LedgerError("disk full")

    station.clock.advance_s(1)
    with pytest.raises(LedgerError):
        station.center.turn(stop=fail)
    station.turn()
    station.turn()
    assert len(station.slips) == 1, "that of the turn that failed never left; this one is in flight"
    assert "DUBBEL" not in station.text()


def test_a_printer_that_never_confirms_gets_a_slip_three_times_and_no_more(station: Station) -> None:
    station.turn(READY)
    station.ask()
    for _ in range(TRIES_MAX + 2):
        station.turn(after_s=AGAIN_MS / 1000)
        station.turn(SlipEnded(station.slips[-1].slip_id, SlipOutcome.UNKNOWN))
    assert len(station.slips) == TRIES_MAX
    assert ["DUBBEL" in station.text(which) for which in range(TRIES_MAX)] == [False, True, True]


def test_a_slip_that_did_not_leave_is_printed_later_without_doubt(station: Station) -> None:
    station.turn(READY)
    station.ask()
    station.turn()
    station.turn(SlipEnded(station.slips[-1].slip_id, SlipOutcome.NOT_PRINTED), OUT)
    station.turn(READY, after_s=60)
    assert len(station.slips) == 2
    assert "DUBBEL" not in station.text()


def test_what_is_added_later_is_a_slip_of_its_own(station: Station) -> None:
    station.turn(READY)
    number = station.ask()
    station.turn()
    station.printed()
    station.add(number, SupplementCode.WORSE, "Hij ademt niet meer")
    station.add(number, SupplementCode.UNDERSTOOD)
    station.turn()
    assert "Het is erger geworden" in station.text()
    assert "«Hij ademt niet meer»" in station.text()
    assert number in station.text()
    station.printed()
    station.turn()
    assert len(station.slips) == 2, "that somebody understood is not worth paper"


def test_what_was_added_before_the_slip_stands_on_it_and_nowhere_else(station: Station) -> None:
    number = station.ask()
    station.add(number, SupplementCode.DETAILS, "Derde deur links")
    station.turn(READY)
    station.printed()
    station.turn()
    assert len(station.slips) == 1


def test_letters_that_a_printer_does_not_know_are_on_the_screen_only(station: Station) -> None:
    station.turn(READY)
    station.ask("أحتاج إلى مساعدة")
    station.turn()
    assert "ander schrift" in station.text()


def test_what_a_printer_takes_for_a_command_is_not_printed() -> None:
    text = "\n".join(line.text for line in slip_lines(TOLD, Paper(42, {})))
    assert "«Hulp @ V nu !»" in text
    assert "Steunpunt: nummer 47" in text


def test_a_slip_for_the_police_says_that_it_is_discreet() -> None:
    police = replace(TOLD.case, content=replace(TOLD.case.content, category=Category.POLICE))
    for case, said in ((police, True), (TOLD.case, False)):
        text = " ".join(line.text for line in slip_lines(replace(TOLD, case=case), Paper(32, {})))
        assert ("DISCREET: niet laten omroepen" in text) is said


@pytest.mark.parametrize(
    ("mark", "words"),
    [(Mark.EXERCISE, "*** OEFENING ***"), (Mark.TEST, "*** TEST ***"), (Mark.REAL, "*** DIT IS ECHT ***")],
)
def test_a_slip_says_whether_it_is_meant(mark: Mark, words: str) -> None:
    first = slip_lines(replace(TOLD, facts=Facts(mark=mark)), Paper(42, {}))[0]
    assert (first.text, first.big) == (words, True)


@pytest.mark.parametrize(
    ("age_s", "at_least", "words"),
    [
        (59, False, "minder dan 1 minuut"),
        (60, False, "1 minuut"),
        (7_200, True, "zeker 120 minuten"),
        (30, True, "minder dan 1 minuut of langer"),
        (20_000, False, "5 uur"),
    ],
)
def test_ages_in_words(*, age_s: int, at_least: bool, words: str) -> None:
    assert age_words(age_s, at_least=at_least) == words


# --- the button -----------------------------------------------------------------------------------------------------


def test_the_button_takes_up_the_case_of_the_last_slip_and_no_other(station: Station) -> None:
    station.turn(READY)
    first, second = station.ask(), station.ask()
    station.turn()
    station.printed()
    station.turn()
    station.printed()
    station.clock.advance_s(SETTLE_MS / 1000)
    (sound,) = station.press()
    assert sound == SoundBuzzer("take", sound.seconds, times=1)
    states = {case.number: (case.state, case.seen_by) for case in station.center.desk.cases()}
    assert states == {first: (TicketState.RECEIVED, ""), second: (TicketState.SEEN, "Knop in de kazerne")}
    assert station.center.desk.active_min() == 0, "a person was there"
    assert [sound.times for sound in station.press()] == [3], "that is taken already"
    assert len({case.state for case in station.center.desk.cases()}) == 2


def test_a_press_tells_the_kiosk_that_a_person_took_it_up(station: Station) -> None:
    station.turn(READY)
    number = station.ask()
    station.turn()
    station.printed()
    station.clock.advance_s(SETTLE_MS / 1000)
    station.press()
    for frame in frames(station.center.turn(MESH_UP)):
        station.kiosk.turn(heard(frame.payload))
    assert station.kiosk.ticket(number).state == TicketState.SEEN


def test_a_press_while_a_slip_comes_out_or_just_after_means_nothing(station: Station) -> None:
    station.turn(READY)
    assert [sound.times for sound in station.press()] == [3], "there is no slip"
    station.ask()
    station.turn()
    station.turn(ButtonPressed("take"))
    assert station.center.only_case().state is TicketState.RECEIVED
    station.printed()
    station.turn(ButtonPressed("take"), after_s=(SETTLE_MS - 1) / 1000)
    assert station.center.only_case().state is TicketState.RECEIVED
    station.turn(ButtonPressed("take"), after_s=0.01)
    assert station.center.only_case().state is TicketState.SEEN


# --- lamp and buzzer ------------------------------------------------------------------------------------------------


def lamps(effects: list[Effect]) -> list[LampMode]:
    return [e.mode for e in effects if isinstance(e, SetLamp)]


def sounds(station: Station, seconds: int) -> list[int]:
    """Return after how many seconds the buzzer sounded."""
    return [at for at in range(1, seconds + 1) if any(isinstance(e, SoundBuzzer) for e in station.turn())]


def test_the_lamp_flashes_until_somebody_took_it_and_burns_until_it_is_passed_on(tmp_path: Path) -> None:
    station = Station(tmp_path, printer=False)
    assert lamps(station.turn()) == [LampMode.OFF]
    station.ask()
    assert lamps(station.turn()) == [LampMode.BLINKING] or station.center.engine.box.view.lamp is LampMode.BLINKING
    case = station.center.only_case()
    station.center.desk.take_up(case.id, "Anna", token="a")
    assert lamps(station.turn()) == [LampMode.STEADY]
    station.center.desk.pass_on(case.id, "Anna", PassedOn("meldkamer", "c2000"), token="b")
    assert lamps(station.turn()) == [LampMode.OFF]


def test_it_sounds_at_once_after_30_s_after_2_min_and_then_every_20_s(tmp_path: Path) -> None:
    station = Station(tmp_path, printer=False)
    station.turn()
    station.ask()
    assert sounds(station, 165) == [1, 30, 120, 140, 160]
    case = station.center.only_case()
    station.center.desk.take_up(case.id, "Anna", token="a")
    assert sounds(station, 310) == [180, 240, 300], "taken and not passed on"
    station.center.desk.pass_on(case.id, "Anna", PassedOn("meldkamer", "c2000"), token="b")
    assert sounds(station, 120) == []


def test_the_box_asks_for_its_turns_itself(tmp_path: Path) -> None:
    station = Station(tmp_path, printer=False)
    station.turn()
    station.ask()
    station.turn()
    due_ms, whole_ms = station.center.engine.box.due_ms, station.center.engine.next_due_ms()
    assert due_ms is not None
    assert whole_ms is not None
    assert due_ms - station.center.now_ms() <= 30_000
    assert whole_ms <= due_ms


def test_a_printer_that_cannot_print_sounds_too(station: Station) -> None:
    station.turn(OUT)
    found = sounds(station, 140)
    assert found == [15, 135]
    view = station.center.engine.box.view
    assert (view.printer_ready, view.printer_reason) == (False, "Het papier is op.")
    station.turn(READY)
    assert sounds(station, 140) == []


def test_a_site_without_a_box_does_nothing(tmp_path: Path) -> None:
    station = Station(tmp_path, printer=False, buttons=())
    station.ask()
    assert station.turn(ButtonPressed("take"), READY) == []
    assert station.center.engine.box.due_ms is None


def test_the_ledger_is_looked_at_four_times_a_second_at_most(station: Station) -> None:
    station.turn(READY)
    station.ask()
    station.turn(after_s=LOOK_MS / 1000)
    assert len(station.slips) == 1
