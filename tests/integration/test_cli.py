"""The command line as a technician meets it: its help, its errors, and the way from nothing to a running site."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from steunpunt.cli import main
from steunpunt.demo.region import mosquitto_path
from steunpunt.ledger.belonging import check_owner
from steunpunt.ledger.store import Ledger, prepare
from steunpunt.model import Role
from tests.fakes.listener import listening
from tests.fakes.lone_site import LoneSite, one_line_of, run, steunpunt

EXAMPLES = Path(__file__).parents[2] / "config"
COMMANDS = [
    "node", "web", "screen", "speak", "check", "status", "virtual-radio", "broker-config", "panel", "demo",
    "radio", "radio show", "radio plan", "radio apply",
    "keys", "keys region", "keys coordinator", "keys site", "keys desk-password",
    "keys revoke", "keys rotate", "keys import", "keys staff-pin", "keys seal", "keys unseal",
    "fleet", "fleet check", "fleet build", "fleet open", "fleet flash", "fleet replace", "config", "config schema",
    "airtime", "simulate", "doctor", "test-request", "survey", "ready", "power", "power show", "power test",
    "pages", "pages pack", "pages install", "pages publish",
]  # fmt: skip
RUN_AS = "root" if os.geteuid() == 0 else "mosquitto"
FreePort = Callable[[], int]
Wait = Callable[..., None]


def type_in(*arguments: object, stdin: str = "") -> Result:
    """Run a command that needs no process of its own."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin, prog_name="steunpunt")


def refusal(*arguments: object, stdin: str = "") -> str:
    """The one line with which a command fails."""
    result = type_in(*arguments, stdin=stdin)
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout, line[:11]) == (1, "", "steunpunt: ")
    return line


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- help


def leaves(group: click.Group, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        yield f"{before}{name}"
        if isinstance(command, click.Group):
            yield from leaves(command, f"{before}{name} ")


def test_the_list_here_holds_every_command() -> None:
    assert set(leaves(main)) == set(COMMANDS)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_says_what_to_type(command: str) -> None:
    shown = type_in(*command.split(), "--help")
    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: steunpunt {command}".rstrip())
    assert "\\b" not in shown.output, "a mark for click is shown to people"
    assert "..." not in shown.output.partition("\n")[2], "a summary is cut off; make its first sentence shorter"
    for name in re.findall(r"^  +steunpunt (keys \w[\w-]*|\w[\w-]*)", shown.output, re.MULTILINE):
        assert name in COMMANDS


def test_a_wrong_word_gets_the_usage() -> None:
    for arguments in (["nodes"], ["node"], ["panel", "site.toml", "hit", "help"], ["virtual-radio"]):
        result = type_in(*arguments)
        assert (result.exit_code, result.stderr.splitlines()[0][:16]) == (2, "Usage: steunpunt")
        assert "--help" in result.stderr


# --- keys


@pytest.fixture
def region(tmp_path: Path) -> Path:
    path = tmp_path / "region.keys"
    assert type_in("keys", "region", path, "--name", "Proef").exit_code == 0
    return path


def coordinator(region: Path, folder: Path) -> Path:
    made = type_in("keys", "coordinator", region, "--id", "1", "--host", "127.0.0.1", "--out", folder)
    assert made.exit_code == 0, made.output
    return folder


def test_keys_in_their_order_with_their_modes(region: Path, tmp_path: Path) -> None:
    desk = coordinator(region, tmp_path / "desk")
    made = type_in("keys", "site", region, "--id", "47", "--out", tmp_path / "site")
    passwords = tmp_path / "desk" / "desk.passwords"
    person = type_in("keys", "desk-password", passwords, "--name", "Jan", "--password-stdin", stdin="acht of meer\n")
    assert (made.exit_code, person.exit_code) == (0, 0)
    written = [Path(line.removeprefix("written: ")) for line in made.stdout.splitlines()]
    assert {path.name for path in written} == {"site.keys", "channel.key", "site.pem", "site-key.pem", "region-ca.pem"}
    secret = [region, desk / "coordinator.keys", desk / "region-key.pem", *(tmp_path / "site").glob("site*key*")]
    assert {path.name: mode(path) for path in secret} == dict.fromkeys((path.name for path in secret), 0o600)
    assert (mode(desk / "ledger.key"), mode(passwords)) == (0o640, 0o640)
    assert (mode(tmp_path / "site" / "site.pem"), mode(tmp_path / "site" / "region-ca.pem")) == (0o644, 0o644)


def test_no_key_is_overwritten(region: Path, tmp_path: Path) -> None:
    coordinator(region, tmp_path / "desk")
    type_in("keys", "site", region, "--id", "47", "--out", tmp_path / "site")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert "move it away" in refusal("keys", "region", region, "--name", "Proef")
    assert "move it away" in refusal("keys", "site", region, "--id", "47", "--out", tmp_path / "site")
    again = ["keys", "coordinator", region, "--host", "127.0.0.1", "--out", tmp_path / "desk"]
    assert "another id" in refusal(*again, "--id", "1")
    assert "move it away" in refusal(*again, "--id", "2")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_stolen_card_is_revoked_by_stick(region: Path, tmp_path: Path) -> None:
    desk = coordinator(region, tmp_path / "desk") / "coordinator.keys"
    notice = tmp_path / "47.notice"
    said = type_in("keys", "revoke", region, "--id", "47", "--out", notice)
    assert (said.exit_code, mode(notice)) == (0, 0o644)
    assert "import it at each coordinator" in said.stdout
    assert "47 (generation 1)" in type_in("keys", "import", desk, notice).stdout
    assert "nothing new" in type_in("keys", "import", desk, notice).stdout
    assert mode(desk) == 0o600
    made = type_in("keys", "site", region, "--id", "47", "--out", tmp_path / "new")
    assert made.exit_code == 0
    assert "generation = 2" in (tmp_path / "new" / "site.keys").read_text()
    out = ["--out", tmp_path / "old"]
    assert "write 2 to 255" in refusal("keys", "site", region, "--id", "47", "--generation", "1", *out)


def test_a_stolen_coordinators_keys_are_changed_by_stick(region: Path, tmp_path: Path) -> None:
    desk = coordinator(region, tmp_path / "desk") / "coordinator.keys"
    written = type_in("keys", "rotate", region, "--out", tmp_path / "c").stdout
    written += type_in("keys", "rotate", region, "--coordinator", "1", "--out", tmp_path / "c").stdout
    files = [Path(line.removeprefix("written: ")) for line in written.splitlines()]
    assert [path.name for path in files] == [
        "region-1.notice", "region-1.change", "coordinator-1-1.notice", "coordinator-1-1.change",
    ]  # fmt: skip
    assert "import the .change file" in refusal("keys", "import", desk, files[0])
    for path in files[1::2]:
        assert "number 1" in type_in("keys", "import", desk, path).stdout
    assert "steunpunt keys revoke" in refusal("keys", "import", desk, tmp_path / "none.notice")


def test_mistakes_with_keys_name_their_mend(region: Path, tmp_path: Path) -> None:
    out = ["--out", tmp_path / "out"]
    assert "steunpunt keys coordinator" in refusal("keys", "site", region, "--id", "47", *out)
    assert "steunpunt keys" in refusal("keys", "site", tmp_path / "none.keys", "--id", "47", *out)
    assert "1 to 15" in refusal("keys", "coordinator", region, "--id", "16", "--host", "a", *out)
    assert "kazerne.example" in refusal("keys", "coordinator", region, "--host", "a b", *out)
    coordinator(region, tmp_path / "desk")
    assert "16 to 65535" in refusal("keys", "site", region, "--id", "4", *out)
    assert "choose a folder" in refusal("keys", "region", tmp_path / "no" / "region.keys", "--name", "Proef")
    region.chmod(0o644)
    assert f"chmod 600 {region}" in refusal("keys", "site", region, "--id", "47", *out)
    assert not (tmp_path / "out").exists()


def test_a_bad_password_is_refused_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "desk.passwords"
    add = ["keys", "desk-password", path, "--password-stdin", "--name"]
    assert "choose 8 to 200" in refusal(*add, "Jan", stdin="kort\n")
    assert "colon" in refusal(*add, "Jan:Piet", stdin="lang genoeg\n")
    assert not path.exists()
    nowhere = ["keys", "desk-password", tmp_path / "no" / "file", "--password-stdin", "--name", "Jan"]
    assert "another folder" in refusal(*nowhere, stdin="lang genoeg\n")


# --- check


BAD = {
    "unknown key": ('name = "help"', 'nmae = "help"', "unknown key `panel.button[0].nmae`", "correct or delete it"),
    "missing key": ('place = "Kerkplein 1, Maastricht"', "", "key `site.place` is missing", "add place ="),
    "wrong kind": ('kind = "serial"', 'kind = "usb"', "key `radio.kind`", "serial"),
    "out of range": ("hop_limit = 3", "hop_limit = 9", "key `radio.hop_limit`", "hop_limit = 3"),
    "not TOML": ("id = 47", "id = ", "not valid TOML", "correct that line"),
    "a kiosk like a coordinator": ("id = 47", "id = 4", "site.id", "16 or higher"),
    "no fall-back address": (
        'fallback_address = "Willem Alexanderweg 1, Maastricht"',
        "",
        "`region.fallback_address` is missing",
        "add fallback_address =",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_check_names_line_key_and_mend_of_a_bad_config(case: str, tmp_path: Path) -> None:
    good, bad, says, mend = BAD[case]
    text = (EXAMPLES / "kiosk.toml").read_text("utf-8")
    assert good in text
    path = tmp_path / "site.toml"
    path.write_text(text.replace(good, bad, 1), "utf-8")
    line = refusal("check", path)
    assert re.match(rf"steunpunt: {re.escape(str(path))}:\d+: ", line)
    assert says in line
    assert mend in line


def test_check_says_which_command_makes_what_is_missing(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    for name in ("kiosk.toml", "coordinator.toml"):
        shutil.copy(EXAMPLES / name, tmp_path)
        result = type_in("check", tmp_path / name)
        assert (result.exit_code, result.stdout) == (1, "")
        for line in result.stderr.splitlines():
            told = re.fullmatch(rf"steunpunt: {tmp_path}/{name}: key `([\w.]+)`: .*`(steunpunt [\w -]+)[^`]*`.*", line)
            assert told, line
            found[told[1]] = told[2].strip()
    assert found["broker.password_file"] == "steunpunt broker-config"
    assert found["broker.bridge.key_file"] == "steunpunt keys site"
    assert found["broker.region_listener.certificate_file"] == "steunpunt keys coordinator"
    assert found["web.desk_passwords_file"] == "steunpunt keys desk-password"
    assert {"keys.file", "ledger.key_file"} <= set(found)


def test_check_sees_the_keys_of_another_site(region: Path, tmp_path: Path) -> None:
    folder = kiosk(region, tmp_path, {})
    site = folder / "site.toml"
    site.write_text(site.read_text("utf-8").replace("id = 47", "id = 48"), "utf-8")
    result = type_in("check", site)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = [line for line in result.stderr.splitlines() if "key `site.id`" in line and "site.keys" in line]
    assert "use this site's own keys" in line


# --- from nothing to running, with these commands and the example configs only


def example(name: str, folder: Path, changes: dict[str, str]) -> Path:
    """Copy an example config and change what a technician must."""
    text = (EXAMPLES / name).read_text("utf-8")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "site.toml"
    path.write_text(text, "utf-8")
    return path


def kiosk(region: Path, base: Path, changes: dict[str, str]) -> Path:
    """A kiosk's folder, made by the commands alone."""
    if not (base / "desk").exists():
        coordinator(region, base / "desk")
    folder = base / "site"
    assert type_in("keys", "site", region, "--id", "47", "--out", folder).exit_code == 0
    assert type_in("keys", "staff-pin", folder / "staff.pin", "--pin-stdin", stdin="852036\n").exit_code == 0
    finish(example("kiosk.toml", folder, changes))
    return folder


def desk(region: Path, base: Path, changes: dict[str, str]) -> Path:
    """A coordinator's folder, made by the commands alone."""
    folder = coordinator(region, base / "desk")
    add = ["keys", "desk-password", folder / "desk.passwords", "--name", "Jan", "--password-stdin"]
    assert type_in(*add, stdin="lang genoeg\n").exit_code == 0
    finish(example("coordinator.toml", folder, changes))
    return folder


def finish(site: Path) -> None:
    made = type_in("broker-config", site, "--out", site.parent / "mosquitto", "--run-as", RUN_AS)
    assert made.exit_code == 0, made.output


def test_a_site_made_by_these_commands_is_good(region: Path, tmp_path: Path) -> None:
    here, there = desk(region, tmp_path, {}), kiosk(region, tmp_path, {})
    for folder, role in ((here, "coordinator 1"), (there, "kiosk 47")):
        result = type_in("check", folder / "site.toml")
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(f"{folder}/site.toml: good. {role}, ")


def test_broker_config_again_keeps_the_passwords(region: Path, tmp_path: Path) -> None:
    folder = kiosk(region, tmp_path, {})
    passwords = [folder / "broker.password", folder / "mosquitto" / "reader.password"]
    before = [path.read_text("utf-8") for path in passwords]
    finish(folder / "site.toml")
    assert [path.read_text("utf-8") for path in passwords] == before
    assert [mode(path) for path in [*passwords, folder / "mosquitto" / "passwords"]] == [0o600] * 3


@contextmanager
def mosquitto(folder: Path) -> Iterator[None]:
    with (folder / "mosquitto.log").open("ab") as log:
        conf = str(folder / "mosquitto" / "mosquitto.conf")
        process = subprocess.Popen([mosquitto_path(), "-c", conf], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.broker
def test_mosquitto_takes_the_files_and_its_bridge_stands(
    region: Path, tmp_path: Path, free_port: FreePort, wait_until: Wait
) -> None:
    road, here, there = free_port(), free_port(), free_port()
    at_desk = {"port = 1883": f"port = {here}", "port = 8883": f"port = {road}", '"0.0.0.0"': '"127.0.0.1"'}
    at_site = {"port = 1883": f"port = {there}", "port = 8883": f"port = {road}", "broker.example.org": "127.0.0.1"}
    folders = desk(region, tmp_path, at_desk), kiosk(region, tmp_path, at_site)
    with mosquitto(folders[0]), mosquitto(folders[1]):
        for port in (here, there):
            wait_until(lambda port=port: listens(port), 10, "mosquitto listens")
        with listening(there, "steunpunt", folders[1] / "broker.password") as listener:
            state = ("$SYS/broker/connection/steunpunt-site-47/state", b"1")
            wait_until(lambda: state in listener.heard, 20, "the bridge stands")
        with listening(there, "reader", folders[1] / "mosquitto" / "reader.password") as reader:
            assert reader.heard == []


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


# --- a running node: status and panel


@pytest.fixture
def site(tmp_path: Path, free_port: FreePort, wait_until: Wait) -> Iterator[LoneSite]:
    made = LoneSite(tmp_path / "site", free_port, wait_until)
    yield made
    made.stop()


def test_without_a_node_status_and_panel_say_what_is_missing(site: LoneSite) -> None:
    site.make()
    for arguments in (["status", site.config], ["panel", site.config, "press", "help"]):
        line = refusal(*arguments)
        assert str(site.folder / "node.sock") in line
        assert "is steunpunt-node running?" in line


@pytest.mark.processes
def test_status_and_panel_of_a_running_node(site: LoneSite, wait_until: Wait) -> None:
    site.make(broker=False)
    site.start("node")
    down = type_in("status", site.config)
    assert (down.exit_code, down.stderr) == (1, "")
    assert down.stdout.splitlines()[0] == "kiosk 47, Buurthuis De Regenboog"
    assert re.search(rf"^  DOWN mesh: .*127\.0\.0\.1:{site.radio_port}.*\?$", down.stdout, re.MULTILINE)
    assert "       broker: not configured at this site" in down.stdout
    site.switch_radio_on()
    wait_until(lambda: site.ask("status")["links"]["mesh"]["up"], 20, "the node finds the radio")
    well = type_in("status", site.config)
    assert (well.exit_code, "DOWN" in well.stdout) == (0, False)
    told = type_in("status", site.config, "--json")
    assert json.loads(told.stdout)["site"]["id"] == 47
    pressed = type_in("panel", site.config, "press", "help")
    assert (pressed.exit_code, pressed.stdout) == (0, "help: lamp blinking, buzzer sounds\n")
    assert type_in("panel", site.config, "read", "help").stdout.startswith("help: lamp blinking, ")
    assert "known here: help" in refusal("panel", site.config, "press", "entrance")
    assert "button help: lamp blinking, ticket -" in type_in("status", site.config).stdout


@pytest.mark.processes
@pytest.mark.skipif(Path("/dev/gpiochip0").exists(), reason="real pins: a test must not take them")
def test_a_real_button_is_not_pressed_by_software(site: LoneSite) -> None:
    site.make(pins="gpio", broker=False)
    site.start("node")
    assert 'pins = "mock"' in refusal("panel", site.config, "press", "help")
    shown = type_in("status", site.config)
    assert shown.exit_code == 1
    assert re.search("^  DOWN panel: ", shown.stdout, re.MULTILINE)


def test_the_ledger_of_another_site_is_refused(site: LoneSite) -> None:
    site.make(broker=False)
    prepare(site.ledger)
    ledger = Ledger(site.ledger).open()
    check_owner(ledger, Role.COORDINATOR, 1)
    ledger.close()
    line = one_line_of(run("node", site.config))
    assert "this ledger is of coordinator 1, and this site is kiosk 47; " in line


# --- virtual radios


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--radio", "a"], "write NAME:PORT"),
        (["--radio", "a:b"], "write NAME:PORT"),
        (["--radio", ":0"], "name"),
        (["--radio", "a:70000"], "between 0 and 65535"),
        (["--radio", "a:0:51"], "NAME:PORT:LAT,LON"),
        (["--radio", "a:0:95,500"], "between -90 and 90"),
        (["--radio", "a:0:nan,5"], "between -90 and 90"),
        (["--radio", "a:0", "--radio", "a:0"], "give each its own"),
        (["--radio", "a:0", "--loss", "3"], "between 0 and 1"),
        (["--radio", "a:0", "--control-port", "99999"], "between 0 and 65535"),
        (["--radio", "a:0", "--control-port", "-1"], "between 0 and 65535"),
        (["--radio", "a:0", "--speed", "0"], "1 for real time"),
        (["--radio", "a:0", "--preset", "FAST"], "LONG_FAST"),
        (["--radio", "a:0", "--channel-keys", "nowhere.keys"], "steunpunt keys"),
    ],
)
def test_virtual_radios_that_cannot_be(arguments: list[str], says: str) -> None:
    assert says in refusal("virtual-radio", *arguments)


@pytest.mark.processes
def test_the_real_meshtastic_command_line_talks_to_it() -> None:
    command = steunpunt("virtual-radio", "--radio", "buurthuis:0", "--radio", "kazerne:0:50.8514,5.6910")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as radios:
        try:
            assert radios.stdout is not None
            told = [radios.stdout.readline().strip() for _ in range(2)]
            found = re.fullmatch(r"radio buurthuis listens on (127\.0\.0\.1:\d+)", told[0])
            assert found, told
            client = [sys.executable, "-m", "meshtastic", "--host", found[1], "--info"]
            shown = subprocess.run(client, capture_output=True, text=True, timeout=60, check=False)
        finally:
            radios.terminate()
    assert shown.returncode == 0, shown.stderr
    assert "Owner: buurthuis" in shown.stdout
    assert "kazerne" in shown.stdout


def test_a_wrong_log_level_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEUNPUNT_LOG", "loud")
    assert "DEBUG, INFO" in one_line_of(run("node", tmp_path / "site.toml"))
