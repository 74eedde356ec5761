"""Values that do not change: how one is made anew with some of its fields changed."""

import dataclasses
from typing import Any, TypeVar

from msgspec import Struct, structs

ValueT = TypeVar("ValueT")


def replace(value: ValueT, /, **changes: Any) -> ValueT:  # noqa: ANN401  the fields' own types
    """Return a struct or dataclass like ``value``, with other values in some fields; TypeError for an unknown field.

    What a node keeps many of and loads at its start is a struct: 142 dataclasses, each with generated code of its own,
    took 1.7 MiB more in a kiosk. What is walked or printed field by field is a dataclass.
    """
    if isinstance(value, Struct):
        return structs.replace(value, **changes)
    changed: Any = dataclasses.replace(value, **changes)  # type: ignore[type-var]
    return changed  # type: ignore[no-any-return]
