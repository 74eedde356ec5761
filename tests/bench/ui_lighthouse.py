"""Lighthouse's accessibility score of every page, by day and by night; npm brings Lighthouse into .cache."""

import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import WSGIRequestHandler, make_server

from steunpunt_ui.languages import DEFAULT_LANGUAGE, LANGUAGES
from tests.bench.ui_verdict import Verdict
from tests.fakes.page_walk import FoundPage, citizen_site, each_shape, every_page, staff_pages

VERSION = "12.8.2"
"""The last that runs on the Node.js of Debian's neighbourhood, 18 and newer."""
SCRIPT = Path(__file__).with_name("lighthouse_pages.mjs")
INSTALL_S_MAX, PAGE_S_MAX = 600, 120
THEMES = ("light", "dark")


class _Quiet(WSGIRequestHandler):
    """Leaves the terminal to the figures."""

    def log_request(self, *_: object) -> None:
        """Say nothing of each request."""


def measure(folder: Path, cache: Path, languages: list[str] | None, tell: Callable[[str], None]) -> list[Verdict]:
    """Score one page of each shape in each language and theme; without npm say so, and count it as missed."""
    home = cache / f"lighthouse-{VERSION}"
    if problem := _install(home):
        return [Verdict("Lighthouse accessibility", "not measured", [problem])]
    worst, misses, looks = 1.0, list[str](), 0
    place = folder / "lighthouse"
    place.mkdir()
    with citizen_site(place) as (node, web):
        for language in languages or LANGUAGES:
            pages = each_shape(every_page(node, web, language))
            if language == DEFAULT_LANGUAGE:
                pages += each_shape(staff_pages(node, web))
            with _served(pages, web) as address:
                for theme in THEMES:
                    for page, told in zip(pages, _scores(home, theme, address, len(pages)), strict=True):
                        looks += 1
                        worst = min(worst, told["score"])
                        if told["failed"]:
                            misses.append(f"{language} {theme} {page.name}: {', '.join(told['failed'])}")
            tell(f"Lighthouse, {language}: {looks} looks, {len(misses)} with findings so far")
    return [Verdict(f"Lighthouse {VERSION} accessibility, {looks} looks", f"lowest score {worst * 100:.0f}", misses)]


def _install(home: Path) -> str:
    """Install Lighthouse with npm; return what is in the way, or ""."""
    if (home / "node_modules" / "lighthouse").is_dir():
        return ""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return "there is no npm here; type: sudo apt-get install npm"
    home.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", str(home)]
    done = subprocess.run(
        [*command, f"lighthouse@{VERSION}"], capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False
    )
    return "" if done.returncode == 0 else f"npm could not install it: {done.stderr.strip().splitlines()[-1:]}"


def _scores(home: Path, theme: str, address: str, count: int) -> Iterator[dict[str, Any]]:
    asked = "".join(f"{address}/{at}\n" for at in range(count))
    done = subprocess.run(
        [shutil.which("node") or "node", str(SCRIPT), str(home), theme],
        input=asked,
        capture_output=True,
        text=True,
        timeout=PAGE_S_MAX * count,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Lighthouse ended: {done.stderr[-2000:]}")
    return map(json.loads, done.stdout.splitlines())


@contextmanager
def _served(pages: list[FoundPage], web: FlaskClient) -> Iterator[str]:
    """Serve the pages as they were found, each under its place in the list.

    In threads: a browser opens connections ahead of need, and one thread would wait for words on an idle one.
    """
    app = Flask("shown", static_folder=None)
    app.add_url_rule("/shown/<int:at>", "shown", lambda at: pages[at].html)
    one_at_a_time = threading.Lock()
    app.add_url_rule("/<path:rest>", "rest", lambda rest: _passed_on(web, rest, one_at_a_time))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/shown"
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


def _passed_on(web: FlaskClient, rest: str, one_at_a_time: threading.Lock) -> tuple[bytes, int, dict[str, str]]:
    with one_at_a_time, web.get(f"/{rest}") as reply:
        return reply.data, reply.status_code, {"Content-Type": reply.headers["Content-Type"]}
