"""The page "Papier": requests that came on paper, scanned, typed or photographed.

The field keeps what was read, so that codes of a long request may come one after the other; each press of the button
looks at all of it again, and a request that is here already makes no second case.
"""

import io
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import IO

from flask import Request, make_response, render_template, request
from flask_babel import gettext, ngettext
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from steunpunt.control import NotKnownYet, Refused, Unreachable
from steunpunt.protocol import paper
from steunpunt_ui.context import client
from steunpunt_ui.desk.login import form_token
from steunpunt_ui.desk.photo import FORM_BYTES_MAX, PhotoError, codes_in

CODES_CHARS_MAX = 64 * 1024
"""Longest text of the field that is read; the codes of one long request are 5,100 characters."""
PHOTOS_MAX = 4
_FIELDS_BYTES_MAX = 4 * CODES_CHARS_MAX
"""Memory for the fields beside the photos; werkzeug wants more than the 64 KiB that it reads at once."""
_MARK = "SP1"


class InMemoryRequest(Request):
    """A request whose files never touch the disk."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        del total_content_length, content_type, filename, content_length
        return io.BytesIO()


@dataclass(frozen=True, slots=True)
class Filed:
    """A request that was read from paper and is at the desk now."""

    number: str
    case_id: int | None
    words: str


@dataclass(slots=True)
class Outcome:
    """What came of one press of the button."""

    filed: list[Filed] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def show() -> Response | str:
    """Show the page, or take in what was scanned."""
    if request.method != "POST":
        return render_template("desk/paper.html", codes="", outcome=Outcome())
    outcome = Outcome()
    request.max_content_length, request.max_form_memory_size = FORM_BYTES_MAX, _FIELDS_BYTES_MAX
    try:
        form_token()
    except RequestEntityTooLarge:
        outcome.problems.append(gettext("These photos are too large. Choose one at a time, or scan the codes."))
        body = render_template("desk/paper.html", codes="", outcome=outcome)
        return make_response(body, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    text = request.form.get("codes", "")[:CODES_CHARS_MAX] + _photographed(outcome)
    reading = paper.read(text)
    left = _tell_unread(reading, text, outcome)
    for message in reading.messages:
        left = not _file(message, outcome) or left
    body = render_template("desk/paper.html", codes=text if left else "", outcome=outcome)
    return make_response(body, HTTPStatus.CONFLICT if outcome.problems else HTTPStatus.OK)


def _photographed(outcome: Outcome) -> str:
    """Return the codes in the photos, a line each."""
    lines = []
    photos = [photo for photo in request.files.getlist("photo") if photo.filename]
    if len(photos) > PHOTOS_MAX:
        outcome.problems.append(
            gettext("Only the first %(num)d photos were looked at. Choose the others now.", num=PHOTOS_MAX)
        )
    for photo in photos[:PHOTOS_MAX]:
        try:
            found = [code for code in codes_in(photo.stream) if code.startswith(_MARK)]
        except PhotoError:
            outcome.problems.append(gettext("This file is no photo that can be read. Use a JPEG or PNG file."))
            continue
        if not found:
            outcome.problems.append(
                gettext("No code of a request is seen in the photo. Take it again: closer, straight and with light.")
            )
        lines += found
    return "".join(f"\n{line}" for line in lines)


def _tell_unread(reading: paper.Reading, text: str, outcome: Outcome) -> bool:
    """Say which codes are missing or damaged; returns whether there are such."""
    for part in reading.incomplete:
        numbers = ", ".join(str(number) for number in part.missing)
        outcome.problems.append(
            ngettext(
                "Code %(numbers)s of %(of)s is still missing. Scan it too.",
                "Codes %(numbers)s of %(of)s are still missing. Scan them too.",
                len(part.missing),
                numbers=numbers,
                of=part.of,
            )
        )
    for error in reading.damaged:
        if error.group is None:
            outcome.problems.append(gettext("A code is damaged, or is no request. Scan it again."))
        else:
            outcome.problems.append(gettext("Typed group %(group)s is not right. Compare it.", group=error.group))
    if not outcome.problems and not reading.messages:
        outcome.problems.append(gettext("There is no code in the field. Scan or type one, or choose a photo."))
    return bool(reading.incomplete or reading.damaged) and bool(text.strip())


def _file(message: paper.PaperMessage, outcome: Outcome) -> bool:
    """Hand one request to the node; returns whether it is kept."""
    try:
        reply = client().call("paper", packets=[packet.hex() for packet in message.packets])
    except Refused as refusal:
        foreign = refusal.code == "foreign"
        outcome.problems.append(
            gettext("This request is not of a point of this region, or somebody changed it. It was not kept.")
            if foreign
            else gettext("A code is damaged, or is no request. Scan it again.")
            if refusal.code == "damaged"
            else gettext("This computer can't keep the request now. Leave the codes here and try again.")
        )
        return foreign
    except (Unreachable, NotKnownYet):
        outcome.problems.append(
            gettext("This computer can't keep the request now. Leave the codes here and try again.")
        )
        return False
    words = gettext("was here already; nothing was added twice") if reply["repeated"] else gettext("is here now")
    outcome.filed.append(Filed(reply["number"] or "", reply["case_id"], words))
    return True
