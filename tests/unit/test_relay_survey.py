"""A survey walked by its timers: one probe at a time, no more often than the firmware takes, and a sheet at the end."""

import itertools

import pytest

from steunpunt.relay.survey import (
    ANSWER_MS_MAX,
    GAP_MS,
    LASTS_MS_MAX,
    PROBES,
    ROOM_AGAIN_MS,
    Survey,
    Trip,
)

LIMIT_DB = -17.5
GOOD = Trip(1, 2, -6.0, -8.0)


def walked(answers: list[Trip | None], *, probes: int = PROBES) -> tuple[Survey, list[int]]:
    """Walk a survey; ``answers``: what each probe gets, None for nothing. Returns it and when each was sent."""
    survey, now_ms, sent = Survey(1_000, 395.0, probes=probes), 1_000, list[int]()
    while not survey.over(now_ms):
        if survey.wants(now_ms):
            survey.asked(now_ms)
            sent.append(now_ms)
            answer = answers[len(sent) - 1]
            if answer is not None:
                survey.answered(answer)
        now_ms = max(survey.due_ms(), now_ms + 1)
    return survey, sent


def test_probes_go_one_by_one_and_not_faster_than_the_firmware_takes() -> None:
    _, sent = walked([GOOD] * PROBES)
    assert len(sent) == PROBES
    assert {later - before for before, later in itertools.pairwise(sent)} == {GAP_MS}


def test_a_good_antenna_passes_with_the_figures_of_both_ways() -> None:
    survey, _ = walked([GOOD, Trip(0, 1, -9.0, -7.0), Trip(1, 1, -5.0, None)], probes=3)
    sheet = survey.sheet(LIMIT_DB)
    assert (sheet.passed, sheet.sent, sheet.answered, sheet.air_ms) == (True, 3, 3, 1185)
    assert (sheet.out.snr_median_db, sheet.out.snr_worst_db, sheet.out.hops_max) == (-6.0, -9.0, 1)
    assert (sheet.back.snr_median_db, sheet.back.snr_worst_db, sheet.back.hops_max) == (-7.5, -8.0, 2)


@pytest.mark.parametrize(("lost", "passed"), [(2, True), (3, False)])
def test_nine_of_ten_must_come_back(lost: int, passed: bool) -> None:  # noqa: FBT001  the example
    survey, sent = walked([None] * lost + [GOOD] * (PROBES - lost))
    assert len(sent) == PROBES
    assert survey.sheet(LIMIT_DB).passed is passed


@pytest.mark.parametrize(
    ("trip", "why"),
    [
        (Trip(0, 0, -12.4, -12.4), "good"),
        (Trip(0, 0, -12.6, -3.0), "snr_out"),
        (Trip(0, 0, -3.0, -12.6), "snr_back"),
        (Trip(0, 0, None, -3.0), "unmeasured"),
    ],
)
def test_both_ways_need_room_above_the_limit(trip: Trip, why: str) -> None:
    survey, _ = walked([trip] * PROBES)
    sheet = survey.sheet(LIMIT_DB)
    assert (sheet.why, sheet.passed) == (why, why == "good")


def test_without_room_on_the_air_it_waits_and_at_last_ends_with_what_it_has() -> None:
    survey = Survey(0, 395.0)
    assert survey.wants(0)
    survey.no_room(0)
    assert (survey.wants(1), survey.due_ms()) == (False, ROOM_AGAIN_MS)
    assert survey.wants(ROOM_AGAIN_MS)
    assert not survey.over(LASTS_MS_MAX - 1)
    assert survey.over(LASTS_MS_MAX)
    assert survey.sheet(LIMIT_DB).why == "answers"


def test_what_the_radio_refused_is_sent_again_and_a_late_answer_counts_as_none() -> None:
    survey = Survey(0, 395.0)
    survey.asked(0)
    survey.refused(10)
    assert (survey.sent, survey.wants(11), survey.wants(10 + GAP_MS)) == (0, False, True)
    survey.asked(40_000)
    assert not survey.wants(40_000 + ANSWER_MS_MAX - 1)
    survey.wants(40_000 + ANSWER_MS_MAX)
    survey.answered(GOOD)
    assert (survey.sent, survey.trips) == (1, [])
