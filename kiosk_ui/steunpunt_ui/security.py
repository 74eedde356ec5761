"""What guards every page: headers that keep others out, and the check that a form was sent from here."""

from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, request

BODY_BYTES_MAX = 192 * 1024
"""Largest form that is read: 2,000 emoji take 24 KB; far too long a text is refused with its words still there."""
_CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def guard(app: Flask) -> None:
    """Add the headers to every reply and the origin check to every form."""
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.config["MAX_FORM_MEMORY_SIZE"] = BODY_BYTES_MAX
    app.config["MAX_FORM_PARTS"] = 40
    app.before_request(_refuse_foreign_forms)
    app.after_request(_add_headers)


def sent_from_here(incoming: Request) -> bool:
    """Whether a form came from a page of this same host: ``Origin`` decides, else ``Referer``.

    Neither header counts as foreign. Pages ask for ``Referrer-Policy: same-origin``, so browsers that
    send no ``Origin`` still send the ``Referer`` here, and never elsewhere (a ticket's page has its
    secret half in its address).
    """
    source = incoming.headers.get("Origin") or incoming.headers.get("Referer") or ""
    return bool(source) and urlsplit(source).netloc == incoming.host


def _refuse_foreign_forms() -> None:
    if request.method not in _SAFE_METHODS and not sent_from_here(request):
        abort(403)


def _add_headers(response: Response) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = _CONTENT_POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cache-Control"] = (
        "public, max-age=31536000, immutable"
        if request.endpoint == "static" and response.status_code in (200, 304) and "v" in request.args
        else "no-store"
    )
    return response
