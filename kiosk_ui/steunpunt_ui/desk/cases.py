"""The list of cases and one case. Looking at them changes nothing."""

import hashlib
import logging
from http import HTTPStatus

from flask import Response, abort, g, make_response, render_template, url_for
from flask_babel import gettext

from steunpunt.facts import Mark
from steunpunt.ledger.desk import Case
from steunpunt.ledger.deskact import CaseGone
from steunpunt.model import TEXT_CHARS_MAX, Category, Lane, SteunpuntError, TicketState
from steunpunt_ui.ages import ago
from steunpunt_ui.context import config
from steunpunt_ui.desk import composing, factwords, group, sentences, words
from steunpunt_ui.desk.login import person
from steunpunt_ui.desk.opening import desk, node_troubles
from steunpunt_ui.pages import Page

CLOSED_SHOWN_MAX = 50
TESTS_SHOWN_MAX = 20
NEAR_SHOWN_MAX = 30
"""Cases offered to be linked with one; any other number can be typed."""
_log = logging.getLogger(__name__)


def show_list() -> str:
    """Show all cases: open ones by priority and age, then the closed."""
    return render_template("desk/list.html", poll=url_for("desk.list_part"), **_list())


def show_list_part() -> str:
    """Return the list alone, to put in the place of the one on screen."""
    return render_template("desk/cases.html", **_list())


def show_case(case_id: int) -> str:
    """Show one case with all that can be done. This is not taking it up."""
    return case_page(case_id)


def show_case_mark(case_id: int) -> Response:
    """Return a fingerprint of what happened to a case, for polling."""
    return Response(_mark(find_case(case_id)), mimetype="text/plain")


def case_page(
    case_id: int, problem: str = "", typed: dict[str, str] | None = None, shared: group.Shared | None = None
) -> str:
    """Render one case; after a refused act with the reason and what was typed, after an answer with who shared it."""
    case, everything = find_case(case_id), desk().cases()
    offers = group.offered(case, everything, person().name)
    return render_template(
        "desk/case.html",
        case=case,
        problem=problem,
        typed=typed or {},
        words=words,
        facts=factwords,
        sentences=sentences,
        answer=composing.compose(typed) if typed and typed["act"] == "antwoord" else composing.empty(),
        reads=sentences.language_names().get(case.language, case.language),
        preset=config().radio.preset,
        ago=ago,
        closed=case.state is TicketState.CLOSED,
        linked=_linked(case, everything),
        near=_near(case, everything),
        group=offers,
        ticked=group.ticked(offers, typed or {}),
        shared=shared,
        mark=_mark(case),
        troubles=node_troubles(),
        here=url_for("desk.case", case_id=case_id),
        poll=url_for("desk.case_mark", case_id=case_id),
        answer_chars_max=TEXT_CHARS_MAX,
    )


def _linked(case: Case, everything: list[Case]) -> list[tuple[str, Case | None]]:
    """Return the cases that belong with one, by number; None for one that is no longer here."""
    known = {other.number: other for other in everything}
    return [(number, known.get(number)) for number in case.linked]


def _near(case: Case, everything: list[Case]) -> list[Case]:
    """Return the cases that one may belong with: open ones, those of the same point first."""
    others = [
        other
        for other in everything
        if other.state is not TicketState.CLOSED and other.id != case.id and other.number not in case.linked
    ]
    return sorted(others, key=lambda other: (other.site != case.site, other.age_s))[:NEAR_SHOWN_MAX]


def find_case(case_id: int) -> Case:
    """Return a case; shows "no such page" when there is none."""
    try:
        return desk().case(case_id)
    except CaseGone:
        abort(404)


def show_ledger_away(error: SteunpuntError) -> Response:
    """Say that the ledger cannot be used now, and try again by itself."""
    _log.error("%s", error)
    g.refresh = True
    page = Page(
        gettext("The ledger can't be used now."),
        gettext("Nothing is lost by that. This page tries again by itself."),
        gettext("Still here after a minute? Look whether steunpunt-node runs, and in the log of steunpunt-web."),
    )
    return make_response(render_template("desk/message.html", page=page), HTTPStatus.SERVICE_UNAVAILABLE)


def _list() -> dict[str, object]:
    everything = [case for case in desk().cases() if case.category is not Category.OFFER]  # they have their own list
    return list_words(everything)


def list_words(everything: list[Case]) -> dict[str, object]:
    """Return what a list of these cases shows: the open ones, and the closed below them."""
    # A closed case about which the citizen wrote again asks for a person's eyes like an open one.
    closed = [case for case in everything if case.state is TicketState.CLOSED and not case.unread_supplements]
    tests = [case for case in everything if is_test(case) and case not in closed]
    return {
        "open_cases": [case for case in everything if case not in closed and case not in tests],
        "test_cases": tests[:TESTS_SHOWN_MAX],
        "closed_cases": closed[:CLOSED_SHOWN_MAX],
        "troubles": node_troubles(),
        "words": words,
        "facts": factwords,
        "ago": ago,
        "answered_state": TicketState.ANSWERED,
        "keeps_days": config().retention.closed_days,
    }


def is_test(case: Case) -> bool:
    """Whether a case is a technician's test and nobody's need: apart from the others, in no count and no alarm.

    What says that a life is in danger, or was added to, is never put apart, whatever its mark.
    """
    plain = case.lane is Lane.OTHER and not case.life_threat and not case.unread_supplements and not case.text
    return case.facts.mark is Mark.TEST and plain


def _mark(case: Case) -> str:
    shown = repr((case.state, case.seen_by, case.presses, [(event.kind, event.by) for event in case.events]))
    shown += repr([(event.text, event.delivered, event.code, event.facts, event.phrases) for event in case.events])
    return hashlib.sha256(shown.encode()).hexdigest()[:16]
