"""The states of a help request and what moves them. A state only rises, and only on proof.

=================  ==============================================================================================
from               on
=================  ==============================================================================================
kept               its piece was taken by a radio, or by the broker while the region answers  → on its way
any before it      token RECEIVED  → received
any before it      token SEEN, PASSED_ON  → seen (PASSED_ON is also noted by itself)
any before it      an ANSWER that authenticates and is stored  → answered
any                token CLOSED_*  → closed
=================  ==============================================================================================
"""

from steunpunt.model import CLOSE_CODES, LampMode, TicketState, TokenCode

REACHED = {
    TokenCode.RECEIVED: TicketState.RECEIVED,
    TokenCode.SEEN: TicketState.SEEN,
    TokenCode.PASSED_ON: TicketState.SEEN,
    **dict.fromkeys(CLOSE_CODES, TicketState.CLOSED),
}


def raised(state: TicketState, to: TicketState) -> TicketState:
    """Return the state after proof of ``to``: never lower than before."""
    return max(state, to)


def lamp_for(state: TicketState | None) -> LampMode:
    """Return a help button's lamp: blinking until a person has taken the call up, then steady; None: no call."""
    if state is None or state is TicketState.CLOSED:
        return LampMode.OFF
    return LampMode.STEADY if state >= TicketState.SEEN else LampMode.BLINKING
