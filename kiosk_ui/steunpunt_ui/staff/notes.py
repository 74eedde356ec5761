"""Staff look at the notes of neighbours: put one on the board, or take it away."""

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from steunpunt_ui.ages import ago
from steunpunt_ui.citizen.neighbours import note_kinds
from steunpunt_ui.citizen.swapboard import SwapBoard, swapboard

_DIGITS_MAX = 9


def show() -> Response | str:
    """Show what waits and what is on the board, or do what was chosen for one note."""
    board = swapboard() or SwapBoard()
    if request.method != "POST":
        waiting, shown = board.waiting(), board.shown()
        return render_template("staff/notes.html", waiting=waiting, shown=shown, kinds=note_kinds(), ago=ago)
    typed = request.form.get("note", "")
    if typed.isascii() and typed.isdecimal() and len(typed) <= _DIGITS_MAX:
        act = board.show if request.form.get("do") == "show" else board.remove
        act(int(typed))
    return redirect(url_for("staff.notes"), 303)
