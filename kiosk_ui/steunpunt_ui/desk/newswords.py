"""Names of what the desk shows of announcements and points."""

from flask_babel import gettext

from steunpunt.ledger.newsdesk import Told
from steunpunt.model import LinkName, PointState, SenderFunction
from steunpunt.protocol.announcements import CapCategory, Certainty, MessageType, Severity, Urgency
from steunpunt.protocol.heartbeat import Heartbeat
from steunpunt_ui.context import config
from steunpunt_ui.desk.words import function_choices


def type_words(kind: MessageType) -> str:
    """Return what an announcement does."""
    return {
        MessageType.ALERT: gettext("Announcement"),
        MessageType.UPDATE: gettext("Change of an announcement"),
        MessageType.CANCEL: gettext("Withdrawal of an announcement"),
        MessageType.POINT_STATE: gettext("Command to points"),
    }[kind]


def standing_words(told: Told) -> str:
    """Return whether it holds."""
    if told.serial is None:
        return gettext("Not sent yet")
    if told.expired:
        return gettext("Ended")
    if told.announcement.type is MessageType.CANCEL:
        return gettext("Sent")
    if not told.in_force:
        return gettext("Replaced or withdrawn")
    return gettext("Holds now, but not everywhere") if told.overruled else gettext("Holds now")


def speaker_words(function: SenderFunction) -> str:
    """Return who says so."""
    return function_choices().get(function, gettext("somebody else"))


def state_words(state: PointState) -> str:
    """Return a point's state."""
    return {
        PointState.CLOSED: gettext("closed"),
        PointState.OPEN: gettext("open"),
        PointState.EXERCISE: gettext("exercise"),
    }[state]


def state_choices() -> dict[PointState, str]:
    """Return the states that a point can be told to take."""
    return {state: state_words(state) for state in PointState}


def urgency_choices() -> dict[Urgency, str]:
    """Return CAP's urgency in words."""
    return {
        Urgency.IMMEDIATE: gettext("act now"),
        Urgency.EXPECTED: gettext("act soon, within the hour"),
        Urgency.FUTURE: gettext("later"),
        Urgency.PAST: gettext("over"),
        Urgency.UNKNOWN: gettext("not known"),
    }


def severity_choices() -> dict[Severity, str]:
    """Return CAP's severity in words."""
    return {
        Severity.EXTREME: gettext("extreme"),
        Severity.SEVERE: gettext("severe"),
        Severity.MODERATE: gettext("moderate"),
        Severity.MINOR: gettext("minor"),
        Severity.UNKNOWN: gettext("not known"),
    }


def certainty_choices() -> dict[Certainty, str]:
    """Return CAP's certainty in words."""
    return {
        Certainty.OBSERVED: gettext("seen"),
        Certainty.LIKELY: gettext("likely"),
        Certainty.POSSIBLE: gettext("possible"),
        Certainty.UNLIKELY: gettext("unlikely"),
        Certainty.UNKNOWN: gettext("not known"),
    }


def category_choices() -> dict[CapCategory, str]:
    """Return CAP's categories in words."""
    return {
        CapCategory.SAFETY: gettext("safety"),
        CapCategory.RESCUE: gettext("rescue"),
        CapCategory.FIRE: gettext("fire"),
        CapCategory.HEALTH: gettext("health"),
        CapCategory.INFRA: gettext("power, water, telephone"),
        CapCategory.TRANSPORT: gettext("roads and transport"),
        CapCategory.MET: gettext("weather"),
        CapCategory.GEO: gettext("flood, earth"),
        CapCategory.ENV: gettext("pollution"),
        CapCategory.CBRNE: gettext("dangerous substances"),
        CapCategory.SECURITY: gettext("public order"),
        CapCategory.OTHER: gettext("other"),
    }


def point_name(site: int) -> str:
    """Return a point's name where the config lists it, else its number."""
    named = (f"{point.name} ({point.id})" for point in config().point if point.id == site)
    return next(named, gettext("Point %(id)s", id=site))


def roads_down(beat: Heartbeat) -> str:
    """Return which roads a point said that it lacks."""
    lacks = [gettext("no radio")] if not beat.mesh_up else []
    lacks += [gettext("no internet")] if not beat.broker_up else []
    return ", ".join(lacks)


def link_words(link: LinkName | None) -> str:
    """Return over which road a point was last heard."""
    return {LinkName.MESH: gettext("radio"), LinkName.BROKER: gettext("internet"), None: ""}[link]
