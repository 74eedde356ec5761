"""What both links share: bad input is counted each time and logged at most once a minute."""

import logging

import pytest

from steunpunt.config import Radio
from steunpunt.links.base import LOG_SAME_S, RareLog
from steunpunt.links.mesh import MeshLink

LOGGER = "steunpunt.links.base"
KEYS = 100


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    taken = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return taken


def test_the_same_complaint_is_counted_each_time_and_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 1000.0
    link = MeshLink(Radio(kind="tcp"), lambda _: None, clock=lambda: now_s)
    with caplog.at_level(logging.WARNING, LOGGER):
        for _ in range(10_000):
            link.complain("frames_dropped")
        link.complain("nak_no_channel", 3)
        assert lines(caplog) == [
            f"mesh: {name} (counted under this name)" for name in ("frames_dropped", "nak_no_channel")
        ]
        now_s += LOG_SAME_S - 0.001
        link.complain("frames_dropped")
        assert lines(caplog) == []
        now_s += 0.001
        link.complain("frames_dropped")
        assert len(lines(caplog)) == 1
    assert link.counters() == {"frames_dropped": 10_002, "nak_no_channel": 3}


def test_who_makes_up_new_complaints_fills_no_memory(caplog: pytest.LogCaptureFixture) -> None:
    rare = RareLog(lambda: 0.0)
    with caplog.at_level(logging.WARNING, LOGGER):
        for number in range(KEYS):
            rare.warn(number, "number %d", number)
    assert len(lines(caplog)) == KEYS
    assert len(rare._last_s) < KEYS
