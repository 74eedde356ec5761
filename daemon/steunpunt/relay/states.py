"""The states of a help request and what moves them. A state only rises, and only on proof; but it falls on one.

=================  ==============================================================================================
from               on
=================  ==============================================================================================
kept               its piece was taken by a radio, or by the broker while the region answers  → on its way
any before it      token RECEIVED  → received
any before it      token SEEN, PASSED_ON  → seen (PASSED_ON is also noted by itself)
any before it      an ANSWER that authenticates and is stored  → answered
any                token CLOSED_*  → closed; not after REOPENED
any                token REOPENED, once  → seen
any                token CLOSED_AGAIN_*  → closed
=================  ==============================================================================================

The words about closing have an order of their own, so that an old one replayed proves nothing: first a closing, then
the reopening, then a closing for the second time. A coordinator's ledger that was put back begins that order anew.
"""

from steunpunt.model import CLOSE_CODES, LampMode, TicketState, TokenCode

REACHED = {
    TokenCode.RECEIVED: TicketState.RECEIVED,
    TokenCode.SEEN: TicketState.SEEN,
    TokenCode.PASSED_ON: TicketState.SEEN,
    TokenCode.REOPENED: TicketState.SEEN,
    **dict.fromkeys(CLOSE_CODES, TicketState.CLOSED),
}

_ABOUT_CLOSING = frozenset({TokenCode.REOPENED, *CLOSE_CODES})


def raised(state: TicketState, to: TicketState) -> TicketState:
    """Return the state after proof of ``to``: never lower than before."""
    return max(state, to)


def told(state: TicketState, closing: TokenCode | None, code: TokenCode) -> tuple[TicketState, TokenCode | None]:
    """Return the state, and the last word about closing, after a token that authenticates.

    ``closing``: that last word before, None: none yet. Of two closings in the same turn of it, the first counts.
    """
    if code not in _ABOUT_CLOSING:
        return raised(state, REACHED[code]), closing
    if closing is not None and _turn(code) <= _turn(closing):
        return state, closing
    return REACHED[code], code


def in_later_life(closing: TokenCode | None) -> TokenCode | None:
    """Return that last word as it counts once a coordinator's ledger was put back: it may know of no reopening.

    What that ledger says of closing begins anew; a reason to show stays the same.
    """
    return closing.reason if closing in CLOSE_CODES else None


def of_later_life(receipted_by: int | None, by: int) -> bool:
    """Return whether a coordinator says this in a later life of its ledger than it receipted the message in.

    Both are the coordinator * 256 + its incarnation; None: no token has come for the message yet.
    """
    return receipted_by is not None and receipted_by >> 8 == by >> 8 and receipted_by < by


def _turn(code: TokenCode) -> int:
    """Return which word about closing this is: 0 the first closing, 1 the reopening, 2 the second closing."""
    return 1 if code is TokenCode.REOPENED else 2 * (code > TokenCode.REOPENED)


def lamp_for(state: TicketState | None) -> LampMode:
    """Return a help button's lamp: blinking until a person has taken the call up, then steady; None: no call."""
    if state is None or state is TicketState.CLOSED:
        return LampMode.OFF
    return LampMode.STEADY if state >= TicketState.SEEN else LampMode.BLINKING
