"""The generated files: a kiosk's broker, its bridge over TLS, and the region's broker, all real."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest

from steunpunt.config import Bridge, Broker, Config, RegionListener
from steunpunt.model import FrameHeard, LinkChanged, Role, SendOutcome
from tests.fakes.broker_clients import frame, linked, tool
from tests.fakes.brokers import Authority, Certificate, Mosquitto, mosquitto, site_config

pytestmark = pytest.mark.broker
BACK_S = 3.0
"""How soon the link must notice or serve again."""
Wait = Callable[..., None]
FreePort = Callable[[], int]


class World:
    """Two brokers as they are generated for a kiosk and a coordinator, joined by TLS."""

    def __init__(self, tmp_path: Path, free_port: FreePort, wait_until: Wait) -> None:
        tls = tmp_path / "tls"
        tls.mkdir()
        self.authority = Authority(tls)
        self.tls_port = free_port()
        own = self.authority.issue("1")
        listener = RegionListener(
            host="127.0.0.1",
            port=self.tls_port,
            ca_file=own.ca,
            certificate_file=own.certificate,
            key_file=own.key,
        )
        region = Broker(port=free_port(), region_listener=listener)
        self.region_config = site_config(Role.COORDINATOR, 1, region)
        self.kiosk_config = self.kiosk(47, self.authority.issue("47"), free_port())
        self.folder, self.wait_until = tmp_path, wait_until

    def kiosk(self, site_id: int, own: Certificate, port: int) -> Config:
        bridge = Bridge(
            host="localhost",
            port=self.tls_port,
            ca_file=own.ca,
            certificate_file=own.certificate,
            key_file=own.key,
        )
        return site_config(Role.KIOSK, site_id, Broker(port=port, bridge=bridge))


@pytest.fixture
def world(tmp_path: Path, free_port: FreePort, wait_until: Wait) -> World:
    return World(tmp_path, free_port, wait_until)


@contextmanager
def running(world: World) -> Iterator[tuple[Mosquitto, Mosquitto]]:
    with (
        mosquitto(world.region_config, world.folder / "region", world.wait_until) as region,
        mosquitto(world.kiosk_config, world.folder / "kiosk", world.wait_until) as kiosk,
    ):
        yield kiosk, region


def test_over_the_bridge_and_back(world: World, wait_until: Wait) -> None:
    with running(world) as (kiosk, region), linked(kiosk) as (up, here), linked(region) as (down, there):
        wait_until(lambda: here.bridge_up and there.up, what="the bridge is up")
        up.send(frame(1, b"help"))
        wait_until(there.payloads, what="the request at the region")
        heard = there.of(FrameHeard)[0]
        assert (heard.payload, heard.carrier) == (b"help", 47)
        assert heard.confirm is not None
        down.confirm(heard.confirm)
        down.send(frame(2, b"token", carrier=47))
        down.send(frame(3, b"beacon"))
        down.send(frame(4, b"not for you", carrier=48))
        down.send(frame(5, b"last", carrier=47))
        wait_until(lambda: b"last" in here.payloads(), what="what the region said")
        assert here.payloads() == [b"token", b"beacon", b"last"]
        assert [heard.carrier for heard in here.of(FrameHeard)] == [47, None, 47]


def test_the_bridges_fall_and_return_are_told(world: World, wait_until: Wait) -> None:
    with running(world) as (kiosk, region), linked(kiosk) as (_, here):
        wait_until(lambda: here.bridge_up)
        region.kill()
        wait_until(lambda: not here.bridge_up, what="the bridge fell")
        assert here.of(LinkChanged)[-1].up
        region.start()
        wait_until(lambda: here.bridge_up, 15, "the bridge is back")
        kiosk.kill()
        wait_until(lambda: not here.up and not here.bridge_up, BACK_S, "nobody knows of the bridge")


def test_what_the_region_did_not_confirm_survives_its_brokers_restart(world: World, wait_until: Wait) -> None:
    """The coordinator's node is away: its broker keeps the packets, also over a restart of its own."""
    with running(world) as (kiosk, region), linked(kiosk) as (up, here):
        with linked(region) as (_, there):
            wait_until(lambda: here.bridge_up and there.up)
        up.send(frame(1, b"while you were out"))
        wait_until(lambda: here.outcomes() == {1: SendOutcome.TAKEN})
        with tool(region.config.broker.port) as other:
            other.subscribe("steunpunt/v1/up/+")
            up.send(frame(2, b"and one more"))
            wait_until(lambda: other.heard, what="both are at the region")
        region.stop()
        region.start()
        with linked(region) as (_, there):
            wait_until(lambda: len(there.payloads()) == 2, what="what it missed")
            assert there.payloads() == [b"while you were out", b"and one more"]


def test_a_certificate_opens_only_its_own_carriers_topics(world: World, wait_until: Wait) -> None:
    mallory = world.authority.issue("48")
    with running(world) as (_, region), linked(region) as (down, there):
        wait_until(lambda: there.up)
        with tool(world.tls_port, None, mallory) as other:
            other.subscribe("#", "steunpunt/v1/down/47", "steunpunt/v1/up/47", "steunpunt/v1/down/48")
            for topic in ("up/47", "down/47", "down/all", "1/availability", "up/48"):
                other.publish(f"steunpunt/v1/{topic}", b"from mallory")
            wait_until(there.payloads)
            assert [(heard.carrier, heard.payload) for heard in there.of(FrameHeard)] == [(48, b"from mallory")]
            down.send(frame(1, b"for 47", carrier=47))
            down.send(frame(2, b"for 48", carrier=48))
            wait_until(lambda: other.heard)
            assert {topic for topic, _ in other.heard} == {"steunpunt/v1/down/48"}


def test_a_certificate_that_is_barred_opens_nothing(world: World, wait_until: Wait) -> None:
    listener = world.region_config.broker.region_listener
    assert listener is not None
    broker = msgspec.structs.replace(
        world.region_config.broker, region_listener=msgspec.structs.replace(listener, barred=(48,))
    )
    world.region_config = msgspec.structs.replace(world.region_config, broker=broker)
    with running(world) as (_, region), linked(region) as (down, there):
        wait_until(lambda: there.up)
        with (
            tool(world.tls_port, None, world.authority.issue("48")) as stolen,
            tool(world.tls_port, None, world.authority.issue("49")) as honest,
        ):
            for other in (stolen, honest):
                other.subscribe("steunpunt/v1/down/all", "steunpunt/v1/down/48", "steunpunt/v1/down/49")
            stolen.publish("steunpunt/v1/up/48", b"from the thief")
            honest.publish("steunpunt/v1/up/49", b"from 49")
            wait_until(there.payloads)
            assert [(heard.carrier, heard.payload) for heard in there.of(FrameHeard)] == [(49, b"from 49")]
            down.send(frame(1, b"for 48", carrier=48))
            down.send(frame(2, b"for 49", carrier=49))
            wait_until(lambda: honest.heard)
            assert stolen.heard == []


@pytest.mark.parametrize("name", ["steunpunt", "reader"])
def test_a_certificate_named_like_a_local_user_gains_nothing(world: World, wait_until: Wait, name: str) -> None:
    with running(world) as (_, region), linked(region) as (_, there):
        wait_until(lambda: there.up)
        with tool(world.tls_port, None, world.authority.issue(name)) as other:
            other.subscribe("#")
            other.publish("steunpunt/v1/up/47", b"forged")
            other.publish("steunpunt/v1/down/all", b"forged")
            other.publish("steunpunt/v1/1/availability", b"forged")
            assert (other.heard, there.payloads()) == ([], [])


def test_without_a_certificate_or_password_nobody_comes_in(world: World, wait_until: Wait) -> None:
    with running(world) as (kiosk, region):
        for broker in (kiosk, region):
            with tool(broker.config.broker.port, None) as other:
                wait_until(partial(broker.logged, "not authorised"))
                assert not other.client.is_connected()
        with socket.create_connection(("127.0.0.1", world.tls_port)) as plain:
            plain.sendall(b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x02ab")
            with suppress(ConnectionResetError):
                assert plain.recv(10) == b""


def test_the_reader_sees_the_mesh_and_the_state_but_no_packet(world: World, wait_until: Wait) -> None:
    with running(world) as (kiosk, _), linked(kiosk) as (link, post), tool(kiosk.config.broker.port, "reader") as other:
        wait_until(lambda: post.up)
        other.subscribe("#")
        other.publish("msh/EU_868/2/json/mqtt/x", b"sendtext")
        link.send(frame(1, b"sealed"))
        wait_until(post.outcomes)
        link.publish("msh/EU_868/2/json/LongFast/!a1", b"{}")
        wait_until(lambda: len(other.heard) == 2)
        assert other.heard == [
            ("steunpunt/v1/47/availability", b"online"),
            ("msh/EU_868/2/json/LongFast/!a1", b"{}"),
        ]
