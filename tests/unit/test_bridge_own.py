"""What the site's own radio puts on the air reaches integrators; what a channel's owner keeps from MQTT doesn't."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from steunpunt.bridge.own import NODE_INFO_S
from steunpunt.bridge.uplink import Translator
from steunpunt.model import DownlinkHeard, LinkName, RadioPrepared, SendEnded, SendOutcome
from steunpunt.node.integrators import Integrators
from steunpunt.values import replace
from steunpunt.wire import mesh_pb2, mqtt_pb2, portnums_pb2, sender, set_sender
from tests.fakes.nodes import kiosk_config
from tests.unit.test_mesh_session import NODE, Walk, channel, handshake
from tests.unit.test_node_integrators import ON, Told

OWNER = mesh_pb2.User(id="!a1b2c3d4", long_name="Buurthuis", short_name="BH", hw_model=mesh_pb2.HardwareModel.PORTDUINO)
RADIO = RadioPrepared(0xA1B2C3D4, ("", "serial", "open"), "LONG_FAST", "2.7.26", owner=OWNER.SerializeToString())
NOW_S = 1_800_000_000


class Site:
    """The node's side for integrators, with a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.now_s, self.told = 0.0, Told()
        config = msgspec.structs.replace(kiosk_config(folder), broker=ON)
        self.integrators = Integrators(config, self.told, lambda: self.now_s, lambda: NOW_S)
        self.integrators.broker_up()
        self.told.messages.clear()

    def json(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload, _ in self.told.messages if "/2/json/" in topic]

    def topics(self) -> list[str]:
        return [topic.removeprefix("msh/EU_868/2/") for topic, _, _ in self.told.messages]

    def ask(self, outcome: SendOutcome, **fields: object) -> None:
        """Ask for a text, and let the radio answer for it."""
        body = {"from": RADIO.node_num, "type": "sendtext", "payload": "Pomp 3 staat uit"} | fields
        asked = DownlinkHeard("msh/EU_868/2/json/mqtt/", json.dumps(body).encode())
        sending = self.integrators.downlink(
            asked, round(self.now_s * 1000), ours_waits=lambda: False, site_has_room=lambda _radio, _ms: True
        )
        assert sending is not None
        self.told.messages.clear()
        ended = SendEnded(LinkName.MESH, sending.frame.attempt_id, outcome, "res 0", packet_id=4711)
        self.integrators.ended(ended, 0)


@pytest.fixture(name="site")
def fixture_site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# --- who the radio is ---------------------------------------------------------------------------------------------


def test_the_radios_own_name_is_told_as_the_firmware_told_it(site: Site) -> None:
    site.integrators.prepared(RADIO)
    (body,) = site.json()
    assert body.pop("id") > 0
    assert body == {
        "timestamp": NOW_S,
        "to": 0xFFFFFFFF,
        "from": RADIO.node_num,
        "channel": 0,
        "type": "nodeinfo",
        "sender": "!a1b2c3d4",
        "hops_away": 0,
        "hop_start": 3,
        "payload": {"id": "!a1b2c3d4", "longname": "Buurthuis", "shortname": "BH", "hardware": 37, "role": 0},
    }
    assert site.topics() == ["e/LongFast/!a1b2c3d4", "json/LongFast/!a1b2c3d4"]


def test_it_is_told_again_every_three_hours_and_when_it_changes_but_not_at_each_connection(site: Site) -> None:
    def look() -> None:
        site.integrators.look(0, dict)

    site.integrators.reporter.stop()
    site.integrators.prepared(RADIO)
    site.integrators.prepared(RADIO)
    look()
    assert len(site.json()) == 1, "a radio that flaps does not flood"
    site.now_s = NODE_INFO_S
    look()
    look()
    assert len(site.json()) == 2
    renamed = mesh_pb2.User(id="!a1b2c3d4", long_name="School", short_name="SC")
    site.integrators.prepared(replace(RADIO, owner=renamed.SerializeToString()))
    assert [body["payload"]["longname"] for body in site.json()] == ["Buurthuis", "Buurthuis", "School"]
    site.integrators.prepared(replace(RADIO, radio="hill", node_num=5, owner=b""))
    assert len(site.json()) == 3, "a radio that says nothing of itself is not made up"


def test_the_handshake_tells_the_owner_and_which_channels_go_to_mqtt() -> None:
    walk, node = Walk(), mesh_pb2.FromRadio(node_info=mesh_pb2.NodeInfo(num=NODE, user=OWNER))
    shared = channel(0, "")
    shared.channel.settings.uplink_enabled = True
    told = handshake(shared, channel(1, "serial"))
    walk.hear(told[0], node, *told[1:])
    prepared = walk.events()[0]
    assert isinstance(prepared, RadioPrepared)
    assert (mesh_pb2.User.FromString(prepared.owner), prepared.uplinks) == (OWNER, frozenset({0}))


# --- what was sent for integrators ----------------------------------------------------------------------------------


def test_what_was_sent_for_an_integrator_is_seen_by_all_with_its_id(site: Site) -> None:
    site.integrators.prepared(RADIO)
    site.ask(SendOutcome.TAKEN)
    assert site.topics() == ["e/LongFast/!a1b2c3d4", "json/LongFast/!a1b2c3d4"]
    envelope = mqtt_pb2.ServiceEnvelope.FromString(site.told.messages[0][1])
    assert (sender(envelope.packet), envelope.gateway_id) == (RADIO.node_num, "!a1b2c3d4")
    (body,) = site.json()
    assert (body["id"], body["from"], body["sender"]) == (4711, RADIO.node_num, "!a1b2c3d4")
    assert (body["payload"], body["timestamp"], body["hops_away"]) == ({"text": "Pomp 3 staat uit"}, NOW_S, 0)


def test_what_goes_to_one_node_is_told_as_such(site: Site) -> None:
    site.integrators.prepared(RADIO)
    site.ask(SendOutcome.TAKEN, to=0x11223344)
    assert site.topics() == ["e/PKI/!a1b2c3d4", "json/PKI/!a1b2c3d4"]


@pytest.mark.parametrize("outcome", [SendOutcome.REFUSED, SendOutcome.UNKNOWN])
def test_what_the_radio_did_not_take_is_not_said_to_be_sent(site: Site, outcome: SendOutcome) -> None:
    site.integrators.prepared(RADIO)
    site.ask(outcome)
    assert site.json() == []
    assert site.told.errors()


# --- channels that are not for MQTT ---------------------------------------------------------------------------------


def heard(index: int, *, to: int = 0xFFFFFFFF, pki: bool = False, encrypted: bool = False) -> bytes:
    packet = mesh_pb2.MeshPacket(id=1, to=to, channel=index, pki_encrypted=pki)
    if encrypted:
        packet.encrypted = b"sealed"
    else:
        packet.decoded.portnum, packet.decoded.payload = portnums_pb2.PortNum.TEXT_MESSAGE_APP, b"hallo"
    set_sender(packet, 0x11223344)
    return packet.SerializeToString()


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        (heard(0), False),
        (heard(2), True),
        (heard(0, to=RADIO.node_num, pki=True), True),
        (heard(77, encrypted=True), False),
        (heard(0, to=5, encrypted=True), True),
    ],
    ids=["another channel", "the one chosen", "for us alone", "no channel of ours", "for another alone"],
)
def test_where_a_channel_was_chosen_only_that_goes_to_mqtt(packet: bytes, told: bool) -> None:  # noqa: FBT001
    translator = Translator("msh/EU_868")
    translator.prepared(replace(RADIO, uplinks=frozenset({2})))
    assert bool(translator.translate(packet, RADIO.node_num)) is told
    assert translator.counts["not_uplinked"] == (not told)


def test_where_none_was_chosen_all_go_for_the_broker_is_the_sites_own() -> None:
    translator = Translator("msh/EU_868")
    translator.prepared(RADIO)
    assert all(
        translator.translate(packet, RADIO.node_num) for packet in (heard(0), heard(2), heard(9, encrypted=True))
    )
