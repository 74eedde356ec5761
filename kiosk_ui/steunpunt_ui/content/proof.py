"""Reads a folder of pages as a site would, and prints what is wrong: `python -m steunpunt_ui.content.proof FOLDER`.

A process of its own, so that a node need not keep what reads Markdown. The site's config comes as JSON on standard
input. Exit code 1 when anything is wrong.
"""

import sys
from pathlib import Path
from typing import Final

import msgspec

from steunpunt.config import Config
from steunpunt_ui.content.place import words_of
from steunpunt_ui.content.shelf import read

LINES_MAX: Final = 20


def main() -> int:
    """Print a line for each problem, with the file counted from the folder."""
    folder = Path(sys.argv[1])
    shelf = read(folder, words_of(msgspec.json.decode(sys.stdin.buffer.read(), type=Config)))
    problems = list(shelf.problems) if shelf.pages or shelf.problems else ["there is no page in it"]
    for problem in problems[:LINES_MAX]:
        sys.stdout.write(problem.removeprefix(f"{folder}/") + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
