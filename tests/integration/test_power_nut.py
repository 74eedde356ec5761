"""A UPS by NUT's own server and dummy driver; and whatever else may listen at its port."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from steunpunt.power import nut
from steunpunt.power.nut import ANSWER_BYTES_MAX, NutReader
from steunpunt.power.reading import ReadingError, reading_of
from steunpunt.powerconfig import Nut
from tests.fakes.upses import UPS, DummyUps, dummy_ups

Port = Callable[[], int]
Wait = Callable[..., None]
LIST = f'BEGIN LIST VAR {UPS}\nVAR {UPS} ups.status "OL"\nEND LIST VAR {UPS}\n'


@pytest.fixture
def ups(tmp_path: Path, free_port: Port, wait_until: Wait) -> Iterator[DummyUps]:
    with dummy_ups(tmp_path / "nut", free_port(), wait_until, ups__status="OL CHRG", battery__charge=87) as found:
        yield found


@pytest.fixture
def reader(ups: DummyUps) -> Iterator[NutReader]:
    with closing(NutReader(ups.nut)) as found:
        yield found


def test_it_reads_what_nuts_own_client_reads(ups: DummyUps, reader: NutReader) -> None:
    found = reader.read()
    assert found == ups.upsc()
    reading = reading_of(found)
    assert (reading.mains, reading.charging, reading.charge, reading.problems) == (True, True, 87.0, ())


def test_a_power_cut_shows_over_the_same_connection(ups: DummyUps, reader: NutReader, wait_until: Wait) -> None:
    assert reading_of(reader.read()).mains is True
    ups.tell(ups__status="OB DISCHRG LB", battery__charge=9, battery__runtime=300)
    wait_until(lambda: reading_of(reader.read()).low, 10, "LB")
    assert reading_of(reader.read()).runtime_s == 300


def test_a_driver_that_died_a_ups_unknown_and_a_server_gone_and_back(
    ups: DummyUps, reader: NutReader, wait_until: Wait
) -> None:
    ups.kill("driver")
    wait_until(lambda: not ups.said(), 10, "upsd notices")
    with pytest.raises(ReadingError, match=r"DRIVER-NOT-CONNECTED; the driver does not run"):
        reader.read()
    with pytest.raises(ReadingError, match=r"UNKNOWN-UPS; write the name as in ups\.conf into power\.nut\.ups"):
        NutReader(Nut(ups="other", port=ups.port)).read()
    ups.kill("upsd")
    with pytest.raises(ReadingError, match=r"upsd cannot be asked .*is nut-server running"):
        reader.read()
    ups.start()
    assert reader.read()["battery.charge"] == "87"


def test_a_server_that_hangs_costs_a_bounded_time(
    ups: DummyUps, reader: NutReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steunpunt.power.nut.ANSWER_S_MAX", 0.5)
    assert reader.read()
    ups.freeze()
    began_s = time.monotonic()
    with pytest.raises(ReadingError, match=r"\(no answer\)"):
        reader.read()
    assert time.monotonic() - began_s < 2
    ups.thaw()
    assert reader.read()["ups.status"] == "OL CHRG"


class _Listener:
    """Listens where upsd should, and answers every connection with the same bytes, piece by piece."""

    def __init__(self, pieces: list[bytes], pause_s: float = 0, *, hang_up: bool = False) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._pieces, self._pause_s, self._hang_up = pieces, pause_s, hang_up
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        with connection:
            connection.recv(1024)  # or closing would reset the connection, for what is unread
            for piece in self._pieces:
                try:
                    connection.sendall(piece)
                except OSError:
                    return
                if self._closed.wait(self._pause_s):
                    return
            if not self._hang_up:
                self._closed.wait(30)

    def close(self) -> None:
        self._closed.set()
        self._socket.close()
        self._thread.join(5)


@pytest.mark.parametrize(
    ("pieces", "says"),
    [
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "does not speak NUT's protocol"),
        ([b"\x00\xff\n"], "does not speak NUT's protocol"),
        ([b"BEGIN LIST VAR other\nEND LIST VAR other\n"], "does not speak NUT's protocol"),
        ([b"ERR\n"], "does not speak NUT's protocol"),
        ([b"ERR ACCESS-DENIED\n"], "let this device in, in upsd.conf"),
        ([b"ERR \xff\xfe\n"], "upsd says"),
        ([LIST.encode()[:40]], "no answer"),
        ([b"BEGIN LIST VAR " + b"x" * (2 * ANSWER_BYTES_MAX)], f"more than {ANSWER_BYTES_MAX} bytes"),
    ],
)
def test_what_is_no_upsd_is_one_line_in_a_bounded_time(
    pieces: list[bytes], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steunpunt.power.nut.ANSWER_S_MAX", 0.5)
    listener = _Listener(pieces)
    began_s = time.monotonic()
    with pytest.raises(ReadingError) as caught:
        NutReader(Nut(ups=UPS, port=listener.port)).read()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began_s < 2
    listener.close()


def test_a_slow_server_is_waited_for_and_a_dripping_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _Listener([LIST.encode()[index : index + 10] for index in range(0, len(LIST), 10)], 0.01)
    with closing(NutReader(Nut(ups=UPS, port=slow.port))) as reader:
        assert reader.read() == {"ups.status": "OL"}
    slow.close()
    monkeypatch.setattr("steunpunt.power.nut.ANSWER_S_MAX", 0.3)
    dripping = _Listener([b"BEGIN LIST VAR ", *[b"x"] * 200], 0.01)
    with pytest.raises(ReadingError, match="no answer"):
        NutReader(Nut(ups=UPS, port=dripping.port)).read()
    dripping.close()


def test_a_server_that_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steunpunt.power.nut.ANSWER_S_MAX", 2)
    listener = _Listener([LIST.encode()[:30]], hang_up=True)
    with pytest.raises(ReadingError, match="upsd hung up"):
        NutReader(Nut(ups=UPS, port=listener.port)).read()
    listener.close()


def test_values_are_unescaped_and_strangers_left_out() -> None:
    lines = [rf'VAR {UPS} ups.mfr "say \"hi\" \\ you"', 'VAR other ups.status "OB"', f"VAR {UPS} half", "nonsense"]
    answer = "\n".join([f"BEGIN LIST VAR {UPS}", *lines, f"END LIST VAR {UPS}", ""])
    assert nut.parse(answer, UPS) == {"ups.mfr": 'say "hi" \\ you'}
