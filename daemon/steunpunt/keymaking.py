"""Making a region's keys: the region's own file, then coordinators, then sites, each with its TLS certificate.

The region file is the safe's content: whoever has it can make any site. It belongs on a stick in an envelope.
"""

import datetime as dt
import ipaddress
import os
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from steunpunt import keyfiles
from steunpunt.keyfiles import encoded
from steunpunt.model import COORDINATOR_ID_MAX, SITE_ID_MAX, KeyFileError
from steunpunt.protocol.keys import CoordinatorIdentity, site_secret

VALID_FROM = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
VALID_UNTIL = dt.datetime(2099, 12, 31, tzinfo=dt.UTC)
"""A point without a clock must still get its TLS bridge up: validity does not lean on the date; revocation does the
rest."""


def make_region(path: Path, name: str) -> None:
    """Make a region's key file."""
    authority = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(_named(f"Steunpunt {name}"), authority, authority, _named(f"Steunpunt {name}"), ca=True)
    root = Ed25519PrivateKey.generate()
    keyfiles.write(
        path,
        {
            "region": name,
            "root": encoded(os.urandom(32)),
            "region_private": encoded(X25519PrivateKey.generate().private_bytes_raw()),
            "offline_root": encoded(root.private_bytes_raw()),
            "channel_key": encoded(os.urandom(32)),
            "authority_key": _pem_key(authority),
            "authority": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        },
    )


def make_coordinator(region_path: Path, coordinator: int, folder: Path, hosts: list[str]) -> list[Path]:
    """Make a coordinator's keys and its broker's certificate for ``hosts``; the region file learns its news key."""
    if not 1 <= coordinator <= COORDINATOR_ID_MAX:
        raise KeyFileError(f"coordinator {coordinator}: a coordinator's id is 1 to {COORDINATOR_ID_MAX}")
    region = keyfiles.read_region(region_path)
    if any(entry["id"] == coordinator for entry in region.get("coordinator", [])):
        raise KeyFileError(f"coordinator {coordinator} has keys already; give this one another id")
    news = Ed25519PrivateKey.generate()
    identity = _identity(region_path, region, coordinator, news)
    folder.mkdir(parents=True, exist_ok=True)
    keys = folder / "coordinator.keys"
    keyfiles.write(keys, _coordinator_table(region_path, region, identity, news))
    ledger_key = folder / "ledger.key"
    keyfiles.write(ledger_key, {"ledger_key": encoded(os.urandom(32))}, keyfiles.OWNER_AND_GROUP)
    files = _certificate_files(region, folder / "region", str(coordinator), hosts)
    known = [*region.get("coordinator", []), keyfiles.identity_table(identity)]
    keyfiles.write(region_path, {**region, "coordinator": known}, replace=True)
    return [keys, ledger_key, *files]


def _identity(path: Path, region: dict[str, Any], coordinator: int, news: Ed25519PrivateKey) -> CoordinatorIdentity:
    root = Ed25519PrivateKey.from_private_bytes(keyfiles.decoded(path, region, "offline_root", 32))
    unsigned = CoordinatorIdentity(coordinator, news.public_key().public_bytes_raw(), b"")
    return CoordinatorIdentity(coordinator, unsigned.news_public, root.sign(unsigned.signed_part()))


def _coordinator_table(
    path: Path, region: dict[str, Any], identity: CoordinatorIdentity, news: Ed25519PrivateKey
) -> dict[str, Any]:
    return {
        "coordinator_id": identity.coordinator,
        "root": region["root"],
        "region_private": region["region_private"],
        "news_private": encoded(news.private_bytes_raw()),
        "root_public": encoded(_root_public(path, region)),
        "generations": [1],
        "identity": keyfiles.identity_table(identity),
    }


def make_site(region_path: Path, site: int, folder: Path, generation: int = 1) -> list[Path]:
    """Make a kiosk's keys and the certificate of its broker's bridge."""
    if not COORDINATOR_ID_MAX < site <= SITE_ID_MAX:
        raise KeyFileError(f"site {site}: a kiosk's id is 16 to {SITE_ID_MAX}; 1 to 15 is kept for coordinators")
    region = keyfiles.read_region(region_path)
    if not region.get("coordinator"):
        raise KeyFileError(f"{region_path}: no coordinator yet; type first: steunpunt keys coordinator {region_path}")
    private = X25519PrivateKey.from_private_bytes(keyfiles.decoded(region_path, region, "region_private", 32))
    folder.mkdir(parents=True, exist_ok=True)
    keys = folder / "site.keys"
    table = {
        "site": site,
        "generation": generation,
        "secret": encoded(site_secret(keyfiles.decoded(region_path, region, "root", 32), site, generation)),
        "region_public": encoded(private.public_key().public_bytes_raw()),
        "root_public": encoded(_root_public(region_path, region)),
        "coordinator": region["coordinator"],
    }
    keyfiles.write(keys, table)
    return [keys, *_certificate_files(region, folder / "site", str(site), [])]


def channel_key(region_path: Path) -> bytes:
    """Return the private channel's key (32 bytes); it counts as public: a stolen radio reveals it."""
    return keyfiles.decoded(region_path, keyfiles.read_region(region_path), "channel_key", 32)


def _root_public(path: Path, region: dict[str, Any]) -> bytes:
    root = Ed25519PrivateKey.from_private_bytes(keyfiles.decoded(path, region, "offline_root", 32))
    return root.public_key().public_bytes_raw()


def _certificate_files(region: dict[str, Any], base: Path, name: str, hosts: list[str]) -> list[Path]:
    """Write ``BASE.pem``, ``BASE-key.pem`` and ``region-ca.pem``."""
    authority_key = serialization.load_pem_private_key(region["authority_key"].encode(), None)
    authority = x509.load_pem_x509_certificate(region["authority"].encode())
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise KeyFileError("the region's authority key is of another kind; make the region file again")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(_named(name), key, authority_key, authority.subject, hosts=hosts)
    crt, tls_key = base.with_name(f"{base.name}.pem"), base.with_name(f"{base.name}-key.pem")
    ca = base.with_name("region-ca.pem")
    crt.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    descriptor = os.open(tls_key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, keyfiles.OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_pem_key(key))
    ca.write_text(region["authority"], encoding="ascii")
    return [crt, tls_key, ca]


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    authority_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    *,
    ca: bool = False,
    hosts: list[str] | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_UNTIL)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(h) for h in hosts]), critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
