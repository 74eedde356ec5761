"""When more is said than the air carries: a site whose packets go unheard slows down, and receipts keep a pace."""

from pathlib import Path

import pytest

from steunpunt.model import Category, LinkName, RadioUsed, SendFrame, SendOutcome
from steunpunt.protocol.pieces import parse_pieces
from steunpunt.relay.outbox import MESH_FIRST_WAIT_MS
from steunpunt.relay.pace import CHANNEL_WORD_MS_MAX, GAP_MS_MAX, GAP_MS_MIN
from steunpunt.relay.replies import LIFE_PACE_MS, TOKEN_GATHER_MS
from tests.fakes.sites import MESH_UP, Clock, CoordinatorSite, KioskSite, ended, frames, heard, help_form, seeded

RETRY_S_MAX = round(2 * MESH_FIRST_WAIT_MS / 1000)


@pytest.fixture(name="clock")
def fixture_clock() -> Clock:
    return Clock()


@pytest.fixture(name="kiosk")
def fixture_kiosk(tmp_path: Path, clock: Clock) -> KioskSite:
    site = KioskSite(tmp_path / "kiosk", clock, seeded(1))
    site.turn(MESH_UP)
    return site


@pytest.fixture(name="center")
def fixture_center(tmp_path: Path, clock: Clock) -> CoordinatorSite:
    site = CoordinatorSite(tmp_path / "center", clock, seeded(2))
    site.turn(MESH_UP)
    return site


def ask(kiosk: KioskSite, text: str, *, life_threat: bool = False) -> list[SendFrame]:
    """Return what goes by radio at once for a new request; the radio takes it."""
    form = help_form(kiosk.token(), text, life_threat=life_threat, category=Category.MEDICAL)
    sent = frames(kiosk.turn(form), LinkName.MESH)
    kiosk.turn(*(ended(frame) for frame in sent))
    return sent


def over_time(site: KioskSite | CoordinatorSite, seconds: float) -> list[tuple[float, SendFrame]]:
    """Let time pass; returns (second, packet) of what goes by radio, all of it taken."""
    clock, sent = site.clock, list[tuple[float, SendFrame]]()
    start_ms = clock.boot_ms
    end_ms = start_ms + round(seconds * 1000)
    while True:
        for frame in frames(site.turn(), LinkName.MESH):
            sent.append(((clock.boot_ms - start_ms) / 1000, frame))
            site.turn(ended(frame))
        due_ms = site.due_ms()
        if due_ms is None or due_ms > end_ms:
            clock.boot_ms = max(clock.boot_ms, end_ms)
            return sent
        clock.boot_ms = max(clock.boot_ms + 1, due_ms)


def next_try(kiosk: KioskSite) -> SendFrame:
    """Walk to the next packet for the radio, and not a second further."""
    for _ in range(RETRY_S_MAX):
        if sent := over_time(kiosk, 1):
            return sent[0][1]
    raise AssertionError("nothing was sent again")


def test_a_request_waits_after_a_try_that_had_to_be_made_again_and_a_life_threat_does_not(kiosk: KioskSite) -> None:
    assert len(ask(kiosk, "Water voor tien mensen")) == 1
    assert len(ask(kiosk, "Dekens voor de nacht")) == 1, "nothing is known to be wrong yet"
    assert len(parse_pieces(next_try(kiosk).payload)) == 2, "what waited half goes along"
    assert ask(kiosk, "Insuline is bijna op") == []
    assert len(ask(kiosk, "Mijn man ademt niet", life_threat=True)) == 1
    (second, frame), *_ = over_time(kiosk, 2 * GAP_MS_MIN / 1000)
    assert (second >= GAP_MS_MIN / 1000 - 1, len(parse_pieces(frame.payload))) == (True, 1)


def test_what_is_receipted_takes_the_gap_away(kiosk: KioskSite, center: CoordinatorSite) -> None:
    ask(kiosk, "Water voor tien mensen")
    center.turn(heard(next_try(kiosk).payload))
    (_, receipt), *_ = over_time(center, 10)
    kiosk.turn(heard(receipt.payload))
    over_time(kiosk, GAP_MS_MIN / 1000)
    assert len(ask(kiosk, "Dekens voor de nacht")) == 1
    assert len(ask(kiosk, "Insuline is bijna op")) == 1


def test_a_request_waits_for_a_full_channel_only_as_long_as_the_radio_keeps_telling(kiosk: KioskSite) -> None:
    for _ in range(10):
        kiosk.turn(RadioUsed(0.01, channel=1.0))
    assert len(ask(kiosk, "Water voor tien mensen")) == 1
    assert ask(kiosk, "Dekens voor de nacht") == []
    (second, _), *_ = over_time(kiosk, GAP_MS_MAX / 1000)
    assert second == CHANNEL_WORD_MS_MAX / 1000


def test_a_radio_that_takes_nothing_does_not_slow_a_site_down(kiosk: KioskSite) -> None:
    form = help_form(kiosk.token(), "Water voor tien mensen", category=Category.MEDICAL)
    (frame,) = frames(kiosk.turn(form), LinkName.MESH)
    kiosk.turn(ended(frame, SendOutcome.REFUSED))
    kiosk.clock.advance_s(60)
    (second,) = frames(kiosk.turn(), LinkName.MESH)
    kiosk.turn(ended(second, SendOutcome.REFUSED))
    assert len(ask(kiosk, "Dekens voor de nacht")) == 1


def test_life_threats_are_receipted_at_once_but_in_a_flood_at_a_pace(kiosk: KioskSite, center: CoordinatorSite) -> None:
    threats = [ask(kiosk, f"Hij ademt niet {i}", life_threat=True)[0] for i in range(3)]
    center.turn(heard(threats[0].payload))
    assert [second for second, _ in over_time(center, 3)] == [TOKEN_GATHER_MS / 1000]
    center.turn(heard(threats[1].payload))
    center.turn(heard(threats[2].payload))
    ((second, receipt),) = over_time(center, 60)
    assert TOKEN_GATHER_MS / 1000 < second <= LIFE_PACE_MS / 1000
    kiosk.turn(heard(receipt.payload))
