"""Neighbours who offer help: a list of its own beside the cases, by what they can do."""

from flask import render_template, request, url_for

from steunpunt.model import Category, Skill
from steunpunt_ui.desk.cases import list_words
from steunpunt_ui.desk.opening import desk
from steunpunt_ui.skillwords import skill_choices


def show() -> str:
    """Show the offers, all or those of one skill."""
    skill = _asked()
    poll = url_for("desk.offers_part", kunde=skill.name if skill else None)
    return render_template("desk/offers.html", poll=poll, skills=skill_choices(), chosen=skill, **_offers(skill))


def show_part() -> str:
    """Return the list alone, to put in the place of the one on screen."""
    return render_template("desk/cases.html", **_offers(_asked()))


def _asked() -> Skill | None:
    return Skill.__members__.get(request.args.get("kunde", ""))


def _offers(skill: Skill | None) -> dict[str, object]:
    offers = [case for case in desk().cases() if case.category is Category.OFFER]
    return list_words([case for case in offers if skill is None or case.skill is skill]) | {"of_offers": True}
