"""Keys that only a site's units can read: systemd's credentials, sealed to this device (docs/adr/0031).

A key file lies open under ``/etc/steunpunt``, or sealed under the same name in systemd's store. Of the latter systemd
hands a unit what it unsealed in ``$CREDENTIALS_DIRECTORY``, in memory that is never swapped, for that unit alone. An
open file goes before a sealed one: it is what a person put there last.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from steunpunt.durable import sync
from steunpunt.model import KeyFileError

NAMES = ("site.keys", "coordinator.keys", "ledger.key")
"""What the units ask for: ``LoadCredentialEncrypted=`` in systemd/*.service."""
STORE = Path("/etc/credstore.encrypted")
"""Where systemd looks for them."""
WITH_KEYS = ("auto", "host", "tpm2", "host+tpm2")
SEAL_S_MAX = 30
_OPEN_MODE = 0o600


def place(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Path, bool]:
    """Return where a key file is read, and whether systemd handed it over: then it is the unit's, whatever its mode."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder is not None and path.name in NAMES and not os.path.lexists(path):
        given = Path(folder) / path.name
        if given.exists():
            return given, True
    return path, False


def is_sealed(path: Path, store: Path = STORE) -> bool:
    """Return whether only the sealed one is there; False too for who may not look."""
    if path.name not in NAMES or os.path.lexists(path):
        return False
    try:
        return (store / path.name).exists()
    except OSError:  # the store is root's
        return False


def seal(paths: list[Path], with_key: str, store: Path = STORE) -> Iterator[Path]:
    """Seal each open key file for this device, read it back, and only then delete the open one; yields the sealed ones.

    ``with_key``: one of WITH_KEYS. Raises KeyFileError with the mend; then that file and those after it are still open.
    """
    for path in _nameable(paths):
        target, new = store / path.name, store / f".{path.name}.new"
        try:
            store.mkdir(mode=0o700, parents=True, exist_ok=True)
            content = path.read_bytes()
            new.unlink(missing_ok=True)
            _systemd_creds("encrypt", f"--with-key={with_key}", f"--name={path.name}", str(path), str(new))
            if _unsealed(new, path.name) != content:
                raise KeyFileError(f"{path}: what was sealed is not what is read back; the file was left as it is")
            sync(new)
            new.replace(target)
            sync(store)
            path.unlink()
            sync(path.parent)
        except OSError as error:
            mend = "run as root, and see that both folders can be written"
            raise KeyFileError(f"{error.filename}: {error.strerror}; {mend}") from error
        yield target


def unseal(paths: list[Path], store: Path = STORE) -> Iterator[Path]:
    """Put each key file back where the config names it, for its owner alone, and delete the sealed one; yields them.

    Raises KeyFileError with the mend; then the sealed one is still there.
    """
    for path in _nameable(paths):
        source, new = store / path.name, path.with_name(f".{path.name}.new")
        try:
            content = _unsealed(source, path.name)
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OPEN_MODE), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            sync(path.parent)
            source.unlink()
            sync(store)
        except OSError as error:
            mend = "run as root, and see that both folders can be written"
            raise KeyFileError(f"{error.filename}: {error.strerror}; {mend}") from error
        yield path


def _nameable(paths: list[Path]) -> list[Path]:
    for path in paths:
        if path.name not in NAMES:
            raise KeyFileError(f"{path}: the units ask for {', '.join(NAMES)}; give the file one of these names")
    return paths


def _unsealed(sealed: Path, name: str) -> bytes:
    return _systemd_creds("decrypt", f"--name={name}", str(sealed), "-")


def _systemd_creds(*words: str) -> bytes:
    """Run systemd's own program and return what it printed; KeyFileError with its words when it refuses."""
    import subprocess  # noqa: PLC0415  a node needs none of this

    try:
        done = subprocess.run(  # noqa: S603  the system's own program, without a shell
            ["systemd-creds", *words],  # noqa: S607  wherever the system has it
            capture_output=True,
            timeout=SEAL_S_MAX,
            check=False,
        )
    except FileNotFoundError as error:
        raise KeyFileError("systemd-creds is not there: it comes with systemd 250; leave the keys in files") from error
    except subprocess.TimeoutExpired as error:
        raise KeyFileError(f"systemd-creds did not end within {SEAL_S_MAX} s; is there a TPM that hangs?") from error
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise KeyFileError(f"systemd-creds {words[0]}: {told[-1]}; run as root, on the device that sealed it")
    return done.stdout
