"""The help request as a form on paper, A4, in the reader's language: for who waits in a queue, or when nothing works.

It asks what the screens ask, in the same order; staff type it over later with its own age. The page names nobody.
"""

from flask import render_template

from steunpunt_ui.citizen.ask import SLUGS, kind_of


def show() -> str:
    """Show the form, to print or to copy by hand."""
    return render_template("citizen/paper_form.html", kinds=[kind_of(slug).title for slug in SLUGS])
