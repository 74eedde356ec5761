"""Announcements: what goes in comes out, says what it must, and a later version's is read as far as it is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.facts import Mark
from steunpunt.model import TEXT_CHARS_MAX, FrameError, PointState, SenderFunction
from steunpunt.protocol.age import unpack_age
from steunpunt.protocol.announcements import (
    EXPIRES_MIN_MAX,
    SITES_MAX,
    Announcement,
    CapCategory,
    Certainty,
    MessageType,
    Severity,
    Urgency,
    pack_announcement,
    unpack_announcement,
)
from steunpunt.protocol.phrases import Clock, Phrase
from steunpunt.values import replace
from tests.unit.test_protocol_layout import bits
from tests.unit.test_protocol_phrases import phrases

kinds = st.one_of(
    st.just((MessageType.ALERT, None, None)),
    st.tuples(st.sampled_from([MessageType.UPDATE, MessageType.CANCEL]), st.integers(0, 65_535), st.none()),
    st.tuples(st.just(MessageType.POINT_STATE), st.none(), st.sampled_from(PointState)),
)
announcements = st.builds(
    lambda kind, **said: Announcement(type=kind[0], replaces=kind[1], state=kind[2], **said),
    kind=kinds,
    function=st.sampled_from(SenderFunction),
    mark=st.sampled_from(Mark),
    category=st.sampled_from(CapCategory),
    urgency=st.sampled_from(Urgency),
    severity=st.sampled_from(Severity),
    certainty=st.sampled_from(Certainty),
    sites=st.lists(st.integers(1, 65_535), max_size=SITES_MAX).map(tuple),
    issued_s=st.integers(0, 127).map(lambda byte: unpack_age(byte)[0]),
    issued_at_least=st.booleans(),
    expires_min=st.integers(0, 1023).map(lambda tens: tens * 10),
    headline=st.text(max_size=30),
    phrases=st.lists(phrases, min_size=1, max_size=3).map(tuple),
    text=st.text(max_size=300),
)
WATER = Announcement(
    type=MessageType.ALERT,
    function=SenderFunction.MUNICIPALITY,
    category=CapCategory.INFRA,
    urgency=Urgency.EXPECTED,
    severity=Severity.MODERATE,
    certainty=Certainty.OBSERVED,
    expires_min=240,
    phrases=(Phrase(83, ("B", Clock(600))),),
)
WATER_BITS = "0101 1010 010 011 001 0 00000000 0000011000 0 001 01010011 000 0000001 01000010 1 00111100"


@given(announcements)
def test_any_announcement_comes_out_as_it_went_in(announcement: Announcement) -> None:
    assert unpack_announcement(pack_announcement(announcement)) == announcement


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_an_announcement_or_a_frame_error(plain: bytes) -> None:
    try:
        unpack_announcement(plain)
    except FrameError:
        return


def test_the_layout_is_as_written_down() -> None:
    assert pack_announcement(WATER) == bits(f"00 00 {WATER_BITS} 0 1")
    cancel = replace(WATER, type=MessageType.CANCEL, replaces=258, mark=Mark.EXERCISE)
    assert pack_announcement(cancel) == bits(f"10 0000000100000010 01 {WATER_BITS} 0 1")
    command = replace(WATER, type=MessageType.POINT_STATE, state=PointState.OPEN, sites=(47, 52), phrases=())
    shorter = "0101 1010 010 011 001 1 000010 0000000000101111 0000000000110100 00000000 0000011000 0 000"
    assert pack_announcement(command) == bits(f"11 01 00 {shorter} 0 1")
    assert (command.is_for(47), command.is_for(48), WATER.is_for(48)) == (True, False, True)


def test_what_is_known_of_a_newer_one_is_shown_and_that_there_was_more() -> None:
    plain = bits(f"00 00 {WATER_BITS} 1 00000001 11111111 0 000", b"Neem een kan mee")
    assert unpack_announcement(plain) == replace(WATER, text="Neem een kan mee", newer=True)
    levels = bits("00 00 1111 1111 111 111 111 0 00000000 0000000000 0 001 10000001 00000000 0 1")
    unknown = Announcement(type=MessageType.ALERT, function=SenderFunction.OTHER, phrases=(Phrase(129),))
    assert unpack_announcement(levels) == unknown
    with pytest.raises(FrameError, match="point state"):
        unpack_announcement(bits("11 11 00" + "0" * 60))


@pytest.mark.parametrize(
    "wrong",
    [
        replace(WATER, phrases=()),
        replace(WATER, replaces=1),
        replace(WATER, type=MessageType.CANCEL),
        replace(WATER, type=MessageType.POINT_STATE),
        replace(WATER, state=PointState.OPEN),
        replace(WATER, sites=tuple(range(1, SITES_MAX + 2))),
        replace(WATER, sites=(0,)),
        replace(WATER, expires_min=EXPIRES_MIN_MAX + 1),
        replace(WATER, expires_min=-1),
        replace(WATER, text="x" * (TEXT_CHARS_MAX + 1)),
        replace(WATER, headline="".join(chr(0x4E00 + i * 37) for i in range(400))),
        replace(WATER, issued_s=-1.0, type=MessageType.UPDATE),
    ],
)
def test_what_makes_no_sense_is_not_sent(wrong: Announcement) -> None:
    with pytest.raises(ValueError, match=r"."):
        pack_announcement(wrong)
