"""``steunpunt fleet …``: a whole region from one file, and each of its devices."""

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steunpunt.model import ConfigError, Role
from steunpunt.terminal import one_line_errors

if TYPE_CHECKING:
    from steunpunt.fleet.checking import Fleet

REGION = click.argument("region", type=click.Path(path_type=Path))


@click.group()
def fleet() -> None:
    """Prepare all devices of a region from one region file.

    On a computer that stays offline: the keys of the whole region are there.
    """


def _checked(path: Path) -> "Fleet":
    """Check a region's files; when anything is wrong, print all of it and end with exit code 1."""
    from steunpunt.fleet.checking import check
    from steunpunt.protocol.phrasecodes import mark

    found = check(path, phrase_book=mark())
    for problem in found.problems:
        click.echo(f"steunpunt: {problem}", err=True)
    if found.problems:
        number = len(found.problems)
        click.echo(f"steunpunt: {number} mistake{'s' if number > 1 else ''}", err=True)
        sys.exit(1)
    if found.region is None:
        raise ConfigError(f"{path}: no region is in it")
    return found


@fleet.command("check")
@REGION
def fleet_check(region: Path) -> None:
    """Check the region file and all its sites' files at once.

    REGION is the region file. Each mistake is one line with file, line, key and the mend; exit code 1 then. Reads no
    keys.
    """
    with one_line_errors():
        found = _checked(region)
    from steunpunt.protocol.phrasecodes import mark

    kiosks = sum(site.config.site.role is Role.KIOSK for site in found.sites)
    click.echo(f"{region}: good. points {kiosks}, coordinators {len(found.sites) - kiosks}, phrase book {mark()}")


def _numbers(found: "Fleet", names: tuple[str, ...]) -> list[int]:
    """Return the ids of sites that were named by id or by file."""
    known = {site.file.path.stem: site.config.site.id for site in found.sites}
    known |= {site.file.path.name: site.config.site.id for site in found.sites}
    known |= {str(site.config.site.id): site.config.site.id for site in found.sites}
    for name in names:
        if name not in known:
            raise ConfigError(f"no site is called {name!r}; write an id, or the name of a file in the sites' folder")
    return [known[name] for name in names]


@fleet.command("build")
@REGION
@click.option("--to", "out", required=True, type=click.Path(path_type=Path), help="Folder for the bundles.")
@click.option("--site", "names", multiple=True, metavar="SITE", help="Only this site; repeat it.  [default: all]")
def fleet_build(region: Path, out: Path, names: tuple[str, ...]) -> None:
    """Make missing keys, and each site's bundle and sheet.

    REGION is the region file. Run again, it keeps all keys and codes and writes only what changed. The sheets, with
    the codes that open the bundles, come into the folder of keys: print them there.
    """
    with one_line_errors():
        found = _checked(region)
        from steunpunt.fleet.building import build

        for built in build(found, out, _numbers(found, names)):
            click.echo(f"{'written' if built.written else 'as it was'}: {built.bundle}, sheet {built.sheet}")


@fleet.command("open")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--to", "root", required=True, type=click.Path(path_type=Path), help="Root of the device: / on it.")
@click.option("--code-stdin", is_flag=True, help="Read the code from standard input instead of asking.")
def fleet_open(bundle: Path, root: Path, *, code_stdin: bool) -> None:
    """Open a site's bundle and put its files in place.

    It asks for the code on the site's sheet. On a device, as root, with --to /.
    Restart its services, or the device, afterwards.
    """
    with one_line_errors():
        from steunpunt.fleet import installing
        from steunpunt.fleet.sealing import read_head

        head = read_head(bundle)
        click.echo(f"{head.role} {head.site}, {head.name}, card {head.generation}", err=code_stdin)
        code = sys.stdin.readline() if code_stdin else getpass.getpass("Code on the sheet: ")
        for path in installing.install(bundle, code, root):
            click.echo(f"written: {path}")


@fleet.command("flash")
@click.argument("site")
@click.option(
    "--region", default="region.toml", show_default=True, type=click.Path(path_type=Path), help="Region file."
)
@click.option("--image", required=True, type=click.Path(path_type=Path), help="Image of Raspberry Pi OS, unpacked.")
@click.option("--packages", required=True, type=click.Path(path_type=Path), help="Folder of .deb files to carry along.")
@click.option(
    "--to", "target", required=True, type=click.Path(path_type=Path), help="The card, such as /dev/sdb, or a file."
)
@click.option("--ssh-key", type=click.Path(path_type=Path), help="Public SSH key of the technician who may log in.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is the right card.")
def fleet_flash(  # noqa: PLR0913  the command's options
    site: str, *, region: Path, image: Path, packages: Path, target: Path, ssh_key: Path | None, yes: bool
) -> None:
    """Write a card with which a Pi becomes SITE by itself.

    SITE is an id or a site's file. The Pi needs no internet: it installs the packages that are carried along, opens the
    bundle and sets its radio at the first start. All is read back. Was the card pulled out? The same command goes on.
    """
    with one_line_errors():
        found = _checked(region)
        from steunpunt.fleet import flashing

        (number,) = _numbers(found, (site,))
        plan, fresh = flashing.Plan(found, number, image, packages, target, ssh_key), not target.exists()
        click.echo(f"site {number} goes on {flashing.examine(plan)}; all that is on it is lost", err=True)
        if not yes and not click.confirm("Is this the right one?", err=True):
            raise ConfigError("nothing was written")
        with click.progressbar(length=flashing.steps(plan), label="writing, then reading back", file=sys.stderr) as bar:
            done = flashing.flash(plan, bar.update)
    there = "" if fresh else f", {(done.size - done.written) >> 20} MiB of it were there already"
    click.echo(f"{target}: {done.size >> 20} MiB{there}; read back and right")


@fleet.command("replace")
@click.argument("site")
@click.option(
    "--region", default="region.toml", show_default=True, type=click.Path(path_type=Path), help="Region file."
)
@click.option("--to", "out", required=True, type=click.Path(path_type=Path), help="Folder for notice and bundles.")
@click.option("--radio", "node", metavar="NODE", help="Number of the spare's radio, such as !a1b2c3d4.")
@click.option("--keep-ledger", is_flag=True, help="The old ledger goes into the spare: it keeps its id.")
def fleet_replace(site: str, *, region: Path, out: Path, node: str | None, keep_ledger: bool) -> None:
    """Revoke a point's keys and prepare a spare for it.

    SITE is an id or a point's file. The spare gets an id that was never used; the file, its bundle and those of the
    desks are made anew. Prints what is left to do.
    """
    with one_line_errors():
        found = _checked(region)
        from steunpunt.fleet.building import build
        from steunpunt.fleet.replacing import replace

        (number,) = _numbers(found, (site,))
        done = replace(found, number, out, keep_ledger=keep_ledger, node=node)
        click.echo(f"revoked: card {done.old.generation} of site {number}, {done.old.name}")
        again = _checked(region)
        desks = [one.config.site.id for one in again.sites if one.config.site.role is Role.COORDINATOR]
        for built in build(again, out, [*desks, done.site]):
            click.echo(f"{'written' if built.written else 'as it was'}: {built.bundle}, sheet {built.sheet}")
    click.echo("Left to do:")
    click.echo(
        "  at each coordinator, its new bundle: steunpunt fleet open BUNDLE --to /   then restart mosquitto and node"
    )
    click.echo(
        f"  or, to be quick, only the notice:    steunpunt keys import /etc/steunpunt/coordinator.keys {done.notice}"
    )
    click.echo(
        f"  the spare, now {done.site}:                    steunpunt fleet flash {done.site} ..., or open its bundle"
    )
