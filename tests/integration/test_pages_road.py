"""New information pages go from a technician at the fire station to a citizen's screen, over real brokers and nodes."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from steunpunt.config import Bridge, Broker, Config, Control, Ledger, RegionListener
from steunpunt.control import Client
from steunpunt.fleet.pagepacking import hand_over
from steunpunt.fleet.tomltext import toml_text
from steunpunt.model import ConfigError, SteunpuntError
from steunpunt_ui.app import create_app
from tests.fakes.brokers import Authority, Mosquitto, mosquitto
from tests.fakes.nodes import Running
from tests.fakes.page_sites import PagesRegion
from tests.fakes.sites import new_ledger

pytestmark = pytest.mark.broker
BRIDGE_S = 30.0
"""A bridge knocks every ten seconds at most, and a coordinator gives its broker two to tell first."""
Wait = Callable[..., None]
FreePort = Callable[[], int]


def in_thread(loop: Callable[[], None]) -> Callable[[], None]:
    """Run a node's loop on a thread; the result waits for its end."""
    thread = threading.Thread(target=loop)
    thread.start()
    return lambda: thread.join(10)


class World:
    """A fire station and a point, joined by TLS; their nodes run here."""

    def __init__(self, folder: Path, free_port: FreePort) -> None:
        self.folder = folder
        self.safe = PagesRegion(folder / "safe")
        (folder / "tls").mkdir()
        authority, port = Authority(folder / "tls"), free_port()
        desk, point = authority.issue("1"), authority.issue("47")
        listener = RegionListener(
            host="127.0.0.1", port=port, ca_file=desk.ca, certificate_file=desk.certificate, key_file=desk.key
        )
        bridge = Bridge(
            host="localhost", port=port, ca_file=point.ca, certificate_file=point.certificate, key_file=point.key
        )
        self.desk = self._site(1, Broker(port=free_port(), region_listener=listener))
        self.point = self._site(47, Broker(port=free_port(), bridge=bridge))

    def _site(self, number: int, broker: Broker) -> Config:
        folder = self.folder / f"site-{number}"
        config = self.safe.config(number, folder / "pages")
        password = folder / "broker" / "node.password"
        found = msgspec.structs.replace(
            config,
            broker=msgspec.structs.replace(broker, password_file=str(password)),
            ledger=Ledger(path=str(new_ledger(folder / "ledger.db")), key_file=str(self.folder / "safe/1/ledger.key")),
            control=Control(socket=str(folder / "node.sock")),
        )
        (folder / "site.toml").write_text(toml_text(_told(found)), "utf-8")
        return found

    def file(self, config: Config) -> Path:
        return self.folder / f"site-{config.site.id}" / "site.toml"

    @contextlib.contextmanager
    def broker(self, config: Config, wait_until: Wait) -> Iterator[Mosquitto]:
        with mosquitto(config, self.folder / f"site-{config.site.id}" / "broker", wait_until) as broker:
            yield broker

    @contextlib.contextmanager
    def node(self, config: Config) -> Iterator[None]:
        running = Running(config, in_thread)
        try:
            yield
        finally:
            running.stop()


def _told(config: Config) -> dict[str, object]:
    """Return a config as its file says it: without what is left out, a desk with what it must name."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items() if each is not None}
        return list(value) if isinstance(value, tuple) else value

    table = plain(msgspec.to_builtins(config))
    assert isinstance(table, dict)
    if config.site.id == 1:
        table["web"]["desk_passwords_file"] = "desk.passwords"
    return table


def archive(world: World, words: str, pictures: int = 0) -> Path:
    path = world.folder / f"{words}.pages"
    path.write_bytes(world.safe.pack(pictures, water=words))
    return path


def shown(config: Config) -> str:
    """Return a citizen's page about water, asked of the screens as they run beside this node."""
    client = Client(config.control.socket)
    try:
        return create_app(config, client).test_client().get("/nl/info/water").text
    finally:
        client.close()


def test_what_a_technician_publishes_is_on_the_citizens_screen(
    tmp_path: Path, free_port: FreePort, wait_until: Wait
) -> None:
    world = World(tmp_path, free_port)
    with contextlib.ExitStack() as stack:
        region = stack.enter_context(world.broker(world.desk, wait_until))
        local = stack.enter_context(world.broker(world.point, wait_until))
        stack.enter_context(world.node(world.desk))
        first = archive(world, "Kook het water.")
        with pytest.raises(ConfigError, match="pages publish"):
            hand_over(world.file(world.desk), first, region=False)
        told = hand_over(world.file(world.desk), first, region=True)
        assert told == "number 1 is kept here; points with internet get it within a minute"
        with world.node(world.point):  # it starts when the archive lies there already
            wait_until(lambda: "Kook het water." in shown(world.point), BRIDGE_S, "the page on the screen")
            large = archive(world, "Drink het water.", pictures=2)
            assert large.stat().st_size > 380 * 1024
            hand_over(world.file(world.desk), large, region=True)
            wait_until(lambda: "Drink het water." in shown(world.point), BRIDGE_S, "the newer page")
            with pytest.raises(SteunpuntError, match=r"older than number 2.*the old pages stay"):
                hand_over(world.file(world.point), first, region=False)
        local.stop()
        region.stop()
    with world.broker(world.point, wait_until), world.node(world.point):
        assert "Drink het water." in shown(world.point), "it stays without the region"
        told = hand_over(world.file(world.point), archive(world, "Kook het toch."), region=False)
        assert told == "number 3 is shown from now on"
        assert "Kook het toch." in shown(world.point)
