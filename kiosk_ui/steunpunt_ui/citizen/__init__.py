"""The citizen's screens. All of them work without JavaScript and without cookies.

Addresses (after the language): ``/`` home · ``/taal`` languages · ``/hulp`` kinds · ``/hulp/<kind>`` ask, check, send ·
``/volgen`` look up · ``/nieuws`` news · ``/t/<number>`` what anyone may see · ``/t/<number>/<secret>`` the ticket ·
``…/stand`` a fingerprint for polling · ``…/nu`` what to do now · ``…/meer`` tell more · ``…/<what>`` add to a request ·
``/knop/<name>`` cancel a call · ``/info`` what there is to read · ``/info/<slug>`` a page · ``/info/beeld/<name>`` its
pictures · ``/bord`` the waiting board · ``/formulier`` the form on paper · ``/buren`` neighbours: offer
help, a board for goods and lifts.
"""

from flask import Blueprint, g

from steunpunt_ui.citizen import (
    ask,
    board,
    follow,
    home,
    information,
    neighbours,
    news,
    nowpage,
    paperform,
    supplement,
    telling,
    ticket,
)
from steunpunt_ui.citizen.pointstate import page_words
from steunpunt_ui.citizen.topnews import announcement
from steunpunt_ui.languages import LANGUAGES


def make_blueprint() -> Blueprint:
    """Return the citizen's pages under one path prefix per language."""
    pages = Blueprint(
        "citizen", __name__, url_prefix=f"/<any({','.join(LANGUAGES)}):lang>", template_folder="templates"
    )

    @pages.url_value_preprocessor
    def take_language(_endpoint: str | None, values: dict[str, str] | None) -> None:
        if values:
            g.lang = values.pop("lang")

    @pages.url_defaults
    def give_language(_endpoint: str, values: dict[str, str]) -> None:
        values.setdefault("lang", g.get("lang", ""))

    # For the application, not only these pages: an error's page stands in the same frame.
    pages.app_context_processor(lambda: page_words() | {"announcement": announcement})
    what = f"<any({','.join(repr(slug) for slug in supplement.KINDS)}):slug>"
    forms = ["GET", "POST"]
    pages.add_url_rule("/", "home", home.show)
    pages.add_url_rule("/stand", "home_mark", home.show_mark)
    pages.add_url_rule("/taal", "languages", home.show_languages)
    pages.add_url_rule("/knop/<name>", "cancel_call", home.cancel_call, methods=["POST"])
    pages.add_url_rule("/hulp", "kinds", ask.show_kinds)
    pages.add_url_rule("/hulp/<slug>", "ask", ask.ask, methods=forms)
    pages.add_url_rule("/info", "info", information.show_list)
    pages.add_url_rule("/info/<slug>", "info_page", information.show_page)
    pages.add_url_rule("/info/beeld/<name>", "info_picture", information.show_picture)
    pages.add_url_rule("/volgen", "follow", follow.follow, methods=forms)
    pages.add_url_rule("/nieuws", "news", news.show)
    pages.add_url_rule("/nieuws/stand", "news_mark", news.show_mark)
    pages.add_url_rule("/bord", "board", board.show)
    pages.add_url_rule("/bord/stand", "board_mark", board.show_mark)
    pages.add_url_rule("/buren", "neighbours", neighbours.show)
    pages.add_url_rule("/buren/helpen", "offer", neighbours.offer, methods=forms)
    pages.add_url_rule("/buren/bewaard/<number>/<secret>", "offer_kept", neighbours.show_kept)
    pages.add_url_rule("/buren/prikbord", "post_note", neighbours.post_note, methods=forms)
    pages.add_url_rule("/formulier", "paper_form", paperform.show)
    pages.add_url_rule("/t/<number>", "public_ticket", ticket.show)
    pages.add_url_rule("/t/<number>/stand", "ticket_mark", ticket.show_mark)
    pages.add_url_rule("/t/<number>/<secret>", "ticket", ticket.show)
    pages.add_url_rule(
        "/t/<number>/erger",
        "public_supplement",
        supplement.supplement,
        methods=forms,
        defaults={"slug": supplement.PUBLIC_SLUG},
    )
    pages.add_url_rule("/t/<number>/<secret>/nu", "now", nowpage.show)
    pages.add_url_rule("/t/<number>/<secret>/meer", "tell", telling.tell, methods=forms)
    pages.add_url_rule(f"/t/<number>/<secret>/{what}", "supplement", supplement.supplement, methods=forms)
    return pages
