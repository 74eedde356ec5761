"""States of a help request: drawn from the code, held against the documentation, and never falling."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import CLOSE_CODES, CLOSE_REASONS, LampMode, TicketState, TokenCode
from steunpunt.relay.states import REACHED, in_later_life, lamp_for, of_later_life, raised, told

DOCUMENT = Path(__file__).parents[2] / "docs" / "security" / "protocol.md"
PROOFS: dict[str, TicketState | TokenCode] = {
    "taken by a next hop": TicketState.ON_ITS_WAY,
    **{f"token {code.name}": code for code in TokenCode},
    "ANSWER": TicketState.ANSWERED,
}
RISES = [TicketState.ON_ITS_WAY, TicketState.ANSWERED, *(code for code in TokenCode if code <= max(CLOSE_REASONS))]
"""Every proof but those that tell of a reopening."""
STANDS: dict[str, tuple[TicketState, TokenCode | None]] = {
    **{state.name: (state, None) for state in TicketState if state is not TicketState.CLOSED},
    "CLOSED": (TicketState.CLOSED, TokenCode.CLOSED_HELPED),
    "SEEN, reopened": (TicketState.SEEN, TokenCode.REOPENED),
    "CLOSED again": (TicketState.CLOSED, TokenCode.CLOSED_AGAIN_HELPED),
}


def after(
    stand: tuple[TicketState, TokenCode | None], proof: TicketState | TokenCode
) -> tuple[TicketState, TokenCode | None]:
    state, closing = stand
    return told(state, closing, proof) if isinstance(proof, TokenCode) else (raised(state, proof), closing)


def drawn() -> str:
    """Draw the table of states from the code."""
    head = f"| proof | {' | '.join(STANDS)} |"
    rows = [
        f"| {name} | {' | '.join(after(stand, proof)[0].name for stand in STANDS.values())} |"
        for name, proof in PROOFS.items()
    ]
    return "\n".join([head, "|---" * (len(STANDS) + 1) + "|", *rows])


def test_the_documented_table_is_the_codes() -> None:
    assert drawn() in DOCUMENT.read_text("utf-8"), drawn()


def test_every_token_leads_somewhere() -> None:
    assert set(REACHED) == set(TokenCode)
    assert {code for code in TokenCode if REACHED[code] is TicketState.CLOSED} == set(CLOSE_CODES)


@given(st.lists(st.sampled_from(RISES)))
def test_whatever_comes_in_whatever_order_a_state_only_rises(proofs: list[TicketState | TokenCode]) -> None:
    stand: tuple[TicketState, TokenCode | None] = (TicketState.KEPT, None)
    reached = [TicketState.KEPT, *(REACHED[p] if isinstance(p, TokenCode) else p for p in proofs)]
    for proof in proofs:
        higher = after(stand, proof)
        assert higher[0] >= stand[0]
        stand = higher
    assert stand[0] is max(reached), "the order of arrival does not matter"


@given(st.lists(st.sampled_from(sorted(TokenCode)), min_size=1))
def test_the_last_word_about_closing_counts_in_whatever_order_they_come(codes: list[TokenCode]) -> None:
    stand: tuple[TicketState, TokenCode | None] = (TicketState.KEPT, None)
    for code in codes:
        stand = after(stand, code)
        assert after(stand, code) == stand, "a token heard twice says nothing new"
    if any(code > TokenCode.REOPENED for code in codes):
        assert stand[0] is TicketState.CLOSED
    elif TokenCode.REOPENED in codes:
        assert stand == (TicketState.SEEN, TokenCode.REOPENED)


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


def test_to_a_ledger_that_was_put_back_the_words_about_closing_begin_anew() -> None:
    assert [in_later_life(closing) for closing in (None, TokenCode.REOPENED)] == [None, None]
    for reason in CLOSE_REASONS:
        assert in_later_life(reason) is in_later_life(reason.again) is reason


def test_a_later_life_is_one_of_the_same_coordinator() -> None:
    first = 1 << 8 | 3
    lives = (first, first + 1, first - 1, (2 << 8) | 4, (0 << 8) | 4)
    assert [of_later_life(first, by) for by in lives] == [False, True, False, False, False]
    assert not of_later_life(None, first), "nothing was receipted before"
