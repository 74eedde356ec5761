"""A kiosk as a gateway: it carries other sites' pieces to its broker, and puts on the air what comes down for them."""

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine.airlog import AirLog
from steunpunt.engine.common import Counts, Entropy, Links
from steunpunt.engine.sending import Sender
from steunpunt.ledger.store import Ledger
from steunpunt.model import (
    Effect,
    FrameError,
    FrameHeard,
    LinkName,
    RadioPrepared,
    SendEnded,
    SendFrame,
    SendOutcome,
)
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.pieces import parse_pieces
from steunpunt.relay.gateway import AIR_SHARE_MAX, Airing, Carried, Carrying, ToAir

CARRYING_MAX = 4
"""Most packets of others under way to the broker at once: half of what the link takes is left to our own."""
AIR_LOG = "carried"
"""Name of the log of what this site's radio sent for others; the radio's own log counts it too."""
LOOK_AGAIN_MS = 30_000
REFUSED_WAIT_MS = 5_000


class GatewayFlight(Struct, frozen=True):
    """Another site's packet under way."""

    what: Carried | ToAir


class Gateway:
    """See the module. All of it inside the caller's transaction; its memory is :mod:`steunpunt.relay.gateway`'s."""

    def __init__(
        self, ledger: Ledger, site: int, links: Links, entropy: Entropy, sender: Sender, counts: Counts
    ) -> None:
        self._site, self._links, self._entropy = site, links, entropy
        self._sender, self._counts = sender, counts
        self._carrying, self._airing = Carrying(site), Airing()
        self._air = AirLog(ledger, AIR_LOG)
        self._begun: list[Carried | ToAir] = []
        self._refused_until_ms = 0
        self.due_ms: int | None = None

    def committed(self) -> None:
        """Note that the last turn is on the disk."""
        self._begun.clear()

    def rolled_back(self) -> None:
        """What was to be sent in the last turn was not: let it go in the next."""
        self._carrying.put_back([one for one in self._begun if isinstance(one, Carried)])
        for one in self._begun:
            if isinstance(one, ToAir):
                self._airing.put_back(one)
        self._begun.clear()
        self._air.rolled_back()
        self.due_ms = 0

    @property
    def wants_mesh(self) -> bool:
        """Return whether something waits for the air."""
        return self._airing.waiting

    def prepared(self, event: RadioPrepared) -> None:
        """Learn the radio's preset."""
        self._air.prepared(event.preset)

    # --- hearing ------------------------------------------------------------------------------------------------

    def hear(self, frame: FrameHeard, now_ms: int, *, others: bool) -> None:
        """Take a packet; ``others``: it is not, or not only, for this site."""
        if not others:
            return
        try:
            if frame.link is LinkName.MESH:
                self._from_mesh(frame, now_ms)
            elif frame.carrier == self._site:
                self._counts[f"air_{self._airing.hear(frame.payload, now_ms)}"] += 1
        except FrameError:
            self._counts["dropped_malformed"] += 1

    def _from_mesh(self, frame: FrameHeard, now_ms: int) -> None:
        if kind_of(frame.payload) not in (Kind.PIECE, Kind.FRAGMENT):
            return
        self._airing.note_radio(parse_pieces(frame.payload)[0].piece.site, frame.sender)
        if self._links.roads(now_ms).region_answers:
            verdict = self._carrying.hear(frame.payload, now_ms, self._entropy.unit())
            self._counts[f"carry_{verdict}"] += 1

    # --- sending ------------------------------------------------------------------------------------------------

    def send(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        """Return what goes now; to be called after this site's own sending, which goes first."""
        return self._to_broker(now_ms) + self._to_mesh(connection, now_ms)

    def _to_broker(self, now_ms: int) -> list[Effect]:
        self.due_ms = self._carrying.due_ms
        if self.due_ms is None or now_ms < self.due_ms:
            return []
        if not self._links.roads(now_ms).region_answers:
            self._counts["carry_no_road"] += self._carrying.drop_all()
            self.due_ms = None
            return []
        flying = sum(isinstance(one, GatewayFlight) for one in self._sender.flights.flying(LinkName.BROKER))
        effects: list[Effect] = []
        for carried in self._carrying.take(now_ms, CARRYING_MAX - flying):
            attempt_id = self._begin(LinkName.BROKER, carried)
            effects.append(SendFrame(LinkName.BROKER, attempt_id, carried.packet, carrier=self._site))
            self._counts["carried"] += 1
        due_ms = self._carrying.due_ms
        self.due_ms = None if due_ms is None or due_ms <= now_ms else due_ms  # else the next SendEnded wakes us
        return effects

    def _to_mesh(self, connection: sa.Connection, now_ms: int) -> list[Effect]:
        self._counts["air_too_old"] += self._airing.drop_old(now_ms)
        packet = self._airing.first()
        if packet is None:
            return []
        if not self._links.mesh.up or self._sender.flights.count(LinkName.MESH):
            self._look_again(now_ms + LOOK_AGAIN_MS)
            return []
        if now_ms < self._refused_until_ms:
            self._look_again(self._refused_until_ms)
            return []
        size = len(packet.payload)
        if not self._sender.air.fits(connection, packet.lane, size, now_ms):
            self._look_again(self._sender.air.fits_from_ms(connection, packet.lane, size, now_ms))
            return []
        if not self._air.fits_share(connection, AIR_SHARE_MAX, size, now_ms):
            self._look_again(now_ms + LOOK_AGAIN_MS)
            return []
        destination = self._airing.destination(packet)
        self._airing.aired(packet, now_ms)
        attempt_id = self._begin(LinkName.MESH, packet)
        self._sender.air.spend(connection, attempt_id, size, now_ms)
        self._air.spend(connection, attempt_id, size, now_ms)
        self._counts["aired"] += 1
        return [SendFrame(LinkName.MESH, attempt_id, packet.payload, packet.lane, destination)]

    def _begin(self, link: LinkName, what: Carried | ToAir) -> int:
        self._begun.append(what)
        return self._sender.flights.begin(link, GatewayFlight(what))

    def _look_again(self, at_ms: int) -> None:
        self.due_ms = at_ms if self.due_ms is None else min(self.due_ms, at_ms)

    def ended(self, connection: sa.Connection, event: SendEnded, flight: object, now_ms: int) -> None:
        """Take the end of an attempt; the sender notes the airtime of the radio itself."""
        self._air.ended(connection, event.attempt_id, refused=event.outcome is SendOutcome.REFUSED)
        if not isinstance(flight, GatewayFlight) or event.outcome is SendOutcome.TAKEN:
            return
        if isinstance(flight.what, Carried):
            self._carrying.not_taken(flight.what)
        elif event.outcome is SendOutcome.REFUSED:
            self._airing.put_back(flight.what)
            self._refused_until_ms = now_ms + REFUSED_WAIT_MS
