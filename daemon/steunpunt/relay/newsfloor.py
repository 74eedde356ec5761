"""What news counts at a kiosk, and what a coordinator sends again.

Each coordinator numbers its news from 1. A frame bears its serial and the *floor*: the lowest serial that may still
count. Void is all news below the floor, and all of an earlier incarnation of the same coordinator's ledger.

News that authenticates may still be an old one, kept by somebody and sent again: to a kiosk that was restored from an
image and has no clock, yesterday's evacuation order looks like today's. So news is *unconfirmed* until a token for a
message of this very start of the kiosk names the newest serial, and every serial from the news up to that one is here:
any of them could have cancelled it. Such a token cannot be an old one, as the message's key is younger than the start.

========================================================================================  ============
state of the news                                                                         standing
========================================================================================  ============
below the floor of the newest news here, or of an earlier incarnation than it             void
a newer one that is here updates or cancels it                                            superseded
a token of this start names a serial, and all from this news to that serial are here      confirmed
else                                                                                      unconfirmed
========================================================================================  ============
"""

from collections.abc import Collection, Iterable
from enum import StrEnum

from msgspec import Struct

from steunpunt.protocol.news import SERIAL_MAX

HELD_NEWS_MAX = 64
"""Most news that a kiosk keeps of one coordinator; those with the lowest serials make room."""
RESTORED_SKIP = 256
"""A coordinator with a new incarnation leaves out so many serials: it does not know how many its lost ledger gave."""
DEAD_MAX = 8
"""More dead serials than this above the floor, and issuing anew what is in force costs less than sending all again."""
AGAIN_MAX = 8
"""Most news sent again to one site in one go."""


class Standing(StrEnum):
    """What a kiosk may say of a piece of news."""

    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    SUPERSEDED = "superseded"
    VOID = "void"


class Verdict(StrEnum):
    """What to do with news that was heard and authenticates."""

    KEEP = "keep"
    COPY = "copy"
    VOID = "void"


class NewsRow(Struct, frozen=True):
    """A piece of news as far as it decides about others."""

    signer: int
    incarnation: int
    serial: int
    floor: int
    supersedes: int | None = None
    """The serial of the same signer that this one updates or cancels."""

    @property
    def rank(self) -> tuple[int, int]:
        """Which is newer, of one signer."""
        return self.incarnation, self.serial


class Named(Struct, frozen=True):
    """The newest serial of a coordinator, as a token of this start of the kiosk named it."""

    incarnation: int
    serial: int


def named(before: Named | None, incarnation: int, serial: int, *, of_this_start: bool) -> Named | None:
    """Return what is named after a token whose head says this; ``of_this_start``: its message was sealed since.

    A token for an older message proves nothing of now: it may have been recorded. What is named only rises.
    """
    if not of_this_start:
        return before
    heard = Named(incarnation, serial)
    if before is None or (heard.incarnation, heard.serial) > (before.incarnation, before.serial):
        return heard
    return before


def floor_of(rows: Iterable[NewsRow]) -> tuple[int, int]:
    """Return (incarnation, serial) below which a coordinator's news is void, by what is here of it; (0, 0) for none."""
    return max(((row.incarnation, row.floor) for row in rows), default=(0, 0))


def judge(heard: NewsRow, held: Collection[NewsRow]) -> Verdict:
    """Return what to do with news that authenticates; ``held`` is what is kept of the same signer."""
    if any(row.rank == heard.rank for row in held):
        return Verdict.COPY
    incarnation, floor = floor_of(held)
    too_old = heard.incarnation < incarnation or (heard.incarnation == incarnation and heard.serial < floor)
    full_of_newer = sum(row.rank > heard.rank for row in held) >= HELD_NEWS_MAX
    return Verdict.VOID if too_old or full_of_newer else Verdict.KEEP


def standing(row: NewsRow, held: Collection[NewsRow], token: Named | None) -> Standing:
    """Return what may be said of a piece of news; ``held`` is all that is kept of its signer, itself among it."""
    incarnation, floor = floor_of(held)
    if row.incarnation < incarnation or row.serial < floor:
        return Standing.VOID
    if any(other.supersedes == row.serial and other.rank > row.rank for other in held):
        return Standing.SUPERSEDED
    return Standing.CONFIRMED if token and _all_here(held, row, token) else Standing.UNCONFIRMED


def _all_here(held: Iterable[NewsRow], row: NewsRow, token: Named) -> bool:
    """Return whether a token names this news or a later one, and no news between the two is missing."""
    later = {other.serial for other in held if other.incarnation == token.incarnation}
    between = sum(row.serial <= serial <= token.serial for serial in later)
    return row.incarnation == token.incarnation and 0 < between == token.serial - row.serial + 1


def missing(held: Collection[NewsRow], token: Named | None) -> tuple[int, ...]:
    """Return which serials up to the named one are not here and may still count, newest first, at most AGAIN_MAX."""
    if token is None:
        return ()
    incarnation, floor = floor_of(held)
    here = {row.serial for row in held if row.incarnation == token.incarnation}
    lowest = max(floor, 1) if incarnation == token.incarnation else 1
    found = (serial for serial in range(token.serial, lowest - 1, -1) if serial not in here)
    return tuple(serial for _, serial in zip(range(AGAIN_MAX), found, strict=False))


def heard_through(held: Collection[NewsRow]) -> tuple[int, int]:
    """Return (incarnation, serial) up to which nothing is missing: what a heartbeat reports. (0, 0): nothing heard."""
    incarnation, floor = floor_of(held)
    here = {row.serial for row in held if row.incarnation == incarnation}
    serial = max(floor, 1)
    while serial in here:
        serial += 1
    return incarnation, serial - 1 if here else 0


def to_drop(held: Collection[NewsRow]) -> list[NewsRow]:
    """Return what of one signer need not be kept: what is void, and the lowest ones above HELD_NEWS_MAX."""
    incarnation, floor = floor_of(held)
    void = [row for row in held if row.incarnation < incarnation or row.serial < floor]
    rest = sorted((row for row in held if row not in void), key=lambda row: row.rank)
    return void + rest[: max(len(rest) - HELD_NEWS_MAX, 0)]


# --- at the coordinator -------------------------------------------------------------------------------------------


def next_serial(newest: int, *, restored: bool) -> int:
    """Return the serial for the next news; ``restored``: it is the first of a new incarnation.

    The first one of a new incarnation is its floor, too: what is still in force is issued anew above it, and nothing
    that the lost ledger had signed can be taken for it. ValueError when the 65,535 serials are used up.
    """
    serial = newest + 1 + (RESTORED_SKIP if restored else 0)
    if serial > SERIAL_MAX:
        raise ValueError(f"news serial {serial}: a coordinator has {SERIAL_MAX}; make a new one with an id of its own")
    return serial


def send_again(issued: Collection[int], floor: int, through: int) -> tuple[int, ...]:
    """Return which serials a site misses that heard all through ``through``: newest first, at most AGAIN_MAX."""
    return tuple(sorted((s for s in issued if s >= floor and s > through), reverse=True)[:AGAIN_MAX])


def worth_renewing(in_force: Collection[int], newest: int) -> bool:
    """Return whether those in force should be issued anew at the top, so that the floor can rise over dead ones."""
    return bool(in_force) and newest - min(in_force) + 1 - len(in_force) > DEAD_MAX
