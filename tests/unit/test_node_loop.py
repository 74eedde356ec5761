"""The node's loop: what the disk did not keep is not said, and no single event, link or packet stops it."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steunpunt.ledger import outgoing
from steunpunt.model import (
    BellRung,
    ButtonPressed,
    Event,
    FrameHeard,
    HelpSubmitted,
    LinkChanged,
    LinkName,
    PacketHeard,
    SendEnded,
    SendOutcome,
    TicketState,
    TokenCode,
)
from steunpunt.node.links import SiteLinks
from steunpunt.node.loop import KEEP_AGAIN_S, UNKEPT_MAX
from steunpunt.node.pending import Pending
from steunpunt.protocol import tokens
from steunpunt.protocol.tokens import Head
from steunpunt.values import replace
from tests.fakes.nodes import BoxedNode
from tests.fakes.sites import MESH_UP, ended, help_form


@pytest.fixture
def boxed(tmp_path: Path) -> Iterator[BoxedNode]:
    made = BoxedNode(tmp_path)
    yield made
    made.close()


def form(boxed: BoxedNode, text: str = "Wij hebben water nodig") -> tuple[HelpSubmitted, Pending]:
    requests = boxed.node._requests
    assert requests is not None
    pending = Pending()
    return help_form(requests._form_token({})["token"], text, reply=pending), pending


def answer(pending: Pending) -> dict[str, object]:
    return pending.wait(0)


def states(boxed: BoxedNode) -> list[TicketState]:
    rows = boxed.node._ledger.connection.exec_driver_sql("SELECT state FROM tickets").all()
    return [TicketState(row.state) for row in rows]


def receipt(boxed: BoxedNode) -> bytes:
    (message, *_) = outgoing.open_messages(boxed.node._ledger.connection, 0)
    return tokens.pack_tokens(Head(1, 1, 0, 0), [(message.verify, TokenCode.RECEIVED)])


@contextmanager
def full_disk(boxed: BoxedNode) -> Iterator[None]:
    """No file may grow: every commit fails in earnest, by an error of the system."""
    boxed.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_refuses_forms_visibly_keeps_the_rest_and_recovers(boxed: BoxedNode) -> None:
    first, pending = form(boxed)
    boxed.node._turn([MESH_UP, first])
    assert answer(pending)["ok"]
    (frame,) = boxed.mesh.sent
    with full_disk(boxed):
        second, pending = form(boxed, "tijdens de volle schijf")
        boxed.node._turn([second, ended(frame), FrameHeard(LinkName.BROKER, receipt(boxed), confirm=5)])
        assert (answer(pending)["ok"], answer(pending)["error"]) == (False, "cannot_keep")
        for _ in range(3):
            boxed.node._turn([])
        assert states(boxed) == [TicketState.KEPT]
        assert boxed.broker.confirmed == []
        assert boxed.node._status({})["can_keep"] is False
        assert boxed.node._timeout_s() == KEEP_AGAIN_S
        again, pending = form(boxed)
        boxed.node._turn([again])
        assert answer(pending)["error"] == "cannot_keep"
    boxed.node._turn([])
    assert states(boxed) == [TicketState.RECEIVED]
    assert boxed.broker.confirmed == [5]
    assert boxed.node._status({})["can_keep"] is True
    third, pending = form(boxed, "na de volle schijf")
    boxed.node._turn([third])
    assert answer(pending)["number"] == "47-2"
    assert len(boxed.mesh.sent) == 2, "the mesh still seems busy with an attempt of before"


def test_the_form_that_was_refused_for_a_full_disk_is_accepted_when_sent_again(boxed: BoxedNode) -> None:
    refused, pending = form(boxed)
    with full_disk(boxed):
        boxed.node._turn([refused])
        assert answer(pending)["error"] == "cannot_keep"
    again, pending = form(boxed)
    boxed.node._turn([replace(again, form_token=refused.form_token, reply=pending)])
    assert (answer(pending)["ok"], answer(pending)["repeated"]) == (True, False)


def test_a_press_on_a_full_disk_becomes_a_call_afterwards(boxed: BoxedNode) -> None:
    requests = boxed.node._requests
    assert requests is not None
    with full_disk(boxed):
        boxed.node._turn([ButtonPressed("help")])
        assert requests.buttons(0)[0]["pressed_count"] == 0
    boxed.node._turn([])
    assert requests.buttons(0)[0]["pressed_count"] == 1


def test_what_waits_for_a_full_disk_is_bounded_and_ends_of_attempts_are_never_dropped(boxed: BoxedNode) -> None:
    with full_disk(boxed):
        boxed.node._turn([ButtonPressed("help")])
        noise = FrameHeard(LinkName.MESH, b"\x4c" + bytes(11))
        boxed.node._turn([*([noise] * (UNKEPT_MAX + 200)), BellRung()])
        boxed.node._turn([SendEnded(LinkName.MESH, 77, SendOutcome.TAKEN)])
        assert len(boxed.node._unkept) == UNKEPT_MAX + 1
        assert boxed.node._unkept[-1] == SendEnded(LinkName.MESH, 77, SendOutcome.TAKEN)
    boxed.node._turn([])
    assert boxed.node._unkept == []


def test_a_poisoned_event_is_dropped_and_confirmed_and_its_neighbours_are_served(boxed: BoxedNode) -> None:
    one, first = form(boxed)
    two, second = form(boxed)
    poison = FrameHeard(LinkName.BROKER, None, confirm=8)  # type: ignore[arg-type]  # that is the poison
    boxed.node._turn([one, poison, two])
    assert [answer(pending)["number"] for pending in (first, second)] == ["47-1", "47-2"]
    assert boxed.node._counts["events_failed"] == 1
    assert boxed.broker.confirmed == [8]


def test_a_poisoned_form_is_answered(boxed: BoxedNode) -> None:
    pending = Pending()
    boxed.node._turn([help_form(None, reply=pending)])  # type: ignore[arg-type]  # that is the poison
    assert answer(pending)["error"] == "internal"


def test_a_link_that_fails_ends_its_attempt(boxed: BoxedNode) -> None:
    boxed.mesh.failure = RuntimeError("driver")
    one, pending = form(boxed)
    boxed.node._turn([MESH_UP, one])
    assert answer(pending)["ok"]
    assert boxed.node._counts["effects_failed"] == 1
    (event,) = boxed.node._inbox.take(0)
    assert isinstance(event, SendEnded)
    assert event.outcome is SendOutcome.UNKNOWN
    boxed.node._turn([event])
    assert states(boxed) == [TicketState.KEPT]


def test_a_link_that_is_not_configured_refuses(boxed: BoxedNode) -> None:
    boxed.node._links = SiteLinks({}, boxed.broker, boxed.node._inbox.put)
    one, _ = form(boxed)
    boxed.node._turn([MESH_UP, one])
    (event,) = boxed.node._inbox.take(0)
    assert isinstance(event, SendEnded)
    assert event.outcome is SendOutcome.REFUSED


def looks_soon(boxed: BoxedNode, *events: Event) -> bool:
    """Whether the site's report is looked at for these events, rather than when its time has come."""
    node, far_ms = boxed.node, 10**15
    node._integrators.reporter._look_ms = far_ms
    node._turn([mine for event in events if (mine := node._bridge(event)) is not None])
    return node._integrators.reporter.due_ms != far_ms


def test_the_sites_report_is_looked_at_for_what_may_change_it_and_not_for_each_beacon(boxed: BoxedNode) -> None:
    boxed.node._bridge(LinkChanged(LinkName.BROKER, up=True, reason=""))
    boxed.node._turn([])
    assert not looks_soon(boxed, FrameHeard(LinkName.BROKER, b"no packet of ours"))
    assert not looks_soon(boxed, SendEnded(LinkName.BROKER, 999, SendOutcome.TAKEN))
    assert looks_soon(boxed, form(boxed)[0]), "the queue grew"
    assert looks_soon(boxed, FrameHeard(LinkName.BROKER, receipt(boxed))), "and is empty again"
    assert looks_soon(boxed, LinkChanged(LinkName.MESH, up=False, reason="unplugged"))


@pytest.mark.parametrize("packet", [b"", b"\xff" * 300, b"\x00", b"\x0a\xff\xff\xff\xff\x0f"])
def test_no_packet_off_the_air_stops_the_bridge(boxed: BoxedNode, packet: bytes) -> None:
    boxed.node._bridge(PacketHeard(packet, 1))
    one, pending = form(boxed)
    boxed.node._turn([one])
    assert answer(pending)["ok"]


def test_nothing_is_sent_or_answered_before_the_commit(boxed: BoxedNode) -> None:
    one, pending = form(boxed)
    with full_disk(boxed):
        boxed.node._turn([MESH_UP, one])
        assert boxed.mesh.sent == []
        assert answer(pending)["ok"] is False
