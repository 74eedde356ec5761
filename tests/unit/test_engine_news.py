"""Announcements end to end: a coordinator's engine and kiosks' engines, over packets that the test carries."""

from pathlib import Path

import pytest

from steunpunt.engine.announcing import AGAIN_MESH_MS, ROUND_MS
from steunpunt.engine.beating import BROKER_EARLY_MS_MAX, EARLY_MS
from steunpunt.engine.coordinator import CoordinatorEngine
from steunpunt.engine.news import STALE_MS_MAX, NewsView, Shown
from steunpunt.facts import Mark
from steunpunt.ledger import announcements, heartbeats
from steunpunt.ledger.announcements import Draft
from steunpunt.ledger.tables import news
from steunpunt.model import (
    Category,
    FrameHeard,
    Lane,
    LinkName,
    PointState,
    SenderFunction,
    SendFrame,
    SendOutcome,
    TicketState,
    ticket_number,
)
from steunpunt.protocol.announcements import Announcement, MessageType, Urgency
from steunpunt.protocol.heartbeat import BROKER_S
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.phrases import Phrase
from steunpunt.relay.outbox import HOPS_MORE
from steunpunt.relay.replies import BEAT_GATHER_MS, FAR_HOPS, PROOF_GATHER_MS, TOKEN_PACE_MS
from steunpunt.values import replace
from tests.fakes.sites import (
    BRIDGE_UP,
    BROKER_UP,
    LEDGER_KEY,
    MESH_DOWN,
    MESH_UP,
    Clock,
    CoordinatorSite,
    KioskSite,
    answer_in,
    ended,
    frames,
    heard,
    help_form,
    more_form,
    seeded,
)

MESH, BROKER = LinkName.MESH, LinkName.BROKER
ORDER = Announcement(
    type=MessageType.ALERT, function=SenderFunction.DUTY_OFFICER, headline="Gaslek", phrases=(Phrase(93),)
)
EVACUATE = replace(ORDER, headline="Ga weg uit de Dorpsstraat", phrases=(), text="Ga naar de sporthal.")


class Region:
    """A coordinator and kiosks in earshot of each other; the test says how long, and who is off the air."""

    def __init__(self, folder: Path) -> None:
        rng = seeded(11)
        self.clock = Clock()
        self.center = CoordinatorSite(folder / "center", self.clock, rng)
        self.kiosks = {site: KioskSite(folder / str(site), self.clock, rng, site) for site in (47, 48)}
        self.off: set[int] = set()
        self.link = MESH
        self.hops: int | None = None
        """Over how many radios each packet comes."""
        self.sent: list[tuple[str, SendFrame]] = []
        self.air: list[bytes] = []

    def up(self, link: LinkName = MESH) -> None:
        self.link = link
        sites: list[CoordinatorSite | KioskSite] = [self.center, *self.kiosks.values()]
        for site in sites:
            events = [MESH_UP] if link is MESH else [BROKER_UP, BRIDGE_UP]
            self.carry(site, frames(site.turn(*events)))

    def carry(self, site: CoordinatorSite | KioskSite, out: list[SendFrame]) -> None:
        """Carry packets to whoever hears them, and what those send in return."""
        waiting = [(site, frame) for frame in out]
        while waiting:
            source, frame = waiting.pop(0)
            name = "center" if isinstance(source, CoordinatorSite) else str(source.site)
            self.sent.append((name, frame))
            self.air.append(frame.payload)
            waiting += [(source, more) for more in frames(source.turn(ended(frame)))]
            hearers: list[CoordinatorSite | KioskSite] = [self.center]
            if isinstance(source, CoordinatorSite):
                hearers = [kiosk for number, kiosk in self.kiosks.items() if self._hears(number, frame)]
            elif source.site in self.off:
                hearers = []
            carrier = None if frame.link is MESH else frame.carrier
            for one in hearers:
                waiting += [(one, m) for m in frames(one.turn(self._heard(frame, carrier)))]

    def _heard(self, frame: SendFrame, carrier: int | None) -> FrameHeard:
        return replace(heard(frame.payload, frame.link, carrier), hops=self.hops)

    def _hears(self, number: int, frame: SendFrame) -> bool:
        meant = frame.link is MESH or frame.carrier in (None, number)
        return number not in self.off and meant

    def say(self, announcement: Announcement, about: int | None = None) -> int:
        """Keep a draft as the desk does, and ring the bell; returns its id."""
        by = announcements.close_by(LEDGER_KEY, bytes(12), "Jansen")
        with self.center.ledger.transaction() as connection:
            draft = Draft(announcement, by, f"form {len(announcements.newest(connection))}", about)
            made = announcements.add(connection, draft, self.center.now_ms())
        self.carry(self.center, frames(self.center.turn()))
        return made

    def walk(self, seconds: float) -> None:
        """Let time pass, and each site do what is due."""
        end_ms = self.clock.boot_ms + round(seconds * 1000)
        sites: list[CoordinatorSite | KioskSite] = [self.center, *self.kiosks.values()]
        while True:
            dues = [(due, index) for index, site in enumerate(sites) if (due := site.due_ms()) is not None]
            if not dues or min(dues)[0] > end_ms:
                break
            due, index = min(dues)
            self.clock.boot_ms = max(self.clock.boot_ms, due)
            self.carry(sites[index], frames(sites[index].turn()))
        self.clock.boot_ms = end_ms

    def views(self, site: int = 47) -> list[NewsView]:
        kiosk = self.kiosks[site]
        return kiosk.engine.news.views(kiosk.ledger.connection, kiosk.now_ms())

    def shown(self, site: int = 47) -> list[tuple[str, Shown]]:
        return [(view.announcement.headline, view.shown) for view in self.views(site)]

    def ask(self, site: int = 47) -> None:
        kiosk = self.kiosks[site]
        self.carry(kiosk, frames(kiosk.turn(help_form(kiosk.token()))))
        self.walk(10 + TOKEN_PACE_MS / 1000)

    def news_packets(self) -> list[SendFrame]:
        return [frame for _, frame in self.sent if kind_of(frame.payload) is Kind.NEWS]


@pytest.fixture
def region(tmp_path: Path) -> Region:
    made = Region(tmp_path)
    made.up()
    return made


def test_an_announcement_is_broadcast_once_in_its_own_lane_and_confirmed_by_a_receipt(region: Region) -> None:
    region.say(ORDER)
    region.walk(600)
    (packet,) = region.news_packets()
    assert (packet.link, packet.lane, packet.destination) == (MESH, Lane.ANNOUNCEMENT, None)
    assert region.shown() == [("Gaslek", Shown.UNCONFIRMED)]
    region.ask()
    assert region.shown() == [("Gaslek", Shown.CONFIRMED)]
    (view,) = region.views()
    assert view.announcement.phrases == (Phrase(93),)
    assert 600_000 <= view.age_ms < 620_000 + TOKEN_PACE_MS


def test_where_lives_hang_on_it_it_goes_twice(region: Region) -> None:
    region.say(replace(ORDER, urgency=Urgency.IMMEDIATE))
    assert len(region.news_packets()) == 1
    region.walk(2 * ROUND_MS / 1000 + 1)
    assert [frame.hops_more for frame in region.news_packets()] == [0, HOPS_MORE]
    region.walk(3 * 3600)
    assert len(region.news_packets()) == 2


def test_an_update_takes_the_place_and_a_cancel_ends_it(region: Region) -> None:
    first = region.say(ORDER)
    second = region.say(replace(ORDER, type=MessageType.UPDATE, replaces=0, headline="Gaslek groter"), first)
    region.ask()
    assert region.shown() == [("Gaslek groter", Shown.CONFIRMED)], "the floor rose over the first"
    region.say(replace(ORDER, type=MessageType.CANCEL, replaces=0, headline="Gaslek voorbij"), second)
    region.walk(TOKEN_PACE_MS / 1000)  # receipts over the mesh are paced
    region.ask()
    assert region.shown() == [("Gaslek voorbij", Shown.CONFIRMED)]


def test_what_still_holds_keeps_the_floor_low_and_the_cancelled_is_shown_as_such(region: Region) -> None:
    region.say(replace(ORDER, headline="Water koken"))
    second = region.say(ORDER)
    region.say(replace(ORDER, type=MessageType.CANCEL, replaces=0, headline="Gaslek voorbij"), second)
    region.ask()
    assert set(region.shown()) == {
        ("Water koken", Shown.CONFIRMED),
        ("Gaslek voorbij", Shown.CONFIRMED),
        ("Gaslek", Shown.CANCELLED),
    }
    kiosk = region.kiosks[47]
    holds = kiosk.engine.news.count(kiosk.ledger.connection, kiosk.now_ms())
    assert holds == 1, "a withdrawal is not counted on the first page"


def test_news_has_an_end_and_grows_stale_when_nobody_confirms_it_any_more(region: Region) -> None:
    region.say(replace(ORDER, expires_min=24 * 60))
    region.ask()
    for site in (47, 48):
        region.carry(region.kiosks[site], frames(region.kiosks[site].turn(MESH_DOWN)))
    region.walk(STALE_MS_MAX / 1000 + 60)
    assert region.shown() == [("Gaslek", Shown.STALE)]
    region.walk(24 * 3600)
    assert region.shown() == [("Gaslek", Shown.EXPIRED)]


def test_over_the_broker_all_sites_get_it_at_once(region: Region) -> None:
    region.carry(region.center, frames(region.center.turn(MESH_DOWN)))
    region.up(BROKER)
    region.walk(30)
    region.say(ORDER)
    region.walk(90)
    (packet,) = region.news_packets()
    assert (packet.link, packet.carrier, packet.lane) == (BROKER, None, Lane.ANNOUNCEMENT)
    assert region.shown(47) == region.shown(48) == [("Gaslek", Shown.CONFIRMED)], "by the receipt of a heartbeat"


def test_over_the_broker_a_point_that_was_off_asks_and_tells_that_it_heard_within_seconds(region: Region) -> None:
    region.carry(region.center, frames(region.center.turn(MESH_DOWN)))
    region.up(BROKER)
    region.walk(BROKER_S)
    region.off = {48}
    region.say(ORDER)
    region.walk(2 * BROKER_S)
    region.off = set()
    while region.shown(48) == []:
        region.walk(1)
    region.walk(3 * BROKER_EARLY_MS_MAX / 1000)
    assert region.shown(48) == [("Gaslek", Shown.CONFIRMED)]
    life = heartbeats.of_site(region.center.ledger.connection, 48)
    assert life is not None
    assert life.beat.serial == 1, "told at once, not a minute later"
    beats = region.center.engine.counts["heartbeats"]
    region.walk(10 * BROKER_S)
    assert region.center.engine.counts["heartbeats"] == beats + 20, "then each once a minute again"


def test_a_packet_that_nobody_took_is_sent_again(region: Region) -> None:
    by = announcements.close_by(LEDGER_KEY, bytes(12), "Jansen")
    with region.center.ledger.transaction() as connection:
        announcements.add(connection, Draft(ORDER, by, "form"), region.center.now_ms())
    (packet,) = frames(region.center.turn())
    assert frames(region.center.turn(ended(packet, SendOutcome.REFUSED))) == []
    region.walk(6)
    assert len(region.news_packets()) == 1
    assert region.shown() == [("Gaslek", Shown.UNCONFIRMED)]


def test_a_crash_before_the_packet_left_sends_it_after_the_start(region: Region) -> None:
    by = announcements.close_by(LEDGER_KEY, bytes(12), "Jansen")
    with region.center.ledger.transaction() as connection:
        announcements.add(connection, Draft(ORDER, by, "form"), region.center.now_ms())
    with pytest.raises(RuntimeError, match="power"):
        region.center.turn(stop=_power_cut)
    region.center.restart()
    region.carry(region.center, frames(region.center.turn(MESH_UP)))
    assert region.shown() == [("Gaslek", Shown.UNCONFIRMED)]


def _power_cut() -> None:
    raise RuntimeError("power")


@pytest.mark.parametrize(("hops", "more"), [(FAR_HOPS - 1, 0), (FAR_HOPS, HOPS_MORE)])
def test_who_was_off_the_air_tells_it_in_a_heartbeat_and_gets_what_is_missing(
    region: Region, hops: int, more: int
) -> None:
    region.hops = hops
    region.off = {48}
    region.say(ORDER)
    region.say(replace(ORDER, headline="Water koken"))
    region.walk(60)
    region.off = set()
    assert region.shown(48) == []
    region.ask(48)  # the receipt names a serial that is missing here
    before = len(region.news_packets())
    region.walk(EARLY_MS[1] / 1000 + 60)
    assert {headline for headline, _ in region.shown(48)} == {"Gaslek", "Water koken"}
    assert {shown for _, shown in region.shown(48)} == {Shown.CONFIRMED}
    assert [frame.hops_more for frame in region.news_packets()[before:]] == [more] * 2
    life = heartbeats.of_site(region.center.ledger.connection, 48)
    assert life is not None
    assert life.beat.serial == 0
    region.walk(4 * 3600)
    life = heartbeats.of_site(region.center.ledger.connection, 48)
    assert life is not None
    assert (life.beat.serial, life.beat.incarnation) == (2, 1)
    assert len(region.news_packets()) - before == 2, "what is there is not sent again"


def test_what_is_missed_is_not_sent_again_more_often_than_the_air_allows(region: Region) -> None:
    region.off = {48}
    region.say(ORDER)
    region.walk(60)
    kiosk = region.kiosks[48]
    region.ask(47)
    before = len(region.news_packets())
    region.off = set()
    region.carry(kiosk, frames(kiosk.turn(help_form(kiosk.token()))))
    region.off = {48}  # it sends, and hears nothing
    for _ in range(3):
        region.walk(AGAIN_MESH_MS / 1000)
    assert len(region.news_packets()) - before <= 3


def test_the_receipt_of_a_sign_of_life_waits_for_company_unless_something_hangs_on_it(region: Region) -> None:
    def said(kind: Kind) -> int:
        return len([frame for name, frame in region.sent if name != "48" and kind_of(frame.payload) is kind])

    def walk_to_a_sign_of_life() -> None:
        before = said(Kind.PIECE)
        while said(Kind.PIECE) == before:
            region.walk(20)

    region.off = {48}
    walk_to_a_sign_of_life()
    region.walk(PROOF_GATHER_MS / 1000 + 10)
    assert said(Kind.TOKENS) == 1, "the first of a start: by it the kiosk knows whether its news still holds"
    walk_to_a_sign_of_life()
    region.walk(BEAT_GATHER_MS / 1000 - 30)
    assert said(Kind.TOKENS) == 1
    region.walk(40)
    assert said(Kind.TOKENS) == 2
    walk_to_a_sign_of_life()
    region.ask(47)
    assert said(Kind.TOKENS) == 3, "both in one packet"
    region.walk(BEAT_GATHER_MS / 1000 + 10)
    assert said(Kind.TOKENS) == 3
    assert region.kiosks[47].engine.counts["heartbeats_receipted"] == 3


def test_news_is_confirmed_two_minutes_after_the_sign_of_life_that_tells_of_it(region: Region) -> None:
    region.off = {48}
    region.walk((EARLY_MS[1] + PROOF_GATHER_MS) / 1000 + 60)
    region.say(EVACUATE)
    beats = region.center.engine.counts["heartbeats"]
    while region.center.engine.counts["heartbeats"] == beats:
        region.walk(20)
    assert region.shown(47) == [(EVACUATE.headline, Shown.UNCONFIRMED)]
    region.walk(PROOF_GATHER_MS / 1000)
    assert region.shown(47) == [(EVACUATE.headline, Shown.CONFIRMED)]


# --- case 9: a cancelled evacuation order replayed to a restored kiosk without a clock ------------------------------


def test_an_old_order_played_to_a_restored_kiosk_is_never_confirmed_and_void_at_last(region: Region) -> None:
    image = region.kiosks[48].path.read_bytes()
    order = region.say(EVACUATE)
    recorded = region.news_packets()[-1].payload
    region.ask(48)
    assert region.shown(48) == [(EVACUATE.headline, Shown.CONFIRMED)]
    region.say(replace(EVACUATE, type=MessageType.CANCEL, replaces=0, headline="U mag terug"), order)
    region.walk(60)
    kiosk = region.kiosks[48]
    kiosk.ledger.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{kiosk.path}{suffix}").unlink(missing_ok=True)
    kiosk.path.write_bytes(image)
    kiosk.open()
    kiosk.turn(MESH_UP)
    kiosk.turn(heard(recorded))
    assert region.shown(48) == [(EVACUATE.headline, Shown.UNCONFIRMED)]
    region.ask(48)  # the receipt names the cancel, which is missing here
    assert region.shown(48) == [(EVACUATE.headline, Shown.UNCONFIRMED)]
    region.walk(EARLY_MS[1] / 1000 + 60)
    assert region.shown(48) == [("U mag terug", Shown.CONFIRMED)]
    kiosk.turn(heard(recorded))
    assert region.shown(48) == [("U mag terug", Shown.CONFIRMED)]
    assert kiosk.engine.counts["news_void"] == 1


def test_a_receipt_of_before_the_start_confirms_nothing(region: Region) -> None:
    region.say(ORDER)
    region.ask()
    tokens = [payload for payload in region.air if kind_of(payload) is Kind.TOKENS]
    region.kiosks[47].restart()
    region.kiosks[47].turn(MESH_UP)
    for packet in tokens:
        region.kiosks[47].turn(heard(packet))
    assert region.shown() == [("Gaslek", Shown.UNCONFIRMED)]


def test_forged_news_is_counted_and_dropped(region: Region) -> None:
    region.say(ORDER)
    packet = bytearray(region.news_packets()[0].payload)
    packet[5] += 1  # another serial
    region.kiosks[47].turn(heard(bytes(packet)))
    assert region.kiosks[47].engine.counts["dropped_unauthentic"] == 1
    assert len(region.kiosks[47].rows(news)) == 1


# --- a lost ledger -------------------------------------------------------------------------------------------------


def test_a_restored_coordinator_says_anew_what_still_holds_above_all_that_was_lost(region: Region) -> None:
    region.say(ORDER)
    center = region.center
    center.engine = CoordinatorEngine(center.ledger, center.keys, LEDGER_KEY, 2, center.entropy)
    region.carry(center, frames(center.turn(MESH_UP)))
    incarnation, serial, floor = announcements.last_serial(center.ledger.connection)
    assert (incarnation, serial, floor) == (2, 258, 258)
    region.ask()
    assert region.shown() == [("Gaslek", Shown.CONFIRMED)]
    assert [row[1:3] for row in region.kiosks[47].rows(news)] == [(2, 258)]


# --- commands to points ----------------------------------------------------------------------------------------------


def test_a_command_holds_once_confirmed_and_over_a_restart(region: Region) -> None:
    def state(site: int = 47) -> PointState:
        kiosk = region.kiosks[site]
        return kiosk.engine.news.point_state(kiosk.ledger, kiosk.ledger.connection)

    close = Announcement(
        type=MessageType.POINT_STATE, function=SenderFunction.COORDINATOR, state=PointState.CLOSED, sites=(47,)
    )
    assert state() is PointState.OPEN
    region.say(close)
    assert state() is PointState.OPEN, "not while it may be an old one"
    region.ask(47)
    region.ask(48)
    assert (state(47), state(48)) == (PointState.CLOSED, PointState.OPEN)
    region.kiosks[47].restart()
    assert state() is PointState.CLOSED
    region.kiosks[47].turn(MESH_UP)
    region.say(replace(close, state=PointState.OPEN, sites=()))
    region.walk(2 * EARLY_MS[1] / 1000)
    assert state() is PointState.OPEN
    assert region.shown() == [], "a command is no news for citizens"


def command(region: Region, state: PointState) -> None:
    """Put kiosk 47 in this state, heard and proved."""
    region.say(Announcement(type=MessageType.POINT_STATE, function=SenderFunction.COORDINATOR, state=state))
    region.walk(2 * EARLY_MS[1] / 1000)
    kiosk = region.kiosks[47]
    assert kiosk.engine.news.point_state(kiosk.ledger, kiosk.ledger.connection) is state


def test_a_closed_point_refuses_a_new_form_and_accepts_one_that_was_begun_before(region: Region) -> None:
    kiosk = region.kiosks[47]
    region.ask()
    begun, number = kiosk.token(), ticket_number(47, 1)
    command(region, PointState.CLOSED)
    refused = kiosk.ask("Wij hebben water nodig")
    assert (refused["ok"], refused["error"]) == (False, "closed")
    for form in (help_form(begun), help_form(begun), more_form(kiosk.token(), number)):
        effects = kiosk.turn(form)
        region.carry(kiosk, frames(effects))
        assert answer_in(effects)["ok"]
    region.walk(10)
    assert [case.number for case in region.center.desk.cases()] == ["47-1", "47-2"]
    kiosk.restart()
    assert kiosk.ask()["error"] == "closed"
    late = kiosk.token()
    region.carry(kiosk, frames(kiosk.turn(MESH_UP)))
    command(region, PointState.OPEN)
    assert answer_in(kiosk.turn(help_form(late)))["ok"]


def test_a_form_is_an_exercise_only_during_one(region: Region) -> None:
    kiosk, marks = region.kiosks[47], []

    def told(mark: Mark) -> None:
        region.carry(kiosk, frames(kiosk.turn(help_form(kiosk.token(), mark=mark))))
        region.walk(10)
        case = max(region.center.desk.cases(), key=lambda one: one.id)
        marks.append(case.facts.mark)

    region.ask()
    told(Mark.EXERCISE)
    command(region, PointState.EXERCISE)
    told(Mark.EXERCISE)
    told(Mark.REAL)
    told(Mark.NONE)
    command(region, PointState.OPEN)
    told(Mark.EXERCISE)
    assert marks == [Mark.NONE, Mark.EXERCISE, Mark.REAL, Mark.NONE, Mark.NONE]


def test_a_technicians_test_goes_from_a_closed_point_and_counts_as_nobodys_case(region: Region) -> None:
    kiosk = region.kiosks[47]
    region.ask()
    command(region, PointState.CLOSED)
    effects = kiosk.turn(help_form(kiosk.token(), "", mark=Mark.TEST, people=0, category=Category.OTHER))
    assert answer_in(effects)["ok"]
    region.carry(kiosk, frames(effects))
    region.walk(60)
    tested = max(region.center.desk.cases(), key=lambda one: one.id)
    assert (tested.facts.mark, tested.life_threat, tested.lane) == (Mark.TEST, False, Lane.OTHER)
    assert (region.center.engine.counts["tests"], region.center.engine.counts["cases"]) == (1, 1)
    assert (kiosk.engine.counts["tests"], kiosk.engine.counts["accepted"]) == (1, 1)
    assert kiosk.ticket(tested.number).state is TicketState.RECEIVED
