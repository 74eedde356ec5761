"""A coordinator counts before it says anything new: a copy of its ledger that is a second old is noticed as one."""

from pathlib import Path

import pytest

from steunpunt.engine.coordinator import CoordinatorEngine
from steunpunt.ledger.incarnation import Keeper
from steunpunt.model import LinkName, SendFrame
from tests.fakes.sites import (
    BROKER_UP,
    LEDGER_KEY,
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    ended,
    frames,
    heard,
    help_form,
    seeded,
)


class Counting(CoordinatorSite):
    """A coordinator with the file that outlives its ledger."""

    def _start(self) -> None:
        super()._start()
        self.file = self.path.with_suffix(".incarnation")
        keeper = Keeper(self.ledger, self.file)
        self.incarnation = keeper.begin()
        self.engine = CoordinatorEngine(
            self.ledger, self.keys, LEDGER_KEY, self.incarnation, self.entropy, self.neighbours, keeper
        )

    def count(self) -> int:
        return int(self.file.read_text("ascii").split()[0])


@pytest.fixture(name="kiosk")
def fixture_kiosk(tmp_path: Path) -> KioskSite:
    kiosk = KioskSite(tmp_path / "kiosk", Clock(), seeded(1))
    kiosk.turn(MESH_UP)
    return kiosk


@pytest.fixture(name="center")
def fixture_center(tmp_path: Path, kiosk: KioskSite) -> Counting:
    center = Counting(tmp_path / "center", kiosk.clock, seeded(2))
    center.turn(MESH_UP)
    return center


def packet(kiosk: KioskSite) -> SendFrame:
    (frame,) = frames(kiosk.turn(help_form(kiosk.token())), LinkName.MESH)
    kiosk.turn(ended(frame))
    return frame


def test_a_request_is_counted_before_its_receipt_goes(center: Counting, kiosk: KioskSite) -> None:
    before = center.count()
    center.turn(heard(packet(kiosk).payload))
    assert center.count() == before + 1


def test_a_copy_of_it_promises_nothing_new(center: Counting, kiosk: KioskSite) -> None:
    frame = packet(kiosk)
    center.turn(heard(frame.payload))
    before = center.count()
    center.turn(heard(frame.payload))
    assert center.count() == before


def test_a_sign_of_life_is_not_worth_a_write(center: Counting, kiosk: KioskSite) -> None:
    while not (sent := frames(kiosk.turn(), LinkName.MESH)):
        due_ms = kiosk.due_ms()
        assert due_ms is not None
        kiosk.clock.boot_ms = max(kiosk.clock.boot_ms, due_ms)
    before = center.count()
    center.turn(heard(sent[0].payload))
    assert (center.engine.counts["heartbeats"], center.count()) == (1, before)


def test_a_turn_that_the_disk_refused_counts_nothing(center: Counting, kiosk: KioskSite) -> None:
    def refuse() -> None:
        raise OSError

    before = center.count()
    with pytest.raises(OSError, match=r"^$"):
        center.turn(heard(packet(kiosk).payload), stop=refuse)
    center.turn()
    assert center.count() == before


def test_a_block_of_beacon_numbers_is_counted(center: Counting) -> None:
    before = center.count()
    center.turn(BROKER_UP)
    assert center.count() == before + 1


def test_a_copy_from_just_before_a_receipt_begins_a_new_incarnation(center: Counting, kiosk: KioskSite) -> None:
    copy = center.ledger.connection.connection.driver_connection.serialize()  # type: ignore[union-attr]
    center.turn(heard(packet(kiosk).payload))
    center.ledger.close()
    for stale in center.path.parent.glob(f"{center.path.name}-*"):
        stale.unlink()
    center.path.write_bytes(copy)
    center.open()
    assert center.incarnation == 2
