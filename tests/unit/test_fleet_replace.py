"""`fleet replace`: a stolen or broken point's keys revoked, and a spare prepared that counts no ticket again."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from steunpunt import keychanges, keyfiles
from steunpunt.cli import main
from steunpunt.config import load
from steunpunt.fleet.building import build
from steunpunt.fleet.cards import FleetError, read_card
from steunpunt.fleet.checking import check
from steunpunt.fleet.replacing import replace
from steunpunt.fleet.sealing import files_in, open_archive, unpack
from steunpunt.model import KeyFileError
from steunpunt.protocol.authority import revoked_by
from tests.fakes.fleet_files import fleet_files, site_toml


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    path = fleet_files(folder)
    (folder / "sites" / "47-regenboog.toml").write_text(
        "# Ons eerste punt\n" + site_toml(47, "De Regenboog") + '[radio]\nnode = "!a1b2002f"  # label\n', "utf-8"
    )
    (folder / "sites" / "47.toml").unlink()
    list(build(check(path), folder / "out"))
    return path


@pytest.fixture
def region(made: Path, tmp_path: Path) -> Path:
    """Give a region of its own, with everything built."""
    shutil.copytree(made.parent, tmp_path / "region")
    return tmp_path / "region" / "region.toml"


def run(region: Path, *words: str) -> str:
    options = ["--region", str(region), "--to", str(region.parent / "out")]
    result = CliRunner().invoke(main, ["fleet", "replace", *words, *options])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def desk(region: Path, folder: Path) -> Path:
    """Open the coordinator's newest bundle; return its config."""
    code = read_card(region.parent / "keys" / "coordinator-1").code
    unpack(files_in(open_archive(region.parent / "out" / "1-kazerne-noord.bundle", code)[1]), folder)
    return folder / "etc" / "steunpunt" / "site.toml"


def test_the_spare_gets_an_id_that_was_never_used_and_the_old_card_counts_no_more(region: Path, tmp_path: Path) -> None:
    told = run(region, "47", "--radio", "!deadbeef")
    assert told.startswith("revoked: card 1 of site 47, De Regenboog\n")
    assert "the spare, now 49" in told
    sheets = (region.parent / "keys" / "sheets").iterdir()
    assert sorted(path.name for path in sheets) == ["1.html", "48.html", "49.html"]
    text = (region.parent / "sites" / "49-regenboog.toml").read_text("utf-8")
    assert text == "# Ons eerste punt\n" + site_toml(49, "De Regenboog").replace("49, M", "47, M") + (
        '[radio]\nnode = "!deadbeef"\n'
    )
    assert sorted(path.name for path in (region.parent / "out").iterdir()) == [
        "1-kazerne-noord.bundle",
        "47-1.notice",
        "48-punt-48.bundle",
        "49-de-regenboog.bundle",
    ]
    loaded = load(desk(region, tmp_path / "desk"))
    assert [(point.id, point.name) for point in loaded.point] == [
        (48, "Punt 48"),
        (49, "De Regenboog"),
        (47, "De Regenboog (oud)"),
    ]
    assert loaded.broker.region_listener is not None
    assert loaded.broker.region_listener.barred == (47,)
    acl = (tmp_path / "desk" / "etc" / "mosquitto" / "steunpunt" / "acl-region").read_text("utf-8")
    assert "user 47\ntopic deny #\n" in acl
    assert revoked_by(keyfiles.read_coordinator(Path(loaded.keys.file)).notices) == {47: 1}


def test_with_its_old_ledger_the_spare_keeps_its_id_under_new_keys(region: Path, tmp_path: Path) -> None:
    old = keyfiles.read_site(region.parent / "keys" / "site-47-1" / "site.keys").secret
    told = run(region, "47-regenboog", "--keep-ledger")
    assert "the spare, now 47" in told
    new = keyfiles.read_site(region.parent / "keys" / "site-47-2" / "site.keys")
    assert (new.site, new.generation) == (47, 2)
    assert new.secret != old
    loaded = load(desk(region, tmp_path / "desk"))
    assert loaded.broker.region_listener is not None
    assert loaded.broker.region_listener.barred == (), "its new certificate has the same name"
    assert [point.id for point in loaded.point] == [47, 48]


def test_after_a_revocation_the_old_id_gets_no_fresh_card(region: Path) -> None:
    keychanges.revoke(region.parent / "keys" / "region.keys", 47, None, region.parent / "47.notice")
    with pytest.raises(
        FleetError, match=r"the card of id 47 was revoked, and its ticket numbers are used; write id = 49"
    ):
        list(build(check(region), region.parent / "out"))


def test_what_was_revoked_by_hand_goes_on(region: Path) -> None:
    keychanges.revoke(region.parent / "keys" / "region.keys", 47, None, region.parent / "47.notice")
    done = replace(check(region), 47, region.parent / "out")
    assert done.site == 49
    assert check(region).problems == []


def test_keys_that_were_rotated_are_not_put_back(region: Path) -> None:
    keys = region.parent / "keys"
    _, change = keychanges.rotate(keys / "region.keys", 0, region.parent / "change")
    with pytest.raises(KeyFileError, match="the region's keys were changed since; type: steunpunt keys import"):
        list(build(check(region), region.parent / "out"))
    keychanges.take_in(keys / "coordinator-1" / "coordinator.keys", change)
    assert [built.written for built in build(check(region), region.parent / "out", [1])] == [True]


@pytest.mark.parametrize(
    ("site", "expected"), [(1, "is a coordinator, whose keys are the region's"), (99, "no file in the sites' folder")]
)
def test_what_is_no_point_is_refused(region: Path, site: int, expected: str) -> None:
    with pytest.raises(FleetError, match=expected):
        replace(check(region), site, region.parent / "out")


def test_a_wrong_radio_is_refused_before_anything_is_revoked(region: Path) -> None:
    with pytest.raises(FleetError, match="write ! and eight of 0-9 a-f"):
        replace(check(region), 47, region.parent / "out", node="deadbeef")
    assert [built.written for built in build(check(region), region.parent / "out")] == [False] * 3
