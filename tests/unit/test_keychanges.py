"""A stolen card and a stolen coordinator: revoked and changed where the region file lies, imported by stick."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from steunpunt import keychanges, keyfiles, keymaking
from steunpunt.cli import main
from steunpunt.keyfiles import read_coordinator, read_notices, read_region, read_site
from steunpunt.model import KeyFileError
from steunpunt.protocol.authority import REGION, KeyNotice, parse_notice, revoked_by
from steunpunt.protocol.keys import CoordinatorKeys, SiteKeys, keys_at
from steunpunt.relay.epochs import generations_to_try, quarantined
from steunpunt.values import replace

EPHEMERAL = bytes(range(32))


@pytest.fixture
def region(tmp_path: Path) -> Path:
    path = tmp_path / "region.keys"
    keymaking.make_region(path, "Proef")
    for number in (1, 2):
        keymaking.make_coordinator(path, number, tmp_path / f"c{number}", ["127.0.0.1"])
    keymaking.make_site(path, 47, tmp_path / "47")
    return path


@pytest.fixture
def desk(region: Path) -> Path:
    return region.parent / "c1" / "coordinator.keys"


def revoked(desk: Path) -> dict[int, int]:
    return revoked_by(read_coordinator(desk).notices)


def generation_heard(coordinator: CoordinatorKeys, kiosk: SiteKeys, generations: tuple[int, ...]) -> int | None:
    """Return the generation under which a coordinator opens what a kiosk seals now, None when it cannot."""
    e_pub, chain = kiosk.open_epoch(EPHEMERAL)
    _, keys = chain.take()
    found = coordinator.epoch_keys(kiosk.site, generations, e_pub)
    return next((generation for generation, key in found if keys_at(key, 0) == keys), None)


# --- a stolen card ------------------------------------------------------------------------------------------------


def test_a_stolen_card_is_revoked_and_the_next_one_counts(region: Path, desk: Path, tmp_path: Path) -> None:
    assert keychanges.revoke(region, 47, None, tmp_path / "47.notice") == 1
    assert keychanges.take_in(desk, tmp_path / "47.notice") == [
        "revoked, with all older cards of theirs: 47 (generation 1)"
    ]
    keymaking.make_site(region, 47, tmp_path / "new")
    stolen, new = (read_site(tmp_path / folder / "site.keys") for folder in ("47", "new"))
    assert (stolen.generation, new.generation) == (1, 2)
    keys = read_coordinator(desk)
    tries = generations_to_try((), keys.generations, revoked(desk)[47])
    assert [generation_heard(keys, kiosk, tries) for kiosk in (stolen, new)] == [1, 2]
    assert [quarantined(g, (), keys.generations, revoked(desk)[47]) for g in (1, 2)] == [True, False]


def test_whoever_revokes_a_card_that_never_was_is_warned(region: Path, tmp_path: Path) -> None:
    assert (keychanges.has_card(region, 47), keychanges.has_card(region, 99)) == (True, False)
    words = ["keys", "revoke", str(region), "--id", "99", "--out", str(tmp_path / "99.notice")]
    told = CliRunner().invoke(main, words)
    assert (told.exit_code, (tmp_path / "99.notice").exists()) == (0, True)
    assert "never made a card for site 99; is the number right?" in told.output
    kept = [line for line in region.read_text("utf-8").splitlines() if not line.startswith("sites_made")]
    region.write_text("\n".join(kept), "utf-8")
    assert keychanges.has_card(region, 99) is None, "a file of before the list knows nothing"


def test_the_newest_notice_says_all_that_was_revoked(region: Path, desk: Path, tmp_path: Path) -> None:
    for site in range(16, 16 + 60):
        keychanges.revoke(region, site, 3, tmp_path / f"{site}.notice")
    keychanges.revoke(region, 20, None, tmp_path / "again.notice")
    keychanges.take_in(desk, tmp_path / "40.notice")
    keychanges.take_in(desk, tmp_path / "again.notice")
    assert revoked(desk) == {**dict.fromkeys(range(16, 16 + 60), 3), 20: 4}
    assert keychanges.take_in(desk, tmp_path / "again.notice") == []
    assert keychanges.take_in(desk, tmp_path / "17.notice") == [], "an older one changes nothing"
    assert len(read_coordinator(desk).notices) <= 3


def test_a_coordinator_made_later_knows_what_was_said(region: Path, tmp_path: Path) -> None:
    keychanges.revoke(region, 47, None, tmp_path / "47.notice")
    keychanges.rotate(region, REGION, tmp_path / "change")
    keymaking.make_coordinator(region, 3, tmp_path / "c3", ["127.0.0.1"])
    later = read_coordinator(tmp_path / "c3" / "coordinator.keys")
    assert revoked_by(later.notices) == {47: 1}
    assert generation_heard(later, read_site(tmp_path / "47" / "site.keys"), (2, 1)) == 1
    keymaking.make_site(region, 48, tmp_path / "48")
    assert generation_heard(later, read_site(tmp_path / "48" / "site.keys"), (1,)) == 1


@pytest.mark.parametrize(("site", "generation"), [(15, None), (65_536, None), (47, 0), (47, 255), (47, 256)])
def test_what_cannot_be_revoked_is_refused(region: Path, tmp_path: Path, site: int, generation: int | None) -> None:
    before = region.read_bytes()
    with pytest.raises(KeyFileError, match=r"16 to 65535|write one from 1 to 254"):
        keychanges.revoke(region, site, generation, tmp_path / "x.notice")
    assert not (tmp_path / "x.notice").exists()
    assert region.read_bytes() == before


def test_what_is_revoked_is_not_made_or_revoked_again(region: Path, tmp_path: Path) -> None:
    keychanges.revoke(region, 47, 2, tmp_path / "one.notice")
    with pytest.raises(KeyFileError, match="from 3 to 254; those before are revoked"):
        keychanges.revoke(region, 47, 2, tmp_path / "two.notice")
    with pytest.raises(KeyFileError, match="write 3 to 255; those before are revoked"):
        keymaking.make_site(region, 47, tmp_path / "new", 2)
    with pytest.raises(KeyFileError, match="exists already"):
        keychanges.revoke(region, 47, 3, tmp_path / "one.notice")
    keymaking.make_site(region, 47, tmp_path / "new")
    assert read_site(tmp_path / "new" / "site.keys").generation == 3, "the refused ones changed nothing"


# --- a stolen coordinator -----------------------------------------------------------------------------------------


def test_a_new_key_of_the_region_keeps_old_cards_heard_and_the_thief_out(
    region: Path, desk: Path, tmp_path: Path
) -> None:
    thief = read_coordinator(tmp_path / "c2" / "coordinator.keys")
    notice, change = keychanges.rotate(region, REGION, tmp_path / "change")
    assert keychanges.take_in(desk, change) == ["new key of the region, number 1"]
    keys = read_coordinator(desk)
    heard = parse_notice(read_notices(notice, keys.root_public)[0], keys.root_public)
    assert isinstance(heard, KeyNotice)
    assert heard.public == keys.region_public()
    before = read_site(tmp_path / "47" / "site.keys")
    after = replace(before, region_public=heard.public)
    assert [generation_heard(keys, kiosk, (1,)) for kiosk in (before, after)] == [1, 1]
    assert generation_heard(thief, before, (1,)) == 1
    assert generation_heard(thief, after, (1, 2, 3)) is None


def test_a_coordinators_new_news_key_is_its_own(region: Path, desk: Path, tmp_path: Path) -> None:
    notice, change = keychanges.rotate(region, 1, tmp_path / "change")
    assert keychanges.take_in(desk, change) == ["new key of coordinator 1, number 1"]
    keys = read_coordinator(desk)
    heard = parse_notice(read_notices(notice, keys.root_public)[0], keys.root_public)
    assert isinstance(heard, KeyNotice)
    assert keys.identity.news_public == heard.public
    other = tmp_path / "c2" / "coordinator.keys"
    with pytest.raises(KeyFileError, match=r"for coordinator 1, this is 2; take its \.notice file"):
        keychanges.take_in(other, change)
    assert keychanges.take_in(other, notice) == ["new key of coordinator 1, number 1"]
    keymaking.make_site(region, 48, tmp_path / "48")
    known = {c.coordinator: c.news_public for c in read_site(tmp_path / "48" / "site.keys").coordinators}
    assert known[1] == heard.public


def test_a_notice_of_a_key_that_is_not_here_is_refused(region: Path, desk: Path, tmp_path: Path) -> None:
    before = desk.read_bytes()
    for holder in (REGION, 1):
        notice, _ = keychanges.rotate(region, holder, tmp_path / "change")
        with pytest.raises(KeyFileError, match=r"import the \.change file"):
            keychanges.take_in(desk, notice)
    assert desk.read_bytes() == before


def test_keys_change_again_and_again_within_limits(region: Path, desk: Path, tmp_path: Path) -> None:
    changes = [keychanges.rotate(region, REGION, tmp_path / str(i))[1] for i in range(6)]
    for change in changes:
        assert len(keychanges.take_in(desk, change)) == 1
        assert keychanges.take_in(desk, change) == []
    keys = read_coordinator(desk)
    assert len(keys.older_region_privates) == keyfiles.OLDER_REGION_KEYS_MAX
    assert len(keys.notices) == 1, "only the newest key is told"
    with pytest.raises(KeyFileError, match="a newer key of the same holder"):
        keychanges.take_in(desk, changes[2])


def test_another_regions_word_is_refused(desk: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.keys"
    keymaking.make_region(other, "Elders")
    keychanges.revoke(other, 47, None, tmp_path / "other.notice")
    _, change = keychanges.rotate(other, REGION, tmp_path / "other")
    for path in (tmp_path / "other.notice", change):
        with pytest.raises(KeyFileError, match="did not sign"):
            keychanges.take_in(desk, path)


@pytest.mark.parametrize("text", ['[region]\nname = "Zuid-Limburg"\n', "", "region_notices = []\n"])
def test_a_file_that_is_no_notice_does_not_pass_for_one_with_nothing_new(desk: Path, tmp_path: Path, text: str) -> None:
    other = tmp_path / "47.notice"
    other.write_text(text, "utf-8")
    for keys in (desk, tmp_path / "47" / "site.keys"):
        with pytest.raises(KeyFileError, match="is no notice; give the file that `steunpunt keys revoke`"):
            keychanges.take_in(keys, other)


def test_a_kiosk_takes_notices_and_no_private_key(region: Path, tmp_path: Path) -> None:
    kiosk = tmp_path / "47" / "site.keys"
    notice, change = keychanges.rotate(region, REGION, tmp_path / "change")
    assert keychanges.take_in(kiosk, notice) == ["new key of the region, number 1"]
    assert keychanges.take_in(kiosk, notice) == []
    assert read_site(kiosk).notices == read_notices(notice, read_site(kiosk).root_public)
    with pytest.raises(KeyFileError, match=r"take the \.notice file"):
        keychanges.take_in(kiosk, change)
    with pytest.raises(KeyFileError, match="use the coordinator's own"):
        keychanges.take_in(region, notice)


@pytest.mark.parametrize("name", ["region.keys", "c1/coordinator.keys", "47/site.keys", "c1/ledger.key"])
def test_another_kind_of_file_is_refused_by_name(region: Path, desk: Path, name: str) -> None:
    with pytest.raises(KeyFileError, match=r"this is a .* key file; use one made by it"):
        keychanges.take_in(desk, region.parent / name)


def test_only_the_changed_key_is_secret(region: Path, tmp_path: Path) -> None:
    notice, change = keychanges.rotate(region, REGION, tmp_path / "change")
    assert [path.stat().st_mode & 0o777 for path in (notice, change)] == [0o644, 0o600]
    assert "Public" in notice.read_text()
    assert read_region(region)["region_private"] not in notice.read_text()
    with pytest.raises(KeyFileError, match="no such one"):
        keychanges.rotate(region, 9, tmp_path / "change")


def test_nothing_is_left_when_the_regions_file_cannot_be_written(region: Path, tmp_path: Path) -> None:
    blocker = tmp_path / ".region.keys.new"
    blocker.mkdir()
    (blocker / "x").touch()
    with pytest.raises(KeyFileError, match="cannot be written"):
        keychanges.rotate(region, REGION, tmp_path / "change")
    assert not (tmp_path / "change").exists()
    assert read_region(region).get("notices") is None


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("notices", "AAAA", "no list of at most"),
        ("notices", ["AAAA"], "make the file anew"),
        ("notices", [7], "make the file anew"),
        ("notices", ["AAAA"] * 65, "no list of at most"),
        ("older_region_private", ["AAAA"], "not 32"),
        ("older_region_private", ["AAAA"] * 4, "no list of keys"),
        ("older_region_private", 7, "no list of keys"),
    ],
)
def test_defects_name_their_mend(desk: Path, key: str, value: object, said: str, region: Path) -> None:
    assert region.exists()
    keyfiles.write(desk, {**keyfiles.read_table(desk), key: value}, replace=True)
    with pytest.raises(KeyFileError, match=said):
        read_coordinator(desk)
