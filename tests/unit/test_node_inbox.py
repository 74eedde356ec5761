"""The inbox: bounded, never blocking, and what must not be lost is never what goes first."""

import threading

import pytest

from steunpunt.model import (
    BellRung,
    ButtonPressed,
    Event,
    FrameHeard,
    LinkChanged,
    LinkName,
    PacketHeard,
    SendEnded,
    SendOutcome,
)
from steunpunt.node.inbox import BATCH_MAX, EVENTS_MAX, OTHERS_MAX, Inbox
from tests.fakes.sites import help_form

MESH_FRAME = FrameHeard(LinkName.MESH, b"x")
HELD_FRAME = FrameHeard(LinkName.BROKER, b"x", confirm=1)
ENDED = SendEnded(LinkName.MESH, 1, SendOutcome.TAKEN)


def fill(inbox: Inbox, event: Event, count: int) -> None:
    for _ in range(count):
        inbox.put(event)


def drain(inbox: Inbox) -> list[Event]:
    events: list[Event] = []
    while batch := inbox.take(0):
        events += batch
    return events


def test_events_come_out_in_order_in_batches() -> None:
    inbox = Inbox()
    presses = [ButtonPressed(f"{i}") for i in range(BATCH_MAX + 3)]
    for press in presses:
        inbox.put(press)
    assert [len(inbox.take(0)), len(inbox.take(0)), len(inbox.take(0))] == [BATCH_MAX, 3, 0]


def test_waiting_ends_with_an_event_a_wake_or_the_time() -> None:
    inbox = Inbox()
    threading.Timer(0.05, inbox.put, [ENDED]).start()
    assert inbox.take(10) == [ENDED]
    threading.Timer(0.05, inbox.put, [None]).start()
    assert inbox.take(None) == []
    assert inbox.take(0.01) == []
    assert inbox.take(-1) == []


@pytest.mark.parametrize("event", [PacketHeard(b"", 1), MESH_FRAME])
def test_a_flood_off_the_air_stops_at_its_share_and_is_counted(event: Event) -> None:
    inbox = Inbox()
    fill(inbox, event, OTHERS_MAX + 50)
    inbox.put(help_form("token"))
    assert inbox.dropped == 50
    assert len(drain(inbox)) == OTHERS_MAX + 1


def test_when_it_is_full_forms_are_refused_and_the_ends_of_attempts_still_come_in() -> None:
    inbox = Inbox()
    fill(inbox, ButtonPressed("help"), EVENTS_MAX)
    refused: list[Event] = [help_form("token"), ButtonPressed("help"), BellRung()]
    for event in refused:
        with pytest.raises(OverflowError, match="does not turn"):
            inbox.put(event)
    kept: list[Event] = [ENDED, LinkChanged(LinkName.MESH, up=False, reason=""), HELD_FRAME]
    for event in kept:
        inbox.put(event)
    inbox.put(None)
    assert drain(inbox)[EVENTS_MAX:] == kept
