"""What a Pi does at its first start, without internet: installs what was carried along and becomes its site.

Current Raspberry Pi OS runs cloud-init, which reads ``user-data`` from the boot partition (NoCloud). Older ones run
what the kernel's command line names (``systemd.run``); that is early, so the script there leaves a unit for the next
start.
Both end in the same ``first-boot.sh``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steunpunt.fleet.cards import FleetError

FOLDER = "steunpunt"
"""On the boot partition."""
SCRIPT, EARLY, BUNDLE, CODE, KEY = "first-boot.sh", "first-run.sh", "site.bundle", "site.code", "technician.pub"
_OLD_WORDS = ("systemd.run=", "systemd.run_success_action=", "systemd.unit=")
_TEMPLATES = Path(__file__).parent / "templates"
_PUBLIC_KEY = re.compile(r"(ssh-|ecdsa-|sk-)[\w@.-]+ [A-Za-z0-9+/=]+( [^\n]*)?\n?")


@dataclass(frozen=True, slots=True)
class FirstBoot:
    """What is carried to one device."""

    site: int
    bundle: bytes
    code: str
    packages: tuple[Path, ...]
    technician: str = ""
    """A technician's public SSH key; "": nobody can log in but at the device itself."""


def packages_in(folder: Path) -> tuple[Path, ...]:
    """Return the Debian packages of a folder; FleetError when the program's own is not among them, or twice."""
    found = tuple(sorted(folder.glob("*.deb")))
    own = [path for path in found if re.match(r"steunpunt_", path.name)]
    if len(own) != 1:
        what = "holds no steunpunt_*.deb" if not own else f"holds {len(own)} versions of steunpunt"
        raise FleetError(f"{folder}: {what}; put there what `make deb` made, once, and the packages that it needs")
    return found


def public_key(path: Path) -> str:
    """Return a technician's public SSH key; FleetError when the file is none, above all when it is the private one."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FleetError(
            f"{path}: cannot be read; give the path of a public SSH key, such as id_ed25519.pub"
        ) from error
    if not _PUBLIC_KEY.fullmatch(text):
        raise FleetError(f"{path}: is no public SSH key; give the file that ends in .pub")
    return text.strip() + "\n"


def contents(what: FirstBoot, *, cloud_init: bool, mount: str, cmdline: str) -> dict[str, bytes]:
    """Return the small files for the boot partition; ``mount``: where the device has it, ``cmdline``: as it was."""
    folder = f"{mount}/{FOLDER}"
    files = {
        f"{FOLDER}/{SCRIPT}": (_TEMPLATES / SCRIPT).read_bytes(),
        f"{FOLDER}/{BUNDLE}": what.bundle,
        f"{FOLDER}/{CODE}": f"{what.code}\n".encode(),
    }
    if what.technician:
        files[f"{FOLDER}/{KEY}"] = what.technician.encode()
    if cloud_init:
        return files | _cloud_init(what.site, folder)
    files[f"{FOLDER}/{EARLY}"] = (_TEMPLATES / EARLY).read_bytes()
    return files | {"cmdline.txt": first_run_cmdline(cmdline, f"{folder}/{EARLY}").encode()}


def package_files(what: FirstBoot) -> Mapping[str, Path]:
    """Return the packages by their place on the boot partition."""
    return {f"{FOLDER}/packages/{path.name}": path for path in what.packages}


def _cloud_init(site: int, folder: str) -> dict[str, bytes]:
    user_data = f"""\
#cloud-config
# Made by `steunpunt fleet flash`. Without internet: nothing is updated and nothing downloaded.
hostname: steunpunt-{site}
manage_etc_hosts: true
package_update: false
package_upgrade: false
runcmd:
  - [sh, {folder}/{SCRIPT}]
"""
    meta_data = f"instance-id: steunpunt-{site}\ndsmode: local\n"
    return {"user-data": user_data.encode(), "meta-data": meta_data.encode()}


def first_run_cmdline(cmdline: str, script: str) -> str:
    """Return a kernel command line that runs a script once; what was there for an earlier such script goes."""
    words = [word for word in cmdline.split() if not word.startswith(_OLD_WORDS)]
    run = [f"systemd.run={script}", "systemd.run_success_action=reboot", "systemd.unit=kernel-command-line.target"]
    return " ".join([*words, *run]) + "\n"
