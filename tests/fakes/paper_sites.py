"""A kiosk and a coordinator with nothing between them but what a person carries: real nodes, real ledgers."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import segno
from flask.testing import FlaskClient

from steunpunt import config
from steunpunt.control import Body, Client
from steunpunt.ledger.desk import Desk
from steunpunt.ledger.migrate import migrate
from steunpunt.model import Role
from steunpunt.panelconfig import Panel
from steunpunt_ui.app import create_app
from steunpunt_ui.desk.passwords import set_password
from tests.fakes.nodes import Running, kiosk_config

HOME = "http://localhost"
NAME, PASSWORD = "Jansen", "brandweer-47"
JOIN_S_MAX = 20.0


@dataclass
class PaperSites:
    """Both sites, answering."""

    kiosk: config.Config
    center: config.Config
    stop_center: Callable[[], None]

    def desk(self) -> Desk:
        return Desk.open(self.center)

    def ask(self, op: str, **fields: object) -> Body:
        return _call(self.kiosk, op, **fields)

    def request(self, text: str) -> tuple[str, str]:
        """Ask for help at the kiosk; returns the ticket's number and secret half."""
        token = self.ask("form_token")["token"]
        form = {"category": "MEDICAL", "life_threat": True, "text": text, "people": 1, "callback": ""}
        told = self.ask("submit", token=token, language="nl", **form)
        return str(told["number"]), str(told["secret"])

    def codes(self, text: str) -> list[str]:
        """Ask for help; returns its codes for paper."""
        number, secret = self.request(text)
        return str(self.ask("ticket", number=number, secret=secret)["code"]).split()

    def ticket_page(self, number: str, secret: str) -> str:
        client = Client(self.kiosk.control.socket)
        try:
            return create_app(self.kiosk, client).test_client().get(f"/nl/t/{number}/{secret}").text
        finally:
            client.close()


def _in_thread(run: Callable[[], None]) -> Callable[[], None]:
    thread = threading.Thread(target=run)
    thread.start()

    def join() -> None:
        thread.join(JOIN_S_MAX)
        assert not thread.is_alive(), "the node's loop ends when it is told to"

    return join


def _call(site: config.Config, op: str, **fields: object) -> Body:
    client = Client(site.control.socket)
    try:
        return client.call(op, **fields)
    finally:
        client.close()


@contextmanager
def paper_sites(folder: Path) -> Iterator[PaperSites]:
    folder.mkdir(exist_ok=True)
    kiosk = kiosk_config(folder)
    center = _center_config(folder, kiosk)
    with ExitStack() as stack:
        stack.callback(Running(kiosk, _in_thread).stop)
        with ExitStack() as running:
            running.callback(Running(center, _in_thread).stop)
            yield PaperSites(kiosk, center, running.close)


def _center_config(folder: Path, kiosk: config.Config) -> config.Config:
    keys = folder / "coordinator"
    path = folder / "center" / "ledger.db"
    path.parent.mkdir()
    migrate(path)
    passwords = keys / "desk.passwords"
    set_password(passwords, NAME, PASSWORD)
    return msgspec.structs.replace(
        kiosk,
        site=config.Site(role=Role.COORDINATOR, id=1, name="Kazerne", place="Dorpsweg 1"),
        keys=config.Keys(file=str(keys / "coordinator.keys")),
        ledger=config.Ledger(path=str(path), key_file=str(keys / "ledger.key")),
        control=config.Control(socket=str(folder / "run" / "center.sock")),
        web=config.Web(desk_passwords_file=str(passwords)),
        panel=Panel(pins="mock"),
    )


@contextmanager
def desk_web(sites: PaperSites) -> Iterator[FlaskClient]:
    """The desk's pages, logged in."""
    client = Client(sites.center.control.socket)
    web = create_app(sites.center, client).test_client()
    told = web.post("/desk/login", data={"name": NAME, "password": PASSWORD}, headers={"Origin": HOME})
    assert told.status_code == 303
    try:
        yield web
    finally:
        client.close()


def picture(code: str, scale: int = 4) -> bytes:
    """A code as a photo of a screen would hold it."""
    png = io.BytesIO()
    segno.make_qr(code, error="m").save(png, kind="png", scale=scale, border=4)
    return png.getvalue()
