"""One page of the form on which more is told: of a request that is not sent yet, or of one that is kept already."""

from dataclasses import dataclass, field

from flask import render_template
from flask_babel import gettext

from steunpunt.model import TEXT_CHARS_MAX
from steunpunt_ui.citizen.home import grave_banner
from steunpunt_ui.citizen.pointstate import form_mark
from steunpunt_ui.citizen.steps import CHECK, MEND, road, shown
from steunpunt_ui.citizen.wish import Wish
from steunpunt_ui.citizen.wishwords import check_lines, danger_words, need_words, postcode_doubt, stay_words


@dataclass(frozen=True, slots=True)
class StepPage:
    """A page of the form, with all that was filled in so far."""

    page: str
    action: str
    """Address to which it is sent."""
    token: str
    wish: Wish
    problems: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    """The kind of help in words; "" where it is not said, or kept private."""
    number: str = ""
    """Of the request that is kept already; "" when nothing is kept yet."""
    secret: str = ""
    """The code that opens its answers; said where nothing has said it yet."""
    steps: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The question that this page asks."""
        return {
            "what": gettext("What is going on?"),
            "where": gettext("Where is help needed?"),
            "address": gettext("Where is help needed?"),
            "people": gettext("How many people need help?"),
            "needs": gettext("Does someone need this?"),
            "words": gettext("Do you want to say more?"),
            CHECK: gettext("Check what you send"),
            MEND: gettext("Please correct this"),
        }[self.page]

    @property
    def place(self) -> str:
        """How far this is on the way, such as ``2/4``; "" where that makes no sense."""
        pages = road(self.steps, self.wish)
        return f"{pages.index(self.page) + 1}/{len(pages)}" if self.page in pages else ""


def show_step(step: StepPage) -> str:
    """Render a page of the form."""
    names = shown(step.page, step.problems)
    return render_template(
        "citizen/step.html",
        step=step,
        wish=step.wish,
        problems={name: line for name, line in step.problems.items() if name in names},
        shown=names,
        hidden=step.wish.hidden(names),
        lines=check_lines(step.wish, step.kind) if step.page == CHECK else [],
        doubt=postcode_doubt(step.wish) if step.page == CHECK else "",
        dangers=danger_words() if "what" in names else {},
        needs=need_words() if "needs" in names else {},
        stays=stay_words() if "stay" in names else {},
        banner=grave_banner(),
        meant=form_mark().name.lower(),
        text_chars_max=TEXT_CHARS_MAX,
    )
