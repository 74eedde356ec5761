"""What status, desk and metrics say of the kazernebox."""

from typing import Any

import msgspec
import pytest

from steunpunt import config
from steunpunt.control import Body
from steunpunt.engine.box import BoxView
from steunpunt.fleet.told import lines_of
from steunpunt.model import LampMode
from steunpunt.node.kazernebox import box_settings, box_status, box_troubles
from steunpunt.panelconfig import Button, Panel
from steunpunt.printerconfig import Printer
from tests.fakes.ui_sites import coordinator_config


def with_box(path: Any, **sections: Any) -> config.Config:
    button = Button(name="take", button_pin=17, lamp_pin=27)
    panel = Panel(pins="mock", button=(button,))
    return msgspec.structs.replace(coordinator_config(path / "no.sock", path), **{"panel": panel} | sections)


@pytest.mark.parametrize(
    ("view", "troubles"),
    [
        (BoxView(), ["De bonprinter is nog niet gevonden."]),
        (BoxView(printer_ready=True), []),
        (BoxView(printer_ready=True, paper_low=True), ["Het papier van de bonprinter is bijna op."]),
        (BoxView(printer_reason="Het papier is op.", waiting=1), ["Het papier is op. Er wacht 1 bon."]),
        (BoxView(printer_reason="Het papier is op.", waiting=3), ["Het papier is op. Er wachten 3 bonnen."]),
    ],
)
def test_the_desk_is_told_what_is_wrong_with_the_printer(view: BoxView, troubles: list[str], tmp_path: Any) -> None:
    site = with_box(tmp_path, printer=Printer(kind="usb"))
    told = box_troubles(box_status(site, view))
    assert [trouble.startswith(words) for trouble, words in zip(told, troubles, strict=True)] == [True] * len(troubles)


def test_a_site_without_printer_or_box_says_nothing_of_it(tmp_path: Any) -> None:
    assert box_status(coordinator_config(tmp_path / "no.sock", tmp_path), BoxView()) is None
    status = box_status(with_box(tmp_path), BoxView(lamp=LampMode.STEADY, dangers=1))
    assert status == {"lamp": "steady", "life_threats": 1, "printer": None}
    assert box_troubles(status) == []


def test_a_printer_that_cannot_print_is_down_for_a_script(tmp_path: Any) -> None:
    site = with_box(tmp_path, printer=Printer(kind="usb"))
    body: Body = {"links": {name: {"up": True, "reason": ""} for name in ("mesh", "broker")}, "radio": None}
    body |= {"panel_reason": "", "can_keep": True, "damaged_log": "", "power": None}
    body["box"] = box_status(site, BoxView(printer_reason="Het papier is op.", waiting=2))
    assert (False, "slip printer: Het papier is op., 2 slips waiting") in lines_of(site, body)
    body["box"] = box_status(site, BoxView(printer_ready=True))
    assert (True, "slip printer, 0 slips waiting") in lines_of(site, body)


def test_the_engine_knows_points_by_name_and_whose_button_it_is(tmp_path: Any) -> None:
    points = (config.Point(id=47, name="De Regenboog", place="Kerkplein 1"),)
    settings = box_settings(with_box(tmp_path, printer=Printer(kind="usb", width_chars=32), point=points))
    assert settings.points == {47: "De Regenboog, Kerkplein 1"}
    assert (settings.buttons, settings.printer, settings.width_chars) == (("take",), True, 32)
    assert settings.taken_by == "Knop in de kazerne"
