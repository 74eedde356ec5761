"""When a broker's restart is asked for: only of one that hangs here, and ever less often."""

import itertools
from pathlib import Path

import pytest

from steunpunt.links.broker_hang import AGAIN_CAP_S, AGAIN_FIRST_S, CALM_S, HANGS_MIN, HangWatch


class Walk:
    """A watch on a clock that the test moves."""

    def __init__(self, request: Path | None, host: str = "127.0.0.1") -> None:
        self.now_s, self.request = 0.0, request
        self.watch = HangWatch(host, request, lambda: self.now_s)

    def asked_at(self, until_s: float, step_s: float = 6.0) -> list[float]:
        """Let every connection hang until then; return when a restart was asked for."""
        asked = []
        while self.now_s < until_s:
            self.now_s += step_s
            if self.watch.ended(hung=True):
                asked.append(self.now_s)
        return asked


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    return Walk(tmp_path / "restart-broker")


def test_one_connection_without_an_answer_is_not_yet_a_hang(walk: Walk) -> None:
    assert HANGS_MIN == 2
    assert walk.watch.ended(hung=True) is False
    walk.watch.answered()
    assert walk.watch.ended(hung=True) is False
    assert walk.watch.ended(hung=False) is False, "a broker that refuses or hangs up is starting or stopping"
    assert walk.watch.ended(hung=True) is False
    assert walk.request is not None
    assert not walk.request.exists()
    assert walk.watch.ended(hung=True) is True
    assert walk.request.exists()


def test_it_is_asked_ever_less_often_and_never_given_up(walk: Walk) -> None:
    asked = walk.asked_at(4 * AGAIN_CAP_S)
    waits = [later - earlier for earlier, later in itertools.pairwise(asked)]
    expected = [AGAIN_FIRST_S]
    while len(expected) < len(waits):
        expected.append(min(2 * expected[-1], AGAIN_CAP_S))
    assert len(waits) >= 5
    assert waits == pytest.approx(expected, abs=6)


def test_after_a_long_calm_the_first_wait_is_short_again(walk: Walk) -> None:
    walk.asked_at(1_000)
    walk.watch.answered()
    walk.now_s += CALM_S
    first, second = walk.asked_at(walk.now_s + AGAIN_FIRST_S + 30)
    assert second - first == pytest.approx(AGAIN_FIRST_S, abs=6)


def test_a_broker_elsewhere_or_a_node_without_systemd_asks_nothing(tmp_path: Path) -> None:
    elsewhere = Walk(tmp_path / "restart-broker", "192.0.2.1")
    assert elsewhere.asked_at(1_000) == []
    assert list(tmp_path.iterdir()) == []
    assert Walk(None).asked_at(1_000) == []


def test_a_request_that_cannot_be_written_is_said_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    walk = Walk(tmp_path / "gone" / "restart-broker")
    assert walk.asked_at(AGAIN_FIRST_S - 10) == []
    assert "restart-broker cannot be written (No such file or directory)" in caplog.text
    (tmp_path / "gone").mkdir()
    assert len(walk.asked_at(AGAIN_FIRST_S * 2)) == 1
