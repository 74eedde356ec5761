"""The demo's cable carries bytes as they are, and nothing once it is cut."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from steunpunt.demo.cable import PAIRS_MAX, Cable

WAIT_S_MAX = 5.0
WaitUntil = Callable[..., None]


class Echo:
    """A server that sends everything back, and knows how many clients it has."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4 * PAIRS_MAX)
        self.clients = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self.clients += 1
        with client, contextlib.suppress(OSError):
            while data := client.recv(65_536):
                client.sendall(data)
        with self._lock:
            self.clients -= 1

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.stop()


@pytest.fixture
def cable(echo: Echo) -> Iterator[Cable]:
    cable = Cable(echo.listener.getsockname())
    cable.start()
    yield cable
    cable.stop()


def connect(cable: Cable) -> socket.socket:
    return socket.create_connection(("127.0.0.1", cable.port), timeout=WAIT_S_MAX)


def answers(cable: Cable) -> bool:
    """Whether a new connection carries bytes there and back."""
    try:
        with connect(cable) as end:
            end.sendall(b"x")
            return end.recv(1) == b"x"
    except OSError:
        return False


def test_it_carries_bytes_unchanged_both_ways(cable: Cable) -> None:
    sent = bytes(range(256)) * 2048
    with connect(cable) as end:
        threading.Thread(target=end.sendall, args=(sent,), daemon=True).start()
        got = b""
        while len(got) < len(sent):
            got += end.recv(65_536)
    assert got == sent


def test_a_cut_ends_both_ends_and_new_connections(cable: Cable, echo: Echo, wait_until: WaitUntil) -> None:
    with connect(cable) as end:
        end.sendall(b"x")
        assert end.recv(1) == b"x"
        cable.cut()
        assert not cable.intact
        assert end.recv(1) == b""
    wait_until(lambda: echo.clients == 0, WAIT_S_MAX, "the far end hears of the cut")
    assert not answers(cable)


def test_a_mended_cable_carries_new_connections(cable: Cable) -> None:
    cable.cut()
    cable.mend()
    assert cable.intact
    assert answers(cable)


def test_while_the_far_end_has_no_power_it_refuses_as_that_host_would(cable: Cable) -> None:
    with connect(cable) as end:
        end.sendall(b"x")
        assert end.recv(1) == b"x"
        cable.far_end(powered=False)
        assert end.recv(1) == b""
    assert cable.intact, "nobody cut it"
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            connect(cable)
        cable.mend()
    cable.cut()
    cable.far_end(powered=True)
    assert not answers(cable), "it is still cut"
    cable.mend()
    assert answers(cable)


def test_one_end_that_closes_closes_the_other(cable: Cable, echo: Echo, wait_until: WaitUntil) -> None:
    with connect(cable) as end:
        end.sendall(b"x")
        end.recv(1)
        assert echo.clients == 1
    wait_until(lambda: echo.clients == 0, WAIT_S_MAX, "the far end closes too")


def test_a_target_that_is_away_ends_the_connection(cable: Cable, echo: Echo) -> None:
    echo.stop()
    assert not answers(cable)


def test_a_stopped_cable_gives_its_port_back_and_takes_it_again(cable: Cable) -> None:
    port = cable.port
    cable.stop()
    with pytest.raises(OSError):  # noqa: PT011  refused or reset, as the system likes
        connect(cable)
    cable.start()
    assert (cable.port, cable.intact) == (port, True)
    assert answers(cable)


def test_no_more_connections_than_the_limit(cable: Cable, echo: Echo, wait_until: WaitUntil) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(PAIRS_MAX):
            end = held.enter_context(connect(cable))
            end.sendall(b"x")
            assert end.recv(1) == b"x"
        assert not answers(cable)
    wait_until(lambda: echo.clients == 0, WAIT_S_MAX, "all connections end")
    wait_until(lambda: answers(cable), WAIT_S_MAX, "there is room again")


def test_cutting_leaves_no_thread_behind(cable: Cable, wait_until: WaitUntil) -> None:
    def pairs() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "cable-pair"]

    with contextlib.ExitStack() as held:
        for _ in range(20):
            end = held.enter_context(connect(cable))
            end.sendall(b"x")
            end.recv(1)
        assert len(pairs()) == 20
        cable.cut()
        wait_until(lambda: not pairs(), WAIT_S_MAX, "every carrying thread ends")
