"""The figures of a site over HTTP: for programs on this device alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from steunpunt.control import Client, Server
from steunpunt_ui.app import create_app
from tests.fakes.ui_sites import kiosk_config

TEXT = "# TYPE steunpunt_link_up gauge\nsteunpunt_link_up 1\n"


@pytest.fixture(name="web")
def fixture_web(tmp_path: Path) -> Iterator[FlaskClient]:
    path = tmp_path / "node.sock"
    server = Server(path, lambda request: {"ok": True, "text": TEXT} if request["op"] == "metrics" else {"ok": False})
    server.start()
    client = Client(path, timeout_s=5)
    yield create_app(kiosk_config(path), client).test_client()
    client.close()
    server.stop()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]", "[::1]:8080"])
def test_a_program_on_this_device_reads_them(web: FlaskClient, host: str) -> None:
    page = web.get("/metrics", headers={"Host": host})
    assert (page.status_code, page.text) == (200, TEXT)
    assert page.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    ("address", "host"),
    [("192.0.2.7", "localhost"), ("127.0.0.1", "evil.example"), ("127.0.0.1", "evil.example:8080"), ("", "localhost")],
)
def test_nobody_else_does(web: FlaskClient, address: str, host: str) -> None:
    page = web.get("/metrics", headers={"Host": host}, environ_overrides={"REMOTE_ADDR": address})
    assert page.status_code == 404
    assert "steunpunt_link_up" not in page.text


def test_a_node_that_is_away_is_a_503_and_no_stack_trace(tmp_path: Path) -> None:
    client = Client(tmp_path / "no.sock", timeout_s=5)
    page = create_app(kiosk_config(tmp_path / "no.sock"), client).test_client().get("/metrics")
    assert page.status_code == 503
    assert page.text.startswith("# ")
