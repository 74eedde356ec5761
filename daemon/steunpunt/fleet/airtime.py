"""What ``steunpunt airtime`` prints: the cost of each text of a file as a help request."""

import json
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from steunpunt.model import TEXT_CHARS_MAX, SteunpuntError
from steunpunt.protocol.airtime import PRESETS
from steunpunt.protocol.cost import TextCost, cost_of_text
from steunpunt.protocol.text import METHOD_NAMES

_LINE_BYTES_MAX = 4 * TEXT_CHARS_MAX + 2
_METHOD_WIDTH = 10
_BYTES_WIDTH = 14


class TextFileError(SteunpuntError, ValueError):
    """A file of texts cannot be used as it stands."""


def report(path: Path, *, as_json: bool) -> None:
    """Print the cost of each line as it is read; TextFileError with the line's number for one that cannot be sent."""
    costs = []
    if not as_json:
        click.echo(_row("line", "method", "bytes", PRESETS))
    for number, text in _texts(path):
        cost = _cost(path, number, text)
        if as_json:
            click.echo(json.dumps(_body(cost)))
            continue
        costs.append(cost)
        sizes = "+".join(str(size) for size in cost.frame_bytes)
        times = (f"{ms:.0f}" for ms in cost.airtime_ms.values())
        click.echo(_row(str(number), METHOD_NAMES[cost.method], sizes, times))
    if costs:
        size = statistics.fmean(sum(cost.frame_bytes) for cost in costs)
        means = (f"{statistics.fmean(cost.airtime_ms[preset] for cost in costs):.0f}" for preset in PRESETS)
        click.echo(_row("mean", "", f"{size:.1f}", means))


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Give each line with its number, without its end; never more than a line in memory."""
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(_LINE_BYTES_MAX + 1):
                number += 1
                if len(line) > _LINE_BYTES_MAX:
                    raise TextFileError(f"{path}:{number}: {_too_long()}")
                yield number, _decoded(path, number, line)
    except OSError as error:
        raise TextFileError(f"{path}: cannot be read ({error.strerror}); name a file with one text a line") from error


def _too_long() -> str:
    return f"a text has at most {TEXT_CHARS_MAX} characters; shorten or split this line"


def _decoded(path: Path, number: int, line: bytes) -> str:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise TextFileError(f"{path}:{number}: byte {error.start + 1} is no UTF-8; save the file as UTF-8") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if len(text) > TEXT_CHARS_MAX:
        raise TextFileError(f"{path}:{number}: {_too_long()}, which has {len(text)}")
    return text


def _cost(path: Path, number: int, text: str) -> TextCost:
    try:
        return cost_of_text(text)
    except ValueError as error:
        raise TextFileError(f"{path}:{number}: {error}") from error


def _body(cost: TextCost) -> dict[str, object]:
    return {
        "text": cost.text,
        "method": METHOD_NAMES[cost.method],
        "frame_bytes": list(cost.frame_bytes),
        "airtime_ms": {preset: round(ms, 1) for preset, ms in cost.airtime_ms.items()},
    }


def _row(line: str, method: str, sizes: str, columns: Iterable[str]) -> str:
    cells = "".join(f"{cell:>{len(preset) + 2}}" for preset, cell in zip(PRESETS, columns, strict=True))
    return f"{line:>6}  {method:<{_METHOD_WIDTH}}{sizes:>{_BYTES_WIDTH}}{cells}"
