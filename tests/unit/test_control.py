"""The control socket, over real Unix sockets: bad clients harm nobody, and nobody is told more than is known."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steunpunt.control import (
    CONNECTIONS_MAX,
    LINE_BYTES_MAX,
    Body,
    Client,
    ControlError,
    NotKnownYet,
    Refused,
    Server,
    Unreachable,
    notify_systemd,
)

Wait = Callable[..., None]


class Node:
    """Answers with what it was asked; can be told to be slow, or to die in the middle of its work."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[Body] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.server = Server(path, self.answer)
        self.server.start()

    def answer(self, request: Body) -> Body:
        self.asked.append(request)
        if request.get("op") in {"submit", "slow"}:
            self.go_on.wait(10)
        match request.get("op"):
            case "refuse":
                return {"ok": False, "error": "text_too_long", "message": "131 bytes", "bytes": 131}
            case "unsure":
                return {"ok": False, "error": "not_known_yet", "message": "busy"}
            case "break":
                raise LookupError("a defect")
            case "long":
                return {"ok": True, "text": "é" * (LINE_BYTES_MAX // 2)}
        return {"ok": True, **request}

    def restart(self) -> "Node":
        self.server.stop()
        return Node(self.path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "node.sock"


@pytest.fixture
def node(path: Path) -> Iterator[Node]:
    started = Node(path)
    yield started
    started.go_on.set()
    started.server.stop()


@pytest.fixture
def raw(node: Node) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(node.path))
        yield connection


@pytest.fixture
def client(path: Path) -> Iterator[Client]:
    made = Client(path)
    yield made
    made.close()


def read_all(connection: socket.socket) -> list[Body]:
    """Read until the node closes."""
    data = b""
    try:
        while part := connection.recv(65_536):
            data += part
    except ConnectionResetError:  # it had not read all we sent
        pass
    return [json.loads(line) for line in data.splitlines()]


# --- what a good client gets ----------------------------------------------------------------------------------------


def test_an_answer_comes_back_and_the_connection_is_kept(node: Node, client: Client) -> None:
    assert client.call("status", name="é") == {"ok": True, "op": "status", "name": "é"}
    assert client.call("status")["ok"]
    assert len(node.server._open) == 1


def test_a_refusal_has_its_code_message_and_figures(node: Node, client: Client) -> None:
    with pytest.raises(Refused, match="131 bytes") as caught:
        client.call("refuse")
    assert (caught.value.code, caught.value.body["bytes"]) == ("text_too_long", 131)
    assert len(node.asked) == 1


def test_a_node_that_does_not_know_yet_is_no_refusal(node: Node, client: Client) -> None:
    with pytest.raises(NotKnownYet):
        client.call("unsure")
    assert client.call("status")["ok"]
    assert len(node.asked) == 2


def test_a_long_answer_arrives_whole(client: Client, node: Node) -> None:
    assert len(client.call("long")["text"]) == LINE_BYTES_MAX // 2
    assert node.asked


def test_a_defect_in_an_answer_is_told_and_the_next_is_answered(node: Node, client: Client) -> None:
    with pytest.raises(Refused, match="see its log") as caught:
        client.call("break")
    assert caught.value.code == "internal"
    assert client.call("status")["ok"]
    assert len(node.asked) == 2


def test_who_may_not_ask_is_told_the_group(node: Node, path: Path) -> None:
    assert node.path == path
    if os.geteuid() != 0:
        path.chmod(0)
    drop = "import os; os.geteuid() or (os.setgroups([]), os.setgid(65534), os.setuid(65534)); "
    ask = f"from steunpunt.control import Client; {drop}Client({str(path)!r}).call('status')"
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=30, check=False)
    (line,) = [line for line in told.stderr.splitlines() if str(path) in line and "Permission denied" in line]
    assert "this user may not ask the node; type: sudo usermod -aG steunpunt-control $USER" in line


def test_the_socket_is_for_its_owner_and_group(node: Node) -> None:
    assert stat.S_IMODE(node.path.stat().st_mode) == 0o660


# --- what a bad client gets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b"[1]\n",
        b"7\n",
        b"\n",
        b'{"op": \n',
        b"\xff\xfe\n",
        b"[" * 10_000 + b"\n",
        b'{"op": "' + b"a" * LINE_BYTES_MAX + b'"}\n',
        b"a" * (LINE_BYTES_MAX + 1),
    ],
    ids=["words", "list", "number", "empty", "half", "no UTF-8", "nested", "too long", "too long, no end"],
)
def test_what_is_no_request_is_answered_and_ends_the_connection(
    node: Node, raw: socket.socket, client: Client, line: bytes
) -> None:
    raw.sendall(line)
    answers = read_all(raw)
    assert [answer["error"] for answer in answers] in (["bad_request"], [])
    assert node.asked == []
    assert client.call("status")["ok"]


def test_the_longest_request_is_answered(node: Node, raw: socket.socket) -> None:
    request = b'{"op":"' + b"a" * (LINE_BYTES_MAX - 10) + b'"}\n'
    assert len(request) == LINE_BYTES_MAX
    raw.sendall(request)
    raw.shutdown(socket.SHUT_WR)
    assert [answer["ok"] for answer in read_all(raw)] == [True]
    assert len(node.asked) == 1


def test_a_client_refuses_to_send_what_is_too_long(node: Node, client: Client) -> None:
    with pytest.raises(Refused) as caught:
        client.call("submit", text="a" * LINE_BYTES_MAX)
    assert caught.value.code == "bad_request"
    assert node.asked == []


def test_half_a_line_and_gone_is_no_request(node: Node, raw: socket.socket, client: Client, wait_until: Wait) -> None:
    raw.sendall(b'{"op": "submit"')
    raw.shutdown(socket.SHUT_WR)
    assert read_all(raw) == []
    wait_until(lambda: not node.server._open)
    assert node.asked == []
    assert client.call("status")["ok"]


def test_requests_in_pieces_and_in_one_go_are_answered_in_order(node: Node, raw: socket.socket) -> None:
    for part in (b'{"op":', b' "a"}', b'\n{"op": "b"}\n{"op": "c"}\n'):
        raw.sendall(part)
    raw.shutdown(socket.SHUT_WR)
    assert [answer["op"] for answer in read_all(raw)] == ["a", "b", "c"]
    assert len(node.asked) == 3


def test_sixty_four_connections_are_served_and_the_next_is_told_nothing_false(
    node: Node, path: Path, wait_until: Wait
) -> None:
    many = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(CONNECTIONS_MAX)]
    for connection in many:
        connection.connect(str(path))
    wait_until(lambda: len(node.server._open) == CONNECTIONS_MAX)
    one_more = Client(path)
    with pytest.raises(NotKnownYet):
        one_more.call("status")
    many[0].close()
    wait_until(lambda: len(node.server._open) < CONNECTIONS_MAX)
    assert one_more.call("status")["ok"]
    one_more.close()
    for connection in many:
        connection.close()


# --- a node that goes and comes -------------------------------------------------------------------------------------


def test_without_a_node_it_is_unreachable_with_the_mend(path: Path) -> None:
    with pytest.raises(Unreachable, match="is steunpunt-node running"):
        Client(path).call("status")


def test_a_node_that_restarted_between_two_calls_is_found_again(node: Node, client: Client) -> None:
    client.call("first")
    again = node.restart()
    assert client.call("second")["op"] == "second"
    assert [request["op"] for request in again.asked] == ["second"]
    again.server.stop()


def test_a_node_that_stopped_between_two_calls_is_unreachable(node: Node, client: Client) -> None:
    client.call("first")
    node.server.stop()
    with pytest.raises(Unreachable):
        client.call("second")


@pytest.mark.parametrize("calls_before", [0, 1])
def test_a_node_that_dies_while_it_works_may_have_kept_it(
    node: Node, client: Client, wait_until: Wait, calls_before: int
) -> None:
    node.go_on.clear()
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(calls_before):
                client.call("before")
            client.call("submit")
        except ControlError as error:
            caught.append(error)
        finally:
            client.close()

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: node.asked and node.asked[-1]["op"] == "submit")
    node.server.stop()
    asking.join(10)
    assert [type(error) for error in caught] == [NotKnownYet]


def test_no_answer_in_time_means_not_known_yet_and_a_late_one_is_not_taken_for_the_next(
    node: Node, path: Path, wait_until: Wait
) -> None:
    hasty = Client(path, timeout_s=0.05)
    node.go_on.clear()
    with pytest.raises(NotKnownYet):
        hasty.call("slow")
    node.go_on.set()
    wait_until(lambda: len(node.asked) == 1)
    patient = Client(path)
    assert patient.call("next")["op"] == "next"
    patient.close()
    hasty.close()


def test_an_answer_that_is_no_json_means_not_known_yet(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        client = Client(path)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_000)
                connection.sendall(b"hello\n")

        answering = threading.Thread(target=answer)
        answering.start()
        with pytest.raises(NotKnownYet):
            client.call("status")
        answering.join(10)


def test_a_socket_left_by_a_crash_is_replaced(path: Path, client: Client) -> None:
    path.parent.mkdir()
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(path))
    left.close()
    node = Node(path)
    assert client.call("status")["ok"]
    node.server.stop()
    assert not path.exists()


def test_a_second_node_is_refused_and_the_first_one_is_not_harmed(node: Node, client: Client) -> None:
    second = Server(node.path, node.answer)
    with pytest.raises(ControlError, match="running already"):
        second.start()
    second.stop()
    assert client.call("status")["ok"]
    assert node.path.is_socket()


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("dear diary")
    with pytest.raises(ControlError, match="not a socket"):
        Server(path, lambda request: request).start()
    assert path.read_text() == "dear diary"


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ControlError, match=r"correct control\.socket"):
        Server(tmp_path / "file" / "node.sock", lambda request: request).start()


# --- systemd --------------------------------------------------------------------------------------------------------


def test_systemd_is_told_and_its_absence_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify_systemd("READY=1")
        assert systemd.recv(100) == b"READY=1"
    os.unlink(tmp_path / "notify")  # noqa: PTH108  systemd's own socket goes
    notify_systemd("WATCHDOG=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify_systemd("WATCHDOG=1")
