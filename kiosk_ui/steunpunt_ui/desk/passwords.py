"""The desk's people: a file of lines ``name:scrypt$n$r$p$salt$hash`` (:mod:`steunpunt.protocol.passwordhash`)."""

import os
import secrets
import stat
from pathlib import Path

from steunpunt.keyfiles import read_mend
from steunpunt.model import KeyFileError, SteunpuntError
from steunpunt.protocol import passwordhash
from steunpunt.protocol.passwordhash import CHARACTERS_MAX, NOBODY, SALT_BYTES, Hash

PASSWORD_CHARACTERS_MIN = 8
NAME_CHARACTERS_MAX = 40
_FILE_BYTES_MAX = 64 * 1024
_MODE = 0o640
_MEND = "make it with `steunpunt keys desk-password`"


class PasswordError(SteunpuntError, ValueError):
    """A name or a password that cannot be used; the message says what to choose instead."""


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Return ``scrypt$n$r$p$salt$hash`` for a password of 8 to 200 characters; PasswordError for another length."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= CHARACTERS_MAX:
        raise PasswordError(
            f"the password has {len(password)} characters; choose {PASSWORD_CHARACTERS_MIN} to {CHARACTERS_MAX}"
        )
    return passwordhash.hashed(password, secrets.token_bytes(SALT_BYTES) if salt is None else salt)


def password_line(name: str, password: str) -> str:
    """Return the line of one person for the file, without its end; PasswordError for an unusable name."""
    if not name.strip() or name != name.strip() or len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
        raise PasswordError(f"the name must be 1 to {NAME_CHARACTERS_MAX} printable characters, without spaces around")
    if ":" in name or name.startswith("#"):
        raise PasswordError("the name may not contain a colon or begin with #; leave that out")
    return f"{name}:{hash_password(password)}"


def set_password(path: Path, name: str, password: str) -> None:
    """Add a person to the file or give one a new password; the file is replaced as a whole, mode 0640.

    Raises PasswordError, and KeyFileError when the file cannot be read or written.
    """
    line = password_line(name, password)
    others = []
    if path.exists():
        others = [other for other in _read(str(path)).splitlines() if other.partition(":")[0] != name]
    try:
        _replace(path, "\n".join([*others, line]) + "\n")
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def _replace(path: Path, content: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), _MODE)
        if path.exists() and os.geteuid() == 0:
            owner = path.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def verify(password: str, stored: str) -> bool:
    """Whether a password is the one of ``scrypt$n$r$p$salt$hash``; compares in constant time."""
    found = passwordhash.parse(stored)
    return found is not None and passwordhash.matches(password, found)


def verify_person(path: str | None, name: str, password: str) -> bool:
    """Whether the file knows this name with this password; as slow for an unknown name as for a known one.

    Raises KeyFileError when the file cannot be used.
    """
    stored = check_file(path).get(name)
    return passwordhash.matches(password, stored or NOBODY) and stored is not None


def check_file(path: str | None) -> dict[str, Hash]:
    """Return the people of the file; raises KeyFileError that names what is wrong and the mend."""
    if path is None:
        raise KeyFileError(f"web.desk_passwords_file is missing in the config file; {_MEND}")
    people: dict[str, Hash] = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, stored = line.partition(":")
        found = passwordhash.parse(stored.strip())
        if not name or found is None:
            raise KeyFileError(f"{path}:{number}: not a line of the form name:scrypt$n$r$p$salt$hash; {_MEND}")
        people[name] = found
    if not people:
        raise KeyFileError(f"{path}: nobody is in it; {_MEND}")
    return people


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_FILE_BYTES_MAX).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        mend = read_mend(error, "steunpunt keys desk-password") if isinstance(error, OSError) else _MEND
        raise KeyFileError(f"{path}: cannot be read ({reason}); {mend}") from error
    if mode & stat.S_IRWXO:
        raise KeyFileError(f"{path}: its mode {mode:04o} lets everybody read it; type: chmod o= {path}")
    return content
