"""A hostile radio or integrator: no bytes make the bridge raise, nor send what is not theirs to send."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fuzz import bridge_walk


@settings(max_examples=1000)
@given(st.integers(0, 4), st.binary(max_size=600))
@example(door=3, program=b'"' + b"\\u0000" * 20 + b'"')
@example(door=3, program=b'{"latitude_i":1e3,"longitude_i":-0.0,"altitude":null}')
def test_no_bytes_at_any_door_break_a_rule(door: int, program: bytes) -> None:
    bridge_walk.run(bytes([door]) + program)


def test_the_rules_would_be_seen_to_break(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is fine passes the charge; if texts went on the site's own channel, the walk would say so."""
    monkeypatch.setattr(bridge_walk, "OWN_CHANNEL", 0)
    with pytest.raises(AssertionError):
        bridge_walk.run(b'\x03"hallo"')
