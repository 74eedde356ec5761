"""What is wrong with a config file, in words: the place, what was expected, what to write, from msgspec's errors."""

import re
from pathlib import Path
from typing import get_args

import msgspec

from steunpunt.configwords import EXAMPLES, FORMS, line_of, plain
from steunpunt.model import Role


def explain(root: type[msgspec.Struct], path: Path, text: str, message: str) -> str:
    """Turn msgspec's ``Expected `int`, got `str` - at `$.radio.port` `` into one line with its place.

    ``root`` is the struct of the whole file, ``text`` what stands in it.
    """
    what, _, where = message.partition(" - at `")
    section = where.strip("`").removeprefix("$").strip(".")
    unknown = re.search(r"unknown field `([^`]*)`", what)
    missing = re.search(r"missing required field `([^`]*)`", what)
    found = unknown or missing
    key = f"{section}.{found[1]}".strip(".") if found else section
    at = f"{path}:{line_of(text, section if missing else key)}"
    if unknown:
        known = ", ".join(_known(root, section))
        return _printable(f"{at}: unknown key `{key}`; known here: {known}; correct or delete it")
    if missing:
        return _printable(f"{at}: key `{key}` is missing; add {example(key)}")
    return _printable(f"{at}: key `{key}`: {_expectation(root, what, key)}; write for example {example(key)}")


def example(key: str) -> str:
    """Return what to write for a key."""
    return EXAMPLES[plain(key)]


def _printable(line: str) -> str:
    """Keep the error on one line, whatever stands in the file."""
    return "".join(char if char.isprintable() else "?" for char in line)


def _expectation(root: type[msgspec.Struct], what: str, key: str) -> str:
    """Say in words what msgspec says in patterns or does not say at all."""
    if "Invalid enum value" in what:
        annotation = _type_of(root, key)
        choices = list(Role) if annotation is Role else get_args(annotation)
        return f"expected one of {', '.join(choices)}, got {what.rpartition(' value ')[2]}"
    if "matching regex" in what:
        return f"expected {FORMS[plain(key)]}"
    return what[:1].lower() + what[1:]


def _type_of(root: type[msgspec.Struct], key: str) -> object:
    """Return the annotation of a dotted key; of the whole file for the empty key."""
    annotation: object = root
    for part in plain(key).split(".") if key else []:
        annotation = next(f.type for f in msgspec.structs.fields(_struct_of(annotation)) if f.name == part)
    return annotation


def _known(root: type[msgspec.Struct], section: str) -> list[str]:
    """Return the names of the keys a section knows."""
    return [field.name for field in msgspec.structs.fields(_struct_of(_type_of(root, section)))]


def _struct_of(annotation: object) -> type[msgspec.Struct]:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return candidate
    raise TypeError(f"{annotation!r} holds no section")
