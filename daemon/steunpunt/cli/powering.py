"""``steunpunt power …``: what mains and battery say, and whether that is true."""

import contextlib
import json
import sys
from pathlib import Path

import click

from steunpunt.config import load
from steunpunt.model import ConfigError
from steunpunt.power.sources import Source
from steunpunt.powerconfig import Power
from steunpunt.terminal import one_line_errors

CONFIG = click.argument("config", type=click.Path(path_type=Path))
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")


@click.group()
def power() -> None:
    """See what mains and battery say, and test it. With pins on a board, stop the node first."""


def _open(config: Path) -> tuple[Power, Source]:
    from steunpunt.panel import InputPin
    from steunpunt.power.sources import open_source

    found = load(config).power
    if found is None:
        raise ConfigError(f'{config}: there is no [power]; add that section, with source = "nut" for example')
    return found, open_source(found, InputPin)


@power.command()
@CONFIG
@AS_JSON
def show(config: Path, *, as_json: bool) -> None:
    """Print what the source says now, in NUT's variables. CONFIG is the site's TOML file.

    Exit code 1 when it cannot be read, or says what cannot be true.
    """
    with one_line_errors():
        from steunpunt.fleet.powertest import show_lines
        from steunpunt.power.reading import reading_of

        _, source = _open(config)
        with contextlib.closing(source):
            variables = source.read()
        reading = reading_of(variables)
    if as_json:
        body = {"variables": variables, "mains": reading.mains, "charge": reading.charge, "draw_w": reading.watts}
        click.echo(json.dumps(body | {"problems": reading.problems}, indent=2, ensure_ascii=False))
    else:
        for line in show_lines(variables, reading):
            click.echo(line)
        for problem in reading.problems:
            click.echo(f"problem: {problem}")
    sys.exit(1 if reading.problems else 0)


@power.command()
@CONFIG
@click.option(
    "--wait",
    "wait_s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(3, 600),
    help="Seconds that you have for each step.",
)
@AS_JSON
def test(config: Path, *, wait_s: float, as_json: bool) -> None:
    """Ask you to pull the plug: is mains seen rightly?

    CONFIG is the site's TOML file. Exit code 1 when not; each problem is one line with the mend.
    """
    with one_line_errors():
        from steunpunt.fleet.powertest import PowerTest

        found, source = _open(config)
        with contextlib.closing(source):
            outcome = PowerTest(found, source, lambda line: click.echo(line, err=as_json), wait_s=wait_s).run()
    if as_json:
        click.echo(json.dumps(outcome.body(), indent=2, ensure_ascii=False))
    else:
        for problem in outcome.problems:
            click.echo(f"FAILED: {problem}")
        if outcome.passed:
            click.echo("passed: mains is seen, the right way round")
    sys.exit(0 if outcome.passed else 1)
