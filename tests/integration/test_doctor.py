"""`steunpunt doctor` at a site whose node lives, and is dead; and a diagnosis in which no canary sings."""

import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from steunpunt.cli import main
from tests.fakes.lone_site import LoneSite

TEXT, NAME, PHONE = "vierkante watermeloenen", "Wilhelmina Kanarie", "0687654321"
PASSWORD = "zeergeheimwachtwoord"  # the broker's
Wait = Callable[..., None]

pytestmark = pytest.mark.processes


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path, free_port: Callable[[], int], wait_until: Wait) -> Iterator[LoneSite]:
    site = LoneSite(tmp_path / "kanarieplek", free_port, wait_until)
    site.make(broker=False)
    (site.folder / "broker.password").write_text(PASSWORD, "utf-8")
    yield site
    site.stop()


def doctor(site: LoneSite, *options: object) -> Result:
    return CliRunner().invoke(main, ["doctor", str(site.config), *map(str, options)], prog_name="steunpunt")


def findings(site: LoneSite) -> dict[str, tuple[str, str, str]]:
    """What the doctor found of each part: verdict, what, mend."""
    body = json.loads(doctor(site, "--json").stdout)
    return {one["part"]: (one["verdict"], one["what"], one["mend"]) for one in body["findings"]}


def test_with_the_node_dead_it_says_so_and_what_can_be_seen_all_the_same(site: LoneSite) -> None:
    done = doctor(site)
    assert done.exit_code == 1
    found = findings(site)
    assert found["node"][:2] == ("fail", "it does not run")
    assert found["node"][2].startswith("sudo systemctl start steunpunt-node")
    assert found["files"][0] == "pass"
    assert found["radio"][:2] == ("fail", "nothing listens there (Connection refused)")
    assert found["screens"][0] == "fail"
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith(("FAIL", "WARN"))]
    assert len([line for line in lines if line.lstrip().startswith("->")]) == len(wrong) > 2


def test_a_config_file_that_is_wrong_is_a_failure_with_its_mend(site: LoneSite) -> None:
    site.config.write_text(site.config.read_text("utf-8").replace("id = 47", 'id = "x"', 1), "utf-8")
    found = findings(site)
    assert list(found) == ["config"]
    assert "key `site.id`" in found["config"][1]


def test_a_missing_key_is_found_and_the_exit_code_is_for_scripts(site: LoneSite) -> None:
    (site.folder / "site.keys").unlink()
    verdict, what, _ = findings(site)["files"]
    assert (verdict, "site.keys" in what) == ("fail", True)


def ask_for_help(site: LoneSite) -> list[str]:
    """Submit a request full of canaries; returns what else may be seen nowhere: number's code and form token."""
    token = site.ask("form_token")["token"]
    facts = {"name": NAME, "place": {"postcode": "6211AB", "access": "achter de kanariekooi"}}
    answer = site.ask(
        "submit", token=token, category="MEDICAL", life_threat=False, text=TEXT, callback=PHONE, facts=facts
    )
    return [str(answer["secret"]), str(token)]


def test_a_diagnosis_of_a_living_site_holds_no_canary(site: LoneSite, tmp_path: Path) -> None:
    site.start("node")
    canaries = [TEXT, NAME, "Wilhelmina", PHONE, "kanarie", "6211AB", PASSWORD, *ask_for_help(site)]
    canaries += ["Regenboog", "Kerkplein", "Brandweerkazerne", "Willem Alexander", "Maastricht"]
    keys = (site.folder / "site.keys").read_text("utf-8") + site.region_keys.read_text("utf-8")
    canaries += [line.split('"')[1] for line in keys.splitlines() if line.count('"') == 2 and len(line) > 30]
    saved = tmp_path / "diagnose.zip"
    done = doctor(site, "--save", saved)
    assert "PASS  node" in done.stdout
    with zipfile.ZipFile(saved) as archive:
        parts = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
    assert {"status.json", "history.json", "log.txt", "metrics.txt", "config.json", "versions.json"} <= set(parts)
    assert "action=accept ticket=47-1" in parts["log.txt"], "the log of the request that holds the canaries"
    assert len(canaries) > 15
    singing = [(name, canary) for name, text in parts.items() for canary in canaries if canary.lower() in text.lower()]
    assert singing == []
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    again = doctor(site, "--save", saved)
    assert (again.exit_code, again.stderr.count("\n"), "choose another name" in again.stderr) == (1, 1, True)
    # A node that is stopped takes its log along; the diagnosis is made all the same.
    site.stop()
    doctor(site, "--save", tmp_path / "dead.zip")
    with zipfile.ZipFile(tmp_path / "dead.zip") as archive:
        assert "status.json" not in archive.namelist()
        assert archive.read("log.txt")
