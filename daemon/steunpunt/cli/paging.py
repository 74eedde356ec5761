"""``steunpunt pages …``: the information pages of a region, in one signed file."""

from pathlib import Path

import click

from steunpunt.terminal import one_line_errors

CONFIG = click.argument("config", type=click.Path(path_type=Path))
FILE = click.argument("file", type=click.Path(path_type=Path))


@click.group()
def pages() -> None:
    """Bring new information pages to all points."""


@pages.command("pack")
@click.argument("region_file", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The archive, such as water.pages.")
@click.option("--unapproved", is_flag=True, help="For an exercise: although no page is approved.")
def pages_pack(region_file: Path, folder: Path, out: Path, *, unapproved: bool) -> None:
    """Make an archive of the pages in FOLDER.

    REGION_FILE is the region's key file, which signs it and counts its number: the highest number is shown. Each
    mistake in a page is one line; nothing is made then.
    """
    with one_line_errors():
        from steunpunt.fleet.pagepacking import pack

        made = pack(region_file, folder, out, unapproved=unapproved)
        size_kib = -(-out.stat().st_size // 1024)
        click.echo(
            f"written: {out}, number {made.serial}, {size_kib} KiB, pages {made.pages}, approved {made.approved}"
        )


@pages.command("install")
@CONFIG
@FILE
def pages_install(config: Path, file: Path) -> None:
    """Show the pages of an archive at this point from now on.

    CONFIG is the point's TOML file; its node runs. When anything is wrong the old pages stay.
    """
    with one_line_errors():
        from steunpunt.fleet.pagepacking import hand_over

        click.echo(hand_over(config, file, region=False))


@pages.command("publish")
@CONFIG
@FILE
def pages_publish(config: Path, file: Path) -> None:
    """Give an archive to all points that have internet.

    CONFIG is the coordinator's TOML file; its node runs. Points without internet get it when they have some, or by
    `steunpunt pages install`.
    """
    with one_line_errors():
        from steunpunt.fleet.pagepacking import hand_over

        click.echo(hand_over(config, file, region=True))
