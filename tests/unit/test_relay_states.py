"""States of a help request: drawn from the code, held against the documentation, and never falling."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import CLOSE_CODES, LampMode, TicketState, TokenCode
from steunpunt.relay.states import REACHED, lamp_for, raised

DOCUMENT = Path(__file__).parents[2] / "docs" / "security" / "protocol.md"
PROOFS = {
    "taken by a next hop": TicketState.ON_ITS_WAY,
    **{f"token {code.name}": REACHED[code] for code in TokenCode},
    "ANSWER": TicketState.ANSWERED,
}


def drawn() -> str:
    """Draw the table of states from the code."""
    states = list(TicketState)
    head = f"| proof | {' | '.join(state.name for state in states)} |"
    rows = [
        f"| {proof} | {' | '.join(raised(state, reached).name for state in states)} |"
        for proof, reached in PROOFS.items()
    ]
    return "\n".join([head, "|---" * (len(states) + 1) + "|", *rows])


def test_the_documented_table_is_the_codes() -> None:
    assert drawn() in DOCUMENT.read_text("utf-8"), drawn()


def test_every_token_leads_somewhere() -> None:
    assert set(REACHED) == set(TokenCode)
    assert {code for code in TokenCode if REACHED[code] is TicketState.CLOSED} == set(CLOSE_CODES)


@given(st.lists(st.sampled_from(sorted(PROOFS.values()))))
def test_whatever_comes_in_whatever_order_a_state_only_rises(proofs: list[TicketState]) -> None:
    state = TicketState.KEPT
    for proof in proofs:
        higher = raised(state, proof)
        assert higher >= state
        assert higher in {state, proof}
        state = higher
    assert state is max([TicketState.KEPT, *proofs]), "the order of arrival does not matter"


@pytest.mark.parametrize(
    ("state", "lamp"),
    [
        (None, LampMode.OFF),
        (TicketState.KEPT, LampMode.BLINKING),
        (TicketState.ON_ITS_WAY, LampMode.BLINKING),
        (TicketState.RECEIVED, LampMode.BLINKING),
        (TicketState.SEEN, LampMode.STEADY),
        (TicketState.ANSWERED, LampMode.STEADY),
        (TicketState.CLOSED, LampMode.OFF),
    ],
)
def test_the_lamp_is_steady_only_when_a_person_took_the_call_up(state: TicketState | None, lamp: LampMode) -> None:
    assert lamp_for(state) is lamp
