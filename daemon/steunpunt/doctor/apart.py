"""What can be looked at without the node: is the radio's device there, who listens, is there room, what says the UPS.

For when the node is dead, and for what a node cannot know of itself. Each look takes at most LOOK_S_MAX seconds.
"""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from steunpunt.config import Config, Radio
from steunpunt.doctor.findings import Finding, On
from steunpunt.doctor.live import room
from steunpunt.model import MAIN_RADIO
from steunpunt.panel import InputPin
from steunpunt.power.reading import ReadingError, reading_of
from steunpunt.power.sources import open_source

LOOK_S_MAX = 3.0
_MIB = 2**20


def examine_dead(config: Config) -> Iterator[Finding]:
    """Give what can be known of a site whose node does not run."""
    for name, radio in config.radios.items():
        yield _radio(name, radio)
    if config.broker.enabled:
        yield _listens("broker", config.broker.host, config.broker.port, "sudo systemctl start mosquitto")
    if config.power is not None:
        yield from _power(config)
    yield from _disk(config)


def screens(config: Config) -> Finding:
    """Return whether the web process listens."""
    return _listens("screens", config.web.host, config.web.port, "sudo systemctl status steunpunt-web")


def _listens(part: str, host: str, port: int, mend: str) -> Finding:
    on = On(part, f"{host}:{port}")
    try:
        with socket.create_connection((_near(host), port), LOOK_S_MAX):
            return on.passes("listens.yes")
    except OSError as error:
        return on.fails("listens.no", reason=error.strerror or str(error), mend=mend)


def _near(host: str) -> str:
    """Return where this device finds what listens everywhere."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared with, not bound to


def _radio(name: str, radio: Radio) -> Finding:
    if radio.kind == "tcp":
        return _listens("radio", radio.host, radio.port, "start meshtasticd, or correct radio.host and radio.port")
    on = On("radio", radio.path)
    try:
        mode = Path(radio.path).stat().st_mode
    except OSError as error:
        return on.fails("radio.no_device", reason=str(error.strerror))
    if not stat.S_ISCHR(mode):
        return on.fails("radio.not_a_device")
    if not os.access(radio.path, os.R_OK | os.W_OK):
        return on.warns("radio.forbidden")
    return on.warns("radio.device", option="" if name == MAIN_RADIO else f" --radio {name}")


def _power(config: Config) -> Iterator[Finding]:
    on = On("power", "power")
    if config.power is None:
        return
    source = open_source(config.power, InputPin)
    with contextlib.closing(source):
        try:
            reading = reading_of(source.read())
        except ReadingError as error:
            yield on.fails("power.problem", reason=str(error))
            return
    for problem in reading.problems:
        yield on.fails("power.problem", reason=problem)
    percent = None if reading.charge is None else round(reading.charge)
    if reading.mains is None:
        yield on.fails("power.unknown")
    elif reading.mains:
        yield on.passes("power.mains", percent=percent, hours=None)
    else:
        yield on.warns("power.battery", percent=percent, hours=None)


def _disk(config: Config) -> Iterator[Finding]:
    folder = Path(config.ledger.path).parent
    on = On("disk", str(folder))
    try:
        found = os.statvfs(folder)
    except FileNotFoundError:
        yield on.warns("disk.no_folder")
        return
    except OSError as error:
        yield on.warns("disk.forbidden", reason=str(error.strerror))
        return
    yield room(on, found.f_bavail * found.f_frsize // _MIB, read_only=bool(found.f_flag & os.ST_RDONLY))
