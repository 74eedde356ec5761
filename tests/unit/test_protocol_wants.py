"""WANT and WANT-HELLO: what a coordinator asks for is what a kiosk hears, and only the region can make a WANT."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import FrameError
from steunpunt.protocol.answers import answer_is_for
from steunpunt.protocol.keys import keys_at
from steunpunt.protocol.packets import Kind, kind_of
from steunpunt.protocol.tokens import parse_tokens
from steunpunt.protocol.wants import BITMAP_MAX, Want, WantHello, parse_want, parse_want_hello

EID = b"\x0a\x0b\x0c"
V = keys_at(bytes(32), 5).verify
EIDS = st.binary(min_size=3, max_size=3)


@given(site=st.integers(0, 0xFFFF), eid=EIDS, n=st.integers(0, 255), bitmap=st.integers(1, BITMAP_MAX))
def test_a_want_comes_out_as_it_went_in(site: int, eid: bytes, n: int, bitmap: int) -> None:
    packet = Want(site, eid, n, bitmap).pack(V)
    heard = parse_want(packet)
    assert (heard.site, heard.eid, heard.n, heard.bitmap) == (site, eid, n, bitmap)
    assert heard.genuine(V)
    assert kind_of(packet) is Kind.WANT
    assert len(packet) == 15
    assert sum(1 << index for index in heard.indexes()) == bitmap


def test_every_bit_of_a_want_counts_and_so_does_the_message() -> None:
    packet = Want(47, EID, 5, 0b101).pack(V)
    assert not parse_want(packet).genuine(keys_at(bytes(32), 6).verify)
    for bit in range(8 * len(packet)):
        changed = bytearray(packet)
        changed[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(FrameError):
            assert not parse_want(bytes(changed)).genuine(V), bit


def test_a_want_serves_as_nothing_else() -> None:
    packet = Want(47, EID, 5, 1).pack(V)
    assert not answer_is_for(b"\x50" + packet[1:], V)
    assert parse_tokens(b"\x4c" + packet[1:-2] + packet[-6:-1]).claims(V) == []


@pytest.mark.parametrize("bitmap", [0, BITMAP_MAX + 1])
def test_a_want_asks_for_something(bitmap: int) -> None:
    with pytest.raises(ValueError, match="no fragment"):
        Want(47, EID, 5, bitmap).pack(V)


def test_a_want_for_nothing_and_other_lengths_are_refused() -> None:
    packet = Want(47, EID, 5, 1).pack(V)
    for wrong in (packet[:7] + b"\0\0" + packet[9:], packet[:-1], packet + b"\0"):
        with pytest.raises(FrameError):
            parse_want(wrong)


@given(site=st.integers(0, 0xFFFF), eid=EIDS)
def test_a_want_hello_comes_out_as_it_went_in(site: int, eid: bytes) -> None:
    packet = WantHello(site, eid).pack()
    assert parse_want_hello(packet) == WantHello(site, eid)
    assert len(packet) == 6
    for wrong in (packet[:-1], packet + b"\0"):
        with pytest.raises(FrameError, match="WANT-HELLO of"):
            parse_want_hello(wrong)
    with pytest.raises(FrameError, match="not a WANT packet"):
        parse_want(packet)
