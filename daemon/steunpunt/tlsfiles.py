"""Whether the TLS files that a config names can work together.

mosquitto finds out only when the other end refuses it, and then says no more than that a handshake failed.
"""

from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from steunpunt.config import Bridge, Config, RegionListener
from steunpunt.keyfiles import read_mend

FILE_BYTES_MAX = 65_536
_SITE_MAKER, _COORDINATOR_MAKER = "steunpunt keys site", "steunpunt keys coordinator"


class _Broken(Exception):
    """What is wrong with one key of the config; the message is that line without the key."""


def problems(config: Config) -> Iterator[str]:
    """Give what is wrong with the files of ``broker.bridge`` and ``broker.region_listener``, with key and mend."""
    site = config.site.id
    if config.broker.bridge is not None:
        yield from _End("broker.bridge", config.broker.bridge, site, _SITE_MAKER).problems()
    if config.broker.region_listener is not None:
        yield from _End("broker.region_listener", config.broker.region_listener, site, _COORDINATOR_MAKER).problems()


class _End:
    """One end of the region's TLS: its three files are looked at one by one, then together."""

    def __init__(self, section: str, end: Bridge | RegionListener, site: int, maker: str) -> None:
        self._section, self._end, self._site, self._maker = section, end, site, maker
        self._certificate: x509.Certificate | None = None

    def problems(self) -> Iterator[str]:
        """Give at most one line for each of the three keys."""
        looks = {
            "certificate_file": self._look_at_certificate,
            "ca_file": self._look_at_authority,
            "key_file": self._look_at_key,
        }
        for name, look in looks.items():
            try:
                look(_read(getattr(self._end, name), self._maker))
            except _Broken as error:
                yield f"key `{self._section}.{name}`: {error}"

    def _look_at_certificate(self, raw: bytes) -> None:
        """The common name is the site's id: the region's broker gives rights by it."""
        path, site = self._end.certificate_file, self._site
        self._certificate = certificate = _certificate(raw, path, self._maker)
        names = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if names != [str(site)]:
            told = ", ".join(name if name.isprintable() else "?" for name in names) or "nobody"
            mend = f"use what `{self._maker}` made for this site"
            raise _Broken(f"{path} is of {told}, and site.id is {site}; {mend}")
        if isinstance(self._end, RegionListener) and not _serves(certificate):
            raise _Broken(f"{path} is no broker's certificate; use region.pem, which `{self._maker}` makes")

    def _look_at_authority(self, raw: bytes) -> None:
        authority = _certificate(raw, self._end.ca_file, self._maker)
        if self._certificate is None:
            return
        try:
            self._certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature) as error:
            mend = "use the region-ca.pem that was made with the certificate"
            raise _Broken(f"{self._end.ca_file} did not sign {self._end.certificate_file}; {mend}") from error

    def _look_at_key(self, raw: bytes) -> None:
        path = self._end.key_file
        try:
            public = serialization.load_pem_private_key(raw, None).public_key()
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            mend = f"use the file that `{self._maker}` made"
            raise _Broken(f"{path} holds no key that mosquitto can use; {mend}") from error
        if self._certificate is not None and _bytes_of(public) != _bytes_of(self._certificate.public_key()):
            mend = "use the two files that were made together"
            raise _Broken(f"{path} does not belong to {self._end.certificate_file}; {mend}")


def _read(path: str, maker: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(FILE_BYTES_MAX)
    except FileNotFoundError as error:
        raise _Broken(f"{path} is not there; `{maker}` makes it, or correct the path") from error
    except OSError as error:
        raise _Broken(f"{path}: cannot be read ({error.strerror}); {read_mend(error, maker)}") from error


def _certificate(raw: bytes, path: str, maker: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(raw)
    except ValueError as error:
        raise _Broken(f"{path} holds no certificate; use the file that `{maker}` made") from error


def _serves(certificate: x509.Certificate) -> bool:
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in uses


def _bytes_of(key: PublicKeyTypes) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)
