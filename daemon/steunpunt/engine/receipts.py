"""A coordinator's receipts: which message has earned one, on which road it goes, and in whose company.

Over the broker a receipt goes at once to the site that carried the message. Over the mesh receipts wait a moment for
company, those of signs of life longer, and all longer when others went not long ago, those of life threats least; the
latest of those are said once more. One that has no company goes to its site's radio alone, as the answer to the packet
that was heard: this teaches the radios on the way the next hop. A message that a gateway carried is receipted through
the first gateway only, for each would put the receipt on the air; and through none when it was heard here too, unless a
receipt over the mesh did not silence its site: some radios are heard further than they hear.
"""

import itertools
from dataclasses import dataclass, field
from typing import TypeVar

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.intake import Taken
from steunpunt.engine.transmitting import Transmitter
from steunpunt.ledger.incoming import Piece
from steunpunt.model import Effect, FrameHeard, Lane, LinkName, TokenCode
from steunpunt.protocol.tokens import HEAD_BYTES, TOKEN_BYTES, TOKENS_MAX, Head, pack_tokens
from steunpunt.relay import replies
from steunpunt.relay.outbox import HOPS_MORE
from steunpunt.relay.replies import Reach

REMEMBERED_MAX = 2_000
RECEIPTS_MAX = 2_000
REFUSED_WAIT_MS = 5_000
UNHEARD_MIN = 1
"""After so many receipts over the mesh for one message, a gateway may say it too."""

Remembered = TypeVar("Remembered")


class Owed(Struct, frozen=True):
    """A receipt owed over the mesh: by the radio that heard the message, to the one that sent it."""

    radio: str
    verify: bytes
    code: TokenCode
    sender: int | None = None
    packet_id: int | None = None
    again: bool = True
    """Whether it is worth saying once more; a heartbeat is not sent again without it."""
    hops: int | None = None
    """Over how many radios the message came; None: any way may be needed."""
    hops_more: int = 0
    """And over how many more than usual, for what came again may have come over more."""


class ReceiptFlight(Struct, frozen=True):
    """Receipts under way over the mesh in one packet."""

    claims: tuple[tuple[Piece, Owed], ...]


@dataclass(slots=True)
class _Kept:
    """What is remembered in memory only; a copy of it comes back when a transaction fails."""

    owed: dict[Piece, Owed] = field(default_factory=dict)
    due_ms: int | None = None
    echoes: dict[Piece, int] = field(default_factory=dict)
    """Receipted over the site's own broker at."""
    carried: dict[Piece, int] = field(default_factory=dict)
    """Receipted through a gateway at."""
    meshed: dict[Piece, tuple[int, int]] = field(default_factory=dict)
    """Earned a receipt over the mesh: how often, and when last."""
    said: dict[Piece, tuple[Owed, int]] = field(default_factory=dict)
    """Receipted over the mesh, and when last; the latest last."""
    paced_ms: int = 0
    """When the pace of the packets that went over the mesh is over."""
    life_paced_ms: int = 0
    """The same by the pace of those for life threats."""
    last_ms: int = -replies.LIFE_APART_MS
    """When the last of them went."""

    def copy(self) -> "_Kept":
        """Return one that changes apart from this."""
        return _Kept(
            dict(self.owed),
            self.due_ms,
            dict(self.echoes),
            dict(self.carried),
            dict(self.meshed),
            dict(self.said),
            self.paced_ms,
            self.life_paced_ms,
            self.last_ms,
        )


class Receipts:
    """See the module. All of it inside the caller's transaction."""

    def __init__(self, out: Transmitter, *, overheard: bool = False) -> None:
        """``overheard``: other coordinators listen, so that receipts go to all who hear them."""
        self._out, self._overheard = out, overheard
        self._now = _Kept()
        self._before: _Kept | None = None
        self._over_broker: dict[int, list[Taken]] = {}

    @property
    def due_ms(self) -> int | None:
        """Return when receipts for the mesh go."""
        return self._now.due_ms

    @property
    def waiting(self) -> bool:
        """Return whether a receipt waits for the mesh."""
        return bool(self._now.owed)

    def committed(self) -> None:
        """Note that the last turn is on the disk."""
        self._before = None

    def rolled_back(self) -> None:
        """Owe again what was owed before the turn, and nothing for what the disk did not keep."""
        self._over_broker.clear()
        if self._before is not None:
            self._now, self._before = self._before, None

    def _changing(self) -> None:
        if self._before is None:
            self._before = self._now.copy()

    # --- owing --------------------------------------------------------------------------------------------------

    def owe(self, taken: Taken, frame: FrameHeard, now_ms: int) -> None:
        """Note that this message has earned a receipt on the link it came by."""
        self._changing()
        if frame.link is LinkName.MESH:
            self._owe_mesh(taken, frame, now_ms)
        elif frame.carrier == taken.at.site:
            self._over_broker.setdefault(frame.carrier, []).append(taken)
            self._now.owed.pop(taken.at, None)
            _remember(self._now.echoes, taken.at, now_ms)
        elif frame.carrier is not None and self._needs_gateway(taken.at, now_ms):
            self._over_broker.setdefault(frame.carrier, []).append(taken)
            _remember(self._now.carried, taken.at, now_ms)

    def _owe_mesh(self, taken: Taken, frame: FrameHeard, now_ms: int) -> None:
        if self._lately(self._now.echoes, taken.at, now_ms):
            return
        times, _ = self._now.meshed.pop(taken.at, (0, 0))
        _remember(self._now.meshed, taken.at, (times + 1, now_ms))
        if len(self._now.owed) < RECEIPTS_MAX:
            self._now.owed[taken.at] = Owed(
                frame.radio,
                taken.verify,
                taken.code,
                frame.sender,
                frame.packet_id,
                again=not taken.heartbeat,
                hops=None if times else frame.hops,
                hops_more=HOPS_MORE if times and (taken.life_threat or (frame.hops or 0) >= replies.FAR_HOPS) else 0,
            )
        due_ms = now_ms + taken.gather_ms
        if taken.life_threat:
            paced_ms = replies.paced_from_ms(self._now.life_paced_ms, replies.LIFE_PACE_MS)
            due_ms = max(due_ms, self._now.last_ms + replies.LIFE_APART_MS, paced_ms)
        else:
            due_ms = max(due_ms, replies.paced_from_ms(self._now.paced_ms, replies.TOKEN_PACE_MS))
        self._now.due_ms = due_ms if self._now.due_ms is None else min(due_ms, self._now.due_ms)

    def _needs_gateway(self, at: Piece, now_ms: int) -> bool:
        times, heard_ms = self._now.meshed.get(at, (0, -replies.ECHO_MS_MAX))
        here_alone = 0 < times <= UNHEARD_MIN and now_ms - heard_ms < replies.ECHO_MS_MAX
        return not here_alone and not self._lately(self._now.carried, at, now_ms)

    @staticmethod
    def _lately(when: dict[Piece, int], at: Piece, now_ms: int) -> bool:
        return now_ms - when.get(at, -replies.ECHO_MS_MAX) < replies.ECHO_MS_MAX

    def refused(self, flight: ReceiptFlight, now_ms: int) -> None:
        """Owe again what a radio did not take."""
        self._changing()
        self._now.owed.update(flight.claims)
        self._now.due_ms = now_ms + REFUSED_WAIT_MS

    # --- sending ------------------------------------------------------------------------------------------------

    def send(self, connection: sa.Connection, head: Head, now_ms: int) -> list[Effect]:
        """Return the packets with the receipts that go now."""
        effects: list[Effect] = []
        for carrier, owed in self._over_broker.items():
            for first in range(0, len(owed), TOKENS_MAX):
                claims = [(taken.verify, taken.code) for taken in owed[first : first + TOKENS_MAX]]
                effects.append(self._out.by_broker(carrier, Lane.URGENT, pack_tokens(head, claims), "receipts"))
        self._over_broker.clear()
        return effects + self._by_radio(connection, head, now_ms)

    def _by_radio(self, connection: sa.Connection, head: Head, now_ms: int) -> list[Effect]:
        now = self._now
        if now.due_ms is None or now_ms < now.due_ms:
            return []
        self._changing()
        now.due_ms = None
        if not self._out.links.mesh.up or not now.owed:
            now.owed.clear()  # a message without receipt comes again
            return []
        effects: list[Effect] = []
        for radio, batch in self._batches().items():
            size = HEAD_BYTES + TOKEN_BYTES * len(batch)
            if not self._out.fits(connection, radio, Lane.URGENT, size, now_ms):
                later_ms = self._out.fits_from_ms(connection, radio, Lane.URGENT, size, now_ms)
                now.due_ms = min(later_ms, now.due_ms or later_ms)
                continue
            effects.append(self._packet(connection, head, radio, batch, now_ms))
            now.paced_ms = replies.paced_to_ms(now.paced_ms, now_ms, replies.TOKEN_PACE_MS)
            now.life_paced_ms = replies.paced_to_ms(now.life_paced_ms, now_ms, replies.LIFE_PACE_MS)
            now.last_ms = now_ms
            for at, owed in batch:
                del now.owed[at]
                if owed.again:
                    _remember(now.said, at, (owed, now_ms))
        if now.owed and now.due_ms is None:
            now.due_ms = now_ms
        return effects

    def _packet(
        self, connection: sa.Connection, head: Head, radio: str, batch: list[tuple[Piece, Owed]], now_ms: int
    ) -> Effect:
        again = self._said_lately(radio, {at for at, _ in batch}, TOKENS_MAX - len(batch), now_ms)
        payload = pack_tokens(head, [(owed.verify, owed.code) for owed in [*(owed for _, owed in batch), *again]])
        senders = {owed.sender for _, owed in batch}
        newest = batch[-1][1]
        alone = len(senders) == 1 and not self._overheard and not again
        return self._out.by_radio(
            connection,
            radio,
            Lane.URGENT,
            payload,
            ReceiptFlight(tuple(batch)),
            now_ms,
            destination=newest.sender if alone else None,
            answers=newest.packet_id if alone else None,
            reach=Reach(
                None if self._overheard else replies.hops_max([owed.hops for _, owed in batch]),
                max(owed.hops_more for _, owed in batch),
            ),
        )

    def _said_lately(self, radio: str, but: set[Piece], room: int, now_ms: int) -> list[Owed]:
        """Return receipts to say once more: a kiosk that missed one would send its whole request again."""
        said = reversed(self._now.said.items())
        fresh = (
            owed
            for at, (owed, said_ms) in said
            if now_ms - said_ms <= replies.TOKEN_AGAIN_MS
            and owed.radio == radio
            and at not in but
            and owed.code is TokenCode.RECEIVED
        )
        return list(itertools.islice(fresh, min(room, replies.TOKENS_AGAIN_MAX)))

    def _batches(self) -> dict[str, list[tuple[Piece, Owed]]]:
        """Return what fits one packet per radio: the one that heard the message, another one while that is down."""
        up = self._out.links.radios_up()
        batches: dict[str, list[tuple[Piece, Owed]]] = {}
        for at, owed in self._now.owed.items():
            batch = batches.setdefault(owed.radio if owed.radio in up else up[0], [])
            if len(batch) < TOKENS_MAX:
                batch.append((at, owed))
        return batches


def _remember(when: dict[Piece, Remembered], at: Piece, what: Remembered) -> None:
    when.pop(at, None)
    when[at] = what
    while len(when) > REMEMBERED_MAX:
        del when[next(iter(when))]
