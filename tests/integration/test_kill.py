"""kill -9 of node, web and broker at random moments: no ticket lost, none twice, nothing readable on the card."""

import http.client
import random
import re
import threading
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steunpunt.config import load
from steunpunt.demo.region import COORDINATOR, Region, Site
from steunpunt.ledger.desk import Desk

REQUESTS_MIN, REQUESTS_MAX = 60, 300
KILLS_MIN = 20
KILL_PAUSE_S = (0.3, 3.0)
ARRIVE_S_MAX = 150.0
SUBMIT_S_MAX = 60.0
PARTS = ("node", "web", "broker")
VICTIMS = [*(("kiosk-a", part) for part in PARTS), (COORDINATOR, "node"), (COORDINATOR, "broker")]


@pytest.fixture
def region(tmp_path: Path) -> Iterator[Region]:
    region = Region(tmp_path / "region", speed=20, cancel_s=0)
    region.prepare()
    try:
        region.start()
        yield region
    finally:
        region.stop()


class Killer(threading.Thread):
    """Kills a part of the kiosk or of the coordinator at a random moment, and starts it again, until told to stop."""

    def __init__(self, region: Region, rng: random.Random) -> None:
        super().__init__(name="killer", daemon=True)
        self.region, self.rng = region, rng
        self.kills: Counter[str] = Counter()
        self.ended = threading.Event()

    def let_live(self, rng: random.Random) -> None:
        """Pause between two citizens, so that kills fall between requests too."""
        self.ended.wait(rng.uniform(0, 0.4))

    def run(self) -> None:
        while not self.ended.wait(self.rng.uniform(*KILL_PAUSE_S)):
            site, part = self.rng.choice(VICTIMS)
            self.region.kill_part(site, part)
            self.kills[f"{site} {part}"] += 1
            self.region.start_part(site, part)


def post(site: Site, path: str, fields: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Return (status, Location, body) of one request; OSError or HTTPException when the web process is away."""
    connection = http.client.HTTPConnection("127.0.0.1", site.web_port, timeout=12)
    try:
        headers = {"Origin": site.url, "Content-Type": "application/x-www-form-urlencoded"}
        body = urllib.parse.urlencode(fields) if fields else None
        connection.request("POST" if fields else "GET", path, body, headers)
        response = connection.getresponse()
        return response.status, response.headers.get("Location") or "", response.read().decode()
    finally:
        connection.close()


def ask(site: Site, words: str, deadline: Callable[[Callable[[], object]], None]) -> str:
    """Ask for help as a citizen does who taps again until a ticket is on the screen; returns its number."""
    token, number = "", ""

    def tapped() -> bool:
        nonlocal token, number
        try:
            if not token:
                form = post(site, "/nl/hulp/anders")[2]
                token = re.search(r'name="token" value="([^"]*)"', form)[1]  # type: ignore[index]
                return False
            status, location, _ = post(site, "/nl/hulp/anders", {"token": token, "text": words, "do": "no"})
        except (OSError, http.client.HTTPException):
            return False
        if status == 303:
            number = re.search(r"/t/(\d+-\d+)", location)[1]  # type: ignore[index]
        return bool(number)

    deadline(tapped)
    return number


@pytest.mark.processes
def test_killed_at_random_moments_nothing_is_lost_or_doubled(region: Region, wait_until: Callable[..., None]) -> None:
    seed = random.SystemRandom().randrange(2**32)
    rng = random.Random(seed)
    print(f"seed {seed}")
    kiosk, desk = region.sites["kiosk-a"], Desk.open(load(region.sites[COORDINATOR].config))
    killer = Killer(region, rng)
    killer.start()
    tickets: dict[str, str] = {}
    try:
        for index in range(REQUESTS_MAX):
            if index >= REQUESTS_MIN and sum(killer.kills.values()) >= KILLS_MIN:
                break
            killer.let_live(rng)
            words = f"Kanarie {index} {rng.randbytes(6).hex()} ééń hulpvraag"
            number = ask(kiosk, words, lambda tapped: wait_until(tapped, SUBMIT_S_MAX, f"ticket (seed {seed})"))
            assert number not in tickets, f"ticket {number} given twice (seed {seed})"
            tickets[number] = words
    finally:
        killer.ended.set()
        killer.join()
    for site, part in VICTIMS:
        region.start_part(site, part)
    print(f"{len(tickets)} tickets; kills: {dict(killer.kills)}")
    assert sum(killer.kills.values()) >= KILLS_MIN
    wait_until(lambda: len(desk.cases()) >= len(tickets), ARRIVE_S_MAX, f"all cases at the desk (seed {seed})", 0.5)
    arrived = Counter((case.number, case.text) for case in desk.cases())
    assert arrived == Counter(dict.fromkeys(tickets.items(), 1))
    wait_until(lambda: kiosk.ask("status")["queue"] == 0, ARRIVE_S_MAX, "all receipted at the kiosk")
    readable = [str(path) for path in kiosk.folder.rglob("*") if path.is_file() and b"Kanarie" in path.read_bytes()]
    assert not readable
