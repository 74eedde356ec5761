"""Ledger time: exact within a boot, a lower bound over a power cut, and never backwards."""

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.ledger.clock import SAVE_MS, LedgerClock, boot_name, boot_time_ms
from steunpunt.model import LedgerError

BOOT = b"3c1f8e0a-0000-4000-8000-000000000001"
OTHER_BOOT = b"3c1f8e0a-0000-4000-8000-000000000002"


def clock_at(boot_ms: int, record: bytes | None, boot: bytes = BOOT) -> LedgerClock:
    return LedgerClock.resume(record, boot, lambda: boot_ms)


def test_a_new_ledger_begins_at_nothing_and_all_of_it_is_certain() -> None:
    clock = clock_at(5_000_000, None)
    assert (clock.now_ms(), clock.certain_ms) == (0, 0)


def test_the_same_boot_continues_to_the_millisecond() -> None:
    record = LedgerClock(BOOT, -1_000, 0, lambda: 50_000).record()
    for boot_ms in (50_000, 50_001, 9_000_000):
        clock = clock_at(boot_ms, record)
        assert (clock.now_ms(), clock.certain_ms) == (boot_ms - 1_000, 0)


def test_what_was_uncertain_stays_so_over_a_restart_of_the_process() -> None:
    record = LedgerClock(BOOT, 0, 123_456, lambda: 200_000).record()
    assert clock_at(200_000, record).certain_ms == 123_456


@pytest.mark.parametrize("boot_ms", [0, 8_000, 40_000, 7_200_000])
def test_another_boot_counts_on_and_says_so(boot_ms: int) -> None:
    record = LedgerClock(BOOT, 0, 0, lambda: 1_000_000).record()
    clock = clock_at(boot_ms, record, OTHER_BOOT)
    assert clock.now_ms() == clock.certain_ms == 1_000_000 + max(SAVE_MS, boot_ms)


def test_a_boot_that_seems_to_run_backwards_is_another_boot() -> None:
    record = LedgerClock(BOOT, 0, 0, lambda: 1_000_000).record()
    clock = clock_at(999_999, record)
    assert clock.now_ms() == clock.certain_ms > 1_000_000


def test_the_desk_follows_the_node_to_the_millisecond() -> None:
    node = LedgerClock(BOOT, 777, 55, lambda: 40_000)
    desk = LedgerClock.follow(node.record(), BOOT, lambda: 41_000)
    assert (desk.now_ms(), desk.certain_ms) == (41_777, 55)


@pytest.mark.parametrize(
    ("record", "boot_ms"),
    [
        (None, 50_000),
        (LedgerClock(OTHER_BOOT, 0, 0, lambda: 40_000).record(), 50_000),
        (LedgerClock(BOOT, 0, 0, lambda: 40_000).record(), 39_999),
    ],
    ids=["new ledger", "another boot", "before the node"],
)
def test_nobody_follows_before_the_node_ran(record: bytes | None, boot_ms: int) -> None:
    with pytest.raises(LedgerError, match="start steunpunt-node"):
        LedgerClock.follow(record, BOOT, lambda: boot_ms)


@given(st.binary(max_size=32))
def test_a_broken_record_is_a_ledger_error(record: bytes) -> None:
    for begin in (LedgerClock.resume, LedgerClock.follow):
        with pytest.raises(LedgerError, match="clock record"):
            begin(record, BOOT, lambda: 1)


def test_the_machines_own_clock_and_name() -> None:
    first, name = boot_time_ms(), boot_name()
    assert 0 < first <= boot_time_ms()
    assert len(name) == 36
    assert name == boot_name()


# --- a machine over its life --------------------------------------------------------------------------------------


@dataclass
class Written:
    """Something that was committed: when in truth, when by the ledger, and after how many power cuts."""

    true_ms: int
    ledger_ms: int
    cuts: int


@dataclass
class Machine:
    """A device with a ledger: what lies on its disk, what its node has in memory, and the true time."""

    true_ms: int = 0
    boot_ms: int = 30_000
    cuts: int = 0
    disk: bytes | None = None
    saved_ms: int = 0
    written: list[Written] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the node: it opens the ledger and writes its clock record."""
        self.clock = LedgerClock.resume(self.disk, b"boot %031d" % self.cuts, lambda: self.boot_ms)
        self.save()

    def save(self) -> None:
        self.disk = self.clock.record()
        self.saved_ms = self.clock.now_ms()

    def run(self, ms: int) -> None:
        self.true_ms += ms
        self.boot_ms += ms

    def write(self) -> None:
        """Commit something, and with it the clock when the last record is SAVE_MS old."""
        now_ms = self.clock.now_ms()
        if now_ms - self.saved_ms >= SAVE_MS:
            self.save()
        self.written.append(Written(self.true_ms, now_ms, self.cuts))

    def cut_power(self, off_ms: int, booting_ms: int) -> None:
        self.true_ms += off_ms + booting_ms
        self.boot_ms = booting_ms
        self.cuts += 1
        self.start()


steps = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 100_000_000)),
    st.tuples(st.just("run"), st.integers(0, SAVE_MS)),
    st.tuples(st.just("write")),
    st.tuples(st.just("start")),
    st.tuples(st.just("cut_power"), st.integers(0, 10**9), st.integers(0, 600_000)),
)


@given(st.lists(steps, max_size=20))
def test_whatever_happens_time_goes_on_and_ages_are_no_more_than_true(life: list[tuple[str, int]]) -> None:
    machine = Machine()
    for name, *arguments in life:
        getattr(machine, name)(*arguments)
        _check(machine)


def _check(machine: Machine) -> None:
    now_ms = machine.clock.now_ms()
    for early, late in itertools.pairwise(machine.written):
        assert early.ledger_ms <= late.ledger_ms, "what was written later has a later time"
    for written in machine.written:
        age_ms, true_age_ms = now_ms - written.ledger_ms, machine.true_ms - written.true_ms
        cuts = machine.cuts - written.cuts
        assert age_ms >= 0, "nothing that was written lies in the future"
        if cuts == 0:
            assert age_ms == true_age_ms, "within a boot an age is exact"
            assert written.ledger_ms >= machine.clock.certain_ms, "and known to be"
        else:
            assert age_ms <= true_age_ms + cuts * SAVE_MS, "over a power cut it is a lower bound"
            assert age_ms >= machine.boot_ms - SAVE_MS, "that counts the time since the power came back"
            assert written.ledger_ms < machine.clock.certain_ms, "and marked so"
