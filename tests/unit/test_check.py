"""`steunpunt check` finds key and TLS files that cannot work, one line each: the key, what, and the mend."""

import shutil
import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner

from steunpunt import keymaking
from steunpunt.cli import main
from steunpunt.protocol.text import coder_words

EXAMPLES = Path(__file__).parents[2] / "config"


class Sites:
    """A kiosk's and a coordinator's folder as a technician has them, and what `check` says of them."""

    def __init__(self, folder: Path) -> None:
        self.region = folder / "region.keys"
        self.desk, self.site, self.other = folder / "desk", folder / "site", folder / "other"
        keymaking.make_region(self.region, "Proef")
        keymaking.make_coordinator(self.region, 1, self.desk, ["127.0.0.1"])
        keymaking.make_site(self.region, 47, self.site)
        keymaking.make_site(self.region, 48, self.other)
        shutil.copy(EXAMPLES / "kiosk.toml", self.site / "site.toml")
        shutil.copy(EXAMPLES / "coordinator.toml", self.desk / "site.toml")
        for place in (self.site, self.desk):
            (place / "broker.password").write_text("geheim\n")
        add = ["keys", "desk-password", str(self.desk / "desk.passwords"), "--name", "Jan", "--password-stdin"]
        assert CliRunner().invoke(main, add, input="lang genoeg\n").exit_code == 0
        pin = ["keys", "staff-pin", str(self.site / "staff.pin"), "--pin-stdin"]
        assert CliRunner().invoke(main, pin, input="295031\n").exit_code == 0

    def check(self, folder: Path) -> list[str]:
        """Return the problems, without the path in front."""
        path = str(folder / "site.toml")
        result = CliRunner().invoke(main, ["check", path])
        assert result.exit_code == (1 if result.stderr else 0), result.output
        return [line.removeprefix(f"steunpunt: {path}: ") for line in result.stderr.splitlines()]

    def only(self, folder: Path, key: str) -> str:
        """Return the one problem, which is about ``key``."""
        (line,) = self.check(folder)
        assert line.startswith(f"key `{key}`: ")
        return line

    def change(self, folder: Path, old: str, new: str) -> None:
        path = folder / "site.toml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def sites(tmp_path: Path) -> Sites:
    made = Sites(tmp_path)
    assert [made.check(made.site), made.check(made.desk)] == [[], []]
    return made


def test_it_says_who_compresses_texts(sites: Sites) -> None:
    result = CliRunner().invoke(main, ["check", str(sites.site / "site.toml")])
    assert f"  {coder_words()}\n" in result.stdout
    assert "texts are compressed by " in coder_words()


def test_a_pin_of_the_staff_that_is_not_there_or_open_to_others(sites: Sites) -> None:
    pin = sites.site / "staff.pin"
    pin.chmod(0o644)
    assert "chmod 600" in sites.only(sites.site, "staff.pin_file")
    pin.unlink()
    assert "steunpunt keys staff-pin" in sites.only(sites.site, "staff.pin_file")
    refused = CliRunner().invoke(main, ["keys", "staff-pin", str(pin), "--pin-stdin"], input="123456\n")
    assert (refused.exit_code, pin.exists()) == (1, False)
    assert "choose another PIN" in refused.stderr


# --- TLS files ----------------------------------------------------------------------------------------------------


def test_a_certificate_of_another_site(sites: Sites) -> None:
    for name in ("site.pem", "site-key.pem"):
        shutil.copy(sites.other / name, sites.site)
    line = sites.only(sites.site, "broker.bridge.certificate_file")
    assert "site.pem is of 48, and site.id is 47; use what `steunpunt keys site` made for this site" in line


def test_a_key_of_another_certificate(sites: Sites) -> None:
    shutil.copy(sites.other / "site-key.pem", sites.site)
    line = sites.only(sites.site, "broker.bridge.key_file")
    assert line.endswith(f"does not belong to {sites.site}/site.pem; use the two files that were made together")
    with pytest.raises(ssl.SSLError):  # and TLS refuses it, too
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(sites.site / "site.pem", sites.site / "site-key.pem")


@pytest.mark.parametrize("end", ["bridge", "region_listener"])
def test_the_authority_of_another_region(sites: Sites, tmp_path: Path, end: str) -> None:
    strange = tmp_path / "strange"
    strange.mkdir()
    keymaking.make_region(strange / "region.keys", "Elders")
    keymaking.make_coordinator(strange / "region.keys", 1, strange / "desk", ["127.0.0.1"])
    folder = sites.site if end == "bridge" else sites.desk
    shutil.copy(strange / "desk" / "region-ca.pem", folder)
    assert "region-ca.pem did not sign " in sites.only(folder, f"broker.{end}.ca_file")


def test_a_listener_with_the_certificate_of_a_kiosk(sites: Sites) -> None:
    for name in ("site.pem", "site-key.pem"):
        shutil.copy(sites.site / name, sites.desk / name.replace("site", "region"))
    assert "is of 47, and site.id is 1" in sites.only(sites.desk, "broker.region_listener.certificate_file")


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nx", b"\xff\0"])
def test_files_that_hold_something_else(sites: Sites, content: bytes) -> None:
    for name in ("site.pem", "site-key.pem", "region-ca.pem"):
        (sites.site / name).write_bytes(content)
    lines = sites.check(sites.site)
    assert [line.split("`")[1].rpartition(".")[2] for line in lines] == ["certificate_file", "ca_file", "key_file"]
    assert all(line.endswith("use the file that `steunpunt keys site` made") for line in lines)


def test_a_key_and_a_certificate_the_wrong_way_round(sites: Sites) -> None:
    (sites.site / "site.pem").rename(sites.site / "x")
    (sites.site / "site-key.pem").rename(sites.site / "site.pem")
    (sites.site / "x").rename(sites.site / "site-key.pem")
    says = [line.split("; ")[0].rpartition("/")[2] for line in sites.check(sites.site)]
    assert says == ["site.pem holds no certificate", "site-key.pem holds no key that mosquitto can use"]


def test_a_folder_where_a_file_is_meant(sites: Sites) -> None:
    (sites.site / "site.pem").unlink()
    (sites.site / "site.pem").mkdir()
    assert "cannot be read (Is a directory)" in sites.only(sites.site, "broker.bridge.certificate_file")


# --- keys and the broker's password -------------------------------------------------------------------------------


def test_a_kiosk_that_asks_a_coordinator_it_does_not_know(sites: Sites) -> None:
    sites.change(sites.site, "coordinator = 1", "coordinator = 2")
    line = sites.only(sites.site, "region.coordinator")
    assert "site.keys knows only 1; " in line
    assert "`steunpunt keys coordinator --id 2`" in line


def test_a_broker_without_a_password(sites: Sites) -> None:
    sites.change(sites.site, 'password_file = "broker.password"', "")
    assert 'add password_file = "broker.password"' in sites.only(sites.site, "broker.password_file")
    sites.change(sites.site, "enabled = true", "enabled = false")
    assert sites.check(sites.site) == []


@pytest.mark.parametrize("role", ["kiosk", "coordinator"])
def test_the_regions_file_is_never_to_be_made_again(sites: Sites, role: str) -> None:
    folder, own = (sites.site, "site.keys") if role == "kiosk" else (sites.desk, "coordinator.keys")
    sites.change(folder, f'file = "{own}"', f'file = "{sites.region}"')
    line = sites.only(folder, "keys.file")
    assert line.endswith(
        f"region.keys: this is a region's key file; use the {role.replace('kiosk', 'site')}'s own, such as {own}"
    )


# --- information pages --------------------------------------------------------------------------------------------


def test_a_page_with_a_mistake_is_told_with_file_and_line(sites: Sites) -> None:
    content = sites.site / "content"
    shutil.copytree(EXAMPLES / "content", content)
    sites.change(sites.site, "# [kiosk]\n# content", "[kiosk]\ncontent")
    assert sites.check(sites.site) == []
    page = content / "nl" / "water.md"
    page.write_text(page.read_text("utf-8").replace("icon: water", "icon: taart"), "utf-8")
    line = sites.only(sites.site, "kiosk.content")
    assert f"{page}:4: there is no icon taart; write one of " in line


def test_the_pages_are_counted_and_so_are_those_that_are_approved(sites: Sites) -> None:
    result = CliRunner().invoke(main, ["check", str(sites.site / "site.toml")])
    assert "information pages in nl: 12, approved 0" in result.stdout
    assert "nobody has approved a page, so none is shown but in an exercise; see docs/content.md" in result.stdout
    desk = CliRunner().invoke(main, ["check", str(sites.desk / "site.toml")])
    assert "information pages" not in desk.stdout


def test_a_folder_of_pages_that_is_not_there(sites: Sites) -> None:
    sites.change(sites.site, "# [kiosk]\n# content", "[kiosk]\ncontent")
    assert "content: cannot be read (No such file or directory)" in sites.only(sites.site, "kiosk.content")


# --- the ledger ---------------------------------------------------------------------------------------------------


def test_a_ledger_folder_that_is_not_there_is_named_and_no_mistake(sites: Sites, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    sites.change(sites.site, "/var/lib/steunpunt/ledger.db", f"{folder}/ledger.db")
    result = CliRunner().invoke(main, ["check", str(sites.site / "site.toml")])
    assert result.exit_code == 0
    assert f"  key `ledger.path`: the folder {folder} is not there; the node makes it when it starts" in result.stdout
    folder.mkdir()
    assert "ledger.path" not in CliRunner().invoke(main, ["check", str(sites.site / "site.toml")]).stdout
