"""What a help request says beside its kind and its words: how many, in what state, where, how to find the person.

A life threat is kept after two taps, so all of this may also come later, in a supplement: :meth:`Facts.with_later`.
"""

import re
from dataclasses import dataclass, fields
from enum import IntEnum

from msgspec import Struct

from steunpunt.values import replace

PEOPLE_MAX = 99
"""Most people a form may name: more are told in words."""
NAME_BYTES_MAX = 40
CALLBACK_BYTES_MAX = 30
ACCESS_BYTES_MAX = 80
ADDITION_BYTES_MAX = 8
HOUSE_NUMBER_MAX = 99_999
FLOOR_MIN, FLOOR_MAX = -8, 55
PAPER_AGE_S_MAX = 360_000
"""A hundred hours: the end of the scale on which ages travel."""
RETURNS_MIN_MAX = 630
"""Longest "I come back in …", in minutes; it travels in steps of ten."""


class Mark(IntEnum):
    """Whether a message is meant: the number travels on the air and never changes meaning."""

    NONE = 0
    EXERCISE = 1
    TEST = 2
    REAL = 3
    """"Dit is echt": a real emergency during an exercise."""


class Flag(IntEnum):
    """What is the matter or needed, as one tap says it; 10 to 14 are free."""

    NOT_BREATHING = 0
    UNCONSCIOUS = 1
    HEAVY_BLEEDING = 2
    FIRE_OR_SMOKE = 3
    VIOLENCE = 4
    GAS = 5
    WATER = 6
    POWERED_DEVICE = 7
    CANNOT_WALK = 8
    MEDICINE = 9


class Whereabouts(IntEnum):
    """Where the person who asks will be."""

    HERE = 0
    """At this point, or not said."""
    AT_SCENE = 1
    RETURNS = 2


_POSTCODE = re.compile(r"([1-9]\d{3})\s*([A-Za-z]{2})?")


def tidy_postcode(text: str) -> str | None:
    """Return a Dutch postcode as ``6211AB`` or ``6211``, "" for nothing, None when it is none."""
    stripped = text.strip()
    match = _POSTCODE.fullmatch(stripped)
    if match is None:
        return "" if not stripped else None
    return match[1] + (match[2] or "").upper()


_MOBILE = re.compile(r"(?:\+31|0031)0?6(\d{8})|06(\d{8})")


def tidy_phone(text: str) -> str:
    """Return a Dutch mobile number as ``0612345678``, which travels in 27 bits; anything else as it is."""
    match = _MOBILE.fullmatch(re.sub(r"[\s.()-]", "", text))
    return f"06{match[1] or match[2]}" if match else text


class Place(Struct, frozen=True, kw_only=True):
    """Where help is needed; empty: at the point itself.

    ``position`` is (latitude, longitude) in degrees; on the air it is kept to some 10 m.
    """

    postcode: str = ""
    house_number: int = 0
    addition: str = ""
    floor: int | None = None
    access: str = ""
    position: tuple[float, float] | None = None

    @property
    def here(self) -> bool:
        """Return whether nothing was said: help is needed at the point itself."""
        return self == _HERE


_HERE = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """See the module. A count of 0, an empty text and None mean: not said."""

    people: int = 0
    injured: int = 0
    trapped: int = 0
    children: int = 0
    flags: frozenset[Flag] = frozenset()
    place: Place = _HERE
    whereabouts: Whereabouts = Whereabouts.HERE
    returns_min: int = 0
    """Minutes from now after which the person comes back; only with RETURNS."""
    callback: str = ""
    name: str = ""
    mark: Mark = Mark.NONE
    on_behalf: bool = False
    """Staff ask for somebody else."""
    paper_age_s: float | None = None
    """How long ago it was written on paper, in seconds; None: it was not."""

    def with_later(self, later: "Facts") -> "Facts":
        """Return these facts as a later supplement changes them: what it says counts, flags add up."""
        said = {
            field.name: getattr(later, field.name)
            for field in fields(later)
            if getattr(later, field.name) != getattr(NOTHING, field.name)
        }
        return replace(self, **said | {"flags": self.flags | later.flags})


NOTHING = Facts()
"""Nothing said."""
