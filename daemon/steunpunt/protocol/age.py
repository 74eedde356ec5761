"""Ages travel with messages because there may be no clock.

One byte: bit 7 says "at least" (the sender was without power for an unknown while), bits 0-6 are a
logarithmic scale, ``age_s = 6 * (2 ** (v / 8) - 1)``: 0.5 s steps at first, 9 % later, up to 100 hours.
The byte lies outside the seal: advice, never a decision.
"""

import math

AGE_S_MAX = 6 * (2 ** (127 / 8) - 1)
_AT_LEAST = 0x80
_ROUNDING = 1e-9
"""So that an age that came out of a byte goes back into the same byte."""


def pack_age(age_s: float, *, at_least: bool) -> int:
    """Return the byte for an age in seconds; older than AGE_S_MAX (100 h) becomes "at least" that."""
    level = math.floor(8 * math.log2(1 + max(age_s, 0.0) / 6) + _ROUNDING)
    over = level > 127  # noqa: PLR2004  seven bits
    return min(level, 127) | (_AT_LEAST if at_least or over else 0)


def unpack_age(byte: int) -> tuple[float, bool]:
    """Return (age in seconds, at least?) of an age byte."""
    return 6 * (2 ** ((byte & 0x7F) / 8) - 1), bool(byte & _AT_LEAST)
