"""`fleet check`: all mistakes of all files at once, each with file, line, key and mend; and what the layers make."""

import re
import time
from pathlib import Path

import msgspec
import pytest

from steunpunt.config import Config, Radio, load
from steunpunt.fleet import regionfile
from steunpunt.fleet.checking import Fleet, check
from steunpunt.fleet.merging import short_name
from steunpunt.model import ConfigError, Role
from steunpunt.panelconfig import Panel
from tests.fakes.fleet_files import REGION_TOML, fleet_files, site_toml
from tests.unit.test_config import keys_of

EXAMPLE = Path(__file__).parents[2] / "config" / "fleet" / "region.toml"


def lines(fleet: Fleet, folder: Path) -> list[str]:
    """Give the problems with the place of each as file:line from the region's folder."""
    return [str(problem).replace(f"{folder}/", "") for problem in fleet.problems]


def site(fleet: Fleet, number: int) -> Config:
    return next(each.config for each in fleet.sites if each.config.site.id == number)


def write(folder: Path, name: str, text: str) -> None:
    (folder / "sites" / name).write_text(text, "utf-8")


# --- what is made -------------------------------------------------------------------------------------------------


def test_the_example_is_right() -> None:
    fleet = check(EXAMPLE)
    assert fleet.problems == []
    assert [each.config.site.role for each in fleet.sites] == [Role.COORDINATOR, Role.KIOSK, Role.KIOSK]


def test_a_point_gets_from_the_region_what_it_does_not_say(tmp_path: Path) -> None:
    fleet = check(fleet_files(tmp_path))
    point = site(fleet, 47)
    assert (point.region.name, point.region.coordinator_name) == ("Zuid-Limburg", "Kazerne Noord")
    assert (point.region.fallback_address, point.region.sites) == ("Weg 1, Maastricht", 3)
    assert point.kiosk.broadcaster == "L1, 95.3 FM"
    assert (point.radio.long_name, point.radio.short_name, point.radio.firmware) == ("Punt 47", "47", "2.7.26")
    assert point.keys.file == "/etc/steunpunt/site.keys"
    assert point.broker.bridge is not None
    assert (point.broker.bridge.host, point.broker.bridge.certificate_file) == (
        "kazerne.example.org",
        "/etc/steunpunt/site.pem",
    )
    desk = site(fleet, 1)
    assert [(each.id, each.name, each.coordinator) for each in desk.point] == [
        (47, "Punt 47", None),
        (48, "Punt 48", None),
    ]
    assert desk.broker.region_listener is not None
    assert desk.broker.bridge is None


def test_the_own_file_wins_over_the_points_and_these_over_all(tmp_path: Path) -> None:
    more = "\n[every.relay]\nfallback_min = 1\n[kiosks.relay]\nfallback_min = 2\n[every.web]\nport = 8000\n"
    path = fleet_files(tmp_path, region=REGION_TOML + more)
    write(tmp_path, "48.toml", site_toml(48, more="[relay]\nfallback_min = 3\n"))
    fleet = check(path)
    assert [site(fleet, number).relay.fallback_min for number in (1, 47, 48)] == [1, 2, 3]
    assert {each.config.web.port for each in fleet.sites} == {8000}


def test_with_two_coordinators_each_desk_knows_who_addresses_whom(tmp_path: Path) -> None:
    more = '\n[[coordinator]]\nid = 2\nname = "Kazerne West"\nhosts = ["192.0.2.9"]\nport = 8884\n'
    path = fleet_files(tmp_path, region=REGION_TOML + more)
    write(tmp_path, "2.toml", site_toml(2, "Kazerne West"))
    write(tmp_path, "48.toml", site_toml(48, more="[region]\ncoordinator = 2\n"))
    fleet = check(path)
    assert fleet.problems == []
    assert [(each.id, each.coordinator) for each in site(fleet, 1).point] == [(47, None), (48, 2)]
    assert [(each.id, each.coordinator) for each in site(fleet, 2).point] == [(47, 1), (48, None)]
    west, second = site(fleet, 48), site(fleet, 2)
    assert west.region.coordinator_name == "Kazerne West"
    assert west.broker.bridge is not None
    assert (west.broker.bridge.host, west.broker.bridge.port) == ("192.0.2.9", 8884)
    assert second.broker.bridge is not None
    assert second.broker.bridge.host == "kazerne.example.org"


def test_each_id_has_a_short_name_of_its_own_of_four_bytes() -> None:
    names = [short_name(number) for number in (*range(1, 99), *range(9_900, 12_000), *range(56_000, 65_536, 3))]
    assert len(set(names)) == len(names)
    assert max(len(name.encode()) for name in names) == 4


# --- mistakes -----------------------------------------------------------------------------------------------------


def test_every_mistake_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    path = fleet_files(tmp_path, kiosks=4, region=REGION_TOML + "\n[kiosks.web]\nport = 0\n")
    write(tmp_path, "47.toml", site_toml(47, more='[radio]\nnoed = "!a1b2c3d4"\nhop_limit = 9\n[web]\nport = "x"\n'))
    write(tmp_path, "48.toml", '[site]\nid = 48\nname = " x"\n\n[panel]\npinnen = "gpio"\n')
    write(tmp_path, "49.toml", "[site\n")
    assert lines(check(path), tmp_path) == [
        "region.toml:21: key `kiosks.web.port`: expected a whole number >= 1; write for example port = 8080",
        f"sites/47.toml:6: unknown key `radio.noed`; known here: {known(Radio)}; correct or delete it",
        "sites/47.toml:7: key `radio.hop_limit`: expected a whole number <= 7; write for example hop_limit = 3",
        "sites/47.toml:9: key `web.port`: expected a whole number, got text in quotes; write for example port = 8080",
        'sites/48.toml:1: key `site.place` is missing; add place = "Kerkplein 1, Maastricht"',
        (
            "sites/48.toml:3: key `site.name`: expected 1 to 80 characters on one line, without spaces around them; "
            'write for example name = "Buurthuis De Regenboog"'
        ),
        f"sites/48.toml:6: unknown key `panel.pinnen`; known here: {known(Panel)}; correct or delete it",
        (
            "sites/49.toml:1: not valid TOML: Expected ']' at the end of a table declaration (at line 1, column 6); "
            "correct that line"
        ),
    ]


def known(section: type[msgspec.Struct]) -> str:
    return ", ".join(field.name for field in msgspec.structs.fields(section))


def test_what_contradicts_itself_is_told_beside_what_is_wrong_elsewhere(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    more = "[kiosk]\nidle_warning_s = 60\nidle_wipe_s = 60\n[relay]\nfallback_min = -1\n"
    write(tmp_path, "47.toml", site_toml(47, more=more))
    told = lines(check(path), tmp_path)
    assert [line.partition(";")[0] for line in told] == [
        "sites/47.toml:7: kiosk.idle_wipe_s is 60",
        "sites/47.toml:9: key `relay.fallback_min`: expected a whole number >= 0",
    ]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ('[radio]\nnode = "!a1b20030"\n', "key `radio.node`: !a1b20030 is also that of 48.toml"),
        ('[radio]\nshort_name = "48"\n', "key `radio.short_name`: 48 is also that of 48.toml"),
        ('[radio]\npreset = "LONG_SLOW"\n', "key `radio.preset`: LONG_SLOW, and the others have LONG_FAST"),
        ('[radio]\nregion = "EU_433"\n', "key `radio.region`: EU_433, and the others have EU_868"),
        ("[region]\ncoordinator = 2\n", "key `region.coordinator`: region.toml knows no coordinator 2, only 1"),
    ],
)
def test_what_two_sites_may_not_have_in_common_and_what_all_must(more: str, expected: str, tmp_path: Path) -> None:
    path = fleet_files(tmp_path, kiosks=4)
    write(tmp_path, "zz.toml", site_toml(60, more=more))
    told = [line for line in lines(check(path), tmp_path) if line.startswith("sites/zz.toml:")]
    assert len(told) >= 1
    assert expected in told[-1]
    assert "; " in told[-1], "there is a mend"


def test_an_id_given_twice_names_one_that_is_free(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    write(tmp_path, "zz.toml", site_toml(47, "Sporthal"))
    (told,) = [line for line in lines(check(path), tmp_path) if "site.id" in line]
    assert told == (
        "sites/zz.toml:2: key `site.id`: 47 is also that of 47.toml; two devices would count the same ticket numbers; "
        "write one never used, such as id = 49"
    )


def test_two_sites_of_one_name(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    write(tmp_path, "60.toml", site_toml(60, "Punt 47"))
    assert (
        "sites/60.toml:3: key `site.name`: Punt 47 is also that of 47.toml; give each site a name of its own"
        in lines(check(path), tmp_path)
    )


def test_a_coordinator_without_a_file_and_one_that_the_region_does_not_know(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    (tmp_path / "sites" / "1.toml").rename(tmp_path / "sites" / "3.toml")
    write(tmp_path, "3.toml", site_toml(3))
    told = lines(check(path), tmp_path)
    assert told[0] == "region.toml:9: key `coordinator.id`: no file in sites/ is of coordinator 1; add one"
    assert told[1].startswith("sites/3.toml:2: key `site.id`: region.toml knows no coordinator 3, only 1; add it there")


def test_another_phrase_book_than_the_regions(tmp_path: Path) -> None:
    path = fleet_files(tmp_path, region=REGION_TOML.replace("[firmware]", 'phrase_book = "00000000"\n\n[firmware]'))
    assert check(path).problems == []
    (told,) = lines(check(path, phrase_book="0a1b2c3d"), tmp_path)
    assert told.startswith('region.toml:5: key `region.phrase_book`: this program has "0a1b2c3d"; install the same')


def test_a_kiosk_without_a_fall_back_address_fails(tmp_path: Path) -> None:
    path = fleet_files(tmp_path, region=REGION_TOML.replace('fallback_address = "Weg 1, Maastricht"\n', ""))
    (told,) = lines(check(path), tmp_path)  # once, where it is mended, and not at each of the sites
    assert told.startswith("region.toml:1: key `region.fallback_address` is missing")


def test_what_follows_from_a_mistake_elsewhere_is_not_told_again(tmp_path: Path) -> None:
    path = fleet_files(tmp_path, kiosks=4)
    write(tmp_path, "48.toml", site_toml(48, "x" * 81))
    (told,) = lines(check(path), tmp_path)  # and not at the desk and the points, whose configs name this one
    assert told.startswith("sites/48.toml:3: key `site.name`: expected 1 to 80 characters")
    write(tmp_path, "48.toml", site_toml(47, "Sporthal"))
    (told,) = lines(check(path), tmp_path)
    assert told.startswith("sites/48.toml:2: key `site.id`: 47 is also that of 47.toml")


@pytest.mark.parametrize("text", ["", 'region = "Zuid-Limburg"\n', "[[coordinator]]\n", "coordinator = 3\n"])
def test_a_region_file_with_nothing_in_it_says_what_is_missing(text: str, tmp_path: Path) -> None:
    path = fleet_files(tmp_path, region=text)
    told = lines(check(path), tmp_path)
    assert told
    assert all(line.startswith("region.toml:1: key `") for line in told)


@pytest.mark.parametrize("name", ["49.toml.txt", "49.TOML", "49.tml"])
def test_a_file_that_an_editor_called_otherwise_is_not_passed_over(name: str, tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    write(tmp_path, name, site_toml(49))
    write(tmp_path, "48.toml~", "what an editor leaves")
    (told,) = lines(check(path), tmp_path)
    assert told.startswith(f"sites/{name}:1: this file does not count; give it a name that ends in .toml")


def test_a_folder_of_pages_that_is_not_there(tmp_path: Path) -> None:
    path = fleet_files(tmp_path, region=REGION_TOML.replace("[firmware]", 'content = "pages"\n\n[firmware]'))
    (told,) = lines(check(path), tmp_path)
    assert told.startswith("region.toml:5: key `region.content`: there is no folder pages")
    (tmp_path / "pages").mkdir()
    assert check(path).problems == []


def test_latitude_and_longitude_that_changed_places(tmp_path: Path) -> None:
    path = fleet_files(tmp_path, kiosks=3)
    for number, place in (
        (47, "50.85, longitude = 5.69"),
        (48, "5.69, longitude = 50.85"),
        (49, "50.86, longitude = 5.70"),
    ):
        write(tmp_path, f"{number}.toml", site_toml(number, more=f"[radio]\nposition = {{ latitude = {place} }}\n"))
    (told,) = lines(check(path), tmp_path)
    assert told.startswith("sites/48.toml:6: key `radio.position`: 6,692 km from the nearest other site; correct it")
    write(tmp_path, "48.toml", site_toml(48, more="[radio]\nposition = { latitude = 500.85, longitude = 5.69 }\n"))
    (told,) = lines(check(path), tmp_path)
    assert told.startswith("sites/48.toml:6: key `radio.position.latitude`: expected a number <= 90.0")


@pytest.mark.parametrize(
    "host", ["https://kazerne.example.org/", "kazerne noord", "kazerne.example.org:8883", "", "a..b"]
)
def test_a_host_is_no_url(host: str, tmp_path: Path) -> None:
    path = fleet_files(tmp_path, region=REGION_TOML.replace("kazerne.example.org", host))
    (told,) = lines(check(path), tmp_path)
    assert "key `coordinator[0].hosts`: expected a name such as kazerne.example.org or an address" in told


@pytest.mark.parametrize(
    "host", ["kazerne", "kazerne.lan.", "10.0.0.1", "::1", "fe80::1%eth0", "2001:db8::1", "k_1.example"]
)
def test_a_host_is_a_name_or_an_address(host: str, tmp_path: Path) -> None:
    assert check(fleet_files(tmp_path, region=REGION_TOML.replace("kazerne.example.org", host))).problems == []


def test_a_section_that_is_unknown_is_found_by_its_line(tmp_path: Path) -> None:
    (told,) = lines(check(fleet_files(tmp_path, region=REGION_TOML + "\n[evry.web]\nport = 8000\n")), tmp_path)
    assert told.startswith(f"region.toml:{len(REGION_TOML.splitlines()) + 2}: unknown key `evry`")


def test_text_without_quotes_is_told_so(tmp_path: Path) -> None:
    path = fleet_files(tmp_path)
    write(tmp_path, "47.toml", site_toml(47).replace('"Punt 47"', "Punt 47"))
    (told,) = lines(check(path), tmp_path)
    assert told.endswith(
        'correct that line: text stands between straight quotes ("), and a number has a point, no comma'
    )


def test_two_hundred_sites_take_less_than_two_seconds_of_processor_time(tmp_path: Path) -> None:
    path = fleet_files(tmp_path, kiosks=199)
    for site_file in (tmp_path / "sites").iterdir():
        site_file.write_text(site_file.read_text("utf-8") + "[relay]\nfallback_min = -1\nnoed = 1\n", "utf-8")
    began = time.process_time()
    found = check(path)
    took_s = time.process_time() - began
    assert len(found.problems) == 400
    assert took_s < 2


# --- the region file ----------------------------------------------------------------------------------------------

REGION_KEYS = [key for key, _ in keys_of(regionfile.RegionFile)]


def test_every_key_of_the_region_file_has_an_example_and_stands_in_the_example_file() -> None:
    text = EXAMPLE.read_text("utf-8")
    for key in REGION_KEYS:
        plain = re.sub(r"\[\d\]", "", key)
        assert plain in regionfile.WORDS.examples
        assert re.search(rf"(?m)^(?:# )?\[*{plain.rpartition('.')[2]}\b", text), key


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name = ", "naam = ", "region.toml:2: unknown key `region.naam`; known here: name, fallback_address, keys"),
        ('"2.7.26"', '"nieuwste"', "region.toml:6: key `firmware.version`: expected three numbers with points between"),
        (
            "id = 1",
            "id = 16",
            "region.toml:9: key `coordinator[0].id`: expected a whole number <= 15; write for example id = 1",
        ),
        (
            "hosts = [",
            "hosts = 3 # [",
            "region.toml:11: key `coordinator[0].hosts`: expected a list in square brackets, got a whole number",
        ),
    ],
)
def test_mistakes_in_the_region_file(old: str, new: str, expected: str, tmp_path: Path) -> None:
    path = fleet_files(tmp_path, region=REGION_TOML.replace(old, new, 1))
    assert lines(check(path), tmp_path)[-1 if "unknown" not in expected else 0].startswith(expected)


def test_several_mistakes_in_the_region_file_are_told_at_once(tmp_path: Path) -> None:
    text = (
        REGION_TOML.replace("id = 1", 'id = "een"')
        .replace('"2.7.26"', "2.7")
        .replace("[[coordinator]]", "x = 1\n\n[[coordinator]]")
    )
    told = lines(check(fleet_files(tmp_path, region=text)), tmp_path)
    assert len(told) == 3


def test_no_sites_folder_says_what_to_make(tmp_path: Path) -> None:
    path = tmp_path / "region.toml"
    path.write_text(REGION_TOML, "utf-8")
    with pytest.raises(ConfigError, match=r"sites: cannot be read .* make it, with a file like"):
        check(path)


def test_the_whole_config_can_stand_alone(tmp_path: Path) -> None:
    """What `fleet build` writes is a config file as any other."""
    from steunpunt.fleet.tomltext import toml_text  # noqa: PLC0415

    for each in check(EXAMPLE).sites:
        path = tmp_path / f"{each.config.site.id}.toml"
        path.write_text(toml_text(each.table), "utf-8")
        assert load(path).site == each.config.site
        assert load(path).panel == each.config.panel
