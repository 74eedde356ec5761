"""``steunpunt …``: what a technician types."""

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from steunpunt import __version__
from steunpunt.cli.configuring import config as config_group
from steunpunt.cli.examining import doctor, ready, survey, test_request
from steunpunt.cli.fleeting import fleet
from steunpunt.cli.paging import pages
from steunpunt.cli.powering import power
from steunpunt.cli.showing import screen, speak
from steunpunt.cli.simulating import simulate
from steunpunt.config import Config, load
from steunpunt.control import Body, Client
from steunpunt.keycommands import keys
from steunpunt.model import MAIN_RADIO
from steunpunt.terminal import log_to_stderr, one_line_errors

if TYPE_CHECKING:
    from steunpunt.sim import RadioSpec, VirtualRadios

CONFIG = click.argument("config", type=click.Path(path_type=Path))
PRESS_SEEN_S_MAX = 2.0
"""How long ``panel press`` waits for buzzer or lamp to answer the press."""
_LOOK_AGAIN_S = 0.05


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def main() -> None:
    """Software of a noodsteunpunt: a place to ask for help when power, phone and internet are gone.

    \b
    A new region: its keys, then the coordinator's, then those of each point:
      steunpunt keys region region.keys --name "Zuid-Limburg"
      steunpunt keys coordinator region.keys --id 1 --host kazerne.example --out coordinator/
      steunpunt keys site region.keys --id 47 --out site-47/

    \b
    A point, with its keys and config/kiosk.toml copied to site-47/site.toml. Who is not root writes in it
    path = "ledger.db" under [ledger] and socket = "node.sock" under [control]:
      steunpunt broker-config site-47/site.toml --out site-47/mosquitto/
      steunpunt check site-47/site.toml
      mosquitto -c site-47/mosquitto/mosquitto.conf
      steunpunt node site-47/site.toml          each of these three in a terminal of its own,
      steunpunt web site-47/site.toml           or all by systemd
      steunpunt status site-47/site.toml

    Try everything on this computer, without hardware:  steunpunt demo
    """  # noqa: D301  click wants the character \b itself


@main.command()
@CONFIG
def node(config: Path) -> None:
    """Run a site's node: radio, broker, ledger, buttons.

    CONFIG is the site's TOML file. The node starts without radio or broker and says what is down; Ctrl-C stops it.
    """
    from steunpunt.node.start import start

    start(config)


@main.command()
@CONFIG
def web(config: Path) -> None:
    """Serve a site's screens.

    CONFIG is the site's TOML file: a kiosk serves the citizen's pages, a coordinator the desk, at web.host and
    web.port. Ctrl-C stops it.
    """
    with one_line_errors():
        log_to_stderr()
        loaded = load(config)
        from steunpunt_ui.serve import serve

        serve(loaded)


@main.command()
@CONFIG
def check(config: Path) -> None:
    """Check a config file and the files it names.

    CONFIG is the site's TOML file. Each problem is one line that says what to write or type; exit code 1 then.
    """
    with one_line_errors():
        loaded = load(config)
        from steunpunt.doctor import files

        problems = files.problems(loaded)
        for problem in problems:
            click.echo(f"steunpunt: {config}: {problem}", err=True)
        if problems:
            sys.exit(1)
    click.echo(f"{config}: good. {loaded.site.role} {loaded.site.id}, {loaded.site.name}, {loaded.site.place}")
    from steunpunt.protocol.text import coder_words

    for line in (*files.ledger_lines(loaded), *files.content_lines(loaded), coder_words()):
        click.echo(f"  {line}")


@main.command()
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="Print the node's whole answer as JSON, counters too.")
def status(config: Path, *, as_json: bool) -> None:
    """Ask a running node how it is: links, queue, buttons.

    CONFIG is the site's TOML file. Exit code 1 when something is down, or when no node answers.
    """
    with one_line_errors():
        loaded = load(config)
        with contextlib.closing(Client(loaded.control.socket)) as client:
            body = client.call("status")
    from steunpunt.fleet.told import lines_of

    lines = lines_of(loaded, body)
    if as_json:
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        click.echo(f"{body['site']['role']} {body['site']['id']}, {body['site']['name']}")
        for up, line in lines:
            click.echo(f"  {'    ' if up is None else 'up  ' if up else 'DOWN'} {line}")
    sys.exit(1 if any(up is False for up, _ in lines) else 0)


@main.command("virtual-radio")
@click.option(
    "--radio",
    "radios",
    multiple=True,
    required=True,
    metavar="NAME:PORT[:LAT,LON]",
    help="A radio and its TCP port on 127.0.0.1; repeat it for radios that hear each other.",
)
@click.option(
    "--channel-keys",
    type=click.Path(path_type=Path),
    help='Region key file: gives each radio the private channel "serial" as its second one.',
)
@click.option("--preset", default="LONG_FAST", show_default=True, help="LoRa preset that sets the time on air.")
@click.option("--loss", default=0.0, show_default=True, help="Share of packets lost on every link, 0 to 1.")
@click.option("--speed", default=1.0, show_default=True, help="Divides time on air and delays; 1 is real time.")
@click.option("--seed", type=int, help="Makes chance repeatable.")
@click.option("--control-port", type=int, help="Port on 127.0.0.1 to unplug and plug radios.")
def virtual_radio(  # noqa: PLR0913  the command's options
    *,
    radios: tuple[str, ...],
    channel_keys: Path | None,
    preset: str,
    loss: float,
    speed: float,
    seed: int | None,
    control_port: int | None,
) -> None:
    """Serve virtual Meshtastic radios, in place of hardware.

    They listen on TCP ports of 127.0.0.1 and hear each other over a simulated air. Ctrl-C stops them.

    \b
    Two radios, and in another terminal the Meshtastic command line talking to one of them:
      steunpunt virtual-radio --radio a:4403 --radio b:4404
      meshtastic --host 127.0.0.1:4403 --info

    \b
    A radio for a site with kind = "tcp" and port = 4403 under [radio]:
      steunpunt virtual-radio --radio site-47:4403:50.8514,5.6910 --channel-keys region.keys
    """  # noqa: D301  click wants the character \b itself
    with one_line_errors():
        from steunpunt.keymaking import channel_key
        from steunpunt.sim import serve

        private = (("serial", channel_key(channel_keys)),) if channel_keys else ()
        specs = [_radio_spec(text, private) for text in radios]
        serve(specs, preset=preset, loss=loss, speed=speed, seed=seed, control_port=control_port, ready=_say_ports)


def _say_ports(radios: "VirtualRadios") -> None:
    for name in radios.names:
        click.echo(f"radio {name} listens on 127.0.0.1:{radios.port(name)}")


def _radio_spec(text: str, private: tuple[tuple[str, bytes], ...]) -> "RadioSpec":
    from steunpunt.sim import RadioSpec, SimulationError

    name, _, rest = text.partition(":")
    port, _, place = rest.partition(":")
    try:
        number = int(port)
        position = None
        if place:
            latitude, longitude = (float(part) for part in place.split(","))
            position = (latitude, longitude, 0)
    except ValueError:
        raise SimulationError(f"--radio {text}: write NAME:PORT or NAME:PORT:LAT,LON, such as a:4403") from None
    return RadioSpec(name, number, channels=(("", b"\x01"), *private), position=position)


RADIO = click.option(
    "--radio", "name", default=MAIN_RADIO, metavar="NAME", help="One of several radios, by its name in the config."
)


@main.group()
def radio() -> None:
    """See a site's radio and bring it to its config. Stop the node first: a radio serves one client."""


@radio.command("show")
@CONFIG
@RADIO
def radio_show(config: Path, *, name: str) -> None:
    """Print the radio's settings as they are. CONFIG is the site's TOML file. A key is shown as a fingerprint."""
    with one_line_errors():
        from steunpunt.fleet import command

        command.show(config, name)


@radio.command("plan")
@CONFIG
@RADIO
def radio_plan(config: Path, *, name: str) -> None:
    """Print what `apply` would change to make it as CONFIG says."""
    with one_line_errors():
        from steunpunt.fleet import command

        command.plan(config, name)


@radio.command("apply")
@CONFIG
@RADIO
def radio_apply(config: Path, *, name: str) -> None:
    """Write what differs from CONFIG, wait for the reboot, read it back. Exit code 1 when anything still differs."""
    with one_line_errors():
        from steunpunt.fleet import command

        command.apply(config, name)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
def airtime(file: Path, *, as_json: bool) -> None:
    """Tell what each line of FILE costs on the air: bytes and ms.

    Each line counts as the text of a help request, and the time on air is told for each radio preset.
    The request is medical, a life threat to three people, to be called back at 0612345678, at this point.
    """
    with one_line_errors():
        from steunpunt.fleet.airtime import report

        report(file, as_json=as_json)


@main.command("broker-config")
@CONFIG
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for mosquitto's files.")
@click.option(
    "--run-as",
    type=click.Choice(["mosquitto", "root"]),
    default="mosquitto",
    show_default=True,
    help="User that mosquitto runs as.",
)
def broker_config(config: Path, out: Path, run_as: Literal["mosquitto", "root"]) -> None:
    """Write the configuration of a site's mosquitto.

    CONFIG is the site's TOML file. Writes listeners, access lists and the bridge from it, and draws passwords:
    the node's in broker.password_file, one for integrators in reader.password. Run again, it keeps both.
    """
    with one_line_errors():
        loaded = load(config)
        from steunpunt.brokerfiles import write_files

        for path in write_files(loaded, out.resolve(), run_as):
            click.echo(f"written: {path}")


main.add_command(keys)
main.add_command(power)
main.add_command(screen)
main.add_command(speak)
main.add_command(doctor)
main.add_command(test_request)
main.add_command(survey)
main.add_command(ready)
main.add_command(fleet)
main.add_command(config_group)
main.add_command(pages)


@main.command()
@CONFIG
@click.argument("action", type=click.Choice(["press", "read", "test"]))
@click.argument("name")
def panel(config: Path, action: str, name: str) -> None:
    """Press or read a button, or test lamps and buzzer.

    Of a running node; all lamps and the buzzer are on for three seconds.

    CONFIG is the site's TOML file, NAME a button in it. Pressing works only with pins = "mock" under [panel].

    \b
      steunpunt panel site.toml press help
      steunpunt panel site.toml read help
      steunpunt panel site.toml test help
    """  # noqa: D301  click wants the character \b itself
    with one_line_errors():
        loaded = load(config)
        with contextlib.closing(Client(loaded.control.socket)) as client:
            body = client.call("panel", action=action, name=name)
            deadline_s = time.monotonic() + PRESS_SEEN_S_MAX
            while action == "press" and not _answered(loaded, body) and time.monotonic() < deadline_s:
                time.sleep(_LOOK_AGAIN_S)  # the press is on its way through the node's loop
                body = client.call("panel", action="read", name=name)
    click.echo(f"{name}: lamp {body['lamp']}, buzzer {'sounds' if body['buzzer'] else 'silent'}")


def _answered(config: Config, body: Body) -> bool:
    """Whether the point answers a press: by its lamp, and by its buzzer where there is one."""
    silent = config.panel is None or config.panel.buzzer_pin is None
    return body["lamp"] != "off" and (silent or bool(body["buzzer"]))


@main.command()
@click.option(
    "--check",
    "check_it",
    is_flag=True,
    help="Send three requests with things broken on the way; exit 1 if any is lost.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep everything (ledgers, logs, keys) in this folder.  [default: a temporary one]",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=1, max=100),
    default=1.0,
    show_default=True,
    help="Divides the radios' time on air.",
)
def demo(*, check_it: bool, folder: Path | None, speed: float) -> None:
    """Run a whole region on this computer, to try everything.

    Two kiosks, a coordinator, their brokers and virtual radios, as separate processes. Prints where the screens
    are, and a world page on which to cut cables and take power away. Ctrl-C stops all.
    """
    with one_line_errors():
        from steunpunt.demo.command import demo as run_demo

        run_demo(check=check_it, folder=folder, speed=speed)


main.add_command(simulate)


if __name__ == "__main__":
    main()
