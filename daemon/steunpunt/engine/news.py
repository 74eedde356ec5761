"""A kiosk's news: takes it in, judges it, and says what may be said of each piece.

What is kept may lie on the disk: it is signed for all to read. What is *confirmed* lies in memory alone, for only a
token for a message of this very start proves what the newest news is (:mod:`steunpunt.relay.newsfloor`).
"""

from collections.abc import Mapping
from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine import pointstate
from steunpunt.engine.common import Counts
from steunpunt.ledger import newsrows
from steunpunt.ledger.newsrows import KeptNews
from steunpunt.ledger.store import Ledger
from steunpunt.model import FrameHeard, PointState
from steunpunt.protocol.announcements import Announcement, MessageType, unpack_announcement
from steunpunt.protocol.news import NewsAssembly
from steunpunt.protocol.tokens import Head
from steunpunt.relay import newsfloor
from steunpunt.relay.newsfloor import Named, NewsRow, Standing, Verdict

STALE_MS_MAX = 4 * 3_600_000
"""What was confirmed longer ago than this may have changed since: longer than a heartbeat takes by radio."""
MINUTE_MS = 60_000


class Shown(StrEnum):
    """What the screen says of a piece of news."""

    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    STALE = "stale"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


MAY_HOLD = frozenset({Shown.CONFIRMED, Shown.UNCONFIRMED, Shown.STALE})


class NewsView(Struct, frozen=True):
    """A piece of news for the screen. Ages in milliseconds; ``left_ms`` None: until it is cancelled."""

    row: NewsRow
    announcement: Announcement
    shown: Shown
    age_ms: int
    age_at_least: bool
    left_ms: int | None


class NewsKeeper:
    """See the module. All that writes is inside the caller's transaction."""

    def __init__(
        self, ledger: Ledger, publics: Mapping[int, bytes], site: int, coordinator: int, counts: Counts
    ) -> None:
        self._ledger, self._publics, self._counts = ledger, publics, counts
        self._site, self._coordinator = site, coordinator
        self._assembly = NewsAssembly()
        self._named: dict[int, tuple[Named, int]] = {}
        """Coordinator -> the newest serial that a token of this start named, and when."""
        self.changes_count = 0
        """Grows with whatever may change what :meth:`lacks` or :meth:`heard_through` say; in memory only."""
        self._told: dict[int, Named] = {}
        """The same by what cannot be proved to be of now, such as a beacon or a command: reason to ask, no more."""

    # --- hearing ------------------------------------------------------------------------------------------------

    def hear(self, connection: sa.Connection, frame: FrameHeard, now_ms: int) -> None:
        """Take a NEWS packet. FrameError when it makes no sense, SealError when nobody vouches for it."""
        news = self._assembly.hear(frame.payload, self._publics)
        if news is None:
            self._counts["news_parts"] += 1
            return
        said = unpack_announcement(news.payload)
        row = NewsRow(news.signer, news.incarnation, news.serial, news.floor, said.replaces)
        held = [kept.row for kept in newsrows.of_signer(connection, news.signer)]
        verdict = newsfloor.judge(row, held)
        issued_ms = now_ms - round(said.issued_s * 1000)
        self._counts[f"news_{verdict}"] += 1
        if said.state is not None and said.is_for(self._site) and verdict in (Verdict.KEEP, Verdict.COPY):
            # A command waits for its proof, and a closed point has nothing else to send: reason for a sign of life.
            self._note_told(row.signer, row.incarnation, row.serial)
        if verdict is Verdict.COPY:
            newsrows.older(connection, row, issued_ms)
        elif verdict is Verdict.KEEP:
            self.changes_count += 1
            newsrows.add(connection, KeptNews(row, news.payload, issued_ms, said.issued_at_least))
            for dead in newsfloor.to_drop([*held, row]):
                newsrows.drop(connection, dead)
            self._obey(connection, now_ms)

    def proved(self, connection: sa.Connection, head: Head, now_ms: int) -> None:
        """Take the head of a token for a message of this start: what it names is the newest there is."""
        before = self._named.get(head.coordinator, (None, 0))[0]
        heard = newsfloor.named(before, head.incarnation, head.serial, of_this_start=True)
        if heard is not None:
            self._named[head.coordinator] = (heard, now_ms)
            if heard != before:
                self.changes_count += 1
                self._obey(connection, now_ms)

    def told(self, head: Head) -> None:
        """Take the head of a packet that authenticates, but may be an old one."""
        self._note_told(head.coordinator, head.incarnation, head.serial)

    def _note_told(self, coordinator: int, incarnation: int, serial: int) -> None:
        before = self._told.get(coordinator)
        heard = newsfloor.named(before, incarnation, serial, of_this_start=True)
        if heard is not None:
            self.changes_count += heard != before
            self._told[coordinator] = heard

    # --- commands -----------------------------------------------------------------------------------------------

    def _obey(self, connection: sa.Connection, now_ms: int) -> None:
        """Take over the newest confirmed command of our coordinator, once."""
        token = self._named.get(self._coordinator, (None, 0))[0]
        kept = newsrows.of_signer(connection, self._coordinator)
        held = [one.row for one in kept]
        last = pointstate.last_command(self._ledger, connection, self._coordinator)
        for one in kept:
            said = unpack_announcement(one.payload)
            if said.state is None or not said.is_for(self._site) or one.row.rank <= last:
                continue
            if newsfloor.standing(one.row, held, token) is Standing.CONFIRMED:
                last = one.row.rank
                pointstate.command(self._ledger, connection, one.row, said.state, one.issued_ms, now_ms)

    @staticmethod
    def point_state(ledger: Ledger, connection: sa.Connection) -> PointState:
        """Return the point's state as last set or commanded; open until then."""
        return pointstate.standing(ledger, connection).state

    def closed_since_ms(self, connection: sa.Connection) -> int | None:
        """Return since when the point is closed, in ledger time; None: it takes requests."""
        now = pointstate.standing(self._ledger, connection)
        return (now.since_ms or 0) if now.state is PointState.CLOSED else None

    # --- telling ------------------------------------------------------------------------------------------------

    def heard_through(self, connection: sa.Connection) -> tuple[int, int]:
        """Return (incarnation, serial) up to which nothing of our coordinator is missing; for the heartbeat."""
        return newsfloor.heard_through([one.row for one in newsrows.of_signer(connection, self._coordinator)])

    def lacks(self, connection: sa.Connection) -> Named | None:
        """Return what our coordinator was heard to name while something up to it is missing here, or unconfirmed."""
        token, _ = self._named.get(self._coordinator, (None, 0))
        told = self._told.get(self._coordinator)
        newest = max((one for one in (token, told) if one is not None), key=_rank, default=None)
        if newest is None or newest.serial == 0:
            return None
        held = [one.row for one in newsrows.of_signer(connection, self._coordinator)]
        unproved = token is None or _rank(token) < _rank(newest)
        return newest if unproved or newsfloor.missing(held, newest) else None

    def views(self, connection: sa.Connection, now_ms: int) -> list[NewsView]:
        """Return the news for this site, what holds first and then the newest."""
        views = []
        everything = newsrows.all_news(connection)
        for one in everything:
            said = unpack_announcement(one.payload)
            if said.is_for(self._site) and said.type is not MessageType.POINT_STATE:
                held = [(k.row, unpack_announcement(k.payload)) for k in everything if k.row.signer == one.row.signer]
                views.append(self._view(one, said, held, now_ms))
        return sorted(views, key=lambda view: (list(Shown).index(view.shown), view.age_ms))

    def count(self, connection: sa.Connection, now_ms: int) -> int:
        """Return how many pieces of news may still hold, as far as is known here; a withdrawal is none of them."""
        views = self.views(connection, now_ms)
        return sum(view.shown in MAY_HOLD and view.announcement.type is not MessageType.CANCEL for view in views)

    def _view(
        self, one: KeptNews, said: Announcement, held: list[tuple[NewsRow, Announcement]], now_ms: int
    ) -> NewsView:
        age_ms = max(now_ms - one.issued_ms, 0)
        at_least = one.issued_at_least or one.issued_ms < self._ledger.clock.certain_ms
        left_ms = said.expires_min * MINUTE_MS - age_ms if said.expires_min else None
        shown = self._shown(one.row, held, now_ms)
        if left_ms is not None and left_ms <= 0 and shown is not Shown.CANCELLED:
            shown = Shown.EXPIRED
        elif shown is Shown.CONFIRMED and at_least and left_ms is not None:
            shown = Shown.STALE  # nobody knows whether its time is over
        return NewsView(one.row, said, shown, age_ms, at_least, left_ms)

    def _shown(self, row: NewsRow, held: list[tuple[NewsRow, Announcement]], now_ms: int) -> Shown:
        token, at_ms = self._named.get(row.signer, (None, 0))
        standing = newsfloor.standing(row, [other for other, _ in held], token)
        if standing in (Standing.SUPERSEDED, Standing.VOID):
            after = [said.type for other, said in held if other.supersedes == row.serial and other.rank > row.rank]
            return Shown.CANCELLED if MessageType.CANCEL in after else Shown.SUPERSEDED
        if standing is Standing.UNCONFIRMED:
            return Shown.UNCONFIRMED
        return Shown.CONFIRMED if now_ms - at_ms <= STALE_MS_MAX else Shown.STALE


def _rank(named: Named) -> tuple[int, int]:
    return named.incarnation, named.serial
