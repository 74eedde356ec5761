"""The announcement on top of every page: the gravest that holds now, in so few words that the page stays what it is."""

import hashlib
import json
from typing import Any, Final

from flask import g

from steunpunt_ui.citizen.newswords import PAST, NewsView, view_of
from steunpunt_ui.citizen.pointstate import NODE_AWAY, read_status
from steunpunt_ui.context import client

_STANDING: Final = ("confirmed", "stale", "unconfirmed")
_SEVERITIES: Final = ("EXTREME", "SEVERE", "MODERATE", "MINOR")
_SHOWN: Final = ("headline", "phrases", "text", "standing", "mark")
"""What tells one announcement from another, without its age: an open page need not be loaded anew each minute."""


def read_news() -> list[dict[str, Any]] | None:
    """Return what the node says of its news, asked once a page; None when it does not answer."""
    if "news" not in g:
        try:
            g.news = client().call("news")["news"]
        except NODE_AWAY:
            g.news = None
    found: list[dict[str, Any]] | None = g.news
    return found


def announcement() -> NewsView | None:
    """Return what stands on top of a page; None while nothing holds, and then the node is asked for no news."""
    row = _row()
    return None if row is None else view_of(row)


def announcement_mark() -> str:
    """Return a fingerprint of it, for polling; "" for none."""
    row = _row()
    return "" if row is None else hashlib.sha256(json.dumps([row[name] for name in _SHOWN]).encode()).hexdigest()[:16]


def _row() -> dict[str, Any] | None:
    if not (read_status() or {}).get("news_count"):
        return None
    # A withdrawal is no announcement of something that goes on.
    holding = [one for one in read_news() or [] if one["standing"] not in PAST and one["type"] != "CANCEL"]
    return min(holding, key=_rank, default=None)


def _rank(row: dict[str, Any]) -> tuple[int, int]:
    """Order: what is sure first, then the gravest; of two alike the one that the node tells first, the newest."""
    severity = row.get("severity")
    grave = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
    return _STANDING.index(row["standing"]), grave
