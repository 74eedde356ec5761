"""What is going on: announcements of the coordinators, each with who says so, how old it is and whether it holds."""

import hashlib
import json
from dataclasses import asdict

from flask import Response, render_template, url_for

from steunpunt_ui.citizen.home import banner_of
from steunpunt_ui.citizen.newswords import NewsView, view_of
from steunpunt_ui.citizen.pointstate import point_state, read_status
from steunpunt_ui.citizen.swapboard import swapboard
from steunpunt_ui.citizen.topnews import read_news


def show() -> str:
    """Show what is going on; without an answer of the node, say so."""
    views, status = _views(), read_status()
    banner = banner_of(status)
    return render_template(
        "citizen/news.html",
        away=views is None,
        now=[view for view in views or [] if view.kind != "past"],
        past=[view for view in views or [] if view.kind == "past"],
        banner=banner,
        board=swapboard() is not None,
        mark=_mark(views),
        poll=url_for("citizen.news_mark"),
    )


def show_mark() -> Response:
    """Return the fingerprint of what the page shows now, for polling."""
    return Response(_mark(_views()), mimetype="text/plain")


def _views() -> list[NewsView] | None:
    found = read_news()
    return None if found is None else [view_of(one) for one in found if one["standing"] != "superseded"]


def _mark(views: list[NewsView] | None) -> str:
    shown = json.dumps([None if views is None else [asdict(view) for view in views], point_state().name])
    return hashlib.sha256(shown.encode()).hexdigest()[:16]
