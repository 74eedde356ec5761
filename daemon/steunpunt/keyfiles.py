"""The key files: what lies on a card, at a coordinator, and in the region's safe.

TOML, readable by their owner only (the ledger's key also by its group: node and desk share it). A file that is
missing, open to others, or broken is a KeyFileError with the mend.
"""

import base64
import binascii
import contextlib
import errno
import json
import os
import tomllib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from msgspec import Struct

from steunpunt import credentials
from steunpunt.durable import sync
from steunpunt.model import COORDINATOR_ID_MAX, SITE_ID_MAX, KeyFileError
from steunpunt.protocol.authority import merged
from steunpunt.protocol.keys import CoordinatorIdentity, CoordinatorKeys, SiteKeys
from steunpunt.protocol.passwordhash import SALT_BYTES, Hash, hashed, parse

OWNER_ONLY = 0o600
OWNER_AND_GROUP = 0o640
EVERYBODY = 0o644
FILE_BYTES_MAX = 65_536
NOTICES_MAX = 64
OLDER_REGION_KEYS_MAX = 3
"""Most region keys before the present one by which a coordinator still opens epochs."""
GENERATION_MAX = 255
SITES_KEY = "sites_made"
"""In the region's key file: the ids that got a card; not in files that were made before there was such a list."""
_BROKEN_MEND = "put back a copy; only a site's file can be made again, with `steunpunt keys site`"


class _Kind(Struct, frozen=True):
    """A kind of key file: the key that only it has, its name, which file is meant, and what makes it."""

    mark: str
    name: str
    own: str
    maker: str


_SITE = _Kind("site", "a site's key file", "the site's own, such as site.keys", "steunpunt keys site")
_COORDINATOR = _Kind(
    "coordinator_id",
    "a coordinator's key file",
    "the coordinator's own, such as coordinator.keys",
    "steunpunt keys coordinator",
)
_LEDGER = _Kind(
    "ledger_key", "a ledger's key file", "the ledger's own, such as ledger.key", "steunpunt keys coordinator"
)
_REGION = _Kind("offline_root", "a region's key file", "the region's own, such as region.keys", "steunpunt keys region")
_CHANNEL = _Kind("channel_key", "a channel's key file", "the site's channel.key", "steunpunt keys site")
_NOTICES = _Kind("region_notices", "a file of notices", "one made by it", "steunpunt keys revoke")
_CHANGE = _Kind("changed_holder", "a changed key's file", "one made by it", "steunpunt keys rotate")
_STAFF = _Kind("staff_pin", "a staff PIN's file", "the site's own, such as staff.pin", "steunpunt keys staff-pin")
_KINDS = (_SITE, _COORDINATOR, _LEDGER, _REGION, _NOTICES, _CHANGE, _STAFF)
PIN_DIGITS_MIN, PIN_DIGITS_MAX = 6, 12


def read_site(path: Path) -> SiteKeys:
    """Read a kiosk's key file."""
    data = _read(path, OWNER_ONLY, _SITE)
    root_public = _bytes(path, data, "root_public", 32)
    return SiteKeys(
        site=_number(path, data, "site", SITE_ID_MAX),
        generation=_number(path, data, "generation", GENERATION_MAX),
        secret=_bytes(path, data, "secret", 32),
        region_public=_bytes(path, data, "region_public", 32),
        root_public=root_public,
        coordinators=tuple(_identity(path, entry, root_public) for entry in _list(path, data, "coordinator")),
        notices=notices_in(path, data, "notices", root_public),
    )


def read_coordinator(path: Path) -> CoordinatorKeys:
    """Read a coordinator's key file."""
    data = {"generations": [1], **_read(path, OWNER_ONLY, _COORDINATOR)}
    root_public = _bytes(path, data, "root_public", 32)
    return CoordinatorKeys(
        coordinator=_number(path, data, "coordinator_id", COORDINATOR_ID_MAX),
        root=_bytes(path, data, "root", 32),
        region_private=_bytes(path, data, "region_private", 32),
        news_private=_bytes(path, data, "news_private", 32),
        root_public=root_public,
        identity=_identity(path, data.get("identity"), root_public),
        generations=tuple(_ranged(path, "generations", g, GENERATION_MAX) for g in _list(path, data, "generations")),
        older_region_privates=older_region_keys(path, data),
        notices=notices_in(path, data, "notices", root_public),
    )


def is_kiosks(path: Path) -> bool:
    """Return whether this is a kiosk's key file rather than a coordinator's; KeyFileError for any other."""
    return _SITE.mark in _read(path, OWNER_ONLY, _COORDINATOR, _SITE)


def read_table(path: Path) -> dict[str, Any]:
    """Read a coordinator's or a kiosk's key file as it stands, to be changed and written again."""
    return _read(path, OWNER_ONLY, _COORDINATOR, _SITE)


def read_ledger_key(path: Path) -> bytes:
    """Read the key that content at a coordinator is kept under."""
    return _bytes(path, _read(path, OWNER_AND_GROUP, _LEDGER), "ledger_key", 32)


def read_channel_key(path: Path) -> bytes:
    """Read the private channel's key; the region's file holds it too. It counts as public: a radio gives it away."""
    return _bytes(path, _read(path, OWNER_ONLY, _CHANNEL), "channel_key", 32)


def read_staff_pin(path: Path) -> Hash:
    """Read what is kept of the PIN of a point's staff."""
    found = parse(str(_read(path, OWNER_ONLY, _STAFF).get(_STAFF.mark, "")))
    if found is None:
        raise KeyFileError(f"{path}: `{_STAFF.mark}` is missing or broken; set it again with `{_STAFF.maker}`")
    return found


def write_staff_pin(path: Path, pin: str) -> None:
    """Keep a PIN's scrypt hash in place of the one before; raises KeyFileError for one that is easily guessed."""
    if not (pin.isascii() and pin.isdecimal() and PIN_DIGITS_MIN <= len(pin) <= PIN_DIGITS_MAX):
        raise KeyFileError(f"a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits and nothing else; choose another")
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    if len(steps) == 1 and steps <= {0, 1, 9}:
        raise KeyFileError("digits that are all the same, or count up or down, are tried first; choose another PIN")
    owner = path.stat() if path.exists() and os.geteuid() == 0 else None
    write(path, {_STAFF.mark: hashed(pin, os.urandom(SALT_BYTES))}, replace=True)
    if owner is not None:  # a technician who is root must not take the file from the node
        os.chown(path, owner.st_uid, owner.st_gid)


def older_region_keys(path: Path, data: dict[str, Any]) -> tuple[bytes, ...]:
    """Return the region's private keys before the present one, newest first; none in a file that names none."""
    older = data.get("older_region_private", [])
    if not isinstance(older, list) or len(older) > OLDER_REGION_KEYS_MAX:
        raise KeyFileError(f"{path}: `older_region_private` is no list of keys; {_BROKEN_MEND}")
    return tuple(_bytes(path, {"older_region_private": key}, "older_region_private", 32) for key in older)


def notices_in(path: Path, data: dict[str, Any], key: str, root_public: bytes) -> tuple[bytes, ...]:
    """Return the packets under ``key``, each signed by the region's offline root; none when the key is not there."""
    texts = data.get(key, [])
    if not isinstance(texts, list) or len(texts) > NOTICES_MAX:
        raise KeyFileError(f"{path}: `{key}` is no list of at most {NOTICES_MAX} notices; {_BROKEN_MEND}")
    try:
        return merged([base64.b64decode(text, validate=True) for text in texts], root_public)
    except (TypeError, ValueError) as error:
        raise KeyFileError(f"{path}: `{key}`: {error}; make the file anew where region.keys lies") from error


def read_notices(path: Path, root_public: bytes) -> tuple[bytes, ...]:
    """Read a file of notices: words of the region's offline root, public. Raises KeyFileError for a file with none."""
    table = _read(path, EVERYBODY, _NOTICES)
    if not table.get(_NOTICES.mark):  # or another file would pass for one that holds nothing new
        raise KeyFileError(f"{path}: is no notice; give the file that `steunpunt keys revoke` or `rotate` wrote")
    return notices_in(path, table, _NOTICES.mark, root_public)


def write_notices(path: Path, notices: Iterable[bytes]) -> None:
    """Write a file of notices, for everybody to read; refuses to overwrite."""
    write(path, {_NOTICES.mark: [encoded(packet) for packet in notices]}, EVERYBODY)


def read_change(path: Path) -> dict[str, Any]:
    """Read the file that brings a coordinator a private key that changed."""
    return _read(path, OWNER_ONLY, _CHANGE)


def brings_a_key(path: Path) -> bool:
    """Return whether this is the file of a changed key rather than one of notices; KeyFileError for any other."""
    data = _read(path, EVERYBODY, _NOTICES, _CHANGE)
    return _CHANGE.mark in data


def read_region(path: Path) -> dict[str, Any]:
    """Read the region's own key file, from which all others are made."""
    return _read(path, OWNER_ONLY, _REGION)


def write(path: Path, data: dict[str, Any], mode: int = OWNER_ONLY, *, replace: bool = False) -> None:
    """Write a key file as :func:`write_text` does; refuses to overwrite unless ``replace``."""
    if not replace:
        refuse_existing([path])
    write_text(path, _toml(data, secret=mode != EVERYBODY), mode)


def refuse_existing(paths: Iterable[Path]) -> None:
    """Raise KeyFileError when one of these is there already: so that all are written or none."""
    for path in paths:
        if os.path.lexists(path):
            raise KeyFileError(f"{path} exists already; move it away first, a key that is overwritten is gone for good")


def write_text(path: Path, text: str, mode: int) -> None:
    """Write a whole file or nothing, with ``mode`` from its first byte on; raises KeyFileError when it cannot.

    After a power cut the old file is there, or the new one: never half of one.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written ({error.strerror}); {write_mend(error)}") from error
    finally:
        with contextlib.suppress(OSError):  # after the replace it is gone; a half of it is a secret nobody looks after
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def all_or_none(folder: Path, paths: Iterable[Path]) -> Iterator[None]:
    """Make the folder for new files; when the body fails, remove what it wrote of them, and a folder that was new.

    Raises KeyFileError when one of the files is there already, or the folder cannot be made.
    """
    to_be_made = list(paths)
    refuse_existing(to_be_made)
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(f"{folder}: cannot be made ({error.strerror}); {write_mend(error)}") from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for path in to_be_made:
                path.unlink(missing_ok=True)
            if new:
                folder.rmdir()
        raise


def write_mend(error: OSError) -> str:
    """Return what to do about a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full: free some of it and type the command again"
    if error.errno == errno.EROFS:
        return "the disk is read-only: use another one, or mount it writable"
    return "choose a folder that is yours"


def read_mend(error: OSError, maker: str) -> str:
    """Return what to do about a file that could not be read; ``maker`` is the command that makes such a file."""
    if isinstance(error, PermissionError):
        return "it is there, so do not make it anew: run as the right user, or type: systemd-tmpfiles --create"
    return f"make it with `{maker}`, or correct the path in the config"


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


def _read(path: Path, mode_max: int, kind: _Kind, *also: _Kind) -> dict[str, Any]:
    source, handed_over = credentials.place(path)
    try:
        mode = source.stat().st_mode & 0o777
        if mode & ~mode_max and not handed_over:
            raise KeyFileError(f"{path}: others may read it (mode {mode:03o}); type: chmod {mode_max:o} {path}")
        with source.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        if credentials.is_sealed(path):
            mend = "to read or change it: sudo steunpunt keys unseal /etc/steunpunt/site.toml"
            raise KeyFileError(f"{path}: is sealed, and only this site's units are handed it; {mend}") from error
        mend = read_mend(error, kind.maker)
        raise KeyFileError(f"{path}: cannot be read ({error.strerror}); {mend}") from error
    if len(raw) > FILE_BYTES_MAX:
        raise KeyFileError(f"{path}: is not a key file (more than {FILE_BYTES_MAX} bytes); correct the path")
    try:
        data = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KeyFileError(f"{path}: is not a key file ({error}); {_BROKEN_MEND}") from error
    other = next((other for other in _KINDS if other.mark in data), kind)
    if not any(one.mark in data for one in (kind, *also)) and other is not kind:
        raise KeyFileError(f"{path}: this is {other.name}; use {kind.own}")
    return data


def _bytes(path: Path, data: dict[str, Any], key: str, length: int) -> bytes:
    try:
        value = base64.b64decode(data[key], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise KeyFileError(f"{path}: `{key}` is missing or broken; {_BROKEN_MEND}") from error
    if len(value) != length:
        raise KeyFileError(f"{path}: `{key}` has {len(value)} bytes, not {length}; {_BROKEN_MEND}")
    return value


def _number(path: Path, data: dict[str, Any], key: str, most: int) -> int:
    return _ranged(path, key, data.get(key), most)


def _ranged(path: Path, key: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise KeyFileError(f"{path}: `{key}` is missing or no number; is this the right kind of key file?")
    if not 1 <= value <= most:
        raise KeyFileError(f"{path}: `{key}` is {value}, not 1 to {most}; {_BROKEN_MEND}")
    return value


def _list(path: Path, data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list) or not value:
        raise KeyFileError(f"{path}: `{key}` is missing or empty; {_BROKEN_MEND}")
    return value


def _identity(path: Path, entry: object, root_public: bytes) -> CoordinatorIdentity:
    if not isinstance(entry, dict):
        raise KeyFileError(f"{path}: a coordinator's identity is missing; is this the right kind of key file?")
    identity = CoordinatorIdentity(
        _number(path, entry, "id", COORDINATOR_ID_MAX),
        _bytes(path, entry, "news_public", 32),
        _bytes(path, entry, "signature", 64),
    )
    if not identity.trusted(root_public):
        number = identity.coordinator
        raise KeyFileError(f"{path}: the region's root does not vouch for coordinator {number}; {_BROKEN_MEND}")
    return identity


def _toml(data: dict[str, Any], *, secret: bool = True) -> str:
    """Write flat TOML: numbers, strings, lists of numbers, one level of tables, lists of tables."""
    kept = "Secret. Made by `steunpunt keys`; keep it off mail, chat and version control."
    lines = [f"# {kept}" if secret else "# Public. Made by `steunpunt keys`, signed by the region's offline root."]
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
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # a basic string of TOML, too
    return str(value)
