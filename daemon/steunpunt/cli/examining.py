"""``steunpunt doctor`` and what proves that a site works."""

import json
import sys
from pathlib import Path

import click

from steunpunt.terminal import one_line_errors

CONFIG = click.argument("config", type=click.Path(path_type=Path))


@click.command()
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.option("--strict", is_flag=True, help="Exit code 1 for warnings, too.")
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a diagnosis to this file: a zip without keys, names or texts.",
)
def doctor(config: Path, *, as_json: bool, strict: bool, save: Path | None) -> None:
    """Examine a site: what is wrong, and the mend?

    CONFIG is the site's TOML file. Looks at keys, radio, broker, power, clock, disk, queue, airtime and signal, with
    the node running or dead. Exit code 1 when something fails. Run it as root or as the node's user: others may not
    read the keys.
    """
    with one_line_errors():
        from steunpunt.doctor.examination import examine, lines_of
        from steunpunt.doctor.findings import Verdict

        found = examine(config)
        if save is not None:
            from steunpunt.doctor.bundle import write

            write(save, config, found)
    if as_json:
        click.echo(json.dumps(found.body(), indent=2, ensure_ascii=False))
    else:
        for line in lines_of(found.findings):
            click.echo(line)
    if save is not None:
        click.echo(f"written: {save}", err=as_json)
    bad = (Verdict.FAIL, Verdict.WARN) if strict else (Verdict.FAIL,)
    sys.exit(1 if found.verdict in bad else 0)


@click.command("test-request")
@CONFIG
@click.option(
    "--wait",
    "wait_s",
    default=300.0,
    show_default=True,
    type=click.FloatRange(1, 900),
    help="Seconds to wait for the region's receipt.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def test_request(config: Path, *, wait_s: float, as_json: bool) -> None:
    """Send a request marked TEST, and time each step.

    CONFIG is the TOML file of a point whose node runs. It raises no alarm, counts as no case, and works while the
    point is closed. It costs the air of one short request. Exit code 1 when no receipt came back.
    """
    with one_line_errors():
        from steunpunt.doctor.proving import prove, verdict

        test = prove(config, wait_s, lambda line: click.echo(line, err=as_json))
    click.echo(json.dumps(test, indent=2) if as_json else verdict(test))
    sys.exit(0 if test["passed"] else 1)


@click.command()
@CONFIG
@click.option("--to", default="", metavar="NODE", help="The fire station's radio, such as !a1b2c3d4.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def survey(config: Path, *, to: str, as_json: bool) -> None:
    """Measure this hall's antenna: 20 probes each way.

    CONFIG is the TOML file of a point whose node runs and that is not open. Sends traceroutes to the fire station's
    radio, within the airtime there is, and prints SNR, hops and airtime each way. Takes some eleven minutes. Exit
    code 1 when the antenna does not serve.
    """
    with one_line_errors():
        from steunpunt.doctor import proving

        result = proving.survey(config, to, lambda line: click.echo(line, err=as_json))
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        for line in proving.sheet(result):
            click.echo(line)
    sys.exit(0 if result["passed"] else 1)


@click.command()
@CONFIG
@click.option("--confirm-key-holder", is_flag=True, help="You rang the key holder: this person can be reached.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def ready(config: Path, *, confirm_key_holder: bool, as_json: bool) -> None:
    """Tell whether a point is ready.

    CONFIG is the TOML file of a point whose node runs. Last test request, battery under load, coverage, key holder,
    approved pages, clock, disk, firmware. Exit code 1 unless all of it passes.
    """
    with one_line_errors():
        from steunpunt.doctor.examination import lines_of, readiness
        from steunpunt.doctor.findings import Verdict

        found = readiness(config, confirm_key_holder=confirm_key_holder)
    if as_json:
        click.echo(json.dumps(found.body(), indent=2, ensure_ascii=False))
    else:
        for line in lines_of(found.findings):
            click.echo(line)
        click.echo("READY" if found.verdict is Verdict.PASS else "NOT READY")
    sys.exit(0 if found.verdict is Verdict.PASS else 1)
