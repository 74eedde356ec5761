"""A whole kiosk whose broker fails in every way: the node goes on, says in one line what is wrong, and is back soon."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steunpunt.config import Broker
from steunpunt.model import FrameHeard, Role
from steunpunt.node.links import RESTART_REQUEST
from tests.crash.clock_jumps import faked, follows
from tests.crash.clock_jumps import library as faketime
from tests.fakes.broker_clients import linked, tool
from tests.fakes.brokers import NODE_PASSWORD, mosquitto, site_config
from tests.fakes.radio_client import Port, radio_client
from tests.fakes.real_site import RealSite, last_json, real_site

pytestmark = [pytest.mark.broker, pytest.mark.processes]
BACK_S_MAX = 2.0
"""How soon the node serves again, from when the broker takes connections."""
HUNG_S_MAX = 30.0
"""How soon a broker's restart is asked for: two connections of 5 s without an answer, and room for a busy machine."""
GROWTH_MIB_MAX = 24.0
BURST = 10_000
YEAR_S = 365 * 86_400
STATUS, AVAILABILITY = "steunpunt/v1/47/status", "steunpunt/v1/47/availability"
Wait = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, free_port: Callable[[], int], wait_until: Wait) -> Iterator[RealSite]:
    with real_site(tmp_path / "s", free_port, wait_until, "\n[broker.downlink]\n\n[broker.homeassistant]\n") as running:
        yield running


def back(site: RealSite, wait_until: Wait) -> float:
    """Return the seconds until the broker link is up again."""
    began = time.monotonic()
    wait_until(lambda: site.up("broker"), 10, "the broker link is back")
    lasted = time.monotonic() - began
    print(f"\nback {lasted:.2f} s after the broker; resident {site.rss_mib:.1f} MiB")
    return lasted


def still_asks_for_help(site: RealSite) -> None:
    before = site.ask("status")["queue"]
    assert site.ask_for_help().startswith("47-")
    assert site.ask("status")["queue"] == before + 1


@pytest.mark.parametrize("how", ["stopped", "killed", "wiped"])
def test_a_broker_that_goes_and_comes_back(site: RealSite, wait_until: Wait, how: str) -> None:
    (site.broker.stop if how == "stopped" else site.broker.kill)()
    wait_until(lambda: "is mosquitto running?" in site.reason("broker"), what="one line that says it")
    assert "\n" not in site.reason("broker")
    still_asks_for_help(site)
    if how == "wiped":
        shutil.rmtree(site.broker.folder / "data")
        site.broker.write()
    site.broker.start()
    assert back(site, wait_until) <= BACK_S_MAX
    with tool(site.config.broker.port, "reader") as reader:
        reader.subscribe(STATUS, AVAILABILITY, "homeassistant/#")
        wait_until(lambda: last_json(reader.heard, STATUS).get("queue") == 1, 15, "the status, retained again")
        wait_until(lambda: (AVAILABILITY, b"online") in reader.heard, what="the availability, retained again")
        wait_until(
            lambda: any(topic.startswith("homeassistant/device/") for topic, _ in reader.heard), what="discovery"
        )


def test_a_broker_that_hangs_is_said_and_its_restart_asked_for(
    tmp_path: Path, free_port: Callable[[], int], wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle it accepts connections, for the kernel does, and answers none; the test plays systemd."""
    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(runtime))
    with real_site(tmp_path / "s", free_port, wait_until) as site:
        site.stop_node()
        site.broker.freeze()
        site.start_node()
        request = runtime / RESTART_REQUEST
        wait_until(request.exists, HUNG_S_MAX, "the request")
        wait_until(lambda: site.counter("broker_restarts_asked") == 1)
        assert "accepts but does not answer" in site.reason("broker")
        still_asks_for_help(site)
        request.unlink()
        site.broker.kill()
        site.broker.start()
        back(site, wait_until)
        assert not request.exists(), "a broker that serves is left alone"


def test_what_the_radio_hears_meanwhile_is_held_for_the_broker(site: RealSite, wait_until: Wait) -> None:
    site.broker.stop()
    site.broker.password_file.write_text("wrong", "utf-8")
    site.broker.start()
    with (
        tool(site.config.broker.port, "reader") as reader,
        radio_client(site.radios.port("other")) as other,
    ):
        reader.subscribe("msh/EU_868/2/json/#")
        wait_until(lambda: other.look().ready)
        for number in range(3):
            other.send(Port.DETECTION_SENSOR_APP, b"deur %d" % number, packet_id=500 + number)
        wait_until(lambda: site.counter("uplink_packets_translated") >= 3)
        assert not site.up("broker")
        site.broker.password_file.write_text(f"{NODE_PASSWORD}\n", "utf-8")

        def doors() -> int:
            return sum(b"deur" in payload for _, payload in reader.heard)

        wait_until(lambda: doors() == 3, what="what was held back")
    assert site.counter("uplink_held_dropped") == 0


def test_another_password_is_said_and_mended_without_a_restart(site: RealSite, wait_until: Wait) -> None:
    site.broker.stop()
    site.broker.write(node_password="another")
    site.broker.start()
    wait_until(lambda: "refuses the password of user steunpunt" in site.reason("broker"), what="the line")
    still_asks_for_help(site)
    site.broker.password_file.write_text("another\n", "utf-8")
    assert back(site, wait_until) <= BACK_S_MAX
    assert site.broker.logged("not authorised")
    lines = [line for line in site.log.splitlines() if "refuses the password" in line]
    assert len(lines) == 1, "one line for one fault"


def test_a_wall_clock_that_leaps_is_no_matter(
    site: RealSite, tmp_path: Path, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, date = faketime(), tmp_path / "date"
    if library is None:
        pytest.skip("libfaketime is not installed")
    site.stop_node()
    date.write_text("+0\n", "ascii")
    assert follows(faked(library, date), date), "no process sees its clock leap: this would prove nothing"
    for name, value in faked(library, date).items():
        monkeypatch.setenv(name, value)
    site.start_node()
    monkeypatch.undo()
    wait_until(lambda: site.up("broker") and site.up("mesh"), 20, "both links are up")
    with radio_client(site.radios.port("other")) as other:
        wait_until(lambda: other.look().ready)
        for number, seconds in enumerate((30 * YEAR_S, -20 * YEAR_S, 0)):
            date.write_text(f"{seconds:+d}\n", "ascii")
            with tool(site.config.broker.port, "reader") as reader:
                reader.subscribe("msh/EU_868/2/json/#")
                other.send(Port.DETECTION_SENSOR_APP, b"deur", packet_id=600 + number)
                wait_until(lambda heard=reader.heard: heard, what="what the radio heard")
            site.broker.stop()
            wait_until(lambda: not site.up("broker"))
            site.broker.start()
            assert back(site, wait_until) <= BACK_S_MAX
            still_asks_for_help(site)


def test_a_broker_without_disk(site: RealSite, wait_until: Wait) -> None:
    """mosquitto cannot save any more: what is live goes on, and the node has its own ledger for the rest."""
    site.broker.stop()
    site.broker.start(file_bytes_max=64 * 1024)
    back(site, wait_until)
    with tool(site.config.broker.port, "integrator") as hoarder:
        for number in range(100):
            hoarder.publish(f"msh/EU_868/2/e/x/{number}", b"x" * 4000, retain=True)
        wait_until(lambda: site.broker.logged("Error"), 20, "mosquitto's complaint")
    assert site.up("broker")
    still_asks_for_help(site)
    with radio_client(site.radios.port("other")) as other, tool(site.config.broker.port, "reader") as reader:
        reader.subscribe("msh/EU_868/2/json/#")
        wait_until(lambda: other.look().ready)
        other.send(Port.TEXT_MESSAGE_APP, b"hallo", packet_id=77)
        wait_until(lambda: any(b"hallo" in payload for _, payload in reader.heard), what="live messages go on")


def test_a_burst_for_the_mesh_is_bounded(site: RealSite, wait_until: Wait) -> None:
    before_mib, began = site.rss_mib, time.monotonic()
    with tool(site.config.broker.port, "integrator") as burst:
        for _ in range(BURST):
            burst.client.publish("msh/EU_868/2/json/mqtt/", b'{"from":1}', 0)
        burst.publish("msh/EU_868/2/json/mqtt/", b"{}")
    wait_until(lambda: heard(site) >= BURST, 60, "the burst is over")
    print(
        f"\n{BURST} messages in {time.monotonic() - began:.1f} s; resident {before_mib:.1f} -> {site.rss_mib:.1f} MiB"
    )
    assert site.rss_mib < before_mib + GROWTH_MIB_MAX
    assert site.up("broker")
    still_asks_for_help(site)


def heard(site: RealSite) -> int:
    """Return how many messages were judged or dropped, at whichever bound."""
    counters = site.ask("status")["counters"]
    return sum(counters.get(name, 0) for name in ("downlink_refused_wrong_from", "inbox_dropped"))


def test_a_burst_of_packets_at_a_coordinator(tmp_path: Path, free_port: Callable[[], int], wait_until: Wait) -> None:
    """Each packet that the broker took arrives once and in order, at the pace of the confirmations."""
    config = site_config(Role.COORDINATOR, 1, Broker(port=free_port()))
    with mosquitto(config, tmp_path / "desk", wait_until) as desk:
        acl = desk.folder / "files" / "acl"
        acl.write_text(acl.read_text("utf-8") + "\nuser integrator\ntopic write steunpunt/v1/up/+\n", "utf-8")
        desk.stop()
        desk.start()
        with linked(desk) as (link, post), tool(config.broker.port, "integrator") as burst:
            wait_until(lambda: post.up)
            looked, arrived = 0, list[bytes]()

            def confirm() -> int:
                nonlocal looked
                for event in post.events[looked:]:
                    looked += 1
                    if isinstance(event, FrameHeard) and event.confirm is not None:
                        arrived.append(event.payload)
                        link.confirm(event.confirm)
                return len(arrived)

            began, sent = time.monotonic(), [number.to_bytes(4, "big") for number in range(BURST)]
            for packet in sent:
                burst.publish("steunpunt/v1/up/47", packet)
                confirm()
            wait_until(lambda: confirm() >= BURST, 60, "the whole burst")
            print(f"\n{BURST} packets, each confirmed, in {time.monotonic() - began:.1f} s")
            assert arrived == sent
