"""The node's side for integrators, without broker and radio: what is published, held, told and counted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from steunpunt.bridge.report import GAP_MS
from steunpunt.config import Broker, Downlink, ExtraRadio, HomeAssistant, Radio
from steunpunt.model import (
    MAIN_RADIO,
    DownlinkHeard,
    GuestSending,
    Lane,
    LedgerError,
    LinkChanged,
    LinkName,
    PacketHeard,
    RadioPrepared,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from steunpunt.node.integrators import ERRORS_MAX, ERRORS_MS, HELD_MAX, Integrators
from steunpunt.node.loop import DESK_POLL_S
from steunpunt.values import replace
from steunpunt.wire import mesh_pb2, portnums_pb2, set_sender
from tests.fakes.nodes import BoxedNode, kiosk_config

RADIO = RadioPrepared(0xA1B2C3D4, ("", "serial"), "LONG_FAST", "2.7.26", long_names=((0x11223344, "Kerkplein"),))
SEND, ERROR = "msh/EU_868/2/json/mqtt/", "steunpunt/v1/47/error"
ON = Broker(downlink=Downlink(), homeassistant=HomeAssistant())


class Told:
    """What was published."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []

    def __call__(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.messages.append((topic, payload, retain))

    def errors(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload, _ in self.messages if topic == ERROR]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def integrators(tmp_path: Path, told: Told) -> Integrators:
    config = msgspec.structs.replace(kiosk_config(tmp_path), broker=ON)
    made = Integrators(config, told, lambda: 0.0)
    made.prepared(RADIO)
    return made


def heard(number: int) -> PacketHeard:
    packet = mesh_pb2.MeshPacket(id=number)
    packet.decoded.portnum, packet.decoded.payload = portnums_pb2.PortNum.DETECTION_SENSOR_APP, b"deur"
    set_sender(packet, 0x11223344)
    return PacketHeard(packet.SerializeToString(), RADIO.node_num)


TEXT = json.dumps({"from": RADIO.node_num, "type": "sendtext", "payload": "hallo"}).encode()


def ask(
    integrators: Integrators, now_ms: int = 0, *, payload: bytes = TEXT, ours_waits: bool = False
) -> SendFrame | None:
    asked, room = DownlinkHeard(SEND, payload), lambda _radio, _air_ms: True
    sending = integrators.downlink(asked, now_ms, ours_waits=lambda: ours_waits, site_has_room=room)
    assert sending is None or sending.air_ms > 0
    return None if sending is None else sending.frame


def test_what_is_heard_without_a_broker_is_held_in_order_and_bounded(integrators: Integrators, told: Told) -> None:
    integrators.packet(heard(1))
    assert told.messages == []
    integrators.broker_up()
    topics = [topic for topic, _, _ in told.messages]
    assert topics == [
        "homeassistant/device/steunpunt-47/config",
        "msh/EU_868/2/e/LongFast/!a1b2c3d4",
        "msh/EU_868/2/json/LongFast/!a1b2c3d4",
    ]
    assert [retain for _, _, retain in told.messages] == [True, False, False]
    integrators.broker_down()
    told.messages.clear()
    for number in range(HELD_MAX):
        integrators.packet(heard(number))
    integrators.broker_up()
    bodies = [json.loads(payload) for topic, payload, _ in told.messages if "/json/" in topic]
    assert [body["id"] for body in bodies] == list(range(HELD_MAX // 2, HELD_MAX))
    assert integrators.counters()["uplink_held_dropped"] == HELD_MAX


def test_a_request_becomes_a_frame_in_the_lowest_lane(integrators: Integrators, told: Told) -> None:
    frame = ask(integrators)
    assert frame is not None
    assert (frame.link, frame.lane, frame.payload, frame.attempt_id) == (LinkName.MESH, Lane.HOUSEKEEPING, b"", -1)
    assert mesh_pb2.MeshPacket.FromString(frame.packet).decoded.payload == b"hallo"
    integrators.ended(SendEnded(LinkName.MESH, -1, SendOutcome.TAKEN), 0)
    assert integrators.air_ms(0) > 0
    assert told.errors() == []


@pytest.mark.parametrize("outcome", [SendOutcome.REFUSED, SendOutcome.UNKNOWN])
def test_what_the_radio_did_not_take_is_told(integrators: Integrators, told: Told, outcome: SendOutcome) -> None:
    ask(integrators)
    integrators.ended(SendEnded(LinkName.MESH, -1, outcome, "res 9"), 0)
    (error,) = told.errors()
    assert (error["error"], error["topic"]) == (f"radio_{outcome}", SEND)
    assert "res 9" in error["message"]
    # What may have gone on air stays charged.
    assert (integrators.air_ms(0) == 0) == (outcome is SendOutcome.REFUSED)


def test_the_ends_of_other_attempts_are_nothing_to_it(integrators: Integrators, told: Told) -> None:
    ask(integrators)
    for attempt in (1, -99):
        integrators.ended(SendEnded(LinkName.MESH, attempt, SendOutcome.REFUSED), 0)
    assert told.errors() == []
    assert integrators.air_ms(0) > 0


def test_nothing_goes_while_the_sites_own_messages_wait(integrators: Integrators, told: Told) -> None:
    assert ask(integrators, ours_waits=True) is None
    assert [error["error"] for error in told.errors()] == ["help_first"]


def test_error_messages_are_limited_and_counted(integrators: Integrators, told: Told) -> None:
    for _ in range(ERRORS_MAX + 5):
        ask(integrators, payload=b"{}")
    assert len(told.errors()) == ERRORS_MAX
    assert integrators.counters()["downlink_errors_held_back"] == 5
    ask(integrators, ERRORS_MS, payload=b"{}")
    assert len(told.errors()) == ERRORS_MAX + 1


def test_each_radio_sends_what_is_asked_of_it_from_an_hour_of_its_own(tmp_path: Path, told: Told) -> None:
    extra = ExtraRadio(name="hill", kind="tcp", port=4404)
    config = msgspec.structs.replace(kiosk_config(tmp_path), broker=ON, radio=Radio(kind="tcp"), extra_radio=(extra,))
    made = Integrators(config, told, lambda: 0.0)
    other = replace(RADIO, node_num=0x55, radio="hill")
    of_other = json.dumps({"from": other.node_num, "type": "sendtext", "payload": "hallo"}).encode()
    assert ask(made) is None
    assert told_codes(made, told) == ["no_radio"]
    made.prepared(other)
    frame = ask(made, payload=of_other)
    assert frame is not None
    assert frame.radio == "hill"
    assert ask(made) is None, "that radio has not been reached yet"
    made.prepared(RADIO)
    first = ask(made)
    assert first is not None
    assert first.radio == MAIN_RADIO, "the other's text a moment ago is not its"
    air_ms = made.air_ms(0, "hill")
    assert air_ms > 0
    assert made.air_ms(0) == 2 * air_ms
    made.ended(SendEnded(LinkName.MESH, frame.attempt_id, SendOutcome.REFUSED, "", radio="hill"), 0)
    assert (made.air_ms(0, "hill"), made.air_ms(0, MAIN_RADIO)) == (0, air_ms)
    assert ask(made, payload=of_other.replace(b"85", b"86")) is None
    assert told_codes(made, told)[-1] == "wrong_from"


def told_codes(made: Integrators, told: Told) -> list[str]:
    made.broker_up()
    return [error["error"] for error in told.errors()]


def test_channels_are_called_by_the_radio_that_heard_them(tmp_path: Path, told: Told) -> None:
    config = msgspec.structs.replace(kiosk_config(tmp_path), broker=ON)
    made = Integrators(config, told, lambda: 0.0)
    made.broker_up()
    told.messages.clear()
    for number, title in ((1, "Dorp"), (2, "Stad")):
        made.prepared(replace(RADIO, node_num=number, channel_names=(title,), radio=title.lower()))
    for number in (1, 2):
        made.packet(replace(heard(number), gateway=number))
    assert [topic.split("/")[-2:] for topic, _, _ in told.messages if "/2/e/" in topic] == [
        ["Dorp", "!00000001"],
        ["Stad", "!00000002"],
    ]


def test_with_downlink_off_nothing_is_read(tmp_path: Path, told: Told) -> None:
    off = Integrators(kiosk_config(tmp_path), told, lambda: 0.0)
    off.prepared(RADIO)
    assert ask(off) is None
    assert told.messages == []
    assert off.air_ms(0) == 0


# --- in the loop -------------------------------------------------------------------------------------------------


@pytest.fixture
def boxed(tmp_path: Path) -> Iterator[BoxedNode]:
    made = BoxedNode(tmp_path)
    yield made
    made.close()


def test_packets_for_integrators_cost_no_transaction_and_hold_up_none(boxed: BoxedNode) -> None:
    node = boxed.node
    node._turn([])
    engine_due = node._engine.next_due_ms()
    assert engine_due is None
    assert node._bridge(heard(1)) is None
    assert node._bridge(DownlinkHeard(SEND, b"{}")) is None
    assert not node._due()
    node._turned_ms -= round(DESK_POLL_S * 1000)
    assert node._due(), "a steady stream of packets must not keep the loop from its rounds"


def test_a_link_that_changed_is_for_both(boxed: BoxedNode) -> None:
    changed = LinkChanged(LinkName.BROKER, up=True, reason="")
    assert boxed.node._bridge(changed) is changed
    now_ms = boxed.node._ledger.clock.now_ms()
    due_ms = boxed.node._integrators.reporter.due_ms
    assert due_ms is not None
    assert due_ms <= now_ms + GAP_MS


def test_an_integrators_packet_goes_after_the_commit_of_its_airtime(tmp_path: Path) -> None:
    with asking(tmp_path) as boxed:
        guest = boxed.node._bridge(DownlinkHeard(SEND, TEXT))
        assert isinstance(guest, GuestSending)
        assert boxed.mesh.sent == []
        boxed.node._turn([guest])
        assert [frame.attempt_id for frame in boxed.mesh.sent] == [-1]
        assert boxed.execute("SELECT round(sum(air_ms)) FROM airtime") == round(guest.air_ms)


def test_what_the_disk_refuses_is_not_sent_later(tmp_path: Path) -> None:
    with asking(tmp_path) as boxed:
        guest = boxed.node._bridge(DownlinkHeard(SEND, TEXT))
        assert isinstance(guest, GuestSending)
        boxed.node._not_kept([guest], LedgerError("disk full"))
        assert boxed.node._counters()["downlink_refused_radio_refused"] == 1
        assert boxed.node._status({})["downlink_air_ms"] == 0
        boxed.node._turn([])
        assert boxed.mesh.sent == []


@contextmanager
def asking(folder: Path) -> Iterator[BoxedNode]:
    """Give a node with a radio that lets integrators send."""
    made = BoxedNode(folder, broker=ON)
    try:
        assert made.node._bridge(RADIO) is RADIO
        yield made
    finally:
        made.close()
