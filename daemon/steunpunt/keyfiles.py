"""The key files: what lies on a card, at a coordinator, and in the region's safe.

TOML, readable by their owner only (the ledger's key also by its group: node and desk share it). A file that is
missing, open to others, or broken is a KeyFileError with the mend.
"""

import base64
import binascii
import os
import tomllib
from pathlib import Path
from typing import Any

from steunpunt.model import KeyFileError
from steunpunt.protocol.keys import CoordinatorIdentity, CoordinatorKeys, SiteKeys

OWNER_ONLY = 0o600
OWNER_AND_GROUP = 0o640
FILE_BYTES_MAX = 65_536


def read_site(path: Path) -> SiteKeys:
    """Read a kiosk's key file."""
    data = _read(path, OWNER_ONLY)
    return SiteKeys(
        site=_number(path, data, "site"),
        generation=_number(path, data, "generation"),
        secret=_bytes(path, data, "secret", 32),
        region_public=_bytes(path, data, "region_public", 32),
        root_public=_bytes(path, data, "root_public", 32),
        coordinators=tuple(_identity(path, entry) for entry in data.get("coordinator", [])),
    )


def read_coordinator(path: Path) -> CoordinatorKeys:
    """Read a coordinator's key file."""
    data = _read(path, OWNER_ONLY)
    return CoordinatorKeys(
        coordinator=_number(path, data, "coordinator_id"),
        root=_bytes(path, data, "root", 32),
        region_private=_bytes(path, data, "region_private", 32),
        news_private=_bytes(path, data, "news_private", 32),
        root_public=_bytes(path, data, "root_public", 32),
        identity=_identity(path, data.get("identity", {})),
        generations=tuple(data.get("generations", [1])),
    )


def read_ledger_key(path: Path) -> bytes:
    """Read the key that content at a coordinator is kept under."""
    return _bytes(path, _read(path, OWNER_AND_GROUP), "ledger_key", 32)


def read_region(path: Path) -> dict[str, Any]:
    """Read the region's own key file, from which all others are made."""
    return _read(path, OWNER_ONLY)


def write(path: Path, data: dict[str, Any], mode: int = OWNER_ONLY, *, replace: bool = False) -> None:
    """Write a key file with ``mode`` from its first byte on; refuses to overwrite unless ``replace``."""
    if path.exists() and not replace:
        raise KeyFileError(f"{path} exists already; move it away first, a key that is overwritten is gone for good")
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(_toml(data))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def identity_table(identity: CoordinatorIdentity) -> dict[str, Any]:
    """Return a coordinator's identity as it stands in key files."""
    return {
        "id": identity.coordinator,
        "news_public": encoded(identity.news_public),
        "signature": encoded(identity.signature),
    }


def encoded(value: bytes) -> str:
    """Return bytes as they stand in key files."""
    return base64.b64encode(value).decode()


def decoded(path: Path, data: dict[str, Any], key: str, length: int) -> bytes:
    """Return the bytes of a key; KeyFileError when missing or of another length."""
    return _bytes(path, data, key, length)


def _read(path: Path, mode_max: int) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode & 0o777
        if mode & ~mode_max:
            raise KeyFileError(f"{path}: others may read it (mode {mode:03o}); type: chmod {mode_max:o} {path}")
        raw = path.read_bytes()[:FILE_BYTES_MAX]
    except OSError as error:
        mend = "make it with `steunpunt keys …`, or correct the path in the config"
        raise KeyFileError(f"{path}: cannot be read ({error.strerror}); {mend}") from error
    try:
        return tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KeyFileError(f"{path}: is not a key file ({error}); make it again with `steunpunt keys …`") from error


def _bytes(path: Path, data: dict[str, Any], key: str, length: int) -> bytes:
    try:
        value = base64.b64decode(data[key], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise KeyFileError(
            f"{path}: `{key}` is missing or broken; make the file again with `steunpunt keys …`"
        ) from error
    if len(value) != length:
        raise KeyFileError(f"{path}: `{key}` has {len(value)} bytes, not {length}; make the file again")
    return value


def _number(path: Path, data: dict[str, Any], key: str) -> int:
    value = data.get(key)
    if not isinstance(value, int):
        raise KeyFileError(f"{path}: `{key}` is missing or no number; is this the right kind of key file?")
    return value


def _identity(path: Path, data: dict[str, Any]) -> CoordinatorIdentity:
    return CoordinatorIdentity(
        _number(path, data, "id"), _bytes(path, data, "news_public", 32), _bytes(path, data, "signature", 64)
    )


def _toml(data: dict[str, Any]) -> str:
    """Write flat TOML: numbers, strings, lists of numbers, one level of tables, lists of tables."""
    lines = ["# Secret. Made by `steunpunt keys`; keep it off mail, chat and version control."]
    lines += [f"{key} = {_value(value)}" for key, value in data.items() if not _is_table(value)]
    for key, value in data.items():
        if isinstance(value, dict):
            lines += ["", f"[{key}]", *(f"{k} = {_value(v)}" for k, v in value.items())]
        elif _is_table(value):
            for entry in value:
                lines += ["", f"[[{key}]]", *(f"{k} = {_value(v)}" for k, v in entry.items())]
    return "\n".join(lines) + "\n"


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    return str(value)
