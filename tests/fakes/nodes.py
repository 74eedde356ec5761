"""A real node of a kiosk over its own files, its links replaced by boxes that a test looks into."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from steunpunt import config, keymaking
from steunpunt.links.broker import BrokerLink
from steunpunt.links.mesh import MeshLink
from steunpunt.model import MAIN_RADIO, Role, SendFrame, SteunpuntError
from steunpunt.node.box import SiteBox
from steunpunt.node.links import SiteLinks
from steunpunt.node.loop import Node
from steunpunt.panelconfig import Button, Panel
from tests.fakes.sites import new_ledger

RADIO = config.Radio(kind="tcp")
BROKER = config.Broker()


class MeshBox(MeshLink):
    """Keeps what it is given to send; can fail."""

    def __init__(self) -> None:
        super().__init__(RADIO, lambda _: None)
        self.sent: list[SendFrame] = []
        self.failure: Exception | None = None

    def send(self, effect: SendFrame) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append(effect)


class BrokerBox(BrokerLink):
    """Keeps what it is given to send and to confirm."""

    def __init__(self) -> None:
        super().__init__(BROKER, 47, Role.KIOSK, lambda _: None)
        self.sent: list[SendFrame] = []
        self.confirmed: list[int] = []

    def send(self, effect: SendFrame) -> None:
        self.sent.append(effect)

    def confirm(self, handle: int) -> None:
        self.confirmed.append(handle)


def kiosk_config(folder: Path) -> config.Config:
    """Make a region's keys and return the config of a kiosk without radio and broker, with one mock button."""
    if not (folder / "region.keys").exists():
        keymaking.make_region(folder / "region.keys", "Zuid-Limburg")
        keymaking.make_coordinator(folder / "region.keys", 1, folder / "coordinator", ["localhost"])
        keymaking.make_site(folder / "region.keys", 47, folder / "site")
        new_ledger(folder / "data" / "ledger.db")
    button = Button(name="help", button_pin=17, lamp_pin=27)
    return config.Config(
        site=config.Site(role=Role.KIOSK, id=47, name="Buurthuis", place="Kerkplein 1"),
        region=config.Region(name="Zuid-Limburg", coordinator_name="Kazerne", fallback_address="Dorpsweg 1"),
        keys=config.Keys(file=str(folder / "site" / "site.keys")),
        radio=config.Radio(kind="none"),
        broker=config.Broker(enabled=False),
        ledger=config.Ledger(path=str(folder / "data" / "ledger.db")),
        control=config.Control(socket=str(folder / "run" / "node.sock")),
        panel=Panel(pins="mock", buzzer_pin=22, button=(button,)),
    )


class BoxedNode:
    """A node that a test turns by hand."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.node = Node(msgspec.structs.replace(kiosk_config(folder), **sections))
        self.node._open()
        self.mesh, self.broker = MeshBox(), BrokerBox()
        self.node._links = SiteLinks({MAIN_RADIO: self.mesh}, self.broker, self.node._inbox.put)
        self.node._box = SiteBox(
            msgspec.structs.replace(self.node._config, panel=None), self.node._inbox.put, self.node._clock
        )

    def turn_inbox(self) -> None:
        """Turn with what the node put into its own inbox."""
        self.node._turn(self.node._inbox.take(0))

    def execute(self, sql: str) -> object:
        return self.node._ledger.connection.exec_driver_sql(sql).scalar()

    def close(self) -> None:
        self.node._close()


class Running:
    """A node that serves its socket from a thread of its own."""

    def __init__(
        self, settings: config.Config, run_in_thread: Callable[[Callable[[], None]], Callable[[], None]]
    ) -> None:
        self.node = Node(settings)
        self.node._open()
        try:
            self.node._start()
        except SteunpuntError:
            self.node._close()  # as at the end of Node.run
            raise
        self._join = run_in_thread(self.node._loop)

    def stop(self) -> None:
        self.node.stop()
        self._join()
        self.node._close()
