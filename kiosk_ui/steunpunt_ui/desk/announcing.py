"""Announcements at the desk: the list, composing with a look beforehand, changing, withdrawing, commands to points."""

from http import HTTPStatus

from flask import abort, make_response, redirect, render_template, request, url_for
from flask_babel import format_decimal
from werkzeug.wrappers import Response

from steunpunt.facts import Mark
from steunpunt.ledger.deskact import CaseGone, NotAllowed
from steunpunt.ledger.newsdesk import Told
from steunpunt.protocol.airtime import private_app_lora_bytes, time_on_air_ms
from steunpunt.protocol.announcements import Announcement, pack_announcement
from steunpunt.protocol.news import frame_sizes
from steunpunt.protocol.phrasebook import render_all
from steunpunt.protocol.phrases import Kind
from steunpunt_ui.ages import ago
from steunpunt_ui.context import config
from steunpunt_ui.desk import exercise, newswords, sentences
from steunpunt_ui.desk.announcementform import SLOTS, FormProblem, Purpose, read_announcement, starting_fields
from steunpunt_ui.desk.login import form_token, person
from steunpunt_ui.desk.opening import news_desk, node_troubles, ring_bell
from steunpunt_ui.desk.words import function_choices, refusal_words
from steunpunt_ui.languages import LANGUAGES

POINTS_SHOWN_MAX = 200
_KINDS = (Kind.ANNOUNCEMENT, Kind.INSTRUCTION)
_NOT_TYPED = ("token", "do", "over")


def show_list() -> str:
    """Show all announcements: what holds first."""
    return render_template(
        "desk/announcements.html",
        told=news_desk().told(),
        words=newswords,
        ago=ago,
        said_in=said_in,
        not_heard=not_heard,
        troubles=node_troubles(),
    )


def compose() -> Response | str:
    """Show the form; with what it says, show how it will look and what it costs; then say it."""
    about = _about()
    if request.method != "POST":
        purpose = Purpose.of(request.args.get("soort", ""))
        return _form(starting_fields(purpose, about, exercise=bool(exercise.running())), about)
    token, fields, do = form_token(), request.form.to_dict(), request.form.get("do")
    if do == "edit":
        return _form(fields, about)
    try:
        announcement = read_announcement(fields, changes=about is not None)
        if do != "send":
            return _preview(announcement, fields, about, token)
        news_desk().say(announcement, person().name, token=token, about=None if about is None else about.id)
    except FormProblem as problem:
        return make_response(_form(fields, about, str(problem)), HTTPStatus.CONFLICT)
    except NotAllowed as refusal:
        return make_response(_form(fields, about, refusal_words(refusal)), HTTPStatus.CONFLICT)
    ring_bell()
    return redirect(url_for("desk.announcements"), 303)


def airtime_s(announcement: Announcement) -> float:
    """Return how many seconds it is on the air of one radio, sent once, with the preset of this site's config."""
    sizes = frame_sizes(len(pack_announcement(announcement)))
    return sum(time_on_air_ms(config().radio.preset, private_app_lora_bytes(size)) for size in sizes) / 1000


def said_in(announcement: Announcement, code: str = "nl") -> list[str]:
    """Return its sentences in a language of the screens."""
    return render_all(announcement.phrases, code).splitlines()


def not_heard(told: Told) -> list[int]:
    """Return the points that it is for and that have not told that they heard it, of those that are listed."""
    meant = told.announcement.sites or tuple(point.id for point in config().point)
    return [site for site in meant if site not in told.heard]


def unknown(sites: tuple[int, ...]) -> tuple[int, ...]:
    """Return the points that are not listed here and were never heard: most likely a number was mistyped."""
    known = {point.id for point in config().point} | {life.site for life in news_desk().points()}
    return tuple(site for site in sites if site not in known)


def _about() -> Told | None:
    number = request.values.get("over", "")
    if not number:
        return None
    if not (number.isascii() and number.isdecimal()) or len(number) >= len(str(2**63)):
        abort(HTTPStatus.NOT_FOUND)
    try:
        return news_desk().find(int(number))
    except CaseGone:
        abort(HTTPStatus.NOT_FOUND)


def _preview(announcement: Announcement, fields: dict[str, str], about: Told | None, token: str) -> str:
    runs, marked = exercise.running(), announcement.mark is Mark.EXERCISE
    return render_template(
        "desk/announcement_preview.html",
        announcement=announcement,
        said_in=said_in,
        languages=LANGUAGES,
        airtime_s=format_decimal(airtime_s(announcement), "0.0"),
        packets=len(frame_sizes(len(pack_announcement(announcement)))),
        fields={name: value for name, value in fields.items() if name not in _NOT_TYPED},
        about=about,
        words=newswords,
        token=token,
        unknown=unknown(announcement.sites),
        names=exercise.names,
        for_real=bool(runs) and not marked and announcement.state is None,
        not_exercising=exercise.outside(announcement, runs) if marked else (),
    )


def _form(fields: dict[str, str], about: Told | None, problem: str = "") -> str:
    return render_template(
        "desk/announcement_form.html",
        fields=fields,
        purpose=Purpose.of(fields.get("purpose", "")),
        about=about,
        problem=problem,
        words=newswords,
        functions=function_choices(),
        slots=sentences.read_slots(SLOTS, fields)[0],
        menu=sentences.menu(_KINDS),
        points=config().point[:POINTS_SHOWN_MAX],
    )
