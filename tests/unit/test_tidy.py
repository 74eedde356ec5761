"""Style is a test: sizes and habits that may only get better (the limits here are only ever lowered)."""

import ast
import functools
import io
import re
import statistics
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT_ROOTS = (ROOT / "daemon", ROOT / "kiosk_ui")
TESTS = ROOT / "tests"
SOURCE_SUFFIXES = {".py", ".html", ".css", ".js", ".sql", ".toml", ".md", ".service", ".conf", ".sh"}
SKIPPED_FOLDERS = {"__pycache__", "lock"}
# A migration is a list of statements, written once and never changed again.
LISTS = {ROOT / "daemon" / "steunpunt" / "ledger" / "migrations" / "versions"}

FUNCTION_LINES_MAX = 60
FUNCTION_LINES_P90_MAX = 25
FUNCTION_LINES_MEDIAN_MAX = 8
FILE_LINES_MAX = 500

# A measurement lasts as long as it lasts: there a sleep is the thing measured, not a wait for luck.
SLEEP_ALLOWED_IN = {TESTS / "bench"}
SLEEP_HELPER = (TESTS / "conftest.py", "wait_until")
PATCHES = {"monkeypatch.setattr", "mocker.patch"}
UNFINISHED = re.compile(r"\b(?:TODO|FIXME)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def source_files(*roots: Path) -> list[Path]:
    """List the sources under `roots`, without hidden folders and what tools made."""
    return sorted(
        path
        for root in roots
        for path in root.rglob("*")
        if path.suffix in SOURCE_SUFFIXES and path.is_file() and not _skipped(path.relative_to(ROOT))
    )


def _skipped(path: Path) -> bool:
    return any(part in SKIPPED_FOLDERS or part.startswith(".") for part in path.parts)


def python_files(*roots: Path) -> list[Path]:
    return [path for path in source_files(*roots) if path.suffix == ".py"]


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def long_lived_functions(*roots: Path) -> Iterator[tuple[Path, Function]]:
    """Give the functions that people read and change, with their files."""
    for path in python_files(*roots):
        if not LISTS & set(path.parents):
            yield from ((path, function) for function in functions(parse(path)))


def lines_of(function: Function) -> int:
    """Count the lines of a function from `def` to its end, less its docstring."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None and first.end_lineno is not None:
        total -= first.end_lineno - first.lineno + 1
    return total


def place(path: Path, node: ast.stmt | ast.expr | ast.ExceptHandler) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


def called_name(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_functions_stay_short(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [lines_of(function) for _, function in long_lived_functions(*PRODUCT_ROOTS)]
    median = statistics.median(sizes)
    p90 = statistics.quantiles(sizes, n=10, method="inclusive")[-1]
    with capsys.disabled():
        print(f"\nfunctions: {len(sizes)}, lines median {median:g}, p90 {p90:g}, max {max(sizes)}")
    assert median <= FUNCTION_LINES_MEDIAN_MAX
    assert p90 <= FUNCTION_LINES_P90_MAX


def test_no_function_is_long() -> None:
    long = [
        f"{place(path, function)} {function.name}: {lines_of(function)} lines"
        for path, function in long_lived_functions(*PRODUCT_ROOTS, TESTS)
        if lines_of(function) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_no_file_is_long(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in source_files(*PRODUCT_ROOTS, TESTS)}
    median = statistics.median(sizes.values())
    with capsys.disabled():
        print(f"\nfiles: {len(sizes)}, lines median {median:g}, max {max(sizes.values())}")
    long = [f"{path.relative_to(ROOT)}: {size} lines" for path, size in sizes.items() if size > FILE_LINES_MAX]
    assert long == []


def test_no_drawer_for_odds_and_ends() -> None:
    drawers = {"utils.py", "util.py", "helpers.py", "misc.py"}
    assert [path for path in python_files(*PRODUCT_ROOTS, TESTS) if path.name in drawers] == []


def _is_broad(expression: ast.expr | None) -> bool:
    names = expression.elts if isinstance(expression, ast.Tuple) else [expression]
    return any(
        name is None or (isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"}) for name in names
    )


def _does_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass | ast.Continue) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def swallowed(tree: ast.AST) -> Iterator[ast.ExceptHandler | ast.Call]:
    """Find handlers that catch everything and do nothing with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and all(map(_does_nothing, node.body)):
            yield node
        if isinstance(node, ast.Call) and called_name(node).endswith("suppress") and any(map(_is_broad, node.args)):
            yield node


def test_no_error_is_swallowed_unseen() -> None:
    found = [place(path, node) for path in python_files(*PRODUCT_ROOTS, TESTS) for node in swallowed(parse(path))]
    assert found == []


def sleeps(tree: ast.AST) -> Iterator[ast.Call]:
    """Find calls that wait a fixed time: time.sleep, asyncio.sleep, a browser's wait_for_timeout."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called_name(node).split(".")[-1] in {"sleep", "wait_for_timeout"}:
            yield node


def _inside_helper(path: Path, call: ast.Call, tree: ast.Module) -> bool:
    helper_path, helper_name = SLEEP_HELPER
    return path == helper_path and any(
        call in ast.walk(function) for function in functions(tree) if function.name == helper_name
    )


def test_no_test_waits_for_luck() -> None:
    found = []
    for path in python_files(TESTS):
        if not SLEEP_ALLOWED_IN & set(path.parents):
            tree = parse(path)
            found += [place(path, call) for call in sleeps(tree) if not _inside_helper(path, call, tree)]
    assert found == []


def _lowers_a_limit(call: ast.Call) -> bool:
    """Tell whether a call only sets a named limit to another number: SOUND_S_MAX to a fifth of a second."""
    value = call.args[-1] if call.args else None
    names = [arg.value for arg in call.args[:-1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return (
        isinstance(value, ast.Constant)
        and isinstance(value.value, int | float)
        and any(name.rpartition(".")[-1].isupper() for name in names)
    )


def stand_ins(tree: ast.AST) -> Iterator[ast.stmt | ast.expr]:
    """Find mocks and patches; gpiozero's MockFactory is a real pin factory and no such thing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in {"unittest.mock", "mock", "pytest_mock"}:
            yield node
        if isinstance(node, ast.ImportFrom) and node.module == "unittest" and node.names[0].name == "mock":
            yield node
        if isinstance(node, ast.Import) and any(name.name in {"mock", "unittest.mock"} for name in node.names):
            yield node
        if isinstance(node, ast.Call) and called_name(node) in PATCHES and not _lowers_a_limit(node):
            yield node


def test_the_real_thing_or_a_fake_but_no_mock() -> None:
    assert [place(path, node) for path in python_files(TESTS) for node in stand_ins(parse(path))] == []


def comments(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        yield from text.splitlines()
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def test_nothing_is_left_for_later() -> None:
    left = [
        f"{path.relative_to(ROOT)}: {comment.strip()}"
        for path in source_files(*PRODUCT_ROOTS, TESTS, ROOT / "config", ROOT / "systemd")
        for comment in comments(path)
        if UNFINISHED.search(comment)
    ]
    assert left == []


@pytest.mark.parametrize(
    ("finder", "bad", "good"),
    [
        (swallowed, "try:\n    f()\nexcept Exception:\n    pass", "try:\n    f()\nexcept OSError:\n    pass"),
        (swallowed, "with suppress(Exception):\n    f()", "with suppress(OSError):\n    f()"),
        (sleeps, "import time\ntime.sleep(1)", "event.wait(1)"),
        (stand_ins, "from unittest.mock import Mock", "from gpiozero.pins.mock import MockFactory"),
        (stand_ins, "import unittest.mock", "import unittest"),
        (stand_ins, "monkeypatch.setattr(a, 'b', 1)", "monkeypatch.setenv('A', 'b')"),
        (stand_ins, "monkeypatch.setattr(a, 'B', f)", "monkeypatch.setattr('a.WAIT_S_MAX', 0.1)"),
    ],
)
def test_the_finders_see_what_they_look_for(finder: object, bad: str, good: str) -> None:
    assert callable(finder)
    assert len(list(finder(ast.parse(bad)))) == 1
    assert list(finder(ast.parse(good))) == []
