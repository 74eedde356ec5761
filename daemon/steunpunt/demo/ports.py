"""Free TCP ports of this computer."""

import contextlib
import socket
from collections.abc import Sequence


def free_ports(wishes: Sequence[int]) -> list[int]:
    """Return one free TCP port of 127.0.0.1 for each wish: the wished one where it is free, else another.

    A wish of 0 is for any. All are different: they are held together before they are let go.
    """
    with contextlib.ExitStack() as held:
        return [_hold(held, wish) for wish in wishes]


def free_port(wish: int = 0) -> int:
    """Return ``wish`` when it is free, else any free TCP port of 127.0.0.1."""
    return free_ports([wish])[0]


def _hold(held: contextlib.ExitStack, wish: int) -> int:
    probe = held.enter_context(socket.socket())
    # As servers do it: a port with only old, ended connections counts as free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(wish > 0))
    try:
        probe.bind(("127.0.0.1", wish))
    except OSError:
        if wish == 0:
            raise
        return _hold(held, 0)
    return int(probe.getsockname()[1])
