"""What a process says on standard error: one line per expected failure, and log lines as journald wants them."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

from steunpunt.model import ConfigError, SteunpuntError

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Every expected failure is one line that names the mend, and exit code 1."""
    try:
        yield
    except SteunpuntError as error:
        sys.stderr.write(f"steunpunt: {error}\n")
        sys.exit(1)


def log_to_stderr() -> None:
    """Log without a time of our own: it may be wrong. Raises ConfigError for an unknown STEUNPUNT_LOG."""
    level = os.environ.get("STEUNPUNT_LOG", "INFO").upper()
    if level not in _LOG_LEVELS:
        raise ConfigError(f"STEUNPUNT_LOG={level}: write one of {', '.join(_LOG_LEVELS)}, or leave it out")
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s %(message)s")
