"""With what a neighbour offers to help, in words: for the neighbour and for the desk."""

from flask_babel import gettext

from steunpunt.model import Skill


def skill_words(skill: Skill) -> str:
    """Return with what a neighbour offers to help."""
    return {
        Skill.OTHER: gettext("something else"),
        Skill.FIRST_AID: gettext("first aid"),
        Skill.MEDICAL: gettext("medical help"),
        Skill.CARE: gettext("care"),
        Skill.TRANSPORT: gettext("transport"),
        Skill.CARRYING: gettext("carrying"),
        Skill.FOOD: gettext("food"),
        Skill.SHELTER: gettext("a place to sleep"),
        Skill.GOODS: gettext("goods"),
        Skill.LANGUAGES: gettext("languages"),
        Skill.CHILDREN: gettext("looking after children"),
        Skill.ANIMALS: gettext("animals"),
        Skill.TECHNICAL: gettext("technical work"),
    }[skill]


def skill_choices() -> dict[Skill, str]:
    """Return what can be offered, "something else" last."""
    order = sorted(Skill, key=lambda skill: (skill is Skill.OTHER, skill))
    return {skill: skill_words(skill) for skill in order}
