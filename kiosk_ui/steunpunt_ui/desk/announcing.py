"""Announcements at the desk: the list, composing with a look beforehand, updating, cancelling, commands to points."""

from http import HTTPStatus
from typing import Any

from flask import abort, current_app, make_response, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from steunpunt.facts import Mark
from steunpunt.ledger.desk import CaseGone, NotAllowed
from steunpunt.ledger.newsdesk import NewsDesk, Told
from steunpunt.model import PointState, SenderFunction
from steunpunt.protocol.airtime import private_app_lora_bytes, time_on_air_ms
from steunpunt.protocol.announcements import (
    EXPIRES_MIN_MAX,
    Announcement,
    CapCategory,
    Certainty,
    MessageType,
    Severity,
    Urgency,
    pack_announcement,
)
from steunpunt.protocol.bits import SHORT_TEXT_BYTES_MAX
from steunpunt.protocol.news import frame_sizes
from steunpunt.protocol.phrasebook import SENTENCES, render_all
from steunpunt.protocol.phrases import Phrase
from steunpunt_ui.ages import ago
from steunpunt_ui.context import config
from steunpunt_ui.desk import newswords, phraseform
from steunpunt_ui.desk.login import form_token, person
from steunpunt_ui.desk.opening import node_troubles, opening, ring_bell
from steunpunt_ui.desk.phraseform import FormProblem
from steunpunt_ui.desk.words import function_choices, refusal_words
from steunpunt_ui.languages import LANGUAGES
from steunpunt_ui.texts import characters_over, clean, clean_line

EXPIRES_HOURS_DEFAULT = 24
POINTS_SHOWN_MAX = 1000
_KEY = "steunpunt.newsdesk"


def news_desk() -> NewsDesk:
    """Return the desk's door to announcements and points; raises KeyFileError."""
    found = current_app.extensions.get(_KEY)
    if not isinstance(found, NewsDesk):
        found = current_app.extensions[_KEY] = opening().news()
    return found


def show_list() -> str:
    """Show all announcements: what holds first."""
    return render_template(
        "desk/announcements.html", told=news_desk().told(), words=newswords, ago=ago, troubles=node_troubles()
    )


def compose() -> Response | str:
    """Show the form; with what it says, show how it will look and what it costs; then say it."""
    about = _about()
    if request.method != "POST":
        return _form(_fields_of(about), about, "")
    token, fields = form_token(), request.form.to_dict()
    try:
        announcement = _announcement(fields, about)
        pack_announcement(announcement)
    except FormProblem as problem:
        return _refused(fields, about, str(problem))
    except ValueError:
        return _refused(fields, about, gettext("Choose a sentence, or write a headline or text."))
    if fields.get("step") != "send":
        return _preview(announcement, fields, about, token)
    try:
        news_desk().say(announcement, person().name, token=token, about=None if about is None else about.id)
    except NotAllowed as refusal:
        return _refused(fields, about, refusal_words(refusal))
    ring_bell()
    return redirect(url_for("desk.announcements"), 303)


# --- what was typed ---------------------------------------------------------------------------------------------


def _about() -> Told | None:
    number = request.values.get("over", "")
    if not number:
        return None
    if not number.isdecimal() or len(number) > len(str(2**62)):
        abort(HTTPStatus.NOT_FOUND)
    try:
        return news_desk().find(int(number))
    except CaseGone:
        abort(HTTPStatus.NOT_FOUND)


def _fields_of(about: Told | None) -> dict[str, str]:
    """Return what the form shows at first: defaults, or what is to be changed or withdrawn."""
    kind = request.args.get("soort", "bericht")
    fields = {
        "kind": kind,
        "function": SenderFunction.DUTY_OFFICER.name,
        "expires_h": str(EXPIRES_HOURS_DEFAULT),
        "urgency": Urgency.EXPECTED.name,
        "severity": Severity.MODERATE.name,
        "certainty": Certainty.LIKELY.name,
        "category": CapCategory.SAFETY.name,
        "state": PointState.CLOSED.name,
    }
    if about is None:
        return fields
    said = about.announcement
    fields |= {
        "function": said.function.name,
        "headline": said.headline,
        "urgency": said.urgency.name,
        "severity": said.severity.name,
        "certainty": said.certainty.name,
        "category": said.category.name,
        "exercise": "1" if said.mark is Mark.EXERCISE else "",
        "sites": " ".join(str(site) for site in said.sites),
    }
    if kind == "wijzigen":
        fields |= {"text": said.text} | phraseform.fields_of(said.phrases)
    return fields


def _announcement(fields: dict[str, str], about: Told | None) -> Announcement:
    """Return what the form says; FormProblem in words, ValueError when it says nothing."""
    function = SenderFunction.__members__.get(fields.get("function", ""))
    if function not in function_choices() or function is None:
        raise FormProblem(gettext("Choose who says so."))
    kind = _kind(fields, about)
    headline, text = clean_line(fields.get("headline", "")), clean(fields.get("text", ""))
    over = characters_over(headline, SHORT_TEXT_BYTES_MAX)
    if over:
        raise FormProblem(
            ngettext(
                "The headline is %(num)d character too long.", "The headline is %(num)d characters too long.", over
            )
        )
    return Announcement(
        type=kind,
        function=function,
        replaces=0 if kind in (MessageType.UPDATE, MessageType.CANCEL) else None,
        state=_choice(PointState, fields, "state") if kind is MessageType.POINT_STATE else None,
        mark=Mark.EXERCISE if fields.get("exercise") else Mark.NONE,
        category=_choice(CapCategory, fields, "category"),
        urgency=_choice(Urgency, fields, "urgency"),
        severity=_choice(Severity, fields, "severity"),
        certainty=_choice(Certainty, fields, "certainty"),
        sites=_sites(fields.get("sites", "")),
        expires_min=_expires_min(fields.get("expires_h", "")),
        headline=headline,
        phrases=phraseform.phrases_in(fields, function),
        text=text,
    )


def _kind(fields: dict[str, str], about: Told | None) -> MessageType:
    if fields.get("kind") == "opdracht":
        return MessageType.POINT_STATE
    if about is None:
        return MessageType.ALERT
    return MessageType.CANCEL if fields.get("kind") == "intrekken" else MessageType.UPDATE


def _choice(choices: Any, fields: dict[str, str], name: str) -> Any:  # noqa: ANN401  one of the enums above
    found = choices.__members__.get(fields.get(name, ""))
    if found is None:
        raise FormProblem(gettext("Choose from each list."))
    return found


def _sites(typed: str) -> tuple[int, ...]:
    parts = typed.replace(",", " ").split()
    if not all(part.isdecimal() and len(part) <= len("65535") for part in parts):
        raise FormProblem(gettext("Write the points' numbers with spaces between them, or nothing for all."))
    return tuple(dict.fromkeys(int(part) for part in parts))


def _expires_min(typed: str) -> int:
    if not typed.isdecimal() or int(typed[:6]) * 60 > EXPIRES_MIN_MAX:
        raise FormProblem(
            gettext("Write after how many hours it ends: 0 to %(most)s; 0 is never.", most=EXPIRES_MIN_MAX // 60)
        )
    return int(typed) * 60


# --- what is shown ----------------------------------------------------------------------------------------------


def airtime_s(announcement: Announcement) -> float:
    """Return how many seconds it is on the air of one radio, sent once, with the preset of this site's config."""
    sizes = frame_sizes(len(pack_announcement(announcement)))
    return sum(time_on_air_ms(config().radio.preset, private_app_lora_bytes(size)) for size in sizes) / 1000


def said_in(phrases: tuple[Phrase, ...]) -> dict[str, str]:
    """Return the sentences in each language of the screens."""
    return {language: render_all(phrases, language) for language in LANGUAGES}


def _preview(announcement: Announcement, fields: dict[str, str], about: Told | None, token: str) -> str:
    return render_template(
        "desk/announcement_preview.html",
        announcement=announcement,
        said=said_in(announcement.phrases),
        airtime_s=airtime_s(announcement),
        packets=len(frame_sizes(len(pack_announcement(announcement)))),
        fields={name: value for name, value in fields.items() if name not in ("token", "step", "over")},
        about=about,
        words=newswords,
        token=token,
    )


def _refused(fields: dict[str, str], about: Told | None, problem: str) -> Response:
    return make_response(_form(fields, about, problem), HTTPStatus.CONFLICT)


def _form(fields: dict[str, str], about: Told | None, problem: str) -> str:
    return render_template(
        "desk/announcement_form.html",
        fields=fields,
        about=about,
        problem=problem,
        words=newswords,
        functions=function_choices(),
        sentences=SENTENCES["nl"],
        entries=phraseform.offered(),
        field_name=phraseform.field_name,
        points=config().point[:POINTS_SHOWN_MAX],
    )
