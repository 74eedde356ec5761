"""When the kazernebox sounds and how its lamp burns: pure decisions over the life threats that are open.

=====================  =========================================================================
what                   sounds
=====================  =========================================================================
nobody has taken it    at once, after 30 s, after 2 min, and from then on every 20 s
taken, not passed on   after 3 min, and from then on every minute
passed on              not any more
=====================  =========================================================================

It falls silent for one request at a time: by what a person does with that request.
"""

from collections.abc import Iterable

from msgspec import Struct

from steunpunt.model import LampMode

UNSEEN_MS = (0, 30_000, 120_000)
UNSEEN_AGAIN_MS = 20_000
NOT_PASSED_ON_MS = 180_000
NOT_PASSED_ON_AGAIN_MS = 60_000
PRINTER_MS = 15_000
PRINTER_AGAIN_MS = 120_000
"""A printer that cannot print sounds, short, after 15 s and then every two minutes."""


class Danger(Struct, frozen=True):
    """An open life threat: known here since, taken up by a person at, and whether it was passed on."""

    since_ms: int
    taken_ms: int | None = None
    passed_on: bool = False


def _after(first_ms: int, again_ms: int, last_ms: int | None) -> int:
    """Return the first of ``first_ms``, ``first_ms + again_ms``, … that comes after the last sound."""
    if last_ms is None or last_ms < first_ms:
        return first_ms
    return first_ms + ((last_ms - first_ms) // again_ms + 1) * again_ms


def danger_due_ms(danger: Danger, last_ms: int | None) -> int | None:
    """Return when this one sounds next, after a sound at ``last_ms``; None for never. May lie in the past."""
    if danger.taken_ms is not None:
        if danger.passed_on:
            return None
        return _after(danger.taken_ms + NOT_PASSED_ON_MS, NOT_PASSED_ON_AGAIN_MS, last_ms)
    for wait_ms in UNSEEN_MS[:-1]:
        if last_ms is None or last_ms < danger.since_ms + wait_ms:
            return danger.since_ms + wait_ms
    return _after(danger.since_ms + UNSEEN_MS[-1], UNSEEN_AGAIN_MS, last_ms)


def dangers_due_ms(dangers: Iterable[Danger], last_ms: int | None) -> int | None:
    """Return when any of them sounds next; None for never."""
    dues = (danger_due_ms(danger, last_ms) for danger in dangers)
    return min((due_ms for due_ms in dues if due_ms is not None), default=None)


def printer_due_ms(since_ms: int | None, last_ms: int | None) -> int | None:
    """Return when a printer that cannot print since ``since_ms`` sounds next; None: it can."""
    return None if since_ms is None else _after(since_ms + PRINTER_MS, PRINTER_AGAIN_MS, last_ms)


def box_lamp(dangers: Iterable[Danger]) -> LampMode:
    """Return blinking while nobody has taken one up, steady while one is not passed on, else off."""
    open_ones = [danger for danger in dangers if danger.taken_ms is None or not danger.passed_on]
    if any(danger.taken_ms is None for danger in open_ones):
        return LampMode.BLINKING
    return LampMode.STEADY if open_ones else LampMode.OFF
