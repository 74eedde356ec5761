"""The pages on which more is told: which tap leads where, and that nothing is lost on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from steunpunt_ui.citizen.steps import ASK_STEPS, CHECK, FIELDS, FIRST, MEND, TELL_STEPS, after, road, shown
from steunpunt_ui.citizen.wish import Wish, wish_of

AWAY = Wish(where="elders", postcode="6211 AB")


def test_the_road_asks_an_address_of_who_needs_help_elsewhere_alone() -> None:
    assert road(ASK_STEPS, Wish()) == ["where", "people", "needs", "words"]
    assert road(TELL_STEPS, AWAY) == ["what", "where", "address", "people", "needs", "words"]


def test_next_walks_the_whole_road_to_the_check_and_back_walks_it_home() -> None:
    page, seen = "what", []
    while page != CHECK:
        seen.append(page)
        page = after("next", page, TELL_STEPS, AWAY, {}).page
    assert seen == road(TELL_STEPS, AWAY)
    while page != FIRST:
        page = after("back", page, TELL_STEPS, AWAY, {"postcode": "wrong"}).page
        assert page in (*seen, FIRST)


@pytest.mark.parametrize(
    ("tap", "page", "field"), [("where:hier", "people", "where"), ("where:elders", "address", "where")]
)
def test_one_tap_says_where_and_goes_on(tap: str, page: str, field: str) -> None:
    turn = after(tap, "where", ASK_STEPS, Wish(), {})
    assert (turn.page, getattr(turn.wish, field)) == (page, "elders" if tap.endswith("elders") else "")


def test_one_tap_says_how_many_also_where_nonsense_was_typed() -> None:
    turn = after("people:3", "people", ASK_STEPS, Wish(people="veel"), {"people": "wrong"})
    assert (turn.page, turn.wish.people) == ("needs", "3")


def test_a_page_keeps_who_filled_it_in_wrong_and_no_other_page_does() -> None:
    assert after("next", "people", ASK_STEPS, Wish(), {"people": "wrong"}).page == "people"
    assert after("next", "where", ASK_STEPS, Wish(), {"people": "wrong"}).page == "people"


@pytest.mark.parametrize("tap", ["check", "no", "send"])
def test_before_sending_all_that_is_wrong_stands_on_one_page(tap: str) -> None:
    problems = {"children": "wrong", "people": "wrong", "name": "wrong"}
    turn = after(tap, FIRST, ASK_STEPS, Wish(), problems)
    assert (turn.page, turn.send) == (MEND, "")
    assert shown(turn.page, problems) == ("people", "children", "name")


def test_danger_of_life_goes_whatever_is_wrong() -> None:
    turn = after("yes", FIRST, ASK_STEPS, Wish(), {"people": "wrong"})
    assert (turn.page, turn.send) == (MEND, "yes")


@given(st.text(max_size=12), st.text(max_size=8), st.sampled_from([ASK_STEPS, TELL_STEPS]))
def test_any_tap_leads_to_a_page_that_there_is(tap: str, at: str, steps: tuple[str, ...]) -> None:
    turn = after(tap, at, steps, AWAY, {})
    assert turn.page in {*FIELDS, FIRST, CHECK, MEND}
    assert turn.send in {"", "yes", "no", "send"}


def test_what_stands_on_no_page_rides_along_unseen() -> None:
    wish = Wish(what=("gas", "brand"), where="elders", postcode="6211AB", text="rook", needs=("stroom",), people="3")
    for page in FIELDS:
        pairs = wish.hidden(FIELDS[page])
        seen = [(name, one) for name in FIELDS[page] for one in _values(wish, name)]
        assert wish_of(MultiDict([*pairs, *seen])) == wish_of(MultiDict(wish.hidden()))


def _values(wish: Wish, name: str) -> tuple[str, ...]:
    value = getattr(wish, name)
    return value if isinstance(value, tuple) else (value,)
