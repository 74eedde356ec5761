"""A request reaches exactly one case, with its words unchanged, whatever happens to wires and machines."""

from functools import partial
from pathlib import Path

import pytest

from steunpunt.model import SupplementCode, TicketState
from tests.fakes.region_keys import COORDINATOR
from tests.simulation.people import Citizen, DeskPerson, answer_to
from tests.simulation.region import Region, Weather, states_of

STORM_S = 900
CALM_S = 3 * 3600
SEEDS = range(100)


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
def test_every_request_becomes_one_case_with_its_words_and_no_screen_runs_ahead(tmp_path: Path, seed: int) -> None:
    print(f"seed {seed}")
    region = Region(tmp_path, seed, kiosks=(47, 48))
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
