"""``steunpunt …``: what a technician types."""

import contextlib
import getpass
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from steunpunt import __version__
from steunpunt.config import Config, Radio, load
from steunpunt.control import Client, NotKnownYet, Refused, Unreachable
from steunpunt.model import ConfigError, Role, SteunpuntError

if TYPE_CHECKING:
    from steunpunt.radiosettings import Difference, WantedSettings
    from steunpunt.sim import RadioSpec

CONFIG = click.argument("config", type=click.Path(path_type=Path))


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Every expected failure is one line that names the mend, and exit code 1."""
    try:
        yield
    except SteunpuntError as error:
        click.echo(f"steunpunt: {error}", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def main() -> None:
    r"""Software of a noodsteunpunt: a place to ask for help when power, phone and internet are gone.

    \b
    A new region, from nothing to a running point:
      steunpunt keys region region.keys --name "Zuid-Limburg"
      steunpunt keys coordinator region.keys --id 1 --host kazerne.example --out coordinator/
      steunpunt keys site region.keys --id 47 --out site-47/
      steunpunt check site-47/site.toml
      steunpunt broker-config site-47/site.toml --out site-47/mosquitto/
      steunpunt node site-47/site.toml        (and in another terminal:)
      steunpunt web site-47/site.toml

    Try everything on this computer, without hardware:  steunpunt demo
    """


@main.command()
@CONFIG
def node(config: Path) -> None:
    """Run a site's node: radio, broker, ledger, buttons. CONFIG is the site's TOML file."""
    _log_to_stderr()
    with _one_line_errors():
        loaded = load(config)
        from steunpunt.node.loop import Node

        Node(loaded).run()


@main.command()
@CONFIG
def web(config: Path) -> None:
    """Serve a site's screens: the citizen's at a kiosk, the desk at a coordinator."""
    _log_to_stderr()
    with _one_line_errors():
        loaded = load(config)
        from steunpunt_ui.serve import serve

        serve(loaded)


@main.command()
@CONFIG
def check(config: Path) -> None:
    """Check a config file and the files it names; exit code 1 with the line to mend."""
    with _one_line_errors():
        loaded = load(config)
        problems = _missing_files(loaded)
        for problem in problems:
            click.echo(f"steunpunt: {config}: {problem}", err=True)
        if problems:
            sys.exit(1)
    click.echo(f"{config}: good. {loaded.site.role} {loaded.site.id}, {loaded.site.name}, {loaded.site.place}")


def _missing_files(config: Config) -> list[str]:
    """Return what is wrong with the key files a config names."""
    from steunpunt import keyfiles
    from steunpunt.protocol.keys import CoordinatorKeys

    found = []
    coordinator = config.site.role is Role.COORDINATOR
    try:
        path = Path(config.keys.file)
        keys = keyfiles.read_coordinator(path) if coordinator else keyfiles.read_site(path)
        number = keys.coordinator if isinstance(keys, CoordinatorKeys) else keys.site
        if number != config.site.id:
            found.append(f"site.id is {config.site.id}, but {path} is of {number}; use this site's own keys")
        if coordinator:
            keyfiles.read_ledger_key(Path(config.ledger.key_file or ""))
    except SteunpuntError as error:
        found.append(str(error))
    try:
        if config.radio.channel_key_file:
            keyfiles.read_channel_key(Path(config.radio.channel_key_file))
    except SteunpuntError as error:
        found.append(str(error))
    named = {
        "broker.password_file": config.broker.password_file,
        "web.desk_passwords_file": config.web.desk_passwords_file if coordinator else None,
        **_tls_files("broker.bridge", config.broker.bridge),
        **_tls_files("broker.region_listener", config.broker.region_listener),
    }
    missing = [(key, path) for key, path in named.items() if path and not Path(path).is_file()]
    return found + [f"key `{key}`: {path} is not there; make it or correct the path" for key, path in missing]


def _tls_files(section: str, tls: object) -> dict[str, str | None]:
    names = ("ca_file", "certificate_file", "key_file")
    return {} if tls is None else {f"{section}.{name}": getattr(tls, name) for name in names}


@main.command()
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="Print the node's whole answer as JSON.")
def status(config: Path, *, as_json: bool) -> None:
    """Ask a running node how it is: links, queue, radio, buttons. Exit code 1 when something is down."""
    with _one_line_errors():
        body = Client(load(config).control.socket).call("status")
    if as_json:
        click.echo(json.dumps(body, indent=2, ensure_ascii=False))
        return
    good = True
    click.echo(f"{body['site']['role']} {body['site']['id']}, {body['site']['name']}")
    for name, link in body["links"].items():
        good = good and link["up"]
        click.echo(f"  {'up  ' if link['up'] else 'DOWN'} {name}: {link['reason']}")
        if name == "mesh":
            _say_drift(body["radio"])
    if "queue" in body:
        region = body["region"]
        age = "no beacon yet" if region["age_s"] is None else f"last beacon {region['age_s']} s ago"
        click.echo(f"  {'up  ' if region['fresh'] else 'DOWN'} region over the broker: {age}")
        click.echo(f"  queue: {body['queue']} without receipt, oldest {body['oldest_s'] or 0} s")
        for button in body["buttons"]:
            click.echo(f"  button {button['name']}: lamp {button['lamp']}, ticket {button['number'] or '-'}")
    if body["panel_reason"]:
        good = False
        click.echo(f"  DOWN panel: {body['panel_reason']}")
    if not body["can_keep"]:
        good = False
        click.echo("  DOWN ledger: cannot keep anything; free the disk or replace the card")
    sys.exit(0 if good else 1)


def _say_drift(radio: dict[str, Any] | None) -> None:
    for line in radio["drift"] if radio else ():
        click.echo(f"       drift: {line}")


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
    r"""Serve virtual Meshtastic radios over TCP on a simulated air, in place of hardware.

    \b
    Two radios, and the Meshtastic command line talking to one of them:
      steunpunt virtual-radio --radio a:4403 --radio b:4404
      meshtastic --host 127.0.0.1:4403 --info
    """
    with _one_line_errors():
        from steunpunt.keymaking import channel_key
        from steunpunt.sim import serve

        private = (("serial", channel_key(channel_keys)),) if channel_keys else ()
        specs = [_radio_spec(text, private) for text in radios]
        serve(specs, preset=preset, loss=loss, speed=speed, seed=seed, control_port=control_port)


def _radio_spec(text: str, private: tuple[tuple[str, bytes], ...]) -> "RadioSpec":
    from steunpunt.sim import RadioSpec, SimulationError

    name, _, rest = text.partition(":")
    port, _, place = rest.partition(":")
    try:
        latitude, longitude = (float(part) for part in place.split(",")) if place else (0.0, 0.0)
        position = (latitude, longitude, 0) if place else None
        return RadioSpec(name, int(port), channels=(("", b"\x01"), *private), position=position)
    except ValueError as error:
        raise SimulationError(f"--radio {text}: write NAME:PORT or NAME:PORT:LAT,LON ({error})") from error


@main.group("radio")
def radio_group() -> None:
    """See a site's radio and bring it to its config. Stop the node first: a radio serves one client."""


@radio_group.command("show")
@CONFIG
def radio_show(config: Path) -> None:
    """Show the radio's settings as they are. A key is shown as a fingerprint."""
    with _one_line_errors():
        from steunpunt.fleet import radio_client
        from steunpunt.radiosettings import settings_of
        from steunpunt.wire import node_name

        section, wanted = _radio_alone(config)
        state = radio_client.read(section)
        click.echo(f"radio     {node_name(state.node_num or 0)}, firmware {state.firmware}")
        for name, now in settings_of(state, wanted):
            click.echo(f"{name:<{_SETTING_WIDTH}} {now}")


@radio_group.command("plan")
@CONFIG
def radio_plan(config: Path) -> None:
    """Show what `apply` would change; nothing when the radio is as the config says."""
    with _one_line_errors():
        from steunpunt.fleet import radio_client

        section, wanted = _radio_alone(config)
        _say_differences(radio_client.plan(section, wanted))


@radio_group.command("apply")
@CONFIG
def radio_apply(config: Path) -> None:
    """Write what differs, wait for the radio's reboot, read it back. Exit code 1 when anything still differs."""
    with _one_line_errors():
        from steunpunt.fleet import radio_client

        section, wanted = _radio_alone(config)
        found = radio_client.apply(section, wanted, begin=_say_differences)
    click.echo("the radio is as the config says" + (": written, rebooted and read back" if found else ""))


_SETTING_WIDTH = 16


def _say_differences(found: list["Difference"]) -> None:
    rows = [("setting", "is", "will be"), *((each.setting, each.now, each.wanted) for each in found)]
    width = max(len(now) for _, now, _ in rows)
    for setting, now, wanted in rows if found else ():
        click.echo(f"{setting:<{_SETTING_WIDTH}} {now:<{width}}  {wanted}")


def _radio_alone(path: Path) -> tuple[Radio, "WantedSettings"]:
    """Return the radio's section and what it asks; refuses while the node holds the radio."""
    from steunpunt.keyfiles import read_channel_key
    from steunpunt.radiosettings import wanted_settings

    loaded = load(path)
    if loaded.radio.kind == "none":
        raise ConfigError(f"{path}: radio.kind is none: this site has no radio to set")
    if _node_answers(loaded):
        raise ConfigError(
            f"the node is running ({loaded.control.socket} answers) and holds the radio, which serves one client; "
            "stop steunpunt-node first"
        )
    file = loaded.radio.channel_key_file
    return loaded.radio, wanted_settings(loaded.radio, None if file is None else read_channel_key(Path(file)))


def _node_answers(config: Config) -> bool:
    try:
        with contextlib.closing(Client(config.control.socket)) as client:
            client.call("status")
    except Unreachable as error:
        if isinstance(error.__cause__, PermissionError):  # it may run: who asks must be able to see that
            raise
        return False
    except (NotKnownYet, Refused):
        return True
    return True


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
    """Write mosquitto's configuration for a site: listeners, passwords, access lists, bridge."""
    with _one_line_errors():
        loaded = load(config)
        from steunpunt.brokerfiles import write_files

        for path in write_files(loaded, out.resolve(), run_as):
            click.echo(f"written: {path}")


@main.group()
def keys() -> None:
    """Make a region's, a coordinator's and a site's keys. Files are readable by their owner only."""


@keys.command("region")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help='The region, such as "Zuid-Limburg".')
def keys_region(file: Path, name: str) -> None:
    """Make a new region's keys in FILE: the safe's content. Keep it on a stick in an envelope."""
    with _one_line_errors():
        from steunpunt import keymaking

        keymaking.make_region(file, name)
    click.echo(f"written: {file} (secret of the whole region: store it offline)")


@keys.command("coordinator")
@click.argument("region_file", type=click.Path(path_type=Path))
@click.option("--id", "number", default=1, show_default=True, help="The coordinator's number, 1 to 15.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    required=True,
    help="Name or address sites reach its broker by; repeat it.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
def keys_coordinator(region_file: Path, number: int, hosts: tuple[str, ...], out: Path) -> None:
    """Make a coordinator's keys from the region's file, which learns its news key."""
    with _one_line_errors():
        from steunpunt import keymaking

        for path in keymaking.make_coordinator(region_file, number, out, list(hosts)):
            click.echo(f"written: {path}")


@keys.command("site")
@click.argument("region_file", type=click.Path(path_type=Path))
@click.option("--id", "number", required=True, type=int, help="The site's id, 16 to 65535.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files.")
def keys_site(region_file: Path, number: int, out: Path) -> None:
    """Make a kiosk's keys and its broker's certificate from the region's file."""
    with _one_line_errors():
        from steunpunt import keymaking

        for path in keymaking.make_site(region_file, number, out):
            click.echo(f"written: {path}")


@keys.command("desk-password")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Who logs in, such as a duty officer's function or name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
def keys_desk_password(file: Path, name: str, *, password_stdin: bool) -> None:
    """Add a person to the desk's password FILE, or give one a new password."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else getpass.getpass("Password: ")
    with _one_line_errors():
        from steunpunt_ui.desk.passwords import set_password

        set_password(file, name, password)
    click.echo(f"written: {file}")


@main.command()
@CONFIG
@click.argument("action", type=click.Choice(["press", "read"]))
@click.argument("name")
def panel(config: Path, action: str, name: str) -> None:
    """Press or read a help button of a running node. Pressing works only with pins = "mock"."""
    with _one_line_errors():
        try:
            body = Client(load(config).control.socket).call("panel", action=action, name=name)
        except Refused as error:
            raise ConfigError(str(error)) from error
    click.echo(f"{name}: lamp {body['lamp']}, buzzer {'sounds' if body['buzzer'] else 'silent'}")


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
    """Run two kiosks, a coordinator, brokers and virtual radios on this computer, to try everything.

    Prints where the screens are, and a world page on which to cut cables and take power away. Ctrl-C stops all.
    """
    with _one_line_errors():
        from steunpunt.demo.command import demo as run_demo

        run_demo(check=check_it, folder=folder, speed=speed)


def _log_to_stderr() -> None:
    """Log as journald wants it: no time of our own, it may be wrong."""
    level = os.environ.get("STEUNPUNT_LOG", "INFO").upper()
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s %(message)s")


if __name__ == "__main__":
    main()
