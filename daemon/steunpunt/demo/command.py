"""What ``steunpunt demo`` does: starts a region, tells where everything is, and ends all of it again."""

import contextlib
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from steunpunt.demo.check import Check, CheckFailed
from steunpunt.demo.ports import free_port
from steunpunt.demo.processes import Stopped
from steunpunt.demo.region import COORDINATOR, DESK_NAME, DESK_PASSWORD, STAFF_PIN, Region, mosquitto_path
from steunpunt.demo.world import World, WorldServer

WORLD_PORT = 8080
WEB_PORTS = (8081, 8082, 8083)
"""Kiosk A, kiosk B, the desk."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def demo(*, check: bool, folder: Path | None, speed: float) -> None:
    """Run until Ctrl-C, or with ``check`` until the check is done; raises CheckFailed, or another SteunpuntError.

    Without a folder everything lies in a temporary one that is removed at the end. ``speed`` divides the time on air.
    """
    mosquitto_path()  # before anything else: what is missing is one line
    with _own_folder(folder) as place:
        region = Region(place, speed=speed, web_ports=() if check else WEB_PORTS)
        world = WorldServer(World(region), free_port(0 if check else WORLD_PORT))
        with _stopped_by_signals(region.stopping.set):
            try:
                click.echo(f"Starting two kiosks, a coordinator, their brokers and three virtual radios in {place}")
                region.prepare()
                region.start()
                world.start()
                _check(region, world) if check else _show(region, world)
            except Stopped:
                if check:
                    raise
                # Told to stop while it started: that is what it does now.
            except CheckFailed:
                if folder is None:
                    click.echo("\nThe logs go with the temporary folder; to keep them: --folder DIR", err=True)
                raise
            finally:
                world.stop()
                region.stop()
                click.echo("All processes are stopped.")


def _check(region: Region, world: WorldServer) -> None:
    began = time.monotonic()
    check = Check(region, world.url, click.echo)
    check.run()
    numbers = ", ".join(request.number for request in check.requests)
    click.echo(
        f"\nGood: {numbers} each arrived exactly once, with their words unchanged, were taken up and answered, "
        f"in {time.monotonic() - began:.0f} s."
    )


def _show(region: Region, world: WorldServer) -> None:
    a, b, desk = region.sites["kiosk-a"], region.sites["kiosk-b"], region.sites[COORDINATOR]
    rows = [
        ("Kiosk A", a.url, f"{a.title}; the key opens the staff's pages, PIN {STAFF_PIN}"),
        ("Kiosk B", b.url, f"{b.title}; the same PIN"),
        ("Desk", desk.url, f'log in as "{DESK_NAME}", password "{DESK_PASSWORD}"'),
        ("World", world.url, "cut the internet, pull the radio, take the power, press the button"),
    ]
    click.echo("")
    for name, url, words in rows:
        click.echo(f"  {name:<8} {url:<23} {words}")
    wished = zip(rows, (*WEB_PORTS, WORLD_PORT), (a.web_port, b.web_port, desk.web_port, world.port), strict=True)
    for (name, _, _), wish, port in wished:
        if port != wish:
            click.echo(f"  (port {wish} is taken by another program, so {name} is on {port})")
    click.echo("\nCtrl-C stops everything.")
    region.stopping.wait()
    click.echo("")


@contextlib.contextmanager
def _own_folder(folder: Path | None) -> Iterator[Path]:
    """Give the folder that was named, which stays, or a temporary one."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="steunpunt-demo-") as place:
        yield Path(place)


@contextlib.contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and a closed terminal only raise a flag, so that no process gets lost half started."""
    before = {number: signal.signal(number, lambda _number, _frame: stop()) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
