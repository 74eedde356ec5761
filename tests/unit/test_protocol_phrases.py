"""The phrase book: each phrase in each language with each of its values, said only by who may, and skipped if newer."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steunpunt.model import TEXT_CHARS_MAX, FrameError, SenderFunction
from steunpunt.protocol.answerbody import (
    Answer,
    pack_answer,
    pack_phrases,
    unpack_answer,
    unpack_phrases,
)
from steunpunt.protocol.messages import LANGUAGES
from steunpunt.protocol.phrasebook import SENTENCES, WORDS, options, render, render_all, who_words
from steunpunt.protocol.phrasecodes import ANYBODY, BOOK
from steunpunt.protocol.phrases import (
    CODE_NEWER_MIN,
    PHRASES_MAX,
    After,
    Clock,
    Entry,
    Form,
    Kind,
    Param,
    Phrase,
    Reason,
    Value,
    may_say,
)
from tests.unit.test_protocol_layout import bits

WHO = SenderFunction
EXAMPLES: dict[Param, Value] = {
    Param.PLACE: "Buurthuis De Brug",
    Param.ADDRESS: "Kerkplein 1",
    Param.TIME: Clock(14 * 60 + 30),
    Param.WHO: WHO.CONTROL_ROOM,
    Param.NUMBER: 40,
    Param.DURATION: 90,
    Param.REASON: Reason.ROAD_BLOCKED,
    Param.FREQUENCY: 953,
    Param.PHONE: "0612345678",
}
SHOWN = {
    Param.PLACE: "Buurthuis De Brug",
    Param.ADDRESS: "Kerkplein 1",
    Param.TIME: "14:30",
    Param.NUMBER: "40",
    Param.DURATION: "90",
    Param.FREQUENCY: "95.3",
    Param.PHONE: "0612345678",
}
fitting: dict[Param, st.SearchStrategy[Value]] = {
    Param.PLACE: st.text(min_size=1, max_size=30),
    Param.ADDRESS: st.text(min_size=1, max_size=30),
    Param.TIME: st.one_of(
        st.integers(0, 143).map(lambda n: Clock(n * 10)), st.integers(0, 255).map(lambda n: After(n * 5))
    ),
    Param.WHO: st.sampled_from(SenderFunction),
    Param.NUMBER: st.integers(0, 15_000),
    Param.DURATION: st.integers(0, 63) | st.integers(3, 511).map(lambda n: n * 30),
    Param.REASON: st.sampled_from(Reason),
    Param.FREQUENCY: st.integers(875, 1080),
    Param.PHONE: st.text(alphabet="0123456789+*#- ", min_size=1, max_size=20),
}


def said(entry: Entry) -> Phrase:
    return Phrase(entry.code, tuple(EXAMPLES[param] for _, param in entry.params))


def of_entry(entry: Entry) -> st.SearchStrategy[Phrase]:
    return st.tuples(*(fitting[param] for _, param in entry.params)).map(lambda values: Phrase(entry.code, values))


phrases = st.sampled_from(list(BOOK.values())).flatmap(of_entry)


def test_the_book_is_large_enough_and_has_every_kind() -> None:
    assert len(BOOK) >= 60
    kinds = [entry.kind for entry in BOOK.values()]
    assert {kind: kinds.count(kind) >= 15 for kind in Kind} == dict.fromkeys(Kind, True)
    assert set(BOOK) == set(range(1, len(BOOK) + 1)), "numbers never change: append, and leave gaps for what is dropped"
    assert max(BOOK) < CODE_NEWER_MIN


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_phrase_is_there_in_each_language_with_each_value(language: str) -> None:
    assert set(SENTENCES) == set(WORDS) == set(LANGUAGES)
    assert set(SENTENCES[language]) == set(BOOK)
    for code, sentence in SENTENCES[language].items():
        named = sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name)
        assert named == sorted(name for name, _ in BOOK[code].params), (language, code)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("entry", BOOK.values(), ids=lambda entry: str(entry.code))
def test_each_phrase_renders_and_loses_no_value(entry: Entry, language: str) -> None:
    shown = render(said(entry), language)
    assert "{" not in shown
    assert "}" not in shown
    for _, param in entry.params:
        expected = (
            SHOWN.get(param)
            or {
                Param.WHO: WORDS[language].who[WHO.CONTROL_ROOM],
                Param.REASON: WORDS[language].reasons[Reason.ROAD_BLOCKED],
            }[param]
        )
        assert expected in shown
    if entry.form is not Form.NUMBER:
        assert bool(options(entry, language)) == (entry.kind is Kind.QUESTION)
        assert len(set(options(entry, language))) == len(options(entry, language))
    assert entry.form is not Form.CHOICE or len(options(entry, language)) == entry.options


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_all_its_words(language: str) -> None:
    words = WORDS[language]
    assert set(words.who) == set(SenderFunction)
    assert set(words.reasons) == set(Reason)
    assert set(words.choices) == {entry.code for entry in BOOK.values() if entry.form is Form.CHOICE}
    said_words = [*words.who.values(), *words.reasons.values(), *words.yes_no, *words.minutes, *words.hours, words.now]
    assert all(said_words)
    assert all(form.count("{}") == 1 for form in (words.clock, words.later, words.earlier, words.unknown))


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"nl"}))
def test_no_sentence_was_left_in_another_language(language: str) -> None:
    others = [sentences for name, sentences in SENTENCES.items() if name != language]
    same = [code for code, text in SENTENCES[language].items() if any(text == other[code] for other in others)]
    assert same == []
    letters = {"ar": r"[\u0600-\u06ff]", "uk": r"[\u0400-\u04ff]"}.get(language, r"[a-zA-Z]")
    assert all(re.search(letters, text) for text in SENTENCES[language].values())


def test_arabic_keeps_western_digits_and_isolates_each_value_and_number() -> None:
    shown = render(Phrase(25, ("0612345678",)), "ar")
    assert "\u20680612345678\u2069" in shown
    assert "\u2068112\u2069" in render(Phrase(24), "ar")
    for entry in BOOK.values():
        text = render(said(entry), "ar")
        assert not re.search(r"[\u0660-\u0669\u06f0-\u06f9]", text)
        assert not re.search(r"\d", re.sub(r"\u2068[^\u2069]*\u2069", "", text)), entry.code
        assert text.count("\u2068") == text.count("\u2069")
    assert "\u2068" not in render(Phrase(25, ("0612345678",)), "uk")


# --- who may say what ---------------------------------------------------------------------------------------------


def test_only_who_can_make_it_true_may_promise_it() -> None:
    may = {code: {function for function in SenderFunction if may_say(BOOK[code], function)} for code in BOOK}
    for ambulance in (3, 4, 5, 40):
        assert may[ambulance] == {WHO.MEDICAL, WHO.CONTROL_ROOM}
    for police in (8, 9):
        assert may[police] == {WHO.POLICE, WHO.CONTROL_ROOM}
    assert WHO.COORDINATOR not in may[7] | may[10] | may[93] | may[95]
    assert all(WHO.OTHER not in functions for functions in may.values())
    assert all(functions for functions in may.values())
    assert {code for code, entry in BOOK.items() if entry.medical} == {*range(40, 53), 55, 59}
    assert all(may_say(BOOK[1], function) for function in ANYBODY)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_promise_of_a_coming_stands_without_who_says_so(language: str) -> None:
    for code in (2, 3, 4, 6, 7, 8, 9, 10, 80):
        assert "{who}" in SENTENCES[language][code]


# --- times --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "age_min", "shown"),
    [
        (Clock(9 * 60), 50, "9:00 uur"),
        (After(40), 0, "over 40 min"),
        (After(40), 15, "over 25 min"),
        (After(40), 40, "nu"),
        (After(40), 100, "1 uur geleden"),
        (After(150), 0, "over 2 uur 30 min"),
    ],
)
def test_times_without_a_clock_shrink_with_the_age_of_what_was_said(value: Value, age_min: int, shown: str) -> None:
    assert render(Phrase(107, (value,)), "nl", age_min=age_min) == f"Volgend bericht: {shown}."


def test_arabic_counts_three_to_ten_in_its_own_form() -> None:
    assert "\u20685 دقائق\u2069" in render(Phrase(85, (5,)), "ar")
    assert "\u206820 دقيقة\u2069" in render(Phrase(85, (20,)), "ar")


# --- on the air ---------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(sorted(ANYBODY)),
    st.text(max_size=TEXT_CHARS_MAX),
    st.lists(phrases, max_size=PHRASES_MAX).map(tuple),
)
def test_answers_come_out_as_they_went_in(function: SenderFunction, text: str, said: tuple[Phrase, ...]) -> None:
    if text or said:
        assert unpack_answer(pack_answer(function, text, said)) == Answer(function, text, said)
    assert unpack_phrases(pack_phrases(said, text)) == (said, text)


@given(st.binary(max_size=120))
def test_arbitrary_bytes_are_an_answer_or_a_frame_error(plain: bytes) -> None:
    try:
        answer = unpack_answer(plain)
    except FrameError:
        return
    for language in LANGUAGES:
        assert answer.text or answer.newer or render_all(answer.phrases, language)


def test_a_phrase_takes_few_bytes() -> None:
    ambulance = Phrase(3, (WHO.CONTROL_ROOM, Clock(14 * 60 + 30)))
    assert len(pack_answer(WHO.MEDICAL, "", [ambulance])) == 4
    assert len(pack_answer(WHO.MEDICAL, "", [Phrase(40), Phrase(18), ambulance])) == 6


@pytest.mark.parametrize(
    ("plain", "answer"),
    [
        (bits("0011 000 0 000", b"Wij komen"), Answer(WHO.FIRE_CREW, "Wij komen")),
        (
            bits("0110 001 00000011 0110 1 01010111 1"),
            Answer(WHO.CONTROL_ROOM, "", (Phrase(3, (WHO.CONTROL_ROOM, Clock(870))),)),
        ),
        (bits("0001 001 00111111 1"), Answer(WHO.COORDINATOR, "", (Phrase(63),))),
        (
            bits("0001 001 01010101 0 000101 1"),
            Answer(WHO.COORDINATOR, "", (Phrase(85, (5,)),)),
        ),
        (
            bits("0001 001 01100010 01001110 1"),
            Answer(WHO.COORDINATOR, "", (Phrase(98, (953,)),)),
        ),
    ],
)
def test_the_layout_is_as_written_down(plain: bytes, answer: Answer) -> None:
    assert unpack_answer(plain) == answer
    if not answer.text:
        assert pack_answer(answer.function, "", answer.phrases) == plain


def test_what_a_later_version_says_is_told_honestly_with_the_rest() -> None:
    newer = bits("1111 010 11001000 00000010 10101010 01010101 00010010 0 000", b"Tot zo")
    answer = unpack_answer(newer)
    assert answer == Answer(WHO.OTHER, "Tot zo", (Phrase(200), Phrase(18)))
    shown = render_all(answer.phrases, "nl").split("\n")
    assert shown == [
        "Een bericht dat dit steunpunt nog niet kent: code 200.",
        "Blijf bij de persoon. Laat de persoon niet alleen.",
    ]
    assert who_words(answer.function, "nl") == "een andere dienst"
    assert unpack_answer(bits("0001 000 0 111", b"??")).newer


@pytest.mark.parametrize(
    ("function", "text", "said"),
    [
        (WHO.MEDICAL, "", ()),
        (WHO.MEDICAL, "x" * (TEXT_CHARS_MAX + 1), ()),
        (WHO.MEDICAL, "", (Phrase(18),) * (PHRASES_MAX + 1)),
        (WHO.MEDICAL, "", (Phrase(120),)),
        (WHO.MEDICAL, "", (Phrase(200),)),
        (WHO.MEDICAL, "", (Phrase(18, (5,)),)),
        (WHO.MEDICAL, "", (Phrase(19, ("",)),)),
        (WHO.MEDICAL, "", (Phrase(19, ("é" * 64,)),)),
        (WHO.MEDICAL, "", (Phrase(25, ("bel mij",)),)),
        (WHO.MEDICAL, "", (Phrase(107, (Clock(5),)),)),
        (WHO.MEDICAL, "", (Phrase(107, (Clock(24 * 60),)),)),
        (WHO.MEDICAL, "", (Phrase(107, (After(1_280),)),)),
        (WHO.MEDICAL, "", (Phrase(85, (64,)),)),
        (WHO.MEDICAL, "", (Phrase(84, (Reason.FIRE,)),)),
        (WHO.MEDICAL, "", (Phrase(98, (874,)),)),
    ],
)
def test_what_cannot_be_said_is_an_error(function: SenderFunction, text: str, said: tuple[Phrase, ...]) -> None:
    with pytest.raises(ValueError, match=r"."):
        pack_answer(function, text, said)


@pytest.mark.parametrize("plain", [b"", b"\x10", bits("0001 001 01111111 1"), bits("0001 001 01101011 1 11111111 1")])
def test_nonsense_is_a_frame_error(plain: bytes) -> None:
    with pytest.raises(FrameError):
        unpack_answer(plain)
