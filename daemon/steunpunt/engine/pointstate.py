"""A point's state: closed, open or in exercise. Its staff set it by PIN, its coordinator by a signed command.

Who decided last counts, by the time at which it was decided: a command that was given before the staff's own act and
is heard after it does not undo that act. All that writes is inside the caller's transaction.
"""

import struct
from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger.store import Ledger
from steunpunt.model import PointState
from steunpunt.relay.newsfloor import NewsRow

_COMMANDED = "point_state"
_COMMAND = struct.Struct(">BBHB")
"""Coordinator, incarnation, serial, state."""
_BY_STAFF = "point_state_staff"
_ACT = struct.Struct(">BQ")
"""State, and when it was set in ledger milliseconds; the row is empty once a later command undid it."""
_REVOKED = "own_card_revoked"
"""One byte while this site's own card is revoked: what it would accept now, nobody would receive as its own."""
_SINCE = "point_state_since_ms"
"""In ledger time, eight bytes: when the point's state last became another one."""
_ALL = (_COMMANDED, _BY_STAFF, _REVOKED, _SINCE)


class By(StrEnum):
    """Who said in what state the point is."""

    NOBODY = "nobody"
    """Nobody yet: it is open since it was first started."""
    COORDINATOR = "coordinator"
    STAFF = "staff"
    REGION = "region"
    """The site's own card is revoked; only a new card ends that."""


class StateSet(Struct, frozen=True):
    """Asked by the staff: the point is to take this state."""

    state: PointState


class Standing(Struct, frozen=True):
    """In what state a point is, by whose word, and since when in ledger milliseconds (None: since ever)."""

    state: PointState
    by: By
    since_ms: int | None


def standing(ledger: Ledger, connection: sa.Connection) -> Standing:
    """Return in what state the point is."""
    said = ledger.get_metas(connection, _ALL)
    since, act, command = (said.get(name) for name in (_SINCE, _BY_STAFF, _COMMANDED))
    since_ms = int.from_bytes(since, "big") if since else None
    if said.get(_REVOKED):
        return Standing(PointState.CLOSED, By.REGION, since_ms)
    if act:
        return Standing(PointState(_ACT.unpack(act)[0]), By.STAFF, since_ms)
    if command:
        return Standing(PointState(_COMMAND.unpack(command)[3]), By.COORDINATOR, since_ms)
    return Standing(PointState.OPEN, By.NOBODY, since_ms)


def set_by_staff(ledger: Ledger, connection: sa.Connection, state: PointState, now_ms: int) -> bool:
    """Take the staff's word; returns whether the state became another one."""
    before = standing(ledger, connection).state
    ledger.set_meta(connection, _BY_STAFF, _ACT.pack(state, now_ms))
    return _note_since(ledger, connection, before, now_ms)


def set_revoked(ledger: Ledger, connection: sa.Connection, now_ms: int, *, revoked: bool) -> None:
    """Close a point whose own card is revoked, whatever was said of it before; with a new card that holds again."""
    if revoked is bool(ledger.get_meta(connection, _REVOKED)):
        return
    before = standing(ledger, connection).state
    ledger.set_meta(connection, _REVOKED, b"\x01" if revoked else b"")
    _note_since(ledger, connection, before, now_ms)


def last_command(ledger: Ledger, connection: sa.Connection, coordinator: int) -> tuple[int, int]:
    """Return (incarnation, serial) of the last command of this coordinator that was taken; (0, 0): of none."""
    stored = ledger.get_meta(connection, _COMMANDED)
    if not stored or stored[0] != coordinator:
        return 0, 0
    _, incarnation, serial, _ = _COMMAND.unpack(stored)
    return incarnation, serial


def command(
    ledger: Ledger, connection: sa.Connection, row: NewsRow, state: PointState, issued_ms: int, now_ms: int
) -> None:
    """Take a confirmed command of our coordinator, once."""
    before = standing(ledger, connection).state
    ledger.set_meta(connection, _COMMANDED, _COMMAND.pack(row.signer, *row.rank, state))
    act = ledger.get_meta(connection, _BY_STAFF)
    if act and _ACT.unpack(act)[1] <= issued_ms:
        ledger.set_meta(connection, _BY_STAFF, b"")
    _note_since(ledger, connection, before, now_ms)


def _note_since(ledger: Ledger, connection: sa.Connection, before: PointState, now_ms: int) -> bool:
    changed = standing(ledger, connection).state is not before
    if changed:
        ledger.set_meta(connection, _SINCE, now_ms.to_bytes(8, "big"))
    return changed
