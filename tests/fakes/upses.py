"""Real UPSes that stand nowhere: NUT's dummy-ups driver and upsd, as Debian ships them, in a folder of their own."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from steunpunt.power.nut import NutReader
from steunpunt.power.reading import ReadingError
from steunpunt.powerconfig import Nut

DRIVERS = Path("/lib/nut")
UPS = "proef"
Wait = Callable[..., None]


class DummyUps:
    """One UPS with its driver and its server, each a process of its own."""

    def __init__(self, folder: Path, port: int, wait_until: Wait) -> None:
        self.folder, self.port, self._wait_until = folder, port, wait_until
        self.nut = Nut(ups=UPS, port=port)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._told_s = 0
        if not (DRIVERS / "dummy-ups").exists():
            pytest.fail("NUT is not installed; type: make test, or apt-get install nut-server nut-client")
        folder.mkdir(parents=True)
        self._write("ups.conf", f"maxretry = 1\npollinterval = 1\n[{UPS}]\ndriver = dummy-ups\nport = {UPS}.dev\n")
        self._write("upsd.conf", f"LISTEN 127.0.0.1 {port}\nMAXAGE 30\n")
        self._write("upsd.users", "")

    def _write(self, name: str, text: str) -> None:
        path = self.folder / f"{name}.new"
        path.write_text(text, "ascii")
        path.chmod(0o640)
        path.replace(self.folder / name)

    def tell(self, **variables: object) -> None:
        """Let the UPS say this from its next poll on, each second; ``ups__status`` is ``ups.status``."""
        said = {name.replace("__", "."): value for name, value in variables.items()}
        self._write(f"{UPS}.dev", "".join(f"{name}: {value}\n" for name, value in said.items()))
        self._told_s = max(self._told_s + 1, int(time.time()))  # the driver compares whole seconds
        os.utime(self.folder / f"{UPS}.dev", (self._told_s, self._told_s))

    def start(self) -> None:
        """Start driver and server, and wait until the server answers for the UPS."""
        self.start_driver()
        self.start_server()

    def start_server(self) -> None:
        self._run("upsd", str(DRIVERS / "upsd"), "-D", "-u", "root")
        self._wait_until(self.answers, 20, f"upsd answers\n{self.log}")

    def start_driver(self) -> None:
        self._run("driver", str(DRIVERS / "dummy-ups"), "-a", UPS, "-D", "-u", "root")

    def _run(self, name: str, *command: str) -> None:
        places = ("NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH", "NUT_PIDPATH")
        assert name not in self._processes
        environment = os.environ | dict.fromkeys(places, str(self.folder))
        with (self.folder / "log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def answers(self) -> bool:
        """Whether upsd tells of the UPS; just after its start it says WAIT."""
        return "WAIT" not in self.said().get("ups.status", "WAIT")

    def said(self) -> Mapping[str, str]:
        """What upsd says now; nothing when it does not answer."""
        reader = NutReader(self.nut)
        try:
            return reader.read()
        except ReadingError:
            return {}
        finally:
            reader.close()

    def upsc(self) -> dict[str, str]:
        """The same, by NUT's own client."""
        command = ["upsc", f"{UPS}@127.0.0.1:{self.port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return dict(line.split(": ", 1) for line in done.stdout.splitlines())

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def freeze(self, name: str = "upsd") -> None:
        """Stop a process in its tracks: its connections stay open and silent."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str = "upsd") -> None:
        self._processes[name].send_signal(signal.SIGCONT)

    def kill(self, name: str) -> None:
        process = self._processes.pop(name)
        process.kill()
        process.wait(10)

    def stop(self) -> None:
        """End what was started here, by its own process id."""
        for name in list(self._processes):
            self.kill(name)


@contextmanager
def dummy_ups(folder: Path, port: int, wait_until: Wait, **variables: object) -> Iterator[DummyUps]:
    """Give a running UPS that says ``variables``."""
    ups = DummyUps(folder, port, wait_until)
    ups.tell(**variables)
    try:
        ups.start()
        yield ups
    finally:
        ups.stop()
