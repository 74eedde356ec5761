"""The line on power on the first page: hours on the battery, unknown as unknown, nothing with mains."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_babel import force_locale

from steunpunt.config import load
from steunpunt.control import Client
from steunpunt_ui.app import create_app
from steunpunt_ui.citizen.power import power_line

KIOSK = Path(__file__).parents[2] / "config" / "kiosk.toml"


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return create_app(load(KIOSK), Client(tmp_path / "no.sock"))


@pytest.mark.parametrize(
    ("power", "says"),
    [
        (None, ""),
        ({"state": "mains", "hours_left": 80.0}, ""),
        ({}, "Stroom: niet bekend."),
        ({"state": "unknown", "hours_left": None}, "Stroom: niet bekend."),
        ({"state": "battery", "hours_left": None}, "Stroom: accu."),
        ({"state": "battery", "hours_left": 14.9}, "Stroom: accu, nog ongeveer 14 uur."),
        ({"state": "low", "hours_left": 1.0}, "Stroom: accu, nog ongeveer 1 uur."),
        ({"state": "low", "hours_left": 0.9}, "De accu is bijna leeg. Dit punt stopt zo."),
        ({"state": "critical", "hours_left": 3.0}, "De accu is bijna leeg. Dit punt stopt zo."),
    ],
)
def test_the_line(power: dict[str, Any] | None, says: str, app: Flask) -> None:
    with app.test_request_context("/nl/"), force_locale("nl"):
        assert power_line({"power": power}) == says


def test_a_node_that_does_not_answer_says_nothing_of_power(app: Flask) -> None:
    with app.test_request_context("/nl/"):
        assert power_line(None) == ""
        assert power_line({}) == ""
