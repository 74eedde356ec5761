"""A kiosk over a node in memory, and a desk's passwords: imported by the conftest of each folder that tests pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from steunpunt_ui.desk.passwords import set_password
from tests.fakes.fake_node import FakeNode
from tests.fakes.ui_citizen import kiosk_web
from tests.fakes.ui_sites import NAME, PASSWORD


@pytest.fixture(name="node")
def fixture_node(tmp_path: Path) -> Iterator[FakeNode]:
    """Give a kiosk's node at which all is well; a file that wants more of it has a fixture of this name on top."""
    node = FakeNode(tmp_path / "node.sock")
    yield node
    node.close()


@pytest.fixture(name="web")
def fixture_web(node: FakeNode) -> Iterator[FlaskClient]:
    """Give the pages of that kiosk."""
    with kiosk_web(node) as web:
        yield web


@pytest.fixture(name="passwords", scope="module")
def fixture_passwords(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "desk.passwords"
    set_password(path, NAME, PASSWORD)
    return path
