"""From a config file to a running node."""

from pathlib import Path

from steunpunt.config import load
from steunpunt.terminal import log_to_stderr, one_line_errors


def start(config: Path) -> None:
    """Run the node of a config file until it is told to stop; a failure is one line and exit code 1."""
    with one_line_errors():
        log_to_stderr()
        loaded = load(config)
        # Only now: a wrong config is told at once.
        from steunpunt.node.loop import Node  # noqa: PLC0415

        Node(loaded).run()
