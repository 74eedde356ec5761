"""The web process itself: one that can't have its port says so, and a kiosk's loads nothing it has no right to."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.fakes.fake_node import FakeNode, ticket_body
from tests.fakes.ui_sites import EXAMPLES

pytestmark = pytest.mark.processes
SERVE = """
import sys
from pathlib import Path
from steunpunt.config import load
from steunpunt.model import SteunpuntError
from steunpunt_ui.serve import serve
try:
    serve(load(Path(sys.argv[1])))
except SteunpuntError as error:
    sys.exit(str(error))
"""
FORBIDDEN_AT_A_KIOSK = ["sqlalchemy", "alembic", "cryptography", "paho", "meshtastic", "gpiozero", "PIL", "zxingcpp"]
FORBIDDEN_AT_A_KIOSK += ["steunpunt_ui.desk"]
LOADED = """
import json, sys
from pathlib import Path
from steunpunt.control import Client
from tests.fakes.ui_sites import kiosk_config
from steunpunt_ui import serve
from steunpunt_ui.app import create_app
path = Path(sys.argv[1])
web = create_app(kiosk_config(path), Client(path)).test_client()
pages = "/nl/", "/nl/hulp/brand", "/nl/volgen", "/nl/t/47-1/7KQ4-M2XD", "/desk/"
statuses = [web.get(page).status_code for page in pages]
print(json.dumps([statuses, sorted(sys.modules)]))
"""


def write_config(folder: Path, port: int, node: Path) -> Path:
    text = (EXAMPLES / "kiosk.toml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("socket =", "port = 8080"))]
    lines.insert(lines.index("[control]") + 1, f'socket = "{node}"')
    lines.insert(lines.index("[web]") + 1, f"port = {port}")
    path = folder / "site.toml"
    path.write_text("\n".join(lines), "utf-8")
    return path


@contextmanager
def serving(config: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SERVE, str(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | environment)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.fixture(name="manager")
def fixture_manager(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(20)
        yield channel


def test_it_tells_systemd_when_it_serves_and_that_it_lives(
    tmp_path: Path, manager: socket.socket, free_port: Callable[[], int]
) -> None:
    port, node = free_port(), FakeNode(tmp_path / "node.sock")
    config = write_config(tmp_path, port, node.path)
    try:
        with serving(config, NOTIFY_SOCKET=manager.getsockname(), WATCHDOG_USEC="200000"):
            assert manager.recv(100) == b"READY=1"
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/nl/", headers={"X-Forwarded-For": "1.2.3.4"})
            reply = connection.getresponse()
            assert reply.status == 200
            assert b"Hulp vragen" in reply.read()
            assert reply.getheader("Server") is None
            connection.close()
            assert {manager.recv(100) for _ in range(3)} == {b"WATCHDOG=1"}
    finally:
        node.close()


def test_a_taken_port_is_one_line_that_names_the_mend(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = write_config(tmp_path, port, tmp_path / "node.sock")
        command = [sys.executable, "-c", SERVE, str(config)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert f"127.0.0.1 port {port} cannot be used" in ended.stderr
    assert "web.port" in ended.stderr


def test_a_kiosk_loads_neither_ledger_nor_keys_nor_devices(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "node.sock")
    node.tickets["47-1"] = ticket_body("47-1", code="SP1:0123456789")
    try:
        command = [sys.executable, "-c", LOADED, str(node.path)]
        root = str(EXAMPLES.parent)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, cwd=root)
    finally:
        node.close()
    statuses, modules = json.loads(ended.stdout)
    assert statuses == [200, 200, 200, 200, 404]
    assert [name for name in FORBIDDEN_AT_A_KIOSK if name in modules] == []
