"""`fleet build`: each site's sealed bundle, made once and kept; what two cards may not share; the sheet."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from steunpunt import keyfiles, tlsfiles
from steunpunt.cli import main
from steunpunt.config import load
from steunpunt.fleet import cards
from steunpunt.fleet.building import Built, build
from steunpunt.fleet.cards import FleetError, read_card
from steunpunt.fleet.checking import check
from steunpunt.fleet.sealing import (
    MARK,
    BundleError,
    File,
    draw_code,
    files_in,
    open_archive,
    pack,
    read_head,
    seal,
    tidy_code,
    unpack,
)
from steunpunt.model import KeyFileError
from steunpunt.protocol.passwordhash import matches
from steunpunt.values import replace
from tests.fakes.fleet_files import REGION_TOML, fleet_files, site_toml

POWER = '[web]\nhotspot_address = "10.42.0.1"\n'


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a region of which all is built, for tests that only read."""
    folder = tmp_path_factory.mktemp("fleet")
    path = fleet_files(folder, region=REGION_TOML.replace("[firmware]", 'content = "pages"\n\n[firmware]'))
    (folder / "pages" / "nl").mkdir(parents=True)
    (folder / "pages" / "nl" / "water.md").write_text("# Water\n", "utf-8")
    (folder / "sites" / "48.toml").write_text(site_toml(48, "Sporthal", POWER), "utf-8")
    built(path)
    return path


def built(path: Path, *only: int) -> list[Built]:
    fleet = check(path)
    assert fleet.problems == []
    return list(build(fleet, path.parent / "out", only))


def code_of(path: Path, name: str) -> str:
    return read_card(path.parent / "keys" / name).code


def opened(path: Path, bundle: str, card: str) -> dict[str, File]:
    _, archive = open_archive(path.parent / "out" / bundle, code_of(path, card))
    return {file.path: file for file in files_in(archive)}


# --- what is in a bundle ------------------------------------------------------------------------------------------


def test_a_points_bundle_is_all_that_its_device_needs(made: Path, tmp_path: Path) -> None:
    files = opened(made, "48-sporthal.bundle", "site-48-1")
    assert {name: oct(file.mode) for name, file in files.items()} == {
        "etc/steunpunt/site.toml": "0o644",
        "etc/steunpunt/site.keys": "0o600",
        "etc/steunpunt/channel.key": "0o600",
        "etc/steunpunt/site.pem": "0o644",
        "etc/steunpunt/site-key.pem": "0o600",
        "etc/steunpunt/region-ca.pem": "0o644",
        "etc/steunpunt/broker.password": "0o600",
        "etc/steunpunt/staff.pin": "0o600",
        "etc/steunpunt/radio-plan.txt": "0o644",
        "etc/steunpunt/content/nl/water.md": "0o644",
        "etc/mosquitto/steunpunt/mosquitto.conf": "0o644",
        "etc/mosquitto/steunpunt/acl": "0o644",
        "etc/mosquitto/steunpunt/passwords": "0o600",
        "etc/mosquitto/steunpunt/reader.password": "0o600",
        "etc/systemd/system/mosquitto.service.d/steunpunt.conf": "0o644",
        "etc/NetworkManager/system-connections/steunpunt-hotspot.nmconnection": "0o600",
        "etc/NetworkManager/dnsmasq-shared.d/portal.conf": "0o644",
        "etc/systemd/system/steunpunt-web.service.d/hotspot.conf": "0o644",
    }
    unpack(list(files.values()), tmp_path)
    loaded = load(tmp_path / "etc" / "steunpunt" / "site.toml")
    assert (loaded.site.id, loaded.radio.firmware) == (48, "2.7.26")
    assert list(tlsfiles.problems(loaded)) == []
    assert keyfiles.read_site(Path(loaded.keys.file)).site == 48
    plan = files["etc/steunpunt/radio-plan.txt"].data.decode()
    assert re.search(r"^channel key +fingerprint [0-9a-f]{8}$", plan, re.MULTILINE)


def test_a_point_without_wifi_has_nothing_of_it(made: Path) -> None:
    assert not [name for name in opened(made, "47-punt-47.bundle", "site-47-1") if "NetworkManager" in name]


def test_the_coordinators_bundle_names_the_points_and_opens_what_they_seal(made: Path, tmp_path: Path) -> None:
    files = opened(made, "1-kazerne-noord.bundle", "coordinator-1")
    assert {"etc/steunpunt/ledger.key", "etc/mosquitto/steunpunt/acl-region"} <= files.keys()
    unpack(list(files.values()), tmp_path)
    loaded = load(tmp_path / "etc" / "steunpunt" / "site.toml")
    assert [(point.id, point.name) for point in loaded.point] == [(47, "Punt 47"), (48, "Sporthal")]
    assert list(tlsfiles.problems(loaded)) == []
    assert keyfiles.read_coordinator(Path(loaded.keys.file)).coordinator == 1


def test_the_staffs_pin_opens_by_what_the_bundle_holds_and_is_not_in_it(made: Path, tmp_path: Path) -> None:
    files = opened(made, "48-sporthal.bundle", "site-48-1")
    unpack(list(files.values()), tmp_path)
    loaded = load(tmp_path / "etc" / "steunpunt" / "site.toml")
    assert loaded.staff is not None
    pins = {
        number: (made.parent / "keys" / f"site-{number}-1" / "staff-pin.txt").read_text().strip() for number in (47, 48)
    }
    assert matches(pins[48], keyfiles.read_staff_pin(Path(loaded.staff.pin_file)))
    assert not matches(pins[47], keyfiles.read_staff_pin(Path(loaded.staff.pin_file))), "each point has its own"
    assert [name for name, file in files.items() if pins[48].encode() in file.data] == []


def test_a_point_names_the_points_nearest_to_it(tmp_path: Path) -> None:
    path = fleet_files(tmp_path, kiosks=0)
    east = {47: 5.69, 48: 5.80, 49: 5.70, 50: 5.60, 51: 5.691, 52: None}
    for number, longitude in east.items():
        where = "" if longitude is None else f"position = {{ latitude = 50.85, longitude = {longitude} }}\n"
        more = f'[radio]\nnode = "!a1b2{number:04x}"\n{where}'
        (tmp_path / "sites" / f"{number}.toml").write_text(site_toml(number, more=more), "utf-8")
    found = {site.config.site.id: [point.id for point in site.config.point] for site in check(path).sites}
    assert found[47] == [51, 49, 50]
    assert found[52] == [], "nobody knows where it is"
    assert found[1] == [47, 48, 49, 50, 51, 52]


# --- made once, and kept ------------------------------------------------------------------------------------------


def test_run_again_it_keeps_keys_codes_and_bundles(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    first = {one.bundle: one.bundle.read_bytes() for one in built(path)}
    again = built(path)
    assert [one.written for one in again] == [False] * 3
    assert {one.bundle: one.bundle.read_bytes() for one in again} == first


def test_a_new_point_changes_its_desk_and_nothing_else(tmp_path: Path) -> None:
    path = fleet_files(tmp_path, region=REGION_TOML + "\n[every.region]\nsites = 30\n")
    before = {one.site.config.site.id: one.card.code for one in built(path)}
    (tmp_path / "sites" / "60.toml").write_text(site_toml(60), "utf-8")
    after = built(path)
    assert [one.site.config.site.id for one in after if one.written] == [1, 60]
    assert {one.site.config.site.id: one.card.code for one in after if one.site.config.site.id != 60} == before


def test_only_the_sites_that_are_asked_for(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    assert [one.site.config.site.id for one in built(path, 48)] == [48]
    assert sorted(each.name for each in (tmp_path / "keys").iterdir()) == [
        "coordinator-1",
        "region.keys",
        "sheets",
        "site-48-1",
    ]


# --- what is refused ----------------------------------------------------------------------------------------------


def test_an_id_that_was_another_points_is_refused(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    built(path)
    (tmp_path / "sites" / "47.toml").write_text(
        site_toml(47, "Sporthal").replace("Kerkplein 47", "Sportlaan 8"), "utf-8"
    )
    with pytest.raises(FleetError, match=r"card\.toml: id 47 was given to Punt 47, Kerkplein 47.* never used"):
        built(path)


def test_a_copied_folder_of_keys_is_refused(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    built(path)
    shutil.rmtree(tmp_path / "keys" / "site-48-1")
    shutil.copytree(tmp_path / "keys" / "site-47-1", tmp_path / "keys" / "site-48-1")
    with pytest.raises(FleetError, match="id 48 was given to Punt 47"):
        built(path)
    folder = tmp_path / "keys" / "site-48-1"
    cards.write_card(replace(read_card(folder), site=48, name="Punt 48"))
    with pytest.raises(FleetError, match="the keys in it are of 47; two sites may not have one key"):
        built(path)


def test_two_cards_with_one_secret_are_refused(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    built(path)
    shutil.copytree(tmp_path / "keys" / "site-47-1", tmp_path / "keys" / "site-47-copy")
    with pytest.raises(FleetError, match="hold one key; delete the one that is a copy"):
        built(path)


def test_a_card_made_before_a_coordinator_came_says_how_to_make_it_anew(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    secret = keyfiles.read_site(built(path)[1].card.folder / "site.keys").secret
    path.write_text(REGION_TOML + '\n[[coordinator]]\nid = 2\nname = "West"\nhosts = ["192.0.2.2"]\n', "utf-8")
    (tmp_path / "sites" / "2.toml").write_text(site_toml(2), "utf-8")
    with pytest.raises(KeyFileError, match=r"made before coordinator 2; delete .*site-47-1 and build again"):
        built(path)
    for number in (47, 48):
        shutil.rmtree(tmp_path / "keys" / f"site-{number}-1")
    built(path)
    assert keyfiles.read_site(tmp_path / "keys" / "site-47-1" / "site.keys").secret == secret


def test_keys_of_another_region_are_refused(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    built(path)
    path.write_text(REGION_TOML.replace("Zuid-Limburg", "Drenthe"), "utf-8")
    with pytest.raises(FleetError, match="the keys are of 'Zuid-Limburg', not of 'Drenthe'"):
        built(path)


# --- the seal -----------------------------------------------------------------------------------------------------


def test_nothing_of_a_site_can_be_read_without_the_code(made: Path) -> None:
    bundle = made.parent / "out" / "48-sporthal.bundle"
    secret = (made.parent / "keys" / "site-48-1" / "site.keys").read_text("utf-8")
    raw = bundle.read_bytes()
    assert raw.startswith(MARK)
    for word in (*re.findall(r'"([^"]{20,})"', secret), "Kerkplein", code_of(made, "site-48-1")):
        assert word.encode() not in raw
    with pytest.raises(BundleError, match="the code is not this bundle's"):
        open_archive(bundle, code_of(made, "site-47-1"))
    assert read_head(bundle).name == "Sporthal"


@pytest.mark.parametrize("at", [30, -1, -40])
def test_a_bit_that_changed_is_seen(made: Path, tmp_path: Path, at: int) -> None:
    raw = bytearray((made.parent / "out" / "48-sporthal.bundle").read_bytes())
    raw[at] ^= 1
    (tmp_path / "x.bundle").write_bytes(raw)
    with pytest.raises(BundleError, match=r"changed|broken"):
        open_archive(tmp_path / "x.bundle", code_of(made, "site-48-1"))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", MARK, MARK + b"{}\n", MARK + b"\xff" * 5000])
def test_what_is_no_bundle_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.bundle").write_bytes(data)
    with pytest.raises(BundleError):
        read_head(tmp_path / "x.bundle")


def test_a_code_is_read_as_people_type_it() -> None:
    code = draw_code()
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", code)
    assert tidy_code(f" {code.lower().replace('-', ' ')}\n") == code
    assert tidy_code("OIL0-0000-0000-0000") == "0110-0000-0000-0000"
    for wrong in ("", code[:-1], code + "0", "!" * 16):
        with pytest.raises(BundleError, match="type the one on the site's sheet"):
            tidy_code(wrong)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x"])
def test_a_bundle_cannot_write_outside_its_root(name: str, tmp_path: Path) -> None:
    code = draw_code()
    path = tmp_path / "x.bundle"
    path.write_bytes(seal(pack([File(name, b"x")]), code, site=47, name="x", role="kiosk", generation=1))
    with pytest.raises(BundleError, match="is no file of a site"):
        files_in(open_archive(path, code)[1])


# --- the sheet and the command ------------------------------------------------------------------------------------


def test_the_sheet_tells_what_belongs_together_and_lies_with_the_keys(made: Path) -> None:
    path = made.parent / "keys" / "sheets" / "48.html"
    text = path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o600
    for word in ("48-sporthal.bundle", code_of(made, "site-48-1"), "Wifi Noodsteunpunt", "2.7.26", "Weg 1, Maastricht"):
        assert word in text
    assert "viewBox" in text, "a code that is made smaller must not be cut off"
    assert "http" not in text
    assert "desk-password" not in text
    pin = (made.parent / "keys" / "site-48-1" / "staff-pin.txt").read_text("ascii").strip()
    assert f'<p class="code">{pin}</p>' in text
    assert "desk-password" in (path.parent / "1.html").read_text("utf-8")
    assert not list((made.parent / "out").glob("*.html")), "a sheet beside its bundle would open it"


def test_a_commands_names_in_the_sheets_are_commands(made: Path) -> None:
    groups = {name for name, command in main.commands.items() if hasattr(command, "commands")}
    for path in (made.parent / "keys" / "sheets").iterdir():
        for first, second in re.findall(r"<code>steunpunt ([a-z-]+)(?: ([a-z-]+))?", path.read_text("utf-8")):
            assert first in main.commands
            if first in groups:
                assert second in main.commands[first].commands  # type: ignore[attr-defined]


def test_the_command_line_builds_opens_and_refuses(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    runner = CliRunner()
    result = runner.invoke(main, ["fleet", "build", str(path), "--to", str(tmp_path / "out"), "--site", "47"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"written: {tmp_path}/out/47-punt-47.bundle, sheet {tmp_path}/keys/sheets/47.html")
    bundle, root = tmp_path / "out" / "47-punt-47.bundle", tmp_path / "root"
    arguments = ["fleet", "open", str(bundle), "--to", str(root), "--code-stdin"]
    wrong = runner.invoke(main, arguments, input="0000-0000-0000-0000\n")
    assert (wrong.exit_code, wrong.stderr.splitlines()[-1][:11]) == (1, "steunpunt: ")
    assert not root.exists()
    right = runner.invoke(main, arguments, input=code_of(path, "site-47-1"))
    assert right.exit_code == 0
    assert f"written: {root}/etc/steunpunt/site.toml" in right.stdout
    unknown = runner.invoke(main, ["fleet", "build", str(path), "--to", str(tmp_path / "out"), "--site", "99"])
    assert (
        unknown.stderr == "steunpunt: no site is called '99'; write an id, or the name of a file in the sites' folder\n"
    )
    (tmp_path / "sites" / "47.toml").write_text("[site]\nid = 47\n", "utf-8")
    broken = runner.invoke(main, ["fleet", "build", str(path), "--to", str(tmp_path / "out")])
    assert broken.stderr.splitlines()[-1] == "steunpunt: 2 mistakes"
