"""The gap between a site's packets on the mesh, by walking the timer."""

from steunpunt.model import Lane
from steunpunt.relay.outbox import Waiting
from steunpunt.relay.pace import (
    CHANNEL_FREE,
    CHANNEL_FULL,
    CHANNEL_WORD_MS_MAX,
    GAP_MS_MAX,
    GAP_MS_MIN,
    LIFE_GAP_MS_MAX,
    Pace,
)
from steunpunt.values import replace

NOW_MS = 1_000_000


def message(lane: Lane = Lane.URGENT, *, next_ms: int = NOW_MS, unsent: int = 0) -> Waiting:
    return Waiting(1, lane, 0, 0, next_ms, 0, 0, unsent=unsent)


def due_ms(pace: Pace, now_ms: int = NOW_MS, waits: Waiting | None = None) -> int:
    (held,) = pace.held([waits or message()], now_ms)
    return held.mesh_next_ms


def slowed(times: int) -> Pace:
    pace = Pace()
    for _ in range(times):
        pace.sent(NOW_MS, lambda: 0.0, again=True)
    return pace


def test_a_site_whose_first_tries_are_heard_knows_no_gap() -> None:
    pace = Pace()
    for _ in range(20):
        pace.sent(NOW_MS, lambda: 1.0, again=False)
    assert due_ms(pace) == NOW_MS


def test_each_try_made_again_doubles_the_gap_up_to_its_limit() -> None:
    gaps = [due_ms(slowed(times)) - NOW_MS for times in range(1, 9)]
    assert gaps == [min(GAP_MS_MIN * 2**i, GAP_MS_MAX) for i in range(8)]


def test_jitter_only_lengthens() -> None:
    plain, jittered = Pace(), Pace()
    plain.sent(NOW_MS, lambda: 0.0, again=True)
    jittered.sent(NOW_MS, lambda: 1.0, again=True)
    assert due_ms(plain) < due_ms(jittered) <= NOW_MS + 2 * GAP_MS_MIN


def test_receipts_take_the_gap_away_again() -> None:
    pace = slowed(4)
    pace.heard(NOW_MS)
    assert due_ms(pace) - NOW_MS == GAP_MS_MIN * 4
    for _ in range(3):
        pace.heard(NOW_MS)
    pace.sent(NOW_MS, lambda: 1.0, again=False)
    assert due_ms(pace) == NOW_MS


def test_what_was_held_is_due_when_the_gap_is_over() -> None:
    pace = slowed(1)
    assert due_ms(pace, NOW_MS + GAP_MS_MIN) == NOW_MS
    late = NOW_MS + 9 * GAP_MS_MIN
    assert due_ms(pace, waits=message(next_ms=late)) == late


def test_a_full_channel_slows_a_site_whose_own_tries_are_heard() -> None:
    pace = Pace()
    for share, gap_ms in ((CHANNEL_FULL, 0), (0.31, GAP_MS_MIN), (0.9, 2 * GAP_MS_MIN), (0.27, 2 * GAP_MS_MIN)):
        pace.channel(NOW_MS, share)
        pace.sent(NOW_MS, lambda: 0.0, again=False)
        assert due_ms(pace) == NOW_MS + gap_ms
    for _ in range(2):
        pace.channel(NOW_MS, CHANNEL_FREE / 2)
    pace.sent(NOW_MS + 10 * GAP_MS_MIN, lambda: 1.0, again=False)
    assert due_ms(pace, NOW_MS + 10 * GAP_MS_MIN) == NOW_MS


def test_the_longer_of_both_gaps_holds() -> None:
    pace = slowed(3)
    pace.channel(NOW_MS, 1.0)
    pace.sent(NOW_MS, lambda: 0.0, again=False)
    assert due_ms(pace) == NOW_MS + 4 * GAP_MS_MIN


def full_to_the_limit() -> Pace:
    """Return the pace of a site whose radio found the channel full until it told nothing any more."""
    pace = Pace()
    for _ in range(10):
        pace.channel(NOW_MS, 1.0)
    pace.sent(NOW_MS, lambda: 0.0, again=False)
    return pace


def test_a_radio_that_stops_telling_holds_back_nothing_five_minutes_later() -> None:
    pace, over_ms = full_to_the_limit(), NOW_MS + CHANNEL_WORD_MS_MAX
    assert due_ms(pace) == over_ms < NOW_MS + GAP_MS_MAX, "the word ends before the gap does"
    pace.channel(over_ms - 1, CHANNEL_FULL)
    last_ms = over_ms - 1 + CHANNEL_WORD_MS_MAX
    assert due_ms(pace, over_ms - 1) == last_ms, "it tells after all"
    pace.sent(last_ms, lambda: 1.0, again=False)
    assert due_ms(pace, last_ms, message(next_ms=last_ms)) == last_ms


def test_a_radio_that_tells_again_after_long_begins_anew() -> None:
    pace, later_ms = full_to_the_limit(), NOW_MS + CHANNEL_WORD_MS_MAX
    pace.channel(later_ms, 1.0)
    pace.sent(later_ms, lambda: 0.0, again=False)
    assert due_ms(pace, later_ms) == later_ms + GAP_MS_MIN


def test_the_gap_of_tries_made_again_outlasts_the_radios_word() -> None:
    pace = slowed(9)
    pace.channel(NOW_MS, 1.0)
    pace.sent(NOW_MS, lambda: 0.0, again=True)
    assert due_ms(pace) == NOW_MS + GAP_MS_MAX


def test_life_threats_that_go_again_share_a_short_gap_which_new_ones_do_not_know() -> None:
    pace, tried = Pace(), replace(message(Lane.LIFE_THREAT), mesh_tries=2)
    gaps = []
    for _ in range(6):
        pace.sent(NOW_MS, lambda: 0.0, again=True, life_threat=True)
        gaps.append(due_ms(pace, waits=tried) - NOW_MS)
    assert gaps == [min(GAP_MS_MIN * 2**i, LIFE_GAP_MS_MAX) for i in range(6)]
    assert due_ms(pace, waits=message(Lane.LIFE_THREAT)) == NOW_MS
    pace.heard(NOW_MS, life_threat=True)
    assert due_ms(pace, waits=tried) - NOW_MS == LIFE_GAP_MS_MAX // 2


def test_nothing_less_urgent_goes_while_a_life_threat_waits_for_its_gap() -> None:
    pace, tried = Pace(), replace(message(Lane.LIFE_THREAT), mesh_tries=1)
    pace.sent(NOW_MS, lambda: 0.0, again=True, life_threat=True)
    assert due_ms(pace) == NOW_MS, "nobody waits for the gap"
    rest = replace(message(unsent=0b10), message_id=3)
    held = pace.held([tried, message(), rest], NOW_MS)
    assert [one.mesh_next_ms for one in held] == [NOW_MS + GAP_MS_MIN] * 3


def test_neither_a_new_life_threat_nor_the_rest_of_a_try_nor_what_was_asked_for_waits() -> None:
    pace = slowed(9)
    assert due_ms(pace, waits=message(Lane.LIFE_THREAT)) == NOW_MS
    assert due_ms(pace, waits=message(unsent=0b10)) == NOW_MS
    assert due_ms(pace, waits=replace(message(), missing=0b10)) == NOW_MS
    assert due_ms(pace, waits=message(Lane.OTHER)) > NOW_MS
