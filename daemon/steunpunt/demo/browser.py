"""A browser without JavaScript: gets pages, follows links, fills in forms. It knows only what a page shows."""

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin, urlsplit

from steunpunt.demo.processes import DemoError

ANSWER_S_MAX = 15.0
PAGE_BYTES_MAX = 1024 * 1024
_VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "path", "circle"})


class PageError(DemoError):
    """A page did not come, or does not have what was looked for."""


@dataclass(slots=True)
class Form:
    """One form: where it goes, what it holds, and its buttons by their words."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    """Words on the button, its name and value."""


@dataclass(slots=True)
class Page:
    """What a page shows. ``texts``: the words of the elements of each kind (``h1``, ``blockquote``), in order."""

    url: str
    status: int
    texts: dict[str, list[str]] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    """The same by class."""
    links: list[tuple[str, str]] = field(default_factory=list)
    """Words and address."""
    forms: list[Form] = field(default_factory=list)

    def facts(self) -> dict[str, str]:
        """Return the terms of definition lists with what stands beside them."""
        return dict(zip(self.texts.get("dt", []), self.texts.get("dd", []), strict=False))

    def form_with(self, button: str, **holds: str) -> tuple[Form, str, str]:
        """Return the form with a button whose words begin so and these fields; also the button's name and value."""
        for form in self.forms:
            for words, name, value in form.buttons:
                if words.startswith(button) and holds.items() <= form.fields.items():
                    return form, name, value
        raise PageError(f"{self.url} (status {self.status}) has no button {button!r}; its titles: {self.titles()}")

    def titles(self) -> list[str]:
        """Return the headings of first rank."""
        return self.texts.get("h1", [])


class Browser:
    """One person's browser, with cookies of its own."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def get(self, url: str) -> Page:
        """Return the page at an address, also one that says that something is wrong."""
        return self._open(urllib.request.Request(url))  # noqa: S310  addresses of the demo's own servers

    def follow(self, page: Page, words: str) -> Page:
        """Follow the first link whose words begin so."""
        for text, address in page.links:
            if text.startswith(words):
                return self.get(urljoin(page.url, address))
        raise PageError(f"{page.url} (status {page.status}) has no link {words!r}; its titles: {page.titles()}")

    def send(self, page: Page, button: str, holds: dict[str, str] | None = None, **typed: str) -> Page:
        """Fill in the form with this button (and, if named, these fields) and press it."""
        form, name, value = page.form_with(button, **(holds or {}))
        unknown = typed.keys() - form.fields.keys()
        if unknown:
            raise PageError(f"{page.url}: the form with {button!r} has no field {', '.join(sorted(unknown))}")
        data = form.fields | typed | ({name: value} if name else {})
        # Browsers send the end of a line in a text as CR LF, and tell where a form comes from.
        body = urlencode({key: text.replace("\n", "\r\n") for key, text in data.items()}).encode()
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
        request = urllib.request.Request(  # noqa: S310  addresses of the demo's own servers
            urljoin(page.url, form.action), data=body, headers={"Origin": origin}, method=form.method.upper()
        )
        return self._open(request)

    def _open(self, request: urllib.request.Request) -> Page:
        try:
            with self._opener.open(request, timeout=ANSWER_S_MAX) as reply:
                return _page(reply.url, reply.status, reply.read(PAGE_BYTES_MAX))
        except urllib.error.HTTPError as error:
            with error:
                return _page(error.url, error.code, error.read(PAGE_BYTES_MAX))
        except (OSError, http.client.HTTPException) as error:
            raise PageError(f"{request.full_url} gives no page ({error})") from error


def _page(url: str, status: int, body: bytes) -> Page:
    reader = _Reader(Page(url, status))
    reader.feed(body.decode("utf-8", errors="replace"))
    reader.close()
    return reader.page


@dataclass(slots=True)
class _Open:
    """An element that has begun."""

    tag: str
    attributes: dict[str, str]
    words: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return its words: as they are where lines count, else with single spaces."""
        text = "".join(self.words)
        if self.tag in {"textarea", "blockquote"}:
            return text.removeprefix("\n")
        return " ".join(text.split())


class _Reader(HTMLParser):
    """Reads a page into :class:`Page`."""

    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.page = page
        self._open: list[_Open] = []
        self._form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(attributes.get("action", ""), attributes.get("method", "get"))
            self.page.forms.append(self._form)
        elif tag == "input":
            self._input(attributes)
        if tag not in _VOID:
            self._open.append(_Open(tag, attributes))

    def handle_endtag(self, tag: str) -> None:
        if not any(element.tag == tag for element in self._open):
            return
        while True:
            element = self._open.pop()
            self._ended(element)
            if element.tag == tag:
                return

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.words.append(data)

    def _ended(self, element: _Open) -> None:
        text, attributes = element.text(), element.attributes
        if any("hidden" in outer.attributes for outer in (element, *self._open)):
            return
        self.page.texts.setdefault(element.tag, []).append(text)
        for name in attributes.get("class", "").split():
            self.page.classes.setdefault(name, []).append(text)
        if element.tag == "a" and "href" in attributes:
            self.page.links.append((text, attributes["href"]))
        elif element.tag == "form":
            self._form = None
        elif self._form is not None:
            self._field(self._form, element, text)

    def _field(self, form: Form, element: _Open, text: str) -> None:
        name, value = element.attributes.get("name", ""), element.attributes.get("value", "")
        if element.tag == "button":
            form.buttons.append((text, name, value))
        elif element.tag == "textarea":
            form.fields[name] = text
        elif element.tag == "option":
            select = next((outer.attributes.get("name", "") for outer in self._open if outer.tag == "select"), "")
            if select and (select not in form.fields or "selected" in element.attributes):
                form.fields[select] = value or text

    def _input(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "text")
        if self._form is None or not attributes.get("name"):
            return
        if kind not in {"radio", "checkbox"} or "checked" in attributes:
            self._form.fields[attributes["name"]] = attributes.get("value", "")
