"""``steunpunt fleet …``: a whole region from one file, and each of its devices."""

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
