"""Key files: only their owner's, whole or not at all, and every defect is a sentence with the mend."""

import errno
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt import keyfiles
from steunpunt.keyfiles import encoded, identity_table
from steunpunt.model import KeyFileError
from steunpunt.protocol.keys import CoordinatorIdentity
from tests.fakes.region_keys import NEWS_PRIVATE, REGION_PRIVATE, ROOT, SITE, coordinator_keys, identity, site_keys


def site_table(**changes: Any) -> dict[str, Any]:
    keys = site_keys()
    return {
        "site": SITE,
        "generation": 1,
        "secret": encoded(keys.secret),
        "region_public": encoded(keys.region_public),
        "root_public": encoded(keys.root_public),
        "coordinator": [identity_table(identity())],
        **changes,
    }


def coordinator_table(**changes: Any) -> dict[str, Any]:
    return {
        "coordinator_id": 1,
        "root": encoded(ROOT),
        "region_private": encoded(REGION_PRIVATE),
        "news_private": encoded(NEWS_PRIVATE),
        "root_public": encoded(coordinator_keys().root_public),
        "generations": [1],
        "identity": identity_table(identity()),
        **changes,
    }


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.keys"


def test_what_is_written_is_read(path: Path, tmp_path: Path) -> None:
    keyfiles.write(path, site_table())
    assert keyfiles.read_site(path) == site_keys()
    other = tmp_path / "coordinator.keys"
    keyfiles.write(other, coordinator_table())
    assert keyfiles.read_coordinator(other) == coordinator_keys()
    ledger = tmp_path / "ledger.key"
    keyfiles.write(ledger, {"ledger_key": encoded(ROOT)}, keyfiles.OWNER_AND_GROUP)
    assert keyfiles.read_ledger_key(ledger) == ROOT
    assert [mode_of(p) for p in (path, other, ledger)] == [0o600, 0o600, 0o640]


@given(
    st.dictionaries(
        st.sampled_from(["alpha", "beta", "gamma", "delta"]),
        st.integers(-(2**60), 2**60)
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.lists(st.integers(0, 255))
        | st.dictionaries(st.sampled_from(["id", "name"]), st.text(st.characters(exclude_categories=["Cs"]))),
    )
)
def test_any_table_comes_back_as_it_was(data: dict[str, Any]) -> None:
    assert tomllib.loads(keyfiles._toml(data)) == data


# --- who may read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o601, 0o604, 0o610, 0o620, 0o640, 0o644, 0o660, 0o666, 0o777])
def test_a_file_that_others_may_touch_is_refused(path: Path, mode: int) -> None:
    keyfiles.write(path, site_table())
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:03o}.*chmod 600 {path}"):
        keyfiles.read_site(path)


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_file_of_the_owner_alone_is_fine(path: Path, mode: int) -> None:
    keyfiles.write(path, site_table())
    path.chmod(mode)
    assert keyfiles.read_site(path).site == SITE


def test_the_ledgers_key_is_for_the_group_but_not_for_all(path: Path) -> None:
    keyfiles.write(path, {"ledger_key": encoded(ROOT)}, keyfiles.OWNER_AND_GROUP)
    for mode in (0o400, 0o440, 0o600, 0o640):
        path.chmod(mode)
        assert keyfiles.read_ledger_key(path) == ROOT
    for mode in (0o644, 0o660, 0o604):
        path.chmod(mode)
        with pytest.raises(KeyFileError, match="chmod 640"):
            keyfiles.read_ledger_key(path)


def test_a_wide_umask_or_a_file_left_behind_opens_nothing(path: Path) -> None:
    left_behind = path.with_name(f".{path.name}.new")
    left_behind.write_text("of a write that was cut short")
    left_behind.chmod(0o666)
    before = os.umask(0)
    try:
        keyfiles.write(path, site_table())
    finally:
        os.umask(before)
    assert mode_of(path) == 0o600
    assert not left_behind.exists()


def test_a_link_laid_in_wait_is_not_followed(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("untouched")
    path.with_name(f".{path.name}.new").symlink_to(elsewhere)
    keyfiles.write(path, site_table())
    assert elsewhere.read_text() == "untouched"
    assert not path.is_symlink()


# --- writing ------------------------------------------------------------------------------------------------------


def test_a_key_is_not_overwritten_unasked(path: Path) -> None:
    keyfiles.write(path, site_table())
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="exists already"):
        keyfiles.write(path, site_table(site=48))
    assert path.read_bytes() == before
    keyfiles.write(path, site_table(site=48), replace=True)
    assert keyfiles.read_site(path).site == 48


def test_a_dangling_link_counts_as_being_there(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeyFileError, match="exists already"):
        keyfiles.write(path, site_table())


def test_a_write_that_fails_leaves_the_old_file(path: Path) -> None:
    keyfiles.write(path, site_table())
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        keyfiles.write_text(path, "half of it \ud800", 0o600)
    assert [left.name for left in path.parent.iterdir()] == [path.name]
    path.with_name(f".{path.name}.new").mkdir()
    with pytest.raises(KeyFileError, match="cannot be written"):
        keyfiles.write(path, site_table(site=48), replace=True)
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"away/some.keys: cannot be written \(No such file"):
        keyfiles.write(tmp_path / "away" / "some.keys", site_table())


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "choose a folder that is yours"),
    ],
)
def test_what_could_not_be_written_gets_the_mend_of_its_cause(number: int, mend: str) -> None:
    assert keyfiles.write_mend(OSError(number, os.strerror(number))).startswith(mend)


def test_of_several_files_all_or_none_are_left(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.mkdir()
    for folder in (new, old):
        with pytest.raises(KeyFileError), keyfiles.all_or_none(folder, [folder / "a", folder / "b"]):
            keyfiles.write_text(folder / "a", "written", 0o600)
            raise KeyFileError("the second cannot be written")
    assert (new.exists(), list(old.iterdir())) == (False, [])
    with keyfiles.all_or_none(new, [new / "a"]):
        keyfiles.write_text(new / "a", "written", 0o600)
    with pytest.raises(KeyFileError, match="exists already"), keyfiles.all_or_none(new, [new / "b", new / "a"]):
        raise AssertionError
    assert (new / "a").read_text() == "written"


# --- reading what is wrong ----------------------------------------------------------------------------------------


def test_a_file_of_another_user_is_not_to_be_made_again(path: Path) -> None:
    mend = keyfiles.read_mend(PermissionError(errno.EACCES, "Permission denied"), "steunpunt keys site")
    assert "do not make it anew" in mend
    assert "systemd-tmpfiles --create" in mend
    keyfiles.write(path, site_table())
    read = f"from pathlib import Path; from steunpunt import keyfiles; keyfiles.read_site(Path({str(path)!r}))"
    drop = "import os; os.geteuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534)); "
    if os.geteuid() != 0:
        path.chmod(0)
    imported = "from steunpunt import keyfiles; "  # before it may not read the program either
    told = subprocess.run([sys.executable, "-c", imported + drop + read], capture_output=True, text=True, check=False)
    assert told.stderr.splitlines()[-1].endswith(f"{path}: cannot be read (Permission denied); {mend}")


def test_a_missing_file_says_how_to_make_it(path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"No such file.*steunpunt keys"):
        keyfiles.read_site(path)
    path.mkdir(mode=0o600)
    with pytest.raises(KeyFileError, match=r"cannot be read|not a key file"):
        keyfiles.read_site(path)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"site": "47"}, "`site` is missing or no number"),
        ({"site": [47]}, "`site` is missing or no number"),
        ({"site": 65_536}, "`site` is 65536, not 1 to 65535"),
        ({"site": -1}, "`site` is -1"),
        ({"generation": 0}, "`generation` is 0, not 1 to 255"),
        ({"generation": 256}, "`generation` is 256, not 1 to 255"),
        ({"secret": "not base64!"}, "`secret` is missing or broken"),
        ({"secret": "é"}, "`secret` is missing or broken"),
        ({"secret": 5}, "`secret` is missing or broken"),
        ({"secret": encoded(bytes(31))}, "`secret` has 31 bytes, not 32"),
        ({"region_public": encoded(bytes(33))}, "`region_public` has 33 bytes, not 32"),
        ({"root_public": ""}, "`root_public` has 0 bytes"),
        ({"coordinator": []}, "`coordinator` is missing or empty"),
        ({"coordinator": "one"}, "`coordinator` is missing or empty"),
        ({"coordinator": [1]}, "a coordinator's identity is missing"),
        ({"coordinator": [{"id": 1}]}, "`news_public` is missing or broken"),
        ({"coordinator": [{**identity_table(identity()), "id": 16}]}, "`id` is 16, not 1 to 15"),
        ({"coordinator": [{**identity_table(identity()), "id": 2}]}, "does not vouch for coordinator 2"),
        ({"root_public": encoded(bytes(32))}, "does not vouch for coordinator 1"),
    ],
)
def test_a_broken_site_file_says_what_and_the_mend(path: Path, changes: dict[str, Any], why: str) -> None:
    keyfiles.write(path, site_table(**changes))
    with pytest.raises(KeyFileError, match=why) as caught:
        keyfiles.read_site(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"coordinator_id": 0}, "`coordinator_id` is 0, not 1 to 15"),
        ({"generations": ["1"]}, "`generations` is missing or no number"),
        ({"generations": "1"}, "`generations` is missing or empty"),
        ({"generations": [1, 999]}, "`generations` is 999"),
        ({"identity": 5}, "identity is missing"),
        ({"identity": identity_table(CoordinatorIdentity(1, bytes(32), bytes(64)))}, "does not vouch"),
        ({"news_private": ""}, "`news_private` has 0 bytes"),
    ],
)
def test_a_broken_coordinator_file_says_what(path: Path, changes: dict[str, Any], why: str) -> None:
    keyfiles.write(path, coordinator_table(**changes))
    with pytest.raises(KeyFileError, match=why):
        keyfiles.read_coordinator(path)


def test_an_older_coordinator_file_knows_the_first_generation(path: Path) -> None:
    table = coordinator_table()
    del table["generations"]
    keyfiles.write(path, table)
    assert keyfiles.read_coordinator(path).generations == (1,)


def test_a_truth_value_is_no_number(path: Path) -> None:
    keyfiles.write(path, site_table())
    path.write_text(path.read_text().replace("site = 47", "site = true"))
    with pytest.raises(KeyFileError, match="no number"):
        keyfiles.read_site(path)


def test_the_wrong_kind_of_file_is_told_from_a_broken_one(path: Path, tmp_path: Path) -> None:
    keyfiles.write(path, coordinator_table())
    other = tmp_path / "site.keys"
    keyfiles.write(other, site_table())
    with pytest.raises(KeyFileError, match="this is a coordinator's key file; use the site's own, such as site"):
        keyfiles.read_site(path)
    with pytest.raises(KeyFileError, match="this is a site's key file; use the coordinator's own"):
        keyfiles.read_coordinator(other)
    with pytest.raises(KeyFileError, match="this is a site's key file; use the region's own"):
        keyfiles.read_region(other)
    other.chmod(0o640)
    with pytest.raises(KeyFileError, match="this is a site's key file; use the ledger's own"):
        keyfiles.read_ledger_key(other)


@given(cut=st.integers(0, 700))
def test_a_truncated_file_is_never_half_believed(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("keys") / "site.keys"
    text = keyfiles._toml(site_table())
    keyfiles.write_text(path, text[:cut], 0o600)
    try:
        keys = keyfiles.read_site(path)
    except KeyFileError:
        assert cut < len(text)
    else:
        assert keys == site_keys(), "whole but for its last line end"


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"site = ", b"[", b"\0" * 100, b"# " + b"x" * keyfiles.FILE_BYTES_MAX])
def test_something_else_altogether_is_not_a_key_file(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="is not a key file"):
        keyfiles.read_site(path)
