"""The frames of the Meshtastic client protocol, and the cheap import of its messages."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import SteunpuntError
from steunpunt.wire import (
    FRAME_BYTES_MAX,
    START,
    FrameReader,
    FrameTooLongError,
    encode_frame,
    mesh_pb2,
    node_name,
    node_num,
    sender,
    set_sender,
)

PAYLOADS = st.lists(st.binary(max_size=FRAME_BYTES_MAX), max_size=8)
LOG_TEXT = st.text(st.characters(max_codepoint=0x7F), max_size=80).map(str.encode)


def test_a_frame_is_start_length_payload() -> None:
    assert encode_frame(b"abc") == b"\x94\xc3\x00\x03abc"


def test_a_message_that_does_not_fit_is_refused_with_its_size() -> None:
    assert len(encode_frame(bytes(FRAME_BYTES_MAX))) == 4 + FRAME_BYTES_MAX
    with pytest.raises(FrameTooLongError, match="513 bytes") as caught:
        encode_frame(bytes(FRAME_BYTES_MAX + 1))
    assert isinstance(caught.value, SteunpuntError)
    assert isinstance(caught.value, ValueError)


@given(PAYLOADS, st.integers(min_value=1, max_value=700))
def test_frames_come_out_whole_however_the_stream_is_cut(payloads: list[bytes], step: int) -> None:
    stream = b"".join(map(encode_frame, payloads))
    reader = FrameReader()
    got = [p for at in range(0, len(stream), step) for p in reader.feed(stream[at : at + step])]
    assert got == payloads
    assert (reader.frames, reader.dropped_bytes, reader.pending_bytes) == (len(payloads), 0, 0)


@given(st.lists(st.tuples(LOG_TEXT, st.binary(max_size=FRAME_BYTES_MAX)), max_size=6))
def test_console_log_between_frames_is_counted_and_dropped(parts: list[tuple[bytes, bytes]]) -> None:
    reader = FrameReader()
    stream = b"".join(text + encode_frame(payload) for text, payload in parts)
    assert reader.feed(stream) == [payload for _, payload in parts]
    assert reader.dropped_bytes == sum(len(text) for text, _ in parts)


@given(st.lists(st.binary(max_size=1500), max_size=10))
def test_garbage_never_raises_and_memory_stays_bounded(chunks: list[bytes]) -> None:
    reader = FrameReader()
    for chunk in chunks:
        for payload in reader.feed(chunk):
            assert len(payload) <= FRAME_BYTES_MAX
        assert reader.pending_bytes < 4 + FRAME_BYTES_MAX
    assert reader.dropped_bytes <= sum(map(len, chunks))


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=200))
def test_after_any_garbage_a_frame_is_found_within_one_frame_length(garbage: bytes, payload: bytes) -> None:
    reader = FrameReader()
    reader.feed(garbage)
    # A false start can swallow at most 512 bytes; harmless bytes end it, then the frame is read.
    reader.feed(bytes(4 + FRAME_BYTES_MAX))
    assert reader.feed(encode_frame(payload)) == [payload]


@given(st.binary(max_size=60))
def test_a_true_frame_inside_a_false_one_is_found_when_payloads_are_judged(tail: bytes) -> None:
    def is_hello(payload: bytes) -> bool:
        return payload == b"hello"

    true_frame = encode_frame(b"hello")
    reader = FrameReader(accepts=is_hello)
    false_start = START + (len(true_frame) + len(tail)).to_bytes(2, "big")
    assert reader.feed(false_start + true_frame + tail) == [b"hello"]


def test_a_length_above_the_limit_is_no_start() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x94\xc3\xff\xff\x94" + encode_frame(b"x")) == [b"x"]
    assert reader.dropped_bytes == 5


def test_the_wake_up_bytes_of_clients_are_skipped() -> None:
    reader = FrameReader()
    assert reader.feed(b"\xc3" * 32 + encode_frame(b"x")) == [b"x"]


def test_reset_forgets_half_a_frame() -> None:
    reader = FrameReader()
    assert reader.feed(encode_frame(bytes(100))[:50]) == []
    reader.reset()
    assert reader.feed(encode_frame(b"x")) == [b"x"]


@given(st.integers(min_value=0, max_value=0xFFFFFFFF))
def test_node_names_read_back(num: int) -> None:
    assert node_num(node_name(num)) == num


@pytest.mark.parametrize("name", ["", "abcd1234", "!abcd123", "!abcd12345", "!abcd123g", "^all"])
def test_what_is_no_node_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - bytes.fromhex words some of these
        node_num(name)


def test_the_sender_of_a_packet_can_be_read_and_set() -> None:
    packet = mesh_pb2.MeshPacket()
    set_sender(packet, 0xA1B2C3D4)
    assert sender(packet) == 0xA1B2C3D4
    assert packet.SerializeToString() == b"\x0d\xd4\xc3\xb2\xa1"


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_import_leaves_out_the_package_and_what_it_drags_in() -> None:
    names = _python(
        "import sys, steunpunt.wire\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('meshtastic', 'requests', 'serial', 'pubsub')])"
    )
    assert names == "[]"


@pytest.mark.parametrize("first", ["steunpunt.wire", "meshtastic.tcp_interface"])
def test_the_real_package_works_in_the_same_process(first: str) -> None:
    assert "ok" in _python(
        f"import {first}\n"
        "import meshtastic, meshtastic.tcp_interface\n"
        "from steunpunt import wire\n"
        "packet = wire.mesh_pb2.MeshPacket(id=7)\n"
        "assert meshtastic.protobuf.mesh_pb2.MeshPacket is wire.mesh_pb2.MeshPacket\n"
        "assert meshtastic.mesh_pb2.FromRadio(packet=packet).packet.id == 7\n"
        "assert callable(meshtastic.tcp_interface.TCPInterface)\n"
        "print('ok')"
    )
