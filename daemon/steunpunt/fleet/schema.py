"""JSON schemas of the config files, from their structs, for editors that complete keys and underline mistakes.

An editor knows less than ``check``: what contradicts what, and which files are there.
"""

import ast
import inspect
import itertools
import json
import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

import msgspec

from steunpunt.config import Config
from steunpunt.configerrors import SITE_WORDS, Words
from steunpunt.configwords import plain
from steunpunt.fleet.regionfile import WORDS, RegionFile

Kind = Literal["site", "region", "fleet-site"]
Schema = dict[str, Any]
FILES: dict[Kind, str] = {
    "site": "site.schema.json",
    "region": "fleet/region.schema.json",
    "fleet-site": "fleet/sites/site.schema.json",
}
"""Where they lie under config/ (``make schema``)."""
_DRAFT = "http://json-schema.org/draft-07/schema#"
"""What taplo and the editors built on it read; a name, nothing is fetched from there."""
_LAYERS = ("every", "kiosks", "coordinators")
_KEPT = ("type", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "enum", "default")


def schema(kind: Kind) -> Schema:
    """Return the schema of a site's whole config, of a region file, or of a site's short file beside a region file."""
    if kind == "region":
        made = _Inliner(RegionFile, WORDS).schema()
        for name in _LAYERS:
            made["properties"][name] = {"$ref": "#/definitions/layer"}
        made["definitions"] = {"layer": _optional(_Inliner(Config, SITE_WORDS).schema())}
    else:
        made = _Inliner(Config, SITE_WORDS).schema()
    if kind == "fleet-site":
        made = _optional(made) | {"required": ["site"]}
        made["properties"]["site"]["required"] = ["id", "name", "place"]
    return {"$schema": _DRAFT, "title": f"steunpunt {kind}", **made}


def schema_text(kind: Kind) -> str:
    """Return the schema as the file has it."""
    return json.dumps(schema(kind), indent=1, ensure_ascii=False) + "\n"


def _optional(made: Schema) -> Schema:
    """Return the schema of one layer of a config: no section and no key of a section must be there."""
    loose = {key: value for key, value in made.items() if key != "required"}
    loose["properties"] = {
        name: _optional(one) if one.get("type") == "object" else one for name, one in made["properties"].items()
    }
    return loose


class _Inliner:
    """Takes msgspec's schema of a struct and puts every section where it is used."""

    def __init__(self, root: type[msgspec.Struct], words: Words) -> None:
        made = msgspec.json.schema(root)
        self._definitions = made["$defs"]
        self._root = made["$ref"]
        self._words = words
        self._structs = {struct.__name__: struct for struct in _structs(root)}

    def schema(self) -> Schema:
        return self._inlined({"$ref": self._root}, "")

    def _inlined(self, one: Schema, key: str) -> Schema:
        if "anyOf" in one:  # TOML has no null: a key is left out instead
            one = next(each for each in one["anyOf"] if each.get("type") != "null")
        if "$ref" in one:
            name = one["$ref"].rpartition("/")[2]
            target = self._definitions[name]
            return self._section(name, target, key) if "properties" in target else self._inlined(target, key)
        made = {word: one[word] for word in _KEPT if one.get(word) is not None}
        if "enum" in one:
            made["type"] = "integer" if all(isinstance(each, int) for each in one["enum"]) else "string"
        if "pattern" in one:
            made["pattern"] = one["pattern"].replace(r"\Z", "$")  # what JavaScript calls the end
        if "items" in one:
            made["items"] = self._inlined(one["items"], key)
        return made

    def _section(self, name: str, target: Schema, key: str) -> Schema:
        about = _told(self._structs[name])
        properties = {}
        for leaf, one in target["properties"].items():
            dotted = f"{key}.{leaf}".lstrip(".")
            made = self._inlined(one, dotted)
            if leaf in about:
                made["description"] = about[leaf]
            text = self._words.examples[plain(dotted)]
            if not text.startswith("a section"):
                made["examples"] = [tomllib.loads(text)[leaf]]
            properties[leaf] = made
        return {
            "description": target.get("description", ""),
            "type": "object",
            "properties": properties,
            "required": target.get("required", []),
            "additionalProperties": False,
        }


def _structs(root: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    yield root
    for field in msgspec.structs.fields(root):
        yield from _within(field.type)


def _within(annotation: object) -> Iterator[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield from _structs(annotation)
    for part in getattr(annotation, "__args__", ()):
        yield from _within(part)


@cache
def _told(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Return what the sources say below each key of a struct, and of the structs that it is made from."""
    told: dict[str, str] = {}
    for each in reversed(struct.__mro__):
        if not issubclass(each, msgspec.Struct) or each.__module__.startswith("msgspec"):
            continue
        (definition,) = ast.parse(inspect.getsource(each)).body
        told |= _documented(definition.body if isinstance(definition, ast.ClassDef) else [])
    return told


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for line, below in itertools.pairwise(body):
        if not (isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and isinstance(below, ast.Expr)):
            continue
        said = below.value.value if isinstance(below.value, ast.Constant) else None
        if isinstance(said, str):
            yield line.target.id, inspect.cleandoc(said).replace("``", "`")
