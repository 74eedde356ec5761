"""Tables as TOML: for the config files that are made, and for the register of cards. Pure."""

import json
from collections.abc import Iterator
from typing import Any

from steunpunt.fleet.regionfile import Table


def toml_text(table: Table, head: str = "") -> str:
    """Return tables as TOML, ``head`` as comments above; ValueError for a value that no config key can have."""
    comments = [f"# {line}".rstrip() for line in head.splitlines()]
    return "\n".join([*comments, *_lines(table, "")]).lstrip("\n") + "\n"


def _lines(table: Table, name: str) -> Iterator[str]:
    for key, value in table.items():
        if not _is_section(value):
            yield f"{key} = {_value(value)}"
    for key, value in table.items():
        dotted = f"{name}.{key}".lstrip(".")
        if isinstance(value, dict):
            plain = any(not _is_section(inner) for inner in value.values()) or not value
            yield from ["", f"[{dotted}]"] if plain else []
            yield from _lines(value, dotted)
        elif _is_section(value):
            for entry in value:
                yield from ["", f"[[{dotted}]]"]
                yield from _lines(entry, dotted)


def _is_section(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _value(value: Any) -> str:  # noqa: ANN401  whatever a config file may hold
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # a basic string of TOML, too
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise ValueError(f"{value!r} is nothing that a config file holds")
