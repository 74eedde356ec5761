"""A citizen before a kiosk: pages over a real control socket, read and filled in as a browser would."""

import html
import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from flask.testing import FlaskClient
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from steunpunt.config import Config
from steunpunt.control import Client
from steunpunt_ui.app import create_app
from tests.fakes.fake_node import SECRET, FakeNode
from tests.fakes.ui_sites import kiosk_config

HOME = "http://localhost"
TICKET = f"/nl/t/47-1/{SECRET}"


@contextmanager
def kiosk_web(node: FakeNode) -> Iterator[FlaskClient]:
    """The example kiosk's pages, asking ``node``."""
    client = Client(node.path, timeout_s=5)
    yield create_app(kiosk_config(node.path), client).test_client()
    client.close()


@contextmanager
def kiosk_server(config: Config) -> Iterator[str]:
    """The pages of a config over HTTP, at the address that this gives; their node is at its ``control.socket``."""
    client = Client(config.control.socket)
    server = make_server("127.0.0.1", 0, create_app(config, client))

    def serve() -> None:
        with closing(client):  # of this thread
            server.serve_forever()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


def words(response: TestResponse) -> str:
    """The page's text as a reader sees it, in one line."""
    plain = re.sub(r"<(script|style|svg|noscript).*?</\1>", "", response.text, flags=re.DOTALL)
    plain = re.sub(r"</?(?:strong|b|small|span)>", "", plain)
    return " ".join(re.sub(r"<[^>]+>", " ", plain).replace("&#39;", "'").split())


def hidden(response: TestResponse, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', response.text)
    assert found, f"no hidden field {name}"
    return found[1]


def form_of(response: TestResponse) -> dict[str, str]:
    """All that a page's form sends unseen, by name: enough where no field has two values."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', response.text)
    return {name: html.unescape(value) for name, value in found}


def post(web: FlaskClient, path: str, **fields: str) -> TestResponse:
    return web.post(path, data=fields, headers={"Origin": HOME})


def ask(web: FlaskClient, step: str, **fields: str) -> TestResponse:
    token = hidden(web.get("/nl/hulp/medisch"), "token")
    return post(web, "/nl/hulp/medisch", token=token, do=step, **fields)
