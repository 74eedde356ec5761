"""`make bench-bridge`: from the radio to a subscriber, beside what others install for it, in one run on this machine.

Each bridge in turn serves the same radio and broker. Throughput with at most a window of packets under way, so that no
queue is measured; latency at 40 packets a second; then the broker is gone for 5 s, and the radio refuses for 20 s.
"""

import argparse
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.bench.bridge_peers import Arrivals, Bridge, MqttSink, ours, peers
from tests.bench.bridge_radio import BenchRadio, text_frame
from tests.bench.watching import cpu_s, memory, watch

HOST = "127.0.0.9"
"""A loopback address of its own, for some bridges know no other port than 4403."""
READY_S_MAX, REST_S, SETTLE_S_MAX = 60.0, 15.0, 40.0
QUIET_MS_MAX = 30.0
"""A bridge that has rested REST_S, and uses less processor in a second than this, has finished starting: ours begins to
stretch tickets' secrets five seconds after its start."""
LATENCY_PACKETS, LATENCY_GAP_S = 200, 0.025
STALL_S = 10.0
"""A bridge that brings nothing for so long is taken to have lost the rest."""
BROKER_AWAY_S, RADIO_AWAY_S, BACK_S_MAX = 5.0, 20.0, 60.0
OURS = "steunpunt node"
COMPARED = ("packets/s", "CPU ms per 1,000 packets", "idle CPU ms/s", "idle wake-ups/s", "resident MiB")
SMALLEST = 1e-3
"""Nothing in a ratio is smaller: who does nothing at all costs no processor."""
Results = dict[str, dict[str, list[float]]]


@dataclass
class Stand:
    """What every bridge is measured on."""

    radio: BenchRadio
    broker: "BenchBroker"
    tell: Callable[[str], None]
    numbers: Iterator[int]


class BenchBroker:
    """mosquitto that keeps QoS 0 too for its absent subscriber, so that only the bridge can lose something."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._conf = folder / "mosquitto.conf"
        self._conf.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n"
            f"persistence_location {folder}/\nqueue_qos0_messages true\nmax_queued_messages 0\nset_tcp_nodelay true\n",
            "utf-8",
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "mosquitto"
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen([program, "-c", str(self._conf)], stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("mosquitto does not listen")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@contextmanager
def running(bridge: Bridge, stand: Stand) -> Iterator[tuple[int, Arrivals]]:
    """Start a bridge and wait until a packet has gone all the way through."""
    arrivals, stop = bridge.start(stand.broker.port)
    try:
        assert bridge.process is not None
        deadline = time.monotonic() + READY_S_MAX
        while not len(arrivals):
            if bridge.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{bridge.name} brings nothing")
            stand.radio.push(text_frame(next(stand.numbers)))
            arrivals.wait_for(1, 0.5)
        arrivals.watched.clear()
        time.sleep(REST_S)
        settled = time.monotonic() + SETTLE_S_MAX
        while watch([bridge.process.pid], 1.0)[0].cpu_ms > QUIET_MS_MAX and time.monotonic() < settled:
            pass
        arrivals.watched.set()
        yield bridge.process.pid, arrivals
    finally:
        stop()


def floor_per_s(broker: BenchBroker, count: int, window: int = 256) -> float:
    """Return messages/s of a bare paho publisher to a bare paho subscriber, in two processes as a bridge would be."""
    arrivals = Arrivals()
    sink = MqttSink(broker.port, "floor/#", arrivals)
    source = paho.Client(CallbackAPIVersion.VERSION2)
    source.connect("127.0.0.1", broker.port)
    source.loop_start()
    try:
        while not len(arrivals):
            source.publish("floor/x", b"m00000000")
            arrivals.wait_for(1, 0.2)
        body, began = b'{"payload":{"text":"m%08d"}' + b" " * 150 + b"}", time.perf_counter()
        for number in range(1, count + 1):
            arrivals.wait_for(number - window, STALL_S)
            source.publish("floor/x", body % number)
        arrivals.wait_for(count + 1, STALL_S)
        return count / (arrivals.times[-1] - began)
    finally:
        source.disconnect()
        source.loop_stop()
        sink.close()


def throughput(bridge: Bridge, stand: Stand, pid: int, arrivals: Arrivals, count: int) -> dict[str, float]:
    frames = [text_frame(next(stand.numbers)) for _ in range(count)]
    before, cpu, began = len(arrivals), cpu_s(pid), time.perf_counter()
    for sent, frame in enumerate(frames):
        if not arrivals.wait_for(before + sent - bridge.window, STALL_S) or not stand.radio.push(frame):
            break
    arrivals.wait_for(before + count, STALL_S)
    came = len(arrivals) - before
    lasted = arrivals.times[-1] - began if came else STALL_S
    return {
        "packets/s": came / lasted,
        "lost of a thousand": (count - came) / count * 1000,
        "CPU ms per 1,000 packets": (cpu_s(pid) - cpu) * 1e6 / max(came, 1),
    }


def latency(stand: Stand, arrivals: Arrivals) -> dict[str, float]:
    """Return how long a packet takes on its own; the n-th that comes is the n-th that went."""
    before, sent = len(arrivals), list[float]()
    for _ in range(LATENCY_PACKETS):
        frame = text_frame(next(stand.numbers))
        sent.append(time.perf_counter())
        stand.radio.push(frame)
        time.sleep(LATENCY_GAP_S)
    arrivals.wait_for(before + LATENCY_PACKETS, STALL_S)
    took = sorted((came - went) * 1000 for went, came in zip(sent, arrivals.times[before:], strict=False))
    if len(took) < LATENCY_PACKETS:
        return {}
    return {"latency p50 ms": statistics.median(took), "latency p99 ms": took[int(len(took) * 0.99)]}


def broker_outage(bridge: Bridge, stand: Stand, arrivals: Arrivals) -> str:
    """Take the broker away under 20 packets a second; tell what of them never came."""
    known, numbers = set(arrivals.numbers), list[int]()

    def send_for(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            number = next(stand.numbers)
            numbers.append(number)
            stand.radio.push(text_frame(number))
            time.sleep(0.05)

    send_for(2)
    stand.broker.stop()
    send_for(BROKER_AWAY_S)
    stand.broker.start()
    send_for(5)
    time.sleep(2)
    came = arrivals.numbers - known
    exited = bridge.process is not None and bridge.process.poll() is not None
    lost = len(set(numbers) - came)
    return f"{lost} of {len(numbers)} lost{', and it exited' if exited else ''}"


def radio_outage(bridge: Bridge, stand: Stand, arrivals: Arrivals) -> tuple[str, str]:
    """Refuse the bridge for 20 s; tell what it lost of what it had been handed, and when it is back."""
    before, handed = len(arrivals), 0
    for _ in range(50):
        handed += stand.radio.push(text_frame(next(stand.numbers)))
    stand.radio.vanish()
    arrivals.wait_for(before + handed, 5)
    lost = f"{handed - (len(arrivals) - before)} of {handed}"
    time.sleep(RADIO_AWAY_S)
    stand.radio.appear()
    began, came = time.perf_counter(), len(arrivals)
    while time.perf_counter() - began < BACK_S_MAX:
        if bridge.process is not None and bridge.process.poll() is not None:
            return lost, "exited"
        stand.radio.push(text_frame(next(stand.numbers)))
        if arrivals.wait_for(came + 1, 0.05):
            return lost, f"{time.perf_counter() - began:.2f} s"
    return lost, f"not within {BACK_S_MAX:g} s"


def one_round(bridge: Bridge, stand: Stand, options: argparse.Namespace, results: Results) -> None:
    with running(bridge, stand) as (pid, arrivals):
        figures = throughput(bridge, stand, pid, arrivals, options.packets)
        if bridge.topic or bridge.line:
            figures |= latency(stand, arrivals)
        arrivals.watched.clear()
        (idle,) = watch([pid], options.idle_s)
        figures |= {"idle CPU ms/s": idle.cpu_ms, "idle wake-ups/s": idle.wakes, "resident MiB": memory(pid).rss}
    for name, value in figures.items():
        results[bridge.name][name].append(value)
    stand.tell(f"{bridge.name}: {figures['packets/s']:.0f} packets/s")


def outages(bridge: Bridge, stand: Stand) -> list[str]:
    told = []
    with running(bridge, stand) as (_, arrivals):
        if bridge.topic:
            told.append(f"broker away {BROKER_AWAY_S:g} s: {broker_outage(bridge, stand, arrivals)}")
    with running(bridge, stand) as (_, arrivals):
        lost, back = radio_outage(bridge, stand, arrivals)
        told += [f"handed over just before the radio went: {lost} lost", f"radio refused {RADIO_AWAY_S:g} s: {back}"]
    stand.radio.vanish()
    stand.radio.appear()
    stand.tell(f"{bridge.name}: {'; '.join(told)}")
    return told


def _ratio(results: Results, measure: str, others: list[str]) -> float:
    pick = max if measure == "packets/s" else min
    theirs = pick(statistics.median(results[name][measure]) for name in others)
    return statistics.median(results[OURS][measure]) / max(theirs, SMALLEST)


def report(results: Results, floor: list[float], broken: dict[str, list[str]], publishing: set[str]) -> None:
    names = list(results)
    measures = list(dict.fromkeys(measure for each in results.values() for measure in each))
    print(f"\nmedians; floor: paho publish -> broker -> subscribe {statistics.median(floor):.0f} messages/s")
    print(f"{'':<28}" + "".join(f"{name:>32}" for name in names))
    for measure in measures:
        values = [results[name].get(measure) for name in names]
        cells = [f"{statistics.median(each):>32.4g}" if each else f"{'-':>32}" for each in values]
        print(f"{measure:<28}" + "".join(cells))
    mine = results[OURS]
    for told, others in (
        ("the best of the others", [name for name in names if name != OURS]),
        ("the best that also publish", [name for name in names if name != OURS and name in publishing]),
    ):
        ratios = [f"{measure} {_ratio(results, measure, others):.2f}" for measure in COMPARED if others]
        print(f"ours / {told}: {', '.join(ratios)}")
    shares = [2 * ours_ / low for ours_, low in zip(mine["packets/s"], floor, strict=True)]
    print(f"ours, two messages a packet / floor: {statistics.median(shares):.2f} (aim >= 0.3)")
    for name, lines in broken.items():
        print(f"{name}: {'; '.join(lines)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bridge", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--packets", type=int, default=2_000)
    parser.add_argument("--idle-s", type=float, default=30.0)
    parser.add_argument("--only", help="measure ours and only those others whose name begins so")
    options = parser.parse_args()
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {line}", flush=True)

    cache = Path(".cache").resolve()
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bridge-", dir=cache) as name:
        folder = Path(name)
        broker = BenchBroker(folder / "broker")
        broker.start()
        radio = BenchRadio(HOST)
        radio.appear()
        try:
            bridges = [ours(folder / "o", HOST, broker.port)]
            bridges += peers(cache / "bench-peers", folder, HOST, broker.port, tell)
            bridges = bridges[:1] + [bridge for bridge in bridges[1:] if bridge.name.startswith(options.only or "")]
            _measure(bridges, Stand(radio, broker, tell, iter(range(1, 10**8))), options)
        finally:
            radio.vanish()
            broker.stop()


def _measure(bridges: list[Bridge], stand: Stand, options: argparse.Namespace) -> None:
    results: Results = defaultdict(lambda: defaultdict(list))
    floor = []
    for _ in range(options.rounds):
        floor.append(floor_per_s(stand.broker, options.packets * 2))
        for bridge in bridges:
            one_round(bridge, stand, options, results)
    broken = {bridge.name: outages(bridge, stand) for bridge in bridges}
    report(results, floor, broken, {bridge.name for bridge in bridges if bridge.topic})


if __name__ == "__main__":
    main()
