"""The alerts and the dashboard name figures that there are, and say what to do."""

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from steunpunt.bridge.report import prometheus
from steunpunt.cli import main
from steunpunt.doctor.live import DEFECTS, SNR_MARGIN_DB
from steunpunt.protocol.signal import snr_min_db
from tests.unit.test_report import status

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "config" / "monitoring"
POWER = {
    "state": "unknown",
    "mains": False,
    "percent": 81,
    "hours_left": 60.5,
    "draw_w": 4.2,
    "shed": ["dim"],
    "problems": ["x"],
}
FIGURES = {
    "age_s": 3,
    "air_ms": {"main": 4_000},
    "snr": {"main": {"last_db": 3.0, "median_db": 3.5, "count": 12}},
    "disk": {"free_mib": 9000, "free_percent": 60, "ledger_mib": 1.5, "read_only": False},
    "last_s": {"request": 40, "receipt": 39, "answer": 7_200, "act": 3},
}
BOX = {"printer": {"ready": False, "paper_low": True, "waiting": 1}}
JOBS = {"check": {"ok": False, "missed": True, "well_s": 9, "detail": ""}}
RADIO = {"node": "!a1b2c3d4", "firmware": "2.7.26", "preset": "LONG_FAST", "drift": ["hop limit: is 7, config says 3"]}


def everything() -> str:
    """The figures of a site that knows all there is to know."""
    radios = {"main": {"up": True, "downlink_air_ms": 10}}
    more = {"power": POWER, "figures": FIGURES, "radio": RADIO, "radios": radios, "last_receipt_s": 39}
    more |= {"box": BOX, "housekeeping": JOBS, "clock": {"source": "none", "uncertainty_s": 1.0}}
    more |= {"pages": {"serial": None}}
    return prometheus(status(**more, counters=dict.fromkeys(DEFECTS, 1)), "1.2")


def test_no_pages_of_the_region_are_number_0() -> None:
    assert "\nsteunpunt_pages_serial 0\n" in everything()


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    return found


def expressions() -> list[str]:
    asked = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    variables = [one["definition"] for one in dashboard()["templating"]["list"] if "definition" in one]
    return [rule["expr"] for rule in alerts()] + asked + variables


def known() -> set[str]:
    return set(re.findall(r"^# TYPE (\w+) ", everything(), re.MULTILINE))


def test_every_figure_that_is_named_is_there() -> None:
    named = {name for expression in expressions() for name in re.findall(r"\bsteunpunt_\w+", expression)}
    assert len(named) > 15
    assert named - known() == set()


def test_every_label_that_is_asked_for_comes_with_its_value() -> None:
    given = Counter(re.findall(r'(\w+)="([^"]*)"', everything()))
    for expression in expressions():
        for label, operator, value in re.findall(r'(\w+)(=~?)"([^"]*)"', expression):
            if label in {"job", "instance"}:  # Prometheus's own
                continue
            wanted = value.split("|") if operator == "=~" else [value]
            assert [one for one in wanted if (label, one) not in given] == [], expression


def test_every_figure_is_told_of_in_the_docs() -> None:
    told = set(re.findall(r"`(steunpunt_\w+)`", (PROJECT / "docs" / "monitoring.md").read_text("utf-8")))
    assert told == known()


def test_an_alert_says_how_grave_it_is_what_is_so_and_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names) > 10
    for rule in alerts():
        assert re.fullmatch(r"Steunpunt[A-Za-z]+", rule["alert"])
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].startswith("{{ $labels.instance }}: ")
        assert len(rule["annotations"]["description"]) > 20
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))


def commands(group: click.Group, before: str = "steunpunt") -> set[str]:
    found = set()
    for name, command in group.commands.items():
        found |= commands(command, f"{before} {name}") if isinstance(command, click.Group) else {f"{before} {name}"}
    return found


def test_the_commands_in_an_alert_can_be_typed() -> None:
    words = " ".join(rule["annotations"]["description"] for rule in alerts())
    named = re.findall(r"steunpunt (?:radio|power) \w+|steunpunt [a-z][a-z-]+", words)
    assert len(named) > 5
    assert set(named) - commands(main) == set()


def test_the_limits_are_those_of_the_doctor() -> None:
    (weak,) = [rule["expr"] for rule in alerts() if rule["alert"] == "SteunpuntSignaalZwak"]
    assert float(weak.rpartition("< ")[2]) == snr_min_db("LONG_FAST") + SNR_MARGIN_DB
    (events,) = [rule["expr"] for rule in alerts() if rule["alert"] == "SteunpuntDefect"]
    assert set(events.split('"')[1].split("|")) == set(DEFECTS)


def test_the_panels_have_their_own_place_and_words_for_nothing() -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["fieldConfig"]["defaults"]["noValue"] == "geen gegevens"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here: apt-get install prometheus")
def test_prometheus_itself_takes_rules_and_config(tmp_path: Path) -> None:
    for name in ("alerts.yml", "prometheus.yml"):
        shutil.copy(FOLDER / name, tmp_path)
    for arguments in (["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"]):
        done = subprocess.run(
            [str(shutil.which("promtool")), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
