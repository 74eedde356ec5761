"""What a thief can try with a stolen card and everything that was ever on the air."""

from collections.abc import Iterable

from steunpunt.model import SealError
from steunpunt.protocol.keys import MessageKeys, SiteKeys, keys_at
from steunpunt.protocol.pieces import SealedPiece
from steunpunt.sim.region.disk import Disk
from steunpunt.sim.region.watch import pieces_in

PIECES_TRIED_MAX = 4
KEY_BYTES = 16
CHAIN_BYTES = 32


def rob(keys: SiteKeys, disk: Disk, recorded: Iterable[bytes]) -> int:
    """Try each run of bytes on the card as a sealing key, and as an epoch's key; return how many pieces opened."""
    heard = {one.piece for payload in recorded for one in pieces_in(payload) if one.piece.site == keys.site}
    pieces = sorted(heard, key=lambda piece: (piece.eid, piece.n))[:PIECES_TRIED_MAX]
    material = b"".join(_cells(disk)) + keys.secret + keys.region_public + keys.root_public
    sealing = {material[i : i + KEY_BYTES] for i in range(len(material) - KEY_BYTES + 1)}
    chains = {material[i : i + CHAIN_BYTES] for i in range(len(material) - CHAIN_BYTES + 1)}
    opened = 0
    for piece in pieces:
        candidates = [MessageKeys(key, b"", b"") for key in sorted(sealing)]
        candidates += [keys_at(chain, piece.n) for chain in sorted(chains)]
        opened += any(_opens(piece_key, piece) for piece_key in candidates)
    return opened


def _cells(disk: Disk) -> list[bytes]:
    """Return all that stands in the tables, as bytes."""
    tables = [name for (name,) in disk.read("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    rows = [row for table in tables for row in disk.read(f"SELECT * FROM {table}")]  # noqa: S608  its own tables
    return [cell for row in rows for cell in row if isinstance(cell, bytes)]


def _opens(keys: MessageKeys, piece: SealedPiece) -> bool:
    try:
        piece.open(keys)
    except SealError:
        return False
    return True
