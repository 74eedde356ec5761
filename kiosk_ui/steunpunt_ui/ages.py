"""Ages in words. There may be no clock at a steunpunt, so screens show ages and never clock times."""

from flask_babel import gettext, ngettext

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86400


def ago(age_s: float, *, at_least: bool = False) -> str:
    """Return an age such as ``6 minutes ago``; ``at_least`` when power was away and more may have passed.

    Minutes up to two hours, hours up to two days, then days; always rounded down.
    """
    if age_s < MINUTE_S:
        return gettext("some time ago") if at_least else gettext("less than a minute ago")
    if age_s < 2 * HOUR_S:
        return _minutes(int(age_s // MINUTE_S), at_least=at_least)
    if age_s < 2 * DAY_S:
        return _hours(int(age_s // HOUR_S), at_least=at_least)
    return _days(int(age_s // DAY_S), at_least=at_least)


def _minutes(count: int, *, at_least: bool) -> str:
    if at_least:
        return ngettext("at least %(num)d minute ago", "at least %(num)d minutes ago", count)
    return ngettext("%(num)d minute ago", "%(num)d minutes ago", count)


def _hours(count: int, *, at_least: bool) -> str:
    if at_least:
        return ngettext("at least %(num)d hour ago", "at least %(num)d hours ago", count)
    return ngettext("%(num)d hour ago", "%(num)d hours ago", count)


def _days(count: int, *, at_least: bool) -> str:
    if at_least:
        return ngettext("at least %(num)d day ago", "at least %(num)d days ago", count)
    return ngettext("%(num)d day ago", "%(num)d days ago", count)
