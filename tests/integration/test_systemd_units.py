"""The units in a staged root: accepted, hardened, and folders that let in only whom they should."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from steunpunt.node.links import RESTART_REQUEST
from steunpunt.screenconfig import Screen

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
SERVICES = ("steunpunt-node.service", "steunpunt-web.service")
RESTART = "steunpunt-broker-restart"
HOTSPOT = "steunpunt-hotspot.service"
PROGRAMS = (
    *("opt/steunpunt/.venv/bin/steunpunt", "bin/rm", "bin/sleep", "bin/systemctl"),
    *("usr/sbin/nft", "usr/bin/cage"),
)
SCREEN = "steunpunt-screen.service"
# What systemd-analyze's own scale calls "safe" begins below 2.5; these may only be lowered.
EXPOSURE_MAX = {
    "steunpunt-node.service": 1.7,
    "steunpunt-web.service": 1.1,
    f"{RESTART}.service": 1.5,
    HOTSPOT: 2.5,
    SCREEN: 2.8,  # a browser makes namespaces and runs what it compiled
}

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing: apt-get install systemd"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")


@pytest.fixture
def stage() -> Iterator[Path]:
    """Give a root with the units where they belong and a program where they look for it."""
    root = Path(tempfile.mkdtemp(prefix="steunpunt-stage-"))
    root.chmod(0o755)  # other users must come through
    for source, target in (
        ("*.service", "etc/systemd/system"),
        ("*.target", "etc/systemd/system"),
        ("*.path", "etc/systemd/system"),
        ("sysusers.d/*.conf", "usr/lib/sysusers.d"),
        ("tmpfiles.d/*.conf", "usr/lib/tmpfiles.d"),
    ):
        (root / target).mkdir(parents=True, exist_ok=True)
        for path in UNITS.glob(source):
            shutil.copy(path, root / target)
    for name in PROGRAMS:
        program = root / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
    yield root
    shutil.rmtree(root)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def verify(stage: Path) -> subprocess.CompletedProcess[str]:
    units = sorted(path.name for path in (stage / "etc/systemd/system").iterdir())
    return run("systemd-analyze", "verify", f"--root={stage}", "--recursive-errors=no", "--man=no", *units)


@needs_systemd
def test_systemd_accepts_the_units(stage: Path) -> None:
    seen = verify(stage)
    assert (seen.returncode, seen.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize(
    ("wrong", "says"),
    [("Restart=sometimes", "sometimes"), ("RestrtSec=1", "RestrtSec"), ("ExecStart=/not/there", "not/there")],
)
def test_systemd_would_have_said_so(stage: Path, wrong: str, says: str) -> None:
    unit = stage / "etc/systemd/system/steunpunt-node.service"
    text = unit.read_text()
    unit.write_text(re.sub(r"(?m)^ExecStart=.*$", wrong if "Exec" in wrong else rf"\g<0>\n{wrong}", text))
    assert says in verify(stage).stderr


@needs_systemd
@pytest.mark.parametrize("name", EXPOSURE_MAX)
def test_a_break_in_finds_little(stage: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    seen = run("systemd-analyze", "security", "--offline=true", f"--root={stage}", "--no-pager", name)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", seen.stdout)
    assert found, seen
    with capsys.disabled():
        print(f"\n{name}: exposure {found[1]} (at most {EXPOSURE_MAX[name]})")
    assert float(found[1]) <= EXPOSURE_MAX[name]


def settings(name: str) -> dict[str, list[str]]:
    """Read a unit's settings, each with all its values in order."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_comes_back_whatever_happens(name: str) -> None:
    unit = settings(name)
    wanted = {
        "Type": "notify",
        "Restart": "always",
        "RestartSec": "1",
        "StartLimitIntervalSec": "0",
        "WatchdogSec": "20",
        "LimitCORE": "0",
        "MemorySwapMax": "0",
        "UMask": "0007",
    }
    assert {key: unit.get(key) for key in wanted} == {key: [value] for key, value in wanted.items()}
    assert "RestartPreventExitStatus" not in unit


def test_the_browser_comes_back_and_reaches_nothing_of_the_point_but_its_pages() -> None:
    unit = settings(SCREEN)
    wanted = {"Type": "notify", "Restart": "always", "StartLimitIntervalSec": "0", "WatchdogSec": "20"}
    assert {key: unit.get(key) for key in wanted} == {key: [value] for key, value in wanted.items()}
    assert unit["User"] not in (settings("steunpunt-node.service")["User"], settings("steunpunt-web.service")["User"])
    assert unit["IPAddressDeny"] == ["any"]
    assert unit["IPAddressAllow"] == ["localhost"]
    assert {line.split()[0] for line in unit["DeviceAllow"]} == {"char-drm", "char-alsa"}
    assert "-/run/steunpunt" in unit["InaccessiblePaths"][0].split()
    assert "ReadWritePaths" not in unit
    assert "steunpunt-control" not in unit["SupplementaryGroups"][0]


def test_the_browsers_policy_lets_it_to_the_port_of_the_config_alone() -> None:
    policy = json.loads((ROOT / "config" / "browser" / "steunpunt.json").read_text("utf-8"))
    assert policy["URLAllowlist"] == [f"http://127.0.0.1:{Screen().port}"]
    assert {"*", "chrome://*"} <= set(policy["URLBlocklist"]), "* alone does not mean the browser's own pages"


def test_the_file_by_which_the_node_asks_for_a_restart_is_the_one_that_systemd_looks_for() -> None:
    """The request is taken away first, or it would be obeyed for ever; the pauses bound how often it can be."""
    (runtime,) = settings("steunpunt-node.service")["RuntimeDirectory"]
    (watched,) = settings(f"{RESTART}.path")["PathExists"]
    assert watched == f"/run/{runtime}/{RESTART_REQUEST}"
    commands = settings(f"{RESTART}.service")["ExecStart"]
    assert commands[0] == f"/bin/rm -f {watched}"
    assert commands[-2:] == ["/bin/systemctl restart mosquitto.service", "/bin/sleep 60"]
    assert settings(f"{RESTART}.service")["StartLimitIntervalSec"] == ["0"], "or the path unit fails and stays failed"


def test_only_the_node_has_devices() -> None:
    node, web = settings("steunpunt-node.service"), settings("steunpunt-web.service")
    assert {line.split()[0] for line in node["DeviceAllow"]} == {
        "char-ttyACM",
        "char-ttyUSB",
        "char-gpiochip",
        "char-i2c",
    }
    assert "DeviceAllow" not in web
    assert web["PrivateDevices"] == ["yes"]
    assert node["User"] != web["User"]
    # gpiozero reads the board's revision in /proc.
    assert "ProcSubset" not in node


def allowed(unit: dict[str, list[str]]) -> set[str]:
    places = {place for line in unit.get("ReadWritePaths", []) for place in line.split()}
    return places | {f"/var/lib/{name}" for line in unit.get("StateDirectory", []) for name in line.split()}


def example(name: str) -> dict[str, dict[str, str]]:
    loaded: dict[str, dict[str, str]] = tomllib.loads((ROOT / "config" / name).read_text("utf-8"))
    return loaded


def test_the_units_allow_what_the_example_configs_ask_for() -> None:
    node, web = allowed(settings("steunpunt-node.service")), allowed(settings("steunpunt-web.service"))
    hidden = settings("steunpunt-web.service")["InaccessiblePaths"]
    kiosk, desk = example("kiosk.toml"), example("coordinator.toml")
    for site in (kiosk, desk):
        assert os.path.dirname(site["control"]["socket"]) in node  # noqa: PTH120  a plain string
        assert os.path.dirname(site["ledger"]["path"]) in node  # noqa: PTH120
    assert os.path.dirname(desk["ledger"]["path"]) in web  # noqa: PTH120
    assert hidden == [f"-{os.path.dirname(kiosk['ledger']['path'])}"]  # noqa: PTH120


def test_the_secrets_of_the_example_configs_get_their_owners() -> None:
    lines = [line.split() for line in (UNITS / "tmpfiles.d/steunpunt.conf").read_text("utf-8").splitlines()]
    owners = {line[1]: (line[2], line[3]) for line in lines if line and line[0] == "z"}
    for site in (example("kiosk.toml"), example("coordinator.toml")):
        for name in (site["keys"]["file"], site["broker"]["password_file"]):
            assert owners[f"/etc/steunpunt/{name}"] == ("0600", "steunpunt")
    passwords = example("coordinator.toml")["web"]["desk_passwords_file"]
    assert owners[f"/etc/steunpunt/{passwords}"] == ("0600", "steunpunt-web")


class Users:
    """The users that systemd-sysusers made in the stage, and what one of them may do there."""

    def __init__(self, stage: Path) -> None:
        self.stage = stage
        passwd = [line.split(":") for line in (stage / "etc/passwd").read_text().splitlines()]
        group = [line.split(":") for line in (stage / "etc/group").read_text().splitlines()]
        self.ids = {line[0]: (int(line[2]), int(line[3])) for line in passwd}
        self.groups = {line[0]: (int(line[2]), set(line[3].split(","))) for line in group}

    def does(self, name: str, code: str) -> str:
        """Run Python as this user with the units' umask; returns what it printed, or its error's name."""
        uid, gid = self.ids.get(name, (64000, 64000))
        extra = [number for number, members in self.groups.values() if name in members]
        # It imports as root, who may enter our .venv, and then becomes the user for good.
        become = f"os.umask(0o007); os.setgroups({extra}); os.setgid({gid}); os.setuid({uid})"
        seen = subprocess.run(
            [sys.executable, "-I", "-c", f"import os, socket, sqlite3, sys\n{become}\n{code}"],
            cwd=self.stage,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return seen.stdout.strip() or seen.stderr.strip().splitlines()[-1]


@pytest.fixture
def users(stage: Path) -> Users:
    for command in (
        ["systemd-sysusers", f"--root={stage}"],
        ["systemd-tmpfiles", f"--root={stage}", "--create", "steunpunt.conf"],
    ):
        seen = run(*command)
        assert seen.returncode == 0, seen.stderr
    return Users(stage)


ADD = """
path = 'var/lib/steunpunt-desk/ledger.db'
if not os.path.exists(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o660))
ledger = sqlite3.connect(path, timeout=10)
ledger.execute('PRAGMA journal_mode=WAL')
ledger.execute('CREATE TABLE IF NOT EXISTS t (n)')
ledger.execute('INSERT INTO t VALUES (1)')
ledger.commit()
print(ledger.execute('SELECT count(*) FROM t').fetchone()[0])
{end}
"""
CRASHES = "sys.stdout.flush(); os.kill(os.getpid(), 9)"  # leaves the -wal and -shm files to the next one


@needs_systemd
@needs_root
def test_node_and_web_share_a_desks_ledger_and_nobody_else_does(users: Users) -> None:
    dies, ends = ADD.format(end=CRASHES), ADD.format(end="ledger.close()")
    counts = [users.does(who, dies) for who in ("steunpunt", "steunpunt-web", "steunpunt")]
    assert counts == ["1", "2", "3"]
    # Closed in order, the companions are gone; now the web makes them and the node must get in.
    assert users.does("steunpunt", ends) == "4"
    assert [path.name for path in (users.stage / "var/lib/steunpunt-desk").iterdir()] == ["ledger.db"]
    assert users.does("steunpunt-web", dies) == "5"
    assert users.does("steunpunt", dies) == "6"
    assert "Permission denied" in users.does("stranger", ends)


LISTEN = """
listener = socket.socket(socket.AF_UNIX)
listener.bind('run/steunpunt/node.sock')
print('listens')
"""
CONNECT = """
try:
    socket.socket(socket.AF_UNIX).connect('run/steunpunt/node.sock')
except PermissionError:
    print('may not')
except ConnectionRefusedError:
    print('may')
"""


@needs_systemd
@needs_root
def test_the_control_socket_is_open_to_its_group_alone(users: Users) -> None:
    assert users.does("steunpunt", LISTEN) == "listens"
    seen = {who: users.does(who, CONNECT) for who in ("steunpunt", "steunpunt-web", "stranger")}
    assert seen == {"steunpunt": "may", "steunpunt-web": "may", "stranger": "may not"}
    replace = "os.unlink('run/steunpunt/node.sock')"
    assert "PermissionError" in users.does("steunpunt-web", replace), "or it could play the node"


@needs_systemd
@needs_root
def test_a_technicians_files_get_their_owners(stage: Path, users: Users) -> None:
    folder = stage / "etc/steunpunt"
    for name in ("site.toml", "site.keys", "broker.password", "desk.passwords"):
        (folder / name).write_text("x")
        (folder / name).chmod(0o644)
    assert run("systemd-tmpfiles", f"--root={stage}", "--create", "steunpunt.conf").returncode == 0
    read = "print(open('etc/steunpunt/{}').read())"
    may = {
        (who, name)
        for who in ("steunpunt", "steunpunt-web", "stranger")
        for name in ("site.toml", "site.keys", "broker.password", "desk.passwords")
        if users.does(who, read.format(name)) == "x"
    }
    assert may == {
        ("steunpunt", "site.toml"),
        ("steunpunt", "site.keys"),
        ("steunpunt", "broker.password"),
        ("steunpunt-web", "site.toml"),
        ("steunpunt-web", "desk.passwords"),
        ("stranger", "site.toml"),
    }


@needs_systemd
def test_the_settings_of_systemd_and_journald_have_names_that_these_know() -> None:
    for folder, program in (("system.conf.d", "systemd"), ("journald.conf.d", "systemd-journald")):
        found = re.findall(r"^(\w+)=", (UNITS / folder / "50-steunpunt.conf").read_text("ascii"), re.MULTILINE)
        known = b"".join(path.read_bytes() for path in Path("/lib/systemd").glob(f"{program}*") if path.is_file())
        known += b"".join(path.read_bytes() for path in Path("/lib/systemd").glob("libsystemd-*.so"))
        assert found
        assert [key for key in found if key.encode() not in known] == []


GENERATOR = Path("/lib/systemd/system-generators/systemd-fstab-generator")


@pytest.mark.skipif(not GENERATOR.exists(), reason="systemd's generators are missing: apt-get install systemd")
def test_a_device_with_a_read_only_root_mounts_what_must_last(tmp_path: Path) -> None:
    """As systemd reads the lines at each start: the places are mounts that wait for the partition."""
    environment = {**os.environ, "SYSTEMD_FSTAB": str(UNITS / "data" / "fstab"), "SYSTEMD_SYSROOT_FSTAB": "/dev/null"}
    folders = [tmp_path / name for name in ("normal", "early", "late")]
    for folder in folders:
        folder.mkdir()
    made = subprocess.run(
        [GENERATOR, *folders], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert made.returncode == 0, made.stderr
    mounts = {path.name: path.read_text("utf-8") for path in folders[0].glob("*.mount")}
    ours = {"var-lib-steunpunt.mount", r"var-lib-steunpunt\x2ddesk.mount", r"var-lib-steunpunt\x2dpages.mount"}
    bound = ours | {"var-lib-mosquitto.mount"}
    assert mounts.keys() == bound | {"data.mount"}
    assert all("RequiresMountsFor=/data" in mounts[name] for name in bound)
    assert "Where=/data" in mounts["data.mount"]
    needed = (UNITS / "steunpunt-node.service.d" / "data.conf").read_text("ascii")
    assert "AssertPathIsMountPoint=/var/lib/steunpunt" in needed
