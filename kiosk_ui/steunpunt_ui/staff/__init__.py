"""The staff's own pages at a point, behind a PIN that the node knows. Dutch only, like the desk.

Addresses: ``/staf/`` what can be done · ``/staf/inloggen``, ``/staf/uit`` in and out · ``/staf/melden`` report for
somebody else or from paper · ``/staf/briefje/<number>/<secret>`` the ticket to hand out · ``/staf/punt`` open, close,
exercise · ``/staf/buren`` look at the notes of neighbours · ``/staf/techniek`` the technician's page.
"""

from flask import Blueprint, Flask

from steunpunt_ui import technician
from steunpunt_ui.citizen.swapboard import add_swapboard
from steunpunt_ui.staff import entry, menu, notes, reporting


def add_staff(app: Flask) -> None:
    """Add the staff's pages, and the board of notes that staff look after."""
    add_swapboard(app)
    app.register_blueprint(_make_blueprint())
    technician.add_templates(app)


def _make_blueprint() -> Blueprint:
    pages = Blueprint("staff", __name__, url_prefix="/staf", template_folder="templates")
    pages.before_request(entry.require_pin)
    pages.after_request(entry.keep_session)
    pages.context_processor(entry.page_words)
    forms = ["GET", "POST"]
    pages.add_url_rule("/", "menu", menu.show)
    pages.add_url_rule("/inloggen", "login", entry.log_in, methods=forms)
    pages.add_url_rule("/uit", "leave", entry.leave, methods=forms)
    pages.add_url_rule("/melden", "report", reporting.report, methods=forms)
    pages.add_url_rule("/briefje/<number>/<secret>", "handout", menu.show_handout)
    pages.add_url_rule("/punt", "point", menu.set_point, methods=forms)
    pages.add_url_rule("/buren", "notes", notes.show, methods=forms)
    technician.add_point_pages(pages)
    return pages
