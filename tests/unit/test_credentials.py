"""Keys that only the units can read: sealed by systemd's own program, found by the node, and put back."""

import os
import re
import shutil
from pathlib import Path

import pytest

from steunpunt import keyfiles
from steunpunt.credentials import NAMES, WITH_KEYS, is_sealed, place, seal, unseal
from steunpunt.model import KeyFileError

UNITS = Path(__file__).parents[2] / "systemd"
needs_systemd_creds = pytest.mark.skipif(
    shutil.which("systemd-creds") is None or os.geteuid() != 0, reason="sealing needs systemd 250 and root"
)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "ledger.key"
    path.parent.mkdir()
    keyfiles.write(path, {"ledger_key": keyfiles.encoded(bytes(range(32)))})
    return path


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a store of its own, sealed by a key of its own: nothing of this machine's is touched."""
    monkeypatch.setenv("SYSTEMD_CREDENTIAL_SECRET", str(tmp_path / "credential.secret"))
    return tmp_path / "store"


def test_the_units_ask_for_exactly_the_names_that_are_known() -> None:
    asked = {
        name: set(re.findall(r"(?m)^LoadCredentialEncrypted=(\S+)$", (UNITS / name).read_text("utf-8")))
        for name in ("steunpunt-node.service", "steunpunt-web.service")
    }
    assert asked == {"steunpunt-node.service": set(NAMES), "steunpunt-web.service": {"ledger.key"}}


def test_a_key_that_systemd_hands_over_is_read_and_an_open_one_goes_before_it(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "credentials"
    given.mkdir()
    keyfiles.write(given / key.name, {"ledger_key": keyfiles.encoded(bytes(32))})
    (given / key.name).chmod(0o440)  # as systemd does where it lets a user in by an access list
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    assert keyfiles.read_ledger_key(key) == bytes(range(32))
    key.unlink()
    assert keyfiles.read_ledger_key(key) == bytes(32)
    assert place(tmp_path / "other.keys") == (tmp_path / "other.keys", False)
    (given / key.name).unlink()
    with pytest.raises(KeyFileError, match="cannot be read"):
        keyfiles.read_ledger_key(key)


def test_who_may_not_look_into_the_store_is_told_no_more_than_that(key: Path) -> None:
    key.unlink()
    assert not is_sealed(key, Path("/", "x" * 300)), "the system refuses to say"


@needs_systemd_creds
def test_a_key_is_sealed_and_put_back(key: Path, store: Path) -> None:
    content = key.read_bytes()
    assert list(seal([key], "host", store)) == [store / key.name]
    assert [path.name for path in store.iterdir()] == ["ledger.key"]
    assert keyfiles.encoded(bytes(range(32))).encode() not in (store / key.name).read_bytes()
    assert not key.exists()
    assert is_sealed(key, store)
    assert list(unseal([key], store)) == [key]
    assert (key.read_bytes(), key.stat().st_mode & 0o777) == (content, 0o600)
    assert list(store.iterdir()) == []


@needs_systemd_creds
def test_what_cannot_be_sealed_or_unsealed_stays_as_it_is(key: Path, store: Path, tmp_path: Path) -> None:
    content = key.read_bytes()
    with pytest.raises(KeyFileError, match=r"systemd-creds encrypt: .*run as root"):
        list(seal([key], "null-and-void", store))
    other = key.with_name("my.keys")
    with pytest.raises(KeyFileError, match=r"my.keys: the units ask for site.keys"):
        list(seal([other, key], "host", store))
    assert (key.read_bytes(), list(store.iterdir())) == (content, [])

    list(seal([key], "host", store))
    (tmp_path / "credential.secret").unlink()  # as on another device
    with pytest.raises(KeyFileError, match=r"systemd-creds decrypt: .*on the device that sealed it"):
        list(unseal([key], store))
    assert is_sealed(key, store)


def test_each_way_to_seal_is_one_that_the_command_offers() -> None:
    from steunpunt.keycommands import keys_seal  # noqa: PLC0415

    (choice,) = (option.type for option in keys_seal.params if option.name == "with_key")
    assert tuple(getattr(choice, "choices", ())) == WITH_KEYS
