"""One outage of each kind, by NUT's real dummy-ups: right state, right order of saving, no false end."""

import random
from collections.abc import Callable, Iterator

import pytest

from tests.fakes.outages import Outages
from tests.fakes.upses import dummy_ups

KINDS = (
    "flapping", "long", "back in mid-shutdown", "stuck gauge", "wrong values", "server gone", "driver gone",
)  # fmt: skip


@pytest.fixture(scope="module")
def outages(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int], wait_until: Callable[..., None]
) -> Iterator[Outages]:
    folder = tmp_path_factory.mktemp("outages")
    with dummy_ups(folder / "nut", free_port(), wait_until, ups__status="OL", battery__charge=100) as ups:
        made = Outages(ups, folder, wait_until)
        yield made
        made.source.close()


@pytest.mark.parametrize("kind", KINDS)
def test_an_outage(kind: str, outages: Outages) -> None:
    assert set(outages.kinds) == set(KINDS)
    outages.play(kind, random.Random(5))
