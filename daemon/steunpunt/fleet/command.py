"""What ``steunpunt radio show``, ``plan`` and ``apply`` print, and when they refuse."""

import contextlib
from pathlib import Path

import click

from steunpunt.config import Config, Radio, load
from steunpunt.control import Client, NotKnownYet, Refused, Unreachable
from steunpunt.fleet import radio_client
from steunpunt.keyfiles import read_channel_key
from steunpunt.model import ConfigError
from steunpunt.radiosettings import Difference, WantedSettings, settings_of, wanted_settings
from steunpunt.wire import node_name

_SETTING_WIDTH = 16


def show(path: Path, name: str) -> None:
    """Print the settings as they are on the radio of this name at the site whose config this is."""
    section, wanted = _radio_alone(path, name)
    state = radio_client.read(section)
    click.echo(f"{'radio':<{_SETTING_WIDTH}} {node_name(state.node_num or 0)}, firmware {state.firmware}")
    for setting, now in settings_of(state, wanted):
        click.echo(f"{setting:<{_SETTING_WIDTH}} {now}")


def plan(path: Path, name: str) -> None:
    """Print what :func:`apply` would change; nothing when nothing differs."""
    _say(radio_client.plan(*_radio_alone(path, name)))


def apply(path: Path, name: str) -> None:
    """Print what differs, write it, and print that it was read back; raises SteunpuntError when it was not."""
    found = radio_client.apply(*_radio_alone(path, name), begin=_say)
    click.echo("the radio is as the config says" + (": written, rebooted and read back" if found else ""))


def _say(found: list[Difference]) -> None:
    rows = [("setting", "is", "will be"), *((each.setting, each.now, each.wanted) for each in found)]
    width = max(len(now) for _, now, _ in rows)
    for setting, now, wanted in rows if found else ():
        click.echo(f"{setting:<{_SETTING_WIDTH}} {now:<{width}}  {wanted}")


def _radio_alone(path: Path, name: str) -> tuple[Radio, WantedSettings]:
    """Return the radio's section and what it asks; refuses while the node holds the radio."""
    loaded = load(path)
    if not loaded.radios:
        raise ConfigError(f"{path}: radio.kind is none: this site has no radio to set; write what radio it has")
    if name not in loaded.radios:
        known = ", ".join(loaded.radios)
        raise ConfigError(f"{path}: no radio is called {name[:40]!r}; the radios here are: {known}")
    section = loaded.radios[name]
    if _node_answers(loaded):
        raise ConfigError(
            f"the node is running ({loaded.control.socket} answers) and holds the radio, which serves one client; "
            "stop steunpunt-node first"
        )
    file = section.channel_key_file
    return section, wanted_settings(section, None if file is None else read_channel_key(Path(file)))


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
