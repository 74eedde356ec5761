"""Faults on demand: what is refused in words, and what other processes can ask for."""

import socket
from collections.abc import Callable, Iterator

import pytest

from steunpunt.sim import Fault, RadioSpec, SimulationError, VirtualRadios, ask_control_port


@pytest.fixture
def radios() -> Iterator[VirtualRadios]:
    with VirtualRadios([RadioSpec("a")], speed=50, seed=1, control_port=0) as made:
        yield made


@pytest.mark.parametrize(
    ("what", "numbers", "says"),
    [
        (Fault.NOISE, {"times": 0}, "makes no sense"),
        (Fault.REFUSE, {"seconds": -1}, "makes no sense"),
        (Fault.REFUSE, {"seconds": float("nan")}, "makes no sense"),
        (Fault.RES, {"code": 0}, "no routing error"),
        (Fault.NAK, {"code": 77}, "no routing error"),
    ],
)
def test_numbers_that_make_no_sense(radios: VirtualRadios, what: Fault, numbers: dict[str, float], says: str) -> None:
    with pytest.raises(SimulationError, match=says):
        radios.fault("a", what, **numbers)  # type: ignore[arg-type]


def test_a_second_client_cannot_come_where_nobody_listens(radios: VirtualRadios) -> None:
    radios.unplug("a")
    with pytest.raises(SimulationError, match="no second client gets in"):
        radios.fault("a", Fault.EVICT)


def test_another_process_asks_for_faults_and_mends(radios: VirtualRadios, wait_until: Callable[..., None]) -> None:
    assert radios.control_address is not None
    port = radios.control_address[1]
    command = {"do": "fault", "radio": "a", "fault": "refuse"}
    assert ask_control_port(port, command) == {}
    wait_until(lambda: not accepts(radios), what="connections refused")
    assert ask_control_port(port, {"do": "mend", "radio": "a"}) == {}
    wait_until(lambda: accepts(radios), what="connections accepted again")
    ask_control_port(port, {**command, "seconds": 0.2})
    wait_until(lambda: not accepts(radios), what="connections refused")
    wait_until(lambda: accepts(radios), what="the fault ends by itself")
    for wrong in ({"fault": "fire"}, {"fault": "res", "code": float("inf")}, {"fault": "fin", "times": "x"}):
        with pytest.raises(SimulationError, match="refused"):
            ask_control_port(port, {**command, **wrong})


def accepts(radios: VirtualRadios) -> bool:
    try:
        socket.create_connection(radios.address("a"), 1).close()
    except ConnectionRefusedError:
        return False
    return True
