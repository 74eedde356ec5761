"""What the region's offline root said after the cards were made, as this site heard it: by link, or with its key file.

Each notice is signed, so it counts whoever brings it, and is kept in the ledger: revoked once is revoked for good. A
coordinator tells them on: over the broker to all every hour; by radio when they are new and then once a day, and
through one gateway of each site that is heard through gateways only. A kiosk that heard one by radio, or was brought
one on a stick, gives it to its broker once, for a coordinator that no radio reaches.
"""

import logging
import struct
from collections.abc import Callable, Iterable

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.common import Counts
from steunpunt.engine.transmitting import Transmitter
from steunpunt.ledger import incoming
from steunpunt.ledger.store import Ledger
from steunpunt.model import Effect, Lane, LinkName, SendEnded, SendOutcome
from steunpunt.protocol.authority import REGION, KeyNotice, Revocation, merged, parse_notice, revoked_by
from steunpunt.relay.outbox import HOPS_MORE
from steunpunt.relay.replies import Reach
from steunpunt.values import replace

NOTICES_MAX = 64
"""Most notices kept, as in a key file: fifty cards fit one, and each holder of a key has one."""
BROKER_AGAIN_MS = 3_600_000
MESH_AGAIN_MS = 24 * 3_600_000
WAIT_MS = 5_000
"""Between two packets by one radio, and after one that was not taken."""
GATEWAYS_MAX = 8
_META = "notices"
_KEPT = struct.Struct(">qqB")
_NEVER = -1
_log = logging.getLogger(__name__)


class _Kept(Struct, frozen=True):
    """A notice, and when it was last told over the broker and by radio."""

    packet: bytes
    broker_ms: int = _NEVER
    mesh_ms: int = _NEVER


class NoticeBook:
    """The genuine notices that still say something. All of it inside the caller's transaction."""

    def __init__(
        self,
        ledger: Ledger,
        root_public: bytes,
        brought: Iterable[bytes],
        counts: Counts,
        acts_on: Callable[[KeyNotice], bool] = lambda _notice: True,
    ) -> None:
        """``brought``: with the key file, and genuine. ``acts_on``: whether this site can go by a new key."""
        self._ledger, self._root_public, self._brought = ledger, root_public, tuple(brought)
        self._counts, self._acts_on = counts, acts_on
        self._kept: dict[bytes, _Kept] | None = None
        self._revoked: dict[int, int] = {}

    def rolled_back(self) -> None:
        """Read anew: the disk did not keep what was heard last."""
        self._kept = None

    def kept(self, connection: sa.Connection) -> list[_Kept]:
        """Return all of them."""
        return list(self._read(connection).values())

    def revoked(self, connection: sa.Connection) -> dict[int, int]:
        """Return for each site the highest revoked generation."""
        self._read(connection)
        return self._revoked

    def keys(self, connection: sa.Connection) -> list[KeyNotice]:
        """Return the newest key of each holder that one tells of."""
        heard = (parse_notice(packet, self._root_public) for packet in self._read(connection))
        return [notice for notice in heard if isinstance(notice, KeyNotice)]

    def hear(self, connection: sa.Connection, packet: bytes) -> Revocation | KeyNotice | None:
        """Take a notice from a link; returns it if it says something new. FrameError and SealError as parse_notice."""
        known = self._read(connection)
        if packet in known:
            self._counts["notices_known"] += 1
            return None
        notice = parse_notice(packet, self._root_public)
        if isinstance(notice, KeyNotice) and not self._acts_on(notice):
            self._counts["notices_without_key"] += 1
            _log.error("action=notice refused holder=%d serial=%d why=its private key is not here", *_who(notice))
            return None
        after = merged([*known, packet], self._root_public)
        if packet not in after or len(after) > NOTICES_MAX:
            self._counts["notices_known" if packet not in after else "notices_full"] += 1
            return None
        self._keep({one: known.get(one) or _Kept(one) for one in after})
        self._write(connection)
        self._counts["notices"] += 1
        _log.warning("action=notice %s", _told(notice))
        return notice

    def note(self, connection: sa.Connection, packet: bytes, link: LinkName, told_ms: int) -> None:
        """Note when a notice was told over a link."""
        known = self._read(connection)
        if packet in known:
            one = known[packet]
            by_broker = link is LinkName.BROKER
            known[packet] = replace(one, broker_ms=told_ms) if by_broker else replace(one, mesh_ms=told_ms)
            self._write(connection)

    def _read(self, connection: sa.Connection) -> dict[bytes, _Kept]:
        if self._kept is None:
            stored = self._ledger.get_meta(connection, _META) or b""
            kept = {one.packet: one for one in _unpack(stored)}
            after = merged([*kept, *self._brought], self._root_public)
            return self._keep({packet: kept.get(packet) or _Kept(packet) for packet in after})
        return self._kept

    def _keep(self, kept: dict[bytes, _Kept]) -> dict[bytes, _Kept]:
        self._kept, self._revoked = kept, revoked_by(kept)
        return kept

    def _write(self, connection: sa.Connection) -> None:
        kept = (self._kept or {}).values()
        stored = b"".join(_KEPT.pack(one.broker_ms, one.mesh_ms, len(one.packet)) + one.packet for one in kept)
        self._ledger.set_meta(connection, _META, stored)


def _unpack(stored: bytes) -> list[_Kept]:
    kept = []
    while stored:
        broker_ms, mesh_ms, size = _KEPT.unpack_from(stored)
        packet, stored = stored[_KEPT.size : _KEPT.size + size], stored[_KEPT.size + size :]
        kept.append(_Kept(packet, broker_ms, mesh_ms))
    return kept


def _who(notice: KeyNotice) -> tuple[int, int]:
    return notice.holder, notice.serial


def _told(notice: Revocation | KeyNotice) -> str:
    if isinstance(notice, Revocation):
        return "revoked=" + ",".join(f"{site}/{generation}" for site, generation in notice.cards)
    return "key_of={} serial={}".format("region" if notice.holder == REGION else notice.holder, notice.serial)


class NoticeFlight(Struct, frozen=True):
    """A notice under way."""

    packet: bytes
    link: LinkName


class Teller:
    """A coordinator's notices on their way. All of it inside the caller's transaction."""

    def __init__(self, book: NoticeBook, out: Transmitter) -> None:
        self._book, self._out = book, out
        self._from_ms = 0
        self.due_ms: int | None = 0

    def rolled_back(self) -> None:
        """Look again: what was planned leaned on what was not kept."""
        self.due_ms = 0

    def send(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Return the packets that go now: over the broker all that are due, by each radio one at a time."""
        self.due_ms = None
        effects: list[Effect] = []
        for one in self._book.kept(connection):
            if self._out.links.broker.up and self._is_due(one.broker_ms, BROKER_AGAIN_MS, now_ms):
                if now_ms < self._from_ms:
                    self._look_again(self._from_ms)
                    continue
                self._book.note(connection, one.packet, LinkName.BROKER, now_ms)
                flight = NoticeFlight(one.packet, LinkName.BROKER)
                effects.append(self._out.by_broker(None, Lane.HOUSEKEEPING, one.packet, flight))
                self._look_again(now_ms + BROKER_AGAIN_MS)
            if self._is_due(one.mesh_ms, MESH_AGAIN_MS, now_ms):
                effects += self._on_air(connection, one, now_ms)
        return effects

    def _is_due(self, told_ms: int, again_ms: int, now_ms: int) -> bool:
        if told_ms == _NEVER or now_ms - told_ms >= again_ms:
            return True
        self._look_again(told_ms + again_ms)
        return False

    def _on_air(self, connection: sa.Connection, one: _Kept, now_ms: int) -> list[Effect]:
        """Broadcast it by every radio here, and by those gateways that alone reach some site.

        Each day after the first it goes over more radios: nobody tells whether the sites at the rim have it.
        """
        packet, reach = one.packet, Reach(hops_more=0 if one.mesh_ms == _NEVER else HOPS_MORE)
        radios, size = self._out.links.radios_up() if self._out.links.mesh.up else (), len(packet)
        if now_ms < self._from_ms:
            self._look_again(self._from_ms)
            return []
        for radio in radios:
            if not self._out.fits(connection, radio, Lane.ANNOUNCEMENT, size, now_ms):
                self._look_again(self._out.fits_from_ms(connection, radio, Lane.ANNOUNCEMENT, size, now_ms))
                return []
        carriers: list[int] = []
        if self._out.links.broker.up:
            carriers = incoming.only_gateways(connection, now_ms - MESH_AGAIN_MS, GATEWAYS_MAX)
        if not radios and not carriers:
            return []  # a link that comes up wakes us
        self._from_ms = now_ms + WAIT_MS
        self._look_again(self._from_ms)
        self._book.note(connection, packet, LinkName.MESH, now_ms)
        flight = NoticeFlight(packet, LinkName.MESH)
        by_radio: list[Effect] = [
            self._out.by_radio(connection, radio, Lane.ANNOUNCEMENT, packet, flight, now_ms, reach=reach)
            for radio in radios
        ]
        return by_radio + [self._out.by_broker(one, Lane.ANNOUNCEMENT, packet, flight) for one in carriers]

    def ended(self, connection: sa.Connection, flight: NoticeFlight, event: SendEnded, now_ms: int) -> None:
        """What was not taken goes again soon; what a radio may have sent does not."""
        on_air = event.link is LinkName.MESH and event.outcome is SendOutcome.UNKNOWN
        if event.outcome is SendOutcome.TAKEN or on_air:
            return
        self._book.note(connection, flight.packet, flight.link, _NEVER)
        self._from_ms = now_ms + WAIT_MS
        self._look_again(self._from_ms)

    def _look_again(self, at_ms: int) -> None:
        self.due_ms = at_ms if self.due_ms is None else min(at_ms, self.due_ms)
