"""Looking up a request by its number, with the code to read the answer."""

from http import HTTPStatus

from flask import make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from steunpunt_ui.citizen.asking import language_tapped
from steunpunt_ui.citizen.lookup import tidy_number, tidy_secret

_TYPED_CHARS_MAX = 20


def follow() -> Response | str:
    """Show the form, or go to the ticket that was typed."""
    if request.method != "POST":
        return render_template("citizen/follow.html", number=tidy_number(request.args.get("number", "")), problem="")
    if language_tapped():
        kept = {name: request.form.get(name, "")[:_TYPED_CHARS_MAX] for name in ("number", "secret")}
        return render_template("citizen/follow.html", **kept, problem="")
    typed, code = request.form.get("number", ""), request.form.get("secret", "").strip()
    number, secret = tidy_number(typed), tidy_secret(code)
    if not number:
        problem = gettext("That is not a number of ours. It looks like 47-12.")
    elif code and not secret:
        problem = gettext("That is not a code of ours. It has two times four letters or digits.")
    elif secret:
        return redirect(url_for("citizen.ticket", number=number, secret=secret), 303)
    else:
        return redirect(url_for("citizen.public_ticket", number=number), 303)
    kept = {"number": typed[:_TYPED_CHARS_MAX], "secret": code[:_TYPED_CHARS_MAX]}
    return make_response(render_template("citizen/follow.html", **kept, problem=problem), HTTPStatus.BAD_REQUEST)
