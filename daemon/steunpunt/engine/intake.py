"""Taking pieces in: authenticate, remove duplicates, make cases and events of them, in the caller's transaction."""

import logging
from dataclasses import dataclass

import sqlalchemy as sa

from steunpunt.engine.common import Counts, Entropy
from steunpunt.ledger import incoming
from steunpunt.ledger.incoming import Content, EventContent, NewCase, Piece
from steunpunt.model import FrameError, FrameHeard, LinkName, SealError, SupplementCode, TokenCode
from steunpunt.protocol import messages, vault
from steunpunt.protocol.age import unpack_age
from steunpunt.protocol.keys import CoordinatorKeys, MessageKeys, epoch_id, keys_at
from steunpunt.protocol.packets import HeardPiece, SealedPiece, parse_piece
from steunpunt.relay.outbox import lane_for

_log = logging.getLogger(__name__)
EPOCHS_CACHED_MAX = 256
HURRY_TRIES_MIN = 3
SILENT_MS_MIN = 60_000
"""Only a site that was silent this long gets its waiting replies at once: else each word of it would cost air."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that is in the ledger and earns a token."""

    at: Piece
    verify: bytes
    code: TokenCode


@dataclass(frozen=True, slots=True)
class _Arrival:
    """How a message came: over which link, how old its sender said it was, and when."""

    link: LinkName
    age: int
    now_ms: int


class Intake:
    """Opens pieces with the region's keys."""

    def __init__(self, keys: CoordinatorKeys, ledger_key: bytes, entropy: Entropy, counts: Counts) -> None:
        self._keys = keys
        self._ledger_key = ledger_key
        self._entropy = entropy
        self._counts = counts
        self._epochs: dict[tuple[int, bytes], bytes] = {}

    def take(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> list[Taken]:
        """Take a PIECE packet in; returns what earns a token: it, and what its hello let us open.

        Raises FrameError for bytes that make no sense, SealError for what does not authenticate.
        """
        heard = parse_piece(frame.payload)
        at = Piece(heard.piece.site, heard.piece.eid, heard.piece.n)
        epoch_key = self._epoch_key(connection, heard)
        if epoch_key is None:
            self._counts["held" if incoming.hold_piece(connection, at, heard.piece.body, now_ms) else "held_full"] += 1
            return []
        keys = keys_at(epoch_key, at.n)
        plain = heard.piece.open(keys)
        newly_known = self._keep_epoch(connection, heard, epoch_key)
        self._note_road(connection, at.site, frame, now_ms)
        arrival = _Arrival(frame.link, heard.age, now_ms)
        taken = self._file(connection, at, keys, plain, arrival)
        return taken + (
            self._open_held(connection, at, epoch_key, _Arrival(frame.link, 0x80, now_ms)) if newly_known else []
        )

    def rolled_back(self) -> None:
        """Forget the epochs in memory: the rows of new ones are gone, and the ledger knows the others."""
        self._epochs.clear()

    @staticmethod
    def _note_road(connection: sa.Connection, site: int, frame: FrameHeard, now_ms: int) -> None:
        """Note where a site is heard; one that had been silent gets at once what long waits for it."""
        roads = incoming.roads_of(connection, site)
        last_ms = max(roads.mesh_ms or 0, roads.broker_ms or 0)
        if now_ms - last_ms >= SILENT_MS_MIN:
            incoming.hurry(connection, site, now_ms, HURRY_TRIES_MIN)
        if frame.link is LinkName.MESH or frame.carrier == site:  # who carries another's piece is not its road
            incoming.note_road(connection, site, frame, now_ms)

    # --- epochs -------------------------------------------------------------------------------------------------

    def _epoch_key(self, connection: sa.Connection, heard: HeardPiece) -> bytes | None:
        """Return E of a piece's epoch: from memory, the ledger, or its hello; None when it cannot be known yet."""
        site, eid = heard.piece.site, heard.piece.eid
        if (site, eid) not in self._epochs:
            known = incoming.epoch(connection, site, eid)
            if known is not None:
                self._remember(site, eid, self._keys.epoch_key(site, known[1], known[0]))
        found = self._epochs.get((site, eid))
        if found is None and heard.e_pub is not None:
            return self._by_hello(heard, heard.e_pub)[0]
        return found

    def _by_hello(self, heard: HeardPiece, e_pub: bytes) -> tuple[bytes, int]:
        """Return (E, generation) of a hello's epoch: the generation whose keys open the piece."""
        if epoch_id(e_pub) != heard.piece.eid:
            raise SealError("hello names another epoch than its piece")
        for generation in self._keys.generations:
            try:
                key = self._keys.epoch_key(heard.piece.site, generation, e_pub)
                heard.piece.open(keys_at(key, heard.piece.n))
            except (SealError, ValueError):
                continue
            return key, generation
        raise SealError(f"hello of site {heard.piece.site} does not authenticate")

    def _keep_epoch(self, connection: sa.Connection, heard: HeardPiece, epoch_key: bytes) -> bool:
        """Keep an epoch after its first piece opened; True when it was not known before."""
        site, eid = heard.piece.site, heard.piece.eid
        if heard.e_pub is None or incoming.epoch(connection, site, eid) is not None:
            return False
        _, generation = self._by_hello(heard, heard.e_pub)
        incoming.add_epoch(connection, site, eid, heard.e_pub, generation)
        self._remember(site, eid, epoch_key)
        return True

    def _remember(self, site: int, eid: bytes, epoch_key: bytes) -> None:
        self._epochs[(site, eid)] = epoch_key
        while len(self._epochs) > EPOCHS_CACHED_MAX:
            del self._epochs[next(iter(self._epochs))]

    def _open_held(self, connection: sa.Connection, known: Piece, epoch_key: bytes, arrival: _Arrival) -> list[Taken]:
        taken: list[Taken] = []
        for at, body in incoming.held_pieces(connection, known.site, known.eid):
            keys = keys_at(epoch_key, at.n)
            try:
                plain = SealedPiece(at.site, at.eid, at.n, body).open(keys)
                taken += self._file(connection, at, keys, plain, arrival)
            except (SealError, FrameError) as error:
                self._counts["dropped_unauthentic" if isinstance(error, SealError) else "dropped_malformed"] += 1
            incoming.drop_held(connection, at)
        return taken

    # --- filing -------------------------------------------------------------------------------------------------

    def _file(
        self,
        connection: sa.Connection,
        at: Piece,
        keys: MessageKeys,
        plain: bytes,
        arrival: _Arrival,
    ) -> list[Taken]:
        """Make a case or an event of an authentic message; a copy of an earlier one only earns its token again."""
        message = messages.unpack(plain, at.eid)
        if isinstance(message, messages.Acknowledgement):
            for item in message.items:
                incoming.note_delivered(
                    connection, Piece(at.site, item.to.eid, item.to.n), item.code, item.salt, arrival.now_ms
                )
            self._counts["acknowledgements"] += 1
            return []
        copy = incoming.piece_opened(connection, at)
        kind = type(message).__name__
        _log.info("action=intake site=%d n=%d link=%s kind=%s copy=%s", at.site, at.n, arrival.link, kind, copy)
        if copy:
            self._counts["copies"] += 1
            incoming.note_copy(connection, at, arrival.link)
        else:
            incoming.add_piece(connection, at, arrival.now_ms)
            if isinstance(message, messages.HelpRequest):
                self._new_case(connection, at, keys, message, arrival)
            else:
                self._new_supplement(connection, at, message, arrival.now_ms)
        return [Taken(at, keys.verify, incoming.state_code(connection, at))]

    def _new_case(
        self,
        connection: sa.Connection,
        at: Piece,
        keys: MessageKeys,
        request: messages.HelpRequest,
        arrival: _Arrival,
    ) -> None:
        key = self._entropy.token(vault.KEY_BYTES)
        content = Content(
            category=request.category,
            life_threat=request.life_threat,
            people=request.people,
            text=request.text,
            callback=request.callback,
            language=request.language,
            verify=keys.verify,
            answer=keys.answer,
        )
        age_s, at_least = unpack_age(arrival.age)
        wrapped = incoming.wrap_case_key(self._ledger_key, key, self._nonce())
        box = incoming.box_content(key, self._nonce(), content)
        lane = lane_for(request.category, life_threat=request.life_threat)
        case = NewCase(
            at, request.counter, lane, wrapped, box, round(age_s * 1000), at_least, arrival.now_ms, arrival.link
        )
        incoming.add_case(connection, case)
        incoming.add_event(connection, at, "received", arrival.now_ms, None)
        incoming.note_presses(connection, at, incoming.early_presses(connection, self._ledger_key, at))
        self._counts["cases"] += 1

    def _new_supplement(
        self, connection: sa.Connection, at: Piece, supplement: messages.Supplement, now_ms: int
    ) -> None:
        """Keep a supplement; one that overtook its request waits under the ledger's own key."""
        to = Piece(at.site, supplement.to.eid, supplement.to.n)
        if supplement.code is SupplementCode.PRESSED_AGAIN:
            incoming.note_presses(connection, to, supplement.presses)
        content = EventContent(text=supplement.text, code=supplement.code, presses=supplement.presses)
        key = incoming.case_key(connection, self._ledger_key, to)
        box = incoming.box_event(key or self._ledger_key, self._nonce(), content)
        incoming.add_event(connection, to, "supplement" if key else "early", now_ms, box)
        self._counts["supplements"] += 1

    def _nonce(self) -> bytes:
        return self._entropy.token(vault.NONCE_BYTES)
