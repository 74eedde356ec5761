"""Making a region's keys: the region's own file, then coordinators, then sites, each with its TLS certificate.

The region file is the safe's content: whoever has it can make any site. It belongs on a stick in an envelope.
"""

import datetime as dt
import ipaddress
import os
import re
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from steunpunt import keyfiles
from steunpunt.keyfiles import SITES_KEY, encoded
from steunpunt.model import COORDINATOR_ID_MAX, SITE_ID_MAX, KeyFileError
from steunpunt.protocol.authority import revoked_by
from steunpunt.protocol.keys import CoordinatorIdentity, site_secret

VALID_FROM = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
VALID_UNTIL = dt.datetime(2099, 12, 31, tzinfo=dt.UTC)
"""A point without a clock, in 1970 by its own account, must get its TLS bridge up: validity leans on no date."""
_COORDINATOR_FILE, _LEDGER_KEY_FILE, _SITE_FILE = "coordinator.keys", "ledger.key", "site.keys"
_CHANNEL_FILE = "channel.key"
_READABLE = 0o644
_COMMON_NAME_BYTES_MAX = 64
"""X.520's bound (RFC 5280, appendix A.1), which the library counts in bytes of UTF-8."""
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


def make_region(path: Path, name: str) -> None:
    """Make a region's key file; KeyFileError when it is there already."""
    if not name.strip() or not name.isprintable():
        raise KeyFileError(f"region name {name!r}: write a name of one line")
    keyfiles.refuse_existing([path])
    authority = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(_named(f"Steunpunt {name}"), authority, authority, _named(f"Steunpunt {name}"), ca=True)
    root = Ed25519PrivateKey.generate()
    keyfiles.write(
        path,
        {
            "region": name,
            SITES_KEY: [],
            "root": encoded(os.urandom(32)),
            "region_private": encoded(X25519PrivateKey.generate().private_bytes_raw()),
            "offline_root": encoded(root.private_bytes_raw()),
            "channel_key": encoded(os.urandom(32)),
            "authority_key": _pem_key(authority),
            "authority": _pem(certificate),
        },
    )


def make_coordinator(region_path: Path, coordinator: int, folder: Path, hosts: list[str]) -> list[Path]:
    """Make a coordinator's keys and its broker's certificate for ``hosts``; the region file learns its news key.

    Raises KeyFileError, and leaves nothing behind, when the id is taken, a file is there, a host cannot be one, or a
    file cannot be written, the region's own among them.
    """
    if not 1 <= coordinator <= COORDINATOR_ID_MAX:
        raise KeyFileError(f"coordinator {coordinator}: a coordinator's id is 1 to {COORDINATOR_ID_MAX}")
    region = keyfiles.read_region(region_path)
    if any(entry["id"] == coordinator for entry in region.get("coordinator", [])):
        raise KeyFileError(f"coordinator {coordinator} has keys already; give this one another id")
    names = [_alternative(host) for host in hosts]
    keys, ledger_key, base = folder / _COORDINATOR_FILE, folder / _LEDGER_KEY_FILE, folder / "region"
    news = Ed25519PrivateKey.generate()
    identity = _identity(region_path, region, coordinator, news)
    known = [*region.get("coordinator", []), keyfiles.identity_table(identity)]
    with keyfiles.all_or_none(folder, [keys, ledger_key, folder / _CHANNEL_FILE, *_tls_paths(base)]):
        keyfiles.write(keys, _coordinator_table(region_path, region, identity, news))
        keyfiles.write(ledger_key, {"ledger_key": encoded(os.urandom(32))}, keyfiles.OWNER_AND_GROUP)
        files = _certificate_files(region_path, region, base, str(coordinator), names)
        channel = _channel_file(region_path, region, folder)
        # Last: sites must never be told of a coordinator whose keys are nowhere.
        keyfiles.write(region_path, {**region, "coordinator": known}, replace=True)
    return [keys, ledger_key, channel, *files]


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
        "root_public": encoded(root_public(path, region)),
        "generations": [1],
        "older_region_private": region.get("older_region_private", []),
        "notices": region.get("notices", []),
        "identity": keyfiles.identity_table(identity),
    }


def make_site(region_path: Path, site: int, folder: Path, generation: int | None = None) -> list[Path]:
    """Make a kiosk's keys and the certificate of its broker's bridge.

    ``generation`` is 1 to 255; without it, the first one that was not revoked for this site. Raises KeyFileError, and
    leaves nothing behind, when a number is out of range or revoked, a file is there already, or one cannot be written.
    """
    if not COORDINATOR_ID_MAX < site <= SITE_ID_MAX:
        raise KeyFileError(f"site {site}: a kiosk's id is 16 to {SITE_ID_MAX}; 1 to 15 is kept for coordinators")
    region = keyfiles.read_region(region_path)
    notices = keyfiles.notices_in(region_path, region, "notices", root_public(region_path, region))
    lowest = revoked_by(notices).get(site, 0) + 1
    generation = lowest if generation is None else generation
    if not lowest <= generation <= keyfiles.GENERATION_MAX:
        reason = "those before are revoked" if lowest > 1 else "a generation is no more"
        raise KeyFileError(f"generation {generation}: write {lowest} to {keyfiles.GENERATION_MAX}; {reason}")
    if not region.get("coordinator"):
        raise KeyFileError(f"{region_path}: no coordinator yet; type first: steunpunt keys coordinator {region_path}")
    private = X25519PrivateKey.from_private_bytes(keyfiles.decoded(region_path, region, "region_private", 32))
    keys, base = folder / _SITE_FILE, folder / "site"
    table = {
        "site": site,
        "generation": generation,
        "secret": encoded(site_secret(keyfiles.decoded(region_path, region, "root", 32), site, generation)),
        "region_public": encoded(private.public_key().public_bytes_raw()),
        "root_public": encoded(root_public(region_path, region)),
        "coordinator": region["coordinator"],
    }
    with keyfiles.all_or_none(folder, [keys, folder / _CHANNEL_FILE, *_tls_paths(base)]):
        keyfiles.write(keys, table)
        channel = _channel_file(region_path, region, folder)
        made = [keys, channel, *_certificate_files(region_path, region, base, str(site), [])]
        _note_site(region_path, region, site)
        return made


def _note_site(region_path: Path, region: dict[str, Any], site: int) -> None:
    """Remember that the site got a card, so that whoever revokes one that never was is warned."""
    known = region.get(SITES_KEY)
    if isinstance(known, list) and site not in known:  # a file without a list knows nothing of the cards before
        keyfiles.write(region_path, {**region, SITES_KEY: sorted({*known, site})}, replace=True)


def channel_key(region_path: Path) -> bytes:
    """Return the private channel's key (32 bytes); it counts as public: a stolen radio reveals it."""
    return keyfiles.read_channel_key(region_path)


def _channel_file(region_path: Path, region: dict[str, Any], folder: Path) -> Path:
    """Write the private channel's key for ``steunpunt radio``: in a file of its own, the radio has it anyway."""
    key = keyfiles.decoded(region_path, region, "channel_key", 32)
    keyfiles.write(folder / _CHANNEL_FILE, {"channel_key": encoded(key)})
    return folder / _CHANNEL_FILE


def root_public(path: Path, region: dict[str, Any]) -> bytes:
    """Return the offline root's public key; KeyFileError when the region's file is broken."""
    root = Ed25519PrivateKey.from_private_bytes(keyfiles.decoded(path, region, "offline_root", 32))
    return root.public_key().public_bytes_raw()


def _tls_paths(base: Path) -> list[Path]:
    """Return ``BASE.pem``, ``BASE-key.pem`` and ``region-ca.pem``."""
    return [base.with_name(f"{base.name}.pem"), base.with_name(f"{base.name}-key.pem"), base.with_name("region-ca.pem")]


def _certificate_files(
    region_path: Path, region: dict[str, Any], base: Path, name: str, hosts: list[x509.GeneralName]
) -> list[Path]:
    """Write the files of :func:`_tls_paths`."""
    authority_key, authority = _authority(region_path, region)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(_named(name), key, authority_key, authority.subject, hosts=hosts)
    crt, tls_key, ca = paths = _tls_paths(base)
    keyfiles.write_text(tls_key, _pem_key(key), keyfiles.OWNER_ONLY)
    keyfiles.write_text(crt, _pem(certificate), _READABLE)
    keyfiles.write_text(ca, _pem(authority), _READABLE)
    return paths


def _authority(path: Path, region: dict[str, Any]) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    try:
        key = serialization.load_pem_private_key(region["authority_key"].encode(), None)
        certificate = x509.load_pem_x509_certificate(region["authority"].encode())
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise KeyFileError(f"{path}: the region's authority is missing or broken; use the region's own file") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyFileError(f"{path}: the region's authority key is of another kind; use the region's own file")
    return key, certificate


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _named(name: str) -> x509.Name:
    cut = name.encode()[:_COMMON_NAME_BYTES_MAX].decode(errors="ignore")  # what is ignored is half a character
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cut)])


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    authority_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    *,
    ca: bool = False,
    hosts: list[x509.GeneralName] | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_UNTIL)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=0 if ca else None), critical=True)
        .add_extension(_key_usage(ca=ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        # Python 3.13 and OpenSSL's strict mode want the issuer's, too.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    if not ca:
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    """Return the usage of an authority (signs certificates) or of a TLS end (signs handshakes)."""
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.fullmatch(host):
            raise KeyFileError(f"host {host!r}: write a name such as kazerne.example, or an address") from None
        return x509.DNSName(host)


def _pem_key(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
