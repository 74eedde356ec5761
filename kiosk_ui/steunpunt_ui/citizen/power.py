"""One line on how long this point has power: nothing while there is mains, and never more than is known."""

from typing import Any

from flask_babel import gettext


def power_line(status: dict[str, Any] | None) -> str:
    """Return the line for the first page; empty with mains, and at a point that does not watch its power."""
    power = (status or {}).get("power")
    if power is None or power.get("state") == "mains":
        return ""
    hours = power.get("hours_left")
    if power.get("state", "unknown") == "unknown":
        return gettext("Power: not known.")
    if power["state"] == "critical" or (hours is not None and hours < 1):
        return gettext("The battery is nearly empty. This point stops soon.")
    if hours is None:
        return gettext("Power: battery.")
    return gettext("Power: battery, about %(hours)s h left.", hours=int(hours))
