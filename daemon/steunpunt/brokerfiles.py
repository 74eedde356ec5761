"""Writes mosquitto's files for a site, with passwords drawn once and kept."""

import os
import secrets
import shutil
from pathlib import Path

from steunpunt.brokerconfig import PASSWORD_FILE, SALT_BYTES, Account, Places, RunAs, generate
from steunpunt.config import INTEGRATOR_USER, READER_USER, Config
from steunpunt.model import ConfigError

PASSWORD_RANDOM_BYTES = 24
_READER_FILE = "reader.password"
_INTEGRATOR_FILE = "integrator.password"
_OWNER_ONLY = 0o600


def write_files(config: Config, folder: Path, run_as: RunAs = "mosquitto") -> list[Path]:
    """Write the broker's files into ``folder`` and return their paths.

    The node's password is read from ``broker.password_file``, or drawn and written there; a password for integrators is
    kept beside the files, and with ``[broker.downlink]`` one for those who may send. Run again, it keeps them. Raises
    ConfigError when a file cannot be written.
    """
    if config.broker.password_file is None:
        raise ConfigError('key `broker.password_file` is missing; add it (password_file = "broker.password")')
    data = folder / "data"
    try:
        data.mkdir(parents=True, exist_ok=True)
        accounts = {
            config.broker.username: _account(Path(config.broker.password_file)),
            READER_USER: _account(folder / _READER_FILE),
        }
        if config.broker.downlink is not None:
            accounts[INTEGRATOR_USER] = _account(folder / _INTEGRATOR_FILE)
        files = generate(config, Places(str(folder), str(data), run_as), accounts)
        for name, text in files.items():
            _write(folder / name, text, _OWNER_ONLY if name == PASSWORD_FILE else 0o644)
        if run_as != "root":
            _give(run_as, [data, folder / PASSWORD_FILE, *_tls_keys(config)])
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; choose a folder that you may write to") from error
    return [folder / name for name in files]


def _tls_keys(config: Config) -> list[Path]:
    ends = (config.broker.bridge, config.broker.region_listener)
    return [Path(end.key_file) for end in ends if end is not None and Path(end.key_file).exists()]


def _give(user: str, paths: list[Path]) -> None:
    """Make mosquitto's user the owner of what it alone may read or write; only root can."""
    if os.geteuid() != 0:
        return
    try:
        for path in paths:
            shutil.chown(path, user)
    except LookupError as error:
        raise ConfigError(f"there is no user {user} here; install mosquitto first, or type --run-as root") from error


def _account(path: Path) -> Account:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, secrets.token_urlsafe(PASSWORD_RANDOM_BYTES) + "\n", _OWNER_ONLY)
    return Account(path.read_text(encoding="utf-8").strip(), secrets.token_bytes(SALT_BYTES))


def _write(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
