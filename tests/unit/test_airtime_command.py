"""`steunpunt airtime`: what each line of a file costs, or which line is wrong and why."""

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from steunpunt.cli import main
from steunpunt.facts import Facts
from steunpunt.model import Category, SenderFunction
from steunpunt.protocol import cost
from steunpunt.protocol.airtime import PRESETS, private_app_lora_bytes, time_on_air_ms
from steunpunt.protocol.answerbody import unpack_answer
from steunpunt.protocol.answers import open_answers
from steunpunt.protocol.messages import unpack
from steunpunt.protocol.pieces import parse_piece

TEXT = "Mijn man ligt op de grond en reageert niet meer, Dorpsstraat 12"


def run(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["airtime", *options, str(path)])


def file_of(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "texts.txt"
    path.write_bytes(content)
    return path


def test_each_line_is_one_object(tmp_path: Path) -> None:
    result = run(file_of(tmp_path, f"{TEXT}\nHelp\n".encode()), "--json")
    first, second = map(json.loads, result.stdout.splitlines())
    assert first["text"] == TEXT
    assert first["method"] == "ngram-1"
    assert first.keys() == {"text", "method", "frame_bytes", "airtime_ms"}
    assert first["airtime_ms"].keys() == PRESETS.keys()
    (size,) = first["frame_bytes"]
    exact = time_on_air_ms("LONG_FAST", private_app_lora_bytes(size))
    assert math.isclose(first["airtime_ms"]["LONG_FAST"], exact, abs_tol=0.05)
    assert second["frame_bytes"][0] < size


def test_a_table_has_a_row_for_each_line_and_the_mean(tmp_path: Path) -> None:
    result = run(file_of(tmp_path, f"{TEXT}\n{TEXT}\n".encode()))
    head, first, second, mean = result.stdout.splitlines()
    assert head.split() == ["line", "method", "bytes", *PRESETS]
    assert first.split()[1:] == second.split()[1:]
    assert mean.split()[0] == "mean"
    assert mean.split()[2:] == first.split()[3:]


def test_a_long_text_goes_in_several_packets_and_costs_all_of_them(tmp_path: Path) -> None:
    result = run(file_of(tmp_path, ("%x" % 7**2_300)[:2_000].encode()), "--json")
    told = json.loads(result.stdout)
    sizes = told["frame_bytes"]
    assert len(sizes) > 1
    total = sum(time_on_air_ms("LONG_SLOW", private_app_lora_bytes(size)) for size in sizes)
    assert math.isclose(told["airtime_ms"]["LONG_SLOW"], total, abs_tol=0.05)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b"", []),
        (b"a\r\nb\r\n", ["a", "b"]),
        ("\ufeffeen\ntwee".encode(), ["een", "twee"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        ("a\u2028b\n".encode(), ["a\u2028b"]),
    ],
)
def test_lines_end_where_they_end_on_any_computer(tmp_path: Path, content: bytes, texts: list[str]) -> None:
    result = run(file_of(tmp_path, content), "--json")
    assert result.exit_code == 0
    assert [json.loads(line)["text"] for line in result.stdout.splitlines()] == texts


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"good\n" + b"a" * 2_001 + b"\n", ":2: a text has at most 2000 characters; shorten or split this line"),
        (b"good\n" + b"a" * 100_000, ":2: a text has at most 2000 characters"),
        (b"good\ngood\nb\xff\n", ":3: byte 2 is no UTF-8; save the file as UTF-8"),
    ],
)
def test_a_line_that_cannot_be_sent_is_one_line_of_error_with_its_number(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    result = run(file_of(tmp_path, content))
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert complaint in result.stderr


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path / "absent.txt")
    assert result.exit_code == 1
    assert "absent.txt: cannot be read (No such file or directory)" in result.stderr


def test_what_is_measured_is_the_request_whole_and_sealed() -> None:
    (frame,) = cost.frames_of_request(cost.example_request(TEXT))
    heard = parse_piece(frame)
    request = unpack(heard.piece.open(cost._KEYS), heard.piece.eid)
    assert request == cost.example_request(TEXT)
    assert (request.category, request.life_threat) == (Category.MEDICAL, True)
    assert request.facts == Facts(people=3, callback="0612345678")
    assert heard.e_pub is None


def test_the_desk_can_ask_what_an_answer_will_cost() -> None:
    short = cost.frames_of_answer(SenderFunction.MEDICAL, "Er komt iemand")
    assert unpack_answer(open_answers(short, cost._KEYS.answer)).text == "Er komt iemand"
    long = cost.frames_of_answer(SenderFunction.MEDICAL, ("%x" % 7**2_300)[:1_900])
    assert cost.airtime_ms(long, "LONG_FAST") > 5 * cost.airtime_ms(short, "LONG_FAST") > 0
    with pytest.raises(ValueError, match="says something"):
        cost.frames_of_answer(SenderFunction.MEDICAL, "")
