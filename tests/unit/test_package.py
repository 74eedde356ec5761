"""The Debian package without its wheels: what is in it, and its scripts are shell. `make deb-test` installs it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DEBIAN = PROJECT / "systemd" / "debian"
PACKING_S_MAX = 300
SCRIPTS = ["preinst", "postinst", "prerm", "postrm"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed: no Debian")
    folder = tmp_path_factory.mktemp("deb")
    (folder / "wheels").mkdir()
    (folder / "wheels" / "steunpunt-9.9-py3-none-any.whl").write_bytes(b"no wheel")
    (folder / "wheels" / "textcoder.so").write_bytes(b"no code")
    words: list[str | Path] = ["/bin/sh", DEBIAN / "build.sh", "arm64", folder / "wheels", "9.9", folder / "dist"]
    subprocess.run(words, check=True, capture_output=True, cwd=PROJECT, timeout=PACKING_S_MAX)
    return folder / "dist" / "steunpunt_9.9_arm64.deb"


def dpkg_deb(*words: str | Path) -> str:
    found = shutil.which("dpkg-deb") or "dpkg-deb"
    return subprocess.run([found, *words], check=True, capture_output=True, text=True, timeout=PACKING_S_MAX).stdout


@pytest.mark.parametrize("name", [*SCRIPTS, "build.sh", "wheels.sh"])
def test_the_scripts_are_plain_shell(name: str) -> None:
    subprocess.run(["/bin/sh", "-n", DEBIAN / name], check=True, timeout=PACKING_S_MAX)


def test_units_users_rules_and_snippets_are_where_debian_wants_them(package: Path) -> None:
    listed = {line.split()[5].removeprefix("."): line.split()[:2] for line in dpkg_deb("-c", package).splitlines()}
    units = [
        path.name for pattern in ("*.service", "*.path", "*.target") for path in (PROJECT / "systemd").glob(pattern)
    ]
    assert units
    wanted = {f"/usr/lib/systemd/system/{name}" for name in units} | {
        "/usr/lib/systemd/system/mosquitto.service.d/steunpunt.conf",
        "/usr/lib/sysusers.d/steunpunt.conf",
        "/usr/lib/tmpfiles.d/steunpunt.conf",
        "/usr/lib/udev/rules.d/60-steunpunt-power.rules",
        "/usr/share/polkit-1/rules.d/steunpunt.rules",
        "/usr/bin/steunpunt",
        "/opt/steunpunt/wheels/steunpunt-9.9-py3-none-any.whl",
        "/opt/steunpunt/native/textcoder.so",
        "/opt/steunpunt/requirements.txt",
        "/opt/steunpunt/config/hotspot/steunpunt.nft",
        "/opt/steunpunt/config/nut/ups.conf",
        "/opt/steunpunt/docs/operation.md",
    }
    assert wanted - listed.keys() == set()
    assert {owner for _, owner in listed.values()} == {"root/root"}
    assert not [path for path in listed if path.startswith(("/etc/", "/var/"))], "what is a site's own stays its own"


def test_its_head_and_scripts_know_version_and_architecture(package: Path, tmp_path: Path) -> None:
    dpkg_deb("-e", package, tmp_path)
    head = (tmp_path / "control").read_text("utf-8")
    assert "Package: steunpunt\nVersion: 9.9\nArchitecture: arm64\n" in head
    assert "@" not in re.sub(r"<.*>", "", head)
    assert "version=9.9\n" in (tmp_path / "postinst").read_text("utf-8")
    for name in SCRIPTS:
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o755
        assert not re.search(r"@[A-Z]+@", (tmp_path / name).read_text("utf-8"))


def test_the_requirements_are_the_locks_versions(package: Path, tmp_path: Path) -> None:
    dpkg_deb("-x", package, tmp_path)
    asked = (tmp_path / "opt" / "steunpunt" / "requirements.txt").read_text("utf-8").splitlines()
    locked = re.findall(r"(?m)^([\w.-]+==[\w.]+)", (PROJECT / "config" / "lock" / "run.txt").read_text("utf-8"))
    assert asked == [*locked, "steunpunt==9.9"]
