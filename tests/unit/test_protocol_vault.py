"""Boxes at a coordinator: only the right key and the right place open them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import SealError
from steunpunt.protocol.vault import KEY_BYTES, NONCE_BYTES, close_box, open_box

KEY, NONCE = bytes(range(KEY_BYTES)), bytes(range(NONCE_BYTES))


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_a_box_opens_with_its_key_at_its_place(content: bytes, label: bytes) -> None:
    box = close_box(KEY, NONCE, content, label)
    assert open_box(KEY, box, label) == content
    with pytest.raises(SealError, match="own key file"):
        open_box(KEY, box, label + b"x")
    with pytest.raises(SealError):
        open_box(KEY[::-1], box, label)


@given(st.binary(max_size=60))
def test_anything_else_is_a_seal_error(box: bytes) -> None:
    with pytest.raises(SealError):
        open_box(KEY, box, b"")


def test_every_bit_counts() -> None:
    box = close_box(KEY, NONCE, b"content", b"label")
    for bit in range(8 * len(box)):
        changed = bytearray(box)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealError):
            open_box(KEY, bytes(changed), b"label")
