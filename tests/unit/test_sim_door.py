"""A virtual radio's TCP port: a client in a hurry never waits for the kernel to send its SYN again."""

import random
import selectors
import socket

from steunpunt.sim import RadioSpec
from steunpunt.sim.air import Air
from steunpunt.sim.door import CONNECTS_MAX, Door
from steunpunt.sim.radio import VirtualRadio
from steunpunt.sim.timeline import Timeline

KNOCKS = 100
SYN_AGAIN_S = 1.0
"""Linux repeats a SYN that found a full backlog after a second."""


def test_a_hundred_connections_in_one_turn_are_all_taken_and_the_last_one_stays() -> None:
    rng = random.Random(1)
    radio = VirtualRadio(RadioSpec("a", node_num=1), Air(Timeline(), rng, preset="LONG_FAST"), rng)
    radio.start()
    with selectors.DefaultSelector() as selector:
        door = Door(radio, selector)
        door.sync()
        (listener,) = [key.fileobj for key in selector.get_map().values()]
        assert isinstance(listener, socket.socket)
        clients = [socket.create_connection(("127.0.0.1", door.port), SYN_AGAIN_S / 2) for _ in range(KNOCKS)]
        turns = 0
        while door.counters["clients"] < KNOCKS:
            turns += 1
            assert turns <= 1 + KNOCKS // CONNECTS_MAX
            door.ready(listener, 0.0)
        assert door.counters["clients_evicted"] == KNOCKS - 1
        assert len(selector.get_map()) == 2, "the listener and one client"
        assert clients[0].recv(1) == b"", "who was there before is gone"
        door.close()
    for client in clients:
        client.close()
