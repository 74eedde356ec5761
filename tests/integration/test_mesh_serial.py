"""The mesh link on a serial port: found by path, known by its node number, pulled out and plugged in again."""

import os
import pty
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from steunpunt.config import Radio
from steunpunt.model import SendOutcome
from steunpunt.sim import VirtualRadios
from tests.fakes.mesh_links import BACK_S, frame, linked, serial_cable, two_radios

Wait = Callable[..., None]


@pytest.fixture
def radios() -> Iterator[VirtualRadios]:
    with two_radios() as made:
        yield made


def test_a_serial_radio_is_pulled_out_and_comes_back_under_another_name(
    radios: VirtualRadios, wait_until: Wait, tmp_path: Path
) -> None:
    path = tmp_path / "by-path"
    with linked(Radio(kind="serial", path=str(path))) as (link, post):
        wait_until(lambda: post.reason)
        assert post.reason == f"no radio at {path} (no such file); is the cable in?"
        with serial_cable(radios.port("kiosk"), path):
            wait_until(lambda: post.up, BACK_S, "the serial link is up")
            link.send(frame(1))
            wait_until(lambda: post.outcomes() == {1: SendOutcome.TAKEN})
            with linked(Radio(kind="serial", path=str(path))) as (_, second):
                wait_until(lambda: second.reason)
                assert second.reason == f"another program holds {path}; stop that one"
        wait_until(lambda: not post.up, BACK_S, "the pulled cable is noticed")
        with serial_cable(radios.port("kiosk"), path):
            wait_until(lambda: post.up, BACK_S, "the serial link is back")


def test_another_tty_number_after_a_replug_is_no_matter(
    radios: VirtualRadios, wait_until: Wait, tmp_path: Path
) -> None:
    path, names = tmp_path / "by-path", []
    with ExitStack() as held, linked(Radio(kind="serial", path=str(path), node="!000000a1")) as (link, post):
        for attempt in range(5):
            with serial_cable(radios.port("kiosk"), path):
                plugged_at = time.monotonic()
                names.append(path.readlink())
                wait_until(lambda: post.up, BACK_S, "the link is back")
                print(f"serial replug {attempt}: back after {post.up_at - plugged_at:.2f} s on {names[-1]}")
                link.send(frame(attempt))
                wait_until(lambda expected=attempt: post.outcomes().get(expected) is SendOutcome.TAKEN)
            wait_until(lambda: not post.up and "no such file" in post.reason, 5, "the pulled cable is noticed")
            for descriptor in pty.openpty():  # takes the number that was freed: the device gets another one
                held.callback(os.close, descriptor)
    assert len(set(names)) == 5, "the device kept its name: this proved nothing"


def test_the_wrong_radio_on_the_path_is_said_and_the_right_one_serves_at_once(
    radios: VirtualRadios, wait_until: Wait, tmp_path: Path
) -> None:
    path = tmp_path / "by-path"
    with linked(Radio(kind="serial", path=str(path), node="!000000a1")) as (link, post):
        with serial_cable(radios.port("desk"), path):
            wait_until(lambda: post.reason.endswith("plug in that one or mend radio.node"), 5)
            assert post.reason == (
                f"the radio at {path} is !000000d1, not !000000a1; plug in that one or mend radio.node"
            )
            link.send(frame(1))
            assert post.outcomes() == {1: SendOutcome.REFUSED}
            assert radios.counters("desk").get("packets_from_client", 0) == 0, "the wrong radio was used"
        with serial_cable(radios.port("kiosk"), path):
            plugged_at = time.monotonic()
            wait_until(lambda: post.up, BACK_S, "the right radio serves")
            print(f"right radio plugged in: serves after {post.up_at - plugged_at:.2f} s")
