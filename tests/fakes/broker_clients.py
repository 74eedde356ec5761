"""Who talks to a broker in a test: a link with its inbox, and an integrator's or attacker's plain client."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from steunpunt.config import Broker
from steunpunt.links.broker import BrokerLink
from steunpunt.model import BridgeChanged, Event, FrameHeard, LinkChanged, LinkName, SendEnded, SendFrame, SendOutcome
from tests.fakes.brokers import PASSWORDS, Certificate, Mosquitto

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
            self.client.username_pw_set(user, PASSWORDS[user])
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


def frame(attempt: int, payload: bytes = b"sealed", carrier: int | None = None) -> SendFrame:
    return SendFrame(LinkName.BROKER, attempt, payload, carrier=carrier)
