"""A coordinator's way out: attempts under way, and the airtime of each of its radios."""

import sqlalchemy as sa

from steunpunt.engine.airlog import AirLog
from steunpunt.engine.common import Counts, Flights, Links
from steunpunt.ledger.store import Ledger
from steunpunt.model import SENDING_LINKS, Lane, LinkName, RadioPrepared, RadioUsed, SendEnded, SendFrame, SendOutcome
from steunpunt.relay.replies import Reach, Ways

AS_SET = Reach()
"""As far as the radio is set to."""


class Transmitter:
    """See the module. All of it inside the caller's transaction."""

    def __init__(self, ledger: Ledger, links: Links, counts: Counts, *, overheard: bool = False) -> None:
        """``overheard``: other coordinators listen to what is said to sites."""
        self._ledger, self.links, self.counts = ledger, links, counts
        self._flights = Flights()
        self._air: dict[str, AirLog] = {}
        self.ways = Ways(overheard=overheard)

    def air(self, radio: str) -> AirLog:
        """Return one radio's airtime."""
        if radio not in self._air:
            self._air[radio] = AirLog(self._ledger, radio)
        return self._air[radio]

    def note(self, connection: sa.Connection, event: RadioPrepared | RadioUsed, now_ms: int) -> None:
        """Learn a radio's preset, or its own word on its airtime."""
        if isinstance(event, RadioPrepared):
            self.air(event.radio).prepared(event.preset)
        else:
            self.air(event.radio).read(connection, event.share, now_ms)

    def up(self) -> frozenset[LinkName]:
        """Return the links that serve."""
        return frozenset(link for link in SENDING_LINKS if self.links.view(link).up)

    def fits(self, connection: sa.Connection, radio: str, lane: Lane, payload_bytes: int, now_ms: int) -> bool:
        """Return whether the airtime allows a packet by this radio now."""
        return self.air(radio).fits(connection, lane, payload_bytes, now_ms)

    def fits_from_ms(self, connection: sa.Connection, radio: str, lane: Lane, payload_bytes: int, now_ms: int) -> int:
        """Return when to ask again."""
        return self.air(radio).fits_from_ms(connection, lane, payload_bytes, now_ms)

    def by_radio(  # noqa: PLR0913  one packet's facts
        self,
        connection: sa.Connection,
        radio: str,
        lane: Lane,
        payload: bytes,
        what: object,
        now_ms: int,
        *,
        destination: int | None = None,
        answers: int | None = None,
        reach: Reach = AS_SET,
    ) -> SendFrame:
        """Return the frame for one radio; its airtime is written before it is sent."""
        attempt_id = self._flights.begin(LinkName.MESH, what)
        self.air(radio).spend(connection, attempt_id, len(payload), now_ms)
        return SendFrame(
            LinkName.MESH,
            attempt_id,
            payload,
            lane,
            destination=destination,
            answers=answers,
            radio=radio,
            hops_max=reach.hops_max,
            hops_more=reach.hops_more,
        )

    def by_broker(self, carrier: int | None, lane: Lane, payload: bytes, what: object) -> SendFrame:
        """Return the frame for ``down/<carrier>``, or for all sites where that is None."""
        attempt_id = self._flights.begin(LinkName.BROKER, what)
        return SendFrame(LinkName.BROKER, attempt_id, payload, lane, carrier=carrier)

    def ended(self, connection: sa.Connection, event: SendEnded) -> object | None:
        """Take the end of an attempt; returns what it carried."""
        self.air(event.radio).ended(connection, event.attempt_id, refused=event.outcome is SendOutcome.REFUSED)
        if event.attempt_id < 0:  # an integrator's
            return None
        self.counts[f"sent_{event.link}_{event.outcome}"] += 1
        return self._flights.end(event.attempt_id)

    def flying(self, link: LinkName) -> set[object]:
        """Return what is under way on a link."""
        return self._flights.flying(link)

    def committed(self) -> None:
        """Note that the last turn is on the disk."""
        self._flights.committed()

    def rolled_back(self) -> None:
        """Forget the attempts begun in the last turn, and their airtime."""
        self._flights.rolled_back()
        for air in self._air.values():
            air.rolled_back()
