"""Revoking cards and changing keys: what the region's offline root says, as files for a stick.

Made where the region file lies, offline. A *notice* is public: it is told to all sites over any road, and signed. A new
private key travels in a file of its own, for the coordinators only.
"""

import base64
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from steunpunt import keyfiles
from steunpunt.keyfiles import SITES_KEY, decoded, encoded
from steunpunt.model import COORDINATOR_ID_MAX, SITE_ID_MAX, KeyFileError
from steunpunt.protocol.authority import (
    CARDS_MAX,
    REGION,
    KeyNotice,
    Revocation,
    merged,
    parse_notice,
    revoked_by,
)
from steunpunt.protocol.keys import CoordinatorIdentity, CoordinatorKeys, SiteKeys

_PRIVATE, _HOLDER, _NOTICE, _IDENTITY = "changed_private", "changed_holder", "notice", "identity"


def revoke(region_path: Path, site: int, generation: int | None, out: Path) -> int:
    """Revoke a site's card and all older ones; write all that the region revoked to ``out``. Returns the generation.

    Without ``generation``: the site's present one. KeyFileError, and nothing written, when a number is out of range,
    it is revoked already, the list is full, or a file cannot be written.
    """
    if not COORDINATOR_ID_MAX < site <= SITE_ID_MAX:
        raise KeyFileError(f"site {site}: a kiosk's id is 16 to {SITE_ID_MAX}; for a coordinator type `keys rotate`")
    region = keyfiles.read_region(region_path)
    root, notices = _root(region_path, region)
    revoked = revoked_by(notices)
    chosen = generation if generation is not None else revoked.get(site, 0) + 1
    if not revoked.get(site, 0) < chosen < keyfiles.GENERATION_MAX:
        lowest = revoked.get(site, 0) + 1
        raise KeyFileError(
            f"site {site}, generation {chosen}: write one from {lowest} to {keyfiles.GENERATION_MAX - 1}; "
            f"those before are revoked, and a new card needs one above"
        )
    said = _with_cards(notices, {**revoked, site: chosen}, root)
    _keep(region_path, region, said, {out: None})
    return chosen


def has_card(region_path: Path, site: int) -> bool | None:
    """Return whether a card was ever made for a site; None: the file was made before it kept a list."""
    known = keyfiles.read_region(region_path).get(SITES_KEY)
    return site in known if isinstance(known, list) else None


def _with_cards(notices: tuple[bytes, ...], revoked: dict[int, int], root: Ed25519PrivateKey) -> list[bytes]:
    """Return the notices with one list of revocations, in as few packets as do, instead of what there was."""
    public = root.public_key().public_bytes_raw()
    keys = [packet for packet in notices if isinstance(parse_notice(packet, public), KeyNotice)]
    cards = sorted(revoked.items())
    packets = [Revocation(tuple(cards[at : at + CARDS_MAX])).pack(root.sign) for at in range(0, len(cards), CARDS_MAX)]
    if len(packets) + len(keys) > keyfiles.NOTICES_MAX:
        raise KeyFileError(f"{len(cards)} revoked sites: too many for one region; make a new region")
    return packets + keys


def rotate(region_path: Path, holder: int, folder: Path) -> list[Path]:
    """Change the region's key (``holder`` 0) or a coordinator's news key; returns the files: for all, for coordinators.

    KeyFileError, and nothing written, when there is no such coordinator or a file cannot be written.
    """
    region = keyfiles.read_region(region_path)
    root, notices = _root(region_path, region)
    entries = region.get("coordinator", [])
    if holder != REGION and all(entry["id"] != holder for entry in entries):
        raise KeyFileError(f"coordinator {holder}: {region_path} knows no such one; write the id of one that it made")
    private, public = _new_pair(holder)
    serial = 1 + _serial(notices, root, holder)
    packet = KeyNotice(holder, serial, public).pack(root.sign)
    change: dict[str, Any] = {_HOLDER: holder, _PRIVATE: encoded(private), _NOTICE: encoded(packet)}
    changed = dict(region)
    if holder == REGION:
        older = [region["region_private"], *region.get("older_region_private", [])]
        changed["region_private"] = encoded(private)
        changed["older_region_private"] = older[: keyfiles.OLDER_REGION_KEYS_MAX]
    else:
        unsigned = CoordinatorIdentity(holder, public, b"")
        identity = keyfiles.identity_table(CoordinatorIdentity(holder, public, root.sign(unsigned.signed_part())))
        change[_IDENTITY] = identity
        changed["coordinator"] = [identity if entry["id"] == holder else entry for entry in entries]
    name = "region" if holder == REGION else f"coordinator-{holder}"
    files = {folder / f"{name}-{serial}.notice": None, folder / f"{name}-{serial}.change": change}
    said = list(merged([*notices, packet], root.public_key().public_bytes_raw()))
    _keep(region_path, changed, said, files)
    return list(files)


def _new_pair(holder: int) -> tuple[bytes, bytes]:
    if holder == REGION:
        region = X25519PrivateKey.generate()
        return region.private_bytes_raw(), region.public_key().public_bytes_raw()
    news = Ed25519PrivateKey.generate()
    return news.private_bytes_raw(), news.public_key().public_bytes_raw()


def _serial(notices: tuple[bytes, ...], root: Ed25519PrivateKey, holder: int) -> int:
    """Return the serial of a holder's present key; 0 for the one it has had from the start."""
    heard = [parse_notice(packet, root.public_key().public_bytes_raw()) for packet in notices]
    return max((n.serial for n in heard if isinstance(n, KeyNotice) and n.holder == holder), default=0)


def _root(path: Path, region: dict[str, Any]) -> tuple[Ed25519PrivateKey, tuple[bytes, ...]]:
    """Return the offline root and what it said so far."""
    root = Ed25519PrivateKey.from_private_bytes(decoded(path, region, "offline_root", 32))
    return root, keyfiles.notices_in(path, region, "notices", root.public_key().public_bytes_raw())


def _keep(region_path: Path, region: dict[str, Any], notices: list[bytes], files: dict[Path, Any]) -> None:
    """Write the notices, or what else belongs into a file, then the region's own file: all or none."""
    folder = next(iter(files)).parent
    with keyfiles.all_or_none(folder, files):
        for path, secret in files.items():
            if secret is None:
                keyfiles.write_notices(path, notices)
            else:
                keyfiles.write(path, secret)
        # Last: what the region file says was said must be in a file that somebody can carry.
        table = {**region, "notices": [encoded(packet) for packet in notices]}
        keyfiles.write(region_path, table, replace=True)


# --- at a site ----------------------------------------------------------------------------------------------------


def take_in(keys_path: Path, path: Path) -> list[str]:
    """Take notices, or a coordinator's changed key, into a site's key file; returns a line for each that is new.

    KeyFileError when the file is of another region or site, or older than what is here. Twice is once.
    """
    if keyfiles.is_kiosks(keys_path):
        kiosk = keyfiles.read_site(keys_path)
        if keyfiles.brings_a_key(path):
            raise KeyFileError(f"{path}: its private key is for coordinators; take the .notice file made with it")
        said = merged([*kiosk.notices, *keyfiles.read_notices(path, kiosk.root_public)], kiosk.root_public)
        return _take_notices(keys_path, keyfiles.read_table(keys_path), kiosk, said)
    keys = keyfiles.read_coordinator(keys_path)
    table = keyfiles.read_table(keys_path)
    if keyfiles.brings_a_key(path):
        heard = _take_key(table, path, keys)
    else:
        heard = keyfiles.read_notices(path, keys.root_public)
    said = merged([*keys.notices, *heard], keys.root_public)
    for packet in said:
        _check_held(path, table, parse_notice(packet, keys.root_public))
    return _take_notices(keys_path, table, keys, said)


def _take_notices(
    keys_path: Path, table: dict[str, Any], keys: CoordinatorKeys | SiteKeys, said: tuple[bytes, ...]
) -> list[str]:
    """Write a site's key file with all that was said, if there is anything new."""
    new = [parse_notice(packet, keys.root_public) for packet in said if packet not in keys.notices]
    if new:
        table["notices"] = [encoded(packet) for packet in said]
        keyfiles.write(keys_path, table, replace=True)
    return [_line(notice) for notice in new]


def _take_key(table: dict[str, Any], path: Path, keys: CoordinatorKeys) -> tuple[bytes, ...]:
    """Put a changed private key into the table of a coordinator's file; returns the notice of it."""
    change = keyfiles.read_change(path)
    heard = keyfiles.notices_in(path, {_NOTICE: [change.get(_NOTICE)]}, _NOTICE, keys.root_public)
    private = decoded(path, change, _PRIVATE, 32)
    notice = parse_notice(heard[0], keys.root_public)
    if not isinstance(notice, KeyNotice) or _public(notice.holder, private) != notice.public:
        raise KeyFileError(f"{path}: its key and its notice differ; make both anew with `steunpunt keys rotate`")
    if any(known.holder == notice.holder and known.serial > notice.serial for known in _key_notices(keys)):
        raise KeyFileError(f"{path}: a newer key of the same holder is here already; nothing to do")
    if notice.holder == REGION and table["region_private"] != encoded(private):
        older = [table["region_private"], *table.get("older_region_private", [])]
        table["region_private"] = encoded(private)
        table["older_region_private"] = older[: keyfiles.OLDER_REGION_KEYS_MAX]
    if notice.holder == table["coordinator_id"]:
        table["news_private"], table["identity"] = encoded(private), change[_IDENTITY]
    elif notice.holder != REGION:
        number = table["coordinator_id"]
        raise KeyFileError(f"{path}: it is for coordinator {notice.holder}, this is {number}; take its .notice file")
    return heard


def _key_notices(keys: CoordinatorKeys) -> list[KeyNotice]:
    heard = (parse_notice(packet, keys.root_public) for packet in keys.notices)
    return [notice for notice in heard if isinstance(notice, KeyNotice)]


def _public(holder: int, private: bytes) -> bytes:
    if holder == REGION:
        return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _check_held(path: Path, table: dict[str, Any], notice: Revocation | KeyNotice) -> None:
    """Refuse a notice of a key that this coordinator itself should have and has not: sites would seal past it."""
    if isinstance(notice, Revocation) or notice.holder not in (REGION, table["coordinator_id"]):
        return
    private = table["region_private"] if notice.holder == REGION else table["news_private"]
    if _public(notice.holder, base64.b64decode(private)) != notice.public:
        raise KeyFileError(f"{path}: it tells of a key that is not here; import the .change file that was made with it")


def _line(notice: Revocation | KeyNotice) -> str:
    if isinstance(notice, Revocation):
        cards = ", ".join(f"{site} (generation {generation})" for site, generation in notice.cards)
        return f"revoked, with all older cards of theirs: {cards}"
    whose = "the region" if notice.holder == REGION else f"coordinator {notice.holder}"
    return f"new key of {whose}, number {notice.serial}"
