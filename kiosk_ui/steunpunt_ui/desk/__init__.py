"""The desk: the coordinator's screens. Only a coordinator's web process imports this package.

Addresses: ``/desk/`` the list · ``/desk/stand`` the same list alone, for refreshing · ``/desk/login`` ·
``/desk/melding/<id>`` one case · ``…/stand`` its fingerprint · ``…/<act>`` what a person does with it ·
``/desk/papier`` requests that came on paper · ``/desk/berichten`` announcements ·
``…/nieuw`` compose, change, withdraw one · ``/desk/aanbod`` neighbours who offer help ·
``/desk/punten`` the points · ``…/stand`` their table alone · ``/desk/techniek`` the technician's page.
"""

from flask import Blueprint, Flask, current_app, g

from steunpunt.config import Config
from steunpunt.model import KeyFileError, LedgerError
from steunpunt_ui import technician
from steunpunt_ui.desk import acts, announcing, cases, exercise, login, offers, opening, paper, points
from steunpunt_ui.desk.sessions import Limiter, Sessions

_CASE = "int(max=9223372036854775807)"
"""A case's number in an address: what the ledger's integers hold, else there is no such page."""


def add_desk(app: Flask, config: Config, desk: opening.DeskDoor | None) -> None:
    """Add the desk's pages; without ``desk`` the ledger of the config is opened when a page needs it."""
    app.extensions["steunpunt.desk"] = opening.Opening(config, desk)
    app.extensions["steunpunt.sessions"] = Sessions()
    app.extensions["steunpunt.limiter"] = Limiter()
    app.request_class = paper.InMemoryRequest
    app.register_blueprint(_make_blueprint())
    technician.add_templates(app)


def _make_blueprint() -> Blueprint:
    pages = Blueprint("desk", __name__, url_prefix="/desk", template_folder="templates")
    pages.before_request(login.require_login)
    pages.register_error_handler(LedgerError, cases.show_ledger_away)
    pages.register_error_handler(KeyFileError, cases.show_ledger_away)
    pages.add_url_rule("/", "list", cases.show_list)
    pages.add_url_rule("/stand", "list_part", cases.show_list_part)
    pages.add_url_rule("/login", "login", login.log_in, methods=["GET", "POST"])
    pages.add_url_rule("/papier", "paper", paper.show, methods=["GET", "POST"])
    pages.add_url_rule("/logout", "logout", login.log_out, methods=["POST"])
    pages.add_url_rule(f"/melding/<{_CASE}:case_id>", "case", cases.show_case)
    pages.add_url_rule(f"/melding/<{_CASE}:case_id>/stand", "case_mark", cases.show_case_mark)
    pages.add_url_rule(
        f"/melding/<{_CASE}:case_id>/<any(oppakken,antwoord,doorgeven,afsluiten,heropenen,koppelen,loskoppelen):act>",
        "act",
        acts.act,
        methods=["POST"],
    )
    pages.add_url_rule("/berichten", "announcements", announcing.show_list)
    pages.add_url_rule("/berichten/nieuw", "announce", announcing.compose, methods=["GET", "POST"])
    pages.add_url_rule("/aanbod", "offers", offers.show)
    pages.add_url_rule("/aanbod/stand", "offers_part", offers.show_part)
    pages.add_url_rule("/punten", "points", points.show)
    pages.add_url_rule("/punten/stand", "points_part", points.show_part)
    technician.add_pages(pages)
    pages.context_processor(_for_all_pages)
    return pages


def _for_all_pages() -> dict[str, object]:
    """Return what every page shows; nobody who is not logged in learns whether an exercise runs."""
    runs = exercise.running() if g.get("person") else None
    return {"person": g.get("person"), "new_token": _new_token, "exercise": runs, "exercise_words": exercise.words}


def _new_token() -> str:
    sessions = current_app.extensions["steunpunt.sessions"]
    return str(sessions.form_token(g.person)) if g.get("person") else ""
