"""What news counts: confirmed only by a token of this start, void for ever once the floor has passed it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import TokenCode
from steunpunt.protocol.keys import Chain, keys_at
from steunpunt.protocol.news import SERIAL_MAX, News, NewsAssembly, pack_news
from steunpunt.protocol.tokens import Head, pack_tokens, parse_tokens
from steunpunt.relay.newsfloor import (
    AGAIN_MAX,
    DEAD_MAX,
    HELD_NEWS_MAX,
    RESTORED_SKIP,
    Named,
    NewsRow,
    Standing,
    Verdict,
    heard_through,
    judge,
    missing,
    named,
    next_serial,
    send_again,
    standing,
    to_drop,
    worth_renewing,
)
from tests.fakes.region_keys import coordinator_keys, identity

INCARNATION = 3


def row(serial: int, floor: int = 1, supersedes: int | None = None, incarnation: int = INCARNATION) -> NewsRow:
    return NewsRow(1, incarnation, serial, floor, supersedes)


def says(serial: int, incarnation: int = INCARNATION) -> Named:
    return Named(incarnation, serial)


def standings(held: list[NewsRow], token: Named | None) -> list[str]:
    return [standing(one, held, token).value for one in held]


# --- at a kiosk ---------------------------------------------------------------------------------------------------


def test_news_is_unconfirmed_until_a_token_names_it() -> None:
    held = [row(1), row(2)]
    assert standings(held, None) == ["unconfirmed", "unconfirmed"]
    assert standings(held, says(1)) == ["confirmed", "unconfirmed"]
    assert standings(held, says(2)) == ["confirmed", "confirmed"]


def test_a_gap_may_hold_the_cancellation() -> None:
    held = [row(1), row(3)]
    assert standings(held, says(4)) == ["unconfirmed", "unconfirmed"]
    assert missing(held, says(4)) == (4, 2)
    held.append(row(4))
    assert standings(held, says(4)) == ["unconfirmed", "confirmed", "confirmed"]
    held.append(row(2))
    assert set(standings(held, says(4))) == {"confirmed"}
    assert missing(held, says(4)) == ()


def test_an_update_or_cancellation_supersedes_and_the_floor_voids() -> None:
    held = [row(1), row(2), row(3, supersedes=2)]
    assert standings(held, says(3)) == ["confirmed", "superseded", "confirmed"]
    held.append(row(4, floor=3))
    assert standings(held, says(4)) == ["void", "void", "confirmed", "confirmed"]
    assert to_drop(held) == held[:2]


def test_news_cannot_supersede_what_came_after_it() -> None:
    held = [row(2, supersedes=4), row(3), row(4)]
    assert standings(held, says(4)) == ["confirmed", "confirmed", "confirmed"]


def test_what_was_void_stays_out_when_it_is_replayed() -> None:
    held = [row(9, floor=8)]
    assert judge(row(7), held) is Verdict.VOID
    assert judge(row(8), held) is Verdict.KEEP
    assert judge(row(9, floor=8), held) is Verdict.COPY
    assert judge(row(30, incarnation=INCARNATION - 1), held) is Verdict.VOID
    assert judge(row(300, floor=300, incarnation=INCARNATION + 1), held) is Verdict.KEEP


def test_a_cancelled_evacuation_replayed_to_a_restored_clockless_kiosk() -> None:
    # Yesterday: news 5 "evacuate", cancelled by 7. The kiosk's card is put back to the day before; somebody in
    # earshot kept 5, and the token that named 5 for a message the kiosk had open then.
    keys, publics = coordinator_keys(), {1: identity().news_public}
    evacuate = pack_news(News(1, INCARNATION, 5, 1, b"evacuate"), keys.sign)[0]
    cancel = pack_news(News(1, INCARNATION, 7, 6, b"no longer"), keys.sign)[0]
    yesterday, today = keys_at(bytes(32), 0).verify, Chain(bytes(range(32))).take()[1].verify
    recorded = pack_tokens(Head(1, INCARNATION, 5, 0), [(yesterday, TokenCode.RECEIVED)])
    fresh = pack_tokens(Head(1, INCARNATION, 7, 0), [(today, TokenCode.RECEIVED)])
    assembly, held = NewsAssembly(), [row(4)]
    token: Named | None = None

    def hear_token(packet: bytes) -> Named | None:
        heard = parse_tokens(packet)
        assert heard.claims(yesterday) or heard.claims(today)
        of_now = bool(heard.claims(today))
        return named(token, heard.head.incarnation, heard.head.serial, of_this_start=of_now)

    def hear_news(packet: bytes, supersedes: int | None = None) -> Verdict:
        news = assembly.hear(packet, publics)
        assert news is not None
        heard = NewsRow(news.signer, news.incarnation, news.serial, news.floor, supersedes)
        verdict = judge(heard, held)
        if verdict is Verdict.KEEP:
            held.append(heard)
        return verdict

    assert hear_news(evacuate) is Verdict.KEEP, "it is genuine: nothing here says that it is old"
    token = hear_token(recorded)
    assert standings(held, token) == ["unconfirmed", "unconfirmed"], "and an old token does not confirm it"
    token = hear_token(fresh)
    assert standings(held, token) == ["unconfirmed", "unconfirmed"]
    assert missing(held, token)[0] == 7
    hear_news(cancel, supersedes=5)
    assert standings(held, token) == ["void", "void", "confirmed"]
    assert hear_news(evacuate) is Verdict.COPY
    held[:] = [one for one in held if one not in to_drop(held)]
    assert hear_news(evacuate) is Verdict.VOID


def test_what_a_token_names_only_rises() -> None:
    token = named(None, 3, 9, of_this_start=True)
    assert token == Named(3, 9)
    assert named(token, 3, 4, of_this_start=True) == token
    assert named(token, 2, 40, of_this_start=True) == token
    assert named(token, 4, 265, of_this_start=True) == Named(4, 265)
    assert named(token, 4, 265, of_this_start=False) == token


def test_a_coordinator_put_back_leaves_no_news_of_its_lost_life_in_force() -> None:
    # It had signed 1 to 9 and remembers 1 to 7, of which 6 is in force: issued anew at the top, as its floor.
    held = [row(serial) for serial in range(6, 10)]
    first = next_serial(7, restored=True)
    assert first == 7 + RESTORED_SKIP + 1
    token = Named(INCARNATION + 1, first)
    assert set(standings(held, token)) == {"unconfirmed"}, "until its own news comes nobody stands for them"
    held.append(row(first, floor=first, incarnation=INCARNATION + 1))
    assert standings(held, token) == ["void"] * 4 + ["confirmed"]
    assert heard_through(held) == (INCARNATION + 1, first)
    assert to_drop(held) == held[:4]


@given(
    serials=st.sets(st.integers(1, 40), min_size=1),
    floor=st.integers(1, 40),
    newest=st.integers(1, 45),
)
def test_confirmed_means_that_nothing_in_between_is_missing(serials: set[int], floor: int, newest: int) -> None:
    held = [row(serial, min(floor, serial)) for serial in sorted(serials)]
    top = max(one.floor for one in held)
    for one in held:
        confirmed = standing(one, held, says(newest)) is Standing.CONFIRMED
        assert confirmed == (top <= one.serial <= newest and set(range(one.serial, newest + 1)) <= serials)
    incarnation, through = heard_through(held)
    assert incarnation == INCARNATION
    assert set(range(max(top, 1), through + 1)) <= serials
    assert through + 1 not in serials


def test_held_news_is_bounded_and_the_lowest_go() -> None:
    held = [row(serial) for serial in range(1, HELD_NEWS_MAX + 6)]
    assert to_drop(held) == held[:5]
    assert judge(row(200, floor=1), held) is Verdict.KEEP
    assert judge(row(3), held[5:]) is Verdict.VOID, "the lowest would be dropped again at once"
    assert len(missing([], says(SERIAL_MAX))) == AGAIN_MAX


def test_nothing_heard_is_nothing_heard() -> None:
    assert heard_through([]) == (0, 0)
    assert missing([], None) == ()
    assert to_drop([]) == []
    assert missing([row(9, floor=8)], says(9)) == (8,)


# --- at the coordinator -------------------------------------------------------------------------------------------


def test_a_site_gets_what_it_misses_newest_first() -> None:
    assert send_again(range(1, 8), 3, 5) == (7, 6)
    assert send_again(range(1, 8), 3, 0) == (7, 6, 5, 4, 3)
    assert send_again(range(1, 8), 3, 7) == ()
    assert send_again(range(1, 60), 1, 0) == tuple(range(59, 59 - AGAIN_MAX, -1))


def test_serials_run_out_loudly() -> None:
    assert next_serial(0, restored=False) == 1
    for newest, restored in ((SERIAL_MAX, False), (SERIAL_MAX - RESTORED_SKIP, True)):
        with pytest.raises(ValueError, match="a coordinator has 65535"):
            next_serial(newest, restored=restored)


def test_many_dead_serials_are_left_behind_by_issuing_anew() -> None:
    assert not worth_renewing([], 90)
    assert not worth_renewing([90], 90)
    assert not worth_renewing([3], 3 + DEAD_MAX)
    assert worth_renewing([3], 4 + DEAD_MAX)
    assert not worth_renewing(range(1, 90), 90)
