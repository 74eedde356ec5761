"""`steunpunt node CONFIG` goes past the command line's library; everything else is that library's."""

import subprocess
import sys
from pathlib import Path

import pytest

LOADED = """
import sys
from steunpunt.__main__ import main
sys.argv = ["steunpunt", "node", sys.argv[1]]
try:
    main()
finally:
    print(*(name for name in ("click", "sqlalchemy", "flask", "alembic") if name in sys.modules))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_a_node_starts_without_click_and_a_wrong_config_costs_no_database(tmp_path: Path) -> None:
    ended = run("-c", LOADED, str(tmp_path / "none.toml"))
    assert ended.returncode == 1
    assert ended.stdout.split() == []
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith(f"steunpunt: {tmp_path / 'none.toml'}: ")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["node", "--help"], 0, "Usage: steunpunt node [OPTIONS] CONFIG"),
        (["node"], 2, "Missing argument 'CONFIG'"),
        (["node", "a.toml", "b.toml"], 2, "unexpected extra argument"),
        (["--version"], 0, "steunpunt, version"),
        (["check", "none.toml"], 1, "none.toml"),
    ],
)
def test_all_else_is_the_command_line(arguments: list[str], exit_code: int, says: str) -> None:
    ended = run("-m", "steunpunt", *arguments)
    assert ended.returncode == exit_code
    assert says in ended.stdout + ended.stderr


def test_both_ways_say_the_same_of_a_wrong_config(tmp_path: Path) -> None:
    wrong = tmp_path / "site.toml"
    wrong.write_text("[site]\nrole = 1\n", "utf-8")
    straight, by_click = (
        run("-m", "steunpunt", "node", str(wrong)),
        run("-c", "from steunpunt.cli import main; main()", "node", str(wrong)),
    )
    assert straight.stderr == by_click.stderr
    assert straight.returncode == by_click.returncode == 1
