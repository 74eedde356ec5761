"""The Debian package, installed without internet, upgraded, upgraded to what is broken, and removed.

On a copy-on-write view of this machine, which must be a Debian 12 or 13 with mosquitto and python3-venv. Needs root,
the package index for the wheels, and minutes: ``make deb-test``.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steunpunt import __version__
from steunpunt.fleet.building import build
from steunpunt.fleet.cards import read_card
from steunpunt.fleet.checking import check
from tests.fakes.fleet_files import fleet_files

PROJECT = Path(__file__).parents[2]
NEWER, BROKEN, UNFIT, DEAD = "0.9.1", "0.9.2", "0.9.3", "0.9.4"
OFFLINE = "-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/dev/null"
LEDGER = "/var/lib/steunpunt/ledger.db"
BROKEN_MIGRATION = """
revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    raise RuntimeError("this migration cannot be done")
"""
# In the place of systemctl itself, for apt gives scripts a PATH of its own. `start` of the node fails while /fail is
# there, after it changed the ledger.
SYSTEMCTL = """#!/bin/sh
echo "$*" >> /calls
case "$*" in
  "start steunpunt-node.service") [ ! -e /fail ] || { echo spoilt > /var/lib/steunpunt/ledger.db; rm /fail; exit 1; } ;;
esac
exit 0
"""


def run(*words: object, ok: bool = True) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, cwd=PROJECT)
    assert (done.returncode == 0) is ok, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


class Debian:
    """A fresh Debian in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, command: str, *, ok: bool = True) -> str:
        return run("chroot", self.root, "/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "sh", "-c", command, ok=ok)  # fmt: skip

    def install(self, package: Path, *, ok: bool = True) -> str:
        shutil.copy(package, self.root / "tmp" / package.name)
        return self.run(f"apt-get -q -y --allow-downgrades {OFFLINE} install /tmp/{package.name}", ok=ok)

    def version(self) -> str:
        return self.run("steunpunt --version").split()[-1]

    def ledger(self) -> str:
        """What is in the ledger, and whose it is."""
        script = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('select * from witness').fetchall())"
        return self.run(f'python3 -c "{script}" {LEDGER}; stat -c "%U %a" {LEDGER}')


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give this version, a newer one, one that lacks a wheel, one whose migration fails, one that does not start."""
    folder = tmp_path_factory.mktemp("deb")
    arch, wheels = run("dpkg", "--print-architecture").strip(), folder / "wheels"
    run("sh", "systemd/debian/wheels.sh", sys.executable, arch, wheels)
    made = {}
    for version in (__version__, NEWER, BROKEN, UNFIT, DEAD):
        own = folder / version
        shutil.copytree(wheels, own)
        source = folder / f"source-{version}"
        ignored = shutil.ignore_patterns(".*", "build", "dist", "tests")
        shutil.copytree(PROJECT, source, ignore=ignored)
        init = source / "daemon" / "steunpunt" / "__init__.py"
        init.write_text(init.read_text("utf-8").replace(f'"{__version__}"', f'"{version}"'), "utf-8")
        if version == UNFIT:
            versions = source / "daemon" / "steunpunt" / "ledger" / "migrations" / "versions"
            head = max(path.name[:4] for path in versions.glob("*.py"))
            (versions / "9999_broken.py").write_text(BROKEN_MIGRATION.format(head=head), "utf-8")
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", own, source)
        if version == BROKEN:
            for path in own.glob("msgspec-*.whl"):
                path.unlink()
        run("sh", "systemd/debian/build.sh", arch, own, version, folder / "dist")
        made[version] = folder / "dist" / f"steunpunt_{version}_{arch}.deb"
    return made


@contextmanager
def view_of_this_machine(folder: Path) -> Iterator[Debian]:
    """Give this machine as a Debian of its own: what is written there stays in the folder (overlayfs)."""
    upper, work, root = (folder / name for name in ("upper", "work", "root"))
    for each in (upper, work, root):
        each.mkdir()
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", root)
    try:
        for name in ("run/systemd", "var/lib/steunpunt", "opt/steunpunt", "etc/steunpunt"):
            shutil.rmtree(root / name, ignore_errors=True)
        policy = root / "usr" / "sbin" / "policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n", "utf-8")
        policy.chmod(0o755)
        yield Debian(root)
    finally:
        run("umount", root)


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Debian]:
    with view_of_this_machine(tmp_path) as found:
        yield found


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a chroot needs root"),
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="this is no Debian"),
]


def test_installed_upgraded_broken_and_removed(packages: dict[str, Path], debian: Debian, tmp_path: Path) -> None:
    told = debian.install(packages[__version__])
    assert "no site yet: open its bundle" in told
    assert debian.version() == __version__
    assert {"dialout", "gpio", "i2c", "steunpunt-desk"} <= set(debian.run("id -nG steunpunt").split())

    # It becomes a site by its bundle, whose files get their owners.
    region = fleet_files(tmp_path)
    (built,) = build(check(region), tmp_path / "out", [47])
    shutil.copy(built.bundle, debian.root / "tmp" / "47.bundle")
    code = read_card(built.card.folder).code
    debian.run(f"echo {code} | steunpunt fleet open /tmp/47.bundle --to / --code-stdin")
    assert debian.run("stat -c '%U %a' /etc/steunpunt/site.keys").strip() == "steunpunt 600"
    assert debian.run("stat -c '%U %a' /etc/steunpunt/site-key.pem").strip() == "mosquitto 600"
    assert "good. kiosk 47, Punt 47" in debian.run("steunpunt check /etc/steunpunt/site.toml")

    # A ledger with something in it.
    witness = f"import sqlite3; c = sqlite3.connect('{LEDGER}'); c.execute('create table witness (x)'); "
    witness += "c.execute('insert into witness values (4712)'); c.commit()"
    debian.run(f"/opt/steunpunt/.venv/bin/python -m steunpunt.ledger.migrate {LEDGER}")
    debian.run(f'python3 -c "{witness}"; chown steunpunt: {LEDGER}; chmod 660 {LEDGER}')
    kept = debian.ledger()
    assert kept == "[(4712,)]\nsteunpunt 660\n"

    debian.install(packages[NEWER])
    assert (debian.version(), debian.ledger()) == (NEWER, kept)

    assert "the environment could not be made; the old program goes on" in debian.install(packages[BROKEN], ok=False)
    assert (debian.version(), debian.ledger()) == (NEWER, kept)
    assert "cannot migrate the ledger; the old one goes on" in debian.install(packages[UNFIT], ok=False)
    assert (debian.version(), debian.ledger()) == (NEWER, kept)

    # A new version that does not start, after it has changed the ledger: both go back.
    (debian.root / "run" / "systemd" / "system").mkdir(parents=True)
    (debian.root / "usr" / "bin" / "systemctl").write_text(SYSTEMCTL, "utf-8")
    (debian.root / "usr" / "bin" / "systemctl").chmod(0o755)
    (debian.root / "fail").touch()
    assert "the new version does not start; going back" in debian.install(packages[DEAD], ok=False)
    assert (debian.version(), debian.ledger()) == (NEWER, kept)
    assert (debian.root / "calls").read_text("utf-8").splitlines()[-1] == (
        "start steunpunt-node.service steunpunt-web.service"
    )
    debian.install(packages[DEAD])
    assert (debian.version(), debian.ledger()) == (DEAD, kept)
    assert debian.run("ls /var/lib/steunpunt").split() == ["ledger.db"], "no copy is left lying about"
    assert debian.run("ls /opt/steunpunt/releases").split() == [NEWER, DEAD]

    told = debian.run("apt-get -q -y purge steunpunt")
    assert "/var/lib/steunpunt stays" in told
    assert debian.ledger() == kept
    assert debian.run("ls /opt/steunpunt 2>/dev/null || true") == ""
    assert "site.keys" in debian.run("ls /etc/steunpunt")
