"""Pages for what went wrong: plain words, never a stack trace, and nothing personal in the log."""

import traceback
from http import HTTPStatus
from types import TracebackType

from flask import Flask, Response, g, make_response, request
from flask_babel import gettext
from werkzeug.exceptions import HTTPException, InternalServerError

from steunpunt.config import Config
from steunpunt.model import Role
from steunpunt_ui.languages import language_of_path
from steunpunt_ui.pages import Page, show_message


class QuietFlask(Flask):
    """Flask that logs an error by its route: a ticket's address holds the secret half."""

    def log_exception(self, exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None]) -> None:
        """Log where it went wrong, without the address and without the error's own text."""
        kind, _, trace = exc_info
        where = "".join(traceback.format_tb(trace))
        self.logger.error("%s in %s\n%s", getattr(kind, "__name__", "error"), request.endpoint, where)


def add_error_pages(app: Flask, config: Config) -> None:
    """Give every HTTP error a page in the language of its path."""
    at_desk = config.site.role is Role.COORDINATOR

    def answer(error: Exception) -> Response:
        http = error if isinstance(error, HTTPException) else InternalServerError()
        if http.response is not None:
            return make_response(http.response)
        g.lang = language_of_path(request.path)
        status = http.code or HTTPStatus.INTERNAL_SERVER_ERROR
        response = make_response(show_message(_page(status), at_desk=at_desk), status)
        for name, value in http.get_headers(request.environ):
            if name.lower() not in {"content-type", "content-length"}:
                response.headers[name] = value
        return response

    app.register_error_handler(HTTPException, answer)
    app.register_error_handler(InternalServerError, answer)


def _page(status: int) -> Page:
    if status == HTTPStatus.NOT_FOUND:
        return Page(gettext("This page does not exist."), gettext("Perhaps a letter in the address is wrong."))
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return Page(gettext("This page can't be opened this way."), gettext("Start again from the first page."))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Page(
            gettext("That was too much to send."),
            gettext("Nothing was sent. Write a shorter text and try again."),
        )
    if status == HTTPStatus.FORBIDDEN:
        return Page(
            gettext("This form did not come from this device."),
            gettext("Nothing was sent. Open the first page and fill in the form there."),
        )
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Page(gettext("This request could not be read."), gettext("Start again from the first page."))
    return Page(
        gettext("Something went wrong in this device."),
        gettext("We don't know whether your request was kept. Try again. Do you have a number? Look it up."),
    )
