"""A kiosk's engine: accepts requests, sends them until the region has receipted them, follows what is said of them."""

import logging
from typing import TypeVar

import sqlalchemy as sa
from msgspec import Struct

from steunpunt.engine import pointstate
from steunpunt.engine.accepting import Acceptor, Sealer, TicketStock
from steunpunt.engine.acknowledging import Acknowledger
from steunpunt.engine.beating import SITES_DEFAULT, Beater, Parts
from steunpunt.engine.calls import Calls
from steunpunt.engine.checking import NotAccepted
from steunpunt.engine.common import Counts, Entropy, Links
from steunpunt.engine.fallback import FallBack
from steunpunt.engine.gateway import Gateway
from steunpunt.engine.hearing import Hearer
from steunpunt.engine.news import NewsKeeper
from steunpunt.engine.notices import NoticeBook
from steunpunt.engine.offers import OfferMade
from steunpunt.engine.region import RegionWatch
from steunpunt.engine.rekeying import Rekeyer
from steunpunt.engine.sending import Sender
from steunpunt.engine.tidying import Tidy, tidy
from steunpunt.facts import Mark
from steunpunt.jobfacts import FaultSeen
from steunpunt.ledger.store import Ledger
from steunpunt.model import (
    Asked,
    BridgeChanged,
    ButtonPressed,
    CallCancelled,
    ConfirmFrame,
    Effect,
    Event,
    FrameHeard,
    GuestSending,
    HelpSubmitted,
    LinkChanged,
    PointState,
    RadioPrepared,
    RadioUsed,
    ReplyTo,
    SendEnded,
    SupplementSubmitted,
    TextHeard,
)
from steunpunt.powerfacts import PowerSeen
from steunpunt.protocol.keys import SiteKeys
from steunpunt.values import replace

_log = logging.getLogger(__name__)

FormT = TypeVar("FormT", HelpSubmitted, OfferMade)


class KioskSettings(Struct, frozen=True):
    """What the config says of a kiosk's sending."""

    sites: int = SITES_DEFAULT
    """Sites in the region, which share the channel."""
    point: str = ""
    """The point's name, for the readable fall-back."""
    fallback_min: int = 0
    """Minutes without receipt until that; 0: never."""


_NO_SETTINGS = KioskSettings()


class KioskEngine:
    """See the module. ``turn`` runs inside the caller's transaction."""

    def __init__(  # noqa: PLR0913, PLR0917  a kiosk and what it is made of
        self,
        ledger: Ledger,
        keys: SiteKeys,
        coordinator: int,
        buttons: dict[str, int],
        form_key: bytes,
        entropy: Entropy,
        settings: KioskSettings = _NO_SETTINGS,
    ) -> None:
        self._keys = keys
        self._entropy = entropy
        self._ledger = ledger
        self.stock = TicketStock(entropy)
        self._sealer = Sealer(keys, entropy)
        self._acceptor = Acceptor(keys, self._sealer, self.stock, form_key)
        self._acknowledger = Acknowledger(keys.site, self._sealer)
        self.calls = Calls(buttons, self._acceptor, entropy)
        self.links = Links()
        self.region = RegionWatch(ledger, keys, coordinator)
        self.counts: Counts = Counts()
        self._sender = Sender(ledger, keys.site, self.links, entropy, self._acknowledger, self.counts)
        self._sender.unicasts = len(keys.coordinators) == 1
        self._gateway = Gateway(ledger, keys.site, self.links, entropy, self._sender, self.counts)
        self.news = NewsKeeper(ledger, self.region.publics, keys.site, coordinator, self.counts)
        parts = Parts(ledger, self._sealer, self._sender, self.links, self.region, self.news, self.counts)
        self._beater = Beater(keys.site, settings.sites, parts, entropy)
        self._fallback = FallBack(
            keys.site, settings.point, settings.fallback_min, self._sender, self.links, self.counts
        )
        notices = NoticeBook(ledger, keys.root_public, keys.notices, self.counts)
        self._rekeyer = Rekeyer(ledger, keys, notices, self._sealer, self.region)
        self._hearer = Hearer(keys.site, parts, self._acknowledger, self._beater, self._rekeyer)

    # --- the step -----------------------------------------------------------------------------------------------

    def turn(self, connection: sa.Connection, events: list[Event], now_ms: int) -> list[Effect]:
        """Take the events, then do what is due; everything written is the caller's one transaction."""
        effects: list[Effect] = []
        self._rekeyer.begin(connection, now_ms)
        for event in events:
            effects += self._take(connection, event, now_ms)
        effects += self.calls.due(connection, now_ms)
        effects += self._sender.send(connection, now_ms)
        effects += self._fallback.send(connection, now_ms)
        effects += self._beater.send(connection, effects, now_ms)
        effects += self._rekeyer.send(connection, self.links, self._sender, now_ms)
        return effects + self._gateway.send(connection, now_ms)

    def committed(self) -> None:
        """Note that the last turn is on the disk."""
        self._sealer.committed()
        self._sender.committed()
        self._gateway.committed()
        self._acknowledger.committed()
        self.calls.committed()

    def rolled_back(self) -> None:
        """Forget what the last turn began in memory and the disk did not keep."""
        self._sealer.rolled_back()
        self._sender.rolled_back()
        self._gateway.rolled_back()
        self.region.rolled_back()
        self._beater.rolled_back()
        self._fallback.rolled_back()
        self._rekeyer.rolled_back()
        self._acknowledger.rolled_back()
        self.calls.rolled_back()

    def next_due_ms(self) -> int | None:
        """Return when to call :meth:`turn` again without an event; None: not before the next event."""
        dues = [self._sender.next_ms, self.calls.next_due_ms(), self._acknowledger.due_ms]
        dues += [self._gateway.due_ms, self._beater.due_ms, self._fallback.due_ms]
        return min((due for due in dues if due is not None), default=None)

    def wants_mesh(self, connection: sa.Connection, now_ms: int) -> bool:
        """Return whether something of ours, or carried for others, waits for the mesh or is on its way there."""
        return self._gateway.wants_mesh or self._sender.wants_mesh(connection, now_ms)

    def guest_fits(self, connection: sa.Connection, _radio: str, air_ms: float, now_ms: int) -> bool:
        """Return whether the site's airtime has room for an integrator's packet now."""
        return self._sender.air.guest_fits(connection, air_ms, now_ms)

    @property
    def region_radio(self) -> int | None:
        """The radio through which the region last spoke to us over the mesh."""
        return self._sender.region_radio

    def air_used_ms(self, connection: sa.Connection, _radio: str, now_ms: int) -> float:
        """Return how many milliseconds of the rolling hour count as used, for screens."""
        return self._sender.air.used_ms(connection, now_ms)

    def _take(self, connection: sa.Connection, event: Event, now_ms: int) -> list[Effect]:
        match event:
            case HelpSubmitted() | SupplementSubmitted() | Asked():
                return self._accept(connection, event, now_ms)
            case FrameHeard():
                others = self._hearer.hear(connection, event, now_ms)
                self._gateway.hear(event, now_ms, others=others)
                return [] if event.confirm is None else [ConfirmFrame(event.confirm)]
            case GuestSending():
                return [self._sender.air.guest(connection, event, now_ms)]
            case SendEnded():
                flight = self._sender.ended(connection, event, now_ms)
                self._gateway.ended(connection, event, flight, now_ms)
                self._fallback.ended(connection, event, flight, now_ms)
            case TextHeard():
                self._fallback.hear(connection, event, now_ms)
            case RadioPrepared() | RadioUsed() | LinkChanged() | BridgeChanged():
                self._note_link(connection, event, now_ms)
            case PowerSeen() | FaultSeen():
                self._beater.seen(event)
            case ButtonPressed(name, held=held):
                return (self.calls.hold if held else self.calls.press)(connection, name, now_ms)
            case CallCancelled(name):
                self.calls.cancel(connection, name)
            case _:
                pass
        return []

    def _note_link(
        self, connection: sa.Connection, event: RadioPrepared | RadioUsed | LinkChanged | BridgeChanged, now_ms: int
    ) -> None:
        match event:
            case RadioPrepared():
                self._sender.air.prepared(event.preset)
                self._gateway.prepared(event)
            case RadioUsed():
                self._sender.radio_used(connection, event, now_ms)
            case _:
                self.links.note(event, now_ms)

    # --- accepting ----------------------------------------------------------------------------------------------

    def _accept(
        self, connection: sa.Connection, form: HelpSubmitted | SupplementSubmitted | Asked, now_ms: int
    ) -> list[Effect]:
        if isinstance(form, Asked):
            return self._asked(connection, form, now_ms)
        try:
            if isinstance(form, HelpSubmitted):
                form = self._meant(connection, form)
                tested = form.facts.mark is Mark.TEST  # a technician's: a closed point must be tried, too
                closed_ms = None if tested else self.news.closed_since_ms(connection)
                body = self._acceptor.help(connection, form, now_ms, closed_since_ms=closed_ms)
                self._fallback.note(body["number"], form)
                self.counts["tests" if tested else "accepted"] += not body["repeated"]
                _log.info("action=accept ticket=%s repeated=%s", body["number"], body["repeated"])
            else:
                body = self._acceptor.supplement(connection, form, now_ms)
            answer = {"ok": True, **body}
        except NotAccepted as error:
            self.counts[f"refused_{error.code}"] += 1
            answer = {"ok": False, "error": error.code, "message": str(error), **error.details}
        return [ReplyTo(form.reply, answer)] if form.reply is not None else []

    def _asked(self, connection: sa.Connection, asked: Asked, now_ms: int) -> list[Effect]:
        try:
            body = {"ok": True, **self._do(connection, asked.what, now_ms)}
        except NotAccepted as error:
            self.counts[f"refused_{error.code}"] += 1
            body = {"ok": False, "error": error.code, "message": str(error), **error.details}
        return [] if asked.reply is None else [ReplyTo(asked.reply, body)]

    def _do(self, connection: sa.Connection, what: object, now_ms: int) -> dict[str, object]:
        match what:
            case pointstate.StateSet(state):
                if pointstate.set_by_staff(self._ledger, connection, state, now_ms):
                    self._beater.say_soon()
                _log.info("action=point_state state=%s by=staff", state.name)
                return {"state": state.name}
            case OfferMade():
                closed_ms = self.news.closed_since_ms(connection)
                body = self._acceptor.offer(
                    connection, self._meant(connection, what), now_ms, closed_since_ms=closed_ms
                )
                self.counts["offers"] += not body["repeated"]
                return body
            case Tidy():
                return tidy(self._ledger, connection, what, now_ms, self.counts)
        raise NotAccepted("unknown_op", "a kiosk does not do this")

    def _meant(self, connection: sa.Connection, form: FormT) -> FormT:
        """Return the form, without the mark of an exercise that is over: nobody's need is taken for play by mistake."""
        if form.facts.mark is not Mark.EXERCISE:
            return form
        if self.news.point_state(self._ledger, connection) is PointState.EXERCISE:
            return form
        return replace(form, facts=replace(form.facts, mark=Mark.NONE))
