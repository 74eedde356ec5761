"""The door of ``steunpunt`` and ``python -m steunpunt``.

A node stays in a small memory for months, and the library of the command line would stay with it: some 1.3 MiB, and
30 ms of each start. So ``steunpunt node CONFIG`` goes straight on. All else is the command line's: options, help, and
what was typed wrongly.
"""

import sys
from pathlib import Path

_NODE_WORDS = 3


def main() -> None:
    """Run what was typed."""
    if len(sys.argv) == _NODE_WORDS and sys.argv[1] == "node" and not sys.argv[2].startswith("-"):
        from steunpunt.node.start import start  # noqa: PLC0415  see the module's first lines

        start(Path(sys.argv[2]))
        return
    from steunpunt.cli import main as command_line  # noqa: PLC0415  the same

    command_line(prog_name="steunpunt")


if __name__ == "__main__":
    main()
