"""The JSON schemas are those of the structs, lie where editors look, and take the examples."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from steunpunt.fleet.schema import FILES, Kind, Schema, schema, schema_text
from tests.fakes.full_config import FULL
from tests.unit.test_config import RANGED, replaced

CONFIG = Path(__file__).parents[2] / "config"
TYPES = {"string": str, "integer": int, "number": int | float, "boolean": bool, "array": list, "object": dict}


def mistakes(value: Any, by: Schema, place: str = "", root: Schema | None = None) -> Iterator[str]:
    """Check a value as an editor does, with the words of JSON Schema that ours use."""
    root = root or by
    if "$ref" in by:
        by = root["definitions"][by["$ref"].rpartition("/")[2]]
    if not isinstance(value, TYPES[by["type"]]) or (by["type"] == "integer" and isinstance(value, bool)):
        yield f"{place}: {by['type']}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from mistakes(item, by["items"], f"{place}[{index}]", root)
    elif isinstance(value, dict):
        yield from (f"{place}.{key}: missing" for key in by.get("required", []) if key not in value)
        for key, inner in value.items():
            if key in by["properties"]:
                yield from mistakes(inner, by["properties"][key], f"{place}.{key}", root)
            else:
                yield f"{place}.{key}: unknown"
    else:
        yield from (f"{place}: {what}" for what in leaf_mistakes(value, by))


def leaf_mistakes(value: Any, by: Schema) -> Iterator[str]:
    if "enum" in by and value not in by["enum"]:
        yield "enum"
    if isinstance(value, int | float) and not by.get("minimum", value) <= value <= by.get("maximum", value):
        yield "range"
    if isinstance(value, str):
        if not by.get("minLength", 0) <= len(value) <= by.get("maxLength", len(value)):
            yield "length"
        if "pattern" in by and not re.search(by["pattern"], value):
            yield "pattern"


def leaves(by: Schema, place: str = "") -> Iterator[tuple[str, Schema]]:
    """Give every key that is no section, with what is said of it."""
    if "properties" in by:
        for name, inner in by["properties"].items():
            yield from leaves(inner, f"{place}.{name}")
    elif "properties" in by.get("items", {}):
        yield from leaves(by["items"], place)
    elif "$ref" not in by:
        yield place, by


@pytest.mark.parametrize("kind", FILES)
def test_the_file_is_what_the_structs_say(kind: Kind) -> None:
    assert (CONFIG / FILES[kind]).read_text("utf-8") == schema_text(kind), "type: make schema"


def test_every_file_names_the_schema_beside_it() -> None:
    for path in sorted(CONFIG.rglob("*.toml")):
        first = path.read_text("utf-8").partition("\n")[0]
        assert first.startswith("#:schema ./"), path.name
        assert (path.parent / first.removeprefix("#:schema ")).is_file()


def test_the_examples_are_right() -> None:
    for path in sorted(CONFIG.rglob("*.toml")):
        name = path.read_text("utf-8").partition("\n")[0].removeprefix("#:schema ")
        by = json.loads((path.parent / name).read_text("utf-8"))
        assert list(mistakes(tomllib.loads(path.read_text("utf-8")), by)) == [], path.name


def test_the_full_file_is_right_and_each_key_out_of_range_is_not() -> None:
    by = schema("site")
    assert list(mistakes(tomllib.loads(FULL), by)) == []
    for key, value in RANGED.items():
        (found,) = mistakes(tomllib.loads(replaced(key, value)), by)
        assert found.startswith(f".{key}:")


def test_an_unknown_key_and_one_left_out_are_seen() -> None:
    by = schema("fleet-site")
    assert list(mistakes(tomllib.loads("[site]\nid = 47\nname = 'x'\n[radio]\nnoed = 1"), by)) == [
        ".site.place: missing",
        ".radio.noed: unknown",
    ]


@pytest.mark.parametrize("kind", FILES)
def test_every_key_has_an_example_that_its_own_schema_takes(kind: Kind) -> None:
    found = dict(leaves(schema(kind)))
    assert len(found) > 10
    for place, by in found.items():
        assert [list(mistakes(example, by)) for example in by["examples"]] == [[]], place


def test_what_the_sources_say_of_a_key_is_its_description() -> None:
    node = schema("site")["properties"]["radio"]["properties"]["node"]
    assert node["description"] == "The node number that must answer, such as `!a1b2c3d4`."
    extra = schema("site")["properties"]["extra_radio"]["items"]["properties"]["node"]
    assert extra["description"] == node["description"]
