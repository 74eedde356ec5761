"""A kiosk over a node in memory, for the tests of its pages: imported by the conftest of each folder that has such."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.fakes.fake_node import FakeNode
from tests.fakes.ui_citizen import kiosk_web


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
