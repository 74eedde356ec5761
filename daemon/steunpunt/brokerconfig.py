"""The files of a site's mosquitto, made from the site's config. Pure: text in, text out.

A kiosk's broker listens on the loopback only and carries ``up/<id>`` and ``down/<id>`` over its own
bridge (mutual TLS) to the region. A coordinator's broker listens locally and, with client certificates,
for the region's sites: the certificate's common name is the site's id in decimal, and it may write its
own ``up/<id>`` and read its own ``down/<id>``, ``down/all`` and the information pages, nothing else. The broker
of another coordinator (``[[other_coordinator]]``), which bridges to this one, shares all of ``up`` and ``down``,
and the pages. What is not named is denied.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from steunpunt.config import INTEGRATOR_USER, READER_USER, Bridge, Config, RegionListener
from steunpunt.model import ConfigError, Role
from steunpunt.protocol.pagearchive import ARCHIVE_BYTES_MAX

SALT_BYTES = 12
"""Length of a password's salt: the only one that mosquitto 2.0 reads."""
ITERATIONS = 101
"""PBKDF2 rounds, mosquitto's own default: these passwords are long and random, so stretching adds nothing."""
PACKET_BYTES_LIMIT = 8192
"""Longest packet the broker takes, topic and all; who sends a longer one is disconnected.

Ours stay below 512 bytes, an integrator's discovery below this. Where the region's page archive comes, the limit is so
much higher: mosquitto knows one for all."""
QUEUED_BYTES_MAX = 16 * 1024 * 1024
"""Bytes mosquitto keeps for one absent client or bridge."""
QUEUED_MESSAGES_MAX = 2000
"""Messages mosquitto keeps for one absent client or bridge; the ledger sends again what did not fit."""
INFLIGHT_MAX = 100
"""Messages sent to one client without its PUBACK, which comes only after the commit."""

CONF_FILE = "mosquitto.conf"
ACL_FILE = "acl"
REGION_ACL_FILE = "acl-region"
PASSWORD_FILE = "passwords"  # noqa: S105  the name of a file

RunAs = Literal["root", "mosquitto"]


@dataclass(frozen=True, slots=True)
class Account:
    """A local user of the broker: password in the clear and SALT_BYTES of salt."""

    password: str
    salt: bytes


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute folders: ``files`` holds what :func:`generate` returns, ``data`` is mosquitto's to write."""

    files: str
    data: str
    run_as: RunAs = "mosquitto"


def hash_password(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return mosquitto's ``$7$`` form (PBKDF2-HMAC-SHA512, 64 bytes) of a password.

    Raises ConfigError for a salt of another length than mosquitto reads.
    """
    if len(salt) != SALT_BYTES:
        raise ConfigError(f"a salt of {len(salt)} bytes; mosquitto reads {SALT_BYTES}: draw so many at random")
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, dklen=64)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def generate(config: Config, places: Places, accounts: Mapping[str, Account]) -> dict[str, str]:
    """Return the broker's files by name: mosquitto.conf, acl, passwords and, at a coordinator, acl-region.

    ``accounts`` must hold the node's user (``broker.username``); :data:`READER_USER` is for integrators.
    The caller writes ``passwords`` readable by the broker's user only.
    """
    if config.broker.username not in accounts:
        raise ConfigError(f"broker.username {config.broker.username!r} has no password; make one for that user")
    for name, account in accounts.items():
        if not _plain(name) or not _one_line(account.password):
            raise ConfigError(f"broker user {name!r}: use letters, digits, - and _, and a password of one line")
    hashes = {name: hash_password(account.password, account.salt) for name, account in sorted(accounts.items())}
    files = {
        CONF_FILE: _conf(config, places),
        ACL_FILE: _local_acl(config),
        PASSWORD_FILE: "".join(f"{name}:{hashed}\n" for name, hashed in hashes.items()),
    }
    if config.broker.region_listener is not None:
        files[REGION_ACL_FILE] = _region_acl(config)
    return files


def _plain(name: str) -> bool:
    return bool(name) and all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in name)


def _one_line(text: str) -> bool:
    return bool(text) and text.isprintable()


def _conf(config: Config, places: Places) -> str:
    parts = [_common(config, places), _local_listener(config, places)]
    if config.broker.region_listener is not None:
        parts.append(_region_listener(config.broker.region_listener, places))
    if config.broker.bridge is not None:
        parts.append(_bridge(config, config.broker.bridge))
    return "\n".join(parts)


def _common(config: Config, places: Places) -> str:
    packet_bytes = PACKET_BYTES_LIMIT + (ARCHIVE_BYTES_MAX if _takes_pages(config) else 0)
    return f"""\
# Made from the site's config by `steunpunt broker-config`: change that, not this file.
per_listener_settings true
user {places.run_as}
persistence true
persistence_location {_value(places.data).rstrip("/")}/
# Counted in changes. The ledger is the truth and sends again; this saves most of that after a restart.
autosave_on_changes true
autosave_interval 10
max_queued_messages {QUEUED_MESSAGES_MAX}
max_queued_bytes {QUEUED_BYTES_MAX}
max_inflight_messages {INFLIGHT_MAX}
max_packet_size {packet_bytes}
queue_qos0_messages false
set_tcp_nodelay true
persistent_client_expiration 14d
sys_interval 0
connection_messages true
log_dest stderr
log_type error
log_type warning
log_type notice
"""


def _local_listener(config: Config, places: Places) -> str:
    return f"""\
listener {config.broker.port} {_host(config.broker.host)}
allow_anonymous false
password_file {_value(places.files)}/{PASSWORD_FILE}
acl_file {_value(places.files)}/{ACL_FILE}
"""


def _region_listener(listener: RegionListener, places: Places) -> str:
    return f"""\
listener {listener.port} {_host(listener.host)}
allow_anonymous false
cafile {_value(listener.ca_file)}
certfile {_value(listener.certificate_file)}
keyfile {_value(listener.key_file)}
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
acl_file {_value(places.files)}/{REGION_ACL_FILE}
"""


def _bridge(config: Config, bridge: Bridge) -> str:
    return f"""\
connection {bridge_name(config)}
address {_host(bridge.host)}:{bridge.port}
bridge_protocol_version mqttv311
bridge_cafile {_value(bridge.ca_file)}
bridge_certfile {_value(bridge.certificate_file)}
bridge_keyfile {_value(bridge.key_file)}
bridge_tls_version tlsv1.2
bridge_insecure false
remote_clientid {bridge_name(config)}
local_clientid {bridge_name(config)}-local
{_bridged_topics(config)}\
cleansession false
start_type automatic
# Seconds, with jitter: a region that comes back is found within ten.
restart_timeout 2 10
keepalive_interval 12
notifications true
notifications_local_only true
try_private true
bridge_attempt_unsubscribe false
bridge_outgoing_retain false
"""


def _bridged_topics(config: Config) -> str:
    """Two coordinators' brokers share all; a kiosk's carries only its own, and mosquitto sends nothing back."""
    desk, pages = config.site.role is Role.COORDINATOR, _takes_pages(config)
    if desk:
        own = """\
topic steunpunt/v1/up/+ both 1
topic steunpunt/v1/down/+ both 1
"""
    else:
        own = f"""\
topic steunpunt/v1/up/{config.site.id} out 1
topic steunpunt/v1/down/{config.site.id} in 1
topic steunpunt/v1/down/all in 0
"""
    return own + (f"topic steunpunt/v1/pages {'both' if desk else 'in'} 0\n" if pages else "")


def _takes_pages(config: Config) -> bool:
    """Whether the region's page archive comes here."""
    return config.housekeeping.pages_folder is not None


def bridge_name(config: Config) -> str:
    """Return the name of the bridge's connection, as it stands in ``$SYS/broker/connection/<name>/state``."""
    return f"steunpunt-site-{config.site.id}"


def _local_acl(config: Config) -> str:
    site, root = config.site.id, config.broker.mesh_root
    base = root.partition("/")[0]
    home = config.broker.homeassistant
    discovery = f"topic write {home.discovery_prefix}/#\n" if home is not None else ""
    reading = f"""\
topic read {base}/#
{f"topic read {home.discovery_prefix}/#" if home is not None else "# Home Assistant's discovery is off."}
topic read steunpunt/v1/+/availability
topic read steunpunt/v1/+/status
topic read steunpunt/v1/+/error
"""
    kiosk = f"""\
topic write steunpunt/v1/up/{site}
topic read steunpunt/v1/down/{site}
topic read steunpunt/v1/down/all
"""
    coordinator = f"""\
topic read steunpunt/v1/up/+
topic {"readwrite" if config.other_coordinator else "write"} steunpunt/v1/down/#
"""
    return f"""\
# Who is not named here may do nothing.
user {config.broker.username}
{kiosk if config.site.role is Role.KIOSK else coordinator}\
{"topic readwrite steunpunt/v1/pages" if _takes_pages(config) else "# No page archive comes here."}
topic readwrite steunpunt/v1/{site}/#
topic readwrite {base}/#
{discovery}\
topic read $SYS/broker/connection/+/state

user {READER_USER}
{reading}{_integrator_acl(root, reading) if config.broker.downlink is not None else ""}"""


def _integrator_acl(root: str, reading: str) -> str:
    return f"""
user {INTEGRATOR_USER}
{reading}\
topic write {root}/2/json/mqtt/#
topic write {root}/2/e/#
"""


def _region_acl(config: Config) -> str:
    """Other coordinators' brokers may carry whatever goes between the region's sites; who is barred, nothing."""
    pages = "topic readwrite steunpunt/v1/pages\n" if _takes_pages(config) else ""
    others = "".join(
        f"""\
user {other.id}
topic readwrite steunpunt/v1/up/+
topic readwrite steunpunt/v1/down/+
{pages}
"""
        for other in config.other_coordinator
    )
    listener = config.broker.region_listener
    barred = "".join(f"user {site}\ntopic deny #\n\n" for site in (listener.barred if listener is not None else ()))
    return f"""\
{others}{barred}\
# %u is the common name of a site's certificate: its id in decimal.
pattern write steunpunt/v1/up/%u
pattern read steunpunt/v1/down/%u
# For every site. mosquitto warns that %u is not in it; a `topic` without a user would be for anonymous clients only.
pattern read steunpunt/v1/down/all
{"pattern read steunpunt/v1/pages" if _takes_pages(config) else "# No page archive is kept here."}
"""


def _value(text: str) -> str:
    """Refuse what would become a line of its own in mosquitto's line-based files."""
    if not _one_line(text):
        raise ConfigError(f"{text!r} cannot stand in a mosquitto config; write it without line ends")
    return text


def _host(text: str) -> str:
    """Refuse a host that mosquitto would read as two words."""
    if " " in _value(text):
        raise ConfigError(f"{text!r} is no host name; write a name or an address without spaces")
    return text
