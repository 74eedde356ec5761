"""The points: which live, and which need a look first. What is not known is never shown as good."""

from dataclasses import dataclass

from flask import render_template, url_for
from flask_babel import gettext

from steunpunt.ledger.newsdesk import PointLife
from steunpunt.model import LinkName, PointState
from steunpunt.protocol.heartbeat import BROKER_S, mesh_interval_s
from steunpunt_ui.ages import ago
from steunpunt_ui.context import config
from steunpunt_ui.desk import newswords
from steunpunt_ui.desk.opening import news_desk, node_troubles

BEATS_MISSED_MAX = 5
"""Heartbeats over the broker that may stay away before a point counts as silent."""
OLD_S_MAX = 900
"""A request that waits this long at its point is a reason to look."""
INTERNET_S_MAX = 150
"""A point that is on the internet speaks every minute: when so long nothing came that way, that road is silent."""
_GOOD = 9


@dataclass(frozen=True, slots=True)
class PointRow:
    """A line of the page; a lower ``worry`` asks for a look first."""

    site: int
    name: str
    worry: int
    says: str
    life: PointLife | None

    @property
    def good(self) -> bool:
        """Return whether nothing is known to be wrong."""
        return self.worry == _GOOD

    @property
    def roads(self) -> tuple[str, str]:
        """Return what is known of both roads: when the point was last heard there, never what it may still be."""
        life = self.life
        if life is None:
            return gettext("radio: never heard"), gettext("internet: never heard")
        radio = gettext("radio: never heard")
        if life.mesh_age_s is not None:
            radio = gettext("radio: last heard %(ago)s", ago=ago(life.mesh_age_s))
        return radio, _internet(life)


def show() -> str:
    """Show the points, the most worrying first."""
    return render_template("desk/points.html", poll=url_for("desk.points_part"), **_rows())


def show_part() -> str:
    """Return the table alone, to put in the place of the one on screen."""
    return render_template("desk/points_table.html", **_rows())


def _rows() -> dict[str, object]:
    lives = {life.site: life for life in news_desk().points()}
    numbers = dict.fromkeys([*(point.id for point in config().point), *lives])
    rows = [row_of(number, lives.get(number)) for number in numbers]
    rows.sort(key=lambda row: (row.worry, row.site))
    return {"rows": rows, "words": newswords, "ago": ago, "troubles": node_troubles()}


def row_of(site: int, life: PointLife | None) -> PointRow:
    """Return a point's line: the gravest of what is known, in words."""
    worry, says = _worry(life)
    return PointRow(site, newswords.point_name(site), worry, says, life)


def _worry(life: PointLife | None) -> tuple[int, str]:
    if life is None or life.heard_age_s is None:
        return 1, gettext("Never heard yet.")
    if life.lost:
        return 0, gettext(
            "This point knows of later news than this computer: its ledger is an old copy. Warn the technician."
        )
    beat = life.beat
    if life.heard_age_s > _silent_s(life):
        return 2, gettext("Silent for longer than it should be.")
    if beat is None:
        return 7, gettext("No sign of life yet, only requests.")
    told = (
        (bool(beat.faults), 3, gettext("Reports a fault.")),
        (bool(beat.queue) and beat.oldest_s > OLD_S_MAX, 4, gettext("Requests have been waiting there for long.")),
        (beat.state is PointState.CLOSED, 5, gettext("The point is closed.")),
        (life.missing > 0, 6, gettext("Has not heard all announcements.")),
        (_internet_silent(life), 8, _internet(life).capitalize() + "."),
        (not (beat.mesh_up and beat.broker_up), 8, gettext("Has one road only.")),
    )
    return next(((worry, says) for wrong, worry, says in told if wrong), (_GOOD, gettext("Nothing wrong is known.")))


def _internet_silent(life: PointLife) -> bool:
    return life.broker_age_s is not None and life.broker_age_s > INTERNET_S_MAX


def _internet(life: PointLife) -> str:
    if life.broker_age_s is None:
        return gettext("internet: never heard")
    if _internet_silent(life):
        return gettext("internet: not heard since %(ago)s", ago=ago(life.broker_age_s))
    return gettext("internet: heard %(ago)s", ago=ago(life.broker_age_s))


def _silent_s(life: PointLife) -> float:
    """Over the internet a point speaks every minute; by radio seldom, and one packet may be lost."""
    if life.link is LinkName.BROKER:
        return BEATS_MISSED_MAX * BROKER_S
    return 2.5 * mesh_interval_s(config().region.sites)
