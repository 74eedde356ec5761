"""The gap between a site's packets on the mesh, by walking the timer."""

from steunpunt.model import Lane
from steunpunt.relay.outbox import Waiting
from steunpunt.relay.pace import GAP_MS_MAX, GAP_MS_MIN, Pace
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


def test_neither_a_life_threat_nor_the_rest_of_a_try_nor_what_was_asked_for_waits() -> None:
    pace = slowed(9)
    assert due_ms(pace, waits=message(Lane.LIFE_THREAT)) == NOW_MS
    assert due_ms(pace, waits=message(unsent=0b10)) == NOW_MS
    assert due_ms(pace, waits=replace(message(), missing=0b10)) == NOW_MS
    assert due_ms(pace, waits=message(Lane.OTHER)) > NOW_MS
