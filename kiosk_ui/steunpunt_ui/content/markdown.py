"""Makes a page of Markdown: the part of CommonMark that everybody knows, without HTML.

Headings (``##``, ``###``), lists, **bold**, *italics*, quotations, a rule, links to other pages and pictures of this
folder. In any words ``{name}`` is replaced by what the config says, ``{?words}`` is a blank for the municipality to
fill in, and ``{name?words}`` is the one, or else the other.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from steunpunt_ui.content import ContentError

PICTURE_PATH: Final = "beeld"
"""Where the pictures are, as seen from a page's address."""
_RULES = (
    *("heading", "list", "blockquote", "hr"),
    *("newline", "escape", "emphasis", "link", "image"),
)
_LINK = re.compile(r"([a-z0-9][a-z0-9-]*)\.md")
_PICTURE = re.compile(r"\.\./images/([a-z0-9][a-z0-9-]*\.(?:png|jpg|webp))")
_BRACED = re.compile(r"\{([^{}]*)\}")
_BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Body:
    """A page's words, ready to show, and what they lean on; each with its line."""

    lead: Markup
    """What stands before the first heading: what to do first."""
    html: Markup
    """The rest."""
    links: tuple[tuple[str, int], ...]
    """The pages that it links to."""
    pictures: tuple[tuple[str, int], ...]
    blanks: tuple[tuple[str, int], ...]
    """What the municipality still has to fill in."""
    parts: tuple[tuple[str, str], ...]
    """The headings, each with the anchor that leads to it."""


def render(lines: Sequence[str], first: int, words: Mapping[str, str]) -> Body:
    """Return the page that the lines make; ``first`` is the number of the first one in its file.

    ``words`` are the names that may stand in braces, with what the config says; "" when it says nothing.
    Raises ContentError with the line and the mend.
    """
    reader = _Reader("zero").enable(list(_RULES))
    reader.add_render_rule(_BLANK, _draw_blank)
    env: EnvType = {}
    tokens = reader.parse("\n".join(lines), env)
    found = _Found(words)
    for token in tokens:
        found.look(token, first + (token.map[0] if token.map else 0))
    if not tokens:
        raise ContentError(first, "the page has no words; write what to do first")
    parts = tuple(_name_parts(tokens))
    first_head = next((at for at, token in enumerate(tokens) if token.type == "heading_open"), len(tokens))
    lead, rest = (
        Markup(reader.renderer.render(some, reader.options, env))  # noqa: S704  every text in it is escaped
        for some in (tokens[:first_head], tokens[first_head:])
    )
    return Body(lead, rest, tuple(found.links), tuple(found.pictures), tuple(found.blanks), parts)


def _name_parts(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Give each heading an anchor; return them with the heading's words."""
    heads = [at for at, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    for number, at in enumerate(heads, 1):
        anchor = f"deel-{number}"
        tokens[at].attrs["id"] = anchor
        yield anchor, "".join(child.content for child in tokens[at + 1].children or [])


class _Reader(MarkdownIt):
    """Takes every link as one: what leads elsewhere is refused with a mend, instead of left there as text."""

    def validateLink(self, _url: str) -> bool:  # noqa: N802  markdown-it's own name
        """Say yes."""
        return True


class _Found:
    """Checks the tokens of a page, fills in its braces, and notes what it leans on."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = words
        self.links: list[tuple[str, int]] = []
        self.pictures: list[tuple[str, int]] = []
        self.blanks: list[tuple[str, int]] = []

    def look(self, token: Token, line: int) -> None:
        """Check one block of the page."""
        if token.type == "heading_open" and token.tag not in ("h2", "h3"):
            raise ContentError(line, "a heading here has two or three signs; write ## and the words")
        if token.type == "inline":
            token.children = list(self._line_by_line(token.children or [], line))

    def _line_by_line(self, children: list[Token], line: int) -> Iterator[Token]:
        for child in children:
            if child.type == "softbreak":
                line += 1
            elif child.type == "link_open":
                self._link(child, line)
            elif child.type == "image":
                self._picture(child, line)
            if child.type == "text":
                yield from self._fill(child, line)
            else:
                yield child

    def _link(self, token: Token, line: int) -> None:
        target = str(token.attrs["href"])
        page = _LINK.fullmatch(target)
        if page is None:
            mend = "a link leads to a page of the same folder, such as [water](water.md); there is no internet"
            raise ContentError(line, f"the link to {target} leads elsewhere; {mend}")
        token.attrs["href"] = page[1]
        self.links.append((page[1], line))

    def _picture(self, token: Token, line: int) -> None:
        target = str(token.attrs["src"])
        picture = _PICTURE.fullmatch(target)
        if picture is None:
            mend = "write such as ![a full bucket](../images/bucket.png): png, jpg or webp, of a-z, 0-9 and -"
            raise ContentError(line, f"the picture {target} is not one of the folder images; {mend}")
        if not token.content.strip():
            raise ContentError(line, f"the picture {target} has no words; say in [ ] what is to be seen")
        token.attrs["src"] = f"{PICTURE_PATH}/{picture[1]}"
        token.attrs["loading"] = "lazy"
        self.pictures.append((picture[1], line))

    def _fill(self, token: Token, line: int) -> Iterator[Token]:
        """Give a text in parts: what stands there, what the config says, and blanks."""
        at = 0
        for braced in _BRACED.finditer(token.content):
            yield _text(token.content[at : braced.start()])
            yield self._braced(braced[1], line)
            at = braced.end()
        yield _text(token.content[at:])

    def _braced(self, inside: str, line: int) -> Token:
        name, asks, blank = inside.partition("?")
        name, blank = name.strip(), blank.strip()
        if name and name not in self._words:
            mend = f"known are {', '.join(sorted(self._words))}; a blank is {{?what belongs here}}"
            raise ContentError(line, f"nothing is called {{{name}}}; {mend}")
        if asks and not blank:
            raise ContentError(line, "a blank has no words; write what belongs here after the question mark")
        if not name and not asks:
            raise ContentError(line, "there is nothing in the braces; write a name or {?what belongs here}")
        said = self._words.get(name, "")
        if said:
            return _text(said)
        if not blank:
            raise ContentError(line, f"{{{name}}} is not in the config; write {{{name}?what belongs here}}")
        self.blanks.append((blank, line))
        return Token(_BLANK, "", 0, content=blank)


def _text(words: str) -> Token:
    return Token("text", "", 0, content=words)


def _draw_blank(_renderer: RendererHTML, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType) -> Any:  # noqa: ANN401  markdown-it's own
    return f'<span class="blank">…\u00a0{escape(tokens[at].content)}</span>'
