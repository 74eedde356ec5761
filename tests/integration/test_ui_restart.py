"""A tap that is under way while the web process is killed: real processes, and a wire between them that says when."""

import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.lone_site import START_S_MAX, LoneSite, steunpunt

pytestmark = pytest.mark.processes
ASK = "/nl/hulp/medisch"
Wait = Callable[..., None]


class Wire:
    """Stands between web and node, and kills the web process at the next form: before the node has it, or after."""

    def __init__(self, path: Path, node: Path) -> None:
        self._node = node
        self.victim: subprocess.Popen[bytes] | None = None
        self.after_it_was_kept = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                web, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(web,), daemon=True).start()

    def _carry(self, web: socket.socket) -> None:
        with web, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as node, suppress(OSError):
            node.connect(str(self._node))
            asked, told = web.makefile("rb"), node.makefile("rb")
            for line in asked:
                strikes = self.victim is not None and json.loads(line)["op"] == "submit"
                if strikes and not self.after_it_was_kept:
                    self._strike()
                    return
                node.sendall(line)
                answer = told.readline()
                if strikes:
                    self._strike()
                    return
                web.sendall(answer)

    def _strike(self) -> None:
        victim, self.victim = self.victim, None
        assert victim is not None
        victim.kill()


@pytest.fixture(scope="module", name="site")
def fixture_site(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int], wait_until: Wait
) -> Iterator[LoneSite]:
    site = LoneSite(tmp_path_factory.mktemp("restart"), free_port, wait_until)
    site.make(broker=False)
    site.start("node")
    yield site
    site.stop()


@pytest.fixture(name="wire")
def fixture_wire(site: LoneSite, tmp_path: Path) -> Iterator[Wire]:
    wire = Wire(tmp_path / "wire.sock", site.folder / "node.sock")
    text = site.config.read_text("utf-8").replace('socket = "node.sock"', f'socket = "{tmp_path / "wire.sock"}"')
    (site.folder / "web.toml").write_text(text, "utf-8")
    start_web(site)
    yield wire
    site.processes["web"].kill()
    site.processes.pop("web").wait()
    wire.close()


def start_web(site: LoneSite) -> None:
    site.spawn("web", steunpunt("web", site.folder / "web.toml"))
    site.wait_until(site.web_answers, START_S_MAX, "web answers")


def queue(site: LoneSite) -> int:
    return int(site.ask("status")["queue"])


@pytest.mark.parametrize("kept", [False, True])
def test_the_web_process_killed_in_mid_submit_makes_one_request(site: LoneSite, wire: Wire, *, kept: bool) -> None:
    before = queue(site)
    fields = {"token": site.get(ASK).hidden("token"), "do": "yes", "text": "zij valt weg"}
    wire.after_it_was_kept, wire.victim = kept, site.processes["web"]
    with pytest.raises(OSError, match=r"."):
        site.post(ASK, **fields)
    site.processes["web"].wait()
    assert queue(site) == before + kept
    start_web(site)
    back = site.get(f"{ASK}?f={fields['token']}")
    assert ("U heeft dit al gevraagd." in back.words) is kept
    again = [site.post(ASK, **fields) for _ in range(2)]
    assert {reply.status for reply in again} == {303}
    assert len({reply.location.partition("?")[0] for reply in again}) == 1
    assert queue(site) == before + 1


def test_a_double_tap_on_two_connections_makes_one_request(site: LoneSite, wire: Wire) -> None:
    assert wire.victim is None
    before = queue(site)
    fields = {"token": site.get(ASK).hidden("token"), "do": "no"}
    places: list[str] = []
    taps = [threading.Thread(target=lambda: places.append(site.post(ASK, **fields).location)) for _ in range(4)]
    for tap in taps:
        tap.start()
    for tap in taps:
        tap.join()
    assert (len(places), len(set(places))) == (4, 1)
    assert queue(site) == before + 1
