"""Taking pieces in: authenticate, remove duplicates, make cases and events of them, in the caller's transaction."""

import logging
from collections.abc import Callable, Mapping

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.common import Counts, Entropy
from steunpunt.engine.epochbook import Epoch, EpochBook
from steunpunt.engine.fragments import Fragments
from steunpunt.facts import Mark
from steunpunt.ledger import announcements, halves, heartbeats, incoming
from steunpunt.ledger.incoming import Content, EventContent, NewCase, Piece
from steunpunt.model import Category, FrameError, FrameHeard, Lane, LinkName, SealError, SupplementCode, TokenCode
from steunpunt.protocol import messages, vault
from steunpunt.protocol.age import unpack_age
from steunpunt.protocol.heartbeat import Heartbeat
from steunpunt.protocol.keys import CoordinatorKeys, MessageKeys
from steunpunt.protocol.pieces import HeardPiece, SealedPiece, parse_pieces
from steunpunt.protocol.wants import WantHello
from steunpunt.relay import replies
from steunpunt.relay.epochs import HelloAsker, may_hold
from steunpunt.relay.outbox import lane_for
from steunpunt.relay.replies import Ways

_log = logging.getLogger(__name__)
HURRY_TRIES_MIN = 3
SILENT_MS_MIN = 60_000
"""Only a site that was silent this long gets its waiting replies at once: else each word of it would cost air."""


class Taken(Struct, frozen=True):
    """A message that is in the ledger and earns a token."""

    at: Piece
    verify: bytes
    code: TokenCode
    life_threat: bool = False
    heartbeat: bool = False
    gather_ms: int = replies.TOKEN_GATHER_MS
    """How long its receipt may wait for company over the mesh."""


class _Arrival(Struct, frozen=True):
    """How a message came: over which link, how old its sender said it was, and when."""

    link: LinkName
    age: int
    now_ms: int
    doubtful: bool = False
    """Sealed with a card that does not count any more: shown at the desk as such, and never receipted."""


class Intake:
    """Opens pieces with the region's keys."""

    def __init__(
        self,
        keys: CoordinatorKeys,
        ledger_key: bytes,
        entropy: Entropy,
        counts: Counts,
        revoked: Callable[[sa.Connection], Mapping[int, int]],
        ways: Ways,
    ) -> None:
        """``revoked``: gives for each site the highest generation of its card that does not count any more.

        ``ways`` learns over how many radios each site is heard.
        """
        self._ledger_key = ledger_key
        self._entropy = entropy
        self._counts = counts
        self._ways = ways
        self._epochs = EpochBook(keys, revoked)
        self._hellos = HelloAsker()
        self.fragments = Fragments(entropy, counts)
        self.hellos_wanted: list[tuple[bytes, FrameHeard]] = []
        """Questions for the hello of an epoch that is not known, and the frame that raised each."""
        self.alive: list[int] = []
        """Sites whose newest heartbeat came in this packet."""
        self.filed = False
        """Whether something new was filed since this was last cleared: what its receipt promises must not be lost."""

    def take(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> list[Taken]:
        """Take a packet of pieces in; returns what earns a token: they, and what their hello let us open.

        Raises FrameError for bytes that make no sense, SealError when a lone piece does not authenticate; of a batch
        the others are taken all the same.
        """
        heard = parse_pieces(frame.payload)
        taken: list[Taken] = []
        for one in heard:
            try:
                taken += self._take(connection, one, frame, now_ms)
            except SealError:
                if len(heard) == 1:
                    raise
                self._counts["dropped_unauthentic"] += 1
        return taken

    def _take(self, connection: sa.Connection, heard: HeardPiece, frame: FrameHeard, now_ms: int) -> list[Taken]:
        piece = heard.piece
        at = Piece(piece.site, piece.eid, piece.n)
        epoch = self._epochs.find(connection, heard)
        if epoch is None:
            held = self._hold(connection, at, piece, now_ms)
            self._counts["held" if held else "held_full"] += 1
            if self._hellos.ask(at.site, at.eid, now_ms):
                self.hellos_wanted.append((WantHello(at.site, at.eid).pack(), frame))
            return []
        keys = epoch.keys(at.n)
        plain = piece.open(keys)
        newly_known = self._epochs.keep(connection, heard, epoch)
        doubtful = self._epochs.quarantined(connection, at.site, epoch)
        if not doubtful and frame.link is not LinkName.PAPER:  # who came on foot may have no road back
            self._note_road(connection, at.site, frame, now_ms)
            if frame.link is LinkName.MESH:
                self._ways.note(at.site, frame.hops)
        taken = self._part(connection, piece, keys, plain, _Arrival(frame.link, heard.age, now_ms, doubtful))
        if newly_known:  # what was held did not come on paper itself
            link = LinkName.MESH if frame.link is LinkName.PAPER else frame.link
            taken += self._open_held(connection, at, epoch, _Arrival(link, 0x80, now_ms, doubtful))
        return [] if doubtful else taken

    @staticmethod
    def _hold(connection: sa.Connection, at: Piece, piece: SealedPiece, now_ms: int) -> bool:
        """Keep a piece of an unknown epoch until its hello comes; False when too many are held."""
        of_site = incoming.held_count(connection, at.site) + halves.held_count(connection, at.site)
        if not may_hold(of_site, incoming.held_count(connection) + halves.held_count(connection)):
            return False
        if piece.fragment is None:
            incoming.hold_piece(connection, at, piece.body, now_ms)
        else:
            halves.add_fragment(connection, at, piece.fragment, piece.body, opened=False)
        return True

    def _part(
        self, connection: sa.Connection, piece: SealedPiece, keys: MessageKeys, plain: bytes, arrival: _Arrival
    ) -> list[Taken]:
        """File a message when it is whole; a fragment waits for the others."""
        at = Piece(piece.site, piece.eid, piece.n)
        if piece.fragment is None:
            return self._file(connection, at, keys, plain, arrival)
        if incoming.piece_opened(connection, at):  # a copy of what was whole before
            self._counts["copies"] += 1
            return [Taken(at, keys.verify, incoming.state_code(connection, at))]
        whole = self.fragments.take(connection, piece, keys, plain, arrival.now_ms)
        return [] if whole is None else self._file(connection, at, keys, whole, arrival)

    def rolled_back(self) -> None:
        """Forget the epochs in memory: the rows of new ones are gone, and the ledger knows the others."""
        self._epochs.rolled_back()
        self.fragments.rolled_back()
        self.hellos_wanted.clear()
        self.alive.clear()
        self.filed = False

    def verify_key(self, connection: sa.Connection, at: Piece) -> bytes | None:
        """Return V of a message of which an authentic fragment is kept; None when its epoch is not known (any more)."""
        fragment, body = next(iter(halves.fragments_of(connection, at)), (0, b""))
        epoch = self._epochs.known(connection, SealedPiece(at.site, at.eid, at.n, body, fragment))
        return None if epoch is None else epoch.keys(at.n).verify

    @staticmethod
    def _note_road(connection: sa.Connection, site: int, frame: FrameHeard, now_ms: int) -> None:
        """Note where a site is heard; one that had been silent gets at once what long waits for it."""
        roads = incoming.roads_of(connection, site)
        carried_ms = max((heard_ms for heard_ms, _ in roads.gateways), default=0)
        last_ms = max(roads.mesh_ms or 0, roads.broker_ms or 0, carried_ms)
        if now_ms - last_ms >= SILENT_MS_MIN:
            incoming.hurry(connection, site, now_ms, HURRY_TRIES_MIN)
        if frame.link is LinkName.MESH or frame.carrier == site:
            incoming.note_road(connection, site, frame, now_ms)
        elif frame.carrier is not None:
            incoming.note_gateway(connection, site, frame.carrier, now_ms)

    def _open_held(self, connection: sa.Connection, known: Piece, epoch: Epoch, arrival: _Arrival) -> list[Taken]:
        """Open what was held of an epoch, now that its hello came."""
        whole = incoming.held_pieces(connection, known.site, known.eid)
        parts = halves.take_held(connection, known.site, known.eid)
        held = [SealedPiece(at.site, at.eid, at.n, body) for at, body in whole]
        held += [SealedPiece(at.site, at.eid, at.n, body, fragment) for at, fragment, body in parts]
        taken: list[Taken] = []
        for piece in held:
            keys = epoch.keys(piece.n)
            try:
                taken += self._part(connection, piece, keys, piece.open(keys), arrival)
            except (SealError, FrameError) as error:
                self._counts["dropped_unauthentic" if isinstance(error, SealError) else "dropped_malformed"] += 1
            incoming.drop_held(connection, Piece(piece.site, piece.eid, piece.n))
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
            self._acknowledged(connection, at.site, message, arrival)
            return []
        if isinstance(message, Heartbeat):
            return self._alive(connection, at, keys, message, arrival)
        copy = incoming.piece_opened(connection, at)
        kind = type(message).__name__
        _log.info("action=intake site=%d n=%d link=%s kind=%s copy=%s", at.site, at.n, arrival.link, kind, copy)
        if copy:
            self._counts["copies"] += 1
            if not arrival.doubtful:
                incoming.note_copy(connection, at, arrival.link, arrival.now_ms)
        else:
            incoming.add_piece(connection, at, arrival.now_ms)
            self.filed = True
            if isinstance(message, messages.HelpRequest):
                self._new_case(connection, at, keys, message, arrival)
            elif isinstance(message, messages.Offer):
                self._new_offer(connection, at, keys, message, arrival)
            else:
                self._new_supplement(connection, at, message, arrival)
        life_threat = isinstance(message, messages.HelpRequest) and message.life_threat
        life_threat |= isinstance(message, messages.Supplement) and message.code is SupplementCode.LIFE_THREAT
        return [Taken(at, keys.verify, incoming.state_code(connection, at), life_threat)]

    def _acknowledged(
        self, connection: sa.Connection, site: int, message: messages.Acknowledgement, arrival: _Arrival
    ) -> None:
        """Note what a kiosk holds; the word of a card that does not count any more is no proof of it."""
        if arrival.doubtful:
            self._counts["quarantined_acknowledgements"] += 1
            return
        for item in message.items:
            to = Piece(site, item.to.eid, item.to.n)
            incoming.note_delivered(connection, to, item.code, item.salt, arrival.now_ms)
        self._counts["acknowledgements"] += 1

    def _alive(
        self, connection: sa.Connection, at: Piece, keys: MessageKeys, beat: Heartbeat, arrival: _Arrival
    ) -> list[Taken]:
        """Keep a site's sign of life; an old one played again tells nothing new."""
        gather_ms = self._gather_ms(connection, at, beat)
        if not incoming.piece_opened(connection, at):
            incoming.add_piece(connection, at, arrival.now_ms)
            self._counts["heartbeats"] += 1
            newest = not arrival.doubtful and heartbeats.keep(connection, at.site, (at.eid, at.n), beat, arrival.now_ms)
            if newest:
                self.alive.append(at.site)
        return [Taken(at, keys.verify, TokenCode.RECEIVED, heartbeat=True, gather_ms=gather_ms)]

    @staticmethod
    def _gather_ms(connection: sa.Connection, at: Piece, beat: Heartbeat) -> int:
        """A receipt proves to its site what news it holds: that of a start and that of new news are waited for."""
        if announcements.lacks(connection, beat.incarnation, beat.serial):
            return replies.TOKEN_GATHER_MS
        before = heartbeats.of_site(connection, at.site)
        waited_for = at.n == 0 or before is None or before.beat.serial != beat.serial
        return replies.PROOF_GATHER_MS if waited_for else replies.BEAT_GATHER_MS

    def _new_case(
        self,
        connection: sa.Connection,
        at: Piece,
        keys: MessageKeys,
        request: messages.HelpRequest,
        arrival: _Arrival,
    ) -> None:
        content = Content(
            category=request.category,
            life_threat=request.life_threat,
            text=request.text,
            language=request.language,
            verify=keys.verify,
            answer=keys.answer,
            facts=request.facts,
            newer=request.newer,
        )
        lane = lane_for(request.category, life_threat=request.life_threat)
        self._add_case(connection, at, request.counter, lane, content, arrival)

    def _new_offer(
        self, connection: sa.Connection, at: Piece, keys: MessageKeys, offer: messages.Offer, arrival: _Arrival
    ) -> None:
        """An offer of help is a case too: somebody looks at it, and may answer."""
        content = Content(
            category=Category.OFFER,
            life_threat=False,
            text=offer.text,
            language=offer.language,
            verify=keys.verify,
            answer=keys.answer,
            facts=offer.facts,
            newer=offer.newer,
            skill=offer.skill,
            hours=offer.hours,
        )
        self._add_case(connection, at, offer.counter, Lane.OTHER, content, arrival)

    def _add_case(
        self, connection: sa.Connection, at: Piece, counter: int, lane: Lane, content: Content, arrival: _Arrival
    ) -> None:
        key = self._entropy.token(vault.KEY_BYTES)
        age_s, at_least = unpack_age(arrival.age)
        wrapped = incoming.wrap_case_key(self._ledger_key, key, self._nonce())
        box = incoming.box_content(key, self._nonce(), content)
        case = NewCase(
            at,
            counter,
            lane,
            wrapped,
            box,
            round(age_s * 1000),
            at_least,
            arrival.now_ms,
            arrival.link,
            arrival.doubtful,
        )
        incoming.add_case(connection, case)
        incoming.add_event(connection, at, "received", arrival.now_ms, None)
        if arrival.link is LinkName.PAPER:
            incoming.note_paper(connection, at, arrival.now_ms)
        for event in incoming.early_supplements(connection, self._ledger_key, at):
            self._weigh(connection, at, event)
        self._counts["tests" if content.facts.mark is Mark.TEST else "cases"] += 1

    def _new_supplement(
        self, connection: sa.Connection, at: Piece, supplement: messages.Supplement, arrival: _Arrival
    ) -> None:
        """Keep a supplement; one that overtook its request waits under the ledger's own key.

        A doubtful one stands in the case's history as such, and changes nothing.
        """
        to = Piece(at.site, supplement.to.eid, supplement.to.n)
        content = EventContent(
            text=supplement.text,
            code=supplement.code,
            presses=supplement.presses,
            facts=supplement.facts,
            reply=supplement.reply,
            newer=supplement.newer,
            doubtful=arrival.doubtful,
        )
        if not arrival.doubtful:
            self._weigh(connection, to, content)
        key = incoming.case_key(connection, self._ledger_key, to)
        box = incoming.box_event(key or self._ledger_key, self._nonce(), content)
        incoming.add_event(connection, to, "supplement" if key else "early", arrival.now_ms, box)
        self._counts["quarantined_supplements" if arrival.doubtful else "supplements"] += 1

    def _nonce(self) -> bytes:
        return self._entropy.token(vault.NONCE_BYTES)

    @staticmethod
    def _weigh(connection: sa.Connection, at: Piece, added: EventContent) -> None:
        """Note on the case what a supplement changes of it; no case yet: nothing."""
        if added.code == SupplementCode.PRESSED_AGAIN:
            incoming.note_presses(connection, at, added.presses)
        elif added.code == SupplementCode.LIFE_THREAT:
            incoming.raise_to_life_threat(connection, at)
