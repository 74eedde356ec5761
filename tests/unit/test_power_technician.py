"""``steunpunt power show`` and ``test``: the plug pulled and put back, reversed polarity found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from steunpunt.cli import main
from steunpunt.fleet.powertest import Outcome, PowerTest
from steunpunt.power.reading import ReadingError
from steunpunt.powerconfig import Hat, Power
from tests.fakes.power_toml import SITE_TOML
from tests.unit.test_power_sysfs import supply

NUT = Power(source="nut")
PIN = Power(source="hat", hat=Hat(gauge="max1704x", mains_pin=6, mains_level="high"))
CURRENT = Power(source="hat", hat=Hat(gauge="ina219"))
WAIT_S = 20.0


class Hall:
    """A technician who does what is asked, a plug, and a source that tells of it in some way."""

    def __init__(self, tells: Callable[["Hall"], str]) -> None:
        self.now_s = 0.0
        self.plugged = True
        self.obeys = True
        self.lines: list[str] = []
        self._tells = tells

    def say(self, line: str) -> None:
        self.lines.append(line)
        if self.obeys and line.startswith("Pull"):
            self.plugged = False
        if self.obeys and line.startswith("Put"):
            self.plugged = True

    def pause(self, seconds: float) -> None:
        self.now_s += seconds

    def read(self) -> dict[str, str]:
        status = self._tells(self)
        if not status:
            raise ReadingError("UPS ups at 127.0.0.1:3493: upsd cannot be asked; is nut-server running?")
        return {"ups.status": status, "battery.charge": "80"}

    def close(self) -> None:
        """Nothing is held."""

    def test(self, power: Power) -> Outcome:
        return PowerTest(
            power, self, self.say, wait_s=WAIT_S, clock=lambda: self.now_s, pause=self.pause
        ).run()  # fmt: skip


def truly(hall: Hall) -> str:
    return "OL" if hall.plugged else "OB"


def reversed_(hall: Hall) -> str:
    return "OB" if hall.plugged else "OL"


def test_a_source_that_tells_the_truth_passes() -> None:
    hall = Hall(truly)
    outcome = hall.test(NUT)
    assert (outcome.passed, [step["mains"] for step in outcome.steps]) == (True, [True, False, True])
    assert [line for line in hall.lines if not line.startswith(" ")] == [
        "The plug must be in now.",
        "Pull the plug now, within 20 s.",
        "Put the plug back, within 20 s.",
    ]


@pytest.mark.parametrize(
    ("power", "mend"),
    [
        (PIN, 'write mains_level = "low" under [power.hat]'),
        (CURRENT, 'write charging = "negative" under [power.hat]'),
        (NUT, "look at its driver and cable"),
    ],
)
def test_reversed_polarity_is_found_with_its_mend(power: Power, mend: str) -> None:
    outcome = Hall(reversed_).test(power)
    (problem,) = outcome.problems
    assert problem.startswith("the polarity is reversed; ")
    assert problem.endswith(mend)


@pytest.mark.parametrize(("word", "told"), [("OL", "there"), ("OB", "gone")])
def test_a_source_that_never_changes_fails(word: str, told: str) -> None:
    outcome = Hall(lambda _: word).test(PIN)
    (problem,) = outcome.problems
    assert problem.startswith(f"mains is told as {told} whether the plug is in or not; was it pulled?")


def test_a_technician_who_does_nothing_ends_the_test_in_its_time() -> None:
    hall = Hall(truly)
    hall.obeys = False
    assert not hall.test(NUT).passed
    assert hall.now_s <= 2 * WAIT_S


def test_no_source_a_flapping_one_and_a_plug_that_stays_out() -> None:
    assert Hall(lambda _: "").test(NUT).problems[0].startswith("nothing tells of mains: UPS ups at")
    assert Hall(lambda _: "WAIT").test(NUT).problems == [
        "nothing tells of mains: ups.status 'WAIT' says neither of OL and OB"
    ]
    flaps = Hall(lambda hall: "OL" if int(hall.now_s) % 2 else "OB")
    assert "changes all the time" in flaps.test(NUT).problems[0]
    lost = Hall(lambda hall: "OL" if len(hall.lines) < 2 else "OB")
    assert lost.test(NUT).problems == ["that the plug is back was not seen; is it in, and the socket live?"]


# --- the commands ------------------------------------------------------------------------------------------------

POWER = '[power]\nsource = "sysfs"\nsysfs_path = "supplies"\n'


def run(folder: Path, *words: str, text: str = SITE_TOML + POWER) -> tuple[int, str, str]:
    config = folder / "site.toml"
    config.write_text(text, "utf-8")
    done = CliRunner().invoke(main, ["power", words[0], str(config), *words[1:]])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def supplies(tmp_path: Path) -> Path:
    folder = tmp_path / "supplies"
    folder.mkdir()
    supply(folder, "AC0", type="Mains", online=1)
    supply(folder, "BAT0", type="Battery", status="Full", capacity=97, voltage_now=12_600_000, power_now=6_000_000)
    return folder


def test_show_tells_what_is_read(supplies: Path) -> None:
    code, out, _ = run(supplies.parent, "show")
    assert code == 0
    assert out.splitlines() == [
        "ups.status: OL",
        "battery.charge: 97",
        "battery.voltage: 12.600000",
        "ups.realpower: 6.000000",
        "mains there, charge 97 %, draw 6.0 W",
    ]
    supply(supplies, "BAT0", capacity=200)
    code, out, _ = run(supplies.parent, "show", "--json")
    body = json.loads(out)
    assert (code, body["charge"], body["problems"]) == (1, None, ["battery.charge is '200', not between 0 and 110"])


def test_failures_are_one_line(tmp_path: Path) -> None:
    code, out, err = run(tmp_path, "show", text=SITE_TOML)
    assert (code, out) == (1, "")
    assert err.endswith('there is no [power]; add that section, with source = "nut" for example\n')
    code, out, err = run(tmp_path, "show")
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_the_test_command_fails_with_exit_code_and_json(supplies: Path) -> None:
    code, out, err = run(supplies.parent, "test", "--wait", "3", "--json")
    body = json.loads(out)
    assert (code, body["passed"]) == (1, False)
    assert "whether the plug is in or not" in body["problems"][0]
    assert err.startswith("The plug must be in now.\n")
