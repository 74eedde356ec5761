"""The epochs a coordinator knows: the key of each, which card made it, and whether that card still counts."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.ledger import incoming
from steunpunt.model import SealError
from steunpunt.protocol.keys import CoordinatorKeys, MessageKeys, epoch_id, keys_at
from steunpunt.protocol.pieces import HeardPiece, SealedPiece
from steunpunt.relay import epochs

CACHED_MAX = 256


class Epoch(Struct, frozen=True):
    """One start of a kiosk: its key E, and the generation of the site's secret behind it."""

    generation: int
    key: bytes

    def keys(self, n: int) -> MessageKeys:
        """Return the keys of message ``n``."""
        return keys_at(self.key, n)


class EpochBook:
    """See the module. All of it inside the caller's transaction."""

    def __init__(self, keys: CoordinatorKeys, revoked: Callable[[sa.Connection], Mapping[int, int]]) -> None:
        """``revoked``: gives for each site the highest revoked generation."""
        self._keys, self._revoked = keys, revoked
        self._cached: dict[tuple[int, bytes], Epoch] = {}

    def rolled_back(self) -> None:
        """Forget the epochs in memory: the rows of new ones are gone, and the ledger knows the others."""
        self._cached.clear()

    def find(self, connection: sa.Connection, heard: HeardPiece) -> Epoch | None:
        """Return a piece's epoch: known, or by its hello; None when it cannot be known yet. Raises SealError."""
        known = self.known(connection, heard.piece)
        if known is not None or heard.e_pub is None:
            return known
        if epoch_id(heard.e_pub) != heard.piece.eid:
            raise SealError("hello names another epoch than its piece")
        site = heard.piece.site
        of_site = incoming.generations_of(connection, site)
        may_be = epochs.generations_to_try(of_site, self._keys.generations, self._of(connection, site))
        return self._opening(heard.piece, may_be, heard.e_pub)

    def known(self, connection: sa.Connection, piece: SealedPiece) -> Epoch | None:
        """Return the epoch of a piece if it said hello before; SealError when no key of the region opens the piece."""
        at = (piece.site, piece.eid)
        if at not in self._cached:
            row = incoming.epoch(connection, *at)
            if row is None:
                return None
            e_pub, generation = row
            self._remember(at, self._opening(piece, (generation,), e_pub))
        return self._cached[at]

    def keep(self, connection: sa.Connection, heard: HeardPiece, epoch: Epoch) -> bool:
        """Keep an epoch after its first piece opened; True when it was not known before."""
        at = (heard.piece.site, heard.piece.eid)
        if heard.e_pub is None or incoming.epoch(connection, *at) is not None:
            return False
        incoming.add_epoch(connection, *at, heard.e_pub, epoch.generation)
        self._remember(at, epoch)
        return True

    def quarantined(self, connection: sa.Connection, site: int, epoch: Epoch) -> bool:
        """Return whether the card behind an epoch does not count any more: it was revoked, or replaced long ago."""
        of_site = incoming.generations_of(connection, site)
        return epochs.quarantined(epoch.generation, of_site, self._keys.generations, self._of(connection, site))

    def _of(self, connection: sa.Connection, site: int) -> int:
        return self._revoked(connection).get(site, 0)

    def _opening(self, piece: SealedPiece, generations: Iterable[int], e_pub: bytes) -> Epoch:
        with suppress(ValueError):  # a public key that yields no secret
            for generation, key in self._keys.epoch_keys(piece.site, generations, e_pub):
                with suppress(SealError):
                    piece.open(keys_at(key, piece.n))
                    return Epoch(generation, key)
        raise SealError(f"piece of site {piece.site} does not authenticate under its epoch")

    def _remember(self, at: tuple[int, bytes], epoch: Epoch) -> None:
        self._cached[at] = epoch
        while len(self._cached) > CACHED_MAX:
            del self._cached[next(iter(self._cached))]
