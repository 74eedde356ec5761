"""Several coordinators: all keep every message, one is addressed, the others stand by.

The addressed coordinator receipts. Another one that heard the message listens for its token, which it can compute as
well, and takes over when none comes: SILENT_MS after it first heard the message, or HUSHED_MS while that coordinator is
known to be silent. It also takes over, for its own desk only, when the machine there answers but nobody acts: a life
threat that is receipted and not taken up while no person acted there for ABSENT_MIN.

=============  =====================================================  ==================================
stand          what                                                   leads to
=============  =====================================================  ==================================
OWN            addressed to us                                        (stays)
WAITING        addressed to another, which we have not heard of it    WITH_OTHER, SILENT
WITH_OTHER     its token was overheard                                WAITING (its site asks again), ABSENT
SILENT         no token came: we receipt it and it is ours            WITH_OTHER (a person there took it)
ABSENT         receipted there, but nobody acts: on our list too      WITH_OTHER (a person there took it)
=============  =====================================================  ==================================

A case that our own people have taken up stays theirs, whatever is overheard. When a coordinator returns after a
take-over both have the same case, under the same number; the kiosk shows the highest state that either proved, and the
reason of the close that it heard first.
"""

from enum import IntEnum

from steunpunt.model import Lane, TokenCode
from steunpunt.protocol.tokens import NOBODY_YET

SILENT_MS = 600_000
HUSHED_MS = 60_000
ABSENT_MIN = 15
COPY_MS = 60_000
"""A copy of a message within this of another coordinator's token for it is not taken for a new question."""
ROWS_MAX = 500
"""Most messages that an overheard token is compared with, the newest first: 3,000 HMACs."""


class Stand(IntEnum):
    """Who deals with a message, as far as this coordinator knows; see the module."""

    OWN = 0
    WAITING = 1
    WITH_OTHER = 2
    SILENT = 3
    ABSENT = 4


TAKEN_OVER = (Stand.SILENT, Stand.ABSENT)


def wait_ms(*, hushed: bool) -> int:
    """Return how long to wait for the addressed coordinator's token."""
    return HUSHED_MS if hushed else SILENT_MS


def receipts(stand: Stand) -> bool:
    """Return whether this coordinator receipts a message that stands so."""
    return stand in {Stand.OWN, *TAKEN_OVER}


def overheard(stand: Stand, code: TokenCode) -> Stand:
    """Return where a message stands after another coordinator's token for it."""
    if stand is Stand.WAITING or (stand in TAKEN_OVER and code is not TokenCode.RECEIVED):
        return Stand.WITH_OTHER
    return stand


def absent_from_ms(lane: Lane, code: TokenCode, active_min: int, now_ms: int) -> int | None:
    """Return when to take over what is receipted elsewhere if nobody acts there until then; None: never.

    ``active_min``: minutes since a person acted there, as its token says; 255: nobody yet.
    """
    if lane is not Lane.LIFE_THREAT or code is not TokenCode.RECEIVED:
        return None
    left_min = 0 if active_min == NOBODY_YET else max(ABSENT_MIN - active_min, 0)
    return now_ms + left_min * 60_000
