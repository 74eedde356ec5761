"""`fleet flash`: a card with which a Pi becomes its site by itself, on a made image of the shape of Raspberry Pi OS."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from steunpunt.cli import main
from steunpunt.fleet import flashing, writing
from steunpunt.fleet.cards import FleetError
from steunpunt.fleet.checking import check
from steunpunt.fleet.firstboot import first_run_cmdline, packages_in, public_key
from steunpunt.fleet.image import boot_partition
from steunpunt.fleet.sealing import open_archive, read_head
from tests.fakes.fleet_files import fleet_files
from tests.fakes.pi_image import BOOT_SECTORS, BOOT_START, CMDLINE, SECTOR, pi_image, read_boot, root_of

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIexample technicus@kantoor\n"
LOSETUP = shutil.which("losetup", path=os.environ["PATH"] + ":/usr/sbin:/sbin") or "losetup"
TEMPLATES = Path(flashing.__file__).parent / "templates"


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flash")
    (folder / "packages").mkdir()
    for name in ("steunpunt_0.1.0_arm64.deb", "mosquitto_2.0.11_arm64.deb"):
        (folder / "packages" / name).write_bytes(name.encode() * 1000)
    (folder / "key.pub").write_text(KEY, "utf-8")
    return fleet_files(folder)


def plan(region: Path, image: Path, target: Path, *, key: bool = False) -> flashing.Plan:
    folder = region.parent
    return flashing.Plan(check(region), 47, image, folder / "packages", target, folder / "key.pub" if key else None)


SCRIPT_S_MAX = 300
"""Of the device's own script, which starts the program four times."""

# --- what is on the card ------------------------------------------------------------------------------------------


def test_a_current_image_gets_cloud_init_bundle_and_packages(region: Path, tmp_path: Path) -> None:
    image, card = pi_image(tmp_path / "raspios.img"), tmp_path / "card.img"
    before = image.read_bytes()
    done = flashing.flash(plan(region, image, card, key=True))
    assert image.read_bytes() == before, "the image is never changed"
    assert (done.size, card.stat().st_size) == (len(before), len(before))
    assert root_of(card) == root_of(image)
    user_data = read_boot(card, "user-data").decode()
    assert user_data.startswith("#cloud-config\n")
    assert "  - [sh, /boot/firmware/steunpunt/first-boot.sh]\n" in user_data
    assert "hostname: steunpunt-47\n" in user_data
    assert read_boot(card, "cmdline.txt").decode() == CMDLINE
    assert read_boot(card, "steunpunt/first-boot.sh") == (TEMPLATES / "first-boot.sh").read_bytes()
    assert read_boot(card, "steunpunt/technician.pub").decode() == KEY
    for package in (region.parent / "packages").iterdir():
        assert read_boot(card, f"steunpunt/packages/{package.name}") == package.read_bytes()
    bundle = tmp_path / "site.bundle"
    bundle.write_bytes(read_boot(card, "steunpunt/site.bundle"))
    assert open_archive(bundle, read_boot(card, "steunpunt/site.code").decode())[0].site == 47


def test_a_card_that_is_not_there_is_no_file_in_its_place(region: Path, tmp_path: Path) -> None:
    card = Path("/dev/steunpunt-no-such-card")
    with pytest.raises(FleetError, match="no such disk; put the card in, and look with lsblk"):
        flashing.flash(plan(region, pi_image(tmp_path / "raspios.img"), card))
    assert not card.exists()


@pytest.mark.parametrize(
    ("issue", "mount"),
    [("Raspberry Pi reference 2024-11-19\n", "/boot/firmware"), ("Raspberry Pi reference 2023-05-03\n", "/boot")],
)
def test_an_older_image_gets_a_first_run_script(region: Path, tmp_path: Path, issue: str, mount: str) -> None:
    image, card = pi_image(tmp_path / "raspios.img", cloud_init=False, issue=issue), tmp_path / "card.img"
    flashing.flash(plan(region, image, card))
    assert read_boot(card, "cmdline.txt").decode() == (
        f"{CMDLINE.strip()} systemd.run={mount}/steunpunt/first-run.sh systemd.run_success_action=reboot "
        "systemd.unit=kernel-command-line.target\n"
    )
    assert read_boot(card, "steunpunt/first-run.sh") == (TEMPLATES / "first-run.sh").read_bytes()


def test_the_command_line_runs_one_script_whatever_was_there() -> None:
    once = first_run_cmdline("a systemd.run=/boot/firstrun.sh systemd.unit=x.target b", "/boot/s.sh")
    assert once.split()[:3] == ["a", "b", "systemd.run=/boot/s.sh"]
    assert first_run_cmdline(once, "/boot/s.sh") == once


# --- resuming and reading back ------------------------------------------------------------------------------------


def test_the_same_command_goes_on_where_the_card_was_pulled_out(region: Path, tmp_path: Path) -> None:
    image, card = pi_image(tmp_path / "raspios.img"), tmp_path / "card.img"

    class PulledOutError(Exception):
        pass

    chunks: list[int] = []

    def pulled_out(size: int) -> None:
        chunks.append(size)
        if len(chunks) == 2:
            raise PulledOutError

    with pytest.raises(PulledOutError):
        flashing.flash(plan(region, image, card), pulled_out)
    again = flashing.flash(plan(region, image, card))
    assert 0 < again.written < again.size
    assert flashing.flash(plan(region, image, card)).written == 0, "nothing is written twice"


def test_a_bar_reaches_its_end(region: Path, tmp_path: Path) -> None:
    image = pi_image(tmp_path / "raspios.img")
    made, told = plan(region, image, tmp_path / "card.img"), list[int]()
    flashing.flash(made, told.append)
    assert sum(told) == flashing.steps(made)


def test_a_card_that_does_not_hold_what_it_took_is_found(region: Path, tmp_path: Path) -> None:
    image, card = pi_image(tmp_path / "raspios.img"), tmp_path / "card.img"
    made = plan(region, image, card)
    seen = [0]

    def spoil(size: int) -> None:
        seen[0] += size
        if seen[0] == image.stat().st_size:  # all is written, nothing is read back yet
            with card.open("r+b") as file:
                file.seek(-1, os.SEEK_END)
                last = file.read(1)[0]
                file.seek(-1, os.SEEK_END)
                file.write(bytes([last ^ 1]))

    with pytest.raises(FleetError, match="what is read back is not what was written; throw this card away"):
        flashing.flash(made, spoil)


@contextmanager
def loop_device(size: int, folder: Path) -> Iterator[Path]:
    backing = folder / "backing"
    backing.write_bytes(b"")
    os.truncate(backing, size)
    made = subprocess.run([LOSETUP, "--find", "--show", backing], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no loop device here: {made.stderr.strip()}")
    device = made.stdout.strip()
    try:
        yield Path(device)
    finally:
        subprocess.run([LOSETUP, "--detach", device], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="a loop device needs root")
def test_a_real_block_device(region: Path, tmp_path: Path) -> None:
    image = pi_image(tmp_path / "raspios.img")
    with loop_device(32 << 20, tmp_path) as device:
        done = flashing.flash(plan(region, image, device))
        assert done.written > 0
        assert read_boot(device, "steunpunt/site.code")
        assert flashing.flash(plan(region, image, device)).written == 0
        assert f"{device}, 0.0 GB" in writing.describe(device)
    with loop_device(8 << 20, tmp_path) as device, pytest.raises(FleetError, match="has 8 MiB, the image 16 MiB"):
        flashing.flash(plan(region, image, device))


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.fixture
def computer(tmp_path: Path) -> tuple[Path, Path]:
    """Give /sys/block and /proc of a computer: its own disk sda, a mounted card sdb, a free one sdc, a swap sdd."""
    block, proc = tmp_path / "block", tmp_path / "proc"
    for index, disk in enumerate(("sda", "sdb", "sdc", "sdd", "sde")):
        part = block / disk / f"{disk}1"
        (part / "holders").mkdir(parents=True)
        (block / disk / "dev").write_text(f"8:{16 * index}\n")
        (part / "dev").write_text(f"8:{16 * index + 1}\n")
        (part / "partition").write_text("1\n")
    (block / "sde" / "sde1" / "holders" / "dm-0").mkdir()
    (proc / "self").mkdir(parents=True)
    mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 8:17 / /media/bootfs rw - vfat /dev/sdb1 rw\n"
    (proc / "self" / "mountinfo").write_text(mounts)
    (proc / "swaps").write_text("Filename Type Size Used Priority\n/dev/sdd1 partition 100 0 -2\n")
    return block, proc


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("8:0", "is this computer's own disk; take another one"),
        ("8:16", "is mounted at /media/bootfs; type: sudo umount /media/bootfs"),
        ("8:33", "is a partition or no disk; name the whole disk"),
        ("8:48", r"is in use by this computer \(/dev/sdd1\)"),
        ("8:64", r"is in use by this computer \(dm-0\)"),
    ],
)
def test_a_disk_in_use_is_refused(computer: tuple[Path, Path], number: str, expected: str) -> None:
    block, proc = computer
    with pytest.raises(FleetError, match=expected):
        writing.refuse_device(number, Path("/dev/x"), sys_block=block, proc=proc)


def test_a_card_that_nobody_uses_is_not_refused(computer: tuple[Path, Path]) -> None:
    block, proc = computer
    writing.refuse_device("8:32", Path("/dev/sdc"), sys_block=block, proc=proc)


def test_the_disk_below_this_very_folder_is_refused() -> None:
    """On this computer, whatever it is made of, the disk of / must not be writable."""
    number = Path("/").stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    with pytest.raises(FleetError, match=r"own disk|is a partition or no disk|in use"):
        writing.refuse_device(device, Path("/dev/x"), sys_block=Path("/sys/block"), proc=Path("/proc"))


def test_the_image_itself_and_what_is_no_disk_are_refused(region: Path, tmp_path: Path) -> None:
    image = pi_image(tmp_path / "raspios.img")
    (tmp_path / "link").symlink_to(image)
    with pytest.raises(FleetError, match="is the image itself"):
        flashing.flash(plan(region, image, tmp_path / "link"))
    with pytest.raises(FleetError, match="is no disk and no file"):
        flashing.flash(plan(region, image, Path("/dev/null")))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xfd7zXZ" + bytes(600), "is no image of a disk; unpack it first: unxz"),
        (bytes(510) + b"\x55\xaa", "has no FAT boot partition; take Raspberry Pi OS"),
        (
            bytes(450) + b"\x0c" + bytes(3) + b"\x00\x20\0\0\x00\x40\0\0" + bytes(48) + b"\x55\xaa",
            "ends before its boot partition",
        ),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "raspios.img.xz"
    path.write_bytes(data)
    with pytest.raises(FleetError, match=expected):
        boot_partition(path)


def test_the_boot_partition_is_found(tmp_path: Path) -> None:
    found = boot_partition(pi_image(tmp_path / "raspios.img"))
    assert (found.start, found.size) == (BOOT_START * SECTOR, BOOT_SECTORS * SECTOR)


def test_packages_that_do_not_fit_are_refused_before_the_card_is_touched(region: Path, tmp_path: Path) -> None:
    image, card = pi_image(tmp_path / "raspios.img"), tmp_path / "card.img"
    (tmp_path / "steunpunt_1_arm64.deb").write_bytes(os.urandom(9 << 20))
    made = flashing.Plan(check(region), 47, image, tmp_path, card)
    with pytest.raises(FleetError, match=r"its boot partition cannot be filled .*carry fewer packages"):
        flashing.flash(made)
    assert not card.exists()


def test_packages_without_the_program_and_a_private_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match=r"holds no steunpunt_\*\.deb; put there what `make deb` made"):
        packages_in(tmp_path)
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n", "utf-8")
    with pytest.raises(FleetError, match="is no public SSH key"):
        public_key(tmp_path / "key")


def test_the_command_asks_first_and_says_what_was_done(region: Path, tmp_path: Path) -> None:
    image, card = pi_image(tmp_path / "raspios.img"), tmp_path / "card.img"
    words = ["fleet", "flash", "47", "--region", str(region), "--image", str(image), "--to", str(card)]
    words += ["--packages", str(region.parent / "packages")]
    refused = CliRunner().invoke(main, words, input="n\n")
    assert refused.exit_code == 1
    assert refused.stderr.endswith("steunpunt: nothing was written\n")
    assert not card.exists()
    done = CliRunner().invoke(main, [*words, "--yes"])
    assert (done.exit_code, done.stdout) == (0, f"{card}: 16 MiB; read back and right\n")


# --- the first start ----------------------------------------------------------------------------------------------

STUB = '#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLS"\n'


def first_boot(folder: Path, root: Path, *, apt: str = STUB) -> "subprocess.CompletedProcess[bytes]":
    """Run the script of the card as root of ``root``; what belongs to a running Pi is noted instead of done."""
    tools = root.parent / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("systemctl", "systemd-tmpfiles", "useradd", "usermod", "id"):
        (tools / name).write_text(STUB, "utf-8")
    (tools / "apt-get").write_text(apt, "utf-8")
    program = root / "opt" / "steunpunt" / ".venv" / "bin" / "steunpunt"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m steunpunt "$@"\n', "utf-8")
    for path in (*tools.iterdir(), program):
        path.chmod(0o755)
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "STEUNPUNT_ROOT": str(root)}
    env["CALLS"] = str(root.parent / "calls")
    return subprocess.run(
        ["/bin/sh", folder / "first-boot.sh"], env=env, capture_output=True, check=False, timeout=SCRIPT_S_MAX
    )


def carried(region: Path, tmp_path: Path) -> Path:
    """Give the folder as it is on a card."""
    image, card = pi_image(tmp_path / "raspios.img"), tmp_path / "card.img"
    flashing.flash(plan(region, image, card))
    folder = tmp_path / "steunpunt"
    (folder / "packages").mkdir(parents=True)
    for name in ("first-boot.sh", "site.bundle", "site.code"):
        (folder / name).write_bytes(read_boot(card, f"steunpunt/{name}"))
    return folder


def test_at_its_first_start_the_device_becomes_its_site_and_the_secrets_leave(region: Path, tmp_path: Path) -> None:
    folder, root = carried(region, tmp_path), tmp_path / "root"
    code = (folder / "site.code").read_text("utf-8").strip()
    done = first_boot(folder, root)
    log = (folder / "first-boot.log").read_text("utf-8")
    assert done.returncode == 0, log
    assert (root / "etc" / "steunpunt" / "site.toml").is_file()
    assert (root / "etc" / "steunpunt" / "site.keys").stat().st_mode & 0o777 == 0o600
    assert not (folder / "site.code").exists()
    assert not (folder / "site.bundle").exists()
    assert code not in log
    assert log.splitlines()[-1] == "steunpunt: done: this is kiosk 47, Punt 47, Kerkplein 47, Maastricht"
    assert "the radio is not set yet" in log, "there is none here, and the point starts all the same"
    calls = (tmp_path / "calls").read_text("utf-8")
    assert "sourceparts=/dev/null" in calls, "nothing is fetched"
    assert "systemctl enable --now steunpunt-node.service steunpunt-web.service" in calls
    assert first_boot(folder, root).returncode == 0
    assert (folder / "first-boot.log").read_text("utf-8") == log, "once is enough"


def test_when_a_package_is_missing_the_secrets_stay_for_the_next_try(region: Path, tmp_path: Path) -> None:
    folder, root = carried(region, tmp_path), tmp_path / "root"
    done = first_boot(folder, root, apt="#!/bin/sh\necho 'E: Unmet dependencies'\nexit 100\n")
    assert done.returncode == 1
    log = (folder / "first-boot.log").read_text("utf-8")
    assert log.splitlines()[-2:] == [
        "E: Unmet dependencies",
        "steunpunt: FAILED: the packages could not be installed; is one that they need missing from packages/?",
    ]
    assert read_head(folder / "site.bundle").site == 47
    assert first_boot(folder, root).returncode == 0


def test_the_early_script_leaves_a_unit_and_takes_itself_out_of_the_command_line(tmp_path: Path) -> None:
    folder, root = tmp_path / "boot" / "steunpunt", tmp_path / "root"
    folder.mkdir(parents=True)
    (folder / "first-run.sh").write_bytes((TEMPLATES / "first-run.sh").read_bytes())
    (tmp_path / "boot" / "cmdline.txt").write_text(first_run_cmdline(CMDLINE, "/boot/x.sh"), "utf-8")
    environment = {**os.environ, "STEUNPUNT_ROOT": str(root)}
    subprocess.run(["/bin/sh", folder / "first-run.sh"], env=environment, check=True, timeout=SCRIPT_S_MAX)
    unit = root / "etc" / "systemd" / "system" / "multi-user.target.wants" / "steunpunt-first-boot.service"
    assert f"ExecStart=/bin/sh {folder}/first-boot.sh\n" in unit.read_text("utf-8")
    assert (tmp_path / "boot" / "cmdline.txt").read_text("utf-8") == CMDLINE


@pytest.mark.parametrize("name", ["first-boot.sh", "first-run.sh"])
def test_the_scripts_are_plain_shell(name: str) -> None:
    subprocess.run(["/bin/sh", "-n", TEMPLATES / name], check=True, timeout=SCRIPT_S_MAX)
