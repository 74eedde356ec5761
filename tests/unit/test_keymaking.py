"""Making keys: a region whose coordinator and sites understand each other, and certificates that TLS accepts."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from steunpunt import keyfiles, keymaking
from steunpunt.keyfiles import read_coordinator, read_ledger_key, read_region, read_site
from steunpunt.model import KeyFileError
from steunpunt.protocol.keys import keys_at, site_secret

HOSTS = ["kazerne.example", "127.0.0.1", "::1"]
LISTENER, BRIDGE = "coordinator/region", "site/site"


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a region with a coordinator and a site, for tests that only read."""
    return _made(tmp_path_factory.mktemp("region"))


def _made(folder: Path) -> Path:
    keymaking.make_region(folder / "region.keys", 'Zuid "Limburg" \\ Noord')
    keymaking.make_coordinator(folder / "region.keys", 1, folder / "coordinator", HOSTS)
    keymaking.make_site(folder / "region.keys", 47, folder / "site")
    return folder


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def common_name(one: x509.Certificate) -> str:
    return str(one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def files_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.is_file()}


# --- the files ----------------------------------------------------------------------------------------------------


def test_secrets_are_the_owners_and_certificates_everybodys(region: Path) -> None:
    assert files_in(region) == {"region.keys": 0o600}
    assert files_in(region / "coordinator") == {
        "coordinator.keys": 0o600,
        "ledger.key": 0o640,
        "channel.key": 0o600,
        "region.pem": 0o644,
        "region-key.pem": 0o600,
        "region-ca.pem": 0o644,
    }
    assert files_in(region / "site") == {
        "site.keys": 0o600,
        "channel.key": 0o600,
        "site.pem": 0o644,
        "site-key.pem": 0o600,
        "region-ca.pem": 0o644,
    }


def test_a_kiosk_and_its_coordinator_understand_each_other(region: Path) -> None:
    site = read_site(region / "site" / "site.keys")
    coordinator = read_coordinator(region / "coordinator" / "coordinator.keys")
    e_pub, chain = site.open_epoch(b"\1" * 32)
    assert keys_at(coordinator.epoch_key(47, 1, e_pub), 0) == chain.take()[1]
    assert site.coordinators == (coordinator.identity,)
    assert coordinator.identity.trusted(site.root_public)
    assert len(read_ledger_key(region / "coordinator" / "ledger.key")) == 32


def test_a_site_does_not_carry_the_regions_secrets(region: Path) -> None:
    secrets = read_region(region / "region.keys")
    for path in (region / "site").iterdir():
        text = path.read_text()
        for name in ("root", "region_private", "offline_root", "authority_key"):
            assert secrets[name] not in text, (path, name)
        # The radio gives this one away; it has a file of its own for `steunpunt radio`, and nothing else holds it.
        assert (secrets["channel_key"] in text) == (path.name == "channel.key"), path
    text = (region / "coordinator" / "coordinator.keys").read_text()
    assert secrets["offline_root"] not in text, "the offline root stays in the safe"
    assert secrets["authority_key"] not in text


def test_two_regions_have_nothing_in_common(region: Path, tmp_path: Path) -> None:
    one, other = read_region(region / "region.keys"), read_region(_made(tmp_path) / "region.keys")
    same = {name for name in one if one[name] == other[name]}
    assert same - {"sites_made"} == {"region"}, "but for the numbers of their sites"
    assert keymaking.channel_key(tmp_path / "region.keys") != keymaking.channel_key(region / "region.keys")


def test_a_second_coordinator_is_known_to_later_sites(tmp_path: Path) -> None:
    _made(tmp_path)
    keymaking.make_coordinator(tmp_path / "region.keys", 2, tmp_path / "second", ["127.0.0.1"])
    keymaking.make_site(tmp_path / "region.keys", 48, tmp_path / "site48")
    known = read_site(tmp_path / "site48" / "site.keys").coordinators
    assert [who.coordinator for who in known] == [1, 2]
    assert len({who.news_public for who in known}) == 2


def test_a_generation_is_another_secret(tmp_path: Path) -> None:
    _made(tmp_path)
    keymaking.make_site(tmp_path / "region.keys", 47, tmp_path / "again", generation=2)
    first, second = read_site(tmp_path / "site" / "site.keys"), read_site(tmp_path / "again" / "site.keys")
    root = read_coordinator(tmp_path / "coordinator" / "coordinator.keys").root
    assert first.secret != second.secret == site_secret(root, 47, 2)
    assert second.generation == 2


# --- refusing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", [-1, 0, 1, 15, 65_536])
def test_a_kiosk_has_a_kiosks_number(region: Path, tmp_path: Path, site: int) -> None:
    with pytest.raises(KeyFileError, match="16 to 65535"):
        keymaking.make_site(region / "region.keys", site, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("generation", [0, 256])
def test_a_generation_fits_its_byte(region: Path, tmp_path: Path, generation: int) -> None:
    with pytest.raises(KeyFileError, match="1 to 255"):
        keymaking.make_site(region / "region.keys", 48, tmp_path / "new", generation)


@pytest.mark.parametrize(
    ("number", "hosts", "why"),
    [
        (0, HOSTS, "1 to 15"),
        (16, HOSTS, "1 to 15"),
        (1, HOSTS, "has keys already"),
        (2, ["kazerne example"], "write a name"),
        (2, ["brandweer-ä.example"], "write a name"),
        (2, [""], "write a name"),
        (2, ["a.example\nDNS:b.example"], "write a name"),
    ],
)
def test_a_coordinator_that_cannot_be_leaves_nothing_behind(
    region: Path, tmp_path: Path, number: int, hosts: list[str], why: str
) -> None:
    before = (region / "region.keys").read_bytes()
    with pytest.raises(KeyFileError, match=why):
        keymaking.make_coordinator(region / "region.keys", number, tmp_path / "new", hosts)
    assert not (tmp_path / "new").exists()
    assert (region / "region.keys").read_bytes() == before


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "\ud800"])
def test_a_region_has_a_name_of_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyFileError, match="region name"):
        keymaking.make_region(tmp_path / "region.keys", name)


def test_a_region_that_cannot_learn_of_its_coordinator_gets_none(tmp_path: Path) -> None:
    region = tmp_path / "region.keys"
    keymaking.make_region(region, "Nieuw")
    before = region.read_bytes()
    in_the_way = tmp_path / ".region.keys.new"
    in_the_way.mkdir()
    with pytest.raises(KeyFileError, match=r"region\.keys: cannot be written"):
        keymaking.make_coordinator(region, 1, tmp_path / "desk", HOSTS)
    assert not (tmp_path / "desk").exists()
    assert region.read_bytes() == before
    in_the_way.rmdir()
    keymaking.make_coordinator(region, 1, tmp_path / "desk", HOSTS)
    assert read_region(region)["coordinator"][0]["id"] == 1


@pytest.mark.parametrize("there", ["site.keys", "channel.key", "site.pem", "site-key.pem", "region-ca.pem"])
def test_no_file_of_a_site_is_overwritten_and_none_is_added(region: Path, tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(KeyFileError, match=f"{there} exists already"):
        keymaking.make_site(region / "region.keys", 48, tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(there, "mine")]


def test_a_region_is_not_overwritten(region: Path) -> None:
    with pytest.raises(KeyFileError, match="exists already"):
        keymaking.make_region(region / "region.keys", "Again")


def test_a_site_needs_a_coordinator_first(tmp_path: Path) -> None:
    keymaking.make_region(tmp_path / "region.keys", "Nieuw")
    with pytest.raises(KeyFileError, match="steunpunt keys coordinator"):
        keymaking.make_site(tmp_path / "region.keys", 47, tmp_path / "site")


@pytest.mark.parametrize("authority", ["", "-----BEGIN", 5])
def test_a_region_without_its_authority_is_named(region: Path, tmp_path: Path, authority: object) -> None:
    broken = {**read_region(region / "region.keys"), "authority": authority}
    keyfiles.write(tmp_path / "region.keys", broken)
    with pytest.raises(KeyFileError, match="authority is missing or broken"):
        keymaking.make_site(tmp_path / "region.keys", 48, tmp_path / "site")


@pytest.mark.parametrize("name", ["Köln" * 20, "x" * 53 + "ü" * 9, "🏚" * 30, "Zuid"])
def test_a_long_name_is_cut_between_characters(tmp_path: Path, name: str) -> None:
    region = tmp_path / "region.keys"
    keymaking.make_region(region, name)
    assert read_region(region)["region"] == name, "only the certificate is short"
    shown = common_name(x509.load_pem_x509_certificate(read_region(region)["authority"].encode()))
    assert f"Steunpunt {name}".startswith(shown)
    assert len(shown.encode()) <= 64 < len(shown.encode()) + 4 or shown == f"Steunpunt {name}"


# --- certificates -------------------------------------------------------------------------------------------------


def test_the_names_on_the_certificates(region: Path) -> None:
    listener, bridge = (certificate(region / f"{name}.pem") for name in (LISTENER, BRIDGE))
    names = listener.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kazerne.example"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert [common_name(listener), common_name(bridge)] == ["1", "47"]
    uses = bridge.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH], "a stolen kiosk is no broker"


@pytest.mark.parametrize("name", [LISTENER, BRIDGE])
def test_the_region_signed_them_and_they_sign_nothing(region: Path, name: str) -> None:
    authority, issued = certificate(region / "site" / "region-ca.pem"), certificate(region / f"{name}.pem")
    issued.verify_directly_issued_by(authority)
    basic = issued.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = issued.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (basic.critical, basic.value.ca, usage.key_cert_sign) == (True, False, False)
    own = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (own.ca, own.path_length) == (True, 0)


def test_a_point_without_a_clock_gets_its_bridge_up(region: Path) -> None:
    for name in (LISTENER, BRIDGE, "site/region-ca"):
        one = certificate(region / f"{name}.pem")
        assert one.not_valid_before_utc == dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        assert one.not_valid_after_utc.year == 2099


def context(side: int, folder: Path, name: str) -> ssl.SSLContext:
    """Give one end of the bridge as strictly as TLS can check it."""
    made = ssl.SSLContext(side)
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.load_verify_locations((folder / name).parent / "region-ca.pem")
    made.load_cert_chain(folder / f"{name}.pem", folder / f"{name}-key.pem")
    return made


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> str:
    """Run a whole TLS handshake in memory; returns the common name that the server saw of its client."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    listening = server.wrap_bio(up, down, server_side=True)
    bridging = client.wrap_bio(down, up, server_hostname=host)
    for _ in range(4):
        for end in (bridging, listening):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    listening.do_handshake()
    seen = listening.getpeercert(binary_form=True)
    assert seen is not None
    return common_name(x509.load_der_x509_certificate(seen))


@pytest.mark.parametrize("host", HOSTS)
def test_a_kiosks_bridge_and_the_regions_broker_shake_hands(region: Path, host: str) -> None:
    server = context(ssl.PROTOCOL_TLS_SERVER, region, LISTENER)
    assert shake_hands(server, context(ssl.PROTOCOL_TLS_CLIENT, region, BRIDGE), host) == "47"


def test_a_broker_under_another_name_is_refused(region: Path) -> None:
    server = context(ssl.PROTOCOL_TLS_SERVER, region, LISTENER)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"doesn't match|mismatch"):
        shake_hands(server, context(ssl.PROTOCOL_TLS_CLIENT, region, BRIDGE), "kazerne.elsewhere")


def test_a_kiosk_cannot_pose_as_the_broker(region: Path) -> None:
    server = context(ssl.PROTOCOL_TLS_SERVER, region, BRIDGE)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, context(ssl.PROTOCOL_TLS_CLIENT, region, BRIDGE), "127.0.0.1")


def test_another_regions_kiosk_is_refused(region: Path, tmp_path: Path) -> None:
    _made(tmp_path)
    foreign = context(ssl.PROTOCOL_TLS_CLIENT, tmp_path, BRIDGE)
    foreign.load_verify_locations(region / "site" / "region-ca.pem")
    with pytest.raises(ssl.SSLError):
        shake_hands(context(ssl.PROTOCOL_TLS_SERVER, region, LISTENER), foreign, "127.0.0.1")
