"""The broker link against a real mosquitto."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steunpunt.config import Broker
from steunpunt.links.broker import PAYLOAD_BYTES_MAX, BrokerLink
from steunpunt.model import FrameHeard, Role, SendOutcome
from tests.fakes.broker_clients import Post, frame, linked, tool
from tests.fakes.brokers import NODE_PASSWORD, Mosquitto, mosquitto, site_config

pytestmark = pytest.mark.broker
BACK_S = 3.0
"""How soon the link must serve again: two seconds at most between attempts, and the connecting itself."""
Wait = Callable[..., None]
FreePort = Callable[[], int]


@pytest.fixture
def desk(tmp_path: Path, free_port: FreePort, wait_until: Wait) -> Iterator[Mosquitto]:
    """A coordinator's broker without a region listener."""
    config = site_config(Role.COORDINATOR, 1, Broker(port=free_port()))
    with mosquitto(config, tmp_path / "desk", wait_until) as broker:
        yield broker


def test_packets_come_in_by_carrier_and_go_out_by_carrier(desk: Mosquitto, wait_until: Wait) -> None:
    port = desk.config.broker.port
    with linked(desk) as (link, post), tool(port) as other:
        wait_until(lambda: post.up)
        other.subscribe("steunpunt/v1/1/availability")
        link.send(frame(1, b"answer", carrier=47))
        link.send(frame(2, b"beacon"))
        wait_until(lambda: post.outcomes() == {1: SendOutcome.TAKEN, 2: SendOutcome.TAKEN})
        assert other.heard == [("steunpunt/v1/1/availability", b"online")]
    assert desk.logged("as steunpunt-coordinator-1 (p2, c0, k30, u'steunpunt')")


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
            wait_until(post.outcomes, what="a later send, so that the confirmation is out")
        with linked(desk) as (link, post):
            wait_until(post.payloads, what="the unconfirmed message, again")
            assert post.payloads() == [b"one"]
            heard = post.of(FrameHeard)[0]
            link.confirm(999_999)
            assert heard.confirm is not None
            link.confirm(heard.confirm)
            wait_until(lambda: link.counters().get("confirm_stale") == 1)
            link.send(frame(1))
            wait_until(post.outcomes)
        with linked(desk) as (link, post):
            wait_until(lambda: post.up)
            publish("steunpunt/v1/up/47", b"three")
            wait_until(post.payloads)
            assert post.payloads() == [b"three"]


def test_a_confirmation_from_before_the_reconnection_is_ignored(desk: Mosquitto, wait_until: Wait) -> None:
    with sender(desk) as publish, linked(desk) as (link, post):
        wait_until(lambda: post.up)
        publish("steunpunt/v1/up/47", b"one")
        wait_until(post.payloads)
        desk.stop()
        desk.start()
        wait_until(lambda: post.payloads() == [b"one", b"one"], what="the broker sends it again")
        before, after = (heard.confirm for heard in post.of(FrameHeard))
        assert before is not None
        assert after is not None
        link.confirm(before)
        wait_until(lambda: link.counters().get("confirm_stale") == 1)
        link.confirm(after)  # taken, although the link may not be up yet: the message came before the SUBACK
        link.confirm(after)
        wait_until(lambda: link.counters().get("confirm_stale") == 2)


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
        wait_until(lambda: post.outcomes().get(2) is SendOutcome.TAKEN)


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
        with subprocess.Popen([sys.executable, "-c", NODE, *arguments(desk)], stdout=subprocess.PIPE) as node:
            assert node.stdout is not None
            assert node.stdout.readline() == b"up\n"
            wait_until(lambda: other.heard[2:] == [(topic, b"online")])
            node.kill()
        wait_until(lambda: other.heard[3:] == [(topic, b"offline")], 5, "the last will")


NODE = """
import sys, threading
from steunpunt.config import Broker
from steunpunt.links.broker import BrokerLink
from steunpunt.model import LinkChanged, Role
up = threading.Event()
inbox = lambda event: up.set() if isinstance(event, LinkChanged) and event.up else None
BrokerLink(Broker(port=int(sys.argv[1]), password_file=sys.argv[2]), 1, Role.COORDINATOR, inbox).start()
up.wait()
print("up", flush=True)
threading.Event().wait()
"""
"""A node that has only its broker link."""


def arguments(desk: Mosquitto) -> list[str]:
    return [str(desk.config.broker.port), str(desk.password_file)]


def test_a_broker_that_accepts_and_is_silent(free_port: FreePort, wait_until: Wait) -> None:
    """The clock is turned: the wait for CONNACK passes in a moment."""
    ahead, post = [0.0], Post()
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        port = listener.getsockname()[1]
        link = BrokerLink(Broker(port=port), 47, Role.KIOSK, post, clock=lambda: time.monotonic() + ahead[0])
        link.start()
        peer, _ = listener.accept()
        with peer:
            assert peer.recv(1000)

            def after_a_while() -> str:
                ahead[0] += 6
                link.waker.wake()
                return post.reason

            wait_until(after_a_while)
            assert post.reason == (
                f"the broker at 127.0.0.1:{port} accepts but does not answer; is that port mosquitto's?"
            )
        link.stop(5)


def test_what_has_no_puback_when_the_connection_breaks_is_unknown(desk: Mosquitto, wait_until: Wait) -> None:
    """A stopped broker process takes bytes and answers nothing; paho must not send them again itself."""
    with linked(desk) as (link, post), tool(desk.config.broker.port) as other:
        wait_until(lambda: post.up)
        other.subscribe("steunpunt/v1/up/47")
        desk.freeze()
        link.send(frame(1, carrier=47))
        wait_until(lambda: link.counters().get("frames_sent") == 1, what="the frame is in the socket")
        assert post.outcomes() == {}
        desk.kill()
        wait_until(lambda: post.outcomes() == {1: SendOutcome.UNKNOWN}, BACK_S)
        desk.start()
        wait_until(lambda: post.up, BACK_S)
        link.send(frame(2, carrier=47))
        wait_until(lambda: post.outcomes().get(2) is SendOutcome.TAKEN)
