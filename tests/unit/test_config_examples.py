"""The example configs are right, with and without what they have commented out, and show every key."""

import re
from pathlib import Path

import pytest

from steunpunt import config
from tests.unit.test_config import KEYS, written

EXAMPLES = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_examples_are_right(path: Path) -> None:
    loaded = config.load(path)
    assert loaded.site.role == path.stem


@pytest.mark.parametrize("name", ["kiosk.toml", "coordinator.toml"])
def test_what_an_example_has_commented_out_is_right_too(name: str, tmp_path: Path) -> None:
    text = (EXAMPLES / name).read_text("utf-8")
    choices = re.compile(r"(?m)^# (\[.*\]|[a-z_]+ = (?:\".*\"|[\d.]+|true|false))$")
    assert choices.search(text)
    assert config.load(written(tmp_path, choices.sub(r"\1", text))).radio.node == "!a1b2c3d4"


def test_the_examples_show_every_key() -> None:
    shown = "".join(path.read_text("utf-8") for path in EXAMPLES.glob("*.toml"))
    assert [key for key in KEYS if not re.search(rf"(?m)^(?:# )?{key.rpartition('.')[2]} = ", shown)] == []
