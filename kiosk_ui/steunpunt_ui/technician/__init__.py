"""The technician's page: what is wrong and the mend, how it went these three days, the log, and a test request.

At a coordinator under ``/desk/``, behind its log-in; at a kiosk under ``/staf/``, behind the staff's PIN. Dutch only.
Addresses: ``…/techniek`` the page, ``?niveau=`` and ``?zoek=`` filter its log ·
``…/techniek/test`` send a test request · ``…/techniek/gereed`` is this point ready? · ``…/techniek/sleutelhouder``
confirm that the key holder can be reached.
"""

from flask import Blueprint, Flask

from steunpunt_ui.technician import page


def add_pages(pages: Blueprint) -> None:
    """Add the technician's pages to those of people who are logged in."""
    pages.add_url_rule("/techniek", "technician", page.show)


def add_point_pages(pages: Blueprint) -> None:
    """Add what there is only at a point."""
    add_pages(pages)
    pages.add_url_rule("/techniek/gereed", "technician_ready", page.show_ready)
    pages.add_url_rule("/techniek/sleutelhouder", "technician_key_holder", page.confirm_key_holder, methods=["POST"])
    pages.add_url_rule("/techniek/test", "technician_test", page.send_test, methods=["POST"])


def add_templates(app: Flask) -> None:
    """Let the application find the page's template."""
    app.register_blueprint(Blueprint("technician", __name__, template_folder="templates"))
