"""``steunpunt simulate``: whole regions in virtual time."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steunpunt.terminal import one_line_errors

if TYPE_CHECKING:
    from steunpunt.sim.region.simulate import Report, SeedFailed

CASE_NAMES = (
    *("region", "small", "clones", "restored", "lagging", "takeover", "killed", "away", "hostile", "thief"),
    *("gateways", "cancelled", "overload"),
)
SITES_MAX = 1_000
HOURS_MAX = 24 * 14
PER_HOUR_MAX = 10_000
SEEDS_MAX = 1_000_000
JOBS_MAX = 256


@click.command()
@click.option("--case", type=click.Choice(CASE_NAMES), default="region", show_default=True, help="What is simulated.")
@click.option("--seed", type=int, default=7, show_default=True, help="Makes all chance repeatable.")
@click.option(
    "--seeds", type=click.IntRange(1, SEEDS_MAX), default=1, show_default=True, help="How many, from --seed on."
)
@click.option(
    "--jobs", type=click.IntRange(1, JOBS_MAX), default=1, show_default=True, help="Processes for many seeds."
)
@click.option("--sites", type=click.IntRange(2, SITES_MAX), default=30, show_default=True, help="Sites of a region.")
@click.option(
    "--hours", type=click.FloatRange(0.1, HOURS_MAX), default=6.0, show_default=True, help="How long people come."
)
@click.option(
    "--per-hour",
    type=click.FloatRange(1, PER_HOUR_MAX),
    default=60.0,
    show_default=True,
    help="Help requests in an hour, in the whole region.",
)
@click.option("--storm/--no-storm", default=True, show_default=True, help="Whether things go wrong in a region.")
@click.option("--json", "as_json", is_flag=True, help="Print one object a line.")
@click.option("--trace", type=click.Path(path_type=Path, dir_okay=False), help="Write each step of one seed here.")
def simulate(  # noqa: PLR0913  the command's options
    *,
    case: str,
    seed: int,
    seeds: int,
    jobs: int,
    sites: int,
    hours: float,
    per_hour: float,
    storm: bool,
    as_json: bool,
    trace: Path | None,
) -> None:
    """Simulate a region, to see whether anything is lost.

    The real engines, ledgers, codec and keys run on a simulated air and simulated brokers, while power, cables, radios,
    internet and disks fail, and somebody hostile is on every road. At each step it is checked that no request is lost,
    doubled or changed, that no screen says more than is true, and that nothing can be read from a disk. The same seed
    gives the same run, step by step; one that fails prints the command that repeats it. Exit code 1 then.

    \b
      steunpunt simulate --sites 30 --hours 6 --seed 7
      steunpunt simulate --case small --seed 0 --seeds 200 --jobs 2
      steunpunt simulate --case clones --seed 3 --trace steps.txt
    """  # noqa: D301  click wants the character \b itself
    with one_line_errors(), ExitStack() as stack:
        from steunpunt.sim.region.maps import Options
        from steunpunt.sim.region.simulate import SeedFailed, run_seeds

        options = Options(case, seed, sites, hours, per_hour, storm)
        file = stack.enter_context(trace.open("w", encoding="ascii")) if trace is not None else None
        failed = 0
        for result in run_seeds(options, seeds, jobs, file):
            if isinstance(result, SeedFailed):
                failed += 1
            _tell(result, as_json=as_json)
        if seeds > 1 and not as_json:
            click.echo(f"{seeds} seeds, {failed} failed")
        if failed:
            sys.exit(1)


def _tell(result: "Report | SeedFailed", *, as_json: bool) -> None:
    from steunpunt.sim.region.simulate import SeedFailed, as_table, in_words

    if as_json:
        click.echo(json.dumps(as_table(result)))
    elif isinstance(result, SeedFailed):
        click.echo(f"steunpunt: {result}", err=True)
    else:
        click.echo(in_words(result))
