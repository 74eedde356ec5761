"""A request reaches exactly one case, with its words unchanged, whatever happens to wires and machines."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from steunpunt.model import LinkName, SupplementCode, TicketState
from steunpunt.protocol.packets import Kind
from tests.fakes.region_keys import COORDINATOR
from tests.simulation.people import Citizen, DeskPerson, answer_to
from tests.simulation.region import Region, Weather, states_of

STORM_S = 900
CALM_S = 3 * 3600
SEEDS = range(100)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where the machine has that: what crashes here are processes, and SQLite syncs all the same."""
    memory = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as name:
        yield Path(name)


def storm(region: Region) -> None:
    """Let radios, internet and power come and go until the storm is over."""
    rng = region.rng
    region.weather = Weather(
        lost=rng.choice([0.0, 0.1, 0.3, 0.5]),
        doubled=rng.choice([0.0, 0.2]),
        refused=rng.choice([0.0, 0.2]),
        crash=rng.choice([0.0, 0.02, 0.1]),
        delay_ms_max=rng.choice([500, 5_000, 20_000]),
    )
    for name in region.machines:
        for switch in (region.set_internet, region.set_radio):
            for _ in range(rng.randrange(3)):
                at_ms = rng.uniform(0, STORM_S * 800)
                region.after(at_ms, partial(switch, name, up=False))
                back_ms = at_ms + rng.uniform(1_000, STORM_S * 200)
                region.after(back_ms, partial(switch, name, up=True))


def all_done(region: Region) -> bool:
    if not all(machine.running for machine in region.machines.values()):
        return False
    states = [state for kiosk in region.kiosks.values() for state in states_of(kiosk).values()]
    if not all(state is TicketState.CLOSED for state in states):
        return False
    return not [e for case in region.center.desk.cases() for e in case.events if e.delivered is False]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_request_becomes_one_case_with_its_words_and_no_screen_runs_ahead(folder: Path, seed: int) -> None:
    print(f"seed {seed}")
    region = Region(folder, seed, kiosks=(47, 48))
    storm(region)
    citizens = [Citizen(region, region.rng.choice([47, 48]), life_threat=i == 0) for i in range(3)]
    for citizen in citizens:
        region.after(region.rng.uniform(0, STORM_S * 900), citizen.ask)
    added = region.rng.choice(citizens)
    region.after(STORM_S * 950, lambda: added.add(SupplementCode.WORSE, "Het wordt erger"))
    DeskPerson(region).look()
    region.run(STORM_S)
    region.weather = Weather(lost=0.05, delay_ms_max=2_000)
    assert region.run(CALM_S, until=lambda: all(c.answers() for c in citizens) and all_done(region)), (
        seed,
        [states_of(kiosk) for kiosk in region.kiosks.values()],
        region.center.desk.cases(),
    )
    cases = {case.number: case for case in region.center.desk.cases()}
    assert len(cases) == len(region.center.desk.cases()) == len(citizens)
    for citizen in citizens:
        assert {(a["number"], a["secret"]) for a in citizen.answers()} == {(citizen.number, citizen.secret)}
        case = cases[citizen.number]
        assert (case.text, case.category) == (citizen.text, citizen.category)
        assert citizen.read_answers() == [answer_to(citizen.text)]
    assert region.machines[COORDINATOR].unconfirmed == {}


def test_once_all_is_said_and_held_the_air_is_quiet(folder: Path) -> None:
    region = Region(folder, 1)
    region.weather = Weather(lost=0.3)
    citizen = Citizen(region, 47, life_threat=True)
    region.after(1_000, citizen.ask)
    DeskPerson(region).look()
    assert region.run(CALM_S, until=lambda: bool(citizen.answers()) and all_done(region))
    on_air = {key: count for key, count in region.sent.items() if key[1] is LinkName.MESH}
    region.run(4 * 3600)
    assert {key: count for key, count in region.sent.items() if key[1] is LinkName.MESH} == on_air
    assert sum(on_air.values()) < 25


def test_a_region_that_falls_silent_costs_at_most_ninety_seconds_to_a_case(folder: Path) -> None:
    region = Region(folder, 2)
    region.run(60)
    region.machines[COORDINATOR].internet = False  # nobody is told: only the beacons stop
    citizen = Citizen(region, 47)
    region.after(0, citizen.ask)
    assert region.run(90, until=lambda: bool(region.center.desk.cases()))
    assert region.sent[47, LinkName.MESH, Kind.PIECE] >= 1
