"""A kiosk with staff: a real node, its pages, and who comes to them over the screen or the wifi."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from steunpunt.config import Config
from steunpunt.control import Body, Client
from steunpunt.keyfiles import write_staff_pin
from steunpunt.model import Event
from steunpunt.staffconfig import Staff
from steunpunt_ui.app import create_app
from tests.fakes.nodes import Running, kiosk_config

PIN = "295031"
HOME = "http://localhost"
JOIN_S_MAX = 20.0


class StaffSite:
    """See the module."""

    def __init__(self, folder: Path, *, over_wifi: bool = False) -> None:
        self.pin_file = folder / "staff.pin"
        write_staff_pin(self.pin_file, PIN)
        staff = Staff(pin_file=str(self.pin_file), over_wifi=over_wifi)
        self.config: Config = msgspec.structs.replace(kiosk_config(folder), staff=staff)
        self.client = Client(self.config.control.socket)
        self.app = create_app(self.config, self.client)
        self.put: Callable[[Event], None] = lambda _: None
        """Into the inbox of the node, once it runs."""

    def ask(self, op: str, **fields: object) -> Body:
        return self.client.call(op, **fields)

    def screen(self) -> FlaskClient:
        """A browser at the point's own screen."""
        return self.app.test_client()

    def phone(self) -> FlaskClient:
        """A browser on the wifi."""
        web = self.app.test_client()
        web.environ_base["REMOTE_ADDR"] = "10.42.0.77"
        return web

    def staff(self) -> FlaskClient:
        """A browser at the screen, with staff logged in."""
        web = self.screen()
        assert post(web, "/staf/inloggen", pin=PIN, enter="1").headers["Location"] == "/staf/"
        return web


@contextmanager
def staff_site(folder: Path, *, over_wifi: bool = False) -> Iterator[StaffSite]:
    """Give a site whose node answers."""
    site = StaffSite(folder, over_wifi=over_wifi)
    running = Running(site.config, _in_thread)
    site.put = running.node._inbox.put
    try:
        yield site
    finally:
        site.client.close()
        running.stop()


def _in_thread(work: Callable[[], None]) -> Callable[[], None]:
    thread = threading.Thread(target=work)
    thread.start()
    return lambda: thread.join(JOIN_S_MAX)


def post(web: FlaskClient, path: str, **fields: str | list[str]) -> TestResponse:
    """Send a form from a page of this same host."""
    return web.post(path, data=fields, headers={"Origin": HOME})


def hidden(page: TestResponse) -> dict[str, str]:
    """Return all hidden fields of a page."""
    return dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
