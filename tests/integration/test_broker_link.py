"""The broker link and the generated files against real mosquittos."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from steunpunt.config import Bridge, Broker, RegionListener
from steunpunt.links.broker import PAYLOAD_BYTES_MAX, BrokerLink
from steunpunt.model import (
    BridgeChanged,
    Event,
    FrameHeard,
    LinkChanged,
    LinkName,
    Role,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from tests.fakes.brokers import NODE_PASSWORD, READER_PASSWORD, Authority, Certificate, Mosquitto, mosquitto,
site_config

pytestmark = pytest.mark.broker
BACK_S = 3.0
"""How soon the link must serve again: two seconds at most between attempts, and the connecting itself."""
Wait = Callable[..., None]
FreePort = Callable[[], int]
EventT = TypeVar("EventT")


class Post:
    """An inbox that the test reads."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[EventT]) -> list[EventT]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def up(self) -> bool:
        changes = self.of(LinkChanged)
        return bool(changes) and changes[-1].up

    @property
    def reason(self) -> str:
        changes = self.of(LinkChanged)
        return changes[-1].reason if changes else ""

    @property
    def bridge_up(self) -> bool:
        changes = self.of(BridgeChanged)
        return bool(changes) and changes[-1].up

    def payloads(self) -> list[bytes]:
        return [heard.payload for heard in self.of(FrameHeard)]

    def outcomes(self) -> dict[int, SendOutcome]:
        ended = self.of(SendEnded)
        found = {end.attempt_id: end.outcome for end in ended}
        assert len(found) == len(ended), "a send ended twice"
        return found


@contextmanager
def linked(broker: Mosquitto, *, config: Broker | None = None) -> Iterator[tuple[BrokerLink, Post]]:
    post = Post()
    site = broker.config.site
    usual = msgspec.structs.replace(broker.config.broker, password_file=str(broker.password_file))
    link = BrokerLink(config or usual, site.id, site.role, post)
    link.start()
    try:
        yield link, post
    finally:
        link.stop(5)
        assert not link.running


class Tool:
    """An integrator's or an attacker's plain MQTT client."""

    def __init__(self, port: int, user: str | None = None, certificate: Certificate | None = None) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.subscribed = threading.Event()
        self.acked: set[int] = set()
        self.client = paho.Client(CallbackAPIVersion.VERSION2)
        if user is not None:
            self.client.username_pw_set(user, {"reader": READER_PASSWORD, "steunpunt": NODE_PASSWORD}[user])
        if certificate is not None:
            self.client.tls_set(certificate.ca, certificate.certificate, certificate.key)
        self.client.on_message = lambda _c, _d, message: self.heard.append((message.topic, bytes(message.payload)))
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_publish = lambda _c, _d, mid, *_: self.acked.add(mid)
        self.client.connect("localhost", port)
        self.client.loop_start()

    def subscribe(self, *topics: str) -> None:
        self.subscribed.clear()
        self.client.subscribe([(topic, 1) for topic in topics])
        assert self.subscribed.wait(5)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish and wait for the PUBACK, so that the broker has decided about it."""
        self.client.publish(topic, payload, 1, retain).wait_for_publish(5)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def tool(port: int, user: str | None = "steunpunt", certificate: Certificate | None = None) -> Iterator[Tool]:
    made = Tool(port, user, certificate)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def desk(tmp_path: Path, free_port: FreePort, wait_until: Wait) -> Iterator[Mosquitto]:
    """A coordinator's broker without a region listener."""
    config = site_config(Role.COORDINATOR, 1, Broker(port=free_port()))
    with mosquitto(config, tmp_path / "desk", wait_until) as broker:
        yield broker


def frame(attempt: int, payload: bytes = b"sealed", carrier: int | None = None) -> SendFrame:
    return SendFrame(LinkName.BROKER, attempt, payload, carrier=carrier)


# --- one broker


def test_packets_come_in_by_carrier_and_go_out_by_carrier(desk: Mosquitto, wait_until: Wait) -> None:
    port = desk.config.broker.port
    with linked(desk) as (link, post), tool(port) as other:
        wait_until(lambda: post.up)
        other.subscribe("steunpunt/v1/1/availability")
        link.send(frame(1, b"answer", carrier=47))
        link.send(frame(2, b"beacon"))
        wait_until(lambda: post.outcomes() == {1: SendOutcome.TAKEN, 2: SendOutcome.TAKEN})
        assert other.heard == [("steunpunt/v1/1/availability", b"online")]
    log = desk.log
    assert "as steunpunt-coordinator-1 (p2, c0, k30, u'steunpunt')" in log


def test_a_message_comes_again_until_it_is_confirmed(desk: Mosquitto, wait_until: Wait) -> None:
    with sender(desk) as publish:
        with linked(desk) as (link, post):
            wait_until(lambda: post.up)
            publish("steunpunt/v1/up/47", b"one")
            publish("steunpunt/v1/up/48", b"two")
            wait_until(lambda: len(post.payloads()) == 2)
            first, second = post.of(FrameHeard)
            assert (first.carrier, second.carrier, first.sender) == (47, 48, None)
            assert second.confirm is not None
            link.confirm(second.confirm)
            link.send(frame(1))
            wait_until(lambda: post.outcomes(), what="a later send, so that the confirmation is out")
        with linked(desk) as (link, post):
            wait_until(post.payloads, what="the unconfirmed message, again")
            assert post.payloads() == [b"one"]
            heard = post.of(FrameHeard)[0]
            link.confirm(999_999)
            assert heard.confirm is not None
            link.confirm(heard.confirm)
            wait_until(lambda: link.counters().get("confirm_stale") == 1)
            link.send(frame(1))
            wait_until(lambda: post.outcomes())
        with linked(desk) as (link, post):
            wait_until(lambda: post.up)
            publish("steunpunt/v1/up/47", b"three")
            wait_until(post.payloads)
            assert post.payloads() == [b"three"]


@contextmanager
def sender(desk: Mosquitto) -> Iterator[Callable[..., None]]:
    """Publish as the broker's own bridge listener would let a site: with an ACL that allows all."""
    acl = desk.folder / "files" / "acl"
    acl.write_text(acl.read_text("utf-8") + "\nuser reader\ntopic readwrite steunpunt/v1/#\n", "utf-8")
    desk.stop()
    desk.start()
    with tool(desk.config.broker.port, "reader") as other:
        yield other.publish


def test_what_is_no_packet_is_dropped_counted_and_not_sent_again(desk: Mosquitto, wait_until: Wait) -> None:
    with sender(desk) as publish, linked(desk) as (link, post):
        wait_until(lambda: post.up)
        for topic in ("up/0", "up/007", "up/65536", "up/abc", "up/\u0664\u0667"):
            publish(f"steunpunt/v1/{topic}", b"x")
        publish("steunpunt/v1/up/47", b"x" * (PAYLOAD_BYTES_MAX + 1))
        publish("steunpunt/v1/up/47", b"")
        publish("steunpunt/v1/up/47", b"x" * PAYLOAD_BYTES_MAX)
        wait_until(post.payloads)
        assert post.payloads() == [b"x" * PAYLOAD_BYTES_MAX]
        assert (link.counters()["dropped_topic"], link.counters()["dropped_size"]) == (5, 2)
        handle = post.of(FrameHeard)[0].confirm
        assert handle is not None
        link.confirm(handle)
        publish("steunpunt/v1/up/47", b"kept", retain=True)
        wait_until(lambda: b"kept" in post.payloads())
    with linked(desk) as (link, post):
        wait_until(lambda: link.counters().get("dropped_retained") == 1)
        wait_until(post.payloads, what="only the live copy that was not confirmed")
        assert post.payloads() == [b"kept"]


@pytest.mark.parametrize("gentle", [True, False], ids=["stopped", "killed"])
def test_the_broker_goes_and_comes_back(desk: Mosquitto, wait_until: Wait, *, gentle: bool) -> None:
    with linked(desk) as (link, post):
        wait_until(lambda: post.up)
        (desk.stop if gentle else desk.kill)()
        wait_until(lambda: not post.up, BACK_S)
        link.send(frame(1))
        link.publish("msh/EU_868/2/json/x/!1", b"{}")
        assert post.outcomes() == {1: SendOutcome.REFUSED}
        assert link.counters()["publish_dropped"] == 1
        wait_until(lambda: "no broker answers at 127.0.0.1" in post.reason, 5)
        assert "(connection refused); is mosquitto running?" in post.reason
        desk.start()
        wait_until(lambda: post.up, BACK_S, "the link is back")
        link.send(frame(2))
        wait_until(lambda: post.outcomes()[2] is SendOutcome.TAKEN)


def test_a_wrong_password_is_said_and_mended_without_a_restart(desk: Mosquitto, wait_until: Wait) -> None:
    port = desk.config.broker.port
    desk.password_file.write_text("wrong", "utf-8")
    with linked(desk) as (_, post):
        wait_until(lambda: post.reason)
        assert post.reason == (
            f"the broker at 127.0.0.1:{port} refuses the password of user steunpunt; "
            "compare broker.password_file with the broker's password_file"
        )
        desk.password_file.unlink()
        wait_until(lambda: "cannot be read (no such file or directory)" in post.reason, BACK_S)
        desk.password_file.write_text(f"{NODE_PASSWORD}\n", "utf-8")
        wait_until(lambda: post.up, BACK_S)


def test_the_last_will_tells_of_a_node_that_died(desk: Mosquitto, wait_until: Wait) -> None:
    topic = "steunpunt/v1/1/availability"
    with tool(desk.config.broker.port, "reader") as other:
        other.subscribe(topic)
        with linked(desk) as (_, post):
            wait_until(lambda: post.up)
            wait_until(lambda: other.heard == [(topic, b"online")])
        wait_until(lambda: other.heard[1:] == [(topic, b"offline")], what="a polite goodbye")
        reader, writer = socket.socketpair()
        with reader, writer:
            child = os.fork()
            if child == 0:
                _die_connected(desk, writer)
            assert reader.recv(1) == b"u"
            os.waitpid(child, 0)
        wait_until(lambda: other.heard[2:] == [(topic, b"online"), (topic, b"offline")], 5, "the last will")


def _die_connected(desk: Mosquitto, writer: socket.socket) -> None:
    with linked(desk) as (_, post):
        while not post.up:
            threading.Event().wait(0.01)
        writer.send(b"u")
        os._exit(0)
