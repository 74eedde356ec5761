"""Whether an exercise runs: what every page of the desk says of it, and what a new announcement begins with."""

from flask_babel import gettext

from steunpunt.ledger.newsdesk import Exercise
from steunpunt.model import KeyFileError, LedgerError
from steunpunt.protocol.announcements import Announcement, MessageType
from steunpunt_ui.context import config
from steunpunt_ui.desk import newswords
from steunpunt_ui.desk.opening import news_desk

NAMED_MAX = 12
"""Points named in one line; of more it says how many."""


def running() -> Exercise:
    """Return where an exercise runs; nowhere as far as is known while the ledger can't be read."""
    try:
        return news_desk().exercise()
    except (LedgerError, KeyFileError):
        return Exercise()


def words(exercise: Exercise) -> str:
    """Return at which points it runs."""
    if not exercise.everywhere:
        return gettext("An exercise runs at: %(points)s.", points=names(exercise.sites))
    if exercise.but:
        return gettext("An exercise runs at all points but: %(points)s.", points=names(exercise.but))
    return gettext("An exercise runs at all points.")


def names(sites: tuple[int, ...]) -> str:
    """Return points' names in one line."""
    named = [newswords.point_name(site) for site in sites[:NAMED_MAX]]
    if len(sites) > NAMED_MAX:
        named.append(gettext("and %(count)s more", count=len(sites) - NAMED_MAX))
    return ", ".join(named)


def outside(announcement: Announcement, exercise: Exercise) -> tuple[int, ...]:
    """Return the points that an announcement marked as exercise is for and where none runs, of those that are listed.

    A withdrawal, and a command, are no announcements to be marked.
    """
    if announcement.type in (MessageType.CANCEL, MessageType.POINT_STATE):
        return ()
    meant = announcement.sites or tuple(point.id for point in config().point)
    return tuple(site for site in meant if not exercise.at(site))
