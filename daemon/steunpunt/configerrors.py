"""What is wrong with a config file, in words: the place, what was expected, what to write, from msgspec's errors."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import msgspec

from steunpunt.configwords import EXAMPLES, FORMS, line_of, plain
from steunpunt.model import Role


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a config file: the key it is about, where to look for its line, and the words."""

    key: str
    at: str
    """The key, or the section that lacks it."""
    words: str
    """On one line, with the mend."""
    kind: Literal["unknown", "missing", "value"]


@dataclass(frozen=True, slots=True)
class Words:
    """Of the keys of one kind of file: what to write for each, and in what form."""

    examples: Mapping[str, str]
    forms: Mapping[str, str]


_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list in square brackets",
    "object": "a section",
}
"""msgspec's names of types, in words for who is no programmer."""
SITE_WORDS = Words(EXAMPLES, FORMS)


def mistake_of(root: type[msgspec.Struct], message: str, words: Words = SITE_WORDS) -> Mistake:
    """Take msgspec's ``Expected `int`, got `str` - at `$.radio.port` `` apart; ``root`` is the whole file's struct."""
    what, _, where = message.partition(" - at `")
    section = where.strip("`").removeprefix("$").strip(".")
    unknown = re.search(r"unknown field `([^`]*)`", what)
    missing = re.search(r"missing required field `([^`]*)`", what)
    found = unknown or missing
    key = f"{section}.{found[1]}".strip(".") if found else section
    if unknown:
        known = ", ".join(_known(root, section))
        said = f"unknown key `{key}`; known here: {known}; correct or delete it"
        return Mistake(key, key, _printable(said), "unknown")
    mend = words.examples[plain(key)]
    if missing:
        return Mistake(key, section, _printable(f"key `{key}` is missing; add {mend}"), "missing")
    key = re.sub(r"\[\d+\]$", "", key)  # of a list's item the list is told
    said = f"key `{key}`: {_expectation(root, what, key, words)}; write for example {mend}"
    return Mistake(key, key, _printable(said), "value")


def explain(root: type[msgspec.Struct], path: Path, text: str, message: str) -> str:
    """Say in one line what msgspec's message means; ``text`` is what stands in the file."""
    found = mistake_of(root, message)
    return f"{path}:{line_of(text, found.at)}: {found.words}"


def example(key: str) -> str:
    """Return what to write for a key."""
    return EXAMPLES[plain(key)]


def _printable(line: str) -> str:
    """Keep the error on one line, whatever stands in the file."""
    return "".join(char if char.isprintable() else "?" for char in line)


def _expectation(root: type[msgspec.Struct], what: str, key: str, words: Words) -> str:
    """Say in words what msgspec says in patterns or does not say at all."""
    if "Invalid enum value" in what:
        annotation = _type_of(root, key)
        choices = list(Role) if annotation is Role else get_args(annotation)
        return f"expected one of {', '.join(choices)}, got {what.rpartition(' value ')[2]}"
    if "matching regex" in what:
        return f"expected {words.forms[plain(key)]}"
    return re.sub(r"`(\w+)`", lambda name: _TYPES.get(name[1], name[0]), what[:1].lower() + what[1:])


def _type_of(root: type[msgspec.Struct], key: str) -> object:
    """Return the annotation of a dotted key; of the whole file for the empty key."""
    annotation: object = root
    for part in plain(key).split(".") if key else []:
        annotation = next(f.type for f in msgspec.structs.fields(_struct_of(annotation)) if f.name == part)
    return annotation


def _known(root: type[msgspec.Struct], section: str) -> list[str]:
    """Return the names of the keys a section knows."""
    return [field.name for field in msgspec.structs.fields(struct_of(root, section))]


def struct_of(root: type[msgspec.Struct], section: str) -> type[msgspec.Struct]:
    """Return the struct of a dotted section; TypeError when it is a key."""
    return _struct_of(_type_of(root, section))


def _struct_of(annotation: object) -> type[msgspec.Struct]:
    for candidate in (annotation, *_inside(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return candidate
    raise TypeError(f"{annotation!r} holds no section")


def _inside(annotation: object) -> Iterator[object]:
    """Give what an annotation is made of, however deep: of ``Annotated[tuple[X, ...], ...]`` also ``X``."""
    for part in get_args(annotation):
        yield part
        yield from _inside(part)
