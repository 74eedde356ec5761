"""The page itself: asks the node, and shows what the doctor makes of it. Without a node it says so."""

import json
from dataclasses import dataclass

from flask import make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from steunpunt.control import Body, ControlError, Refused
from steunpunt.doctor import live
from steunpunt.doctor.findings import Finding, On, Verdict
from steunpunt.model import Role
from steunpunt_ui.ages import ago
from steunpunt_ui.context import client, config
from steunpunt_ui.technician import dutch, plots

SEARCH_CHARACTERS_MAX = 60
UNTOUCHED_S_MAX = 300
"""At a point's own screen the page leaves by itself, as staff's pages do."""
WARNED_S = 60
"""How long before that it asks."""
LEVELS = {"alles": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "letop": ("WARNING", "ERROR", "CRITICAL"),
          "fout": ("ERROR", "CRITICAL")}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A finding in Dutch."""

    part: str
    verdict: Verdict
    what: str
    mend: str
    where: str


def show() -> str:
    """Show everything."""
    return _page("")


def send_test() -> Response:
    """Send a test request; its state is on the page that follows."""
    try:
        client().call("test_request")
    except Refused as refusal:
        if refusal.code != "test_under_way":
            return make_response(_page(gettext("The test was not sent: %(reason)s", reason=str(refusal))), 503)
    except ControlError:
        return make_response(_page(gettext("The node does not answer: nothing was sent.")), 503)
    return redirect(url_for(f"{request.blueprint}.technician") + "#test", 303)


def show_ready() -> str:
    """Show whether this point is ready for a crisis."""
    return _ready_page("")


def confirm_key_holder() -> Response:
    """Note that somebody rang the key holder."""
    try:
        client().call("confirm_key_holder")
    except (ControlError, Refused):
        return make_response(_ready_page(gettext("The node does not answer: nothing was kept.")), 503)
    return redirect(url_for(f"{request.blueprint}.technician_ready"), 303)


def _ready_page(problem: str) -> str:
    # The information pages are read for it: the other pages of a technician need not.
    from steunpunt.doctor import readiness  # noqa: PLC0415

    status, _, silence = _asked()
    rows = [_row(one) for one in (silence if status is None else readiness.examine(config(), status))]
    return render_template("technician/ready.html", problem=problem, status=status, **_frame(rows))


def _frame(rows: list[Row]) -> dict[str, object]:
    """Return what both pages show around their findings."""
    at_desk = config().site.role is Role.COORDINATOR
    return {
        "rows": sorted(rows, key=lambda row: list(Verdict).index(row.verdict), reverse=True),
        "fails": sum(row.verdict is Verdict.FAIL for row in rows),
        "warns": sum(row.verdict is Verdict.WARN for row in rows),
        "home": f"{request.blueprint}.{'list' if at_desk else 'menu'}",
        "leave": "" if at_desk else url_for("staff.leave"),
        "leave_s": UNTOUCHED_S_MAX,
        "warning_s": UNTOUCHED_S_MAX - WARNED_S,
    }


def _page(problem: str) -> str:
    status, history, silence = _asked()
    findings = silence if status is None else [On("node", "").passes("node.answers"), *live.examine(config(), status)]
    rows = [_row(finding) for finding in findings]
    trend, lines = history.get("trend", []), history.get("log", [])
    return render_template(
        "technician/page.html",
        problem=problem,
        status=status,
        version=history.get("version", ""),
        test=None if status is None else status.get("test"),
        **_frame(rows),
        can_test=status is not None and config().site.role is Role.KIOSK,
        plots=plots.plots_of(config(), trend),
        points=plots.rows_of(trend),
        json=json,
        log=_filtered(lines),
        log_count=len(lines),
        level=_level(),
        search=_search(),
        ago=ago,
        decimal=dutch.decimal,
        roads=dutch.ROADS,
    )


def _asked() -> tuple[Body | None, Body, list[Finding]]:
    """Return the node's status and history; without a status, the finding that says why."""
    on = On("node", config().control.socket)
    try:
        return client().call("status"), client().call("technician"), []
    except Refused as refusal:
        return None, {}, [on.fails("node.silent", reason=str(refusal))]
    except ControlError as error:
        forbidden = isinstance(error.__cause__, PermissionError)
        return None, {}, [on.fails("node.forbidden" if forbidden else "node.dead")]


def _row(finding: Finding) -> Row:
    what, mend = dutch.words_of(finding.code, finding.values, ago)
    return Row(
        dutch.part_words(finding.part),
        finding.verdict,
        what,
        mend,
        "" if finding.where.startswith("the ") else finding.where,
    )


def _level() -> str:
    level = request.args.get("niveau", "")
    return level if level in LEVELS else "alles"


def _search() -> str:
    return request.args.get("zoek", "").strip()[:SEARCH_CHARACTERS_MAX]


def _filtered(lines: list[Body]) -> list[Body]:
    """Return the lines that were asked for, the newest first."""
    wanted, sought = LEVELS[_level()], _search().lower()
    return [
        line
        for line in reversed(lines)
        if line["level"] in wanted and (not sought or sought in f"{line['name']} {line['text']}".lower())
    ]
