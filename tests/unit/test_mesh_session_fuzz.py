"""A hostile radio: no bytes make the session raise, hold much or take long."""

import time
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steunpunt.links.mesh_session import Session
from steunpunt.links.mesh_terms import Wanted
from steunpunt.wire import START, encode_frame
from tests.fuzz.session_walk import CATALOGUE, CONFIG_ID, Walk

STREAM_BYTES = 256 * 1024
STREAM_S_MAX = 10.0
"""On a loaded machine; it is printed, and usually far below one second."""
HELD_BYTES_MAX = 256 * 1024
GREETED = b"\x06"
"""The program that begins with a whole handshake."""


@settings(max_examples=1000)
@given(st.lists(st.binary(max_size=200), max_size=20).map(b"".join), st.booleans())
@example(program=b"\x03\x00\x05hello\x02\xff", greeted=True)
def test_no_program_of_bytes_and_times_breaks_a_limit(program: bytes, greeted: bool) -> None:  # noqa: FBT001
    Walk((GREETED if greeted else b"") + program).run()


@settings(max_examples=300)
@given(st.lists(st.one_of(st.sampled_from(CATALOGUE), st.binary(max_size=512)), max_size=30), st.data())
def test_messages_are_understood_alike_however_the_stream_is_cut(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(encode_frame(message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    whole, parts = fresh(), fresh()
    whole.receive(stream, 0.0)
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        parts.receive(stream[start:end], 0.0)
    assert whole.take_events() == parts.take_events()
    assert whole.take_counts() == parts.take_counts()


@pytest.mark.parametrize(
    "pattern",
    [
        START + b"\x01\xff",
        START + b"\x02\x00",
        START + b"\x00\x00",
        START,
        START[:1],
        b"\x00",
        START + b"\x02\x00" + b"\x0a\x02\x08\x01" * 8,
        encode_frame(CATALOGUE[0]),
        encode_frame(CATALOGUE[8]),
    ],
    ids=["starts", "longest", "empty", "bare", "halves", "zeros", "nested", "my_info", "frames"],
)
def test_a_quarter_of_a_megabyte_of_one_pattern_takes_little_time_and_memory(pattern: bytes) -> None:
    session = fresh()
    stream = (pattern * (STREAM_BYTES // len(pattern) + 1))[:STREAM_BYTES]
    tracemalloc.start()
    started = time.process_time()
    for start in range(0, len(stream), 4096):
        session.receive(stream[start : start + 4096], 0.0)
        session.take_events()
        session.take_output()
    took_s, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{pattern[:8].hex()}…: {took_s:.2f} s for {STREAM_BYTES // 1024} KiB, at most {peak // 1024} KiB held")
    assert took_s < STREAM_S_MAX
    assert peak < HELD_BYTES_MAX


def fresh() -> Session:
    return Session(Wanted("radio", "serial", hop_limit=3), CONFIG_ID, lambda: 1, 0.0)
