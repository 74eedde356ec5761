"""A running node and its screens under load: forms over the control socket, and the kiosk's first page."""

import contextlib
import itertools
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from steunpunt.control import Client
from steunpunt.demo.ports import free_port
from steunpunt.demo.region import Region, Site
from steunpunt.engine.accepting import STOCK_MAX
from tests.bench.accepting import SUSTAINED, raw_commits
from tests.bench.figures import Figure
from tests.bench.processes import KIOSK, has_radio, node_command, page_shown, run, until, web_command
from tests.bench.texts import varied
from tests.bench.watching import cpu_s

CLIENTS = 8
READERS = 4
PAGES = 800
WARM_PAGES = 50
QUIET_S, QUIET_CPU_S, QUIET_TRIES_MAX = 0.5, 0.02, 120
BARE_PAGE = Path(__file__).with_name("bare_page.py")


def measure(region: Region, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure with everything of the region running beside it: radios, brokers, the coordinator."""
    site = region.sites[KIOSK]
    with _node(site) as (node_pid, web_pid), _bare(site) as (bare_port, _):
        pages = _pages(site.web_port, bare_port, rounds, lambda: _wait_for_quiet([node_pid, web_pid]))
        tell(f"pages: {rounds} rounds done")
        asked = _asked(region, site, rounds, lambda: _wait_for_quiet([node_pid]))
        tell(f"control socket: {rounds} rounds done")
    return [*asked, *pages]


@contextlib.contextmanager
def _node(site: Site) -> Iterator[tuple[int, int]]:
    with run(node_command(site), site, "node") as node:
        until(lambda: has_radio(site), node)
        with run(web_command(site), site, "web") as web:
            until(lambda: page_shown(site.web_port, "/nl/"), web)
            yield node.pid, web.pid


@contextlib.contextmanager
def _bare(site: Site) -> Iterator[tuple[int, int]]:
    """Serve the bare page; gives its port and its process."""
    port = free_port()
    with run([sys.executable, str(BARE_PAGE), str(port)], site, "bare") as bare:
        until(lambda: page_shown(port, "/"), bare)
        yield port, bare.pid


def _asked(region: Region, site: Site, rounds: int, settle: Callable[[], None]) -> list[Figure]:
    """Ask with eight clients at once, form token and all: what the stock covers, and then on."""
    short: list[float] = []
    long: list[float] = []
    raw: list[float] = []
    for _ in range(rounds):
        settle()
        raw.append(raw_commits(region.folder / "raw.db"))
        short.append(_ask(site, STOCK_MAX // CLIENTS))
        long.append(_ask(site, SUSTAINED // CLIENTS))
    return [
        Figure(f"socket, {CLIENTS} clients: {STOCK_MAX} at once / raw commits", short, raw, "/s"),
        Figure(f"socket, {CLIENTS} clients: {SUSTAINED} more / raw commits", long, raw, "/s"),
    ]


def _ask(site: Site, each: int) -> float:
    """Return accepted requests per second."""

    texts = varied()
    given = [list(itertools.islice(texts, each)) for _ in range(CLIENTS)]

    def ask() -> None:
        client = Client(site.folder / "node.sock")
        for text in given.pop():
            token = client.call("form_token")["token"]
            client.call("submit", token=token, category="MEDICAL", text=text, people=1, life_threat=False, callback="")
        client.close()

    return CLIENTS * each / _together(ask, CLIENTS)


def _pages(port: int, bare_port: int, rounds: int, settle: Callable[[], None]) -> list[Figure]:
    ours: list[float] = []
    bare: list[float] = []
    _read(port, "/nl/", WARM_PAGES)
    _read(bare_port, "/", WARM_PAGES)
    sides = [(ours, port, "/nl/"), (bare, bare_port, "/")]
    for number in range(rounds):
        settle()
        for found, where, path in sides if number % 2 == 0 else reversed(sides):
            found.append(_read(where, path, PAGES))
    return [Figure("kiosk's first page / bare Flask + waitress page", ours, bare, "pages/s")]


def _read(port: int, path: str, pages: int) -> float:
    """Return pages per second, read over a few connections that stay open."""

    def read() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as lines:
            for _ in range(pages // READERS):
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
                if b" 200 " not in lines.readline():
                    raise RuntimeError(f"{path} is not shown")
                lines.read(_length(lines))

    return pages / _together(read, READERS)


def _length(lines: Iterable[bytes]) -> int:
    """Read the head of an answer to its end; return the length of its body."""
    length = 0
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if line == b"\r\n":
            break
    return length


def _together(work: Callable[[], None], count: int) -> float:
    """Do ``work`` on several threads at once; return the seconds until the last has done it."""
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001  raised again below
            failed.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - began
    if failed:
        raise failed[0]
    return spent


def _wait_for_quiet(pids: list[int]) -> None:
    """Wait until the processes have done what is left: the queue sent, the stock full."""
    for _ in range(QUIET_TRIES_MAX):
        before = sum(map(cpu_s, pids))
        time.sleep(QUIET_S)
        if sum(map(cpu_s, pids)) - before < QUIET_CPU_S:
            return
    raise RuntimeError(f"the node does not come to rest in {QUIET_S * QUIET_TRIES_MAX:g} s")
