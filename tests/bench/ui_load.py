"""The kiosk's pages beside a bare one, and while the mesh bursts: what a citizen waits for a page.

A radio hands the node what it heard as fast as the node reads, which no air could: LongFast carries a few packets a
second at most. So this is the burst of a radio that was away and empties its store.
"""

import contextlib
import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from steunpunt.demo.region import Region, Site, mosquitto_path
from tests.bench.bridge_radio import BenchRadio, text_frame
from tests.bench.figures import Figure
from tests.bench.loads import BARE_PAGE, PAGES, WARM_PAGES, _bare, _read, _wait_for_quiet
from tests.bench.processes import KIOSK, has_radio, node_command, page_shown, run, until, web_command
from tests.bench.watching import cpu_s

READS = 400
"""Pages per round and side of the waiting; the 99th of a hundred is then told by four."""
PAUSE_S = 0.02
"""Between two pages: a hall full of people reads fifty a second at most."""
BURST, BURST_EVERY_S = 64, 0.5
"""Frames that come at once, and how often: 128 a second."""
FIRST_PAGE, TICKET_PAGE = "/nl/", "/nl/volgen"
OTHER_PAGES = ("/nl/hulp", "/nl/hulp/medisch", TICKET_PAGE)
OF_BARE_MIN = 0.7


def measure(folder: Path, rounds: int, tell: Callable[[str], None]) -> list[Figure]:
    """Measure with a node, its broker and its web process, on a radio that is ours."""
    assert BARE_PAGE.exists()
    with _kiosk(folder) as (site, radio, pids), _bare(site) as (bare_port, bare_pid):
        ours, bare = _Server(site.web_port, pids[1]), _Server(bare_port, bare_pid)
        pages = _pages(ours, bare, rounds, lambda: _wait_for_quiet(pids))
        tell(f"pages beside a bare page: {rounds} rounds done")
        quiet: list[float] = []
        burst: list[float] = []
        sent = 0
        for _ in range(rounds):
            _wait_for_quiet(pids)
            quiet.append(_p99_ms(site.web_port))
            with _bursting(radio) as frames:
                burst.append(_p99_ms(site.web_port))
            sent += frames[0]
        tell(f"a mesh that bursts: {sent} frames in {rounds} rounds")
    return [*pages, Figure("page, p99: mesh bursts / quiet", burst, quiet, "ms", at_most=2.0)]


@contextlib.contextmanager
def _kiosk(folder: Path) -> Iterator[tuple[Site, BenchRadio, list[int]]]:
    region = Region(folder)
    region.prepare()
    site = region.sites[KIOSK]
    radio = BenchRadio("127.0.0.1", site.radio_port)
    radio.appear()
    try:
        conf = site.folder / "mosquitto" / "mosquitto.conf"
        region.start_part(KIOSK, "broker", [mosquitto_path(), "-c", str(conf)])
        with run(node_command(site), site, "node") as node:
            until(lambda: has_radio(site), node)
            with run(web_command(site), site, "web") as web:
                until(lambda: page_shown(site.web_port, FIRST_PAGE), web)
                yield site, radio, [node.pid, web.pid]
    finally:
        radio.vanish()
        region.stop()


@dataclass(frozen=True, slots=True)
class _Server:
    """One that serves pages: where, and its process."""

    port: int
    pid: int

    def read(self, path: str) -> tuple[float, float]:
        """Return pages per second, and milliseconds of its processor time per page."""
        spent_s = cpu_s(self.pid)
        rate = _read(self.port, path, PAGES)
        return rate, (cpu_s(self.pid) - spent_s) / PAGES * 1000


def _pages(ours: _Server, bare: _Server, rounds: int, settle: Callable[[], None]) -> list[Figure]:
    """Read the first page and the bare one in turns, and other pages for information.

    Processor time hardly depends on what else the machine does; pages a second do, and they are what people wait for.
    """
    paths = [FIRST_PAGE, *OTHER_PAGES]
    found: dict[str, list[tuple[float, float]]] = {path: [] for path in ["/", *paths]}
    sides = [(bare, "/"), *((ours, path) for path in paths)]
    for server, path in sides:
        _read(server.port, path, WARM_PAGES)
    for number in range(rounds):
        settle()
        for server, path in sides if number % 2 == 0 else reversed(sides):
            found[path].append(server.read(path))
    rates, costs = ({path: [told[of] for told in pairs] for path, pairs in found.items()} for of in (0, 1))
    return [
        Figure(
            "kiosk's first page / bare Flask + waitress page",
            rates[FIRST_PAGE],
            rates["/"],
            "pages/s",
            None,
            OF_BARE_MIN,
        ),
        Figure("the same, processor time of its process", costs[FIRST_PAGE], costs["/"], "ms", 1 / OF_BARE_MIN),
        *(Figure(f"processor time of {path} / bare page", costs[path], costs["/"], "ms") for path in OTHER_PAGES),
    ]


def _p99_ms(port: int) -> float:
    """Return what all but one in a hundred readers wait for a page."""
    waited: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number in range(READS):
        began = time.perf_counter()
        connection.request("GET", FIRST_PAGE if number % 2 else TICKET_PAGE)
        reply = connection.getresponse()
        reply.read()
        if reply.status != http.HTTPStatus.OK:
            raise RuntimeError(f"a page answers {reply.status}")
        waited.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE_S)
    connection.close()
    return statistics.quantiles(waited, n=100)[98]


@contextlib.contextmanager
def _bursting(radio: BenchRadio) -> Iterator[list[int]]:
    """Let the radio hand over a burst again and again; gives the count of frames."""
    stop, sent = threading.Event(), [0]

    def burst() -> None:
        while not stop.is_set():
            for _ in range(BURST):
                if radio.push(text_frame(sent[0])):
                    sent[0] += 1
            stop.wait(BURST_EVERY_S)

    thread = threading.Thread(target=burst)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()
        if not sent[0]:
            raise RuntimeError("the node took no frame from the radio")
