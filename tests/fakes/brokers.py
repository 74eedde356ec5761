"""Real mosquittos made from the generated files, and the certificates they want."""

import datetime as dt
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steunpunt.brokerconfig import SALT_BYTES, Account, Places, generate
from steunpunt.config import Broker, Config, Control, Keys, Ledger, Radio, Region, Site
from steunpunt.model import Role

NODE_PASSWORD, READER_PASSWORD, INTEGRATOR_PASSWORD = "node-secret", "reader-secret", "integrator-secret"
PASSWORDS = {"steunpunt": NODE_PASSWORD, "reader": READER_PASSWORD, "integrator": INTEGRATOR_PASSWORD}
Wait = Callable[..., None]


def site_config(role: Role, site_id: int, broker: Broker) -> Config:
    return Config(
        site=Site(role=role, id=site_id, name="Buurthuis", place="Kerkplein 1"),
        region=Region(name="Zuid", coordinator=1, coordinator_name="Kazerne", fallback_address="Weg 1"),
        keys=Keys(file="site.keys"),
        radio=Radio(kind="none"),
        broker=broker,
        ledger=Ledger(path="ledger.db"),
        control=Control(socket="node.sock"),
    )


class Mosquitto:
    """One broker in a folder of its own; stopped and killed by its own process only."""

    def __init__(self, config: Config, folder: Path, wait_until: Wait) -> None:
        self.config, self.folder, self._wait_until = config, folder, wait_until
        self._process: subprocess.Popen[bytes] | None = None
        self.password_file = folder / "node.password"

    def write(self, node_password: str = NODE_PASSWORD) -> None:
        files, data = self.folder / "files", self.folder / "data"
        for folder in (files, data):
            folder.mkdir(exist_ok=True, parents=True)
        accounts = {
            "steunpunt": Account(node_password, bytes(SALT_BYTES)),
            "reader": Account(READER_PASSWORD, b"r" * SALT_BYTES),
            "integrator": Account(INTEGRATOR_PASSWORD, b"i" * SALT_BYTES),
        }
        for name, text in generate(self.config, Places(str(files), str(data), "root"), accounts).items():
            (files / name).write_text(text, "utf-8")
        self.password_file.write_text(f"{NODE_PASSWORD}\n", "utf-8")

    def start(self, *, file_bytes_max: int | None = None) -> None:
        """Start it; with ``file_bytes_max`` no file of its can grow beyond, as on a full disk."""
        program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            pytest.fail("mosquitto is not installed; type: make test, or apt-get install mosquitto")
        with (self.folder / "log").open("ab") as log:
            conf = str(self.folder / "files" / "mosquitto.conf")
            command = [program, "-c", conf]
            if file_bytes_max is not None:  # ignored signals stay ignored, so that a write fails instead
                limit = f'trap \'\' XFSZ; ulimit -f {file_bytes_max // 512}; exec "$0" "$@"'
                command = ["/bin/sh", "-c", limit, *command]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_until(self._listens, 10, "mosquitto listens")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.config.broker.port), 1):
            return True
        return False

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def logged(self, words: str) -> bool:
        return words in self.log

    def freeze(self) -> None:
        """Let it hang: it takes bytes and answers nothing, until it is killed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """Take it away as a loss of power would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it as systemd would: it saves what it holds."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@contextmanager
def mosquitto(config: Config, folder: Path, wait_until: Wait) -> Iterator[Mosquitto]:
    folder.mkdir(parents=True, exist_ok=True)
    broker = Mosquitto(config, folder, wait_until)
    broker.write()
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


@dataclass(frozen=True)
class Certificate:
    ca: str
    certificate: str
    key: str


class Authority:
    """A certificate authority that lives as long as the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "region")])
        self._ca = self._sign(self._name, self._key.public_key(), is_ca=True)
        self._write("ca.pem", self._ca.public_bytes(serialization.Encoding.PEM))

    def issue(self, common_name: str) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate = self._sign(name, key.public_key(), is_ca=False)
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        return Certificate(
            str(self._folder / "ca.pem"),
            self._write(f"{common_name}.pem", certificate.public_bytes(pem)),
            self._write(f"{common_name}.key", key.private_bytes(pem, form, plain)),
        )

    def _sign(self, name: x509.Name, key: ec.EllipticCurvePublicKey, *, is_ca: bool) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name: str, data: bytes) -> str:
        path = self._folder / name
        path.write_bytes(data)
        return str(path)
