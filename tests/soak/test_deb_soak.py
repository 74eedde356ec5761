"""The Debian package, installed without internet, upgraded, upgraded to what is broken, and removed.

In a Debian 12 with nothing but what the package depends on, made once by debootstrap under .cache/ and used through
overlayfs: what is written there is gone afterwards. Needs root, Debian's archive, the package index for the wheels, and
minutes: ``make deb-test``.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from steunpunt import __version__
from steunpunt.fleet.building import build
from steunpunt.fleet.cards import read_card
from steunpunt.fleet.checking import check
from steunpunt.ledger.store import HEAD_REVISION
from tests.fakes.fleet_files import fleet_files

PROJECT = Path(__file__).parents[2]
NEWER, BROKEN, UNFIT, DEAD = "0.9.1", "0.9.2", "0.9.3", "0.9.4"
OFFLINE = "-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/dev/null"
BASE = PROJECT / ".cache" / "debian-12"
DEPENDS = "python3,python3-venv,mosquitto,systemd"
RELEASES = "/opt/steunpunt/releases"
PYTHON = "/opt/steunpunt/.venv/bin/python"
LEDGER = "/var/lib/steunpunt/ledger.db"
OWNER = f"stat -c '%U %a' {LEDGER}"
FIRST_REVISION = "0001"
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    {does}
"""
CHANGED = 'op.create_table("of_later_software", sa.Column("id", sa.Integer(), primary_key=True))'
FAILS = 'raise RuntimeError("this migration cannot be done")'
# In the place of systemctl itself, for apt gives scripts a PATH of its own. What a node does first is done; then its
# start fails, while /fail is there.
SYSTEMCTL = f"""#!/bin/sh
echo "$*" >> /calls
case "$*" in
  "start steunpunt-node.service")
    {PYTHON} -m steunpunt.ledger.migrate {LEDGER} || exit 1
    [ ! -e /fail ] || {{ rm /fail; exit 1; }} ;;
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

    def ledger(self) -> tuple[str, str]:
        """What is in the ledger and whose it is, and of which revision its tables are."""
        asked = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(*c.execute(sys.argv[2]).fetchall())"
        questions = ("SELECT * FROM witness", "SELECT version_num FROM alembic_version")
        witness, revision = (self.run(f'python3 -c "{asked}" {LEDGER} "{each}"') for each in questions)
        return f"{witness.strip()} {self.run(OWNER).strip()}", revision.strip("(',)\n")

    def coder(self) -> str:
        """Who compresses texts in the version that runs."""
        return self.run(f"{PYTHON} -c 'from steunpunt.protocol.text import coder_words as w; print(w())'")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give this version, one without text coder, without a wheel, whose migration fails, that does not start."""
    folder = tmp_path_factory.mktemp("deb")
    arch, wheels = run("dpkg", "--print-architecture").strip(), folder / "wheels"
    run("sh", "systemd/debian/wheels.sh", sys.executable, arch, wheels)
    run("make", "--silent", "native", f"TEXTCODER={wheels}/textcoder.so")
    made = {}
    for version in (__version__, NEWER, BROKEN, UNFIT, DEAD):
        own = folder / version
        shutil.copytree(wheels, own)
        source = folder / f"source-{version}"
        ignored = shutil.ignore_patterns(".*", "build", "dist", "tests")
        shutil.copytree(PROJECT, source, ignore=ignored)
        init = source / "daemon" / "steunpunt" / "__init__.py"
        init.write_text(init.read_text("utf-8").replace(f'"{__version__}"', f'"{version}"'), "utf-8")
        if version in (UNFIT, DEAD):
            versions = source / "daemon" / "steunpunt" / "ledger" / "migrations" / "versions"
            does = FAILS if version == UNFIT else CHANGED
            (versions / "9999_later.py").write_text(MIGRATION.format(head=HEAD_REVISION, does=does), "utf-8")
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", own, source)
        if version == BROKEN:
            for path in own.glob("msgspec-*.whl"):
                path.unlink()
        if version == NEWER:
            (own / "textcoder.so").unlink()
        run("sh", "systemd/debian/build.sh", arch, own, version, folder / "dist")
        made[version] = folder / "dist" / f"steunpunt_{version}_{arch}.deb"
    return made


@pytest.fixture(scope="module")
def base() -> Path:
    """Give a Debian 12 that has what the package depends on; made at the first time."""
    if not BASE.exists():
        new = BASE.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        new.parent.mkdir(exist_ok=True)
        run("debootstrap", "--variant=minbase", f"--include={DEPENDS}", "bookworm", new)
        new.rename(BASE)
    return BASE.resolve()


@pytest.fixture
def debian(base: Path, tmp_path: Path) -> Iterator[Debian]:
    upper, work, root = (tmp_path / name for name in ("upper", "work", "root"))
    for each in (upper, work, root):
        each.mkdir()
    run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={base},upperdir={upper},workdir={work}", root)
    try:
        (root / "usr" / "sbin" / "policy-rc.d").write_text("#!/bin/sh\nexit 101\n", "utf-8")
        (root / "usr" / "sbin" / "policy-rc.d").chmod(0o755)
        yield Debian(root)
    finally:
        run("umount", root)


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a chroot needs root"),
    pytest.mark.skipif(
        shutil.which("debootstrap") is None, reason="debootstrap is missing: apt-get install debootstrap"
    ),
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

    # It was compiled for this machine, and its bytecode lies there: services may not write beside it.
    assert "compiled code" in debian.coder()
    assert debian.run(f"find {RELEASES}/{__version__} -name 'loop.cpython-3*.opt-2.pyc' | grep -c node") == "1\n"

    # A ledger of the oldest software, with something in it.
    old = f"from steunpunt.ledger.migrate import migrate, Path; migrate(Path('{LEDGER}'), '{FIRST_REVISION}')"
    witness = f"import sqlite3; c = sqlite3.connect('{LEDGER}'); c.execute('create table witness (x)'); "
    witness += "c.execute('insert into witness values (4712)'); c.commit()"
    debian.run(f'{PYTHON} -c "{old}"; python3 -c "{witness}"; chown steunpunt: {LEDGER}; chmod 660 {LEDGER}')
    kept = "(4712,) steunpunt 660"
    assert debian.ledger() == (kept, FIRST_REVISION)

    # Nothing runs here, so the ledger waits for its node. Without the text coder it works, and says so.
    assert "texts are compressed by Python" in debian.install(packages[NEWER])
    assert (debian.version(), debian.ledger()) == (NEWER, (kept, FIRST_REVISION))
    assert "compressed by Python" in debian.coder()

    assert "the environment could not be made; the old program goes on" in debian.install(packages[BROKEN], ok=False)
    assert (debian.version(), debian.ledger()) == (NEWER, (kept, FIRST_REVISION))
    assert "cannot migrate the ledger; the old one goes on" in debian.install(packages[UNFIT], ok=False)
    assert (debian.version(), debian.ledger()) == (NEWER, (kept, FIRST_REVISION))

    # A new version that does not start, after it has migrated the ledger: both go back.
    (debian.root / "run" / "systemd" / "system").mkdir(parents=True)
    (debian.root / "usr" / "bin" / "systemctl").unlink(missing_ok=True)
    (debian.root / "usr" / "bin" / "systemctl").write_text(SYSTEMCTL, "utf-8")
    (debian.root / "usr" / "bin" / "systemctl").chmod(0o755)
    (debian.root / "fail").touch()
    assert "the new version does not start; going back" in debian.install(packages[DEAD], ok=False)
    assert not (debian.root / "fail").exists(), "it was begun"
    assert (debian.version(), debian.ledger()) == (NEWER, (kept, FIRST_REVISION))
    assert (debian.root / "calls").read_text("utf-8").splitlines()[-1] == (
        "start steunpunt-node.service steunpunt-web.service"
    )
    debian.install(packages[DEAD])
    assert (debian.version(), debian.ledger()) == (DEAD, (kept, "9999"))
    assert debian.run("ls /var/lib/steunpunt").split() == ["ledger.db"], "no copy is left lying about"
    assert debian.run(f"ls {RELEASES}").split() == [NEWER, DEAD]

    told = debian.run("apt-get -q -y purge steunpunt")
    assert "/var/lib/steunpunt stays" in told
    assert debian.ledger() == (kept, "9999")
    assert debian.run("ls /opt/steunpunt 2>/dev/null || true") == ""
    assert "site.keys" in debian.run("ls /etc/steunpunt")
