"""The mesh link against a virtual radio that misbehaves on demand: back in service within two seconds after it."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from steunpunt.model import SendOutcome
from steunpunt.sim import Fault, RadioSpec, VirtualRadios
from tests.fakes.mesh_links import BACK_S, CHANNELS, Post, frame, linked, tcp, two_radios

Wait = Callable[..., None]
REFUSED_S = 4.0
"""Long enough for the waits between attempts to have grown to their cap."""


@pytest.fixture
def radios() -> Iterator[VirtualRadios]:
    with two_radios() as made:
        yield made


def back_after(post: Post, healthy_at: float, what: str) -> None:
    took_s = post.up_at - healthy_at
    print(f"{what}: back {took_s:.2f} s after the radio")
    assert took_s <= BACK_S


@pytest.mark.parametrize("fault", [Fault.FIN, Fault.RST, Fault.EVICT])
def test_a_connection_that_ends_is_back_at_once(radios: VirtualRadios, wait_until: Wait, fault: Fault) -> None:
    with linked(tcp(radios.port("kiosk"))) as (link, post):
        for round_ in range(3):
            wait_until(lambda: post.up, BACK_S, "the link is up")
            link.send(frame(round_))
            wait_until(lambda expected=round_: post.outcomes().get(expected) is SendOutcome.TAKEN)
            healthy_at = time.monotonic()
            radios.fault("kiosk", fault)
            changes = 2 * round_ + 3
            wait_until(lambda expected=changes: len(post.changes()) >= expected, BACK_S, "down, and up again")
            back_after(post, healthy_at, fault)


def test_a_radio_that_refuses_for_a_while(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (_, post):
        wait_until(lambda: post.up)
        radios.fault("kiosk", Fault.REFUSE, seconds=REFUSED_S)
        healthy_at = time.monotonic() + REFUSED_S
        wait_until(lambda: not post.up)
        wait_until(lambda: post.up, REFUSED_S + BACK_S, "the link is back")
        back_after(post, healthy_at, f"refused for {REFUSED_S:g} s")


def test_a_radio_that_accepts_and_says_nothing(radios: VirtualRadios, wait_until: Wait) -> None:
    """It reads and forgets, as one does that still starts up: the question has to be asked again."""
    radios.fault("kiosk", Fault.SILENT)
    with linked(tcp(radios.port("kiosk"))) as (link, post):
        wait_until(lambda: radios.counters("kiosk").get("clients"), what="the silent radio accepts")
        assert not post.up
        radios.mend("kiosk")
        healthy_at = time.monotonic()
        wait_until(lambda: post.up, BACK_S, "the link is up")
        back_after(post, healthy_at, "accepted but silent")
        assert link.counters()["connects"] == 1


def test_a_radio_that_falls_silent_costs_one_unknown_packet(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (link, post):
        wait_until(lambda: post.up)
        radios.fault("kiosk", Fault.SILENT)
        link.send(frame(1))
        link.send(frame(2))
        wait_until(lambda: post.outcomes() == {1: SendOutcome.UNKNOWN}, what="no QueueStatus within 5 s")
        radios.mend("kiosk")
        healthy_at = time.monotonic()
        wait_until(lambda: post.outcomes().get(2) is SendOutcome.TAKEN, BACK_S, "the next packet goes")
        print(f"silent while up: the next packet taken {time.monotonic() - healthy_at:.2f} s after the radio")


def test_half_a_frame_then_gone(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (link, post):
        wait_until(lambda: post.up)
        radios.fault("kiosk", Fault.HALF_FRAME, times=3)
        healthy_at = time.monotonic()
        link.send(frame(1))  # its status comes by halves; so do two answers to the handshake after it
        wait_until(lambda: not post.up)
        wait_until(lambda: post.up, BACK_S, "the link is back")
        back_after(post, healthy_at, "half a frame, three times")
        assert post.outcomes() == {1: SendOutcome.UNKNOWN}
        assert link.counters()["connects"] == 4


def test_noise_and_console_log_before_every_frame(radios: VirtualRadios, wait_until: Wait) -> None:
    radios.fault("kiosk", Fault.NOISE, times=10_000)
    kiosk_at, desk_at = tcp(radios.port("kiosk")), tcp(radios.port("desk"))
    with linked(kiosk_at) as (kiosk, here), linked(desk_at) as (desk, there):
        wait_until(lambda: here.up and there.up, 20, "the handshake, in spite of the noise")
        for attempt in range(10):  # one after the other: on the air they would collide
            kiosk.send(frame(attempt, b"to the desk %d" % attempt))
            wait_until(lambda count=attempt + 1: len(there.frames()) == count, what="the frame at the desk")
            desk.send(frame(attempt, b"to the kiosk %d" % attempt))
            wait_until(lambda count=attempt + 1: len(here.frames()) == count, what="the frame at the kiosk")
        wait_until(lambda: len(here.outcomes()) == 10)
        assert set(here.outcomes().values()) == {SendOutcome.TAKEN}
        assert kiosk.counters()["frames_refused"] > 0, "no noise looked like a frame: this proved little"


@pytest.mark.parametrize("messages", [1, 10, 40])
def test_a_reboot_in_the_middle_of_the_handshake(radios: VirtualRadios, wait_until: Wait, messages: int) -> None:
    with linked(tcp(radios.port("kiosk"))) as (_, post):
        wait_until(lambda: post.up)
        radios.fault("kiosk", Fault.REBOOT_AFTER, times=messages)
        radios.fault("kiosk", Fault.FIN)
        wait_until(lambda: radios.counters("kiosk")["reboots"] == 1, what="the reboot")
        healthy_at = time.monotonic()
        wait_until(lambda: post.up, BACK_S, "the link is back")
        back_after(post, healthy_at, f"rebooted after message {messages} of the handshake")


def test_queue_status_never_sent(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (kiosk, here), linked(tcp(radios.port("desk"))) as (_, there):
        wait_until(lambda: here.up and there.up)
        radios.fault("kiosk", Fault.NO_STATUS)
        for attempt in (1, 2):
            kiosk.send(frame(attempt, b"number %d" % attempt))
        wait_until(lambda: here.outcomes() == {1: SendOutcome.UNKNOWN}, what="the first is unknown")
        assert there.frames() == [b"number 1"], "unknown it is: here it went on the air"
        radios.mend("kiosk")
        wait_until(lambda: here.outcomes().get(2) is SendOutcome.TAKEN, BACK_S, "the second goes")


@pytest.mark.parametrize(("res", "naks"), [(32, []), (7, ["too_large"]), (9, ["duty_cycle_limit"]), (39, ["pki"])])
def test_every_res_is_told_of_its_own_packet(
    radios: VirtualRadios, wait_until: Wait, res: int, naks: list[str]
) -> None:
    with linked(tcp(radios.port("kiosk"))) as (link, post):
        wait_until(lambda: post.up)
        radios.fault("kiosk", Fault.RES, code=res, times=2)
        for attempt in (1, 2, 3):
            link.send(frame(attempt))
        refused, taken = SendOutcome.REFUSED, SendOutcome.TAKEN
        wait_until(lambda: len(post.outcomes()) == 3)
        assert post.outcomes() == {1: refused, 2: refused, 3: taken}
        assert post.ends()[1].detail.startswith(f"res {res} (")
        assert post.up
        found = {name for name in link.counters() if name.startswith("nak_")}
        assert len(found) == len(naks)
        assert all(nak in name for nak, name in zip(naks, found, strict=True))


def test_naks_are_counted_and_are_no_outcome(radios: VirtualRadios, wait_until: Wait) -> None:
    with linked(tcp(radios.port("kiosk"))) as (link, post):
        wait_until(lambda: post.up)
        for code in (5, 6, 35):
            radios.fault("kiosk", Fault.NAK, code=code)
        for attempt in (1, 2, 3):
            link.send(frame(attempt))
        names = {"nak_max_retransmit", "nak_no_channel", "nak_pki_unknown_pubkey"}
        wait_until(lambda: names <= link.counters().keys(), what="each by its name")
        wait_until(lambda: post.outcomes() == dict.fromkeys((1, 2, 3), SendOutcome.TAKEN))


def test_a_host_that_swallows_the_first_steps_of_a_connection(wait_until: Wait, free_port: Callable[[], int]) -> None:
    """A full listener drops SYNs, as a radio without power does: attempts must end, and soon begin anew."""
    port = free_port()
    with linked(tcp(port)) as (link, post), ExitStack() as held:
        full = held.enter_context(socket.socket())
        full.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        full.bind(("127.0.0.1", port))
        full.listen(0)
        for _ in range(4):
            guest = held.enter_context(socket.socket())
            guest.settimeout(0)
            guest.connect_ex(("127.0.0.1", port))
        wait_until(lambda: "timed out" in post.reason, 10, "the attempt that nobody answers ends")
        held.close()
        with VirtualRadios([RadioSpec("kiosk", port=port, channels=CHANNELS)], speed=50, seed=1):
            healthy_at = time.monotonic()
            wait_until(lambda: post.up, BACK_S, "the link is up")
            back_after(post, healthy_at, "swallowed connections")
        assert link.running
