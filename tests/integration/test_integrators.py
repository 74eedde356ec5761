"""A whole kiosk as integrators meet it: its broker, its radio's air, its status, and what they may send."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from steunpunt.wire import mqtt_pb2, node_name, portnums_pb2
from tests.fakes.broker_clients import Tool, tool
from tests.fakes.brokers import INTEGRATOR_PASSWORD
from tests.fakes.radio_client import RadioClient, radio_client
from tests.fakes.real_site import HELP_TEXT, OTHER, OURS, RealSite, last_json, real_site

pytestmark = [pytest.mark.broker, pytest.mark.processes]
Wait = Callable[..., None]
Port = portnums_pb2.PortNum
ROOT = "msh/EU_868/2"
SEND, ERROR, STATUS = f"{ROOT}/json/mqtt/", "steunpunt/v1/47/error", "steunpunt/v1/47/status"
AVAILABILITY, DISCOVERY = "steunpunt/v1/47/availability", "homeassistant/device/steunpunt-47/config"
ON = "\n[broker.downlink]\nairtime_s_per_hour_max = 36\n\n[broker.homeassistant]\n"


@pytest.fixture
def site(tmp_path: Path, free_port: Callable[[], int], wait_until: Wait) -> Iterator[RealSite]:
    with real_site(tmp_path / "s", free_port, wait_until, ON) as running:
        yield running


@pytest.fixture
def other(site: RealSite, wait_until: Wait) -> Iterator[RadioClient]:
    """Another radio that hears ours."""
    with radio_client(site.radios.port("other")) as client:
        wait_until(lambda: client.look().ready)
        yield client


@pytest.fixture
def integrator(site: RealSite) -> Iterator[Tool]:
    with tool(site.config.broker.port, "integrator") as client:
        client.subscribe(ERROR, STATUS, f"{ROOT}/#", AVAILABILITY, "homeassistant/#")
        yield client


def sendtext(words: str, **fields: object) -> bytes:
    return json.dumps({"from": OURS, "type": "sendtext", "payload": words} | fields).encode()


def errors(integrator: Tool) -> list[dict[str, Any]]:
    return [json.loads(payload) for topic, payload in integrator.heard if topic == ERROR]


def test_texts_go_both_ways_and_ours_stay_ours(
    site: RealSite, other: RadioClient, integrator: Tool, wait_until: Wait
) -> None:
    integrator.publish(SEND, sendtext("Pomp 3 staat uit"))
    wait_until(lambda: other.heard(Port.TEXT_MESSAGE_APP) == [b"Pomp 3 staat uit"], what="the text on the air")
    other.send(Port.PRIVATE_APP, b"sealed", packet_id=901, channel=1)
    other.send(Port.TEXT_MESSAGE_APP, b"Begrepen", packet_id=902)
    topic = f"{ROOT}/json/LongFast/{node_name(OURS)}"
    wait_until(lambda: last_json(integrator.heard, topic).get("id") == 902, what="the text as JSON")
    body = last_json(integrator.heard, topic)
    assert (body["type"], body["from"], body["payload"]) == ("text", OTHER, {"text": "Begrepen"})
    envelopes = [payload for where, payload in integrator.heard if where == f"{ROOT}/e/LongFast/{node_name(OURS)}"]
    told = [mqtt_pb2.ServiceEnvelope.FromString(raw).packet for raw in envelopes]
    texts = [
        (getattr(one, "from"), one.decoded.payload) for one in told if one.decoded.portnum == Port.TEXT_MESSAGE_APP
    ]
    assert texts == [(OURS, b"Pomp 3 staat uit"), (OTHER, b"Begrepen")], "what we sent for others is told too, once"
    assert not any(one.decoded.portnum == Port.PRIVATE_APP for one in told)
    assert not any(b"sealed" in payload for _, payload in integrator.heard)
    assert (site.counter("uplink_own_port"), site.counter("downlink_sent")) == (0, 1)
    assert errors(integrator) == []
    assert "Pomp 3" not in site.log


def test_an_envelope_is_sent_as_the_radios_own(other: RadioClient, integrator: Tool, wait_until: Wait) -> None:
    envelope = mqtt_pb2.ServiceEnvelope(channel_id="LongFast", gateway_id="nodered")
    envelope.packet.decoded.portnum = Port.WAYPOINT_APP
    envelope.packet.decoded.payload = b"\x08\x05"
    integrator.publish(f"{ROOT}/e/LongFast/nodered", envelope.SerializeToString())
    wait_until(lambda: other.heard(Port.WAYPOINT_APP) == [b"\x08\x05"], what="the waypoint on the air")
    (packet,) = [each for each in other.packets if each.decoded.portnum == Port.WAYPOINT_APP]
    assert getattr(packet, "from") == OURS


def test_what_is_refused_is_told_and_limited(site: RealSite, integrator: Tool, wait_until: Wait) -> None:
    integrator.publish(SEND, sendtext("een"))
    integrator.publish(SEND, sendtext("twee geheim"))
    wait_until(lambda: len(errors(integrator)) == 1)
    (error,) = errors(integrator)
    assert (error["error"], error["topic"], error["retry_after_s"]) == ("too_fast", SEND, 2)
    for _ in range(30):
        integrator.publish(SEND, b"{}")
    wait_until(lambda: site.counter("downlink_refused_bad_from") == 30)
    assert site.counter("downlink_errors_held_back") >= 20
    assert site.log.count("action=downlink_refused code=bad_from") == 1
    assert "geheim" not in site.log
    assert not any("geheim" in json.dumps(each) for each in errors(integrator))


def test_a_waiting_help_request_goes_first(
    site: RealSite, other: RadioClient, integrator: Tool, wait_until: Wait
) -> None:
    site.ask_for_help()  # there is no coordinator, so it waits for the mesh until it is receipted
    wait_until(lambda: other.heard(Port.PRIVATE_APP), what="the help request on the air")
    integrator.publish(SEND, sendtext("hallo"))
    wait_until(lambda: [each["error"] for each in errors(integrator)] == ["help_first"])
    assert other.heard(Port.TEXT_MESSAGE_APP) == []


def test_an_unplugged_radio_is_told_of(site: RealSite, integrator: Tool, wait_until: Wait) -> None:
    site.radios.unplug("own")
    wait_until(lambda: not site.up("mesh"))
    integrator.publish(SEND, sendtext("hallo"))
    wait_until(lambda: [each["error"] for each in errors(integrator)] == ["radio_refused"])
    assert "link down" in errors(integrator)[0]["message"]
    assert site.status()["downlink_air_ms"] == 0  # type: ignore[index]


def test_rights_on_the_broker(site: RealSite, other: RadioClient, integrator: Tool, wait_until: Wait) -> None:
    own = f"{ROOT}/json/LongFast/{node_name(OURS)}"
    with tool(site.config.broker.port, "reader") as reader:
        reader.publish(SEND, sendtext("van de lezer"))
        for topic in (own, STATUS, ERROR, AVAILABILITY, DISCOVERY, "steunpunt/v1/up/47", "steunpunt/v1/down/all"):
            integrator.publish(topic, b"forged")
        integrator.publish(SEND, sendtext("mag wel"))
        wait_until(lambda: other.heard(Port.TEXT_MESSAGE_APP))
    assert other.heard(Port.TEXT_MESSAGE_APP) == [b"mag wel"]
    assert not any(payload == b"forged" for _, payload in integrator.heard)


def test_retained_state_for_home_assistant(site: RealSite, wait_until: Wait) -> None:
    with tool(site.config.broker.port, "reader") as reader:
        reader.subscribe(AVAILABILITY, STATUS, "homeassistant/#")
        wait_until(lambda: last_json(reader.heard, STATUS).get("links", {}).get("mesh", {}).get("up"))
        report = last_json(reader.heard, STATUS)
        assert report["site"] == {"id": 47, "name": "Buurthuis", "place": "Kerkplein 1", "role": "kiosk"}
        assert (report["queue"], report["oldest_min"], report["buttons"]) == (0, None, {"help": "off"})
        wait_until(lambda: last_json(reader.heard, DISCOVERY), what="the discovery")
        entities = last_json(reader.heard, DISCOVERY)["components"]
        assert {"broker", "radio", "region", "ledger", "queue", "oldest", "last_receipt", "lamp-help"} == set(entities)
        site.ask_for_help()
        wait_until(lambda: last_json(reader.heard, STATUS)["queue"] == 1, 15, "the queue in the status")
        reports = [payload for topic, payload in reader.heard if topic == STATUS]
        assert len(reports) == len(set(reports)), "a report that says nothing new"
        assert site.node is not None
        psutil.Process(site.node.pid).kill()
        wait_until(lambda: [p for t, p in reader.heard if t == AVAILABILITY][-1] == b"offline", what="the last will")


def test_figures_for_prometheus(site: RealSite) -> None:
    lines = site.ask("metrics")["text"].splitlines()
    assert 'steunpunt_link_up{link="mesh"} 1' in lines
    assert "steunpunt_queue_messages 0" in lines
    assert any(line.startswith('steunpunt_events_total{event="mesh_connects"} ') for line in lines)
    families = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert len(families) == len(set(families))


def test_the_log_tells_what_became_of_a_message_and_nothing_of_its_words(
    site: RealSite, other: RadioClient, wait_until: Wait
) -> None:
    number = site.ask_for_help()
    wait_until(lambda: other.heard(Port.PRIVATE_APP), what="the help request on the air")
    wait_until(lambda: "action=sent messages=1 link=mesh outcome=taken" in site.log)
    assert f"action=accept ticket={number} repeated=False" in site.log
    assert "action=send messages=1 link=mesh tries=1 fragments=- " in site.log
    assert HELP_TEXT not in site.log


# --- hostile clients ---------------------------------------------------------------------------------------------


def test_hostile_messages_cost_a_count_and_no_more(site: RealSite, other: RadioClient, wait_until: Wait) -> None:
    conf = site.broker.folder / "files" / "mosquitto.conf"
    open_wide = [line for line in conf.read_text("utf-8").splitlines() if "_size" not in line]
    conf.write_text("\n".join(open_wide) + "\n", "utf-8")
    site.broker.stop()
    site.broker.start()
    wait_until(lambda: site.up("broker"), 10, "the node is back at a broker that takes anything")
    before_mib = site.rss_mib
    with tool(site.config.broker.port, "integrator") as hostile:
        hostile.publish(SEND, b"x" * 10_000_000)
        for payload in (b"", b"\xff\xfe", b"[" * 4000, b'{"from":' * 500, b"null", b'"x"', b"\0" * 4096, b"{" * 4097):
            hostile.publish(SEND, payload)
            hostile.publish(f"{ROOT}/e/LongFast/x", payload)
        hostile.publish(SEND, sendtext("oud"), retain=True)
        hostile.publish(f"{ROOT}/json/mqtt/" + "a/" * 90, sendtext("{}", to={}))
    raw_publish(site.config.broker.port, f"{ROOT}/json/mqtt/+/#".encode())
    raw_publish(site.config.broker.port, b"msh/EU_868/2/json/mqtt/\xff\xff")
    wait_until(lambda: site.counter("downlink_refused_bad_to") == 1)
    refused = {name: site.counter(f"downlink_refused_{name}") for name in ("bad_json", "bad_envelope")}
    assert refused == {"bad_json": 6, "bad_envelope": 6}
    assert site.counter("broker_dropped_size") == 5
    assert site.up("broker")
    assert site.log.count("dropped_size") == 1
    assert "Traceback" not in site.log
    print(f"\nresident before {before_mib:.1f} MiB, after 10 MB and the like {site.rss_mib:.1f} MiB")
    assert site.rss_mib < before_mib + 40
    integrator_again(site, other, wait_until)


def integrator_again(site: RealSite, other: RadioClient, wait_until: Wait) -> None:
    """Show that the honest are still served, once the pause after the last text is over."""
    with tool(site.config.broker.port, "integrator") as honest:

        def asked() -> bool:
            honest.publish(SEND, sendtext("nog steeds"))
            return b"nog steeds" in other.heard(Port.TEXT_MESSAGE_APP)

        wait_until(asked, 10, "the text on the air", 0.5)


def raw_publish(port: int, topic: bytes) -> None:
    """Publish as no client library would: the broker must close, and nobody else notice."""

    def field(raw: bytes) -> bytes:
        return len(raw).to_bytes(2, "big") + raw

    def packet(kind: int, body: bytes) -> bytes:
        assert len(body) < 128
        return bytes([kind, len(body)]) + body

    header = field(b"MQTT") + b"\x04\xc2\x00\x1e"
    connect = header + field(b"raw") + field(b"integrator") + field(INTEGRATOR_PASSWORD.encode())
    with socket.create_connection(("127.0.0.1", port), 5) as wire:
        wire.sendall(packet(0x10, connect) + packet(0x30, field(topic) + b"{}"))
        assert wire.recv(4) == b"\x20\x02\x00\x00"
        assert wire.recv(1) == b"", "the broker closes the connection"
