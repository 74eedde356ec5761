"""The broker's files say what they must, and nothing of a config can add a line to them."""

import base64
import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.brokerconfig import (
    SALT_BYTES,
    Account,
    Places,
    bridge_name,
    generate,
    hash_password,
)
from steunpunt.config import (
    Bridge,
    Broker,
    Config,
    Control,
    Downlink,
    HomeAssistant,
    Keys,
    Ledger,
    OtherCoordinator,
    Radio,
    Region,
    RegionListener,
    Site,
)
from steunpunt.jobconfig import Housekeeping
from steunpunt.model import ConfigError, Role
from steunpunt.protocol.pagearchive import ARCHIVE_BYTES_MAX

PLACES = Places("/etc/steunpunt/broker", "/var/lib/mosquitto")
SALT = bytes(range(SALT_BYTES))
ACCOUNTS = {"steunpunt": Account("node-secret", SALT), "reader": Account("reader-secret", SALT[::-1])}
CA, CERTIFICATE, KEY = "/k/ca.pem", "/k/own.pem", "/k/own.key"
BRIDGE = Bridge(host="region.example", ca_file=CA, certificate_file=CERTIFICATE, key_file=KEY)
LISTENER = RegionListener(ca_file=CA, certificate_file=CERTIFICATE, key_file=KEY)


def config(role: Role = Role.KIOSK, site_id: int = 47, broker: Broker | None = None) -> Config:
    return Config(
        site=Site(role=role, id=site_id, name="Buurthuis", place="Kerkplein 1"),
        region=Region(name="Zuid", coordinator=1, coordinator_name="Kazerne", fallback_address="Weg 1"),
        keys=Keys(file="site.keys"),
        radio=Radio(kind="none"),
        broker=broker or Broker(bridge=BRIDGE),
        ledger=Ledger(path="ledger.db"),
        control=Control(socket="node.sock"),
    )


def coordinator() -> Config:
    return config(Role.COORDINATOR, 1, Broker(region_listener=LISTENER))


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_a_kiosks_bridge_carries_its_own_topics_and_no_other() -> None:
    conf = lines(generate(config(), PLACES, ACCOUNTS)["mosquitto.conf"])
    assert [line for line in conf if line.startswith("topic ")] == [
        "topic steunpunt/v1/up/47 out 1",
        "topic steunpunt/v1/down/47 in 1",
        "topic steunpunt/v1/down/all in 0",
    ]
    for wanted in (
        "connection steunpunt-site-47", "address region.example:8883", "bridge_insecure false", "cleansession false",
        "notifications_local_only true", "restart_timeout 2 10", "keepalive_interval 12", "bridge_keyfile /k/own.key",
    ):  # fmt: skip
        assert wanted in conf
    assert bridge_name(config()) == "steunpunt-site-47"


@pytest.mark.parametrize("site", [config(), coordinator()], ids=["kiosk", "coordinator"])
def test_no_listener_is_open_to_anonymous_clients(site: Config) -> None:
    conf = lines(generate(site, PLACES, ACCOUNTS)["mosquitto.conf"])
    listeners = [line for line in conf if line.startswith("listener ")]
    assert listeners[0] == "listener 1883 127.0.0.1"
    assert conf.count("allow_anonymous false") == len(listeners)
    assert sum(line.startswith("acl_file ") for line in conf) == len(listeners)
    assert "persistence true" in conf
    assert "max_packet_size 8192" in conf
    assert not any(line.startswith("message_size_limit") for line in conf), "mosquitto advises against it"
    assert any(line.startswith("max_queued_messages ") for line in conf)


def test_the_regions_listener_demands_a_certificate() -> None:
    files = generate(coordinator(), PLACES, ACCOUNTS)
    conf = lines(files["mosquitto.conf"])
    assert {"require_certificate true", "use_identity_as_username true", "listener 8883 0.0.0.0"} <= set(conf)
    assert lines(files["acl-region"]) == [
        "pattern write steunpunt/v1/up/%u",
        "pattern read steunpunt/v1/down/%u",
        "pattern read steunpunt/v1/down/all",
    ]


def test_each_role_has_its_own_rights_on_the_packets() -> None:
    def packet_rights(site: Config) -> list[str]:
        node = generate(site, PLACES, ACCOUNTS)["acl"].partition("user reader")[0]
        return [line for line in lines(node) if "/up/" in line or "/down/" in line]

    assert packet_rights(config()) == [
        "topic write steunpunt/v1/up/47",
        "topic read steunpunt/v1/down/47",
        "topic read steunpunt/v1/down/all",
    ]
    assert packet_rights(coordinator()) == ["topic read steunpunt/v1/up/+", "topic write steunpunt/v1/down/#"]


def test_coordinators_brokers_share_what_goes_between_the_sites() -> None:
    others = (OtherCoordinator(id=2, name="Kazerne West"),)
    listening = msgspec.structs.replace(coordinator(), other_coordinator=others)
    files = generate(listening, PLACES, ACCOUNTS)
    assert "topic readwrite steunpunt/v1/down/#" in lines(files["acl"])
    region = files["acl-region"]
    assert lines(region)[:3] == [
        "user 2",
        "topic readwrite steunpunt/v1/up/+",
        "topic readwrite steunpunt/v1/down/+",
    ]
    assert "user" not in generate(coordinator(), PLACES, ACCOUNTS)["acl-region"].partition("pattern")[0].split()
    conf = lines(generate(config(Role.COORDINATOR, 2), PLACES, ACCOUNTS)["mosquitto.conf"])
    assert [line for line in conf if line.startswith("topic ")] == [
        "topic steunpunt/v1/up/+ both 1",
        "topic steunpunt/v1/down/+ both 1",
    ]


def test_the_page_archive_has_its_own_rights_and_room_where_it_comes_and_nowhere_else() -> None:
    def rules(site: Config) -> dict[str, list[str]]:
        files = generate(site, PLACES, ACCOUNTS)
        return {name: [line for line in lines(text) if "v1/pages" in line] for name, text in files.items()}

    def with_pages(site: Config) -> Config:
        return msgspec.structs.replace(site, housekeeping=Housekeeping(pages_folder="/p"))

    assert not any(found for site in (config(), coordinator()) for found in rules(site).values())
    kiosk = rules(with_pages(config()))
    assert (kiosk["mosquitto.conf"], kiosk["acl"]) == (
        ["topic steunpunt/v1/pages in 0"],
        ["topic readwrite steunpunt/v1/pages"],
    )
    others = (OtherCoordinator(id=2, name="Kazerne West"),)
    desk = rules(msgspec.structs.replace(with_pages(coordinator()), other_coordinator=others))
    assert (desk["acl"], desk["acl-region"]) == (
        ["topic readwrite steunpunt/v1/pages"],
        ["topic readwrite steunpunt/v1/pages", "pattern read steunpunt/v1/pages"],
    )
    second = rules(with_pages(config(Role.COORDINATOR, 2)))
    assert second["mosquitto.conf"] == ["topic steunpunt/v1/pages both 0"]
    conf = lines(generate(with_pages(config()), PLACES, ACCOUNTS)["mosquitto.conf"])
    assert f"max_packet_size {ARCHIVE_BYTES_MAX + 8192}" in conf
    assert any(line.startswith("max_queued_bytes ") for line in conf)


def test_the_reader_may_write_nothing_and_sees_no_packets() -> None:
    rights = lines(generate(config(), PLACES, ACCOUNTS)["acl"].partition("user reader")[2])
    assert rights
    assert all(line.startswith("topic read ") for line in rights)
    assert not any(word in line for line in rights for word in ("/up", "/down", "v1/#", "v1/+/#"))


def test_only_with_downlink_on_may_integrators_write_and_only_for_the_mesh() -> None:
    assert "user integrator" not in generate(config(), PLACES, ACCOUNTS)["acl"]
    acl = generate(config(broker=Broker(downlink=Downlink())), PLACES, ACCOUNTS)["acl"]
    before, _, rights = acl.partition("user integrator")
    assert [line for line in lines(rights) if "write" in line] == [
        "topic write msh/EU_868/2/json/mqtt/#",
        "topic write msh/EU_868/2/e/#",
    ]
    assert not any(word in rights for word in ("/up", "/down", "steunpunt/v1/#"))
    reader = lines(before.partition("user reader")[2])
    assert reader == [line for line in lines(rights) if "write" not in line]


def test_home_assistants_prefix_is_open_only_when_it_is_used() -> None:
    assert "homeassistant" not in generate(config(), PLACES, ACCOUNTS)["acl"]
    home = HomeAssistant(discovery_prefix="ha/x")
    acl = lines(generate(config(broker=Broker(homeassistant=home)), PLACES, ACCOUNTS)["acl"])
    assert [line for line in acl if "ha/x" in line] == ["topic write ha/x/#", "topic read ha/x/#"]


def test_a_password_is_hashed_as_mosquitto_does() -> None:
    digest = hashlib.pbkdf2_hmac("sha512", b"node-secret", SALT, 101, 64)
    assert hash_password("node-secret", SALT) == (
        f"$7$101${base64.b64encode(SALT).decode()}${base64.b64encode(digest).decode()}"
    )
    passwords = generate(config(), PLACES, ACCOUNTS)["passwords"]
    assert [line.partition(":")[0] for line in lines(passwords)] == ["reader", "steunpunt"]
    assert "secret" not in passwords
    with pytest.raises(ConfigError, match="12"):
        hash_password("x", b"short")


@pytest.mark.parametrize(
    ("accounts", "message"),
    [
        ({"reader": Account("x", SALT)}, "has no password"),
        ({**ACCOUNTS, "a:b": Account("x", SALT)}, "letters, digits"),
        ({**ACCOUNTS, "a": Account("", SALT)}, "one line"),
        ({**ACCOUNTS, "a": Account("x\ny:", SALT)}, "one line"),
    ],
)
def test_accounts_that_cannot_be_are_refused(accounts: dict[str, Account], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        generate(config(), PLACES, accounts)


def test_a_host_of_two_words_is_refused() -> None:
    with pytest.raises(ConfigError, match="no host name"):
        generate(config(broker=Broker(host="127.0.0.1 evil")), PLACES, ACCOUNTS)


@given(st.text(min_size=1, max_size=30))
def test_no_value_adds_a_line(text: str) -> None:
    site = config()
    assert site.broker.bridge is not None
    usual = generate(site, PLACES, ACCOUNTS)
    bridge = msgspec.structs.replace(site.broker.bridge, host=text, ca_file=text)
    hostile = msgspec.structs.replace(site, broker=msgspec.structs.replace(site.broker, bridge=bridge))
    try:
        files = generate(hostile, Places(text, text), ACCOUNTS)
    except ConfigError:
        return
    assert {name: len(body.splitlines()) for name, body in files.items()} == {
        name: len(body.splitlines()) for name, body in usual.items()
    }
